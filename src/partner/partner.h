#ifndef PARTNER_PARTNER_H
#define PARTNER_PARTNER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/rc.h"
#include "model/batch.h"

/* What is said to a partner: contract section 9. */
enum verb {
	VERB_LINK,
	VERB_UNLINK,
	VERB_RESOLVE,
	VERB_CPE,
	VERB_NOTE,
	VERB_JOB
};

/*
 * One sync with a partner. It may take more than one exchange (TMF is read
 * before it is patched) and more than one try; all of that is within.
 */
struct call {
	/* what to say; which of these are used depends on the verb */
	enum partner_id partner;
	enum verb verb;
	const char *key; /* Idempotency-Key: one for each step, for ever */
	const char *ticket_no, *ntt_no, *remark, *actor, *request_id;
	const struct resolve *resolve;
	const char *element_name;
	const struct cpe *cpe_from, *cpe_to;
	const char *body; /* VERB_JOB, VERB_NOTE: the whole body */
	bool local;       /* nobody need be asked               */

	/* what came of it */
	enum rc verdict;     /* RC_OK: accepted. RC_NO: refused. RC_AGAIN:
			      * nothing was sent. RC_DOUBT: cannot be known */
	long status;         /* of the last answer; 0: there was none */
	const char *why;     /* not RC_OK: a clause for an operator   */
	unsigned attempts;
	int64_t began, ms;   /* wall clock */
};

/* One exchange of a call, made anew for each leg. */
struct exchange {
	const char *method;
	bool reads;  /* it changes nothing, whatever becomes of it */
	struct buf path; /* below the base URL                      */
	struct buf body;
	const char *content_type;
};

struct partner {
	const char *name, *code; /* "TaaS", "TAAS" */
	/*
	 * Make exchange `leg` of the call, from 0 on; `answer` is the body of
	 * the leg before. False where that answer makes no sense.
	 */
	bool (*make)(const struct conf *cf, const struct call *c, unsigned leg,
		     const struct buf *answer, struct exchange *x_r);
	unsigned (*legs)(const struct call *c); /* NULL: one */
};

extern const struct partner partner_taas, partner_tmf, partner_nig,
	partner_queue;
extern const struct partner *const partners[PARTNER__MAX];

/* Add "/" and the segment, percent-encoded. */
void path_add(struct buf *path, const char *segment);

/*
 * The transport: one per process, with its kept connections. Not to be
 * carried over a fork.
 */
struct http;
struct health; /* partner/health.h; outlives it */

struct http *http_open(const struct conf *cf, struct health *health);
void http_close(struct http *h);

/*
 * Make all the calls, at most `width` at once, and fill what came of each.
 * Each has CTT_PARTNER_TIMEOUT_MS from when it is begun; none is begun after
 * `deadline` (clock_mono_ms). A call whose outcome was in doubt before is made
 * again with the same key. A partner whose breaker is open, or for which too
 * much of the pool waits, is not called: RC_AGAIN; nor waited for any longer
 * than partner/health.h allows.
 */
void partner_call(struct http *h, struct arena *mem, struct call *const *calls,
		  size_t n, size_t width, int64_t deadline);

#endif
