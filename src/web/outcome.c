/*
 * web/outcome.c - the result of each item, as the caller sees it
 */
#include "web/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "partner/partner.h"

const char outcome_failed[] = "failed", outcome_skipped[] = "skipped",
	   outcome_pending[] = "pending", outcome_unknown[] = "unknown";

bool item_succeeded(const struct item *it)
{
	return (it->state == OP_SUCCEEDED && !it->code) || it->nothing_to_do;
}

bool item_is_pending(const struct item *it)
{
	return !it->code && op_is_open(it->state);
}

static bool is_sync_failure(const struct item *it)
{
	return it->code == CODE_EXTERNAL_SYNC_FAILED ||
	       it->code == CODE_EXTERNAL_UNLINK_FAILED;
}

void put_error_members(struct buf *b, const struct item *it,
			  bool more_to_come)
{
	const struct call *c = it->sync.call;

	if (it->code == CODE_CTT_ALREADY_LINKED) {
		put_id(b, "nttId", it->ctt->ntt_id);
		put_str(b, "nttTicketNo", it->ctt->ntt_ticket_no);
	}
	if (it->code == CODE_OPERATION_IN_PROGRESS && it->ctt->open)
		put_str(b, "openOperationId", it->ctt->open->id);
	if (it->code == CODE_RESOLUTION_CODE_INVALID && it->resolve->errors)
		put_raw(b, "errors", it->resolve->errors);
	if (it->code == CODE_CPE_STALE && it->cpe->element)
		put_cpe(b, "stored", &it->cpe->element->cpe);
	if (it->code == CODE_VALIDATION_FAILED && it->error.list)
		put_raw(b, "errors", it->error.list);
	if (it->error.field) {
		put_open(b, "errors", '[');
		put_open(b, NULL, '{');
		put_str(b, "field", it->error.field);
		put_str(b, "message", it->detail);
		put_close(b, '}');
		put_close(b, ']');
	}
	if (c && c->verdict != RC_OK && is_sync_failure(it)) {
		put_str(b, "partner", it->sync.partner);
		put_str(b, "partnerOutcome",
			c->verdict == RC_DOUBT ? "unknown" : "refused");
		if (c->status)
			put_int(b, "partnerStatus", c->status);
	}
	if (c && op_is_open(it->was) == op_is_open(it->state) &&
	    (is_sync_failure(it) || it->code == CODE_DB_SAVE_FAILED)) {
		put_bool(b, "rolledBack", true);
		put_bool(b, "settled", !op_is_open(it->state) && !more_to_come);
	}
	if (it->error.retry_after_s)
		put_int(b, "retryAfter", it->error.retry_after_s);
}

void put_item_error(struct buf *b, const struct item *it)
{
	put_open(b, "error", '{');
	put_str(b, "code", code_info[it->code].name);
	put_str(b, "detail", it->detail);
	put_error_members(b, it, false);
	put_close(b, '}');
}

void reply_item_problem(struct request *rq, const struct item *it)
{
	rq->retry_after_s = it->error.retry_after_s;
	reply_problem_begin(rq, it->code, it->detail);
	put_str(&rq->reply, "operationId", it->op_id);
	put_error_members(&rq->reply, it, false);
	reply_problem_end(rq);
}

void put_ctt_after(struct buf *b, const struct item *it)
{
	struct ctt after = *it->ctt;

	if (flows[it->kind]->leave)
		flows[it->kind]->leave(it, &after);
	put_open(b, "ctt", '{');
	reply_ctt_members(b, &after, after.ntt_id, after.ntt_ticket_no, false);
	put_close(b, '}');
}

/* The operation is driven on: where to look it up. */
static void reply_pending(struct request *rq, const struct item *it)
{
	const char *why = it->journal.why;

	reply_begin(rq);
	rq->status = 202;
	rq->location = arena_printf(rq->mem, "/ticket/operation/%s", it->op_id);
	put_str(&rq->reply, "operationId", it->op_id);
	put_str(&rq->reply, "state", op_state_name[it->state]);
	put_str(&rq->reply, "detail", why ? why : flows[it->kind]->pending);
	reply_end(rq);
}

bool reply_item_begin(struct request *rq, const struct item *it)
{
	if (item_is_pending(it)) {
		reply_pending(rq, it);
		return false;
	}
	if (!item_succeeded(it)) {
		reply_item_problem(rq, it);
		return false;
	}
	reply_begin(rq);
	put_str(&rq->reply, "operationId", it->op_id);
	put_ctt_after(&rq->reply, it);
	return true;
}

void put_ticket_names(struct buf *b, const char *id_key,
			   const char *no_key, uint64_t id, const char *no,
			   const struct ref *ref)
{
	put_id(b, id_key, id ? id : ref->id);
	put_str(b, no_key, no ? no : ref->no);
}

void put_ctt_names(struct buf *b, const struct item *it,
		      const char *no_key)
{
	put_ticket_names(b, "cttId", no_key, it->ctt ? it->ctt->id : 0,
		       it->ctt ? it->ctt->ticket_no : NULL, &it->want.ctt);
}

static int by_index(const void *a, const void *b)
{
	size_t x = (*(struct item *const *)a)->index;
	size_t y = (*(struct item *const *)b)->index;

	return x < y ? -1 : x > y;
}

static void in_order(const struct batch *b)
{
	qsort(b->it, b->n, sizeof *b->it, by_index);
}

/* The caller has to look up the outcome. */
static bool is_unknown(const struct item *it)
{
	return it->code == CODE_NO_ANSWER;
}

const char *outcome_of_failure(const struct item *it)
{
	return is_unknown(it) ? outcome_unknown : outcome_failed;
}

/* The item that has the outcome: of a move, its second half. */
static const struct item *telling(const struct item *it)
{
	return it->next ? it->next : it;
}

void put_results(struct buf *b, const struct batch *batch,
			const struct shape *shape)
{
	in_order(batch);
	put_open(b, "results", '[');
	batch_each (batch, it) {
		put_open(b, NULL, '{');
		put_int(b, "index", (int64_t)it->index);
		shape->members(b, it);
		put_str(b, "outcome", shape->outcome(it));
		put_str(b, "operationId", telling(it)->op_id);
		put_close(b, '}');
	}
	put_close(b, ']');
}

static size_t count_outcome(const struct batch *b, const struct shape *shape,
			    const char *outcome)
{
	size_t n = 0;

	batch_each (b, it)
		n += !strcmp(shape->outcome(it), outcome);
	return n;
}

/* Were all items refused because the partners are busy? */
static bool is_shed(const struct batch *b)
{
	batch_each (b, it)
		if (it->code != CODE_PARTNER_BUSY)
			return false;
	return true;
}

/* All items are known to have failed. */
static void all_failed_begin(struct request *rq, const struct batch *b)
{
	if (is_shed(b)) {
		rq->retry_after_s = b->it[0]->error.retry_after_s;
		reply_problem_begin_as(rq, CODE_BULK_ALL_FAILED, 503, "Too many "
			"requests wait for the partners; nothing was begun. "
			"Try again in a moment.");
		return;
	}
	reply_problem_begin(rq, CODE_BULK_ALL_FAILED, "None of the items "
			    "succeeded; each result says why.");
}

/* 200, 207 or BULK_ALL_FAILED (section 4), up to the counters. */
static void aggregate_begin(struct request *rq, const struct batch *b,
			    const struct shape *shape)
{
	size_t bad = count_outcome(b, shape, outcome_failed);
	size_t open = count_outcome(b, shape, outcome_unknown);
	size_t skipped = count_outcome(b, shape, outcome_skipped);
	size_t success = b->n - bad - open - skipped;
	bool partly = success < b->n && success;

	if (success || open || !bad) {
		reply_begin(rq);
		if ((partly && !rq->dry_run) || open ||
		    count_outcome(b, shape, outcome_pending))
			rq->status = 207;
	} else {
		all_failed_begin(rq, b);
	}
	put_int(&rq->reply, "total", (int64_t)b->n);
	put_int(&rq->reply, "success", (int64_t)success);
	put_int(&rq->reply, "failed", (int64_t)bad);
	put_int(&rq->reply, "unknown", (int64_t)open);
}

void reply_aggregate(struct request *rq, const struct batch *b,
			    const struct shape *shape)
{
	size_t away = 0;

	batch_each (b, it)
		away += it->code == CODE_DB_UNAVAILABLE;
	if (away == b->n) {
		reply_item_problem(rq, b->it[0]);
		return;
	}
	aggregate_begin(rq, b, shape);
	if (rq->reply_ntt)
		reply_ntt(&rq->reply, "ntt", rq->reply_ntt);
	for (const char *const *c = shape->counters; *c; c += 2)
		put_int(&rq->reply, c[0],
			(int64_t)count_outcome(b, shape, c[1]));
	put_results(&rq->reply, b, shape);
	reply_end(rq);
}
