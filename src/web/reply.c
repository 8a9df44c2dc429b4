/*
 * web/reply.c - the beginning and the end of every answer, and problems
 */
#include "web/reply.h"

void reply_problem_begin_as(struct request *rq, enum code code, int status,
			    const char *detail)
{
	const struct code_info *info = &code_info[code];
	struct buf *b = &rq->reply;

	rq->status = status;
	rq->code = code;
	rq->reply_type = "application/problem+json";
	if (status == 429 || status == 503)
		if (!rq->retry_after_s)
			rq->retry_after_s = 1;
	buf_init(b, rq->mem);
	put_open(b, NULL, '{');
	put_str(b, "type", arena_printf(rq->mem, "urn:cttd:problem:%s",
					info->name));
	put_str(b, "title", info->title);
	put_int(b, "status", status);
	put_str(b, "detail", detail);
	put_str(b, "code", info->name);
	put_str(b, "requestId", rq->id);
}

void reply_problem_begin(struct request *rq, enum code code,
			 const char *detail)
{
	reply_problem_begin_as(rq, code, code_info[code].status, detail);
}

void reply_problem_end(struct request *rq)
{
	put_close(&rq->reply, '}');
	buf_str(&rq->reply, "\n");
}

void reply_problem(struct request *rq, enum code code, const char *detail)
{
	reply_problem_begin(rq, code, detail);
	reply_problem_end(rq);
}

struct errors errors_none(struct arena *mem)
{
	struct errors f = {.mem = mem};

	buf_init(&f.list, mem);
	return f;
}

void error_add(struct errors *f, const char *prefix, const char *field,
	       const char *message)
{
	put_open(&f->list, NULL, '{');
	put_str(&f->list, "field", arena_printf(f->mem, "%s%s", prefix, field));
	put_str(&f->list, "message", message);
	put_close(&f->list, '}');
}

bool errors_reply(struct request *rq, const struct errors *f)
{
	const char *query = rq->query_errors ? rq->query_errors : "";

	if (!f->list.len && !*query)
		return true;
	reply_problem_begin(rq, CODE_VALIDATION_FAILED, "Some fields are "
			    "missing or wrong; `errors` names each.");
	put_raw(&rq->reply, "errors",
		arena_printf(rq->mem, "[%s%s%s]", query,
			     *query && f->list.len ? "," : "",
			     f->list.len ? f->list.s : ""));
	reply_problem_end(rq);
	return false;
}

void reply_begin(struct request *rq)
{
	rq->status = 200;
	rq->code = CODE_OK;
	rq->reply_type = "application/json";
	buf_init(&rq->reply, rq->mem);
	put_open(&rq->reply, NULL, '{');
	if (rq->dry_run)
		put_bool(&rq->reply, "dryRun", true);
}

void reply_end(struct request *rq)
{
	put_close(&rq->reply, '}');
	buf_str(&rq->reply, "\n");
}

void reply_db_failed(struct request *rq, enum rc rc)
{
	if (rc == RC_NO)
		reply_problem(rq, CODE_INTERNAL_ERROR, "The database refused "
			      "to read this; the log says why.");
	else
		reply_problem(rq, CODE_DB_UNAVAILABLE, "The database is away. "
			      "Try again in a moment.");
}

void reply_ctt_members(struct buf *b, const struct ctt *c, uint64_t ntt_id,
		       const char *ntt_ticket_no, bool open)
{
	put_id(b, "id", c->id);
	put_str(b, "ticketNo", c->ticket_no);
	put_str(b, "status", c->status);
	put_str(b, "source", c->source);
	put_id(b, "nttId", ntt_id);
	put_str(b, "nttTicketNo", ntt_ticket_no);
	put_str(b, "linkState", open ? "pending" : ntt_id ? "linked" : "none");
}

void reply_ntt(struct buf *b, const char *key, const struct ntt *n)
{
	put_open(b, key, '{');
	put_id(b, "id", n->id);
	put_str(b, "ticketNo", n->ticket_no);
	put_int(b, "cttCount", n->ctt_count);
	put_close(b, '}');
}
