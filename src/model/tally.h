#ifndef MODEL_TALLY_H
#define MODEL_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/conf.h"
#include "model/batch.h"

/*
 * What the metrics tell (web/metrics.c), as numbers in memory that the
 * processes of a host share (partner/shared.c): all of them count, and any of
 * them tells all. Nobody waits for anybody.
 */

enum {
	TALLY_ROUTES = 32, /* the first is none; web/metrics.c has the others */
	/* How a request ends: each code; and the answers without one. */
	TALLY_200 = CODE__MAX, TALLY_202, TALLY_207,
	TALLY_SHED, /* a bulk of which all was shed: 503 */
	TALLY_OTHER,
	TALLY_ENDS,
	TALLY_VERDICTS = 4, /* enum rc of a call */
	TALLY_PARTS_OF_TIME = 8,
};

/* A histogram of times: a place for each of TALLY_BOUNDS (ms), one for what is
 * longer, and the sum in microseconds. */
#define TALLY_BOUNDS                                                         \
	5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000
enum { TALLY_BUCKETS = 13, TALLY_TIMES = TALLY_BUCKETS + 1 };

/* A histogram of numbers: 1, 2, up to 4, ... 64; and the sum. */
enum { TALLY_POWERS = 7, TALLY_SIZES = TALLY_POWERS + 1 };

enum { TALLY_TRAYS = 2 }; /* before the first and the second transaction */

/* What is counted: the name, and how many places it has. */
#define TALLIES(T)                                                           \
	T(REQUESTS, TALLY_ROUTES * TALLY_ENDS)                               \
	T(REQUEST_TIMES, TALLY_ROUTES * TALLY_TIMES)                         \
	T(QUEUE_TIMES, TALLY_TIMES)                                          \
	T(PARTS, TALLY_PARTS_OF_TIME) /* enum spent: microseconds */         \
	T(TRAY_SIZES, TALLY_TRAYS * TALLY_SIZES)                             \
	T(CALLS, PARTNER__MAX * TALLY_VERDICTS)                              \
	T(CALL_TIMES, PARTNER__MAX * TALLY_TIMES)                            \
	T(OPERATIONS, KIND__MAX * OP_STATE__MAX)                             \
	T(ASSUMED, 1)                                                        \
	T(JOBS_DONE, 1)                                                      \
	T(JOBS_DEAD, 1)                                                      \
	T(JOBS_AGAIN, 1)                                                     \
	T(DB_RETRIES, 1)                                                     \
	T(NO_CACHE, 1)       /* requests that did without memcached */       \
	/* moments, and what was seen at them: tally_set */                  \
	T(WORKER_AT, 1)      /* a worker of this host began a round */       \
	T(HEADS_AT, 1)       /* and looked for new ends of audit trails */   \
	T(SAMPLED_AT, 1)     /* the following were seen: src/sample.c */     \
	T(CACHE_UP, 1)                                                       \
	T(DB_UP, 1)                                                          \
	T(DB_WRITABLE, 1)                                                    \
	T(DB_WRITE_MS, 1)                                                    \
	T(DB_CLOCK_MS, 1)    /* its clock when clock_mono_ms was 0 */        \
	T(OPEN, 2)           /* operations, RUNNING and SETTLING */          \
	T(OPEN_S, 1)         /* the age of the oldest */                     \
	T(JOBS, 3)           /* READY, RUNNING, DEAD */                      \
	T(JOB_S, 1)          /* the age of the oldest that is not delivered */ \
	T(OPEN_LATE_S, 1)    /* how long work is due */                      \
	T(JOB_LATE_S, 1)                                                     \
	T(WORKERS, 1)                                                        \
	T(SERVER_ENDS, PARTNER__MAX) /* the certificates that were shown, in s */

enum tally {
#define T(name, places)                                                      \
	TALLY_##name, TALLY_##name##_END = TALLY_##name + (places) - 1,
	TALLIES(T)
#undef T
	TALLY__MAX
};

/* What is counted by a text that is not known before. */
enum tally_list {
	TALLY_DB_ERRORS,       /* the number of the error */
	TALLY_UNAUTHENTICATED, /* why the token is no good */
	TALLY_LISTS
};

enum { TALLY_NAMES = 48, TALLY_NAME = 104 };

struct tally_name {
	atomic_uint state; /* 0: free; 1: being written; 2: it has its text */
	char text[TALLY_NAME];
	atomic_ullong n;
};

struct tallies {
	atomic_ullong n[TALLY__MAX];
	struct tally_name name[TALLY_LISTS][TALLY_NAMES];
};

/* Count here from now on; NULL: in memory of this process. */
void tally_use(struct tallies *shared);

void tally_add(unsigned place, uint64_t n);
void tally_time(unsigned histogram, int64_t us);
void tally_size(unsigned histogram, uint64_t n);

/* One more with this text. If there are too many texts, it is not counted. */
void tally_name(enum tally_list list, const char *text);

/* A number that is not added up; -1: it is not known, as at first. */
void tally_set(unsigned place, int64_t n);
int64_t tally_get(unsigned place);

uint64_t tally_count(unsigned place);

/* How long ago tally_now was called for this moment (ms); -1: never. */
void tally_now(unsigned place);
int64_t tally_ago(unsigned place);

/* The i-th text of a list; NULL: there is none. */
const char *tally_text(enum tally_list list, unsigned i, uint64_t *n_r);

#endif
