#ifndef JOB_JOB_H
#define JOB_JOB_H

#include "partner/partner.h"
#include "store/sql.h"

enum job_state { JOB_TAKEN, JOB_READY, JOB_DONE, JOB_DEAD };

/* A job that this process has taken, and the call that delivers it. */
struct job {
	const char *id, *type;
	const char *dedupe_key;
	uint64_t ctt_id;
	int64_t attempts, refusals, age_s; /* before this attempt */
	struct job *before; /* the one that it waits for, or NULL */
	unsigned place;     /* in its chain, from 0 */
	enum job_state state;
	int64_t next_ms;    /* until the next try of a READY one */
	struct call call;
};

/* Jobs: those that were taken in one round, or those of a wave of it, which are
 * delivered at the same time. */
struct jobs {
	const char *owner;
	struct job **job;
	size_t n;
	int64_t until; /* clock_mono_ms after which no wave begins */
	bool more;     /* others are due, perhaps */
};

/* Fill *job, which is zeroed, from its row. The row's texts are not copied. */
void job_read(struct job *job, const struct picked_job_row *row,
	      struct arena *mem);

/* Is this the job that compares a CTT with its partner's (contract section 9)?
 * It is not delivered to the queue. */
bool looks_again(const struct job *job);

#endif
