#include "web/endpoint.h"

#include <string.h>

#include "web/openapi.h"
#include "web/reply.h"
#include "web/rows.h"

/* All rows as an array of objects. */
static void put_rows(struct buf *b, const char *key, const struct rows *r,
		     void (*put)(struct buf *, const struct rows *, size_t))
{
	put_open(b, key, '[');
	for (size_t i = 0; i < r->n; i++) {
		put_open(b, NULL, '{');
		put(b, r, i);
		put_close(b, '}');
	}
	put_close(b, ']');
}

static void put_job(struct buf *b, const struct rows *r, size_t i)
{
	const struct job_of_operation_row *row = ROW(job_of_operation, r, i);

	put_raw(b, "id", row->id);
	put_str(b, "type", row->type);
	put_str(b, "state", row->state);
	put_raw(b, "attempts", row->attempts);
	put_str(b, "lastError", row->last_error);
	put_str(b, "createdAt", row->created_at);
	put_str(b, "updatedAt", row->updated_at);
	put_str(b, "nextTryAt", row->next_try_at);
}

static void put_steps(struct buf *b, const char *kind_text, const char *steps,
		      struct arena *mem)
{
	enum kind kind = kind_of(kind_text);
	struct trace trace = {0};

	trace_read(&trace, steps, mem);
	if (kind != KIND__MAX)
		trace_show(&trace, kind_steps[kind], b, "steps");
}

void read_operation(struct request *rq)
{
	const struct operation_read_row *row;
	struct buf doc, *b = &rq->reply;
	struct rows r[2]; /* the operation; its jobs */

	buf_init(&doc, rq->mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "id", rq->path_text);
	put_close(&doc, '}');
	if (!rows_read(rq, SQL_READ_OPERATION, &doc, r, 2))
		return;
	if (!r[0].n) {
		reply_problem(rq, CODE_OPERATION_NOT_FOUND, arena_printf(
			rq->mem, "There is no operation %s.", rq->path_text));
		return;
	}
	row = ROW(operation_read, &r[0], 0);
	reply_begin(rq);
	put_operation_row(b, &row->operation);
	put_str(b, "partner", row->partner);
	put_str(b, "actor", row->actor);
	put_str(b, "requestId", row->request_id);
	put_steps(b, row->operation.kind, row->steps, rq->mem);
	put_str(b, "errorCode", row->error_code);
	put_str(b, "lastError", row->last_error);
	put_str(b, "createdAt", row->created_at);
	put_str(b, "updatedAt", row->updated_at);
	put_str(b, "nextTryAt", row->next_try_at);
	put_rows(b, "jobs", &r[1], put_job);
	reply_end(rq);
}

/* ---- one ticket ---- */

static void put_ctt_read(struct buf *b, const struct ctt_read_row *row,
			 bool open)
{
	put_open(b, "ctt", '{');
	put_ctt_row(b, &row->ctt, open);
	put_str(b, "title", row->title);
	put_bool(b, "externalSync", cell_int(row->external_sync));
	put_str(b, "segmentGroup", row->segment_group);
	put_str(b, "resolvedAt", row->resolved_at);
	put_str(b, "createdAt", row->created_at);
	put_str(b, "updatedAt", row->updated_at);
	put_close(b, '}');
}

static void put_activity(struct buf *b, const struct activity_row *row)
{
	put_open(b, "activity", '{');
	put_raw(b, "id", row->id);
	put_str(b, "type", row->type);
	put_str(b, "status", row->status);
	put_str(b, "causeCode", row->cause_code);
	put_str(b, "disposition", row->disposition);
	put_str(b, "resolutionCode", row->resolution_code);
	put_str(b, "delayReason", row->delay_reason);
	put_str(b, "createdBy", row->created_by);
	put_str(b, "createdAt", row->created_at);
	put_close(b, '}');
}

static void put_open_operation(struct buf *b,
			       const struct open_operation_row *row)
{
	put_open(b, "operation", '{');
	put_str(b, "operationId", row->id);
	put_str(b, "kind", row->kind);
	put_str(b, "state", row->state);
	put_str(b, "actor", row->actor);
	put_str(b, "createdAt", row->created_at);
	put_str(b, "nextTryAt", row->next_try_at);
	put_str(b, "lastError", row->last_error);
	put_close(b, '}');
}

static void put_note(struct buf *b, const struct rows *r, size_t i)
{
	const struct note_row *row = ROW(note, r, i);

	put_raw(b, "id", row->id);
	put_raw(b, "activityId", row->activity_id);
	put_str(b, "text", row->text);
	put_str(b, "author", row->author);
	put_str(b, "createdAt", row->created_at);
}

static void put_element(struct buf *b, const struct rows *r, size_t i)
{
	const struct element_row *row = ROW(element, r, i);

	put_raw(b, "id", row->id);
	put_str(b, "name", row->name);
	put_str(b, "accessType", row->access_type);
	put_str(b, "manufacturer", row->manufacturer);
	put_str(b, "model", row->model);
	put_str(b, "ipAddress", row->ip_address);
	put_raw(b, "bandwidthMbps", row->bandwidth_mbps);
	put_str(b, "port", row->port);
	put_str(b, "updatedAt", row->updated_at);
}

static void put_audit(struct buf *b, const struct rows *r, size_t i)
{
	put_audit_row(b, ROW(audit, r, i));
}

static void put_work_order(struct buf *b, const struct rows *r, size_t i)
{
	const struct work_order_row *row = ROW(work_order, r, i);

	put_raw(b, "id", row->id);
	put_str(b, "orderNo", row->order_no);
	put_str(b, "status", row->status);
}

void read_ctt(struct request *rq)
{
	enum {CTT, OPERATION, ACTIVITY, NOTES, ELEMENTS, AUDIT, SETS};
	struct rows r[SETS];
	struct buf *b = &rq->reply;

	if (!rows_read_by_id(rq, SQL_READ_CTT, r, SETS))
		return;
	if (!r[CTT].n) {
		ctt_missing(rq);
		return;
	}
	reply_begin(rq);
	put_ctt_read(b, ROW(ctt_read, &r[CTT], 0), r[OPERATION].n);
	if (r[ACTIVITY].n)
		put_activity(b, ROW(activity, &r[ACTIVITY], 0));
	else
		put_raw(b, "activity", NULL);
	put_rows(b, "notes", &r[NOTES], put_note);
	put_rows(b, "networkElements", &r[ELEMENTS], put_element);
	put_rows(b, "audit", &r[AUDIT], put_audit);
	if (r[OPERATION].n)
		put_open_operation(b, ROW(open_operation, &r[OPERATION], 0));
	else
		put_raw(b, "operation", NULL);
	reply_end(rq);
}

void read_ntt(struct request *rq)
{
	enum {NTT, WORK_ORDERS, AUDIT, SETS};
	const struct ntt_read_row *row;
	struct rows r[SETS];
	struct buf *b = &rq->reply;

	if (!rows_read_by_id(rq, SQL_READ_NTT, r, SETS))
		return;
	if (!r[NTT].n) {
		ntt_missing(rq);
		return;
	}
	row = ROW(ntt_read, &r[NTT], 0);
	reply_begin(rq);
	put_open(b, "ntt", '{');
	put_ntt_row(b, &row->ntt_shown);
	put_str(b, "createdAt", row->created_at);
	put_str(b, "updatedAt", row->updated_at);
	put_close(b, '}');
	put_rows(b, "workOrders", &r[WORK_ORDERS], put_work_order);
	put_rows(b, "audit", &r[AUDIT], put_audit);
	reply_end(rq);
}

void read_lov(struct request *rq)
{
	const char *type = NULL;
	struct buf *b = &rq->reply;
	struct rows r;

	if (!rows_read(rq, SQL_READ_LOV, NULL, &r, 1))
		return;
	reply_begin(rq);
	for (size_t i = 0; i < r.n; i++) {
		const struct lov_read_row *row = ROW(lov_read, &r, i);

		if (!type || strcmp(type, row->type)) {
			if (type)
				put_close(b, ']');
			put_open(b, row->type, '[');
			type = row->type;
		}
		put_open(b, NULL, '{');
		put_str(b, "code", row->code);
		put_str(b, "label", row->label);
		put_close(b, '}');
	}
	if (type)
		put_close(b, ']');
	reply_end(rq);
}

/* The document as it is written, to the byte. */
void read_openapi(struct request *rq)
{
	rq->status = 200;
	rq->reply_type = "application/json";
	buf_init(&rq->reply, rq->mem);
	buf_str(&rq->reply, openapi_json);
}
