/*
 * web/link.c - link, unlink and move: their bodies and answers (contract
 * sections 4 and 5)
 */
#include <string.h>

#include <json-c/json.h>

#include "web/body.h"
#include "web/endpoint.h"
#include "web/outcome.h"

/* ---- bodies ---- */

static void link_fields(struct errors *f, struct json_object *o,
			struct item *it)
{
	field_ticket(f, "cttId", o, &it->want.ctt);
	field_ticket(f, "nttId", o, &it->want.ntt);
	field_remark(f, o, &it->want.remark);
}

static bool read_one(struct request *rq, struct batch *b_r)
{
	return body_single(rq, b_r, link_fields);
}

static bool read_many(struct request *rq, struct batch *b_r)
{
	return body_bulk(rq, b_r, link_fields);
}

/* `force`: true or false; absent and null are false. */
static bool field_force(struct errors *f, struct json_object *o)
{
	struct json_object *v = json_object_object_get(o, "force");

	if (v && !json_object_is_type(v, json_type_boolean))
		error_add(f, "", "force", "has to be true or false");
	return json_object_get_boolean(v);
}

/* One NTT under `name`, or else `other`, and CTTs: each an item. Only all
 * together can be forced. */
static bool ctts_of_ntt(struct request *rq, struct batch *b_r,
			const char *name, const char *other, bool together)
{
	struct errors f;
	struct json_object *o = body_begin(rq, &f);
	struct ref ntt = {0};
	const char *common = NULL;
	bool force;

	if (!o)
		return false;
	if (other && json_object_object_get_ex(o, other, NULL)) {
		field_ticket(&f, other, o, &ntt);
		if (json_object_object_get_ex(o, name, NULL))
			error_add(&f, "", other, "says the same as another "
				  "field; send one of them");
	} else {
		field_ticket(&f, name, o, &ntt);
	}
	body_ctts(rq, &f, o, "cttIds", together, b_r);
	field_remark(&f, o, &common);
	force = together && field_force(&f, o);
	batch_each (b_r, it) {
		it->want.ntt = ntt;
		it->want.remark = common;
		it->want.force = force;
	}
	return errors_reply(rq, &f);
}

static bool read_unlink(struct request *rq, struct batch *b_r)
{
	if (!ctts_of_ntt(rq, b_r, "nttId", NULL, true))
		return false;
	b_r->terms->all_or_none = true;
	return !b_r->it[0]->want.force || request_may(rq, MAY_ADMIN);
}

static bool read_move(struct request *rq, struct batch *b_r)
{
	return ctts_of_ntt(rq, b_r, "ticketNo", "nttId", false);
}

/* ---- answers ---- */

static void reply_link(struct request *rq, const struct batch *b)
{
	const struct item *it = b->it[0];

	if (!reply_item_begin(rq, it))
		return;
	reply_ntt(&rq->reply, "ntt", it->ntt);
	reply_end(rq);
}

static void pair_members(struct buf *b, const struct item *it)
{
	put_ctt_names(b, it, "cttTicketNo");
	put_ticket_names(b, "nttId", "nttTicketNo", it->ntt ? it->ntt->id : 0,
		       it->ntt ? it->ntt->ticket_no : NULL, &it->want.ntt);
	put_str(b, "remark", it->want.remark);
	if (!item_succeeded(it))
		put_item_error(b, it);
}

static const char *const no_counters[] = {NULL};

static const char *pair_outcome(const struct item *it)
{
	return item_succeeded(it) ? flows[it->kind]->done : outcome_of_failure(it);
}

static void reply_pairs(struct request *rq, const struct batch *b)
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
		if (!item_succeeded(it))
			return it;
	return NULL;
}

static const char *unlinked_or_why_not(const struct item *it)
{
	return it->code == CODE_NOT_ATTEMPTED ? "unchanged" : pair_outcome(it);
}

static void ctt_members_of_unlink(struct buf *b, const struct item *it)
{
	put_ctt_names(b, it, "cttTicketNo");
	if (!item_succeeded(it))
		put_item_error(b, it);
}

/* The NTT with its last count: a large batch closes in groups. */
static const struct ntt *ntt_after(const struct batch *b)
{
	const struct ntt *last = b->it[0]->ntt;

	batch_each (b, it)
		if (it->ntt->ctt_count < last->ctt_count)
			last = it->ntt;
	return last;
}

static void reply_unlink(struct request *rq, const struct batch *b)
{
	static const struct shape shape = {unlinked_or_why_not,
					   ctt_members_of_unlink, no_counters};
	const struct item *bad = worst(b);

	if (bad) {
		rq->retry_after_s = bad->error.retry_after_s;
		reply_problem_begin(rq, bad->code, bad->detail);
		if (b->n == 1)
			put_str(&rq->reply, "operationId", bad->op_id);
		put_error_members(&rq->reply, bad, false);
	} else {
		reply_begin(rq);
		reply_ntt(&rq->reply, "ntt", ntt_after(b));
	}
	put_results(&rq->reply, b, &shape);
	reply_end(rq);
}

/* ---- move ---- */

static const char *move_outcome(const struct item *it)
{
	if (it->nothing_to_do)
		return "already-on-target";
	if (it->kind == OP_LINK)
		return pair_outcome(it);
	return it->next && item_succeeded(it->next) ? "moved" :
	       outcome_of_failure(it->next ? it->next : it);
}

/* What a move that failed has left behind: section 5. */
static void move_error(struct buf *b, const struct item *it)
{
	const struct item *link = it->next, *back = link ? link->next : NULL;
	const struct item *bad = link ? link : it;
	bool restored = back ? item_succeeded(back) : !op_is_open(bad->state) &&
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
	put_error_members(b, bad, back && op_is_open(back->state));
	/* by a check: nothing had been done */
	if (bad->state != OP_REFUSED && bad->code != CODE_VALIDATION_FAILED)
		put_bool(b, "restored", link && !back ? false : restored);
	put_close(b, '}');
}

static void move_members(struct buf *b, const struct item *it)
{
	put_ctt_names(b, it, "cttTicketNo");
	if (it->next)
		put_str(b, "unlinkOperationId", it->op_id);
	if (!strcmp(move_outcome(it), outcome_failed) ||
	    !strcmp(move_outcome(it), outcome_unknown))
		move_error(b, it);
}

static void reply_move(struct request *rq, const struct batch *b)
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
		const struct ntt *n = it->kind == OP_LINK ? it->ntt :
				      it->next ? it->next->ntt :
						 it->move.then_ntt;

		/* a dry run's later waves know nothing of the earlier ones */
		if (n && (!target || n->ctt_count > target->ctt_count))
			target = n;
	}
	rq->reply_ntt = target;
	reply_aggregate(rq, b, &shape);
}

const struct endpoint link_one = {read_one, &flow_link, reply_link};
const struct endpoint link_many = {read_many, &flow_link, reply_pairs};
const struct endpoint unlink_together = {read_unlink, &flow_unlink,
					 reply_unlink};
const struct endpoint unlink_many = {read_many, &flow_unlink, reply_pairs};
const struct endpoint move_many = {read_move, &flow_move, reply_move};
