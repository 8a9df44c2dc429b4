#ifndef SAGA_STEP_H
#define SAGA_STEP_H

#include "model/verdict.h"
#include "saga/flow.h"

/*
 * The step of an operation at its partner: what it is told, and what that
 * came to. The journal keeps the call with its operation (contract section 9):
 * recovery repeats what was sent, whatever the tickets say by then.
 */

/* Fill it->call with what the partner is told; if the journal has it, with
 * that. Else it->partner_call and it->partner become what the journal is to
 * keep. */
void step_ask(const struct conf *cf, struct arena *mem, struct item *it);

/* The inverse of the call instead, with a history of its own. */
void step_unask(const struct conf *cf, struct arena *mem, struct item *it);

/* Stand-ins for tickets that were deleted meanwhile, from what the journal
 * has of them; it->is_lost tells. False: it has nothing. */
bool step_find_lost(struct arena *mem, struct item *it);

/* Ask the partners of all items that are open, and for whom somebody has to be
 * asked; the items' histories go on. */
void step_call_all(struct app *app, struct batch *b);

/* In doubt it is driven on; all others are taken back. */
bool step_goes_on(const struct item *it);

/* What becomes of the operation, by what is known now. Fills look_again, and
 * forced. */
enum next step_next(const struct conf *cf, struct item *it, bool recovered);

/* How long until an attempt in doubt cannot arrive any more; 0: it cannot. */
int64_t step_late_ms(const struct conf *cf, const struct item *it);

#endif
