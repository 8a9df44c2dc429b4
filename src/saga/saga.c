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

enum {
	TX_TRIES = 5,         /* of a transaction that met a deadlock    */
	TX_BASE_MS = 10,
	TX_CAP_MS = 200,
	CLOSE_PATIENCE_MS = 5000, /* for a database that went away        */
	GONE_TRIES = 8,       /* of a ticket that the partner does not find */
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

static struct call *call_new(struct arena *mem, const struct item *it,
			     const char *step)
{
	struct call *c = arena_alloc(mem, sizeof *c);

	c->key = arena_printf(mem, "%s-%s", it->op_id, step);
	c->ticket_no = it->ctt->ticket_no;
	c->actor = it->actor;
	c->request_id = it->request_id;
	c->verdict = RC_AGAIN; /* until it is made, nothing was sent */
	return c;
}

static void ask(struct arena *mem, struct item *it)
{
	it->call = call_new(mem, it, "sync");
	flows[it->kind]->ask(it, it->call);
	if (it->call->local)
		it->call->verdict = RC_OK;
	else
		it->partner = partners[it->call->partner]->code;
}

/* The item's operation begins: its journal row, its local change. */
static void begin(struct item *it, struct change *ch, const char *owner)
{
	const struct flow *flow = flows[it->kind];

	it->state = OP_RUNNING;
	it->owner = arena_strdup(ch->mem, owner);
	if (flow->intend)
		flow->intend(it, ch);
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
	struct change none;

	change_init(&none, b);
	batch_each (b, it) {
		it->state = it->was = OP_REFUSED;
		it->op_id = NULL; /* no journal row, no operation */
		if (it->code || it->nothing_to_do)
			continue;
		it->state = it->was = OP_SUCCEEDED;
		if (flows[it->kind]->intend)
			flows[it->kind]->intend(it, &none);
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
			ask(b->mem, it);
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
		if (it->code == CODE_PARTNER_BUSY) {
			it->op_id = NULL; /* shedding load must cost little */
			continue;
		}
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
 * The COMMIT of the first transaction may have happened. Its rows tell, once
 * the database can be asked; until then nobody can say.
 */
static enum rc look_for_rows(struct app *app, struct batch *b)
{
	int64_t until = clock_mono_ms() + CLOSE_PATIENCE_MS;
	enum rc rc;

	while ((rc = store_peek(app->db, b)) != RC_OK &&
	       clock_mono_ms() < until)
		clock_sleep_ms(TX_CAP_MS);
	if (rc != RC_OK)
		return RC_DOUBT;
	batch_each (b, it) {
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

/* Is it there all the same, by a COMMIT whose answer was lost? */
static bool is_saved(struct app *app, struct batch *b)
{
	bool saved = false;

	if (store_peek(app->db, b) != RC_OK)
		return false;
	batch_each (b, it) {
		if (it->was != OP_NONE)
			it->state = it->was;
		saved = saved || it->was != OP_NONE;
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

		it->state = OP_REFUSED;
		if (!it->op_id)
			continue;
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
			fail_all(b, CODE_NO_ANSWER, "The database went away "
				 "while the change was being saved; look the "
				 "operation up before trying again.");
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

static void call_all(struct app *app, struct batch *b, size_t n,
		     struct call *const *calls)
{
	partner_call(app->http, b->mem, calls, n,
		     (size_t)app->conf->sync_concurrency, b->deadline);
}

static void saga_sync(struct app *app, struct batch *b)
{
	struct call **calls = arena_array(b->mem, b->n, sizeof *calls);
	size_t n = 0;

	batch_each (b, it)
		if (op_is_open(it->was) && !it->undoing && !it->call->local)
			calls[n++] = it->call;
	call_all(app, b, n, calls);
	fault(FAULT_AFTER_SYNC);
}

/* ---- the second transaction: settle the yes, undo the no ---- */

/* In doubt it is driven on; all others are taken back. */
static bool goes_on(const struct item *it)
{
	return it->goes_on || !flows[it->kind]->unask;
}

static enum outcome outcome_of(enum rc verdict)
{
	return verdict == RC_OK ? STEP_OK :
	       verdict == RC_DOUBT ? STEP_UNKNOWN : STEP_FAILED;
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
	what = c->verdict == RC_OK ?
		arena_printf(mem, "%s accepted it%s",
			     partners[c->partner]->name,
			     recovered && it->was == OP_RUNNING ?
			     ", asked after a crash" : "") : c->why;
	if (it->was == OP_RUNNING) {
		*e = (struct trace_entry){outcome_of(c->verdict),
					  c->began + c->ms, c->ms, what};
		return;
	}
	/* the step stays unknown, for so it was when the caller was told */
	e->detail = arena_printf(mem, "%s; asked again: %s",
				 e->detail ? e->detail : "no answer", what);
}

/* Is the local change to be taken back in this step? It is there while the
 * operation is RUNNING, and as long as one that goes on is open. */
static bool is_taken_back(const struct item *it)
{
	if (!flows[it->kind]->undo || it->state == OP_SUCCEEDED)
		return false;
	return goes_on(it) ? !op_is_open(it->state) : it->was == OP_RUNNING;
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
			   arena_printf(mem, "the %s was taken back here, and "
					"undone at %s", flow->noun, name));
}

/* The sentence for who asked. */
static void tell(struct arena *mem, struct item *it)
{
	const struct flow *flow = flows[it->kind];
	const char *why = it->call->why ? it->call->why : "";
	const char *name = partners[it->call->partner]->name;
	const char *here = flow->undo ?
		arena_printf(mem, "The %s was rolled back here", flow->noun) :
		"Nothing was changed here";

	if (it->state == OP_SETTLING && goes_on(it))
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
		item_refuse(it, flow->sync_failed, arena_printf(mem, "%s. %s.",
			why, here));
}

/* The state that an operation is to take, from what its partner said. */
static enum op_state state_after(const struct item *it, bool recovered)
{
	if (it->save_failed)
		return OP_SETTLING;
	if (it->undoing)
		return it->undone ? OP_COMPENSATED : it->was;
	if (it->goes_on && it->call->verdict == RC_AGAIN)
		return OP_SETTLING; /* a way back is tried until it is clear */
	return rules_next(it->was, it->call->verdict, recovered, goes_on(it));
}

/* It is closed for good: the audit, and what follows by itself. */
static void conclude(struct item *it, struct change *ch, const char *owner)
{
	const struct flow *flow = flows[it->kind];
	bool success = it->state == OP_SUCCEEDED;

	change_audit(ch, it, success ? "SUCCESS" : op_state_name[it->state],
		     flow->needs_ntt || (success && flow->audits_ntt));
	trace_note(&it->trace, STEP_write_audit, STEP_OK, clock_wall_ms(),
		   NULL);
	it->next = flow->follow ? flow->follow(it, ch->mem) : NULL;
	if (it->next) {
		ask(ch->mem, it->next);
		begin(it->next, ch, owner);
	}
}

/* How long it waits. Where the partner was not asked, because it is only
 * probed, somebody else's probe may find it well any moment. */
static int64_t next_try_ms(const struct conf *cf, const struct item *it)
{
	int64_t ms = clock_backoff_ms(it->tries ? it->tries - 1 : 0,
				      cf->retry_base_ms, cf->retry_cap_ms);
	int64_t probed = clock_backoff_ms(0, PROBED_MS, PROBED_MS);

	return !it->call->attempts && ms > probed ? probed : ms;
}

/* TMF's ticket could not be read, for there is none: if that stays so, it has
 * no link either. A single answer may be that of a partner out of order. */
static bool is_gone(const struct item *it)
{
	return it->call->verdict == RC_AGAIN && it->tries >= GONE_TRIES &&
	       (it->call->status == 404 || it->call->status == 410);
}

/* What becomes of one operation, and the changes that make it so. */
static void judge(struct app *app, struct item *it, struct change *ch,
		  bool recovered)
{
	const struct flow *flow = flows[it->kind];
	const struct conf *cf = app->conf;
	int64_t next_ms = 0;

	it->next = NULL; /* of a close that was tried before */
	/* "not sent" is only this process's word: since its connection was
	 * lost, recovery may have sent it */
	if (!recovered && it->call->verdict == RC_AGAIN &&
	    !db_is_owner(app->db, it->owner))
		it->call->verdict = RC_DOUBT;
	if (is_gone(it))
		it->call->verdict = RC_NO;
	it->state = state_after(it, recovered);
	if (it->state == it->was) { /* still not known */
		if (!it->judged++ && it->call->attempts)
			it->tries++;
		next_ms = next_try_ms(cf, it);
		it->note = it->call->why;
		change_op(ch, it, next_ms);
		return;
	}
	if (!it->judged++ && !it->undoing)
		note_sync(ch->mem, it, recovered);
	if (it->state == OP_SUCCEEDED) {
		it->code = CODE_OK;
		flow->settle(it, ch);
	} else {
		it->note = it->call->why;
		if (it->was == OP_RUNNING || !it->code) /* or: told to wait */
			tell(ch->mem, it);
		note_rollback(ch->mem, it);
	}
	if (it->state == OP_SETTLING)
		next_ms = next_try_ms(cf, it);
	else
		conclude(it, ch, db_owner(app->db));
	/* what follows has made the CTT's link its own already */
	if (is_taken_back(it) && !it->next)
		flow->undo(it, ch);
	change_op(ch, it, next_ms);
}

/* What the caller can be told of an operation that was closed elsewhere: of a
 * link its success, but not of what was stored along with others. */
static void adopt(struct item *it)
{
	bool stored = it->then_id || it->resolve || it->cpe;

	if ((it->state == OP_SUCCEEDED && stored) ||
	    (op_is_open(it->state) && !it->code && !goes_on(it)))
		item_refuse(it, CODE_NO_ANSWER, "The connection to the "
			"database was lost on the way, and the operation was "
			"finished by the recovery: look it up.");
	else if (it->state == OP_SUCCEEDED && it->ntt)
		it->ntt->ctt_count += it->kind == OP_LINK ? 1 : -1;
	else if (it->code)
		it->detail = "It was settled by the recovery.";
}

/* Some operation was closed by somebody else, or by our own COMMIT whose
 * answer was lost: what the journal says now holds. */
static enum rc adopt_closed(struct app *app, struct batch *b)
{
	struct batch left = batch_part(b);
	enum op_state *was = arena_array(b->mem, b->n, sizeof *was);
	enum rc rc;
	size_t i = 0;

	batch_each (b, it)
		was[i++] = it->was;
	rc = store_peek(app->db, b);
	i = 0;
	batch_each (b, it) {
		if (rc != RC_OK) {
			it->was = was[i++];
			continue;
		}
		if (it->was == was[i++]) {
			batch_add(&left, it);
			continue;
		}
		it->state = it->was;
		it->next = NULL; /* whoever closed it has that in hand */
		adopt(it);
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

static void saga_close(struct app *app, struct batch *b, bool recovered)
{
	int64_t until = clock_mono_ms() + CLOSE_PATIENCE_MS;
	struct batch open = batch_part(b);
	unsigned tries = 0;

	batch_each (b, it)
		if (op_is_open(it->was))
			batch_add(&open, it);
	while (open.n) {
		struct change ch;
		bool won;
		enum rc rc;

		change_init(&ch, &open);
		batch_each (&open, it)
			judge(app, it, &ch, recovered);
		rc = store_close(app->db, &ch, &open, &won);
		if (won) {
			fault(FAULT_AFTER_CLOSE);
			batch_each (&open, it) {
				it->was = it->state;
				if (it->next)
					it->next->was = it->next->state;
				log_closed(it);
			}
			return;
		}
		if (rc == RC_OK) {
			size_t n = open.n;

			rc = adopt_closed(app, &open);
			if (rc == RC_OK && open.n < n)
				continue;
		}
		if (rc == RC_NO && open.n > 1) {
			close_halves(app, &open, recovered);
			return;
		}
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
	drive(app, *wave);
}

/* Take the first item of each CTT out of *b, into *wave_r. */
static void take_wave(struct batch *b, struct batch *wave_r)
{
	struct batch rest = batch_part(b);

	*wave_r = batch_part(b);
	batch_sort(b);
	batch_each (b, it) {
		const struct item *last =
			wave_r->n ? wave_r->it[wave_r->n - 1] : NULL;

		if (last && it->ctt_ref.id &&
		    it->ctt_ref.id == last->ctt_ref.id) {
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
		take_wave(&rest, &wave);
		run_wave(app, flow, &wave);
	}
	health_leave(app->health);
	if (!b->dry_run)
		cache_add_blocks(app->cache, b);
}

/* ---- recovery ---- */

/* The partner said yes to what the caller was told had failed. */
static bool is_to_be_undone(const struct item *it)
{
	return it->undoing || (it->was == OP_SETTLING &&
			       it->call->verdict == RC_OK && !goes_on(it));
}

/* An undo that the partner refuses so has nothing to undo: section 9. */
static bool nothing_to_undo(const struct call *c)
{
	return (c->verdict == RC_NO || c->verdict == RC_AGAIN) &&
	       (c->status == 404 || c->status == 409 || c->status == 410 ||
		c->status == 422);
}

static void undo_all(struct app *app, struct batch *b)
{
	struct call **calls = arena_array(b->mem, b->n, sizeof *calls);
	struct batch undo = batch_part(b);
	size_t n = 0;

	batch_each (b, it)
		if (is_to_be_undone(it))
			batch_add(&undo, it);
	if (!undo.n || store_undoing(app->db, &undo) != RC_OK)
		return;
	fault(FAULT_BEFORE_UNDO);
	batch_each (&undo, it) {
		if (!it->undoing)
			note_sync(b->mem, it, true);
		it->undoing = true;
		it->call = call_new(b->mem, it, "undo");
		flows[it->kind]->unask(it, it->call);
		calls[n++] = it->call;
	}
	call_all(app, b, n, calls);
	fault(FAULT_AFTER_UNDO);
	batch_each (&undo, it)
		it->undone = it->call->verdict == RC_OK ||
			     nothing_to_undo(it->call);
}

/* What the journal keeps of a request, back in its item. */
static void recall(struct batch *b)
{
	batch_each (b, it) {
		struct json_object *o =
			it->intent ? json_tokener_parse(it->intent) : NULL;

		if (flows[it->kind]->recall)
			flows[it->kind]->recall(it, o, b->mem);
		json_object_put(o);
	}
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

/* A LINK and an UNLINK cannot go on without both of their tickets. */
static bool is_whole(const struct item *it)
{
	return it->ctt && (it->ntt || !flows[it->kind]->needs_ntt);
}

static size_t recover(struct app *app, struct batch *all)
{
	struct batch b = batch_part(all), lost = batch_part(all);
	size_t closed = 0;

	batch_each (all, it)
		batch_add(is_whole(it) ? &b : &lost, it);
	if (lost.n) {
		lost.it[0]->note = "its CTT or NTT does not exist any more";
		if (store_defer(app->db, &lost, app->conf->retry_cap_ms) !=
		    RC_OK)
			db_drop(app->db); /* then they are abandoned */
	}
	batch_each (&b, it)
		ask(b.mem, it);
	saga_sync(app, &b);
	undo_all(app, &b);
	saga_close(app, &b, true);
	drive(app, followers(&b));
	cache_add_blocks(app->cache, &b);
	batch_each (&b, it)
		closed += !op_is_open(it->state);
	return closed;
}

size_t saga_recover(struct app *app, struct arena *mem,
		    const char *const *ids, size_t n, int64_t deadline)
{
	struct batch b;

	if (store_claim(app->db, mem, ids, n, &b) != RC_OK || !b.n)
		return 0;
	fault(FAULT_AFTER_CLAIM);
	b.deadline = deadline;
	b.block_ttl_s = app->conf->unlink_block_ttl_s;
	recall(&b);
	if (load_claimed(app, &b) != RC_OK) {
		db_drop(app->db); /* they are abandoned again */
		return 0;
	}
	batch_sort(&b);
	return recover(app, &b);
}
