#ifndef SAGA_OPEN_H
#define SAGA_OPEN_H

#include "saga/flow.h"

/*
 * The first transaction of a batch in which each CTT comes once: loads and
 * locks the tickets, checks every item, checks that its partner can be called,
 * makes the local changes and writes the journal. Fills the items' state and
 * `was`, and the code and detail of a refused item; in a dry run, what would
 * become of each. If the database refuses the batch, it is halved until the
 * item that it refuses is found. Before that, recovers the abandoned operations
 * that reserve some of the CTTs, if that is possible.
 *
 * The transaction may be one with other requests (saga/tray.h); not that of a
 * dry run, or of a request that is all or none.
 */
void saga_open(struct app *app, const struct batch *b);

/* Begin to open *b in company, while the caller goes on until saga_open_wait:
 * *b, b->mem and what hangs on the items are another thread's until then. *b
 * becomes the items that are not refused at once; NULL: all are. */
struct entry *saga_open_post(struct app *app, struct batch *b);

/* Returns the items that have to be opened by saga_open. */
struct batch saga_open_wait(struct app *app, struct entry *e, struct batch *b);

/* The stage, for the tray. */
void saga_open_together(struct app *app, struct batch *b);

/* Refuse all items, because the database cannot be reached. */
void saga_db_away(struct batch *b);

#endif
