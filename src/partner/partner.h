#ifndef PARTNER_PARTNER_H
#define PARTNER_PARTNER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/json.h"
#include "base/rc.h"
#include "model/batch.h"

/* What is said to a partner: contract section 9. */
enum verb {
	VERB_LINK,
	VERB_UNLINK,
	VERB_RESOLVE,
	VERB_CPE,
	VERB_NOTE,
	VERB_JOB,
	VERB_LOOK /* nothing is said: the ticket is only read */
};

/* What a read shows of a ticket, as far as it shows it. */
struct view {
	bool has_links;    /* and these are all it has, of our type:    */
	const char **ntts; /* names of NTTs, as the partner has them    */
	size_t nntts;
	const char *status;
	bool has_note;     /* the call's own                             */
	const struct cpe *cpe;
};

/*
 * One step with a partner. It may take more than one exchange (TMF is read
 * before it is patched, and its yes is looked at) and more than one attempt;
 * all of that is within.
 */
struct call {
	/* what to say; which of these are used depends on the verb */
	enum partner_id partner;
	enum verb verb;
	const char *key; /* Idempotency-Key: one for each step, for ever   */
	const char *ticket, *ntt;  /* as the partner names them            */
	const char *relationship;  /* TMF's type of a link to an NTT       */
	const char *remark, *actor, *request_id;
	const struct resolve *resolve;
	const char *element_name;
	const struct cpe *cpe_from, *cpe_to;
	const char *body; /* VERB_JOB, VERB_NOTE: the whole body           */
	bool local;       /* nobody need be asked                          */
	/* seen to be not done, it is not to be done any more */
	bool ends_if_not_done;

	/* what came of it; `past` is what was known before, too */
	struct history past;
	enum rc verdict;     /* RC_OK: accepted. RC_NO: refused. RC_AGAIN:
			      * nothing was sent. RC_DOUBT: not known      */
	enum no no;          /* the last answer, if it was a no            */
	enum seen seen;      /* by the last look,                          */
	int64_t looked_at;   /* which began then (clock_mono_ms)           */
	struct view view;    /* and what it showed                         */
	long status;         /* of the last answer; 0: there was none      */
	const char *why;     /* not RC_OK: a clause for an operator        */
	const char *looked;  /* what a look showed: a clause, or NULL      */
	unsigned attempts;
	int64_t began, ms;   /* wall clock */
	bool ended;
	bool counted;        /* its refusal is, in past.refusals           */
};

/* One exchange of a call. */
struct exchange {
	const char *method;
	bool reads;  /* it changes nothing, whatever becomes of it */
	struct buf path; /* below the base URL                      */
	struct buf body;
	const char *content_type;
};

struct partner {
	const char *name, *code; /* "TaaS", "TAAS" */
	/* It replaces whole arrays, so that this call has to read them first.
	 * NULL: no call does. */
	bool (*reads_first)(const struct call *c);
	/* Make the exchange that changes something; `ticket` is what was read
	 * before. NULL: this partner is never read. */
	void (*write)(const struct conf *cf, const struct call *c,
		      struct slice ticket, struct exchange *x_r);
	/* Make the exchange that reads the ticket. */
	void (*read)(const struct conf *cf, const struct call *c,
		     struct exchange *x_r);
	/* What a JSON answer shows; memory from `mem`. False: it is not that
	 * ticket. `whole`: it is that of a read, where an array that is left
	 * out is empty. */
	bool (*view)(const struct call *c, struct slice answer, bool whole,
		     struct arena *mem, struct view *view_r);
	bool yes_is_looked_at;
};

extern const struct partner partner_taas, partner_tmf, partner_nig,
	partner_queue;
extern const struct partner *const partners[PARTNER__MAX];

enum partner_id partner_of(const char *code); /* PARTNER__MAX: none of these */

/* Can the partner's tickets be read? */
bool partner_is_readable(const struct conf *cf, enum partner_id id);

/* Is a ticket as the call wants it? NOT_SEEN where the view does not show. */
enum seen partner_seen(const struct call *c, const struct view *v);

/* Add "/" and the segment, percent-encoded. */
void path_add(struct buf *path, const char *segment);

/* Can it be a segment of a path? Empty and dotted ones would leave it. */
bool path_takes(const char *segment);

/*
 * A transport with its kept connections, for one thread at a time. Not to be
 * carried over a fork.
 */
struct http;
struct visit; /* partner/health.h */

/* Whoever sends: may it send what changes something? Asked before each such
 * request, and at least once a second while partner_call waits. */
struct sender {
	bool (*may_send)(void *of);
	void *of;
};

/* Before the first transport is opened, and after the last was closed. */
void http_setup(void);
void http_teardown(void);

struct http *http_open(const struct conf *cf);

/* From now on it is this thread's. */
void http_use(struct http *h, struct visit *visit, struct sender sender);
void http_close(struct http *h);

/*
 * Make all the calls, at most `width` at once, and fill the result of each. A
 * call has CTT_PARTNER_TIMEOUT_MS from its begin; none is begun after
 * `deadline` (clock_mono_ms). A call that was in doubt before is made again
 * with the same key; if the partner can be read, its ticket is read first. If a
 * partner's breaker is open, or too many calls to it are under way, it is not
 * called: RC_AGAIN. `meanwhile(of)`, if there is one, runs now and then, at the
 * latest after 50 ms.
 */
void partner_call(struct http *h, struct arena *mem, struct call *const *calls,
		  size_t n, size_t width, int64_t deadline,
		  void (*meanwhile)(void *of), void *of);

#endif
