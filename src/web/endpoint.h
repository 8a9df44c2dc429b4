#ifndef WEB_ENDPOINT_H
#define WEB_ENDPOINT_H

#include "saga/flow.h"
#include "web/request.h"

/* An endpoint that changes something: it turns the body into a batch, runs a
 * flow, and writes the answer. route.c has its path. */
struct endpoint {
	/* Fills a batch; items with errors are refused already. False: the
	 * reply is a problem. */
	bool (*body)(struct request *rq, struct batch *b_r);
	const struct flow *flow;
	void (*reply)(struct request *rq, const struct batch *b);
};

/* link.c */
extern const struct endpoint link_one, link_many, unlink_together, unlink_many,
	move_many;
/* resolve.c */
extern const struct endpoint status_one, status_many, resolve_many;
/* cpe.c */
extern const struct endpoint cpe_one;

#endif
