#ifndef PARTNER_PARTNER_H
#define PARTNER_PARTNER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/json.h"
#include "base/rc.h"
#include "model/batch.h"

/*
 * A verb is one thing that cttd tells a partner (contract section 9). This list
 * is the only list of verbs. Its columns:
 *
 * - the name
 * - the function of partner.c that compares a call with a ticket (seen_link)
 * - the trace's text on a ticket without the change
 * - the trace's text on a ticket with the change
 *
 * The file of each partner has a table told[], with a row for each verb that
 * this partner can be told.
 */
#define VERBS(V)                                                             \
	V(LINK, link, "the link is not there", "the link is there")          \
	V(UNLINK, unlink, "the link is there", "the link is not there")      \
	V(RESOLVE, status, "it is not resolved", "it is resolved")           \
	V(CPE, cpe, "it has other values", "it has these values")            \
	V(NOTE, nothing, NULL, NULL)                                         \
	V(JOB, nothing, NULL, NULL)                                          \
	V(LOOK, nothing, NULL, NULL) /* only reads */

enum verb {
#define V(name, ...) VERB_##name,
	VERBS(V)
#undef V
	VERB__MAX
};

/* The trace's text on a ticket: [0] without the change, [1] with it. */
extern const char *const verb_shows[VERB__MAX][2];

/* The values of a ticket that an answer contains. */
struct view {
	bool has_links;    /* `ntts` has all links of our type          */
	const char **ntts; /* the partner's names of the NTTs           */
	size_t nntts;
	const char *status;
	const struct cpe *cpe;
};

/*
 * One step at a partner. partner_call makes all its exchanges (a read before a
 * PATCH, the PATCH, a read that checks the yes) and all its attempts.
 */
struct call {
	/* the request; the verb decides which members are used */
	enum partner_id partner;
	enum verb verb;
	const char *key; /* Idempotency-Key; a step never changes it       */
	const char *ticket, *ntt;  /* the partner's names                  */
	const char *relationship;  /* TMF's type of a link to an NTT       */
	const char *remark, *actor, *request_id;
	const struct resolve *resolve;
	const char *element_name;
	const struct cpe *cpe_from, *cpe_to;
	const char *body; /* VERB_JOB, VERB_NOTE: the whole body           */
	bool local;       /* no partner is called                          */
	/* if a look shows that the call was not applied, do not make it */
	bool ends_if_not_done;

	/* the result; partner_call also reads `past` */
	struct history past;
	enum rc verdict;     /* RC_OK: accepted. RC_NO: refused. RC_AGAIN:
			      * nothing was sent. RC_DOUBT: not known      */
	enum no no;          /* the kind of the last refusal               */
	enum seen seen;      /* the result of the last look                */
	int64_t looked_at;   /* the begin of that look (clock_mono_ms)     */
	struct view view;    /* the ticket that it read                    */
	long status;         /* HTTP, of the last answer; 0: no answer     */
	const char *why;     /* a clause for an operator; NULL if RC_OK    */
	const char *looked;  /* a clause on the last look, or NULL         */
	unsigned attempts;
	int64_t began;       /* wall clock    */
	int64_t since;       /* clock_mono_ms */
	int64_t ms;          /* that it took  */
	bool ended;
	bool counted;        /* its refusal is, in past.refusals           */
};

/* One exchange of a call. */
struct exchange {
	const char *method;
	bool reads;      /* it changes nothing at the partner       */
	struct buf path; /* below the base URL                      */
	struct buf body;
	const char *content_type;
};

struct partner {
	const char *name, *code; /* "TaaS", "TAAS" */
	/* Does this call replace an array? Then it reads the array first.
	 * NULL: no call of this partner does. */
	bool (*reads_first)(const struct call *c);
	/* Make the exchange that changes the ticket. `ticket`: the ticket as it
	 * was read before, or no slice. */
	void (*write)(const struct conf *cf, const struct call *c,
		      struct slice ticket, struct exchange *x_r);
	/* Make the exchange that reads the ticket. NULL: this partner is never
	 * read. */
	void (*read)(const struct conf *cf, const struct call *c,
		     struct exchange *x_r);
	/* Read the values of a JSON answer; memory from `mem`. False: the
	 * answer is not this ticket. `whole`: it answers a read, so an array
	 * that is missing is empty. NULL: this partner is never read. */
	bool (*view)(const struct call *c, struct slice answer, bool whole,
		     struct arena *mem, struct view *view_r);
	/* The partner's word for the status that this verb gives to a ticket,
	 * or NULL. Letter case does not count. */
	const char *(*status)(enum verb verb);
	bool yes_is_looked_at; /* a read checks that a yes was applied */
};

extern const struct partner partner_taas, partner_tmf, partner_nig,
	partner_queue;
extern const struct partner *const partners[PARTNER__MAX];

enum partner_id partner_of(const char *code); /* PARTNER__MAX: no such code */

/* Can the settings of the partners be used, and the files that they name? err
 * gets a line for each that cannot. */
void partner_check(const struct conf *cf, char *err, size_t errlen);

/* Can the partner's tickets be read? */
bool partner_is_readable(const struct conf *cf, enum partner_id id);

/* Does the ticket have the change? NOT_SEEN: the view does not tell. */
enum seen partner_seen(const struct call *c, const struct view *v);

/* Add the text, percent-encoded; path_add: with "/" before it. */
void encoded_add(struct buf *to, const char *text);
void path_add(struct buf *path, const char *segment);

/* Can it be a segment of a path? "", "." and ".." cannot. */
bool path_takes(const char *segment);

/*
 * A transport with its kept connections, for one thread at a time. Not to be
 * carried over a fork.
 */
struct http;
struct tokens; /* partner/token.h */
struct visit;  /* partner/health.h */

/* may_call: may partners be called at all? may_send: may this process still send
 * a change? partner_call asks this before each such request, and at least once a
 * second while it waits. */
struct sender {
	bool (*may_call)(void *of);
	bool (*may_send)(void *of);
	void *of;
};

/* Before the first transport is opened, and after the last was closed. */
void http_setup(void);
void http_teardown(void);

struct http *http_open(const struct conf *cf, struct tokens *tokens);

/* From now on it is this thread's. */
void http_use(struct http *h, struct visit *visit, struct sender sender);
void http_close(struct http *h);

/* Runs now and then while calls are under way, at the latest after 50 ms, or
 * 250 ms if all are. May add calls behind the others: *n becomes their number.
 * `idle`: no call is under way, so it may wait for them. False: no others will
 * come. */
typedef bool more_calls(void *of, bool idle, size_t *n);

/*
 * Make all the calls, at most `width` at once, and fill the result of each. A
 * call has CTT_PARTNER_TIMEOUT_MS from its begin; none is begun after
 * `deadline` (clock_mono_ms). A call that was in doubt before is made again
 * with the same key; if the partner can be read, its ticket is read first. If a
 * partner's breaker is open, or too many calls to it are under way, or no partner
 * may be called, it is not called: RC_AGAIN. more(of), if there is one, may add
 * calls.
 */
void partner_call(struct http *h, struct arena *mem, struct call *const *calls,
		  size_t n, size_t width, int64_t deadline, more_calls *more,
		  void *of);

#endif
