#ifndef JOB_LOOK_H
#define JOB_LOOK_H

#include "app.h"

/*
 * The job look-again (contract section 9): a call whose answer was lost may
 * have arrived after its operation was closed. Compares the partner's ticket
 * with ours and mends what a late call has changed. Fills `call` as if the job
 * had been delivered: RC_OK, the ticket is right; else the reason, and the job
 * is tried again.
 */
struct call;
void look_again(struct app *app, struct arena *mem, uint64_t ctt_id,
		const char *request_id, struct call *call);

#endif
