/*
 * saga/tell.c - the texts on what became of an operation, for its trace and for
 * the caller
 */
#include "saga/tell.h"

#include "base/clock.h"
#include "saga/step.h"

static enum outcome outcome_of(enum rc verdict)
{
	return verdict == RC_OK ? STEP_OK :
	       verdict == RC_DOUBT ? STEP_UNKNOWN : STEP_FAILED;
}

/* The result of the step at the partner. */
static const char *outcome_text(struct arena *mem, const struct item *it,
				bool recovered)
{
	const struct call *c = it->sync.call;
	const struct by_hand *hand = it->recovery.by_hand;
	const char *name = partners[c->partner]->name;

	if (hand)
		return arena_printf(mem, "closed by hand as %s by %s: %s",
				    hand->done ? "done" : "undone", hand->by,
				    hand->reason);
	if (it->sync.assumed)
		return arena_printf(mem, "%s; after %u such answers it is "
				    "assumed that %s has nothing of it",
				    c->why, it->sync.past.refusals, name);
	if (it->sync.forced)
		return arena_printf(mem, "%s; forced", it->sync.forced);
	if (c->verdict != RC_OK)
		return c->looked ? arena_printf(mem, "%s; %s", c->why,
						c->looked) : c->why;
	if (c->seen == SEEN_DONE)
		return c->looked;
	return arena_printf(mem, "%s accepted it%s", name, recovered &&
			    it->was == OP_RUNNING ? ", asked after a crash" :
			    "");
}

static enum outcome sync_outcome(const struct item *it)
{
	if (it->recovery.by_hand)
		return it->recovery.by_hand->done ? STEP_OK : STEP_FAILED;
	if (it->state == OP_SUCCEEDED)
		return STEP_OK;
	return outcome_of(it->sync.call->verdict);
}

void tell_sync(struct arena *mem, struct item *it, bool recovered)
{
	const struct call *c = it->sync.call;
	struct trace_entry *e = &it->trace.step[STEP_sync_partner];
	const char *what;

	if (c->local) {
		trace_note(&it->trace, STEP_sync_partner, STEP_SKIPPED,
			   clock_wall_ms(), "external_sync is off: local only");
		return;
	}
	what = outcome_text(mem, it, recovered);
	if (it->was == OP_RUNNING) {
		*e = (struct trace_entry){sync_outcome(it), c->began + c->ms,
					  c->ms, what};
		return;
	}
	/* the step stays unknown, because the caller was told so */
	e->detail = arena_printf(mem, "%s; %s%s",
				 e->detail ? e->detail : "no answer",
				 it->recovery.by_hand ? "" : "asked again: ",
				 what);
}

/* The trace of a kind that changes nothing here has no step for a rollback
 * (section 8); its step at the partner gets the text. */
void tell_compensated(struct arena *mem, struct item *it)
{
	const struct flow *flow = flows[it->kind];
	struct trace_entry *sync = &it->trace.step[STEP_sync_partner];
	const char *how = it->sync.assumed || it->recovery.by_hand ?
		outcome_text(mem, it, true) :
		arena_printf(mem, "undone at %s",
			     partners[it->sync.call->partner]->name);

	if (flow->undo)
		trace_note(&it->trace, STEP_rollback, STEP_OK,
			   it->sync.call->began,
			   arena_printf(mem, "the %s was taken back here; %s",
					flow->noun, how));
	else
		sync->detail = arena_printf(mem, "%s; %s", sync->detail ?
					    sync->detail : "no answer", how);
}

void tell_taken_back(struct arena *mem, struct item *it)
{
	trace_note(&it->trace, STEP_rollback, STEP_OK, clock_wall_ms(),
		   arena_printf(mem, "the %s was taken back here",
				flows[it->kind]->noun));
}

void tell_caller(struct arena *mem, struct item *it)
{
	const struct flow *flow = flows[it->kind];
	const char *why = it->sync.call->verdict == RC_OK ? "" :
			  outcome_text(mem, it, false);
	const char *name = partners[it->sync.call->partner]->name;
	const char *here = flow->undo ?
		arena_printf(mem, "The %s was rolled back here", flow->noun) :
		"Nothing was changed here";

	if (it->state == OP_SETTLING && step_is_forward(it))
		return; /* nothing has failed yet */
	if (it->journal.save_failed)
		item_refuse(it, CODE_DB_SAVE_FAILED, arena_printf(mem,
			"The database refused to finish the %s. %s. Recovery "
			"asks %s again, and undoes it there if needed.",
			flow->noun, here, name));
	else if (it->state == OP_SETTLING)
		item_refuse(it, flow->sync_failed, arena_printf(mem,
			"%s; it is not known whether the partner took the %s. "
			"%s. Recovery asks %s until this is known, and undoes "
			"it there if needed.", why, flow->noun, here, name));
	else
		item_refuse(it, flow->sync_failed, arena_printf(mem,
			it->sync.call->verdict == RC_AGAIN ?
			"%s; nothing was sent to change it. %s." : "%s. %s.",
			why, here));
}
