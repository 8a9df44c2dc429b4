#ifndef SAGA_CLOSE_H
#define SAGA_CLOSE_H

#include "saga/flow.h"

/*
 * The second transaction: judges all items whose operations are open, and
 * writes the results. Fills state and `was`, code and detail. If another
 * process has closed an operation or taken it over, the journal's state holds.
 * An operation that cannot be closed stays open, without an owner. `recovered`:
 * no caller waits for the answer. If a caller does, the transaction may be one
 * with other requests (saga/tray.h).
 */
void saga_close(struct app *app, struct batch *b, bool recovered);

/* The stage, for the tray. */
void saga_close_together(struct app *app, struct batch *b);

/*
 * A large batch closes in groups as its partners answer, so that one slow ticket
 * holds up no other.
 */
struct closing {
	struct app *app;
	struct arena *mem;
	struct batch left;    /* open items that are in no group yet  */
	struct batch **group; /* that other threads close meanwhile   */
	struct entry **entry;
	size_t n;
};

/* For items of *b, which the caller adds to `left`. */
struct closing saga_closing(struct app *app, const struct batch *b);

/* Close the items whose calls have ended, if they are at least so many. Does not
 * wait for it. */
void saga_close_ended(struct closing *c, size_t least);

/* Close all others, and wait for the groups. */
void saga_close_left(struct closing *c);

#endif
