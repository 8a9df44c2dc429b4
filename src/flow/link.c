/*
 * flow/link.c - a CTT is linked to an NTT, unlinked from it, or moved to
 * another one: contract sections 4 and 5
 *
 * A move is an unlink followed by a link; if that link fails, a link back
 * follows. The transaction that closes one operation opens its follower, so
 * after a crash one of them is open, and the CTT is never between two NTTs.
 */
#include <string.h>

#include <json-c/json.h>

#include "flow/common.h"
#include "model/rules.h"

static void link_check(const struct conf *cf, struct arena *mem,
		struct item *it)
{
	(void)(check_ctt_found(mem, it) && check_ntt_found(mem, it) &&
	       check_idle(mem, it) && check_not_linked(mem, it) &&
	       check_not_blocked(mem, it) &&
	       check_open(cf, mem, it, STEP_save_local));
}

static void unlink_check(const struct conf *cf, struct arena *mem,
		struct item *it)
{
	(void)cf;
	/* a missing NTT is reported before a missing CTT */
	(void)((it->ntt ? check_ctt_found(mem, it) : check_linked(mem, it)) &&
	       check_linked(mem, it) && check_idle(mem, it) &&
	       check_not_blocked(mem, it));
}

/* it->ntt is the target: the NTT to which the CTT is to move. */
static void move_check(const struct conf *cf, struct arena *mem,
		struct item *it)
{
	struct ntt *target = it->ntt;
	bool linked = it->ctt && it->ctt->ntt && !it->ctt->open;

	it->kind = OP_LINK;
	if (!target) {
		check_ntt_found(mem, it);
		return;
	}
	if (!linked) {
		link_check(cf, mem, it);
		return;
	}
	if (it->ctt->ntt_id == target->id) {
		(void)(check_ctt_found(mem, it) && check_ntt_found(mem, it) &&
		       check_idle(mem, it));
		note_skipped(it, STEP_check_not_linked, "it is linked to this "
			     "NTT already: there is nothing to do");
		it->nothing_to_do = true;
		return;
	}
	it->kind = OP_UNLINK;
	it->ntt = it->ctt->ntt;
	if (check_ctt_found(mem, it) && check_linked(mem, it) &&
	    check_idle(mem, it)) {
		it->ntt = target; /* the new pair may be blocked */
		(void)(check_not_blocked(mem, it) &&
		       check_open(cf, mem, it, STEP_clear_local));
	}
	it->ntt = it->ctt->ntt;
	it->move.then_ntt = target;
	it->move.then_id = target->id;
}

/* To recover a move, recovery has to know the other NTT. */
static void link_intend(struct item *it, struct arena *mem)
{
	if (it->move.then_id)
		it->journal.intent = arena_printf(mem, "{\"thenNttId\":%llu}",
					  (unsigned long long)it->move.then_id);
	if (it->move.else_id)
		it->journal.intent = arena_printf(mem, "{\"elseNttId\":%llu}",
					  (unsigned long long)it->move.else_id);
	if (it->move.forward)
		it->journal.intent = "{\"goesOn\":true}";
	if (it->want.force)
		it->journal.intent = "{\"force\":true}";
}

static bool link_recall(struct item *it, struct json_object *intent,
			struct arena *mem)
{
	(void)mem;
	it->move.then_id = intent_id(intent, "thenNttId");
	it->move.else_id = intent_id(intent, "elseNttId");
	it->move.forward = json_object_get_boolean(
		json_object_object_get(intent, "goesOn"));
	it->want.force = json_object_get_boolean(
		json_object_object_get(intent, "force"));
	return true;
}

static void link_here(struct item *it, struct change *ch)
{
	change_link(ch, it->ctt, it->ntt);
}

static void unlink_here(struct item *it, struct change *ch)
{
	change_link(ch, it->ctt, NULL);
}

static void link_leave(const struct item *it, struct ctt *after)
{
	after->ntt = it->ntt;
	after->ntt_id = it->ntt->id;
	after->ntt_ticket_no = it->ntt->ticket_no;
}

static void unlink_leave(const struct item *it, struct ctt *after)
{
	(void)it;
	after->ntt = NULL;
	after->ntt_id = 0;
	after->ntt_ticket_no = NULL;
}

static void fill_call(const struct item *it, struct call *c, enum verb verb)
{
	c->partner = strcmp(it->ctt->source, "TAAS") ? PARTNER_TMF :
						       PARTNER_TAAS;
	c->verb = verb;
	c->ticket = name_at_partner(it->ctt);
	c->ntt = c->partner == PARTNER_TMF && it->ntt->partner_ref ?
			 it->ntt->partner_ref : it->ntt->ticket_no;
	c->remark = it->want.remark;
}

static void call_link(const struct item *it, struct call *c)
{
	fill_call(it, c, VERB_LINK);
}

static void call_unlink(const struct item *it, struct call *c)
{
	fill_call(it, c, VERB_UNLINK);
}

static void notify_work_orders(struct item *it, struct change *ch)
{
	struct buf doc = change_payload(ch, it);

	put_open(&doc, "workOrders", '[');
	for (const struct work_order *w = it->ntt->work_orders; w;
	     w = w->next) {
		put_open(&doc, NULL, '{');
		put_id(&doc, "id", w->id);
		put_str(&doc, "orderNo", w->order_no);
		put_str(&doc, "status", w->status);
		put_close(&doc, '}');
	}
	put_close(&doc, ']');
	put_close(&doc, '}');
	change_job(ch, it, "notify-work-orders", &doc, 0);
}

static void link_settle(struct item *it, struct change *ch)
{
	change_count(ch, it->ntt, flow_link.count_by);
	note_done(it, STEP_update_ctt_count, NULL);
	job_plain(ch, it, "create-ctt-related-kci");
	if (it->ntt->work_orders)
		notify_work_orders(it, ch);
	job_plain(ch, it, "update-tmf-list");
	note_done(it, STEP_enqueue_jobs, it->ntt->work_orders ? NULL :
		  NO_WORK_ORDERS);
}

static void unlink_settle(struct item *it, struct change *ch)
{
	change_count(ch, it->ntt, flow_unlink.count_by);
	note_done(it, STEP_update_ctt_count, NULL);
	if (ch->conf->unlink_block_ttl_s)
		note_done(it, STEP_set_unlink_block, arena_printf(ch->mem,
			  "the pair is blocked for %lld s",
			  (long long)ch->conf->unlink_block_ttl_s));
	else
		note_skipped(it, STEP_set_unlink_block,
			     "CTT_UNLINK_BLOCK_TTL is 0");
	job_plain(ch, it, "update-unlinked-ctt");
	note_done(it, STEP_enqueue_jobs, NULL);
	if (it->ctt->activity) {
		struct activity a = {.type = "Follow Up",
				     .status = it->ctt->status};

		change_activity(ch, it, &a, arena_printf(ch->mem,
				"Unlinked from NTT %s%s%s", it->ntt->ticket_no,
				it->want.remark ? ": " : "",
				it->want.remark ? it->want.remark : ""));
		note_done(it, STEP_follow_up, NULL);
	} else {
		note_skipped(it, STEP_follow_up, "the CTT has no activity");
	}
}

/* Note the gates of a follower: they were passed before the move began. */
static void note_gates(struct item *it, const char *detail)
{
	note_done(it, STEP_load_ctt, NULL);
	note_done(it, STEP_load_ntt, NULL);
	note_done(it, STEP_check_idle, detail);
	note_done(it, STEP_check_not_linked, detail);
	note_done(it, STEP_check_unlink_block, detail);
}

/* After the unlink of a move: link to the target. The follower knows the way
 * back. */
static struct item *unlink_follow(struct item *it, struct arena *mem)
{
	struct item *next;

	if (it->state != OP_SUCCEEDED || !it->move.then_ntt)
		return NULL;
	next = item_follow(mem, it, OP_LINK, it->move.then_ntt);
	next->move.else_ntt = it->ntt;
	next->move.else_id = it->ntt->id;
	note_gates(next, "the unlink before it has made sure of this");
	return next;
}

/* After a failed link of a move: link back to the first NTT. The caller was
 * told so; if the partner does not answer, the link back is driven on. */
static struct item *link_follow(struct item *it, struct arena *mem)
{
	struct item *next;

	if ((it->state != OP_ROLLED_BACK && it->state != OP_COMPENSATED) ||
	    !it->move.else_ntt)
		return NULL;
	next = item_follow(mem, it, OP_LINK, it->move.else_ntt);
	next->move.forward = true;
	note_gates(next, "it is put back where it came from");
	return next;
}

const struct flow flow_link = {
	.kind = OP_LINK,
	.load = SQL_LOAD,
	.check = link_check,
	.save_step = STEP_save_local,
	.sync_failed = CODE_EXTERNAL_SYNC_FAILED,
	.noun = "link",
	.done = "linked",
	.needs_ntt = true,
	.count_by = +1,
	.intend = link_intend,
	.apply = link_here,
	.recall = link_recall,
	.ask = call_link,
	.unask = call_unlink,
	.leave = link_leave,
	.settle = link_settle,
	.undo = unlink_here,
	.follow = link_follow,
};

const struct flow flow_unlink = {
	.kind = OP_UNLINK,
	.load = SQL_LOAD_ACTIVITIES,
	.check = unlink_check,
	.save_step = STEP_clear_local,
	.sync_failed = CODE_EXTERNAL_UNLINK_FAILED,
	.noun = "unlink",
	.done = "unlinked",
	.needs_ntt = true,
	.count_by = -1,
	.blocks = true,
	.outlives_ticket = true,
	.intend = link_intend,
	.apply = unlink_here,
	.recall = link_recall,
	.ask = call_unlink,
	.unask = call_link,
	.leave = unlink_leave,
	.settle = unlink_settle,
	.undo = link_here,
	.follow = unlink_follow,
};

const struct flow flow_move = {
	.load = SQL_LOAD_ACTIVITIES,
	.check = move_check,
};
