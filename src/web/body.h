#ifndef WEB_BODY_H
#define WEB_BODY_H

#include "web/request.h"

/*
 * From a request's body to a batch: size, media type, JSON syntax and fields,
 * in the order of contract section 3. False: the reply is a problem already.
 */
bool body_link(struct request *rq, struct batch *b_r);      /* unlink's items */
bool body_link_bulk(struct request *rq, struct batch *b_r); /* are the same   */
bool body_unlink(struct request *rq, struct batch *b_r);
bool body_move(struct request *rq, struct batch *b_r);
bool body_status(struct request *rq, struct batch *b_r);
bool body_status_bulk(struct request *rq, struct batch *b_r);
bool body_resolve_tickets(struct request *rq, struct batch *b_r);
bool body_cpe(struct request *rq, struct batch *b_r);

#endif
