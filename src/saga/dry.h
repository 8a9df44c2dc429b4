#ifndef SAGA_DRY_H
#define SAGA_DRY_H

#include "saga/flow.h"

/* Assume that the item before it on the same CTT has succeeded: copy its
 * CTT. */
void dry_assume(struct item *it);

/* Let all items succeed that no gate refused, also the link of a move. Nothing
 * is written, so the items have no operation ids. */
void dry_pretend(struct batch *b);

#endif
