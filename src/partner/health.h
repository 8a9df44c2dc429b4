#ifndef PARTNER_HEALTH_H
#define PARTNER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"

/*
 * What the processes of a host know of their partners (contract section 10.6),
 * in a file that they share as memory:
 *
 * - A breaker for each partner: after CTT_BREAKER_FAILURES failures in a row a
 *   partner gets only one probe now and then, until it answers.
 * - How many processes of the pool wait for each partner. Their share is
 *   bounded, so that a slow partner never takes the whole pool. Beyond
 *   CTT_PARTNER_SHARE, a new request for a partner that is slow is refused; a
 *   request that waits already gives up, if no process of the pool is free.
 *
 * A partner is slow if it fails (SLOW_FAILURES), or while a request waits for
 * it for over a second (SLOW_MS) and over four times its usual time
 * (SLOW_TIMES). If it also answers nobody and no process is free, a quarter of
 * that second is enough (SILENT_MS) and the share is halved; a request that
 * waits already may wait a little longer (CUT_MS).
 *
 * If a process dies, the next one finds its place by the lock that ended with
 * it. If the file is cut off or overwritten, what was known is lost, and
 * nothing else.
 */
struct health;

/* `in_pool`: this process takes requests. Never NULL: a file that cannot be
 * shared is logged, and the process then knows only its own. */
struct health *health_open(const struct conf *cf, bool in_pool);
void health_close(struct health *h);

/* This process has a request in hand, or none. */
void health_at_work(struct health *h, bool at_work);

enum health_admission {
	HEALTH_GO,
	HEALTH_BROKEN, /* it keeps failing, and it is not our turn to probe */
	HEALTH_BUSY,   /* too much of the pool waits for it already          */
};

/* May this request begin something with the partner? Having entered, it
 * counts as waiting for it until health_leave. */
enum health_admission health_enter(struct health *h, enum partner_id p);
void health_leave(struct health *h);

/* May a call be made now? Only one that is a probe while it is broken. Who has
 * not entered does so, if there is room. */
enum health_admission health_admits(struct health *h, enum partner_id p);

/* May calls that were made be waited for any longer? To be asked every
 * HEALTH_WATCH_MS. If not, this process does not count as waiting any more. */
enum { HEALTH_WATCH_MS = 50 };
bool health_may_wait(struct health *h, enum partner_id p);

/* A call that was made has come to an end after `ms`; a refusal is an answer
 * too. `status`: the last of HTTP, or 0. */
void health_report(struct health *h, enum partner_id p, bool answered,
		   long status, int64_t ms);

/* Seconds until it is worth trying again. */
int health_retry_s(const struct health *h, enum partner_id p);

/* For the metrics; a request that had to do without memcached is counted. */
void health_count_no_cache(struct health *h);
unsigned long health_no_cache(const struct health *h);
void health_count_assumed(struct health *h); /* an operation so closed */
unsigned long health_assumed(const struct health *h);
bool health_is_broken(const struct health *h, enum partner_id p);

/* What is known of a partner, whatever other programs have written into the
 * file. */
struct partner_health {
	bool broken;
	unsigned failures; /* in a row */
	unsigned waiting;  /* processes of the pool; none that has died */
	unsigned limit;    /* so many may wait for it once it is slow */
	int64_t usual_ms;    /* what its slower answers took of late; -1:
			      * it has answered none                  */
	int64_t answered_ms; /* how long ago the last one was,        */
	int64_t failed_ms;   /* and the last failure; -1: none was    */
	int failed_status;   /* its HTTP status; 0: no answer came    */
};

/* Places of the dead are freed first. */
struct partner_health health_look(struct health *h, enum partner_id p);

#endif
