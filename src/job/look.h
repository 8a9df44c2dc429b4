#ifndef JOB_LOOK_H
#define JOB_LOOK_H

#include "app.h"

/*
 * The job look-again (contract section 9): a call whose answer was lost may
 * have arrived after its operation was closed. The partner must have what our
 * tickets say now; what a late call has changed is put right. Fills `call` as
 * if the job had been delivered: RC_OK, it is as it should be; else why not,
 * and it is to be tried again.
 */
struct call;
void look_again(struct app *app, struct arena *mem, uint64_t ctt_id,
		const char *request_id, struct call *call);

#endif
