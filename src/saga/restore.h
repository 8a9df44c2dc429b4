#ifndef SAGA_RESTORE_H
#define SAGA_RESTORE_H

#include "saga/flow.h"

enum restored {
	RESTORED_NOTHING, /* no operation was begun: *b is as it was  */
	RESTORED_NOT_YET, /* one is open, and nothing is known of it  */
	RESTORED_ALL
};

/*
 * The process died before it answered the request *b, whose operations carry
 * this idempotency key. Recover those that are open, and fill *b with what its
 * stages would have left, as far as the journal has it, so that it can be
 * answered. Items that were not begun are refused.
 * Other than RC_OK: the database is away, or refused to read.
 */
enum rc saga_restore(struct app *app, const struct flow *flow,
		     struct batch *b, enum restored *restored_r);

#endif
