#ifndef SAGA_JUDGE_H
#define SAGA_JUDGE_H

#include "saga/flow.h"

/*
 * Decide the state that an open operation takes (it->state) and gather in *ch
 * all that goes with it: the journal row, the local change made or taken back,
 * counts, jobs and audit. What follows by itself is begun (it->next). Fills
 * code and detail for the caller. May run again for the same item, if the
 * transaction has to be repeated.
 */
void saga_judge(struct app *app, struct item *it, struct change *ch,
		bool recovered);

#endif
