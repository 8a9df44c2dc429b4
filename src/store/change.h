#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include "model/batch.h"
#include "store/audit.h"
#include "store/db.h"

/*
 * Changes of rows. The stages of a flow gather them for all items of a batch;
 * one round trip makes them (store/save.h). sql/change.sql has the tables and
 * the statements that write them. Texts are not copied: they must live until
 * the change is made. New texts are allocated in the batch's arena.
 */
struct change {
	struct arena *mem;
	const struct conf *conf;
	struct buf param[P_CHANGE__MAX];
	size_t rows[CHANGE__MAX];
	bool single; /* of one item, whose cells are parameters of their own */
	struct buf *doc; /* the row that is open is JSON, in this; or NULL:  */
	unsigned next;   /* the cell of it that comes next                   */
	unsigned shift;  /* or: its cells are so many behind the first row's */
	struct count {
		uint64_t ntt_id;
		int by;
	} *counts;
	struct audit *audits;
	struct key **keys;
	size_t ncounts, naudits, nkeys;
};

/* An item has one count at most, and one audit. */
void change_init(struct change *ch, const struct conf *cf,
		 const struct batch *b);

/* A new journal row, with what is known of the item; an open one is the
 * `owner`'s. */
void change_op_new(struct change *ch, const struct item *it,
		   const char *owner);

/* The state that an item's journal row should take, if it is still in
 * it->was; next_ms: when an open one is tried again. */
void change_op(struct change *ch, const struct item *it, int64_t next_ms);

/* The key of a request whose operations are saved; NULL: it has none. Once is
 * enough for all of them. */
void change_key(struct change *ch, struct key *key);

/* Link a CTT to an NTT, or to none. */
void change_link(struct change *ch, const struct ctt *ctt,
		 const struct ntt *ntt);

/* One more, or less, linked CTT of an NTT. */
void change_count(struct change *ch, const struct ntt *ntt, int by);

/* A new status of an item's CTT, unless it was closed or cancelled meanwhile;
 * then this step of the trace says so. */
void change_status(struct change *ch, const struct item *it,
		   const char *status, enum step step);

/* A new activity of an item's CTT, and a note on it (NULL: none). */
void change_activity(struct change *ch, const struct item *it,
		     const struct activity *a, const char *note);

/* New CPE data of an item's network element, with its history. */
void change_element(struct change *ch, const struct item *it);

/* The members that every job's payload has (contract section 9), in an object
 * that is open for more; the caller closes it. */
struct buf change_payload(const struct change *ch, const struct item *it);

/* A job of an operation, due in delay_ms; `payload` is all of its JSON. */
void change_job(struct change *ch, const struct item *it, const char *type,
		const struct buf *payload, int64_t delay_ms);

/* The audit rows of an operation: its CTT's, and its NTT's if it has one. An
 * NTT is locked for that, so that its trail has one end. */
void change_audit(struct change *ch, const struct item *it,
		  const char *outcome, bool on_ntt);

/* The parameters of SAVE or CLOSE, from ch->mem. The audit rows are sealed with
 * `audit_key`, if it is not "". Nothing more can be added. */
const struct buf *change_params(struct change *ch, const char *audit_key);

#endif
