#ifndef WEB_ONCE_H
#define WEB_ONCE_H

#include "saga/flow.h"
#include "web/request.h"

/*
 * Idempotency-Key (contract section 3): the same key by the same actor on the
 * same path has the first answer again, for 24 h.
 *
 * False: the reply is complete: the first answer; its outcome, where the
 * process died before it answered; or why neither can be given. True: go on
 * with the batch, whose operations carry the key; without one there is
 * nothing to do.
 */
bool once_begin(struct request *rq, const struct flow *flow,
		void (*reply)(struct request *, const struct batch *),
		struct batch *b);

/* The reply is made: keep it, or forget the key where nothing was begun. */
void once_end(struct request *rq, const struct batch *b);

#endif
