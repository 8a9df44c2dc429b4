#ifndef WEB_REPLY_H
#define WEB_REPLY_H

#include "web/request.h"

/*
 * A problem (RFC 9457; contract section 3): its members up to and with
 * requestId are written; the caller adds what else it needs to rq->reply and
 * ends it with reply_problem_end.
 */
void reply_problem_begin(struct request *rq, enum code code,
			 const char *detail);
void reply_problem_end(struct request *rq);

/* The same, with another status than the code's own. */
void reply_problem_begin_as(struct request *rq, enum code code, int status,
			    const char *detail);

/* A problem that needs nothing else. */
void reply_problem(struct request *rq, enum code code, const char *detail);

/* The errors of a request's fields and parameters, and those that route.c found
 * in the query; one reply reports all of them. errors_reply returns true if
 * there are none; else the reply is a problem. The field's name is `prefix`
 * followed by `field`. */
struct errors {
	struct arena *mem;
	struct buf list; /* elements of `errors` */
};

struct errors errors_none(struct arena *mem);
void error_add(struct errors *f, const char *prefix, const char *field,
	       const char *message);
bool errors_reply(struct request *rq, const struct errors *f);

/* Begin a reply of 200; add the members of its object to rq->reply. */
void reply_begin(struct request *rq);
void reply_end(struct request *rq);

/* Answer that the database failed to read, by the kind of its failure. */
void reply_db_failed(struct request *rq, enum rc rc);

/* A CTT as every answer shows it (section 4); `open`: an operation is under
 * way. */
void reply_ctt_members(struct buf *b, const struct ctt *c, uint64_t ntt_id,
		       const char *ntt_ticket_no, bool open);
void reply_ntt(struct buf *b, const char *key, const struct ntt *n);

#endif
