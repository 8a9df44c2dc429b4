#ifndef SAGA_RECOVER_H
#define SAGA_RECOVER_H

#include "saga/flow.h"

/*
 * Enter the pipeline in its middle: claim those of the operations that are open
 * and abandoned, call their partners again with the same keys, and close them
 * or leave them open until later. Returns how many were closed.
 */
size_t saga_recover(struct app *app, struct arena *mem,
		    const char *const *ids, size_t n, int64_t deadline);

/* Restore in the item what the intent in the journal has of the request. False:
 * that is not enough to continue. */
bool saga_recall(struct item *it, struct arena *mem);

/*
 * Close an open operation by a person's decision, without calling its partner;
 * the audit names the person and the reason. Its follower (of a move) is opened
 * and left to recovery. RC_AGAIN: another process works on it. RC_NO: it is not
 * open, or its ticket is gone. RC_ERROR: the database is away.
 */
enum rc saga_close_by_hand(struct app *app, struct arena *mem, const char *id,
			   const struct by_hand *how);

#endif
