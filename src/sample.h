#ifndef SAMPLE_H
#define SAMPLE_H

#include "app.h"
#include "model/batch.h"

/*
 * The health of the parts that are asked: the database, what waits in it, and
 * memcached. Whoever looks (GET /ticket/health, cttctl status; ctt-worker now
 * and then) also leaves the numbers to the metrics, which ask nobody.
 */

/* The result sets of SQL_HEALTH. */
enum {
	SAMPLE_WORKER,
	SAMPLE_OPEN,
	SAMPLE_OLDEST,
	SAMPLE_JOBS,
	SAMPLE_DEAD,
	SAMPLE_SETS
};

/* How many operations are open, by their states. */
enum { OPEN_STATES = 2 };
extern const char *const sample_open_state[OPEN_STATES];

struct open_count {
	int64_t in[OPEN_STATES];
};

enum { OPEN_AGE_GROUPS = sizeof(int[]){OPEN_AGES} / sizeof(int) + 1 };

/* The states of jobs that are not done. */
enum { JOB_READY, JOB_RUNNING, JOB_DEAD, JOB_STATES };
extern const char *const sample_job_state[JOB_STATES];

struct sample {
	bool up, writable; /* the database */
	int64_t ms;        /* that a write took, if it takes any */
	int64_t asked_at;  /* clock_mono_ms */
	bool counted; /* if not, for it is away or slow, what follows is empty */
	struct rows sets[SAMPLE_SETS];
	struct open_count open, of_kind[KIND__MAX], of_age[OPEN_AGE_GROUPS];
	/* in seconds; -1: there is none */
	int64_t open_s, job_s;           /* the age of the oldest         */
	int64_t open_late_s, job_late_s; /* of what is due for longest    */
	int64_t workers;                 /* that run; -1: not known       */
	int64_t clock_ms; /* the database's clock when clock_mono_ms was 0; -1:
			   * not known */

	bool cache_up;
};

/* A database that is too slow to count is not away. RC_NO: it refused; with any
 * other result *s_r says all. */
enum rc sample_take(struct app *app, struct arena *mem, struct sample *s_r);

/* What the database says of the workers, and of the jobs in a state; all NULL
 * if it does not. */
const struct health_worker_row *sample_worker(const struct sample *s);
const struct health_jobs_row *sample_jobs(const struct sample *s,
					  unsigned state);

/* A connection to the database that no request uses, and that has little
 * patience. The caller closes it. */
struct db *sample_connection(const struct app *app);

/* Does memcached answer? */
bool sample_cache(struct app *app);

#endif
