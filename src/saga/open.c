/*
 * saga/open.c - the first transaction of a batch: alone or in company, again
 * after a deadlock, in halves if the database refuses it. saga/begin.c has what
 * one try does.
 */
#include "saga/open.h"

#include <string.h>

#include "saga/begin.h"
#include "saga/recover.h"
#include "saga/retry.h"
#include "saga/tray.h"
#include "store/save.h"

static void fail_all(struct batch *b, enum code code, const char *detail)
{
	batch_each (b, it) {
		item_refuse(it, code, detail);
		it->error.retry_after_s = code == CODE_DB_UNAVAILABLE;
	}
}

void saga_db_away(struct batch *b)
{
	fail_all(b, CODE_DB_UNAVAILABLE, "The database is away; nothing was "
		 "changed. Try again in a moment.");
}

/* The keys were claimed with the operations, perhaps. */
static void hold_keys(const struct batch *b)
{
	batch_each (b, it)
		if (it->terms->key)
			it->terms->key->held = true;
}

/*
 * The COMMIT of the first transaction may have happened, or may happen yet.
 * When the lost session has ended, the journal rows show it; until then it is
 * not known.
 */
static enum rc look_for_rows(struct app *app, struct batch *b)
{
	int64_t until = clock_mono_ms() + DB_PATIENCE_MS;
	enum rc rc = db_end_lost(app_db(app), until);

	if (rc != RC_OK)
		return RC_DOUBT;
	while (rc == RC_OK && (rc = store_peek(app_db(app), b)) != RC_OK &&
	       clock_mono_ms() < until) {
		clock_sleep_ms(TX_CAP_MS);
		rc = RC_OK;
	}
	if (rc != RC_OK)
		return RC_DOUBT;
	batch_each (b, it) {
		if (saga_is_shed(it))
			continue;
		if (it->was == OP_NONE)
			return RC_AGAIN;
		it->state = it->was;
	}
	hold_keys(b);
	return RC_OK;
}

static void open_batch(struct app *app, struct batch *b, enum company company,
		       struct abandoned *abandoned);

static void open_halves(struct app *app, struct batch *b, enum company company)
{
	struct batch half = *b;

	half.n = b->n / 2;
	open_batch(app, &half, company, NULL);
	half.it = b->it + half.n;
	half.n = b->n - half.n;
	open_batch(app, &half, company, NULL);
}

/* Did the COMMIT whose reply was lost take effect? If so, recovery finishes the
 * operations, because this process has reset their items. */
static bool is_saved(struct app *app, struct batch *b)
{
	bool saved = false;

	if (store_peek(app_db(app), b) != RC_OK)
		return false;
	batch_each (b, it) {
		saved = saved || it->was != OP_NONE;
		if (!op_is_open(it->was)) {
			it->state = it->was;
			continue;
		}
		it->was = it->state = OP_NONE;
		item_refuse(it, CODE_NO_ANSWER, "The database saved the change "
			    "late. Recovery will finish the operation; look it "
			    "up.");
	}
	if (saved)
		hold_keys(b);
	return saved;
}

/* The database refused to read or to save an item that no gate refused. Nothing
 * was changed. */
static void item_refused(struct item *it, bool loaded)
{
	enum step step = loaded ? flows[it->kind]->save_step : STEP_load_ctt;

	if (loaded)
		item_refuse(it, CODE_DB_SAVE_FAILED, "The database refused to "
			    "save the change; nothing was changed, and no "
			    "partner was asked.");
	else
		item_refuse(it, CODE_INTERNAL_ERROR, "The database refused to "
			    "read the ticket; nothing was changed, and no "
			    "partner was asked. The log says why.");
	if (step != STEP__MAX)
		trace_note(&it->trace, step, STEP_FAILED, clock_wall_ms(),
			   "the database refused it");
}

static bool lost_key(const struct item *it)
{
	return it->terms->key && it->terms->key->lost;
}

/* Refuse the requests that lost their keys. */
static void refuse_lost(struct batch *b)
{
	struct batch stay;
	bool any = false;

	batch_each (b, it)
		any = any || lost_key(it);
	if (!any)
		return;
	stay = batch_part(b);
	batch_each (b, it) {
		if (lost_key(it))
			item_refuse(it, CODE_IDEMPOTENCY_IN_PROGRESS, "Another "
				    "request with this key came first; ask "
				    "again in a moment.");
		else
			batch_add(&stay, it);
	}
	*b = stay;
}

/* The database refused the batch. Save the traces if possible. */
static void open_refused(struct app *app, struct batch *b, bool loaded)
{
	struct change ch;
	bool won;

	if (is_saved(app, b))
		return;
	change_init(&ch, app->conf, b);
	batch_each (b, it) {
		if (saga_is_shed(it))
			continue;
		it->state = OP_REFUSED;
		if (!it->code) /* no gate refused it */
			item_refused(it, loaded);
		change_key(&ch, it->terms->key);
		change_op_new(&ch, it, NULL);
	}
	store_save(app_db(app), &ch, &won);
	refuse_lost(b);
}

/* It is not known whether the operations were begun; those that a gate refused
 * were not. */
static void saved_perhaps(struct batch *b)
{
	hold_keys(b);
	batch_each (b, it)
		if (!it->code)
			item_refuse(it, CODE_NO_ANSWER, "The database went "
				    "away while it saved the change. Look the "
				    "operation up before you try again.");
}

static void open_batch(struct app *app, struct batch *all,
		       enum company company, struct abandoned *abandoned)
{
	for (unsigned tries = 0; tries < TX_TRIES; tries++) {
		struct batch part = *all, *b = &part;
		bool loaded = false;
		enum rc rc;

		refuse_lost(b);
		if (!b->n)
			return;
		rc = b->terms->dry_run || lease_take(app->lease) ?
			saga_try_open(app, b, company, abandoned, &loaded) :
			RC_ERROR;
		if (rc == RC_DOUBT)
			rc = look_for_rows(app, b);
		switch (rc) {
		case RC_OK:
			return;
		case RC_NO:
			/* find the item that the database refuses */
			if (b->n > 1 && !b->terms->all_or_none) {
				batch_each (b, it)
					item_reset(it);
				open_halves(app, b, company);
			} else {
				open_refused(app, b, loaded);
			}
			return;
		case RC_AGAIN:
			batch_each (all, it)
				item_reset(it);
			retry_pause(tries);
			break;
		case RC_DOUBT:
			saved_perhaps(b);
			return;
		case RC_ERROR:
			saga_db_away(b);
			return;
		}
	}
	fail_all(all, CODE_DB_UNAVAILABLE, "The database is too busy with these "
		 "tickets; nothing was changed. Try again in a moment.");
}

/* Refuse the items whose time has passed, perhaps in a tray. */
static void refuse_late(struct batch *b)
{
	struct batch stay = batch_part(b);
	int64_t now = clock_mono_ms();

	batch_each (b, it) {
		if (now < it->terms->deadline)
			batch_add(&stay, it);
		else
			item_refuse(it, CODE_DEADLINE_PASSED, "The request "
				    "waited for too long; nothing was begun. "
				    "Try again.");
	}
	*b = stay;
}

void saga_open_together(struct app *app, struct batch *b)
{
	refuse_late(b);
	if (b->n)
		open_batch(app, b, TOGETHER, NULL);
}

/* The items that have to be opened alone. */
static struct batch take_aside(struct batch *b)
{
	struct batch alone = batch_part(b);

	batch_each (b, it) {
		if (!it->aside)
			continue;
		item_reset(it);
		batch_add(&alone, it);
	}
	return alone;
}

static bool keeps_company(const struct app *app, const struct batch *b)
{
	return !b->terms->dry_run && !b->terms->all_or_none &&
	       tray_takes(app, b);
}

/* The owner of what the request begins. False: there is none, or the key has
 * another owner; another process may have taken the key over meanwhile. */
static bool take_owner(struct app *app, struct terms *t, struct arena *mem)
{
	t->owner = arena_strdup(mem, lease_take(app->lease));
	if (!t->owner || !t->key)
		return t->owner;
	if (!t->key->held)
		t->key->owner = t->owner;
	return !strcmp(t->key->owner, t->owner);
}

/* First recovers the abandoned operations on the CTTs, if that is possible. What
 * it cannot finish it abandons, and with it the owner's name. */
static void open_alone(struct app *app, struct batch *b)
{
	struct abandoned left = {0};

	open_batch(app, b, ALONE, b->terms->dry_run ? NULL : &left);
	if (!left.n)
		return;
	saga_recover(app, b->mem, left.ids, left.n, b->terms->deadline);
	batch_each (b, it)
		item_reset(it);
	if (take_owner(app, b->terms, b->mem))
		open_batch(app, b, ALONE, NULL);
	else
		saga_db_away(b);
}

/* Leave in *b the items that can be opened now. */
static void prepare(struct app *app, struct batch *b)
{
	if (!b->terms->dry_run)
		refuse_late(b);
	if (b->n && !b->terms->dry_run && !take_owner(app, b->terms, b->mem)) {
		saga_db_away(b);
		b->n = 0;
	}
	b->terms->visit = app->visit;
}

void saga_open(struct app *app, const struct batch *b)
{
	struct batch left = *b;

	prepare(app, &left);
	if (left.n && keeps_company(app, &left)) {
		tray_pass(app, STAGE_OPEN, &left);
		batch_own_ntts(b);
		left = take_aside(&left);
	}
	if (left.n)
		open_alone(app, &left);
}

struct entry *saga_open_post(struct app *app, struct batch *b)
{
	prepare(app, b);
	return b->n ? tray_post(app, STAGE_OPEN, b) : NULL;
}

struct batch saga_open_wait(struct app *app, struct entry *e, struct batch *b)
{
	tray_wait(app, e);
	return take_aside(b);
}
