/*
 * saga/close.c - the second transaction: writes what saga_judge decided. If
 * another process has closed an operation before, or our own COMMIT whose reply
 * was lost, it takes over that result
 */
#include "saga/close.h"

#include "base/fault.h"
#include "base/log.h"
#include "model/tally.h"
#include "saga/judge.h"
#include "saga/retry.h"
#include "saga/step.h"
#include "saga/tray.h"
#include "store/save.h"

enum {
	LOCKED_MS = 1000, /* a transaction that took longer met a lock      */
	TAKEN_MS = 2000,  /* the wait for another owner to close            */
};

static void log_closed(const struct item *it)
{
	tally_add(TALLY_OPERATIONS + it->kind * OP_STATE__MAX + it->state, 1);
	log_line(LOG_INFO, "operation", "op=%s kind=%s state=%s ctt=%s ntt=%s "
		 "code=%s tries=%u", it->op_id, kind_name[it->kind],
		 op_state_name[it->state],
		 it->ctt ? it->ctt->ticket_no : "-",
		 it->ntt ? it->ntt->ticket_no : "-",
		 it->code ? code_info[it->code].name : "-", it->journal.tries);
}

/* What to tell the caller of an operation that was closed elsewhere. A link's
 * success can be reported; ids of rows that were stored with it cannot. If
 * another process still works on it, nothing is known yet. */
static void adopt(struct item *it, bool in_hand)
{
	bool stored = it->move.then_id || it->resolve || it->cpe;

	if (in_hand)
		item_refuse(it, CODE_NO_ANSWER, "This process was held up, "
			"and recovery took the operation over; look it up.");
	else if ((it->state == OP_SUCCEEDED && stored) ||
		 (op_is_open(it->state) && !step_is_forward(it) && !it->code))
		item_refuse(it, CODE_NO_ANSWER, "This process was held up, "
			"and recovery has finished the operation; look it up.");
	else if (it->state == OP_SUCCEEDED && it->ntt)
		it->ntt->ctt_count += flows[it->kind]->count_by;
	else if (it->code)
		it->detail = "Recovery has settled the operation.";
}

/* Wait for a process that took over some of the operations: it usually closes
 * them soon, and the caller can be told the result. */
static enum rc peek_settled(struct app *app, struct batch *b, bool recovered)
{
	int64_t until = clock_mono_ms() + TAKEN_MS;

	for (unsigned tries = 0;; retry_pause(tries++)) {
		enum rc rc = store_peek(app_db(app), b);
		bool wait = false;

		batch_each (b, it)
			wait = wait || (it->journal.is_taken &&
					it->was == OP_RUNNING);
		if (rc != RC_OK || recovered || !wait || clock_mono_ms() > until)
			return rc;
	}
}

/* Some operation was taken over or closed by another process after our lease
 * had ended, or closed by our own COMMIT whose reply was lost. Take over what
 * the journal says now. */
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
		if (same && !it->journal.is_taken) {
			batch_add(&left, it);
			continue;
		}
		it->state = it->was;
		it->next = NULL; /* the process that closed it sees to that */
		adopt(it, same);
		log_line(LOG_INFO, "operation_adopted", "op=%s state=%s",
			 it->op_id, op_state_name[it->state]);
	}
	if (rc == RC_OK)
		*b = left;
	return rc;
}

/* Leave the operations open, for recovery. Those of a request are abandoned at
 * its end (saga.c abandon_unknown). */
static void give_up(struct app *app, struct batch *b, bool recovered)
{
	log_line(LOG_ERROR, "close_failed", "operations=%zu first=%s "
		 "error=\"%s\"", b->n, b->it[0]->op_id, db_error(app_db(app)));
	if (recovered) {
		b->it[0]->journal.why = "the database refuses to close it";
		if (store_defer(app_db(app), b, app->conf->retry_cap_ms) != RC_OK)
			lease_abandon(app->lease);
	} else {
		batch_each (b, it) {
			it->next = NULL;
			item_refuse(it, CODE_NO_ANSWER, "The partner was "
				"called, but the database did not store the "
				"outcome. Recovery will finish the operation; "
				"look it up before you try again.");
		}
	}
}

static void close_alone(struct app *app, const struct batch *b,
			bool recovered);

static void close_halves(struct app *app, struct batch *b, bool recovered)
{
	struct batch half = *b;

	half.n = b->n / 2;
	close_alone(app, &half, recovered);
	half.it = b->it + half.n;
	half.n = b->n - half.n;
	close_alone(app, &half, recovered);
}

static uint64_t ntt_of(const struct item *it)
{
	return it->ntt ? it->ntt->id : 0;
}

/* A row was locked for long. Close the items of each NTT separately, so that
 * other NTTs do not wait for it. False: all items have the same NTT. */
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
		close_alone(app, &one, recovered);
		rest = others;
	}
	return true;
}

/* Decide on all items, and write what was decided. If that did not happen for
 * all of them, none was closed. */
static enum rc try_close(struct app *app, struct batch *b, bool recovered,
			 bool *won_r)
{
	struct change ch;
	enum rc rc;

	lease_keep(app->lease); /* locks may have been waited for */
	change_init(&ch, app->conf, b);
	batch_each (b, it)
		saga_judge(app, it, &ch, recovered);
	rc = store_close(app_db(app), &ch, b, won_r);
	if (!*won_r)
		return rc;
	fault(FAULT_AFTER_CLOSE);
	batch_each (b, it) {
		it->was = it->state;
		if (it->next)
			it->next->was = it->next->state;
		if (it->sync.assumed)
			tally_add(TALLY_ASSUMED, 1);
		log_closed(it);
	}
	return rc;
}

static void close_alone(struct app *app, const struct batch *b, bool recovered)
{
	int64_t until = clock_mono_ms() + DB_PATIENCE_MS;
	struct batch open = *b;
	unsigned tries = 0;

	while (open.n) {
		int64_t began = clock_mono_ms();
		bool won;
		enum rc rc;

		rc = try_close(app, &open, recovered, &won);
		if (won)
			return;
		if (rc == RC_DOUBT)
			db_end_lost(app_db(app), until);
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
		if (rc == RC_NO && !recovered &&
		    !open.it[0]->journal.save_failed) {
			open.it[0]->journal.save_failed = true;
			continue;
		}
		if (rc == RC_NO || clock_mono_ms() > until) {
			give_up(app, &open, recovered);
			return;
		}
		retry_pause(tries++);
	}
}

/* If not all can be closed, each request tries it alone. */
void saga_close_together(struct app *app, struct batch *b)
{
	bool won;

	if (try_close(app, b, false, &won) == RC_DOUBT)
		db_end_lost(app_db(app), clock_mono_ms() + DB_PATIENCE_MS);
	batch_each (b, it)
		it->aside = !won;
}

/* Close alone the items that were set aside. */
static void close_the_rest(struct app *app, const struct batch *b)
{
	struct batch alone = batch_part(b);

	batch_each (b, it)
		if (it->aside)
			batch_add(&alone, it);
	close_alone(app, &alone, false);
}

void saga_close(struct app *app, struct batch *b, bool recovered)
{
	struct batch open = batch_part(b);

	batch_each (b, it)
		if (op_is_open(it->was))
			batch_add(&open, it);
	if (!open.n)
		return;
	if (recovered || !tray_takes(app, &open)) {
		close_alone(app, &open, recovered);
		return;
	}
	tray_pass(app, STAGE_CLOSE, &open);
	close_the_rest(app, &open);
}

/* ---- as calls end ---- */

/* Move the items whose calls have ended into a batch of their own, whose memory
 * another thread may use. */
static struct batch *take_ended(struct closing *c)
{
	struct arena *mem = arena_open();
	struct batch *group = arena_alloc(mem, sizeof *group);
	size_t n = 0;

	*group = batch_empty(mem, c->left.n);
	batch_each (&c->left, it) {
		if (it->sync.call->ended)
			batch_add(group, it);
		else
			c->left.it[n++] = it;
	}
	c->left.n = n;
	batch_own_ntts(group);
	arena_share(mem, c->mem);
	arena_close(mem); /* the request keeps it */
	return group;
}

struct closing saga_closing(struct app *app, const struct batch *b)
{
	struct closing c = {.app = app, .mem = b->mem, .left = batch_part(b)};

	c.group = arena_array(b->mem, b->n, sizeof *c.group);
	c.entry = arena_array(b->mem, b->n, sizeof *c.entry);
	return c;
}

void saga_close_ended(struct closing *c, size_t least)
{
	size_t n = 0;

	batch_each (&c->left, it)
		n += it->sync.call->ended;
	if (!n || n < least)
		return;
	c->group[c->n] = take_ended(c);
	batch_each (c->group[c->n], it)
		step_ended(it);
	c->entry[c->n] = tray_post(c->app, STAGE_CLOSE, c->group[c->n]);
	c->n++;
}

void saga_close_left(struct closing *c)
{
	saga_close(c->app, &c->left, false);
	for (size_t i = 0; i < c->n; i++)
		tray_wait(c->app, c->entry[i]);
	for (size_t i = 0; i < c->n; i++)
		close_the_rest(c->app, c->group[i]);
}
