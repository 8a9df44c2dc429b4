#include "base/pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t back;
	void *(*make)(void *of);
	void *of;
	void (*end)(void *thing);
	size_t most, made;
	size_t n; /* here */
	void *here[];
};

struct pool *pool_open(size_t most, void *(*make)(void *of), void *of,
		       void (*end)(void *thing))
{
	struct pool *p = calloc(1, sizeof *p + most * sizeof *p->here);

	if (!p)
		arena_exhausted();
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->back, NULL);
	p->make = make;
	p->of = of;
	p->end = end;
	p->most = most;
	return p;
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	while (p->n)
		p->end(p->here[--p->n]);
	pthread_cond_destroy(&p->back);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void *pool_take(struct pool *p)
{
	void *thing = NULL;

	pthread_mutex_lock(&p->lock);
	while (!p->n && p->made == p->most)
		pthread_cond_wait(&p->back, &p->lock);
	if (p->n)
		thing = p->here[--p->n];
	else
		p->made++;
	pthread_mutex_unlock(&p->lock);
	return thing ? thing : p->make(p->of);
}

void pool_give(struct pool *p, void *thing)
{
	pthread_mutex_lock(&p->lock);
	p->here[p->n++] = thing;
	pthread_cond_signal(&p->back);
	pthread_mutex_unlock(&p->lock);
}
