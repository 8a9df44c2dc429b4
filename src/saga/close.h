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

#endif
