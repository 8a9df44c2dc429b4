#ifndef SAGA_DRIVE_H
#define SAGA_DRIVE_H

#include "saga/flow.h"

/* If the lease has expired, because the database or the machine stood still,
 * renew it, and find out which open operations of *b others have taken over
 * since. */
void saga_find_taken(struct app *app, const struct batch *b);

/* Call the partners of all open items. */
void saga_sync(struct app *app, struct batch *b);

/* Call the partners and close; then the same for the followers, until there are
 * none. */
void saga_drive(struct app *app, struct batch b);

/* The open followers of the operations in *b. */
struct batch saga_followers(const struct batch *b);

/* Block the pairs that the operations of *b have unlinked: contract section
 * 5. */
void saga_block(struct app *app, const struct batch *b);

#endif
