#ifndef JOB_RETENTION_H
#define JOB_RETENTION_H

#include "app.h"

/*
 * Remove old rows (contract section 11): jobs that are DONE, operations that a
 * gate refused. Makes one small step, if one is due; *next_r (clock_mono_ms) is
 * when the next one is.
 */
enum rc retention_step(struct app *app, struct arena *mem, int64_t *next_r);

#endif
