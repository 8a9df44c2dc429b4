#ifndef JOB_LOOK_H
#define JOB_LOOK_H

#include "app.h"

/*
 * The job look-again (contract section 9). A call whose answer was lost may
 * have arrived after its operation was closed. So compare the partner's ticket
 * with ours, and undo the change of such a call. *call gets the result of the
 * job, as if it had been delivered. RC_OK: the tickets are the same. Else the
 * job is tried again, and call->why is the reason.
 */
struct call;
void look_again(struct app *app, struct arena *mem, uint64_t ctt_id,
		const char *request_id, struct call *call);

#endif
