/*
 * web/reply.c - what a batch has come to, as the caller sees it
 */
#include "web/reply.h"

#include <stdlib.h>

#include "partner/partner.h"

void reply_problem_begin(struct request *rq, enum code code,
			 const char *detail)
{
	const struct code_info *info = &code_info[code];
	struct buf *b = &rq->reply;

	rq->status = info->status;
	rq->reply_type = "application/problem+json";
	if (info->status == 429 || info->status == 503)
		if (!rq->retry_after_s)
			rq->retry_after_s = 1;
	buf_init(b, rq->mem);
	put_open(b, NULL, '{');
	put_str(b, "type", arena_printf(rq->mem, "urn:cttd:problem:%s",
					info->name));
	put_str(b, "title", info->title);
	put_int(b, "status", info->status);
	put_str(b, "detail", detail);
	put_str(b, "code", info->name);
	put_str(b, "requestId", rq->id);
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

void reply_begin(struct request *rq)
{
	rq->status = 200;
	rq->reply_type = "application/json";
	buf_init(&rq->reply, rq->mem);
	put_open(&rq->reply, NULL, '{');
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

/* What an error needs beside its code and detail. */
static void error_members(struct buf *b, const struct item *it)
{
	const struct call *c = it->call;

	if (it->code == CODE_CTT_ALREADY_LINKED) {
		put_id(b, "nttId", it->ctt->ntt_id);
		put_str(b, "nttTicketNo", it->ctt->ntt_ticket_no);
	}
	if (it->code == CODE_OPERATION_IN_PROGRESS)
		put_str(b, "openOperationId", it->ctt->open->id);
	if (c && c->verdict != RC_OK && it->code == CODE_EXTERNAL_SYNC_FAILED) {
		put_str(b, "partner", it->partner);
		put_str(b, "partnerOutcome",
			c->verdict == RC_DOUBT ? "unknown" : "refused");
		if (c->status)
			put_int(b, "partnerStatus", c->status);
	}
	if (c && op_is_open(it->was) == op_is_open(it->state) &&
	    (it->code == CODE_EXTERNAL_SYNC_FAILED ||
	     it->code == CODE_DB_SAVE_FAILED)) {
		put_bool(b, "rolledBack", true);
		put_bool(b, "settled", !op_is_open(it->state));
	}
	if (it->retry_after_s)
		put_int(b, "retryAfter", it->retry_after_s);
}

/* The item's problem is the answer's. */
static void reply_item_problem(struct request *rq, const struct item *it)
{
	rq->retry_after_s = it->retry_after_s;
	reply_problem_begin(rq, it->code, it->detail);
	put_str(&rq->reply, "operationId", it->op_id);
	error_members(&rq->reply, it);
	reply_problem_end(rq);
}

void reply_link(struct request *rq, const struct batch *b)
{
	const struct item *it = b->it[0];

	if (it->state != OP_SUCCEEDED) {
		reply_item_problem(rq, it);
		return;
	}
	reply_begin(rq);
	put_str(&rq->reply, "operationId", it->op_id);
	put_open(&rq->reply, "ctt", '{');
	reply_ctt_members(&rq->reply, it->ctt, it->ntt->id,
			  it->ntt->ticket_no, false);
	put_close(&rq->reply, '}');
	reply_ntt(&rq->reply, "ntt", it->ntt);
	reply_end(rq);
}

/* Both names of a ticket, as far as they are known. */
static void ticket_members(struct buf *b, const char *id_key,
			   const char *no_key, uint64_t id, const char *no,
			   const struct ref *ref)
{
	put_id(b, id_key, id ? id : ref->id);
	put_str(b, no_key, no ? no : ref->no);
}

static void result(struct buf *b, const struct item *it, const char *done)
{
	put_open(b, NULL, '{');
	put_int(b, "index", (int64_t)it->index);
	ticket_members(b, "cttId", "cttTicketNo", it->ctt ? it->ctt->id : 0,
		       it->ctt ? it->ctt->ticket_no : NULL, &it->ctt_ref);
	ticket_members(b, "nttId", "nttTicketNo", it->ntt ? it->ntt->id : 0,
		       it->ntt ? it->ntt->ticket_no : NULL, &it->ntt_ref);
	put_str(b, "outcome", it->state == OP_SUCCEEDED ? done : "failed");
	put_str(b, "remark", it->remark);
	put_str(b, "operationId", it->op_id);
	if (it->state != OP_SUCCEEDED) {
		put_open(b, "error", '{');
		put_str(b, "code", code_info[it->code].name);
		put_str(b, "detail", it->detail);
		error_members(b, it);
		put_close(b, '}');
	}
	put_close(b, '}');
}

static int by_index(const void *a, const void *b)
{
	size_t x = (*(struct item *const *)a)->index;
	size_t y = (*(struct item *const *)b)->index;

	return x < y ? -1 : x > y;
}

void reply_link_bulk(struct request *rq, const struct batch *b)
{
	size_t success = 0, away = 0;

	qsort(b->it, b->n, sizeof *b->it, by_index);
	batch_each (b, it) {
		success += it->state == OP_SUCCEEDED;
		away += it->code == CODE_DB_UNAVAILABLE;
	}
	if (away == b->n) {
		reply_item_problem(rq, b->it[0]);
		return;
	}
	if (success) {
		reply_begin(rq);
		rq->status = success == b->n ? 200 : 207;
	} else {
		reply_problem_begin(rq, CODE_BULK_ALL_FAILED, "None of the "
			"items succeeded; each result says why.");
	}
	put_int(&rq->reply, "total", (int64_t)b->n);
	put_int(&rq->reply, "success", (int64_t)success);
	put_int(&rq->reply, "failed", (int64_t)(b->n - success));
	put_open(&rq->reply, "results", '[');
	batch_each (b, it)
		result(&rq->reply, it, "linked");
	put_close(&rq->reply, ']');
	if (success)
		reply_end(rq);
	else
		reply_problem_end(rq);
}
