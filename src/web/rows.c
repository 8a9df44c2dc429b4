#include "web/rows.h"

#include <string.h>

#include "web/reply.h"

bool rows_read(struct request *rq, enum sql sql, const struct buf *doc,
	       struct rows *sets, size_t n)
{
	enum rc rc = RC_DOUBT;

	for (int i = 0; i < 2 && (rc == RC_DOUBT || rc == RC_AGAIN); i++)
		rc = db_run(rq->app->db, sql, doc, rq->mem, sets, n);
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

void put_row(struct buf *b, const struct rows *r, size_t row, unsigned from,
	     const char *const *names)
{
	for (unsigned c = from; *names; c++, names++) {
		const char *text = rows_text(r, row, c);

		switch (**names) {
		case '#':
		case '{':
			put_raw(b, *names + 1, text);
			break;
		case '?':
			put_bool(b, *names + 1, text && strcmp(text, "0"));
			break;
		default:
			put_str(b, *names, text);
		}
	}
}

void put_rows(struct buf *b, const char *key, const struct rows *r,
	      const char *const *names)
{
	put_open(b, key, '[');
	for (size_t i = 0; i < r->n; i++) {
		put_open(b, NULL, '{');
		put_row(b, r, i, 0, names);
		put_close(b, '}');
	}
	put_close(b, ']');
}

void put_first_row(struct buf *b, const char *key, const struct rows *r,
		   const char *const *names)
{
	if (!r->n) {
		put_raw(b, key, NULL);
		return;
	}
	put_open(b, key, '{');
	put_row(b, r, 0, 0, names);
	put_close(b, '}');
}

void put_ticket(struct buf *b, const char *key, const struct rows *r,
		size_t row, unsigned col)
{
	if (!rows_text(r, row, col)) {
		put_raw(b, key, NULL);
		return;
	}
	put_open(b, key, '{');
	put_id(b, "id", rows_id(r, row, col));
	put_str(b, "ticketNo", rows_text(r, row, col + 1));
	put_close(b, '}');
}

void put_ctt_row(struct buf *b, const struct rows *r, size_t row, bool open)
{
	struct ctt c = {
		.id = rows_id(r, row, 0),
		.ticket_no = rows_text(r, row, 1),
		.status = rows_text(r, row, 2),
		.source = rows_text(r, row, 3),
	};

	reply_ctt_members(b, &c, rows_id(r, row, 4), rows_text(r, row, 5),
			  open);
}

void put_ntt_row(struct buf *b, const struct rows *r, size_t row)
{
	static const char *const names[] = {
		"#id", "ticketNo", "#cttCount", "title", "status", NULL,
	};

	put_row(b, r, row, 0, names);
}

void put_operation_row(struct buf *b, const struct rows *r, size_t row)
{
	put_str(b, "operationId", rows_text(r, row, 0));
	put_str(b, "kind", rows_text(r, row, 1));
	put_str(b, "state", rows_text(r, row, 2));
	put_ticket(b, "ctt", r, row, 3);
	put_ticket(b, "ntt", r, row, 5);
}

const char *const audit_names[] = {
	"#id", "action", "outcome", "actor", "requestId", "operationId",
	"{detail", "createdAt", NULL,
};

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
