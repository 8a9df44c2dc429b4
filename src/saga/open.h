#ifndef SAGA_OPEN_H
#define SAGA_OPEN_H

#include "saga/flow.h"

/* Ids of open operations whose owner is gone. */
struct abandoned {
	const char **ids;
	size_t n;
};

/*
 * The first transaction of a batch that has each CTT once: loads and locks the
 * tickets, checks every item, asks whether its partner can be asked, makes the
 * local changes and journals the operations. Fills the items' state and `was`,
 * and code and detail where one was refused; of a dry run what would become
 * of it. A batch that the database refuses is halved until it is clear which
 * item is to blame.
 *
 * If operations that nobody owns reserve some of the CTTs, nothing is begun and
 * *abandoned_r has their ids: the caller settles them and opens again. With
 * NULL they count as in progress.
 */
void saga_open(struct app *app, const struct flow *flow, struct batch *b,
	       struct abandoned *abandoned_r);

/* An item's operation begins: its local change and its journal row, owned by
 * `owner`, go into *ch. */
void saga_begin(struct item *it, struct change *ch, const char *owner);

/* It was refused since its partner is busy. Shedding load must cost little, so
 * it has no journal row. */
bool saga_is_shed(const struct item *it);

/* All items fail, since the database cannot be reached. */
void saga_db_away(struct batch *b);

#endif
