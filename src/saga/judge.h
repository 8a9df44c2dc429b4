#ifndef SAGA_JUDGE_H
#define SAGA_JUDGE_H

#include "saga/flow.h"

/*
 * Decide the state that an open operation takes (it->state) and gather in *ch
 * its changes: the journal row, the local change made or undone, counts, jobs
 * and audit. Begins the follower (it->next), if there is one. Fills code and
 * detail for the caller. May run again for the same item, if the transaction is
 * repeated.
 */
void saga_judge(struct app *app, struct item *it, struct change *ch,
		bool recovered);

#endif
