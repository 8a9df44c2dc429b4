#ifndef SAGA_DRY_H
#define SAGA_DRY_H

#include "saga/flow.h"

/* The item's CTT is as the item before it, which had the same CTT, has left
 * it. */
void dry_assume(struct item *it);

/* All items that no gate has refused succeed; a move's link as well. Nothing is
 * written: the items have no operation ids. */
void dry_pretend(struct batch *b);

#endif
