#ifndef JOB_LOOP_H
#define JOB_LOOP_H

#include "app.h"

/* Deliver jobs and settle open operations until SIGTERM or SIGINT; calls that
 * were begun are finished first. Returns the exit status. */
int job_loop(struct app *app);

#endif
