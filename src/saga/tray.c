#include "saga/tray.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/spent.h"
#include "model/tally.h"

enum {
	ITEMS_MAX = 64, /* of one run              */
	LEADERS = 2,    /* doc/performance.txt     */
};

/* A request in the tray. Its thread sleeps until it is served, or is to lead.
 * The thread of one that was posted does other work. */
struct entry {
	struct entry *next;
	struct batch *b;
	enum stage_of_saga stage;
	bool posted, taken, served, leads;
	pthread_cond_t turn;
};

static const enum health_now now_of[] = {
	[STAGE_OPEN] = HEALTH_TRAY_OPEN,
	[STAGE_CLOSE] = HEALTH_TRAY_CLOSE,
};

struct tray {
	pthread_mutex_t lock;
	struct entry *first, **end;
	unsigned leaders;
	tray_run *run[STAGE__MAX];

	/* leads when the first entry was posted */
	pthread_t helper;
	pthread_cond_t work;
	struct process *process;
	unsigned helper_leads; /* how often it is to lead */
	bool has_helper, stop;
};

struct tray *tray_open(struct process *p, tray_run *open, tray_run *close)
{
	struct tray *t = calloc(1, sizeof *t);

	if (!t)
		arena_exhausted();
	t->run[STAGE_OPEN] = open;
	t->run[STAGE_CLOSE] = close;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->work, NULL);
	t->end = &t->first;
	t->process = p;
	return t;
}

void tray_close(struct tray *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->work);
	pthread_mutex_unlock(&t->lock);
	if (t->has_helper)
		pthread_join(t->helper, NULL);
	pthread_cond_destroy(&t->work);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

bool tray_takes(const struct app *app, const struct batch *b)
{
	return app->process->tray && b->n <= ITEMS_MAX / 2;
}

static bool has_ctt(struct entry *const *taken, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++)
		batch_each (taken[i]->b, it)
			if (id && it->want.ctt.id == id)
				return true;
	return false;
}

/* Does the entry need another stage, would its items be too many, or does a CTT
 * come again? */
static bool has_no_place(struct entry *const *taken, size_t n, size_t items,
			 const struct entry *e)
{
	if (n && (e->stage != taken[0]->stage ||
		  items + e->b->n > ITEMS_MAX))
		return true;
	batch_each (e->b, it)
		if (has_ctt(taken, n, it->want.ctt.id))
			return true;
	return false;
}

/* Take entries of the first one's stage out of the tray, the first ones first;
 * those that have no place stay for the next run. At least one is taken. */
static size_t take(struct tray *t, struct entry *taken[ITEMS_MAX])
{
	struct entry **at = &t->first, *e;
	size_t n = 0, items = 0;

	while ((e = *at) && items < ITEMS_MAX) {
		if (has_no_place(taken, n, items, e)) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		e->taken = true;
		items += e->b->n;
		taken[n++] = e;
	}
	while (*at)
		at = &(*at)->next;
	t->end = at;
	return n;
}

/* The items of all these requests as one batch, with an arena of its own that
 * ends with the last of them. */
static struct batch merge(struct entry *const *taken, size_t n)
{
	struct arena *mem = arena_open();
	struct batch all;
	size_t items = 0;

	for (size_t i = 0; i < n; i++)
		items += taken[i]->b->n;
	all = batch_empty(mem, items);
	for (size_t i = 0; i < n; i++) {
		arena_share(mem, taken[i]->b->mem);
		batch_each (taken[i]->b, it)
			batch_add(&all, it);
	}
	batch_sort(&all);
	return all;
}

static void serve(struct app *app, struct entry *const *taken, size_t n,
		  tray_run *run)
{
	struct batch all;

	if (n == 1) {
		all = *taken[0]->b;
		run(app, &all);
		return;
	}
	all = merge(taken, n);
	run(app, &all);
	arena_close(all.mem); /* the requests keep it */
}

static void put_in(struct tray *t, struct entry *e)
{
	health_now(t->process->health, now_of[e->stage], 1);
	*t->end = e;
	t->end = &e->next;
}

/* Run one stage once. The lock is held, but not during the run. */
static void run_once(struct tray *t, struct app *app)
{
	struct entry *taken[ITEMS_MAX];
	size_t n = take(t, taken);
	enum stage_of_saga stage = taken[0]->stage;

	tally_size(TALLY_TRAY_SIZES + stage * TALLY_SIZES, n);
	health_now(app->process->health, now_of[stage], -(int)n);
	pthread_mutex_unlock(&t->lock);
	serve(app, taken, n, t->run[stage]);
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < n; i++) {
		taken[i]->served = true;
		pthread_cond_signal(&taken[i]->turn);
	}
}

/* The first entry's thread leads from now on, or the helper, or nobody. */
static void pass_lead(struct tray *t)
{
	struct entry *e = t->first;

	while (e && e->leads)
		e = e->next;
	if (!e) {
		t->leaders--;
	} else if (e->posted) {
		t->helper_leads++;
		pthread_cond_signal(&t->work);
	} else {
		e->leads = true;
		pthread_cond_signal(&e->turn);
	}
}

static void *help(void *tray)
{
	struct tray *t = tray;
	struct app app;

	app_open(&app, t->process);
	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		if (!t->helper_leads) {
			pthread_cond_wait(&t->work, &t->lock);
			continue;
		}
		t->helper_leads--;
		if (t->first)
			run_once(t, &app);
		app_rest(&app);
		pass_lead(t);
	}
	pthread_mutex_unlock(&t->lock);
	app_close(&app);
	return NULL;
}

struct entry *tray_post(struct app *app, enum stage_of_saga stage,
			struct batch *b)
{
	struct tray *t = app->process->tray;
	struct entry *e = arena_alloc(b->mem, sizeof *e);

	e->b = b;
	e->stage = stage;
	e->posted = true;
	pthread_cond_init(&e->turn, NULL);
	pthread_mutex_lock(&t->lock);
	if (!t->has_helper && pthread_create(&t->helper, NULL, help, t))
		arena_exhausted();
	t->has_helper = true;
	put_in(t, e);
	if (t->leaders < LEADERS) {
		t->leaders++;
		t->helper_leads++;
		pthread_cond_signal(&t->work);
	}
	pthread_mutex_unlock(&t->lock);
	return e;
}

void tray_wait(struct app *app, struct entry *e)
{
	struct tray *t = app->process->tray;
	enum spent before = spent_on(SPENT_TRAY);

	pthread_mutex_lock(&t->lock);
	while (!e->served)
		pthread_cond_wait(&e->turn, &t->lock);
	pthread_mutex_unlock(&t->lock);
	spent_on(before);
	pthread_cond_destroy(&e->turn);
}

void tray_pass(struct app *app, enum stage_of_saga stage, struct batch *b)
{
	struct tray *t = app->process->tray;
	struct entry own = {.b = b, .stage = stage};
	enum spent before = spent_on(SPENT_TRAY);

	pthread_cond_init(&own.turn, NULL);
	pthread_mutex_lock(&t->lock);
	put_in(t, &own);
	if (t->leaders < LEADERS) {
		t->leaders++;
		own.leads = true;
	} else {
		app_wait(app);
	}
	while (!own.served && !own.leads)
		pthread_cond_wait(&own.turn, &t->lock);
	spent_on(before);
	while (!own.taken)
		run_once(t, app);
	if (own.leads)
		pass_lead(t);
	spent_on(SPENT_TRAY);
	if (!own.served) /* another leader took it */
		app_wait(app);
	while (!own.served)
		pthread_cond_wait(&own.turn, &t->lock);
	spent_on(before);
	pthread_mutex_unlock(&t->lock);
	pthread_cond_destroy(&own.turn);
}
