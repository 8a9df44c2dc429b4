#ifndef SAGA_SAGA_H
#define SAGA_SAGA_H

#include "saga/flow.h"

/*
 * The pipeline that every change takes, one or five hundred at a time:
 *
 *   load+lock -> check -> save, journal | COMMIT | partners | close | COMMIT
 *
 * Fills each item's code, detail and state. Items of one CTT run one after the
 * other, in their order; all others run together. Nothing is left half done: an
 * operation that cannot be finished here stays open in the journal.
 */
void saga_run(struct app *app, const struct flow *flow, struct batch *b);

#endif
