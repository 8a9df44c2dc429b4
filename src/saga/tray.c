#include "saga/tray.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/spent.h"
#include "model/tally.h"

enum {
	ITEMS_MAX = 64, /* of one run              */
	LEADERS = 2,    /* doc/performance.txt     */
};

/*
 * A request in the tray. Its thread sleeps until it is served, or is to lead.
 * The thread of one that was posted does other work. `turn` is posted once if
 * the thread is to lead, and once when the request is served; the second is the
 * last that anybody does with the entry. A thread that is woken needs no lock,
 * which the leader may hold while it wakes the others.
 */
struct entry {
	struct entry *next;
	struct batch *b;
	enum stage_of_saga stage;
	bool posted, taken, leads; /* with the tray's lock */
	sem_t turn;
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

	/* lead when the first entry was posted */
	pthread_t helper[LEADERS];
	size_t helpers;
	pthread_cond_t work;
	struct process *process;
	unsigned helper_leads; /* how often one of them is to lead */
	bool stop;
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
	pthread_cond_broadcast(&t->work);
	pthread_mutex_unlock(&t->lock);
	while (t->helpers > 0)
		pthread_join(t->helper[--t->helpers], NULL);
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

static void entry_init(struct entry *e, enum stage_of_saga stage,
		       struct batch *b)
{
	*e = (struct entry){.b = b, .stage = stage};
	sem_init(&e->turn, 0, 0);
}

/* Wait until the entry's thread is to lead, or the request is served. A
 * connection is given back for that time. */
static void wait_turn(struct app *app, struct entry *e)
{
	if (!sem_trywait(&e->turn))
		return;
	app_wait(app);
	while (sem_wait(&e->turn) && errno == EINTR)
		;
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
	enum stage_of_saga stage = t->first->stage; /* it is taken */
	struct entry *taken[ITEMS_MAX];
	size_t n = take(t, taken);

	tally_size(TALLY_TRAY_SIZES + stage * TALLY_SIZES, n);
	health_now(app->process->health, now_of[stage], -(int)n);
	pthread_mutex_unlock(&t->lock);
	serve(app, taken, n, t->run[stage]);
	for (size_t i = 0; i < n; i++)
		sem_post(&taken[i]->turn);
	pthread_mutex_lock(&t->lock);
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
		sem_post(&e->turn);
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

	entry_init(e, stage, b);
	e->posted = true;
	pthread_mutex_lock(&t->lock);
	while (t->helpers < LEADERS)
		if (pthread_create(&t->helper[t->helpers++], NULL, help, t))
			arena_exhausted();
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
	enum spent before = spent_on(SPENT_TRAY);

	wait_turn(app, e);
	spent_on(before);
	sem_destroy(&e->turn);
}

bool tray_is_done(struct entry *e)
{
	int n;

	return !sem_getvalue(&e->turn, &n) && n > 0;
}

/* Run stages until the own entry was in one, by this leader or another. */
static void lead(struct tray *t, struct app *app, const struct entry *own)
{
	pthread_mutex_lock(&t->lock);
	while (!own->taken)
		run_once(t, app);
	pass_lead(t);
	pthread_mutex_unlock(&t->lock);
}

void tray_pass(struct app *app, enum stage_of_saga stage, struct batch *b)
{
	struct tray *t = app->process->tray;
	enum spent before = spent_on(SPENT_TRAY);
	struct entry own;
	bool leads;

	entry_init(&own, stage, b);
	pthread_mutex_lock(&t->lock);
	put_in(t, &own);
	own.leads = leads = t->leaders < LEADERS;
	if (leads)
		t->leaders++;
	pthread_mutex_unlock(&t->lock);
	if (!leads)
		wait_turn(app, &own);
	if (own.leads) {
		spent_on(before);
		lead(t, app, &own);
		spent_on(SPENT_TRAY);
		wait_turn(app, &own); /* another leader may have taken it */
	}
	spent_on(before);
	sem_destroy(&own.turn);
}
