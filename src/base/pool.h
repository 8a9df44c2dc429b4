#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

/*
 * Things that threads borrow, such as connections. A thing is made when it is
 * first needed, and the one that was given back last is lent first, because it
 * is the likeliest to be ready.
 */
struct pool;

/* At most `most` things at a time; `make(of)` makes one, and `end` ends it. */
struct pool *pool_open(size_t most, void *(*make)(void *of), void *of,
		       void (*end)(void *thing));

/* All things have to be back. */
void pool_close(struct pool *p);

/* Waits while all are lent. */
void *pool_take(struct pool *p);
void pool_give(struct pool *p, void *thing);

#endif
