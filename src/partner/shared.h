#ifndef PARTNER_SHARED_H
#define PARTNER_SHARED_H

#include <sys/types.h>

#include "base/conf.h"
#include "model/tally.h"
#include "partner/breaker.h"
#include "partner/health.h"

/*
 * The file that the processes of a host share as memory, for health.c alone.
 *
 * A new file is all zero. A file of another boot or of another version is set
 * to zero, too. Other programs can write to the file, so each number is checked
 * before it is used, and no function waits for another process.
 */
enum { PLACES = 1024 }; /* processes on one host */

/* What a process holds of the room at a partner. */
enum held {
	HELD_CALLS,    /* calls under way         */
	HELD_REQUESTS, /* requests that make them */
	HELD__MAX
};

/* A process of the pool holds a lock on the byte of its place in the file. The
 * lock ends with the process, and no other program with the same pid has it. */
struct place {
	atomic_int in_pool;
	atomic_uint threads;
	atomic_uint held[HELD__MAX][PARTNER__MAX];
	atomic_int now[HEALTH_NOW__MAX];
};

struct shared {
	uint64_t stamp;
	struct breaker breaker[PARTNER__MAX];
	struct tallies tallies;
	atomic_int taken; /* places from this one on were never used */
	struct place place[PLACES];
};

/* The path of the file of this user's processes. All that use the same database
 * share one. */
void shared_path(const struct conf *cf, uid_t user, char *to, size_t n);

/* Map the file, and make it if it is not there. Never NULL: if that fails, it
 * is memory of this process alone, *fd_r is -1, and the log says why. Else
 * *fd_r is the file. A page that is missing later, because another program cut
 * the file off, is restored (SIGBUS). */
struct shared *shared_open(const struct conf *cf, int *fd_r);
void shared_close(struct shared *s, int fd);

/* How many places may be in use. */
int shared_places(const struct shared *s);

#endif
