#include "config.h"

#include "job/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/stop.h"
#include "job/outbox.h"
#include "job/retention.h"
#include "model/tally.h"
#include "sample.h"
#include "saga/recover.h"
#include "store/audit.h"

enum {
	POLL_MS = 100,  /* pause, so that jobs are delivered together    */
	AWAY_MS = 1000, /* pause if the database is away                 */
	BEAT_MS = 3000, /* between two beats                             */
	BEAT_LATE_MS = 10000, /* a beat may be so late, plus ROUNDS calls */
	ROUNDS = 3,     /* calls to partners between two beats           */
	FREE_MS = 1000,  /* between looks for jobs of workers that died */
	PURGE_MS = 60000, /* between removals of old idempotency keys    */
	HEADS_MS = 1000,  /* between looks at the audit trail's end      */
	HEADS_LATE_MS = 5000,   /* the same, if a row is not committed   */
	SAMPLE_MS = 3000, /* between two looks for the metrics           */
	BACK_MS = 1000,   /* a clock that is set back by less is let be  */
	HEADS_PAUSE_MS = 60000, /* the same, if the file is not writable */
};

/* This worker's row in the database, for GET /ticket/health. */
struct beat {
	char name[ID_LEN + 1];
	int64_t next; /* clock_mono_ms of the next beat */
	bool worked;  /* since the last beat            */
};

static enum rc tell_alive(struct app *app, struct arena *mem, struct beat *beat,
			  int64_t for_ms)
{
	struct buf param[P_BEAT__MAX];
	enum rc rc;

	for (int i = 0; i < P_BEAT__MAX; i++)
		buf_init(&param[i], mem);
	buf_str(&param[P_BEAT_NAME], beat->name);
	put_int(&param[P_BEAT_FOR_MS], NULL, for_ms);
	if (beat->worked)
		buf_str(&param[P_BEAT_WORKED], "1");
	rc = db_run(app_db(app), SQL_BEAT, param, mem, NULL, 0);
	if (rc == RC_OK)
		beat->worked = false;
	return rc == RC_AGAIN ? RC_OK : rc; /* the next beat will do */
}

static enum rc beat_now(struct app *app, struct arena *mem, struct beat *beat)
{
	if (clock_mono_ms() < beat->next)
		return RC_OK;
	beat->next = clock_mono_ms() + BEAT_MS;
	return tell_alive(app, mem, beat, BEAT_LATE_MS +
			  ROUNDS * app->conf->partner_timeout_ms);
}

/* The looks at the database, and what it was last seen to have as its clock. */
struct looks {
	int64_t next;     /* clock_mono_ms of the next one */
	int64_t clock_ms; /* as struct sample has it       */
};

/* What is to wait for longer than anything does is tried sooner. */
static enum rc bring_near(struct app *app, struct arena *mem)
{
	const struct conf *cf = app->conf;
	int64_t late_ms = cf->partner_late_s * 1000;
	struct buf most;

	buf_init(&most, mem);
	put_int(&most, NULL, late_ms > cf->retry_cap_ms ? late_ms :
						 cf->retry_cap_ms);
	return db_run(app_db(app), SQL_CLOCK_BACK, &most, mem, NULL, 0);
}

/* Was the database's clock set back? So it may have been before this worker
 * began. What fails is done after the next look. */
static void see_clock(struct app *app, struct arena *mem, struct looks *looks,
		      int64_t clock_ms)
{
	int64_t back_ms = looks->clock_ms - clock_ms;

	if (clock_ms < 0)
		return;
	if ((looks->clock_ms < 0 || back_ms > BACK_MS) &&
	    bring_near(app, mem) != RC_OK)
		return;
	if (looks->clock_ms >= 0 && back_ms > BACK_MS)
		log_line(LOG_WARN, "clock_back", "ms=%lld", (long long)back_ms);
	looks->clock_ms = clock_ms;
}

/* The database may be away: the metrics are to say so. */
static void take_sample(struct app *app, struct arena *mem, struct looks *looks)
{
	struct sample s;

	tally_now(TALLY_WORKER_AT);
	if (clock_mono_ms() < looks->next)
		return;
	sample_take(app, mem, &s);
	see_clock(app, mem, looks, s.clock_ms);
	looks->next = clock_mono_ms() + SAMPLE_MS; /* it may have waited */
}

static enum rc settle_due(struct app *app, struct arena *mem, size_t *n_r)
{
	const char **ids;
	size_t n;
	enum rc rc = lease_bury(app->lease, mem);

	*n_r = 0;
	if (rc == RC_OK)
		rc = store_due(app_db(app), mem, &ids, &n);
	if (rc == RC_OK && n)
		*n_r = saga_recover(app, mem, ids, n, INT64_MAX);
	return rc;
}

/* From time to time, write the ends of the audit trails to a file. *next: the
 * time when it is due. */
static enum rc write_heads(struct app *app, struct arena *mem, int64_t *next)
{
	const char *file = app->conf->audit_heads_file;
	enum rc rc;

	if (!*file || clock_mono_ms() < *next)
		return RC_OK;
	rc = audit_write_heads(app_db(app), mem, file);
	*next = clock_mono_ms() + HEADS_MS;
	if (rc == RC_OK)
		tally_now(TALLY_HEADS_AT);
	if (rc == RC_AGAIN) { /* a COMMIT takes long; do not hold up jobs */
		*next = clock_mono_ms() + HEADS_LATE_MS;
		return RC_OK;
	}
	if (rc != RC_NO)
		return rc;
	log_line(LOG_ERROR, "audit_heads_failed", "file=%s error=\"%s\"", file,
		 strerror(errno));
	*next = clock_mono_ms() + HEADS_PAUSE_MS;
	return RC_OK;
}

/* Store once since when the trail is chained, and by whose key. */
static enum rc note_start(struct app *app, struct arena *mem, int64_t *next)
{
	struct buf mark;
	enum rc rc;

	if (!*app->conf->audit_key || clock_mono_ms() < *next)
		return RC_OK;
	rc = db_run(app_db(app), SQL_AUDIT_START, NULL, mem, NULL, 0);
	buf_init(&mark, mem);
	buf_str(&mark, lease_mark(app->conf, mem));
	if (rc == RC_OK)
		rc = db_run(app_db(app), SQL_MARK, &mark, mem, NULL, 0);
	if (rc == RC_OK)
		*next = INT64_MAX;
	return rc;
}

static enum rc purge_keys(struct app *app, struct arena *mem, int64_t *next)
{
	if (clock_mono_ms() < *next)
		return RC_OK;
	*next = clock_mono_ms() + PURGE_MS;
	if (db_run(app_db(app), SQL_LEASE_PURGE, NULL, mem, NULL, 0) == RC_ERROR)
		return RC_ERROR;
	return db_run(app_db(app), SQL_KEY_PURGE, NULL, mem, NULL, 0);
}

/* Jobs of workers that died are to be delivered. */
static enum rc free_jobs(struct app *app, struct arena *mem, int64_t *next)
{
	enum rc rc;

	if (clock_mono_ms() < *next)
		return RC_OK;
	rc = db_run(app_db(app), SQL_JOB_FREE, NULL, mem, NULL, 0);
	*next = clock_mono_ms() + FREE_MS;
	return rc == RC_AGAIN ? RC_OK : rc;
}

/* Nothing is delivered or settled then. Who knows that it is none asks again with
 * its work: a worker that has none writes nothing. */
static bool is_copy(struct app *app)
{
	return !lease_is_ours(app->lease) && lease_take(app->lease) &&
	       !lease_is_ours(app->lease);
}

/* Deliver jobs for time_ms. If a partner hangs, each round of operations takes
 * CTT_PARTNER_TIMEOUT_MS, so the jobs get as much time as the operations. */
static enum rc deliver(struct app *app, struct arena *mem, int64_t time_ms,
		       size_t *n_r, bool *more_r)
{
	int64_t until = clock_mono_ms() + time_ms;
	enum rc rc;

	do {
		arena_reset(mem);
		rc = outbox_run(app, mem, n_r, more_r);
	} while (rc == RC_OK && *more_r && clock_mono_ms() < until &&
		 !stop_asked());
	return rc;
}

int job_loop(struct app *app)
{
	struct arena *mem = arena_open();
	int64_t purge = 0, heads = 0, old = 0, start = 0, dead = 0;
	struct looks looks = {.clock_ms = -1};
	struct beat beat = {.next = 0};
	sigset_t waiting;

	id_make(beat.name);
	stop_setup(&waiting);
	log_line(LOG_INFO, "started", "version=%s", PACKAGE_VERSION);
	notify_ready();
	while (!stop_asked()) {
		struct timespec wait = {0};
		size_t jobs = 0, settled = 0;
		bool more = false;
		int64_t began = clock_mono_ms();
		enum rc rc = beat_now(app, mem, &beat);

		notify_alive();
		take_sample(app, mem, &looks);
		if (rc != RC_ERROR && !is_copy(app)) {
			rc = settle_due(app, mem, &settled);
			if (rc != RC_ERROR)
				rc = free_jobs(app, mem, &dead);
			if (rc != RC_ERROR)
				rc = deliver(app, mem, clock_mono_ms() - began,
					     &jobs, &more);
		}
		if (rc == RC_OK)
			rc = purge_keys(app, mem, &purge);
		if (rc == RC_OK)
			rc = note_start(app, mem, &start);
		if (rc == RC_OK)
			rc = write_heads(app, mem, &heads);
		if (rc == RC_OK)
			rc = retention_step(app, mem, &old);
		arena_reset(mem);
		beat.worked |= jobs || settled;
		if (rc == RC_ERROR)
			wait.tv_sec = AWAY_MS / 1000;
		else if (!more && !settled)
			wait.tv_nsec = POLL_MS * 1000000L;
		pselect(0, NULL, NULL, NULL, &wait, &waiting);
	}
	notify_stopping();
	tell_alive(app, mem, &beat, 0); /* it will not count as late */
	arena_close(mem);
	log_line(LOG_INFO, "stopped", "cause=signal");
	return EXIT_SUCCESS;
}
