#ifndef STORE_SAVE_H
#define STORE_SAVE_H

#include "store/change.h"

/*
 * Make the changes, in the transaction that store_load began, and end it. On
 * success the keys are held. *won_r is false, and nothing is done, if other
 * requests have some of the keys: those are `lost`. Fails as db_run does.
 */
enum rc store_save(struct db *db, struct change *ch, bool *won_r);

/*
 * Make the changes, in a transaction of its own. *won_r is false, and nothing
 * is done, if some operation is not in its item's `was` any more, or not its
 * owner's. On success NTTs know their new counts, and items what was stored:
 * activity, note, history, elements.
 */
enum rc store_close(struct db *db, struct change *ch, const struct batch *b,
		    bool *won_r);

/* Read what the operations of an idempotency key stored when they were closed:
 * fills activity, note and history of their items *b, whose tickets are
 * loaded. */
enum rc store_read_stored(struct db *db, const struct batch *b);

#endif
