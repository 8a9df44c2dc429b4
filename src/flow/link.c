/*
 * flow/link.c - a CTT is linked to an NTT: contract section 4
 */
#include "saga/flow.h"

#include <string.h>

#include "base/clock.h"
#include "model/rules.h"

static const enum step link_steps[] = {
	STEP_load_ctt, STEP_load_ntt, STEP_check_idle, STEP_check_not_linked,
	STEP_check_unlink_block, STEP_save_local, STEP_sync_partner,
	STEP_rollback, STEP_update_ctt_count, STEP_enqueue_jobs,
	STEP_write_audit, STEP__MAX,
};

static void link_check(struct item *it, struct arena *mem)
{
	(void)(check_ctt_found(it, mem) && check_ntt_found(it, mem) &&
	       check_idle(it, mem) && check_not_linked(it, mem) &&
	       check_not_blocked(it, mem));
}

static void link_intend(struct item *it, struct change *ch)
{
	change_link(ch, it->ctt, it->ntt);
}

static void link_say(const struct item *it, struct call *c, enum verb verb)
{
	c->partner = strcmp(it->ctt->source, "TAAS") ? PARTNER_TMF :
						       PARTNER_TAAS;
	c->verb = verb;
	c->ticket_no = it->ctt->ticket_no;
	c->ntt_no = it->ntt->ticket_no;
	c->remark = it->remark;
}

static void link_ask(const struct item *it, struct call *c)
{
	link_say(it, c, VERB_LINK);
}

static void link_unask(const struct item *it, struct call *c)
{
	link_say(it, c, VERB_UNLINK);
}

static struct buf job_payload(const struct item *it, struct arena *mem,
			      bool with_orders)
{
	struct buf doc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "operationId", it->op_id);
	put_id(&doc, "cttId", it->ctt->id);
	put_str(&doc, "cttTicketNo", it->ctt->ticket_no);
	put_id(&doc, "nttId", it->ntt->id);
	put_str(&doc, "nttTicketNo", it->ntt->ticket_no);
	put_str(&doc, "actor", it->actor);
	put_str(&doc, "requestId", it->request_id);
	if (with_orders) {
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
	}
	put_close(&doc, '}');
	return doc;
}

static void link_settle(struct item *it, struct change *ch)
{
	struct buf plain = job_payload(it, ch->mem, false);
	int64_t now = clock_wall_ms();

	change_count(ch, it->ntt, +1);
	trace_note(&it->trace, STEP_update_ctt_count, STEP_OK, now, NULL);
	change_job(ch, it, "create-ctt-related-kci", &plain);
	if (it->ntt->work_orders) {
		struct buf orders = job_payload(it, ch->mem, true);

		change_job(ch, it, "notify-work-orders", &orders);
	}
	change_job(ch, it, "update-tmf-list", &plain);
	trace_note(&it->trace, STEP_enqueue_jobs, STEP_OK, now,
		   it->ntt->work_orders ? NULL :
		   "the NTT has no work orders to notify");
}

static void link_undo(struct item *it, struct change *ch)
{
	change_link(ch, it->ctt, NULL);
}

const struct flow flow_link = {
	.kind = OP_LINK,
	.steps = link_steps,
	.save = SQL_LINK_SAVE,
	.close = SQL_LINK_CLOSE,
	.save_step = STEP_save_local,
	.sync_failed = CODE_EXTERNAL_SYNC_FAILED,
	.noun = "link",
	.check = link_check,
	.intend = link_intend,
	.ask = link_ask,
	.unask = link_unask,
	.settle = link_settle,
	.undo = link_undo,
};
