#include "base/lender.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/spent.h"

struct lender {
	pthread_mutex_t lock;
	pthread_cond_t back;
	void *(*make)(void *of);
	void *of;
	void (*end)(void *thing);
	size_t most, made;
	size_t n; /* here */
	void *here[];
};

struct lender *lender_open(size_t most, void *(*make)(void *of), void *of,
		       void (*end)(void *thing))
{
	struct lender *l = calloc(1, sizeof *l + most * sizeof *l->here);

	if (!l)
		arena_exhausted();
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->back, NULL);
	l->make = make;
	l->of = of;
	l->end = end;
	l->most = most;
	return l;
}

void lender_close(struct lender *l)
{
	if (!l)
		return;
	while (l->n)
		l->end(l->here[--l->n]);
	pthread_cond_destroy(&l->back);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void *lender_take(struct lender *l)
{
	void *thing = NULL;
	enum spent before;

	pthread_mutex_lock(&l->lock);
	if (!l->n && l->made == l->most) {
		before = spent_on(SPENT_TRAY);
		while (!l->n && l->made == l->most)
			pthread_cond_wait(&l->back, &l->lock);
		spent_on(before);
	}
	if (l->n)
		thing = l->here[--l->n];
	else
		l->made++;
	pthread_mutex_unlock(&l->lock);
	return thing ? thing : l->make(l->of);
}

void lender_give(struct lender *l, void *thing)
{
	pthread_mutex_lock(&l->lock);
	l->here[l->n++] = thing;
	pthread_cond_signal(&l->back);
	pthread_mutex_unlock(&l->lock);
}
