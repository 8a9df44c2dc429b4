#ifndef SAGA_SAGA_H
#define SAGA_SAGA_H

#include "saga/flow.h"

/*
 * The pipeline that every change takes, one or five hundred at a time:
 *
 *   load+lock -> check -> save, journal | COMMIT | partners | close | COMMIT
 *
 * Fills each item's code, detail and state. Items of one CTT run one after
 * the other, in their order; all others together. Nothing is left half done:
 * what cannot be finished here stands in the journal as open.
 */
void saga_run(struct app *app, const struct flow *flow, struct batch *b);

#endif
