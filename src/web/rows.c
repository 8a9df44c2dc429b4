#include "web/rows.h"

#include "web/reply.h"

bool rows_read(struct request *rq, enum sql sql, const struct buf *doc,
	       struct rows *sets, size_t n)
{
	enum rc rc = RC_DOUBT;

	for (int i = 0; i < 2 && (rc == RC_DOUBT || rc == RC_AGAIN); i++)
		rc = db_run(app_db(rq->app), sql, doc, rq->mem, sets, n);
	if (rc != RC_OK)
		reply_db_failed(rq, rc);
	return rc == RC_OK;
}

bool rows_read_by_id(struct request *rq, enum sql sql, struct rows *sets,
		     size_t n)
{
	struct buf doc;

	buf_init(&doc, rq->mem);
	put_open(&doc, NULL, '{');
	put_id(&doc, "id", rq->path_id);
	put_close(&doc, '}');
	return rows_read(rq, sql, &doc, sets, n);
}

void put_ticket(struct buf *b, const char *key, const char *id,
		const char *ticket_no)
{
	if (!id) {
		put_raw(b, key, NULL);
		return;
	}
	put_open(b, key, '{');
	put_raw(b, "id", id);
	put_str(b, "ticketNo", ticket_no);
	put_close(b, '}');
}

void put_ctt_row(struct buf *b, const struct ctt_row *row, bool open)
{
	struct ctt c = {
		.id = cell_id(row->id),
		.ticket_no = row->ticket_no,
		.status = row->status,
		.source = row->source,
	};

	reply_ctt_members(b, &c, cell_id(row->ntt_id), row->ntt_ticket_no,
			  open);
}

void put_ntt_row(struct buf *b, const struct ntt_shown_row *row)
{
	put_raw(b, "id", row->ntt.id);
	put_str(b, "ticketNo", row->ntt.ticket_no);
	put_raw(b, "cttCount", row->ntt.ctt_count);
	put_str(b, "title", row->title);
	put_str(b, "status", row->status);
}

void put_operation_row(struct buf *b, const struct operation_row *row)
{
	put_str(b, "operationId", row->id);
	put_str(b, "kind", row->kind);
	put_str(b, "state", row->state);
	put_ticket(b, "ctt", row->ctt_id, row->ctt_ticket_no);
	put_ticket(b, "ntt", row->ntt_id, row->ntt_ticket_no);
}

void put_audit_row(struct buf *b, const struct audit_row *row)
{
	put_raw(b, "id", row->id);
	put_str(b, "action", row->action);
	put_str(b, "outcome", row->outcome);
	put_str(b, "actor", row->actor);
	put_str(b, "requestId", row->request_id);
	put_str(b, "operationId", row->operation_id);
	put_raw(b, "detail", row->detail);
	put_str(b, "createdAt", row->created_at);
}

void ctt_missing(struct request *rq)
{
	reply_problem(rq, CODE_CTT_NOT_FOUND, arena_printf(rq->mem,
		      "There is no CTT %llu.",
		      (unsigned long long)rq->path_id));
}

void ntt_missing(struct request *rq)
{
	reply_problem(rq, CODE_NTT_NOT_FOUND, arena_printf(rq->mem,
		      "There is no NTT %llu.",
		      (unsigned long long)rq->path_id));
}
