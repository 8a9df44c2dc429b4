#include "sample.h"

#include <string.h>

#include "base/clock.h"
#include "model/tally.h"

enum { PATIENCE_S = 2 }; /* with a database that says nothing */

const char *const sample_open_state[OPEN_STATES] = {"RUNNING", "SETTLING"};
const char *const sample_job_state[JOB_STATES] = {"READY", "RUNNING", "DEAD"};

/* Those of requests may all be lent, and wait longer than who reads the health
 * does. */
struct db *sample_connection(const struct app *app)
{
	struct db *db = db_open(app->conf);

	db_patience(db, PATIENCE_S);
	return db;
}

static enum rc look_at_database(struct app *app, struct arena *mem,
				struct sample *s)
{
	struct db *db = sample_connection(app);
	enum rc rc;

	s->asked_at = clock_mono_ms();
	rc = db_run(db, SQL_HEALTH, NULL, mem, s->sets, SAMPLE_SETS);
	s->counted = rc == RC_OK;
	if (!s->counted) /* what came before it broke off */
		memset(s->sets, 0, sizeof s->sets);
	if (rc != RC_ERROR) { /* there is a connection */
		int64_t began = clock_mono_ms();

		s->writable = db_run(db, SQL_PING, NULL, mem, NULL, 0) ==
			      RC_OK;
		s->ms = clock_mono_ms() - began;
		s->up = s->counted || s->writable;
	}
	db_close(db);
	return rc;
}

static int64_t number(const char *cell)
{
	return cell ? cell_int(cell) : -1;
}

const struct health_worker_row *sample_worker(const struct sample *s)
{
	static const struct health_worker_row unknown;
	const struct rows *r = &s->sets[SAMPLE_WORKER];

	return r->n ? ROW(health_worker, r, 0) : &unknown;
}

/* The rows are the states in their order. */
const struct health_jobs_row *sample_jobs(const struct sample *s,
					  unsigned state)
{
	static const struct health_jobs_row unknown;
	const struct rows *r = &s->sets[SAMPLE_JOBS];

	return state < r->n ? ROW(health_jobs, r, state) : &unknown;
}

static void add(struct open_count *to, unsigned state, int64_t n)
{
	to->in[state] += n;
}

static void most(int64_t *of, int64_t n)
{
	if (n > *of)
		*of = n;
}

static void count_open(struct sample *s)
{
	const struct rows *r = &s->sets[SAMPLE_OPEN];
	const struct rows *oldest = &s->sets[SAMPLE_OLDEST];

	for (size_t i = 0; i < r->n; i++) {
		const struct health_open_row *row = ROW(health_open, r, i);
		unsigned state = op_state_of(row->state) == OP_SETTLING;
		enum kind kind = kind_of(row->kind);
		int64_t n = cell_int(row->n);

		add(&s->open, state, n);
		if (kind != KIND__MAX) /* a later version's */
			add(&s->of_kind[kind], state, n);
		add(&s->of_age[cell_int(row->ages)], state, n);
		most(&s->open_late_s, number(row->late_s));
	}
	if (oldest->n)
		s->open_s = number(ROW(health_oldest, oldest, 0)->age_s);
}

static void count_jobs(struct sample *s)
{
	for (unsigned state = 0; state < JOB_DEAD; state++)
		most(&s->job_s, number(sample_jobs(s, state)->oldest_s));
	s->job_late_s = number(sample_worker(s)->job_late_s);
	s->workers = number(sample_worker(s)->running);
}

/* A jump of this host's clock does not move it. */
static void read_clock(struct sample *s)
{
	const char *now = sample_worker(s)->now;
	int64_t wall_ms;

	if (now && clock_read(now, &wall_ms))
		s->clock_ms = wall_ms - s->asked_at;
}

/* What is not known is -1; that there is none, 0. */
static int64_t known(const struct sample *s, int64_t n)
{
	return !s->counted ? -1 : n < 0 ? 0 : n;
}

static void leave_to_metrics(const struct sample *s, const struct conf *cf)
{
	tally_set(TALLY_DB_UP, s->up);
	tally_set(TALLY_DB_WRITABLE, s->writable);
	tally_set(TALLY_DB_WRITE_MS, s->writable ? s->ms : -1);
	tally_set(TALLY_DB_CLOCK_MS, s->clock_ms);
	for (unsigned i = 0; i < OPEN_STATES; i++)
		tally_set(TALLY_OPEN + i, known(s, s->open.in[i]));
	tally_set(TALLY_OPEN_S, known(s, s->open_s));
	tally_set(TALLY_OPEN_LATE_S, known(s, s->open_late_s));
	for (unsigned i = 0; i < JOB_STATES; i++)
		tally_set(TALLY_JOBS + i,
			  known(s, number(sample_jobs(s, i)->n)));
	tally_set(TALLY_JOB_S, known(s, s->job_s));
	tally_set(TALLY_JOB_LATE_S, known(s, s->job_late_s));
	tally_set(TALLY_WORKERS, known(s, s->workers));
	tally_set(TALLY_CACHE_UP, *cf->memcached ? s->cache_up : -1);
	tally_now(TALLY_SAMPLED_AT);
}

bool sample_cache(struct app *app)
{
	struct cache *c = app_take_cache(app);
	bool alive = cache_alive(c);

	app_give_cache(app, c);
	return alive;
}

enum rc sample_take(struct app *app, struct arena *mem, struct sample *s_r)
{
	enum rc rc;

	*s_r = (struct sample){.open_s = -1, .job_s = -1, .open_late_s = -1,
			       .job_late_s = -1, .workers = -1,
			       .clock_ms = -1};
	rc = look_at_database(app, mem, s_r);
	count_open(s_r);
	count_jobs(s_r);
	read_clock(s_r);
	s_r->cache_up = sample_cache(app);
	leave_to_metrics(s_r, app->conf);
	return rc;
}
