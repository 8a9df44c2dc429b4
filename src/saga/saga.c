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

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "model/rules.h"

enum {
	TX_TRIES = 5,         /* of a transaction that met a deadlock    */
	TX_BASE_MS = 10,
	TX_CAP_MS = 200,
	CLOSE_PATIENCE_MS = 5000, /* for a database that went away        */
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

static void log_closed(const struct batch *b, const struct item *it)
{
	log_line(LOG_INFO, "operation", "op=%s kind=%s state=%s ctt=%s ntt=%s "
		 "code=%s tries=%u", it->op_id, kind_name[b->kind],
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

static struct call *call_new(struct batch *b, const struct item *it,
			     const char *step)
{
	struct call *c = arena_alloc(b->mem, sizeof *c);

	c->key = arena_printf(b->mem, "%s-%s", it->op_id, step);
	c->actor = it->actor;
	c->request_id = it->request_id;
	c->verdict = RC_AGAIN; /* until it is made, nothing was sent */
	return c;
}

static void ask(const struct flow *flow, struct batch *b, struct item *it)
{
	it->call = call_new(b, it, "sync");
	flow->ask(it, it->call);
	it->partner = partners[it->call->partner]->code;
}

static enum rc load(struct app *app, struct batch *b)
{
	enum rc rc = store_load(app->db, b, app->conf->unlink_block_ttl_s);

	/* nothing was to be committed: a connection that broke (one that the
	 * server had closed, mostly) is simply made again */
	return rc == RC_DOUBT ? RC_AGAIN : rc;
}

static enum rc try_open(struct app *app, const struct flow *flow,
			struct batch *b)
{
	enum rc rc = load(app, b);
	struct change ch;
	size_t alive = 0;

	if (rc == RC_OK && settle_abandoned(app, b)) {
		batch_each (b, it)
			item_reset(it);
		rc = load(app, b);
	}
	if (rc != RC_OK)
		return rc;
	fault(FAULT_AFTER_LOAD);
	change_init(&ch, b);
	batch_each (b, it) {
		flow->check(it, b->mem);
		it->state = it->code ? OP_REFUSED : OP_RUNNING;
		if (!it->code) {
			alive++;
			flow->intend(it, &ch);
			ask(flow, b, it);
			trace_note(&it->trace, flow->save_step, STEP_OK,
				   clock_wall_ms(), NULL);
		}
		change_op_new(&ch, b, it, db_owner(app->db));
	}
	if (fault(FAULT_BEFORE_INTENT)) {
		store_cancel(app->db);
		return RC_NO;
	}
	rc = store_save(app->db, alive ? flow->save : SQL_OP_SAVE, &ch);
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

/* The database refused to save this one item. Its trace is kept if it can. */
static void save_refused(struct app *app, const struct flow *flow,
			 struct batch *b)
{
	struct item *it = b->it[0];
	struct change ch;

	item_refuse(it, CODE_DB_SAVE_FAILED, "The database refused to save the "
		    "change; nothing was changed, and no partner was asked.");
	it->state = OP_REFUSED;
	it->was = OP_NONE;
	trace_note(&it->trace, flow->save_step, STEP_FAILED, clock_wall_ms(),
		   "the database refused it");
	change_init(&ch, b);
	change_op_new(&ch, b, it, NULL);
	store_save(app->db, SQL_OP_SAVE, &ch);
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
			if (b->n > 1) {
				batch_each (b, it)
					item_reset(it);
				open_halves(app, flow, b);
			} else {
				save_refused(app, flow, b);
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
		if (op_is_open(it->was) && it->call)
			calls[n++] = it->call;
	call_all(app, b, n, calls);
	fault(FAULT_AFTER_SYNC);
}

/* ---- the second transaction: settle the yes, undo the no ---- */

static enum outcome outcome_of(enum rc verdict)
{
	return verdict == RC_OK ? STEP_OK :
	       verdict == RC_DOUBT ? STEP_UNKNOWN : STEP_FAILED;
}

static void note_sync(struct batch *b, struct item *it, bool recovered)
{
	const struct call *c = it->call;
	struct trace_entry *e = &it->trace.step[STEP_sync_partner];
	const char *name = partners[c->partner]->name;
	const char *what = c->verdict == RC_OK ?
		arena_printf(b->mem, "%s accepted it%s", name,
			     recovered ? ", asked after a crash" : "") : c->why;

	if (it->was == OP_RUNNING) {
		*e = (struct trace_entry){outcome_of(c->verdict),
					  c->began + c->ms, c->ms, what};
		return;
	}
	/* the step stays unknown, for so it was when the caller was told */
	e->detail = arena_printf(b->mem, "%s; asked again: %s",
				 e->detail ? e->detail : "no answer", what);
}

static void note_rollback(struct batch *b, struct item *it, const char *noun)
{
	const char *name = partners[it->call->partner]->name;

	if (it->was == OP_RUNNING)
		trace_note(&it->trace, STEP_rollback, STEP_OK, clock_wall_ms(),
			   arena_printf(b->mem, "the %s was taken back here",
					noun));
	if (it->state == OP_COMPENSATED)
		trace_note(&it->trace, STEP_rollback, STEP_OK, it->call->began,
			   arena_printf(b->mem, "the %s was taken back here, "
					"and undone at %s", noun, name));
}

/* The sentence for who asked. */
static void tell(struct batch *b, struct item *it, const struct flow *flow)
{
	const char *why = it->call->why ? it->call->why : "";
	const char *name = partners[it->call->partner]->name;

	if (it->save_failed)
		item_refuse(it, CODE_DB_SAVE_FAILED, arena_printf(b->mem,
			"%s accepted the %s, but the database refused to "
			"finish it; the %s was taken back here and is being "
			"undone at %s.", name, flow->noun, flow->noun, name));
	else if (it->state == OP_SETTLING)
		item_refuse(it, flow->sync_failed, arena_printf(b->mem,
			"%s; whether it took the %s is not known. The %s was "
			"rolled back here, and %s is asked again until it is "
			"known, and undone there if need be.", why,
			flow->noun, flow->noun, name));
	else
		item_refuse(it, flow->sync_failed, arena_printf(b->mem,
			"%s; the %s was rolled back.", why, flow->noun));
}

/* What becomes of one operation, and the changes that make it so. */
static void judge(struct app *app, const struct flow *flow, struct batch *b,
		  struct item *it, struct change *ch, bool recovered)
{
	const struct conf *cf = app->conf;
	int64_t now = clock_wall_ms(), next_ms = 0;

	if (it->save_failed)
		it->state = OP_SETTLING;
	else if (it->undoing)
		it->state = it->undone ? OP_COMPENSATED : it->was;
	else
		it->state = rules_next(it->was, it->call->verdict, recovered);

	if (it->state == it->was) { /* still not known */
		next_ms = clock_backoff_ms(it->tries++, cf->retry_base_ms,
					   cf->retry_cap_ms);
		it->note = it->call->why;
		change_op(ch, b, it, next_ms);
		return;
	}
	if (!it->undoing)
		note_sync(b, it, recovered);
	if (it->state == OP_SUCCEEDED) {
		it->code = CODE_OK;
		flow->settle(it, ch);
	} else {
		if (it->was == OP_RUNNING) {
			flow->undo(it, ch);
			tell(b, it, flow);
		}
		note_rollback(b, it, flow->noun);
		it->note = it->call->why;
	}
	if (it->state == OP_SETTLING) {
		next_ms = clock_backoff_ms(0, cf->retry_base_ms,
					   cf->retry_cap_ms);
	} else {
		change_audit(ch, it, flow->kind,
			     it->state == OP_SUCCEEDED ? "SUCCESS" :
			     op_state_name[it->state]);
		trace_note(&it->trace, STEP_write_audit, STEP_OK, now, NULL);
	}
	change_op(ch, b, it, next_ms);
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
		if (!op_is_open(it->state) && it->code)
			it->detail = "It was settled by the recovery.";
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
		batch_each (b, it)
			item_refuse(it, CODE_NO_ANSWER, "The partner was "
				"asked, but the database did not take the "
				"outcome. The operation is finished later; "
				"look it up before trying again.");
	}
	db_drop(app->db);
}

static void saga_close(struct app *app, const struct flow *flow,
		       struct batch *b, bool recovered);

static void close_halves(struct app *app, const struct flow *flow,
			 struct batch *b, bool recovered)
{
	struct batch half = *b;

	half.n = b->n / 2;
	saga_close(app, flow, &half, recovered);
	half.it = b->it + half.n;
	half.n = b->n - half.n;
	saga_close(app, flow, &half, recovered);
}

static void saga_close(struct app *app, const struct flow *flow,
		       struct batch *b, bool recovered)
{
	int64_t until = clock_mono_ms() + CLOSE_PATIENCE_MS;
	struct batch open = batch_part(b);
	unsigned tries = 0;

	batch_each (b, it)
		if (op_is_open(it->was) && it->call)
			batch_add(&open, it);
	while (open.n) {
		struct change ch;
		bool won;
		enum rc rc;

		change_init(&ch, &open);
		batch_each (&open, it)
			judge(app, flow, &open, it, &ch, recovered);
		rc = store_close(app->db, flow->close, &ch, &open, &won);
		if (won) {
			fault(FAULT_AFTER_CLOSE);
			batch_each (&open, it) {
				it->was = it->state;
				log_closed(&open, it);
			}
			return;
		}
		if (rc == RC_OK)
			rc = adopt_closed(app, &open);
		if (rc == RC_OK)
			continue;
		if (rc == RC_NO && open.n > 1) {
			close_halves(app, flow, &open, recovered);
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

static void run_wave(struct app *app, const struct flow *flow,
		     struct batch *wave)
{
	batch_sort(wave);
	saga_open(app, flow, wave);
	saga_sync(app, wave);
	saga_close(app, flow, wave, false);
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
		    it->ctt_ref.id == last->ctt_ref.id)
			batch_add(&rest, it);
		else
			batch_add(wave_r, it);
	}
	*b = rest;
}

void saga_run(struct app *app, const struct flow *flow, struct batch *b)
{
	struct batch rest, wave;
	enum rc rc;

	b->kind = flow->kind;
	b->steps = flow->steps;
	rc = store_ids(app->db, b);
	if (rc == RC_DOUBT || rc == RC_AGAIN) /* a connection that had gone */
		rc = store_ids(app->db, b);
	if (rc != RC_OK) {
		fail_db_away(b);
		return;
	}
	cache_read_blocks(app->cache, b);
	rest = batch_part(b);
	batch_each (b, it)
		batch_add(&rest, it);
	while (rest.n) {
		take_wave(&rest, &wave);
		run_wave(app, flow, &wave);
	}
}

/* ---- recovery ---- */

/* The partner said yes to what the caller was told had failed. */
static bool is_to_be_undone(const struct item *it)
{
	return it->undoing || (it->was == OP_SETTLING && it->call &&
			       it->call->verdict == RC_OK);
}

/* An undo that the partner refuses so has nothing to undo: section 9. */
static bool nothing_to_undo(const struct call *c)
{
	return (c->verdict == RC_NO || c->verdict == RC_AGAIN) &&
	       (c->status == 404 || c->status == 409 || c->status == 410 ||
		c->status == 422);
}

static void undo_all(struct app *app, const struct flow *flow,
		     struct batch *b)
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
			note_sync(b, it, true);
		it->undoing = true;
		it->call = call_new(b, it, "undo");
		flow->unask(it, it->call);
		calls[n++] = it->call;
	}
	call_all(app, b, n, calls);
	fault(FAULT_AFTER_UNDO);
	batch_each (&undo, it)
		it->undone = it->call->verdict == RC_OK ||
			     nothing_to_undo(it->call);
}

static size_t recover_kind(struct app *app, const struct flow *flow,
			   struct batch *all)
{
	struct batch b = batch_part(all), lost = batch_part(all);
	struct call **calls = arena_array(all->mem, all->n, sizeof *calls);
	size_t n = 0, closed = 0;

	batch_each (all, it)
		batch_add(it->ctt && it->ntt ? &b : &lost, it);
	if (lost.n) {
		lost.it[0]->note = "its CTT or NTT does not exist any more";
		store_defer(app->db, &lost, app->conf->retry_cap_ms);
	}
	b.steps = flow->steps;
	batch_each (&b, it) {
		ask(flow, &b, it);
		if (!it->undoing)
			calls[n++] = it->call;
	}
	call_all(app, &b, n, calls);
	undo_all(app, flow, &b);
	saga_close(app, flow, &b, true);
	batch_each (&b, it)
		closed += !op_is_open(it->state);
	return closed;
}

size_t saga_recover(struct app *app, struct arena *mem,
		    const char *const *ids, size_t n, int64_t deadline)
{
	struct batch of_kind[KIND__MAX];
	size_t closed = 0;

	if (store_claim(app->db, mem, ids, n, of_kind) != RC_OK)
		return 0;
	fault(FAULT_AFTER_CLAIM);
	for (int k = 0; k < KIND__MAX; k++) {
		of_kind[k].deadline = deadline;
		if (of_kind[k].n)
			closed += recover_kind(app, flows[k], &of_kind[k]);
	}
	return closed;
}
