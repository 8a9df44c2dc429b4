/*
 * flow/resolve.c - a CTT is resolved: contract section 6
 *
 * A resolve cannot be undone: if it is in doubt, it is driven on until the
 * partner says yes or no.
 */
#include <string.h>

#include "base/clock.h"
#include "flow/common.h"
#include "model/rules.h"

static void resolve_check(const struct conf *cf, struct arena *mem,
		struct item *it)
{
	/* the answer names the route of a refused item, too */
	if (it->ctt && it->ctt->external_sync)
		it->sync.partner = partners[status_partner(it->ctt)]->code;
	(void)(check_first(mem, it) && check_activity(mem, it) &&
	       check_not_terminal(mem, it) && check_not_resolved(mem, it) &&
	       check_idle(mem, it) && check_status(mem, it) &&
	       check_codes(cf, mem, it));
}

static void resolve_intend(struct item *it, struct arena *mem)
{
	struct resolve *r = it->resolve;
	char at[CLOCK_TEXT];
	struct buf doc;

	clock_text(clock_wall_ms(), at);
	r->at = arena_strdup(mem, at);
	r->stored.type = status_partner(it->ctt) == PARTNER_TAAS ?
				 "UCC Verification" : it->ctt->activity->type;
	r->stored.status = "Resolved";
	memcpy(r->stored.code, r->code, sizeof r->code);
	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_id(&doc, "activityId", it->ctt->activity->id);
	put_str(&doc, "status", r->stored.status);
	put_str(&doc, "type", r->stored.type);
	put_str(&doc, "at", r->at);
	for (int i = 0; i < RESOLVE_CODES; i++)
		put_str(&doc, resolve_code_name[i], r->code[i]);
	put_close(&doc, '}');
	it->journal.intent = doc.s;
}

static bool resolve_recall(struct item *it, struct json_object *intent,
			   struct arena *mem)
{
	struct resolve *r = arena_alloc(mem, sizeof *r);

	r->activity_id = intent_id(intent, "activityId");
	r->at = intent_text(intent, "at", mem);
	for (int i = 0; i < RESOLVE_CODES; i++)
		r->code[i] = intent_text(intent, resolve_code_name[i], mem);
	r->stored.type = intent_text(intent, "type", mem);
	r->stored.status = "Resolved";
	memcpy(r->stored.code, r->code, sizeof r->code);
	it->resolve = r;
	return r->at && r->stored.type;
}

static void resolve_restore(const struct conf *cf, struct arena *mem,
			    struct item *it)
{
	/* one that was not begun is told with the latest activity */
	if (it->state == OP_NONE && it->ctt && it->ctt->activity)
		it->resolve->stored.id = it->ctt->activity->id;
	if (it->state == OP_REFUSED &&
	    it->code == CODE_RESOLUTION_CODE_INVALID)
		check_codes(cf, mem, it);
}

static void resolve_ask(const struct item *it, struct call *c)
{
	c->local = !it->ctt->external_sync;
	c->partner = status_partner(it->ctt);
	c->verb = VERB_RESOLVE;
	c->ticket = name_at_partner(it->ctt);
	c->remark = it->want.remark;
	c->resolve = it->resolve;
}

static void resolve_leave(const struct item *it, struct ctt *after)
{
	if (!status_is_terminal(after->status))
		after->status = "Resolved"; /* else it was closed meanwhile */
	after->activity = &it->resolve->stored;
}

static void resolve_settle(struct item *it, struct change *ch)
{
	change_activity(ch, it, &it->resolve->stored, it->want.remark);
	change_status(ch, it, "Resolved", STEP_save_activity);
	note_done(it, STEP_save_activity, NULL);
	job_plain(ch, it, "update-resolved-ctt");
	if (it->want.remark && it->sync.call->partner == PARTNER_TAAS &&
	    !it->sync.call->local) {
		struct buf doc = change_payload(ch, it);

		if (strcmp(it->sync.call->ticket, it->ctt->ticket_no))
			put_str(&doc, "partnerTicket", it->sync.call->ticket);
		put_str(&doc, "text", it->want.remark);
		put_str(&doc, "author", it->want.actor);
		put_close(&doc, '}');
		change_job(ch, it, "sync-note-to-taas", &doc, 0);
	}
	note_done(it, STEP_enqueue_jobs, NULL);
	if (it->want.remark)
		note_done(it, STEP_add_note, NULL);
	else
		note_skipped(it, STEP_add_note, "no remark was given");
}

const struct flow flow_resolve = {
	.kind = OP_RESOLVE,
	.load = SQL_LOAD_LOV,
	.check = resolve_check,
	.save_step = STEP__MAX,
	.sync_failed = CODE_EXTERNAL_SYNC_FAILED,
	.noun = "resolution",
	.done = "resolved",
	.pending = "The partner has not answered yet; the resolve goes on.",
	.audits_ntt = true,
	.once = true,
	.intend = resolve_intend,
	.recall = resolve_recall,
	.restore = resolve_restore,
	.ask = resolve_ask,
	.leave = resolve_leave,
	.settle = resolve_settle,
};
