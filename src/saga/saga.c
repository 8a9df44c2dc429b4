/*
 * saga/saga.c - the pipeline of a request: opens, drives and closes its
 * operations wave by wave
 *
 * The journal row of an open operation names its owner (store/lease.h). A
 * process that cannot finish an operation ends its lease, as its death would.
 * Then the operation is abandoned, and recovery claims it. The first
 * process that closes an operation wins; another one finds it closed, and
 * answers from the journal.
 */
#include "saga/saga.h"

#include "model/tally.h"
#include "saga/begin.h"
#include "saga/drive.h"
#include "saga/open.h"
#include "saga/stream.h"

static void run_wave(struct app *app, struct batch *wave)
{
	struct batch left = *wave;

	batch_sort(wave);
	if (saga_opens_in_groups(app, wave)) {
		left = saga_stream(app, wave, false);
		saga_drive(app, saga_followers(wave));
	}
	saga_open(app, &left);
	saga_drive(app, left);
	batch_each (wave, it)
		if (saga_is_shed(it))
			it->op_id = NULL; /* there is no such operation */
}

/* Move the first item of each CTT from *b into *wave_r; also the later ones of
 * a flow that takes a CTT once, because all of them are refused. */
static void take_wave(const struct flow *flow, struct batch *b,
		      struct batch *wave_r)
{
	struct batch rest = batch_part(b);

	*wave_r = batch_part(b);
	batch_sort(b);
	batch_each (b, it) {
		const struct item *last =
			wave_r->n ? wave_r->it[wave_r->n - 1] : NULL;

		if (last && it->want.ctt.id &&
		    it->want.ctt.id == last->want.ctt.id &&
		    !(flow->once && it->previous)) {
			it->previous = wave_r->it[wave_r->n - 1];
			batch_add(&rest, it);
		} else {
			batch_add(wave_r, it);
		}
	}
	*b = rest;
}

/* In an all-or-none batch no CTT may come twice. The check of fields misses a
 * CTT that is named by its id and again by its number. */
static bool refuse_repeated(struct batch *b)
{
	const struct item *last = NULL;
	bool any = false;

	batch_sort(b);
	batch_each (b, it) {
		if (last && it->want.ctt.id &&
		    it->want.ctt.id == last->want.ctt.id) {
			item_refuse(it, CODE_VALIDATION_FAILED, "This CTT is "
				    "named twice.");
			it->error.field = arena_printf(b->mem, "cttIds[%zu]",
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
				    "changed, because a ticket is named "
				    "twice.");
	}
	return any;
}

/* What this process cannot finish, recovery will. */
static void abandon_unknown(struct app *app, const struct batch *b)
{
	bool any = false;

	batch_each (b, it)
		for (const struct item *i = it; i; i = i->next)
			any = any || i->code == CODE_NO_ANSWER;
	if (any)
		lease_abandon(app->lease);
}

static void read_blocks(struct app *app, const struct batch *b)
{
	struct cache *c = app_take_cache(app);

	cache_read_blocks(c, b);
	if (cache_is_away(c))
		tally_add(TALLY_NO_CACHE, 1);
	app_give_cache(app, c);
}

void saga_run(struct app *app, const struct flow *flow, struct batch *b)
{
	struct batch rest, wave;
	enum rc rc;

	b->terms->flow = flow;
	batch_each (b, it) {
		it->terms = b->terms;
		if (!it->want.mends)
			it->kind = flow->kind;
	}
	rc = store_ids(app_db(app), b);
	if (rc == RC_DOUBT || rc == RC_AGAIN) /* the connection was lost */
		rc = store_ids(app_db(app), b);
	if (rc != RC_OK) {
		saga_db_away(b);
		return;
	}
	if (b->terms->all_or_none && refuse_repeated(b))
		return;
	read_blocks(app, b);
	rest = batch_part(b);
	batch_each (b, it)
		batch_add(&rest, it);
	while (rest.n) {
		take_wave(flow, &rest, &wave);
		run_wave(app, &wave);
	}
	visit_leave(app->visit);
	if (b->terms->dry_run)
		return;
	abandon_unknown(app, b);
	saga_block(app, b);
}
