#ifndef SAGA_CLOSE_H
#define SAGA_CLOSE_H

#include "saga/flow.h"

/*
 * The second transaction: judges all items whose operations are open, and
 * writes what they come to. Fills state and `was`, code and detail. An
 * operation that another process has closed or taken over keeps what the
 * journal says. One that cannot be closed stays open, without an owner.
 * `recovered`: nobody waits for the answer.
 */
void saga_close(struct app *app, struct batch *b, bool recovered);

#endif
