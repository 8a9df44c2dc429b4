#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "model/batch.h"
#include "store/db.h"

/* The journal of operations, as recovery, the worker and the answer to an
 * idempotency key read and keep it. None of these leaves a transaction open;
 * memory is the batch's arena's, or `mem`. */

/* Read what the journal says of each item now: its state, into it->was (OP_NONE
 * if it has no row), its trace, its error, and whether it has another owner. */
enum rc store_peek(struct db *db, struct batch *b);

/* The operations that are due, as ids. */
enum rc store_due(struct db *db, struct arena *mem, const char ***ids_r,
		  size_t *n_r);

/*
 * Claim for `owner` those of the operations that are open and abandoned. *b_r
 * gets an item for each, with everything that the journal has; the tickets are not loaded.
 */
enum rc store_claim(struct db *db, struct arena *mem, const char *const *ids,
		    size_t n, const char *owner, struct batch *b_r);

/*
 * Read the operations of an idempotency key. *b_r gets an item for each, by
 * index and age: a copy of the item of `asked`, the key's request, with
 * everything that the journal has. The tickets are not loaded.
 */
enum rc store_of_key(struct db *db, const struct batch *asked,
		     struct batch *b_r);

/* Leave open operations as they are, and try them again later; the reason is
 * the first item's note. */
enum rc store_defer(struct db *db, const struct batch *b, int64_t next_ms);

/* Note that the inverse of these will be sent, and the call never again. Their
 * history begins anew, except that a doubt stays. Items that have another owner
 * by now are removed from *b. */
enum rc store_undoing(struct db *db, struct batch *b);

#endif
