/*
 * saga/drive.c - calls the partners and closes, for a batch and its followers
 */
#include "saga/drive.h"

#include "base/fault.h"
#include "saga/close.h"
#include "saga/step.h"

enum { GROUP = 64 }; /* items that are closed while others are called */

/* If the lease has expired, because the database or the machine stood still,
 * renew it, and find out which open operations others have taken over since. */
static void find_taken(struct app *app, const struct batch *b)
{
	struct batch open = batch_part(b);
	enum op_state *was;
	size_t i = 0;
	enum rc rc;

	batch_each (b, it)
		if (op_is_open(it->was))
			batch_add(&open, it);
	if (!open.n || lease_keep(app->lease) || !lease_take(app->lease))
		return;
	was = arena_array(b->mem, open.n, sizeof *was);
	batch_each (&open, it)
		was[i++] = it->was;
	rc = store_peek(app_db(app), &open);
	i = 0;
	batch_each (&open, it) { /* what is closed is adopted by saga_close */
		it->was = was[i++];
		if (rc != RC_OK)
			it->journal.is_taken = true;
	}
}

void saga_sync(struct app *app, struct batch *b)
{
	find_taken(app, b);
	app_wait(app);
	step_call_all(app, b);
	fault(FAULT_AFTER_SYNC);
}

static void close_some(void *closing)
{
	saga_close_ended(closing, GROUP);
}

/* The same with the close in groups, as the calls end. */
static void sync_and_close(struct app *app, struct batch *b)
{
	struct closing c = saga_closing(app, b);

	find_taken(app, b);
	app_wait(app);
	step_call_each(app, b, close_some, &c);
	fault(FAULT_AFTER_SYNC);
	saga_close_left(&c);
}

struct batch saga_followers(const struct batch *b)
{
	struct batch next = batch_part(b);

	batch_each (b, it)
		if (it->next && op_is_open(it->next->was))
			batch_add(&next, it->next);
	return next;
}

void saga_drive(struct app *app, struct batch b)
{
	for (; b.n; b = saga_followers(&b)) {
		if (app->process->tray && b.n > GROUP) {
			sync_and_close(app, &b);
			continue;
		}
		saga_sync(app, &b);
		saga_close(app, &b, false);
	}
}

/* A move that failed and was put back can be tried again. */
static bool leaves_block(const struct item *it)
{
	return flows[it->kind]->blocks && it->state == OP_SUCCEEDED &&
	       (!it->next || it->next->state == OP_SUCCEEDED);
}

void saga_block(struct app *app, const struct batch *b)
{
	struct batch blocked = batch_part(b);
	struct cache *c;

	batch_each (b, it)
		if (leaves_block(it))
			batch_add(&blocked, it);
	if (!blocked.n)
		return;
	c = app_take_cache(app);
	cache_add_blocks(c, &blocked);
	app_give_cache(app, c);
}
