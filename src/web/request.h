#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include "app.h"
#include "base/buf.h"
#include "model/batch.h"
#include "web/token.h"

/*
 * One HTTP request and its reply. fcgi.c fills the first part and sends the
 * last part; no other file uses FastCGI.
 */
struct request {
	struct app *app;
	struct verifier *verifier;
	struct arena *mem;

	const char *method;
	const char *path;  /* as it came, without the query   */
	const char *query; /* after the '?'; may be empty     */
	const char *content_type, *authorization; /* or NULL  */
	const char *content_encoding;             /* or NULL  */
	const char *id;      /* X-Request-Id                    */
	int64_t received_ms; /* by nginx, since 1970; 0: unknown */
	int64_t queue_ms;    /* from then until a thread took it */
	const char *body;
	size_t body_len;
	bool body_too_large; /* over BODY_MAX; the rest was read and dropped */

	const char *idempotency_key; /* NULL: no such header */
	bool dry_run;

	/* what route.c finds out */
	unsigned route; /* see route_path; 0: there is none */
	struct claims claims;
	uint64_t path_id;     /* the `:id` of the path, or 0     */
	const char *path_text; /* its `:operation`, or NULL      */
	int64_t deadline;     /* clock_mono_ms; see struct batch */
	const char *query_errors; /* elements of `errors`, or NULL */
	struct json_object *json; /* the body, once it was read  */

	/* the reply */
	int status;
	enum code code; /* of a problem */
	const char *reply_type;
	const char *allow, *location; /* NULL: no such header */
	const char *challenge; /* WWW-Authenticate, of a 401  */
	const struct ntt *reply_ntt; /* the NTT of an aggregated answer */
	int retry_after_s;       /* 0: no such header    */
	bool replayed; /* the first answer to this key, given again */
	struct buf reply;
};

enum { BODY_MAX = 1024 * 1024 };

/* Does the caller have this permission? If not, the reply is a problem. */
bool request_may(struct request *rq, enum permission what);

/* Answer the request: fills the reply, whatever comes in. */
void request_serve(struct request *rq);

/* The method and the path of rq->route; NULL: there is no such. */
const char *route_method(unsigned route);
const char *route_path(unsigned route);

/* The table of routes as text, one "METHOD PATH PERMISSION" a line. */
void route_print(struct buf *to);

#endif
