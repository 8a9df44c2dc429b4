/*
 * saga/recover.c - enters the pipeline in its middle, for operations that their
 * owner left open
 */
#include "saga/recover.h"

#include <json-c/json.h>

#include "base/fault.h"
#include "saga/close.h"
#include "saga/drive.h"
#include "saga/step.h"
#include "saga/tell.h"

/* Send the inverse of each call that was applied, or that may have been and
 * cannot be looked up. */
static void undo_all(struct app *app, struct batch *b)
{
	struct batch undo = batch_part(b);

	batch_each (b, it)
		if (it->sync.undoing ? it->sync.past.known != KNOWN_YES :
		    step_next(app->conf, it, true) == NEXT_UNDO)
			batch_add(&undo, it);
	if (!undo.n || store_undoing(app_db(app), &undo) != RC_OK)
		return; /* the others wait for the next time */
	fault(FAULT_BEFORE_UNDO);
	batch_each (&undo, it) {
		if (!it->sync.undoing) {
			tell_sync(b->mem, it, true);
			it->sync.past.known = KNOWN_UNSENT;
			it->sync.past.refusals = it->sync.past.bodies = 0;
			it->sync.past.body_hash = 0;
		}
		it->sync.undoing = true;
		step_unask(app->conf, b->mem, it);
	}
	app_wait(app);
	step_call_all(app, &undo);
	fault(FAULT_AFTER_UNDO);
}

bool saga_recall(struct item *it, struct arena *mem)
{
	const char *intent = it->journal.intent;
	struct json_object *o = intent ? json_tokener_parse(intent) : NULL;
	bool whole = flows[it->kind]->recall(it, o, mem);

	json_object_put(o);
	return whole;
}

/* Read the tickets of claimed operations. The locks are given up at once,
 * because an open operation reserves its CTT. */
static enum rc load_claimed(struct app *app, struct batch *b)
{
	enum rc rc = store_load(app_db(app), SQL_LOAD_ACTIVITIES, b);

	if (rc == RC_OK)
		store_cancel(app_db(app));
	return rc;
}

/* Defer operations that cannot continue for now. */
static void let_go(struct app *app, struct batch *b, const char *why)
{
	if (!b->n)
		return;
	b->it[0]->journal.why = why;
	if (store_defer(app_db(app), b, app->conf->retry_cap_ms) != RC_OK)
		lease_abandon(app->lease);
}

/* Prepare the calls of claimed operations. Defer those of which the journal
 * does not have enough. */
static struct batch recall_calls(struct app *app, struct batch *all)
{
	struct batch b = batch_part(all), lost = batch_part(all);
	struct batch odd = batch_part(all);

	batch_each (all, it)
		batch_add(it->recovery.is_damaged ? &odd :
			  step_find_lost(b.mem, it) ? &b : &lost, it);
	let_go(app, &lost, "its CTT or NTT does not exist any more");
	let_go(app, &odd, "its row was changed: the intent is missing or "
	       "damaged; see cttctl operations close");
	batch_each (&b, it)
		step_ask(app->conf, b.mem, it);
	return b;
}

/* Must the call be made? Not if the partner has accepted it, or if it is being
 * undone. */
static bool is_to_be_asked(const struct item *it)
{
	return !it->sync.undoing && it->sync.past.known != KNOWN_YES;
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
	saga_drive(app, saga_followers(&b));
	saga_block(app, &b);
	batch_each (&b, it)
		closed += !op_is_open(it->state);
	return closed;
}

/* Become the owner of those operations that are open and abandoned, and load
 * their tickets. False: there are none, or the database is away. */
static bool claim(struct app *app, struct arena *mem, const char *const *ids,
		  size_t n, struct batch *b)
{
	const char *owner;
	enum rc rc = lease_bury(app->lease, mem);

	owner = rc == RC_OK ? lease_take(app->lease) : NULL;
	if (!owner)
		return false;
	rc = store_claim(app_db(app), mem, ids, n, owner, b);
	if (rc != RC_OK)
		lease_abandon(app->lease); /* some may be claimed by now */
	if (rc != RC_OK || !b->n)
		return false;
	fault(FAULT_AFTER_CLAIM);
	batch_each (b, it)
		it->recovery.is_damaged = !saga_recall(it, b->mem);
	if (load_claimed(app, b) == RC_OK) {
		batch_sort(b);
		return true;
	}
	lease_abandon(app->lease);
	return false;
}

size_t saga_recover(struct app *app, struct arena *mem,
		    const char *const *ids, size_t n, int64_t deadline)
{
	struct batch b;

	if (!claim(app, mem, ids, n, &b))
		return 0;
	b.terms->deadline = deadline;
	return recover(app, &b);
}

/* Why the operation could not be claimed. */
static enum rc not_claimed(struct app *app, struct arena *mem, const char *id)
{
	struct batch b = batch_new(mem, 1);

	b.it[0]->op_id = id;
	if (*db_error(app_db(app)) || store_peek(app_db(app), &b) != RC_OK)
		return RC_ERROR;
	return op_is_open(b.it[0]->was) ? RC_AGAIN : RC_NO;
}

enum rc saga_close_by_hand(struct app *app, struct arena *mem, const char *id,
			   const struct by_hand *how)
{
	struct batch b, all;

	if (!claim(app, mem, &id, 1, &all))
		return not_claimed(app, mem, id);
	batch_each (&all, it) {
		it->recovery.by_hand = how;
		/* an operation that is undone needs no intent */
		it->recovery.is_damaged = it->recovery.is_damaged && how->done;
	}
	b = recall_calls(app, &all);
	saga_close(app, &b, true);
	saga_block(app, &b);
	return b.n && !op_is_open(b.it[0]->was) ? RC_OK : RC_NO;
}
