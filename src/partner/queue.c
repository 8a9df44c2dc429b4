/*
 * partner/queue.c - the queue: POST jobs
 */
#include "partner/partner.h"

static void queue_write(const struct conf *cf, const struct call *c,
			struct slice ticket, struct exchange *x)
{
	(void)cf;
	(void)ticket;
	x->method = "POST";
	x->content_type = "application/json";
	buf_str(&x->path, "/jobs");
	buf_str(&x->body, c->body);
}

const struct partner partner_queue = {
	.name = "the queue",
	.code = "QUEUE",
	.write = queue_write,
};
