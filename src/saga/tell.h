#ifndef SAGA_TELL_H
#define SAGA_TELL_H

#include "saga/flow.h"

/* All texts live as long as `mem`. `recovered`: recovery calls this, not the
 * process that began the operation. */

/* The trace's step for the partner: its outcome, its words, its time. */
void tell_sync(struct arena *mem, struct item *it, bool recovered);

/* What took the change back: at the partner, after its outcome was unknown, and
 * here. */
void tell_compensated(struct arena *mem, struct item *it);
void tell_taken_back(struct arena *mem, struct item *it);

/* Gives an operation that failed, or whose outcome is unknown, its code and a
 * sentence for the caller. */
void tell_caller(struct arena *mem, struct item *it);

#endif
