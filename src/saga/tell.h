#ifndef SAGA_TELL_H
#define SAGA_TELL_H

#include "saga/flow.h"

/* All texts live as long as `mem`. `recovered`: recovery calls this, not the
 * process that began the operation. */

/* The trace's step for the partner: its outcome, its words, its time. */
void tell_sync(struct arena *mem, struct item *it, bool recovered);

/* The trace's step for the rollback: here, if `taken_back`, and at the
 * partner. */
void tell_rollback(struct arena *mem, struct item *it, bool taken_back);

/* Gives an operation that failed, or whose outcome is unknown, its code and a
 * sentence for the caller. */
void tell_caller(struct arena *mem, struct item *it);

#endif
