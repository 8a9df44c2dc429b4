#ifndef SAGA_STEP_H
#define SAGA_STEP_H

#include "model/verdict.h"
#include "saga/flow.h"

/*
 * The step of an operation at its partner: the call, and what came of it. The
 * journal keeps the call with its operation (contract section 9), so recovery
 * repeats what was sent, whatever the tickets say by then.
 */

/* Fill the item's call: from the journal, if it has the call; else from the
 * flow, and sync.call_json and sync.partner become what the journal will
 * keep. */
void step_ask(const struct conf *cf, struct arena *mem, struct item *it);

/* The inverse of the call instead, with a history of its own. */
void step_unask(const struct conf *cf, struct arena *mem, struct item *it);

/* Make stand-ins for tickets that were deleted meanwhile from what the journal
 * has of them, and set it->recovery.is_lost. False: the journal has nothing. */
bool step_find_lost(struct arena *mem, struct item *it);

/* Call the partners of all open items that have a partner to call, and update
 * the items' histories. */
void step_call_all(struct app *app, struct batch *b);

/* Is there a partner to call for the item? */
bool step_is_called(const struct item *it);

/* Update the history of an item whose call has ended. */
void step_ended(struct item *it);

/* Is the operation driven on if it is in doubt? Others are undone. */
bool step_is_forward(const struct item *it);

/* What becomes of the operation, by what is known now. Fills look_again, and
 * forced. */
enum next step_next(const struct conf *cf, struct item *it, bool recovered);

/* How long until an attempt in doubt cannot arrive any more; 0: it cannot. */
int64_t step_late_ms(const struct conf *cf, const struct item *it);

#endif
