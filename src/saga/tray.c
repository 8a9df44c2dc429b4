#include "saga/tray.h"

#include <pthread.h>
#include <stdlib.h>

enum {
	ITEMS_MAX = 64, /* of one run                     */
	LEADERS = 1,    /* of a stage: doc/performance.txt */
};

/* A request in a tray. Its thread sleeps until it is served, or is to lead. */
struct entry {
	struct entry *next;
	struct batch *b;
	bool served, leads;
	pthread_cond_t turn;
};

struct tray {
	pthread_mutex_t lock;
	struct entry *first, **end;
	unsigned leaders;
};

struct trays {
	struct tray of[TRAY__MAX];
};

struct trays *trays_open(void)
{
	struct trays *t = calloc(1, sizeof *t);

	if (!t)
		arena_exhausted();
	for (int i = 0; i < TRAY__MAX; i++) {
		pthread_mutex_init(&t->of[i].lock, NULL);
		t->of[i].end = &t->of[i].first;
	}
	return t;
}

void trays_close(struct trays *t)
{
	for (int i = 0; t && i < TRAY__MAX; i++)
		pthread_mutex_destroy(&t->of[i].lock);
	free(t);
}

bool tray_takes(const struct app *app, const struct batch *b)
{
	return app->process->trays && b->n <= ITEMS_MAX / 2;
}

static bool has_ctt(struct entry *const *taken, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++)
		batch_each (taken[i]->b, it)
			if (id && it->want.ctt.id == id)
				return true;
	return false;
}

/* Would the entry's items be too many, or does a CTT come again? */
static bool has_no_place(struct entry *const *taken, size_t n, size_t items,
			 const struct entry *e)
{
	if (n && items + e->b->n > ITEMS_MAX)
		return true;
	batch_each (e->b, it)
		if (has_ctt(taken, n, it->want.ctt.id))
			return true;
	return false;
}

/* Take entries out of the tray, the first ones first; those that have no place
 * stay for the next run. At least one is taken. */
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
		  void (*run)(struct app *, struct batch *))
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
	*t->end = e;
	t->end = &e->next;
}

/* Run the stage until the own entry is served. The lock is held, but not during
 * a run. */
static void lead(struct tray *t, struct app *app, const struct entry *own,
		 void (*run)(struct app *, struct batch *))
{
	struct entry *taken[ITEMS_MAX];

	while (!own->served) {
		size_t n = take(t, taken);

		pthread_mutex_unlock(&t->lock);
		serve(app, taken, n, run);
		pthread_mutex_lock(&t->lock);
		for (size_t i = 0; i < n; i++) {
			taken[i]->served = true;
			if (taken[i] != own)
				pthread_cond_signal(&taken[i]->turn);
		}
	}
}

/* The thread of the first entry leads from now on, or nobody. */
static void pass_lead(struct tray *t)
{
	for (struct entry *e = t->first; e; e = e->next) {
		if (e->leads)
			continue;
		e->leads = true;
		pthread_cond_signal(&e->turn);
		return;
	}
	t->leaders--;
}

void tray_pass(struct app *app, enum stage_of_saga stage, struct batch *b,
	       void (*run)(struct app *app, struct batch *together))
{
	struct tray *t = &app->process->trays->of[stage];
	struct entry own = {.b = b};

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
	if (!own.served)
		lead(t, app, &own, run);
	if (own.leads)
		pass_lead(t);
	pthread_mutex_unlock(&t->lock);
	pthread_cond_destroy(&own.turn);
}
