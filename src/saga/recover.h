#ifndef SAGA_RECOVER_H
#define SAGA_RECOVER_H

#include "saga/flow.h"

/*
 * The pipeline, entered in its middle: take over those of the operations that
 * are open and abandoned, ask their partners again with the same keys, and
 * close them, or leave them open until later. Returns how many were closed.
 */
size_t saga_recover(struct app *app, struct arena *mem,
		    const char *const *ids, size_t n, int64_t deadline);

/* What the journal keeps of a request (it->intent), back in its item. False: it
 * is not enough to go on by. */
bool saga_recall(struct item *it, struct arena *mem);

/*
 * Close an open operation as somebody says, without asking its partner; the
 * audit has who and why. What follows by itself (of a move) is opened, and
 * left to recovery. RC_AGAIN: another process has it in hand. RC_NO: it is not
 * open, or its ticket is gone. RC_FAULT: the database is away.
 */
enum rc saga_close_by_hand(struct app *app, struct arena *mem, const char *id,
			   const struct by_hand *how);

#endif
