/*
 * saga/restore.c - restores a request from the journal, so that its answer can
 * be made after a crash
 *
 * The operations are read as recovery reads them. What the journal does not
 * have is the request's, which has come again.
 */
#include "saga/restore.h"

#include "saga/recover.h"
#include "saga/step.h"
#include "store/save.h"

/* Recover the open operations, if that is possible. False: none is open. */
static bool recover_open(struct app *app, const struct batch *ops)
{
	const char **ids = arena_array(ops->mem, ops->n, sizeof *ids);
	size_t n = 0;

	batch_each (ops, it)
		if (op_is_open(it->was))
			ids[n++] = it->op_id;
	if (n)
		saga_recover(app, ops->mem, ids, n, ops->terms->deadline);
	return n > 0;
}

static enum rc read_operations(struct app *app, const struct batch *b,
			       struct batch *ops_r)
{
	enum rc rc = store_of_key(app_db(app), b, ops_r);

	if (rc == RC_OK && recover_open(app, ops_r))
		rc = store_of_key(app_db(app), b, ops_r);
	return rc;
}

/* Can the caller be told of the operation? An open one can only be told as
 * pending, if it is driven on. */
static bool has_answer(const struct item *it)
{
	bool driven_on = it->kind != KIND__MAX && !flows[it->kind]->unask;

	return !op_is_open(it->was) || (it->was == OP_SETTLING && driven_on);
}

static bool all_have_answers(const struct batch *ops)
{
	batch_each (ops, it)
		if (!has_answer(it))
			return false;
	return true;
}

/* Put the operations into the places of the request's items. The later
 * operations of a move follow its first. */
static void take_places(struct batch *b, const struct batch *ops)
{
	struct item *last = NULL;

	batch_each (ops, it) {
		if (last && last->index == it->index)
			last->next = it;
		else if (it->index < b->n)
			b->it[it->index] = it;
		last = it;
	}
}

static void recall(struct arena *mem, struct item *it)
{
	it->state = it->was;
	if (it->journal.intent && it->kind != KIND__MAX)
		saga_recall(it, mem);
	it->nothing_to_do = it->state == OP_REFUSED && !it->code;
	if (it->code)
		it->detail = "The process died before it answered. This is the "
			     "outcome of the operation; see its trace.";
}

/* The items and all their followers. */
static struct batch with_followers(const struct batch *b, size_t most)
{
	struct batch all = *b;

	all.it = arena_array(b->mem, most, sizeof *all.it);
	all.n = 0;
	batch_each (b, it)
		for (struct item *i = it; i; i = i->next)
			batch_add(&all, i);
	return all;
}

/* Read the tickets as they are now. */
static enum rc load(struct app *app, const struct flow *flow, struct batch *all)
{
	enum rc rc = store_ids(app_db(app), all);

	if (rc == RC_OK)
		rc = store_load(app_db(app), flow->load, all);
	if (rc != RC_OK)
		return rc;
	store_cancel(app_db(app));
	batch_each (all, it)
		if (it->state != OP_NONE && it->kind != KIND__MAX)
			step_find_lost(all->mem, it);
	return RC_OK;
}

/* What every kind's error says beside its code. */
static void restore_error(struct arena *mem, struct item *it)
{
	switch (it->code) {
	case CODE_OPERATION_IN_PROGRESS:
	case CODE_UNLINK_BLOCKED:
		it->error.retry_after_s = 1;
		break;
	case CODE_EXTERNAL_SYNC_FAILED:
	case CODE_EXTERNAL_UNLINK_FAILED:
	case CODE_DB_SAVE_FAILED:
		it->sync.call = arena_alloc(mem, sizeof *it->sync.call);
		it->sync.call->verdict = it->state == OP_COMPENSATED ||
				    op_is_open(it->state) ? RC_DOUBT : RC_NO;
		break;
	default:
		break;
	}
}

static void refuse_missing(struct item *it)
{
	if (it->state != OP_NONE || it->code)
		return;
	it->op_id = NULL;
	item_refuse(it, CODE_NOT_ATTEMPTED, "The process died before this item "
		    "was begun; send it again.");
}

static enum rc restore(struct app *app, const struct flow *flow,
		       struct batch *b, const struct batch *ops)
{
	struct batch all;
	enum rc rc;

	take_places(b, ops);
	batch_each (ops, it)
		recall(b->mem, it);
	all = with_followers(b, b->n + ops->n);
	rc = load(app, flow, &all);
	if (rc == RC_OK)
		rc = store_read_stored(app_db(app), ops);
	if (rc != RC_OK)
		return rc;
	batch_each (&all, it) {
		if (it->state != OP_NONE)
			restore_error(b->mem, it);
		if (flow->restore)
			flow->restore(app->conf, b->mem, it);
		refuse_missing(it);
	}
	return RC_OK;
}

enum rc saga_restore(struct app *app, const struct flow *flow, struct batch *b,
		     enum restored *restored_r)
{
	struct batch ops;
	enum rc rc = read_operations(app, b, &ops);

	*restored_r = RESTORED_NOTHING;
	if (rc != RC_OK || !ops.n)
		return rc;
	*restored_r = RESTORED_NOT_YET;
	if (!all_have_answers(&ops))
		return RC_OK;
	*restored_r = RESTORED_ALL;
	return restore(app, flow, b, &ops);
}
