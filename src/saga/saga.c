/*
 * saga/saga.c - the one pipeline; alone says when a transaction begins and
 * ends
 *
 * Who owns an operation: its journal row names the database session of the
 * process that has it in hand. A process that cannot finish one drops its
 * session, as its death would; then the row is abandoned, and recovery takes
 * it up. Whoever closes an operation first wins; the other finds it closed
 * and answers from the journal.
 */
#include "saga/saga.h"

#include <string.h>

#include <json-c/json.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "model/rules.h"
#include "saga/step.h"

enum {
	TX_TRIES = 5,         /* of a transaction that met a deadlock    */
	TX_BASE_MS = 10,
	TX_CAP_MS = 200,
	CLOSE_PATIENCE_MS = 5000, /* for a database that went away        */
	LOCKED_MS = 1000,     /* what took longer waited for a lock       */
	TAKEN_MS = 2000,      /* for who has taken an operation over      */
	PROBED_MS = 2000,     /* until a partner that is only probed may be
			       * asked again */
};

static void pause_before(unsigned tries)
{
	clock_sleep_ms(clock_backoff_ms(tries, TX_BASE_MS, TX_CAP_MS));
}

static void fail_all(struct batch *b, enum code code, const char *detail)
{
	batch_each (b, it) {
		item_refuse(it, code, detail);
		it->retry_after_s = code == CODE_DB_UNAVAILABLE;
	}
}

static void fail_db_away(struct batch *b)
{
	fail_all(b, CODE_DB_UNAVAILABLE, "The database is away; nothing was "
		 "changed. Try again in a moment.");
}

static void log_closed(const struct item *it)
{
	log_line(LOG_INFO, "operation", "op=%s kind=%s state=%s ctt=%s ntt=%s "
		 "code=%s tries=%u", it->op_id, kind_name[it->kind],
		 op_state_name[it->state],
		 it->ctt ? it->ctt->ticket_no : "-",
		 it->ntt ? it->ntt->ticket_no : "-",
		 it->code ? code_info[it->code].name : "-", it->tries);
}

/* ---- the first transaction: load, check, save ---- */

/* Operations that somebody left open on these CTTs are settled first, if they
 * can be. True: there were some, and the transaction is given up. */
static bool settle_abandoned(struct app *app, struct batch *b)
{
	const char **ids = arena_array(b->mem, b->n, sizeof *ids);
	size_t n = 0;

	batch_each (b, it)
		if (it->ctt && it->ctt->open && it->ctt->open->orphan)
			ids[n++] = it->ctt->open->id;
	if (!n)
		return false;
	store_cancel(app->db);
	saga_recover(app, b->mem, ids, n, b->deadline);
	return true;
}

/* The item's operation begins: its journal row, its local change. */
static void begin(struct item *it, struct change *ch, const char *owner)
{
	const struct flow *flow = flows[it->kind];

	it->state = OP_RUNNING;
	it->owner = arena_strdup(ch->mem, owner);
	if (flow->intend)
		flow->intend(it, ch->mem);
	if (flow->apply && !it->mends)
		flow->apply(it, ch);
	if (flow->save_step != STEP__MAX)
		trace_note(&it->trace, flow->save_step, STEP_OK,
			   clock_wall_ms(), NULL);
	change_op_new(ch, it, owner);
}

static enum rc load(struct app *app, const struct flow *flow, struct batch *b)
{
	enum rc rc = store_load(app->db, flow->load, b);

	/* nothing was to be committed: a connection that broke (one that the
	 * server had closed, mostly) is simply made again */
	return rc == RC_DOUBT ? RC_AGAIN : rc;
}

/* The last gate: can the partner be asked at all? It has no step of its own;
 * what it refuses has failed to sync. */
static bool check_partner(struct app *app, struct batch *b, struct item *it)
{
	const struct call *c = it->call;
	const char *name = partners[c->partner]->name;
	enum health_say say = c->local ? HEALTH_GO :
			      health_enter(app->health, c->partner);

	if (say == HEALTH_GO)
		return true;
	if (say == HEALTH_BUSY) {
		item_refuse(it, CODE_PARTNER_BUSY, arena_printf(b->mem,
			"Too many requests wait for %s just now; nothing was "
			"changed. Try again in a moment.", name));
		it->retry_after_s = 1;
	} else {
		item_refuse(it, flows[it->kind]->sync_failed, arena_printf(
			b->mem, "%s keeps failing, and is only probed until "
			"it answers again; nothing was changed.", name));
		it->retry_after_s = health_retry_s(app->health, c->partner);
	}
	trace_note(&it->trace, STEP_sync_partner, STEP_FAILED, clock_wall_ms(),
		   it->detail);
	return false;
}

/* If a gate refused one, the others are not begun either. */
static void refuse_the_rest(struct batch *b)
{
	bool any = false;

	batch_each (b, it)
		any = any || it->code;
	batch_each (b, it) {
		if (!any || it->code)
			continue;
		item_refuse(it, CODE_NOT_ATTEMPTED, "Nothing was changed, for "
			    "another ticket of the request was refused.");
		trace_note(&it->trace, flows[it->kind]->save_step,
			   STEP_SKIPPED, clock_wall_ms(), it->detail);
	}
}

/* ---- a dry run: the same checks, and then as if all went well ---- */

/* How the item before this one would have left their CTT. */
static void assume(struct item *it)
{
	const struct item *before = it->after;

	if (!before || !it->ctt || !before->ctt)
		return;
	*it->ctt = *before->ctt;
	if (before->state != OP_SUCCEEDED)
		return;
	if (before->next)
		before = before->next;
	if (before->kind == OP_LINK || before->kind == OP_UNLINK) {
		struct ntt *to = before->kind == OP_LINK ? before->ntt : NULL;

		it->ctt->ntt = to;
		it->ctt->ntt_id = to ? to->id : 0;
		it->ctt->ntt_ticket_no = to ? to->ticket_no : NULL;
	}
	if (before->kind == OP_RESOLVE) /* whose id nobody knows yet */
		it->ctt->activity = &before->resolve->stored;
}

static void pretend(struct batch *b)
{
	batch_each (b, it) {
		it->state = it->was = OP_REFUSED;
		it->op_id = NULL; /* no journal row, no operation */
		if (it->code || it->nothing_to_do)
			continue;
		it->state = it->was = OP_SUCCEEDED;
		if (flows[it->kind]->intend)
			flows[it->kind]->intend(it, b->mem);
		if (it->kind == OP_LINK)
			it->ntt->ctt_count++;
		if (it->kind == OP_UNLINK)
			it->ntt->ctt_count--;
		if (it->cpe)
			it->cpe->element->cpe = it->cpe->wanted;
		if (it->then_ntt) {
			item_follow(b->mem, it, OP_LINK, it->then_ntt);
			it->next->state = OP_SUCCEEDED;
			it->next->op_id = NULL;
			it->then_ntt->ctt_count++;
		}
	}
}

/* Nothing of it is written, for shedding load must cost little. */
static bool is_shed(const struct item *it)
{
	return it->code == CODE_PARTNER_BUSY;
}

static enum rc try_open(struct app *app, const struct flow *flow,
			struct batch *b)
{
	enum rc rc = load(app, flow, b);
	struct change ch;
	size_t rows = 0;

	if (rc == RC_OK && !b->dry_run && settle_abandoned(app, b)) {
		batch_each (b, it)
			item_reset(it);
		rc = load(app, flow, b);
	}
	if (rc != RC_OK)
		return rc;
	if (b->owner && strcmp(b->owner, db_owner(app->db))) {
		/* another process may have taken the key over meanwhile */
		store_cancel(app->db);
		return RC_FAULT;
	}
	fault(FAULT_AFTER_LOAD);
	change_init(&ch, b);
	batch_each (b, it) {
		if (b->dry_run)
			assume(it);
		flow->check(b, it);
		if (!it->code && !it->nothing_to_do) {
			step_ask(app->conf, b->mem, it);
			check_partner(app, b, it);
		}
	}
	if (b->all_or_none)
		refuse_the_rest(b);
	if (b->dry_run) {
		store_cancel(app->db);
		pretend(b);
		return RC_OK;
	}
	batch_each (b, it) {
		if (is_shed(it))
			continue;
		rows++;
		if (it->code || it->nothing_to_do) {
			it->state = OP_REFUSED;
			change_op_new(&ch, it, NULL);
		} else {
			begin(it, &ch, db_owner(app->db));
		}
	}
	if (!rows) {
		store_cancel(app->db);
		return RC_OK;
	}
	if (fault(FAULT_BEFORE_INTENT)) {
		store_cancel(app->db);
		return RC_NO;
	}
	rc = store_save(app->db, &ch);
	if (rc != RC_OK)
		return rc;
	batch_each (b, it)
		it->was = it->state;
	fault(FAULT_AFTER_INTENT);
	return RC_OK;
}

/*
 * The COMMIT of the first transaction may have happened, or may happen yet. Its
 * rows tell, once the session that was lost has ended; until then nobody can say.
 */
static enum rc look_for_rows(struct app *app, struct batch *b)
{
	int64_t until = clock_mono_ms() + CLOSE_PATIENCE_MS;
	enum rc rc = db_end_lost(app->db, until);

	while (rc == RC_OK && (rc = store_peek(app->db, b)) != RC_OK &&
	       clock_mono_ms() < until) {
		clock_sleep_ms(TX_CAP_MS);
		rc = RC_OK;
	}
	if (rc != RC_OK)
		return RC_DOUBT;
	batch_each (b, it) {
		if (is_shed(it))
			continue;
		if (it->was == OP_NONE)
			return RC_AGAIN;
		it->state = it->was;
	}
	return RC_OK;
}

static void saga_open(struct app *app, const struct flow *flow,
		      struct batch *b);

static void open_halves(struct app *app, const struct flow *flow,
			struct batch *b)
{
	struct batch half = *b;

	half.n = b->n / 2;
	saga_open(app, flow, &half);
	half.it = b->it + half.n;
	half.n = b->n - half.n;
	saga_open(app, flow, &half);
}

/* Did a COMMIT whose answer was lost take effect all the same? Then the recovery
 * goes on with it: what this process knew of it is gone. */
static bool is_saved(struct app *app, struct batch *b)
{
	bool saved = false;

	if (store_peek(app->db, b) != RC_OK)
		return false;
	batch_each (b, it) {
		saved = saved || it->was != OP_NONE;
		if (!op_is_open(it->was)) {
			it->state = it->was;
			continue;
		}
		it->was = it->state = OP_NONE;
		item_refuse(it, CODE_NO_ANSWER, "The database took the change "
			    "late; the operation is finished by the recovery: "
			    "look it up.");
	}
	return saved;
}

/* The database refused to save this; the traces are kept if they can be. */
static void save_refused(struct app *app, struct batch *b)
{
	struct change ch;

	if (is_saved(app, b))
		return;
	change_init(&ch, b);
	batch_each (b, it) {
		enum step step = flows[it->kind]->save_step;

		if (is_shed(it))
			continue;
		it->state = OP_REFUSED;
		if (it->code) { /* by a gate, before */
			change_op_new(&ch, it, NULL);
			continue;
		}
		item_refuse(it, CODE_DB_SAVE_FAILED, "The database refused to "
			    "save the change; nothing was changed, and no "
			    "partner was asked.");
		if (step != STEP__MAX)
			trace_note(&it->trace, step, STEP_FAILED,
				   clock_wall_ms(), "the database refused it");
		change_op_new(&ch, it, NULL);
	}
	store_save(app->db, &ch);
}

/* Nobody knows whether it was begun, but of what a gate refused. */
static void saved_perhaps(struct batch *b)
{
	batch_each (b, it)
		if (!it->code)
			item_refuse(it, CODE_NO_ANSWER, "The database went "
				    "away while the change was being saved; "
				    "look the operation up before trying "
				    "again.");
}

static void saga_open(struct app *app, const struct flow *flow,
		      struct batch *b)
{
	for (unsigned tries = 0; tries < TX_TRIES; tries++) {
		enum rc rc = try_open(app, flow, b);

		if (rc == RC_DOUBT)
			rc = look_for_rows(app, b);
		switch (rc) {
		case RC_OK:
			return;
		case RC_NO:
			/* who is to blame, where each is on its own */
			if (b->n > 1 && !b->all_or_none) {
				batch_each (b, it)
					item_reset(it);
				open_halves(app, flow, b);
			} else {
				save_refused(app, b);
			}
			return;
		case RC_AGAIN:
			batch_each (b, it)
				item_reset(it);
			pause_before(tries);
			break;
		case RC_DOUBT:
			saved_perhaps(b);
			return;
		case RC_FAULT:
			fail_db_away(b);
			return;
		}
	}
	fail_all(b, CODE_DB_UNAVAILABLE, "The database is too busy with these "
		 "tickets; nothing was changed. Try again in a moment.");
}

/* ---- the partners ---- */

static void saga_sync(struct app *app, struct batch *b)
{
	step_call_all(app, b);
	fault(FAULT_AFTER_SYNC);
}

/* ---- the second transaction: settle the yes, undo the no ---- */

static enum outcome outcome_of(enum rc verdict)
{
	return verdict == RC_OK ? STEP_OK :
	       verdict == RC_DOUBT ? STEP_UNKNOWN : STEP_FAILED;
}

/* What the step has come to, in words. */
static const char *outcome_text(struct arena *mem, const struct item *it,
				bool recovered)
{
	const struct call *c = it->call;
	const char *name = partners[c->partner]->name;

	if (it->by_hand)
		return arena_printf(mem, "closed by hand as %s by %s: %s",
				    it->by_hand->done ? "done" : "undone",
				    it->by_hand->by, it->by_hand->reason);
	if (it->assumed)
		return arena_printf(mem, "%s; after %u such answers it is "
				    "assumed that %s has nothing of it",
				    c->why, it->past.refusals, name);
	if (it->forced)
		return arena_printf(mem, "%s; forced", it->forced);
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
	if (it->by_hand)
		return it->by_hand->done ? STEP_OK : STEP_FAILED;
	if (it->state == OP_SUCCEEDED)
		return STEP_OK;
	return outcome_of(it->call->verdict);
}

static void note_sync(struct arena *mem, struct item *it, bool recovered)
{
	const struct call *c = it->call;
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
	/* the step stays unknown, for so it was when the caller was told */
	e->detail = arena_printf(mem, "%s; %s%s",
				 e->detail ? e->detail : "no answer",
				 it->by_hand ? "" : "asked again: ", what);
}

/* Is the local change to be taken back in this step? It is there while the
 * operation is RUNNING, and as long as one that goes on is open. */
static bool is_taken_back(const struct item *it)
{
	if (!flows[it->kind]->undo || it->state == OP_SUCCEEDED || it->mends)
		return false;
	return step_goes_on(it) ? !op_is_open(it->state) : it->was == OP_RUNNING;
}

static void note_rollback(struct arena *mem, struct item *it)
{
	const struct flow *flow = flows[it->kind];
	const char *name = partners[it->call->partner]->name;

	if (is_taken_back(it))
		trace_note(&it->trace, STEP_rollback, STEP_OK, clock_wall_ms(),
			   arena_printf(mem, "the %s was taken back here",
					flow->noun));
	if (it->state == OP_COMPENSATED)
		trace_note(&it->trace, STEP_rollback, STEP_OK, it->call->began,
			   it->assumed || it->by_hand ?
			   arena_printf(mem, "the %s was taken back here; %s",
					flow->noun,
					outcome_text(mem, it, true)) :
			   arena_printf(mem, "the %s was taken back here, and "
					"undone at %s", flow->noun, name));
}

/* The sentence for who asked. */
static void tell(struct arena *mem, struct item *it)
{
	const struct flow *flow = flows[it->kind];
	const char *why = it->call->verdict == RC_OK ? "" :
			  outcome_text(mem, it, false);
	const char *name = partners[it->call->partner]->name;
	const char *here = flow->undo ?
		arena_printf(mem, "The %s was rolled back here", flow->noun) :
		"Nothing was changed here";

	if (it->state == OP_SETTLING && step_goes_on(it))
		return; /* nothing has failed yet */
	if (it->save_failed)
		item_refuse(it, CODE_DB_SAVE_FAILED, arena_printf(mem,
			"The database refused to finish the %s. %s, and %s is "
			"asked again, and has it undone there if need be.",
			flow->noun, here, name));
	else if (it->state == OP_SETTLING)
		item_refuse(it, flow->sync_failed, arena_printf(mem,
			"%s; whether it took the %s is not known. %s, and %s "
			"is asked again until it is known, and undone there "
			"if need be.", why, flow->noun, here, name));
	else
		item_refuse(it, flow->sync_failed, arena_printf(mem,
			it->call->verdict == RC_AGAIN ?
			"%s; nothing was sent to change it. %s." : "%s. %s.",
			why, here));
}

/* The state that an operation is to take. */
static enum op_state state_after(const struct item *it, enum next next)
{
	switch (next) {
	case NEXT_DONE:
		return OP_SUCCEEDED;
	case NEXT_BACK:
	case NEXT_ASSUMED:
		return it->undoing ? OP_COMPENSATED : OP_ROLLED_BACK;
	case NEXT_SETTLE:
		return OP_SETTLING;
	default:
		return it->was;
	}
}

/* An attempt that may still arrive may change what is known now: then it is
 * put right (job/look.c). */
static void look_again(const struct conf *cf, struct item *it,
		       struct change *ch)
{
	struct buf doc;

	buf_init(&doc, ch->mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "operationId", it->op_id);
	put_id(&doc, "cttId", it->ctt->id);
	put_str(&doc, "cttTicketNo", it->ctt->ticket_no);
	put_id(&doc, "nttId", it->ntt ? it->ntt->id : it->ctt->ntt_id);
	put_str(&doc, "nttTicketNo", it->ntt ? it->ntt->ticket_no :
		it->ctt->ntt_ticket_no);
	put_str(&doc, "actor", it->actor);
	put_str(&doc, "requestId", it->request_id);
	put_close(&doc, '}');
	change_job(ch, it, JOB_LOOK_AGAIN, &doc, step_late_ms(cf, it));
}

/* It is closed for good: the audit, and what follows by itself. */
static void conclude(struct app *app, struct item *it, struct change *ch)
{
	const struct flow *flow = flows[it->kind];
	bool success = it->state == OP_SUCCEEDED;

	if (it->look_again)
		look_again(app->conf, it, ch);
	change_audit(ch, it, success ? "SUCCESS" : op_state_name[it->state],
		     !it->mends && (flow->needs_ntt ||
				    (success && flow->audits_ntt)));
	trace_note(&it->trace, STEP_write_audit, STEP_OK, clock_wall_ms(),
		   NULL);
	it->next = flow->follow && !it->mends ? flow->follow(it, ch->mem) :
						 NULL;
	if (it->next) {
		step_ask(app->conf, ch->mem, it->next);
		begin(it->next, ch, db_owner(app->db));
	}
}

/* How long it waits. Another process's probe may find a partner well sooner,
 * where it was not asked because it is only probed. */
static int64_t next_try_ms(const struct conf *cf, const struct item *it,
			   enum next next)
{
	int64_t ms = clock_backoff_ms(it->tries ? it->tries - 1 : 0,
				      cf->retry_base_ms, cf->retry_cap_ms);
	int64_t probed = clock_backoff_ms(0, PROBED_MS, PROBED_MS);

	if (next == NEXT_WAIT)
		return step_late_ms(cf, it);
	return !it->call->attempts && ms > probed ? probed : ms;
}

/* It stays as it is, and is tried later. */
static void stay(struct app *app, struct item *it, struct change *ch,
		 enum next next, bool recovered)
{
	if (!it->judged && it->call->attempts && recovered)
		it->tries++;
	it->note = it->call->why;
	if (next == NEXT_WAIT && it->undoing)
		it->past.known = KNOWN_DOUBT; /* it is sent once more */
	if (next == NEXT_WAIT)
		it->note = "it is known, but an attempt whose answer was lost "
			   "may still arrive";
	if (!recovered)
		item_refuse(it, CODE_NO_ANSWER, arena_printf(ch->mem, "%s "
			"answered, but an earlier attempt may still be under "
			"way: the operation is closed when that is over. Look "
			"it up.", partners[it->call->partner]->name));
	change_op(ch, it, next_try_ms(app->conf, it, next));
}

/* Closed as done on both sides: what is taken back here is done again. */
static void settle(struct item *it, struct change *ch)
{
	const struct flow *flow = flows[it->kind];

	it->code = CODE_OK;
	if (it->mends)
		return;
	if (it->was == OP_SETTLING && !step_goes_on(it) && flow->apply)
		flow->apply(it, ch);
	flow->settle(it, ch);
}

/* What becomes of one operation, and the changes that make it so. */
static void judge(struct app *app, struct item *it, struct change *ch,
		  bool recovered)
{
	const struct flow *flow = flows[it->kind];
	int64_t next_ms = 0;
	enum next next;

	it->next = NULL; /* of a close that was tried before */
	next = it->save_failed ? NEXT_SETTLE :
				 step_next(app->conf, it, recovered);
	it->state = state_after(it, next);
	it->assumed = next == NEXT_ASSUMED;
	if (it->state == it->was) {
		stay(app, it, ch, next, recovered);
		it->judged++;
		return;
	}
	if (!it->judged++ && !it->undoing)
		note_sync(ch->mem, it, recovered);
	if (it->state == OP_SUCCEEDED) {
		settle(it, ch);
	} else {
		it->note = it->call->why;
		if (it->was == OP_RUNNING || !it->code) /* or: told to wait */
			tell(ch->mem, it);
		note_rollback(ch->mem, it);
	}
	if (it->state == OP_SETTLING)
		next_ms = next_try_ms(app->conf, it, next);
	else
		conclude(app, it, ch);
	/* what follows has made the CTT's link its own already */
	if (is_taken_back(it) && !it->next)
		flow->undo(it, ch);
	change_op(ch, it, next_ms);
}

/* What the caller can be told of an operation that was closed elsewhere: of a
 * link its success, but not of what was stored along with others. Of one that
 * is in another's hands nothing is known yet. */
static void adopt(struct item *it, bool in_hand)
{
	bool stored = it->then_id || it->resolve || it->cpe;

	if (in_hand)
		item_refuse(it, CODE_NO_ANSWER, "The connection to the "
			"database was lost on the way, and the operation is in "
			"the hands of the recovery: look it up.");
	else if ((it->state == OP_SUCCEEDED && stored) ||
		 (op_is_open(it->state) && !step_goes_on(it) && !it->code))
		item_refuse(it, CODE_NO_ANSWER, "The connection to the "
			"database was lost on the way, and the operation was "
			"finished by the recovery: look it up.");
	else if (it->state == OP_SUCCEEDED && it->ntt)
		it->ntt->ctt_count += it->kind == OP_LINK ? 1 : -1;
	else if (it->code)
		it->detail = "It was settled by the recovery.";
}

/* Who took some of them over has them closed in a moment, mostly: then the
 * caller can be told how. */
static enum rc peek_settled(struct app *app, struct batch *b, bool recovered)
{
	int64_t until = clock_mono_ms() + TAKEN_MS;

	for (unsigned tries = 0;; pause_before(tries++)) {
		enum rc rc = store_peek(app->db, b);
		bool wait = false;

		batch_each (b, it)
			wait = wait || (it->is_taken && it->was == OP_RUNNING);
		if (rc != RC_OK || recovered || !wait || clock_mono_ms() > until)
			return rc;
	}
}

/* Some operation was closed by somebody else, or taken over while our session
 * was lost, or closed by our own COMMIT whose answer was lost: what the journal
 * says now holds. */
static enum rc adopt_closed(struct app *app, struct batch *b, bool recovered)
{
	struct batch left = batch_part(b);
	enum op_state *was = arena_array(b->mem, b->n, sizeof *was);
	enum rc rc;
	size_t i = 0;

	batch_each (b, it)
		was[i++] = it->was;
	rc = peek_settled(app, b, recovered);
	i = 0;
	batch_each (b, it) {
		bool same = it->was == was[i];

		if (rc != RC_OK)
			it->was = was[i];
		i++;
		if (rc != RC_OK)
			continue;
		if (same && !it->is_taken) {
			batch_add(&left, it);
			continue;
		}
		it->state = it->was;
		it->next = NULL; /* whoever closed it has that in hand */
		adopt(it, same);
		log_line(LOG_INFO, "operation_adopted", "op=%s state=%s",
			 it->op_id, op_state_name[it->state]);
	}
	if (rc == RC_OK)
		*b = left;
	return rc;
}

/* They stay open, and abandoned, until recovery finds them. */
static void give_up(struct app *app, struct batch *b, bool recovered)
{
	log_line(LOG_ERROR, "close_failed", "operations=%zu first=%s "
		 "error=\"%s\"", b->n, b->it[0]->op_id, db_error(app->db));
	if (recovered) {
		b->it[0]->note = "the database refuses to close it";
		store_defer(app->db, b, app->conf->retry_cap_ms);
	} else {
		batch_each (b, it) {
			it->next = NULL;
			item_refuse(it, CODE_NO_ANSWER, "The partner was "
				"asked, but the database did not take the "
				"outcome. The operation is finished later; "
				"look it up before trying again.");
		}
	}
	db_drop(app->db);
}

static void saga_close(struct app *app, struct batch *b, bool recovered);

static void close_halves(struct app *app, struct batch *b, bool recovered)
{
	struct batch half = *b;

	half.n = b->n / 2;
	saga_close(app, &half, recovered);
	half.it = b->it + half.n;
	half.n = b->n - half.n;
	saga_close(app, &half, recovered);
}

static uint64_t ntt_of(const struct item *it)
{
	return it->ntt ? it->ntt->id : 0;
}

/* Somebody holds a row for long: strangers need not wait for it. The items of
 * each NTT are closed by themselves. False: they are of one. */
static bool close_by_ntt(struct app *app, struct batch *b, bool recovered)
{
	struct batch rest = *b;

	batch_each (b, it)
		if (ntt_of(it) != ntt_of(b->it[0]))
			rest.n = 0;
	if (rest.n)
		return false;
	for (rest = *b; rest.n;) {
		struct batch one = batch_part(&rest), others = batch_part(&rest);

		batch_each (&rest, it)
			batch_add(ntt_of(it) == ntt_of(rest.it[0]) ? &one :
				  &others, it);
		saga_close(app, &one, recovered);
		rest = others;
	}
	return true;
}

static void saga_close(struct app *app, struct batch *b, bool recovered)
{
	int64_t until = clock_mono_ms() + CLOSE_PATIENCE_MS;
	struct batch open = batch_part(b);
	unsigned tries = 0;

	batch_each (b, it)
		if (op_is_open(it->was))
			batch_add(&open, it);
	while (open.n) {
		int64_t began = clock_mono_ms();
		struct change ch;
		bool won;
		enum rc rc;

		change_init(&ch, &open);
		batch_each (&open, it)
			judge(app, it, &ch, recovered);
		rc = store_close(app->db, &ch, &open, &won);
		if (rc == RC_DOUBT)
			db_end_lost(app->db, until);
		if (won) {
			fault(FAULT_AFTER_CLOSE);
			batch_each (&open, it) {
				it->was = it->state;
				if (it->next)
					it->next->was = it->next->state;
				if (it->assumed)
					health_count_assumed(app->health);
				log_closed(it);
			}
			return;
		}
		if (rc == RC_OK) {
			size_t n = open.n;

			rc = adopt_closed(app, &open, recovered);
			if (rc == RC_OK && open.n < n)
				continue;
		}
		if (rc == RC_NO && open.n > 1) {
			close_halves(app, &open, recovered);
			return;
		}
		if (rc == RC_AGAIN && clock_mono_ms() - began > LOCKED_MS &&
		    close_by_ntt(app, &open, recovered))
			return;
		if (rc == RC_NO && !recovered && !open.it[0]->save_failed) {
			open.it[0]->save_failed = true;
			continue;
		}
		if (rc == RC_NO || clock_mono_ms() > until) {
			give_up(app, &open, recovered);
			return;
		}
		pause_before(tries++);
	}
}

/* ---- one wave, all waves ---- */

/* The operations that follow those that were closed, and are open now. */
static struct batch followers(const struct batch *b)
{
	struct batch next = batch_part(b);

	batch_each (b, it)
		if (it->next && op_is_open(it->next->was))
			batch_add(&next, it->next);
	return next;
}

/* From the partners to the end, and so on with what follows. */
static void drive(struct app *app, struct batch b)
{
	for (; b.n; b = followers(&b)) {
		saga_sync(app, &b);
		saga_close(app, &b, false);
	}
}

static void run_wave(struct app *app, const struct flow *flow,
		     struct batch *wave)
{
	batch_sort(wave);
	saga_open(app, flow, wave);
	batch_each (wave, it)
		if (is_shed(it))
			it->op_id = NULL; /* there is no such operation */
	drive(app, *wave);
}

/* Take the first item of each CTT out of *b, into *wave_r; and those that are only
 * to be refused, all at once. */
static void take_wave(const struct flow *flow, struct batch *b,
		      struct batch *wave_r)
{
	struct batch rest = batch_part(b);

	*wave_r = batch_part(b);
	batch_sort(b);
	batch_each (b, it) {
		const struct item *last =
			wave_r->n ? wave_r->it[wave_r->n - 1] : NULL;

		if (last && it->ctt_ref.id &&
		    it->ctt_ref.id == last->ctt_ref.id &&
		    !(flow->once && it->after)) {
			it->after = wave_r->it[wave_r->n - 1];
			batch_add(&rest, it);
		} else {
			batch_add(wave_r, it);
		}
	}
	*b = rest;
}

/* Where all go together, no CTT can come twice: named by its id and by its
 * number, it gets past the check of fields. */
static bool refuse_repeated(struct batch *b)
{
	const struct item *last = NULL;
	bool any = false;

	batch_sort(b);
	batch_each (b, it) {
		if (last && it->ctt_ref.id && it->ctt_ref.id == last->ctt_ref.id) {
			item_refuse(it, CODE_VALIDATION_FAILED, "This CTT is "
				    "named twice.");
			it->errors_field = arena_printf(b->mem, "cttIds[%zu]",
							it->index);
			any = true;
		}
		last = it;
	}
	batch_each (b, it) {
		if (any)
			it->op_id = NULL; /* none was begun */
		if (any && !it->code)
			item_refuse(it, CODE_NOT_ATTEMPTED, "Nothing was "
				    "changed, for a ticket was named twice.");
	}
	return any;
}

void saga_run(struct app *app, const struct flow *flow, struct batch *b)
{
	struct batch rest, wave;
	enum rc rc;

	b->codes_required = app->conf->resolution_required;
	b->refuse_closed = !strcmp(app->conf->link_closed, "refuse");
	b->block_ttl_s = app->conf->unlink_block_ttl_s;
	batch_each (b, it)
		if (!it->mends)
			it->kind = flow->kind;
	rc = store_ids(app->db, b);
	if (rc == RC_DOUBT || rc == RC_AGAIN) /* a connection that had gone */
		rc = store_ids(app->db, b);
	if (rc != RC_OK) {
		fail_db_away(b);
		return;
	}
	if (b->all_or_none && refuse_repeated(b))
		return;
	cache_read_blocks(app->cache, b);
	if (cache_is_away(app->cache))
		health_count_no_cache(app->health);
	rest = batch_part(b);
	batch_each (b, it)
		batch_add(&rest, it);
	while (rest.n) {
		take_wave(flow, &rest, &wave);
		run_wave(app, flow, &wave);
	}
	health_leave(app->health);
	if (!b->dry_run)
		cache_add_blocks(app->cache, b);
}

/* ---- recovery ---- */

/* The inverse of what turned out to be done, or may be and cannot be seen. */
static void undo_all(struct app *app, struct batch *b)
{
	struct batch undo = batch_part(b);

	batch_each (b, it)
		if (it->undoing ? it->past.known != KNOWN_YES :
		    step_next(app->conf, it, true) == NEXT_UNDO)
			batch_add(&undo, it);
	if (!undo.n || store_undoing(app->db, &undo) != RC_OK)
		return; /* those that begin now wait for the next time */
	fault(FAULT_BEFORE_UNDO);
	batch_each (&undo, it) {
		if (!it->undoing) {
			note_sync(b->mem, it, true);
			it->past.known = KNOWN_UNSENT;
			it->past.refusals = it->past.bodies = 0;
			it->past.body_hash = 0;
		}
		it->undoing = true;
		step_unask(app->conf, b->mem, it);
	}
	step_call_all(app, &undo);
	fault(FAULT_AFTER_UNDO);
}

bool saga_recall(struct item *it, struct arena *mem)
{
	struct json_object *o = it->intent ? json_tokener_parse(it->intent) :
					     NULL;
	bool whole = flows[it->kind]->recall(it, o, mem);

	json_object_put(o);
	return whole;
}

/* Read the tickets of claimed operations; nothing is locked, for an open
 * operation holds its CTT. */
static enum rc load_claimed(struct app *app, struct batch *b)
{
	enum rc rc = store_load(app->db, SQL_LOAD_ACTIVITIES, b);

	if (rc == RC_OK)
		store_cancel(app->db);
	return rc;
}

/* Operations that nobody can go on with, for now. */
static void let_go(struct app *app, struct batch *b, const char *why)
{
	if (!b->n)
		return;
	b->it[0]->note = why;
	if (store_defer(app->db, b, app->conf->retry_cap_ms) != RC_OK)
		db_drop(app->db); /* then they are abandoned */
}

/* Make the calls of claimed operations ready. Those of which the journal does
 * not have enough are let go of. */
static struct batch recall_calls(struct app *app, struct batch *all)
{
	struct batch b = batch_part(all), lost = batch_part(all);
	struct batch odd = batch_part(all);

	batch_each (all, it)
		batch_add(it->is_damaged ? &odd :
			  step_find_lost(b.mem, it) ? &b : &lost, it);
	let_go(app, &lost, "its CTT or NTT does not exist any more");
	let_go(app, &odd, "its row was changed: the intent is missing or "
	       "damaged; see cttctl operations close");
	batch_each (&b, it)
		step_ask(app->conf, b.mem, it);
	return b;
}

/* Who has an answer already, and who is only to be undone, is not asked. */
static bool is_to_be_asked(const struct item *it)
{
	return !it->undoing && it->past.known != KNOWN_YES;
}

static size_t recover(struct app *app, struct batch *all)
{
	struct batch b = recall_calls(app, all), asked = batch_part(&b);
	size_t closed = 0;

	batch_each (&b, it)
		if (is_to_be_asked(it))
			batch_add(&asked, it);
	saga_sync(app, &asked);
	undo_all(app, &b);
	saga_close(app, &b, true);
	drive(app, followers(&b));
	cache_add_blocks(app->cache, &b);
	batch_each (&b, it)
		closed += !op_is_open(it->state);
	return closed;
}

/* Take over those of the operations that are open and abandoned, with their
 * tickets. False: there are none, or the database is away. */
static bool claim(struct app *app, struct arena *mem, const char *const *ids,
		  size_t n, struct batch *b)
{
	if (store_claim(app->db, mem, ids, n, b) != RC_OK || !b->n)
		return false;
	fault(FAULT_AFTER_CLAIM);
	b->block_ttl_s = app->conf->unlink_block_ttl_s;
	batch_each (b, it)
		it->is_damaged = !saga_recall(it, b->mem);
	if (load_claimed(app, b) == RC_OK) {
		batch_sort(b);
		return true;
	}
	db_drop(app->db); /* they are abandoned again */
	return false;
}

size_t saga_recover(struct app *app, struct arena *mem,
		    const char *const *ids, size_t n, int64_t deadline)
{
	struct batch b;

	if (!claim(app, mem, ids, n, &b))
		return 0;
	b.deadline = deadline;
	return recover(app, &b);
}

/* Why it could not be claimed. */
static enum rc not_claimed(struct app *app, struct arena *mem, const char *id)
{
	struct batch b = batch_new(mem, 1);

	b.it[0]->op_id = id;
	if (*db_error(app->db) || store_peek(app->db, &b) != RC_OK)
		return RC_FAULT;
	return op_is_open(b.it[0]->was) ? RC_AGAIN : RC_NO;
}

enum rc saga_close_by_hand(struct app *app, struct arena *mem, const char *id,
			   const struct by_hand *how)
{
	struct batch b, all;

	if (!claim(app, mem, &id, 1, &all))
		return not_claimed(app, mem, id);
	batch_each (&all, it) {
		it->by_hand = how;
		/* to be dropped it takes no more than its row */
		it->is_damaged = it->is_damaged && how->done;
	}
	b = recall_calls(app, &all);
	saga_close(app, &b, true);
	cache_add_blocks(app->cache, &b);
	return b.n && !op_is_open(b.it[0]->was) ? RC_OK : RC_NO;
}
