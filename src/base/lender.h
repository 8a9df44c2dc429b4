#ifndef BASE_LENDER_H
#define BASE_LENDER_H

#include <stddef.h>

/*
 * Things that threads borrow, such as connections. A thing is made when it is
 * first needed, and the one that was given back last is lent first, because it
 * is the likeliest to be ready.
 */
struct lender;

/* At most `most` things at a time; `make(of)` makes one, and `end` ends it. */
struct lender *lender_open(size_t most, void *(*make)(void *of), void *of,
		       void (*end)(void *thing));

/* All things have to be back. */
void lender_close(struct lender *l);

/* Waits while all are lent. */
void *lender_take(struct lender *l);
void lender_give(struct lender *l, void *thing);

#endif
