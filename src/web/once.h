#ifndef WEB_ONCE_H
#define WEB_ONCE_H

#include "saga/flow.h"
#include "web/request.h"

/*
 * Idempotency-Key (contract section 3): for 24 h, the same key by the same
 * actor on the same path gets the first answer again.
 *
 * False: the reply is complete. It is the first answer; or, if that process
 * died before it answered, the outcome; or the reason why there is neither.
 * True: run the batch, whose operations now carry the key (or no key was sent).
 */
bool once_begin(struct request *rq, const struct flow *flow,
		void (*reply)(struct request *, const struct batch *),
		struct batch *b);

/* The request has run. True: nothing was begun, because another request with its
 * key came first; the reply is complete. */
bool once_lost(struct request *rq, const struct batch *b);

/* The reply is complete: store it, or free the key if nothing was begun. */
void once_end(struct request *rq, const struct batch *b);

#endif
