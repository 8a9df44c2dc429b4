#ifndef JOB_OUTBOX_H
#define JOB_OUTBOX_H

#include "app.h"

/*
 * Deliver the jobs that are due. A job is delivered at least once, always with
 * the same key. A job that is refused too often, or is too old, becomes DEAD,
 * and an operator decides (contract section 10.3). *n_r grows by the number that
 * was delivered. *more_r: others may be due.
 */
enum rc outbox_run(struct app *app, struct arena *mem, size_t *n_r,
		   bool *more_r);

#endif
