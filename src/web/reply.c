/*
 * web/reply.c - what a batch has come to, as the caller sees it
 */
#include "web/reply.h"

#include <stdlib.h>
#include <string.h>

#include "partner/partner.h"
#include "saga/flow.h"

static void reply_problem_with(struct request *rq, enum code code, int status,
			       const char *detail)
{
	const struct code_info *info = &code_info[code];
	struct buf *b = &rq->reply;

	rq->status = status;
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
	reply_problem_with(rq, code, code_info[code].status, detail);
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

struct faults faults_none(struct arena *mem)
{
	struct faults f = {.mem = mem};

	buf_init(&f.list, mem);
	return f;
}

void fault_add(struct faults *f, const char *prefix, const char *field,
	       const char *message)
{
	put_open(&f->list, NULL, '{');
	put_str(&f->list, "field", arena_printf(f->mem, "%s%s", prefix, field));
	put_str(&f->list, "message", message);
	put_close(&f->list, '}');
}

bool faults_reply(struct request *rq, const struct faults *f)
{
	const char *query = rq->query_faults ? rq->query_faults : "";

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

static bool succeeded(const struct item *it)
{
	return (it->state == OP_SUCCEEDED && !it->code) || it->nothing_to_do;
}

/* Accepted, and not done yet: a resolve that is being driven on. */
static bool is_pending(const struct item *it)
{
	return !it->code && op_is_open(it->state);
}

static bool is_sync_failure(const struct item *it)
{
	return it->code == CODE_EXTERNAL_SYNC_FAILED ||
	       it->code == CODE_EXTERNAL_UNLINK_FAILED;
}

/* What an error needs beside its code and detail; `more_to_come`: what follows
 * it is open yet. */
static void error_members(struct buf *b, const struct item *it,
			  bool more_to_come)
{
	const struct call *c = it->call;

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
	if (it->code == CODE_VALIDATION_FAILED && it->errors)
		put_raw(b, "errors", it->errors);
	if (it->errors_field) {
		put_open(b, "errors", '[');
		put_open(b, NULL, '{');
		put_str(b, "field", it->errors_field);
		put_str(b, "message", it->detail);
		put_close(b, '}');
		put_close(b, ']');
	}
	if (c && c->verdict != RC_OK && is_sync_failure(it)) {
		put_str(b, "partner", it->partner);
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
	if (it->retry_after_s)
		put_int(b, "retryAfter", it->retry_after_s);
}

static void item_error(struct buf *b, const struct item *it)
{
	put_open(b, "error", '{');
	put_str(b, "code", code_info[it->code].name);
	put_str(b, "detail", it->detail);
	error_members(b, it, false);
	put_close(b, '}');
}

/* The item's problem is the answer's. */
static void reply_item_problem(struct request *rq, const struct item *it)
{
	rq->retry_after_s = it->retry_after_s;
	reply_problem_begin(rq, it->code, it->detail);
	put_str(&rq->reply, "operationId", it->op_id);
	error_members(&rq->reply, it, false);
	reply_problem_end(rq);
}

/* A CTT as an operation that succeeded has left it. */
static void ctt_after(struct buf *b, const struct item *it)
{
	struct ctt after = *it->ctt;

	flows[it->kind]->leave(it, &after);
	put_open(b, "ctt", '{');
	reply_ctt_members(b, &after, after.ntt_id, after.ntt_ticket_no, false);
	put_close(b, '}');
}

void reply_link(struct request *rq, const struct batch *b)
{
	const struct item *it = b->it[0];

	if (!succeeded(it)) {
		reply_item_problem(rq, it);
		return;
	}
	reply_begin(rq);
	put_str(&rq->reply, "operationId", it->op_id);
	ctt_after(&rq->reply, it);
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

static void ctt_names(struct buf *b, const struct item *it,
		      const char *no_key)
{
	ticket_members(b, "cttId", no_key, it->ctt ? it->ctt->id : 0,
		       it->ctt ? it->ctt->ticket_no : NULL, &it->ctt_ref);
}

/* ---- aggregated answers ---- */

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

/* What an aggregated answer counts, and how it shows one item. */
struct shape {
	const char *(*outcome)(const struct item *it);
	void (*members)(struct buf *b, const struct item *it);
	const char *const *counters; /* name, outcome; pairs, ends in NULL */
};

static const char failed[] = "failed", skipped[] = "skipped",
		  pending[] = "pending", unknown[] = "unknown";

/* What became of it the caller has to look up. */
static bool is_unknown(const struct item *it)
{
	return it->code == CODE_NO_ANSWER;
}

static const char *failed_or_unknown(const struct item *it)
{
	return is_unknown(it) ? unknown : failed;
}

/* The item that tells what became of the whole: of a move its last half. */
static const struct item *telling(const struct item *it)
{
	return it->next ? it->next : it;
}

static void put_results(struct buf *b, const struct batch *batch,
			const struct shape *shape)
{
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

static size_t count(const struct batch *b, const struct shape *shape,
		    const char *outcome)
{
	size_t n = 0;

	batch_each (b, it)
		n += !strcmp(shape->outcome(it), outcome);
	return n;
}

/* Was nothing begun, because of too much to do for the partners? */
static bool is_shed(const struct batch *b)
{
	batch_each (b, it)
		if (it->code != CODE_PARTNER_BUSY)
			return false;
	return true;
}

/* None succeeded, and that is known of each. */
static void all_failed_begin(struct request *rq, const struct batch *b)
{
	if (is_shed(b)) {
		rq->retry_after_s = b->it[0]->retry_after_s;
		reply_problem_with(rq, CODE_BULK_ALL_FAILED, 503, "Too many "
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
	size_t bad = count(b, shape, failed);
	size_t open = count(b, shape, unknown);
	size_t success = b->n - bad - open - count(b, shape, skipped);
	bool partly = success < b->n && success;

	if (success || open || !bad) {
		reply_begin(rq);
		if ((partly && !rq->dry_run) || open ||
		    count(b, shape, pending))
			rq->status = 207;
	} else {
		all_failed_begin(rq, b);
	}
	put_int(&rq->reply, "total", (int64_t)b->n);
	put_int(&rq->reply, "success", (int64_t)success);
	put_int(&rq->reply, "failed", (int64_t)bad);
	put_int(&rq->reply, "unknown", (int64_t)open);
}

static void reply_aggregate(struct request *rq, const struct batch *b,
			    const struct shape *shape)
{
	size_t away = 0;

	in_order(b);
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
		put_int(&rq->reply, c[0], (int64_t)count(b, shape, c[1]));
	put_results(&rq->reply, b, shape);
	reply_end(rq);
}

static const char *const no_counters[] = {NULL};

static void pair_members(struct buf *b, const struct item *it)
{
	ctt_names(b, it, "cttTicketNo");
	ticket_members(b, "nttId", "nttTicketNo", it->ntt ? it->ntt->id : 0,
		       it->ntt ? it->ntt->ticket_no : NULL, &it->ntt_ref);
	put_str(b, "remark", it->remark);
	if (!succeeded(it))
		item_error(b, it);
}

static const char *pair_outcome(const struct item *it)
{
	return succeeded(it) ? flows[it->kind]->done : failed_or_unknown(it);
}

void reply_pairs(struct request *rq, const struct batch *b)
{
	static const struct shape shape = {pair_outcome, pair_members,
					   no_counters};

	reply_aggregate(rq, b, &shape);
}

/* ---- unlink of many from one NTT ---- */

/* The first of these codes that some item has gives the whole its status. */
static const struct item *worst(const struct batch *b)
{
	static const enum code order[] = {
		CODE_DB_UNAVAILABLE, CODE_PARTNER_BUSY,
		CODE_VALIDATION_FAILED,
		CODE_NTT_NOT_FOUND, CODE_CTT_NOT_FOUND,
		CODE_CTT_NOT_LINKED_TO_NTT, CODE_UNLINK_BLOCKED,
		CODE_OPERATION_IN_PROGRESS, CODE_EXTERNAL_UNLINK_FAILED,
		CODE_DB_SAVE_FAILED, CODE_NO_ANSWER,
	};

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		batch_each (b, it)
			if (it->code == order[i])
				return it;
	batch_each (b, it)
		if (!succeeded(it))
			return it;
	return NULL;
}

static const char *unlinked_or_why_not(const struct item *it)
{
	return it->code == CODE_NOT_ATTEMPTED ? "unchanged" : pair_outcome(it);
}

static void ctt_members_of_unlink(struct buf *b, const struct item *it)
{
	ctt_names(b, it, "cttTicketNo");
	if (!succeeded(it))
		item_error(b, it);
}

void reply_unlink(struct request *rq, const struct batch *b)
{
	static const struct shape shape = {unlinked_or_why_not,
					   ctt_members_of_unlink, no_counters};
	const struct item *bad = worst(b);

	in_order(b);
	if (bad) {
		rq->retry_after_s = bad->retry_after_s;
		reply_problem_begin(rq, bad->code, bad->detail);
		if (b->n == 1)
			put_str(&rq->reply, "operationId", bad->op_id);
		error_members(&rq->reply, bad, false);
	} else {
		reply_begin(rq);
		reply_ntt(&rq->reply, "ntt", b->it[0]->ntt);
	}
	put_results(&rq->reply, b, &shape);
	reply_end(rq);
}

/* ---- move ---- */

static const char *move_outcome(const struct item *it)
{
	if (it->nothing_to_do)
		return "already-on-target";
	if (!it->then_id)
		return pair_outcome(it);
	return it->next && succeeded(it->next) ? "moved" :
	       failed_or_unknown(it->next ? it->next : it);
}

/* What a move that failed has left behind: section 5. */
static void move_error(struct buf *b, const struct item *it)
{
	const struct item *link = it->next, *back = link ? link->next : NULL;
	const struct item *bad = link ? link : it;
	bool restored = back ? succeeded(back) : !op_is_open(bad->state) &&
			bad->state != OP_SUCCEEDED; /* it was, elsewhere */
	const char *left = "";

	if (back && restored)
		left = " It was linked back to NTT ";
	else if (back && op_is_open(back->state))
		left = " It is being linked back to NTT ";
	else if (back)
		left = " It could not be linked back, and is unlinked on both "
		       "sides; it came from NTT ";
	else if (link)
		left = " Once that is known, it is linked back to NTT ";
	put_open(b, "error", '{');
	put_str(b, "code", code_info[bad->code].name);
	put_str(b, "detail", link ? arena_printf(b->mem, "%s%s%s.",
		bad->detail, left, it->ntt->ticket_no) : bad->detail);
	error_members(b, bad, back && op_is_open(back->state));
	/* by a check: nothing had been done */
	if (bad->state != OP_REFUSED && bad->code != CODE_VALIDATION_FAILED)
		put_bool(b, "restored", link && !back ? false : restored);
	put_close(b, '}');
}

static void move_members(struct buf *b, const struct item *it)
{
	ctt_names(b, it, "cttTicketNo");
	if (it->next)
		put_str(b, "unlinkOperationId", it->op_id);
	if (!strcmp(move_outcome(it), failed) ||
	    !strcmp(move_outcome(it), unknown))
		move_error(b, it);
}

void reply_move(struct request *rq, const struct batch *b)
{
	static const char *const counters[] = {
		"alreadyOnTarget", "already-on-target",
		"skippedUnlink", "linked", NULL,
	};
	static const struct shape shape = {move_outcome, move_members,
					   counters};
	const struct ntt *target = NULL;
	batch_each (b, it) {
		if (it->code != CODE_NTT_NOT_FOUND)
			continue;
		reply_item_problem(rq, it);
		return;
	}
	batch_each (b, it) {
		const struct ntt *n = !it->then_id ? it->ntt :
				      it->next ? it->next->ntt : it->then_ntt;

		/* a dry run's later waves know nothing of the earlier ones */
		if (n && (!target || n->ctt_count > target->ctt_count))
			target = n;
	}
	rq->reply_ntt = target;
	reply_aggregate(rq, b, &shape);
}

/* ---- status ---- */

static const char *status_outcome(const struct item *it)
{
	if (it->code == CODE_CTT_STATUS_TERMINAL ||
	    it->code == CODE_CTT_ALREADY_RESOLVED ||
	    it->code == CODE_DUPLICATE_ITEM)
		return skipped;
	return succeeded(it) ? flow_resolve.done : is_pending(it) ? pending :
	       failed_or_unknown(it);
}

static void put_activity(struct buf *b, const struct activity *a)
{
	put_open(b, "activity", '{');
	put_id(b, "id", a->id);
	put_str(b, "type", a->type);
	put_str(b, "status", a->status);
	for (int i = 0; i < CODES_MAX; i++)
		put_str(b, resolve_code_name[i], a->code[i]);
	put_close(b, '}');
}

static void put_note(struct buf *b, const struct item *it)
{
	if (!it->remark)
		return;
	put_open(b, "note", '{');
	put_id(b, "id", it->resolve->note_id);
	put_str(b, "text", it->remark);
	put_close(b, '}');
}

void reply_status(struct request *rq, const struct batch *b)
{
	const struct item *it = b->it[0];

	if (!succeeded(it) && !is_pending(it)) {
		reply_item_problem(rq, it);
		return;
	}
	reply_begin(rq);
	put_str(&rq->reply, "operationId", it->op_id);
	if (succeeded(it)) {
		ctt_after(&rq->reply, it);
		put_activity(&rq->reply, &it->resolve->stored);
		put_note(&rq->reply, it);
	} else {
		rq->status = 202;
		rq->location = arena_printf(rq->mem, "/ticket/operation/%s",
					    it->op_id);
		put_str(&rq->reply, "state", op_state_name[it->state]);
		put_str(&rq->reply, "detail", it->note ? it->note : "The "
			"partner has not answered yet; the resolve goes on.");
	}
	reply_end(rq);
}

static void status_members(struct buf *b, const struct item *it)
{
	/* an item that is no object has none */
	const struct resolve *r = it->resolve, none = {0};

	if (!r)
		r = &none;
	ctt_names(b, it, "ticketNo");
	put_id(b, "activityId", r->stored.id ? r->stored.id : r->activity_id);
	put_str(b, "route", it->ctt && !it->partner ? "LOCAL" : it->partner);
	put_str(b, "remark", it->remark);
	if (it->code)
		item_error(b, it);
}

void reply_status_bulk(struct request *rq, const struct batch *b)
{
	static const char *const counters[] = {"skipped", skipped, NULL};
	static const struct shape shape = {status_outcome, status_members,
					   counters};

	reply_aggregate(rq, b, &shape);
}

/* ---- CPE ---- */

static void put_element(struct buf *b, const struct network_element *e)
{
	put_open(b, NULL, '{');
	put_id(b, "id", e->id);
	put_str(b, "name", e->name);
	put_str(b, "accessType", e->access_type);
	put_str(b, "manufacturer", e->cpe.manufacturer);
	put_str(b, "model", e->cpe.model);
	put_str(b, "ipAddress", e->cpe.ip_address);
	put_id(b, "bandwidthMbps", (uint64_t)e->cpe.bandwidth_mbps);
	put_str(b, "port", e->cpe.port);
	put_str(b, "updatedAt", e->updated_at);
	put_close(b, '}');
}

void reply_cpe(struct request *rq, const struct batch *b)
{
	const struct item *it = b->it[0];
	const struct cpe_update *u = it->cpe;

	if (!succeeded(it)) {
		reply_item_problem(rq, it);
		return;
	}
	reply_begin(rq);
	put_str(&rq->reply, "operationId", it->op_id);
	ctt_after(&rq->reply, it);
	put_id(&rq->reply, "networkElementId", u->element->id);
	for (const struct network_element *e = it->ctt->elements; e;
	     e = e->next)
		if (e->id == u->element->id)
			put_cpe(&rq->reply, "cpe", &e->cpe);
	put_open(&rq->reply, "networkElements", '[');
	for (const struct network_element *e = it->ctt->elements; e;
	     e = e->next)
		put_element(&rq->reply, e);
	put_close(&rq->reply, ']');
	put_id(&rq->reply, "historyId", u->history_id);
	reply_end(rq);
}
