#ifndef PARTNER_HEALTH_H
#define PARTNER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/conf.h"

/*
 * The health of the partners (contract section 10.6), in a file that the
 * processes of a host share as memory:
 *
 * - A breaker for each partner: after CTT_BREAKER_FAILURES failures in a row a
 *   partner gets only one probe now and then, until it answers.
 * - The calls to each partner that the pool has under way, by process.
 *   CTT_PARTNER_CALLS bounds their sum. Half of the pool's threads bound the
 *   requests that make them, so a slow partner never takes all threads. A request
 *   beyond these bounds is refused; a bulk that goes on waits with its next call.
 * - What is counted for the metrics (model/tally.h), as long as it is open.
 *
 * If a process dies, the next one finds its place by the lock that ended with
 * it. If the file is cut off or overwritten, only what was known is lost.
 */
struct health;

/* `threads`: so many of this process take requests; 0: none, and its calls are
 * not bounded. Never NULL: if the file cannot be shared, the process logs that,
 * and knows only its own calls. */
struct health *health_open(const struct conf *cf, unsigned threads);
void health_close(struct health *h);

/* Whose processes share the file: those of this user, or of the likely one.
 * False: there is no file. */
bool health_owner(const struct conf *cf, uid_t likely, uid_t *owner_r);

/* One request's calls, from its begin to its end. While its thread calls, another
 * one may enter for operations that it opens: an operation's partner is held
 * before its call begins, so only one of them holds the first call to a partner. */
struct visit;

struct visit *visit_open(struct health *h);
void visit_close(struct visit *v);

enum health_admission {
	HEALTH_GO,
	HEALTH_BROKEN, /* it keeps failing, and it is not our turn to probe */
	HEALTH_BUSY,   /* too many calls to it are under way                */
};

/* May this request begin something with the partner? If so, one call to it is
 * the request's until visit_leave. */
enum health_admission visit_enter(struct visit *v, enum partner_id p);
void visit_leave(struct visit *v);

/* Hold a call to the partner until visit_leave, as after visit_enter. False:
 * none is held, and there is no room. */
bool visit_hold_call(struct visit *v, enum partner_id p);

/* One more call at the same time. False: there is no room. */
bool visit_begin_call(struct visit *v, enum partner_id p);
void visit_end_call(struct visit *v, enum partner_id p);

/* May a call be made now? While the partner is broken, only a probe. */
bool visit_may_call(struct visit *v, enum partner_id p);

/* A call that was made has come to an end after `ms`; a refusal is an answer
 * too. `status`: the last of HTTP, or 0. */
void visit_report(struct visit *v, enum partner_id p, bool answered,
		  long status, int64_t ms);

/* Seconds until the next probe. */
int health_retry_s(const struct health *h, enum partner_id p);

/* What the pool does at this moment. */
enum health_now {
	HEALTH_REQUESTS,   /* threads that serve one            */
	HEALTH_TRAY_OPEN,  /* requests in the tray, by stage */
	HEALTH_TRAY_CLOSE,
	HEALTH_NOW__MAX
};

/* So many more, in this process. */
void health_now(struct health *h, enum health_now what, int by);

/* Of all processes of the pool on this host. */
struct pool_health {
	unsigned processes, threads;
	unsigned now[HEALTH_NOW__MAX];
};

struct pool_health health_pool(struct health *h);

bool health_is_broken(const struct health *h, enum partner_id p);

/* The health of a partner. All values are possible ones, even if another
 * program wrote to the file. */
struct partner_health {
	bool broken;
	unsigned failures; /* in a row */
	unsigned waiting;  /* calls under way, of the whole pool      */
	unsigned limit;    /* so many may be                          */
	int64_t usual_ms;    /* what its slower answers took of late; -1:
			      * it has answered none                  */
	int64_t answered_ms; /* how long ago the last one was,        */
	int64_t failed_ms;   /* and the last failure; -1: none was    */
	int failed_status;   /* its HTTP status; 0: no answer came    */
};

/* Frees the places of dead processes first. */
struct partner_health health_look(struct health *h, enum partner_id p);

#endif
