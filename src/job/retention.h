#ifndef JOB_RETENTION_H
#define JOB_RETENTION_H

#include "app.h"

/*
 * Remove what is older than it is to be kept (contract section 11): jobs that
 * are DONE, operations that a gate refused. One small step, if it is time for
 * one: *next_r, by clock_mono_ms, is when it is time again.
 */
enum rc retention_step(struct app *app, struct arena *mem, int64_t *next_r);

#endif
