#ifndef WEB_OUTCOME_H
#define WEB_OUTCOME_H

#include "saga/flow.h"
#include "web/reply.h"

/* The results of the items of a change, as the answers of all kinds show them:
 * contract sections 3 and 4. */

bool item_succeeded(const struct item *it);

/* Accepted but not done yet: a resolve that is driven on. */
bool item_is_pending(const struct item *it);

extern const char outcome_failed[], outcome_skipped[], outcome_pending[],
	outcome_unknown[];

/* The outcome of an item that did not succeed: failed or unknown. */
const char *outcome_of_failure(const struct item *it);

/* Begin the answer of a single item, up to its `ctt`. False: the answer is
 * complete already; it is a problem, or says that the operation goes on. */
bool reply_item_begin(struct request *rq, const struct item *it);

/* The item's problem is the whole answer. */
void reply_item_problem(struct request *rq, const struct item *it);

/* `error`: why an item failed. */
void put_item_error(struct buf *b, const struct item *it);

/* The members of an error beside its code and detail. `more_to_come`: its
 * follower is still open. */
void put_error_members(struct buf *b, const struct item *it,
		       bool more_to_come);

/* `ctt`: as an operation that succeeded has left it. */
void put_ctt_after(struct buf *b, const struct item *it);

/* Both names of a ticket, as far as they are known. */
void put_ticket_names(struct buf *b, const char *id_key, const char *no_key,
		      uint64_t id, const char *no, const struct ref *ref);
void put_ctt_names(struct buf *b, const struct item *it, const char *no_key);

/* How an aggregated answer shows one item, and what it counts beside success,
 * failed and unknown. */
struct shape {
	const char *(*outcome)(const struct item *it);
	void (*members)(struct buf *b, const struct item *it);
	const char *const *counters; /* name, outcome; pairs, ends in NULL */
};

/* An aggregated answer: 200, 207 or BULK_ALL_FAILED. */
void reply_aggregate(struct request *rq, const struct batch *b,
		     const struct shape *shape);

/* `results`: each item, in the order of the request. */
void put_results(struct buf *b, const struct batch *batch,
		 const struct shape *shape);

#endif
