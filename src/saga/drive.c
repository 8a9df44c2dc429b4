/*
 * saga/drive.c - calls the partners and closes, for a batch and its followers
 */
#include "saga/drive.h"

#include "base/fault.h"
#include "saga/close.h"
#include "saga/step.h"
#include "saga/stream.h"

void saga_find_taken(struct app *app, const struct batch *b)
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
	saga_find_taken(app, b);
	app_wait(app);
	step_call_all(app, b);
	fault(FAULT_AFTER_SYNC);
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
		if (saga_streams(app, &b)) {
			saga_stream(app, &b, true);
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
