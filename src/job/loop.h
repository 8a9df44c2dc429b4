#ifndef JOB_LOOP_H
#define JOB_LOOP_H

#include "app.h"

/* Deliver jobs and settle open operations until SIGTERM or SIGINT. Calls under
 * way are finished first. Returns the exit status. */
int job_loop(struct app *app);

#endif
