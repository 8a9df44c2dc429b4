/*
 * saga/begin.c - one try at the first transaction: load and lock, check, save,
 * COMMIT
 */
#include "saga/begin.h"

#include "base/clock.h"
#include "base/fault.h"
#include "model/tally.h"
#include "saga/dry.h"
#include "saga/step.h"
#include "store/save.h"

static bool is_abandoned(const struct app *app, const struct open_op *o)
{
	return o->orphan || (o->owner && lease_is_dead(app->lease, o->owner));
}

/* The abandoned operations that reserve CTTs of the batch. */
static void find_abandoned(const struct app *app, const struct batch *b,
			   struct abandoned *a_r)
{
	a_r->ids = arena_array(b->mem, b->n, sizeof *a_r->ids);
	a_r->n = 0;
	batch_each (b, it)
		if (it->ctt && it->ctt->open &&
		    is_abandoned(app, it->ctt->open))
			a_r->ids[a_r->n++] = it->ctt->open->id;
}

void saga_begin(struct item *it, struct change *ch, const char *owner)
{
	const struct flow *flow = flows[it->kind];

	it->state = OP_RUNNING;
	it->journal.owner = arena_strdup(ch->mem, owner);
	if (flow->intend)
		flow->intend(it, ch->mem);
	if (flow->apply && !it->want.mends)
		flow->apply(it, ch);
	if (flow->save_step != STEP__MAX)
		trace_note(&it->trace, flow->save_step, STEP_OK,
			   clock_wall_ms(), NULL);
	change_op_new(ch, it, owner);
}

/* What loads the items: in company they do not wait for locks. */
static enum sql load_of(const struct batch *b, enum company company)
{
	enum sql load = b->it[0]->terms->flow->load;

	if (company == ALONE)
		return load;
	batch_each (b, it)
		if (it->terms->flow->load != SQL_LOAD)
			return SQL_LOAD_ALL_TOGETHER;
	return SQL_LOAD_TOGETHER;
}

static enum rc load(struct app *app, struct batch *b, enum company company)
{
	enum rc rc = store_load(app_db(app), load_of(b, company), b);

	/* nothing was to be committed, so a lost connection (usually the server
	 * had closed it) leaves no doubt: connect again */
	return rc == RC_DOUBT ? RC_AGAIN : rc;
}

/* The last gate: can the partner be called at all? It has no step of its own in
 * the trace; a refusal is noted as a failed sync. */
static bool check_partner(struct app *app, struct batch *b, struct item *it)
{
	const struct call *c = it->sync.call;
	const char *name = partners[c->partner]->name;
	enum health_admission admission = c->local ? HEALTH_GO :
		visit_enter(it->terms->visit, c->partner);

	if (admission == HEALTH_GO)
		return true;
	if (admission == HEALTH_BUSY) {
		item_refuse(it, CODE_PARTNER_BUSY, arena_printf(b->mem,
			"Too many requests wait for %s just now; nothing was "
			"changed. Try again in a moment.", name));
		it->error.retry_after_s = 1;
	} else {
		item_refuse(it, flows[it->kind]->sync_failed, arena_printf(
			b->mem, "%s keeps failing, and is only probed until "
			"it answers again; nothing was changed.", name));
		it->error.retry_after_s =
			health_retry_s(app->process->health, c->partner);
	}
	trace_note(&it->trace, STEP_sync_partner, STEP_FAILED, clock_wall_ms(),
		   it->detail);
	return false;
}

/* If a gate refused one item, refuse the others. */
static void refuse_the_rest(struct batch *b)
{
	bool any = false;

	batch_each (b, it)
		any = any || it->code;
	batch_each (b, it) {
		if (!any || it->code)
			continue;
		item_refuse(it, CODE_NOT_ATTEMPTED, "Nothing was changed, "
			    "because another ticket of the request was "
			    "refused.");
		trace_note(&it->trace, flows[it->kind]->save_step,
			   STEP_SKIPPED, clock_wall_ms(), it->detail);
	}
}

bool saga_is_shed(const struct item *it)
{
	return it->code == CODE_PARTNER_BUSY ||
	       it->code == CODE_DEADLINE_PASSED ||
	       it->code == CODE_IDEMPOTENCY_IN_PROGRESS;
}

/* Leave in *b the items that can be opened in company. The CTT of another one
 * is locked, or there is none, or an abandoned operation reserves it. */
static void set_aside(const struct app *app, struct batch *b)
{
	struct batch stay = batch_part(b);

	batch_each (b, it) {
		it->aside = !it->ctt || (it->ctt->open &&
					 is_abandoned(app, it->ctt->open));
		if (!it->aside)
			batch_add(&stay, it);
	}
	*b = stay;
}

/* The gates, up to the partner. */
static void check(struct app *app, struct batch *b)
{
	batch_each (b, it) {
		if (b->terms->dry_run)
			dry_assume(it);
		it->terms->flow->check(app->conf, b->mem, it);
		if (!it->code && !it->nothing_to_do) {
			step_ask(app->conf, b->mem, it);
			check_partner(app, b, it);
		}
	}
	if (b->terms->all_or_none)
		refuse_the_rest(b);
}

/* Fill the change. Returns the number of rows of the journal. */
static size_t gather(struct batch *b, struct change *ch)
{
	size_t rows = 0;

	batch_each (b, it) {
		if (saga_is_shed(it))
			continue;
		rows++;
		change_key(ch, it->terms->key);
		if (it->code || it->nothing_to_do) {
			it->state = OP_REFUSED;
			change_op_new(ch, it, NULL);
		} else {
			saga_begin(it, ch, it->terms->owner);
		}
	}
	return rows;
}

/* The rows are committed. */
static void saved(struct batch *b)
{
	batch_each (b, it) {
		it->was = it->state;
		if (it->was == OP_REFUSED)
			tally_add(TALLY_OPERATIONS + it->kind * OP_STATE__MAX +
				  OP_REFUSED, 1);
	}
}

enum rc saga_try_open(struct app *app, struct batch *b, enum company company,
		      struct abandoned *abandoned, bool *loaded_r)
{
	struct change ch;
	bool won;
	enum rc rc = load(app, b, company);

	*loaded_r = rc == RC_OK;
	if (rc != RC_OK)
		return rc;
	if (company == TOGETHER)
		set_aside(app, b);
	if (abandoned)
		find_abandoned(app, b, abandoned);
	if (!b->n || (abandoned && abandoned->n)) {
		store_cancel(app_db(app));
		return RC_OK;
	}
	fault(FAULT_AFTER_LOAD);
	change_init(&ch, app->conf, b);
	check(app, b);
	if (b->terms->dry_run) {
		store_cancel(app_db(app));
		dry_pretend(b);
		return RC_OK;
	}
	if (!gather(b, &ch)) {
		store_cancel(app_db(app));
		return RC_OK;
	}
	if (fault(FAULT_BEFORE_INTENT)) {
		store_cancel(app_db(app));
		return RC_NO;
	}
	rc = store_save(app_db(app), &ch, &won);
	if (rc == RC_OK && !won)
		return RC_AGAIN; /* without the requests that lost their keys */
	if (rc != RC_OK)
		return rc;
	saved(b);
	fault(FAULT_AFTER_INTENT);
	return RC_OK;
}
