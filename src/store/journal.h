#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "model/batch.h"
#include "store/audit.h"
#include "store/db.h"

/*
 * Fill the ids of tickets that the items name by number; a number that there
 * is not leaves an id of 0. No round trip when all are named by id.
 */
enum rc store_ids(struct db *db, struct batch *b);

/*
 * Begin a transaction; lock and read the CTTs of all items, ids rising, and
 * read the NTTs, the open operations and the unlink blocks of the batch's
 * block_ttl_s; and what else `load` (SQL_LOAD...) names. Fills ctt,
 * ntt, block_ms and the batch's lov; absent tickets leave NULL. RC_OK leaves
 * the transaction open, anything else does not.
 */
enum rc store_load(struct db *db, enum sql load, struct batch *b);

/* A network element from the columns behind `col`: id, name, access type, the
 * five facts, when it was updated. */
struct network_element *store_element(const struct rows *r, size_t i,
				      unsigned col, struct arena *mem);

/* Give up the transaction that store_load began. */
void store_cancel(struct db *db);

/*
 * Changes of rows, gathered by the stages of a flow for all items of a batch,
 * and made in one round trip.
 */
enum change_doc { /* the JSON texts: a, b, c... of SQL_SAVE and SQL_CLOSE */
	CHANGE_NEWS,
	CHANGE_LINKS,
	CHANGE_OPS,
	CHANGE_STATUSES,
	CHANGE_ACTIVITIES,
	CHANGE_NOTES,
	CHANGE_ELEMENTS,
	CHANGE_JOBS,
	CHANGE_AUDITS,
	CHANGE_COUNTS,
	CHANGE__MAX
};

struct change {
	struct arena *mem;
	int64_t block_ttl_s; /* the batch's */
	struct buf param[DB_PARAMS];
	size_t rows[CHANGE__MAX], cells[CHANGE__MAX]; /* of each text */
	bool by_cells; /* of one item, to which much goes without JSON */
	struct count {
		uint64_t ntt_id;
		int by;
	} *counts;
	struct audit *audits;
	size_t ncounts, naudits;
};

/* An item has one count at most, and one audit. */
void change_init(struct change *ch, const struct batch *b);

/* A new journal row, with what is known of the item; an open one is the
 * `owner`'s. */
void change_op_new(struct change *ch, const struct item *it,
		   const char *owner);

/* The state that an item's journal row should take, if it is still in
 * it->was; next_ms: when an open one is tried again. */
void change_op(struct change *ch, const struct item *it, int64_t next_ms);

/* Link a CTT to an NTT, or to none. */
void change_link(struct change *ch, const struct ctt *ctt,
		 const struct ntt *ntt);

/* One more, or less, linked CTT of an NTT. */
void change_count(struct change *ch, const struct ntt *ntt, int by);

/* A new status of an item's CTT, which is its resolution; not if it was closed
 * or cancelled meanwhile. */
void change_status(struct change *ch, const struct item *it,
		   const char *status);

/* A new activity of an item's CTT, and a note on it (NULL: none). */
void change_activity(struct change *ch, const struct item *it,
		     const struct activity *a, const char *note);

/* New CPE data of an item's network element, with its history. */
void change_element(struct change *ch, const struct item *it);

/* A job of an operation, due in delay_ms; `payload` is the whole JSON object. */
void change_job(struct change *ch, const struct item *it, const char *type,
		const struct buf *payload, int64_t delay_ms);

/* The audit rows of an operation: its CTT's, and its NTT's if it has one. An
 * NTT is locked for that, so that its trail has one end. */
void change_audit(struct change *ch, const struct item *it,
		  const char *outcome, bool on_ntt);

/* Make them: store_save ends the transaction that store_load began. */
enum rc store_save(struct db *db, struct change *ch);

/*
 * A transaction of its own. *won_r is false, and nothing is done, if some
 * operation is not in its item's `was` any more, or not its owner's. On success NTTs know their
 * new counts, and items what was stored: activity, note, history, elements.
 */
enum rc store_close(struct db *db, struct change *ch, const struct batch *b,
		    bool *won_r);

/* Read the state in which the journal has each item now into it->was, its
 * trace and its error, and whether it is another's by now: OP_NONE where there
 * is no row. */
enum rc store_peek(struct db *db, struct batch *b);

/* The operations that are due, as ids. */
enum rc store_due(struct db *db, struct arena *mem, const char ***ids_r,
		  size_t *n_r);

/*
 * Take over those of the operations that are open and abandoned: *b_r gets an
 * item for each, with all that the journal has; its tickets have still to be
 * loaded.
 */
enum rc store_claim(struct db *db, struct arena *mem, const char *const *ids,
		    size_t n, struct batch *b_r);

/* Leave open operations as they are, and try them again later; the reason is
 * the first item's note. */
enum rc store_defer(struct db *db, const struct batch *b, int64_t next_ms);

/* The inverse of these will be sent, and the call never again. Their history
 * begins anew, but for what was in doubt. Those that are another's by now are
 * taken out of *b. */
enum rc store_undoing(struct db *db, struct batch *b);

#endif
