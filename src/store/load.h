#ifndef STORE_LOAD_H
#define STORE_LOAD_H

#include "model/batch.h"
#include "store/db.h"

/*
 * Fill the ids of tickets that the items name by number; an unknown number
 * leaves an id of 0. Takes no round trip if all are named by id.
 */
enum rc store_ids(struct db *db, struct batch *b);

/*
 * Begin a transaction; lock and read the CTTs of all items, ids rising, and
 * read the NTTs, the open operations and the unlink blocks, and what else
 * `load` (SQL_LOAD...) names. Fills the items' ctt, ntt, block_ms and lov, and
 * the NTTs of `move`; absent tickets leave NULL. All memory is
 * the batch's arena's. RC_OK leaves the transaction open, anything else does
 * not.
 */
enum rc store_load(struct db *db, enum sql load, struct batch *b);

/* Give up the transaction that store_load began. */
void store_cancel(struct db *db);

/* A network element as a row has it; the texts stay the row's. */
struct network_element *store_element(const struct element_row *row,
				      struct arena *mem);

/* Add an element to a CTT's list, which has ids rising. */
void store_add_element(struct ctt *ctt, struct network_element *e);

#endif
