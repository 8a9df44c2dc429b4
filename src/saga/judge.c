/*
 * saga/judge.c - decides what becomes of an operation, by what is known of its
 * step at the partner, and gathers the changes
 */
#include "saga/judge.h"

#include "base/clock.h"
#include "saga/begin.h"
#include "saga/step.h"
#include "saga/tell.h"

/* How long an operation waits for a partner that is only probed. */
enum { PROBED_MS = 2000 };

/* Does this transaction undo the local change? A RUNNING operation has one, and
 * so has an open operation that is driven on. */
static bool is_taken_back(const struct item *it)
{
	if (!flows[it->kind]->undo || it->state == OP_SUCCEEDED ||
	    it->want.mends)
		return false;
	return step_is_forward(it) ? !op_is_open(it->state) :
				     it->was == OP_RUNNING;
}

/* The state that the operation takes. */
static enum op_state state_after(const struct item *it, enum next next)
{
	switch (next) {
	case NEXT_DONE:
		return OP_SUCCEEDED;
	case NEXT_BACK:
	case NEXT_ASSUMED:
		return it->sync.undoing ? OP_COMPENSATED : OP_ROLLED_BACK;
	case NEXT_SETTLE:
		return OP_SETTLING;
	default:
		return it->was;
	}
}

/* An attempt that arrives later may change the partner's ticket: add a job that
 * looks and mends it then (job/look.c). */
static void look_again(const struct conf *cf, struct item *it,
		       struct change *ch)
{
	struct buf doc = change_payload(ch, it);

	put_close(&doc, '}');
	change_job(ch, it, JOB_LOOK_AGAIN, &doc, step_late_ms(cf, it));
}

/* The operation is closed: add its audit rows, and begin its follower. */
static void conclude(struct app *app, struct item *it, struct change *ch)
{
	const struct flow *flow = flows[it->kind];
	bool success = it->state == OP_SUCCEEDED;

	if (it->sync.look_again)
		look_again(app->conf, it, ch);
	change_audit(ch, it, success ? "SUCCESS" : op_state_name[it->state],
		     !it->want.mends && (flow->needs_ntt ||
					 (success && flow->audits_ntt)));
	trace_note(&it->trace, STEP_write_audit, STEP_OK, clock_wall_ms(),
		   NULL);
	it->next = flow->follow && !it->want.mends ?
			   flow->follow(it, ch->mem) : NULL;
	if (it->next) {
		step_ask(app->conf, ch->mem, it->next);
		saga_begin(it->next, ch, it->journal.owner);
	}
}

/* How long the operation waits. If it was not sent because the partner is only
 * probed, it waits for less: another process's probe may succeed sooner. */
static int64_t next_try_ms(const struct conf *cf, const struct item *it,
			   enum next next)
{
	unsigned tries = it->journal.tries;
	int64_t ms = clock_backoff_ms(tries ? tries - 1 : 0,
				      cf->retry_base_ms, cf->retry_cap_ms);
	int64_t probed = clock_backoff_ms(0, PROBED_MS, PROBED_MS);

	if (next == NEXT_WAIT)
		return step_late_ms(cf, it);
	return !it->sync.call->attempts && ms > probed ? probed : ms;
}

/* The operation keeps its state, and is tried later. */
static void stay(struct app *app, struct item *it, struct change *ch,
		 enum next next, bool recovered)
{
	if (!it->journal.judged && it->sync.call->attempts && recovered)
		it->journal.tries++;
	it->journal.why = it->sync.call->why;
	if (next == NEXT_WAIT && it->sync.undoing)
		it->sync.past.known = KNOWN_DOUBT; /* send it once more */
	if (next == NEXT_WAIT)
		it->journal.why = "the outcome is known, but an attempt whose answer "
			   "was lost may still arrive";
	if (!recovered)
		item_refuse(it, CODE_NO_ANSWER, arena_printf(ch->mem, "%s "
			"answered, but an earlier attempt may still arrive. "
			"The operation will be closed after that; look it up.",
			partners[it->sync.call->partner]->name));
	change_op(ch, it, next_try_ms(app->conf, it, next));
}

/* The operation is done on both sides. If its local change was undone, make it
 * again. */
static void settle(struct item *it, struct change *ch)
{
	const struct flow *flow = flows[it->kind];

	it->code = CODE_OK;
	if (it->want.mends)
		return;
	if (it->was == OP_SETTLING && !step_is_forward(it) && flow->apply)
		flow->apply(it, ch);
	flow->settle(it, ch);
}

void saga_judge(struct app *app, struct item *it, struct change *ch,
		bool recovered)
{
	const struct flow *flow = flows[it->kind];
	int64_t next_ms = 0;
	enum next next;

	it->next = NULL; /* it may be left from an earlier try */
	next = it->journal.save_failed ? NEXT_SETTLE :
					 step_next(app->conf, it, recovered);
	it->state = state_after(it, next);
	it->sync.assumed = next == NEXT_ASSUMED;
	if (it->state == it->was) {
		stay(app, it, ch, next, recovered);
		it->journal.judged++;
		return;
	}
	if (!it->journal.judged++) {
		if (it->state == OP_COMPENSATED)
			tell_compensated(ch->mem, it);
		else
			tell_sync(ch->mem, it, recovered);
	}
	if (it->state == OP_SUCCEEDED) {
		settle(it, ch);
	} else {
		it->journal.why = it->sync.call->why;
		/* without a code, the caller was told only to wait */
		if (it->was == OP_RUNNING || !it->code)
			tell_caller(ch->mem, it);
		if (is_taken_back(it))
			tell_taken_back(ch->mem, it);
	}
	if (it->state == OP_SETTLING)
		next_ms = next_try_ms(app->conf, it, next);
	else
		conclude(app, it, ch);
	/* a follower has changed the CTT's link already */
	if (is_taken_back(it) && !it->next)
		flow->undo(it, ch);
	change_op(ch, it, next_ms);
}
