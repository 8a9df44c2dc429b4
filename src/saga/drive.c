/*
 * saga/drive.c - calls the partners and closes, for a batch and its followers
 */
#include "saga/drive.h"

#include "base/fault.h"
#include "saga/close.h"
#include "saga/step.h"

void saga_sync(struct app *app, struct batch *b)
{
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

	batch_each (b, it)
		if (leaves_block(it))
			batch_add(&blocked, it);
	cache_add_blocks(app->cache, &blocked);
}
