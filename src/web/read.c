#include "web/read.h"

#include <string.h>

#include "web/openapi.h"
#include "web/reply.h"
#include "web/rows.h"

void read_operation(struct request *rq)
{
	static const char *const before[] = {
		"partner", "actor", "requestId", NULL,
	};
	static const char *const behind[] = {
		"errorCode", "lastError", "createdAt", "updatedAt",
		"nextTryAt", NULL,
	};
	struct trace trace = {0};
	struct rows r;
	struct buf doc;
	enum kind kind;

	buf_init(&doc, rq->mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "id", rq->path_text);
	put_close(&doc, '}');
	if (!rows_read(rq, SQL_READ_OPERATION, &doc, &r, 1))
		return;
	if (!r.n) {
		reply_problem(rq, CODE_OPERATION_NOT_FOUND, arena_printf(
			rq->mem, "There is no operation %s.", rq->path_text));
		return;
	}
	reply_begin(rq);
	put_operation_row(&rq->reply, &r, 0);
	put_row(&rq->reply, &r, 0, 7, before);
	kind = kind_of(rows_text(&r, 0, 1));
	trace_read(&trace, rows_text(&r, 0, 10), rq->mem);
	if (kind != KIND__MAX)
		trace_show(&trace, kind_steps[kind], &rq->reply, "steps");
	put_row(&rq->reply, &r, 0, 11, behind);
	reply_end(rq);
}

void read_ctt(struct request *rq)
{
	static const char *const more[] = {
		"title", "?externalSync", "segmentGroup", "resolvedAt",
		"createdAt", "updatedAt", NULL,
	};
	static const char *const operation[] = {
		"operationId", "kind", "state", "actor", "createdAt",
		"nextTryAt", "lastError", NULL,
	};
	static const char *const activity[] = {
		"#id", "type", "status", "causeCode", "disposition",
		"resolutionCode", "delayReason", "createdBy", "createdAt",
		NULL,
	};
	static const char *const note[] = {
		"#id", "#activityId", "text", "author", "createdAt", NULL,
	};
	static const char *const element[] = {
		"#id", "name", "accessType", "manufacturer", "model",
		"ipAddress", "#bandwidthMbps", "port", "updatedAt", NULL,
	};
	struct rows r[6];
	struct buf *b = &rq->reply;

	if (!rows_read_by_id(rq, SQL_READ_CTT, r, 6))
		return;
	if (!r[0].n) {
		ctt_missing(rq);
		return;
	}
	reply_begin(rq);
	put_open(b, "ctt", '{');
	put_ctt_row(b, &r[0], 0, r[1].n);
	put_row(b, &r[0], 0, 6, more);
	put_close(b, '}');
	put_first_row(b, "activity", &r[2], activity);
	put_rows(b, "notes", &r[3], note);
	put_rows(b, "networkElements", &r[4], element);
	put_rows(b, "audit", &r[5], audit_names);
	put_first_row(b, "operation", &r[1], operation);
	reply_end(rq);
}

void read_ntt(struct request *rq)
{
	static const char *const more[] = {"createdAt", "updatedAt", NULL};
	static const char *const order[] = {"#id", "orderNo", "status", NULL};
	struct rows r[3];
	struct buf *b = &rq->reply;

	if (!rows_read_by_id(rq, SQL_READ_NTT, r, 3))
		return;
	if (!r[0].n) {
		ntt_missing(rq);
		return;
	}
	reply_begin(rq);
	put_open(b, "ntt", '{');
	put_ntt_row(b, &r[0], 0);
	put_row(b, &r[0], 0, 5, more);
	put_close(b, '}');
	put_rows(b, "workOrders", &r[1], order);
	put_rows(b, "audit", &r[2], audit_names);
	reply_end(rq);
}

void read_lov(struct request *rq)
{
	static const char *const names[] = {"code", "label", NULL};
	struct buf *b = &rq->reply;
	struct rows r;

	if (!rows_read(rq, SQL_READ_LOV, NULL, &r, 1))
		return;
	reply_begin(rq);
	for (size_t i = 0; i < r.n; i++) {
		bool first = !i || strcmp(rows_text(&r, i, 0),
					  rows_text(&r, i - 1, 0));
		bool last = i + 1 == r.n || strcmp(rows_text(&r, i, 0),
						   rows_text(&r, i + 1, 0));

		if (first)
			put_open(b, rows_text(&r, i, 0), '[');
		put_open(b, NULL, '{');
		put_row(b, &r, i, 1, names);
		put_close(b, '}');
		if (last)
			put_close(b, ']');
	}
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

void read_healthz(struct request *rq)
{
	reply_begin(rq);
	put_str(&rq->reply, "status", "ok");
	reply_end(rq);
}

void read_readyz(struct request *rq)
{
	struct rows r;
	bool db, cache;

	db = rows_read(rq, SQL_PING, NULL, &r, 1);
	cache = cache_alive(rq->app->cache);
	if (db && cache) {
		reply_begin(rq);
		put_str(&rq->reply, "status", "ready");
	} else {
		reply_problem_begin(rq, CODE_NOT_READY, !db ?
			"The database is away: changes are refused." :
			"memcached is away: changes work, and unlink blocks "
			"are read from the journal.");
	}
	put_bool(&rq->reply, "database", db);
	put_bool(&rq->reply, "memcached", cache);
	reply_end(rq);
}
