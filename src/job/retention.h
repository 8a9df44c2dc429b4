#ifndef JOB_RETENTION_H
#define JOB_RETENTION_H

#include "app.h"

/*
 * Remove old rows (contract section 11): jobs that are DONE, and operations
 * that a gate refused. Makes one small step, if one is due. *next_r: the time
 * of the next one (clock_mono_ms).
 */
enum rc retention_step(struct app *app, struct arena *mem, int64_t *next_r);

#endif
