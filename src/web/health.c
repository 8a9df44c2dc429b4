/*
 * web/health.c - the health of cttd: gathered once, and written as JSON (GET
 * /ticket/health) or for Prometheus (GET /metrics); /healthz and /readyz
 *
 * All of these answer at once, whatever requests wait for (contract section 8).
 */
#include <string.h>

#include "base/clock.h"
#include "web/endpoint.h"
#include "web/reply.h"
#include "web/rows.h"

enum { PATIENCE_S = 2 }; /* with a database that says nothing */

enum { SET_WORKER, SET_OPEN, SET_OLDEST, SET_JOBS, SET_DEAD, SETS };

static const int64_t open_ages[] = {OPEN_AGES};

enum { AGES = sizeof open_ages / sizeof open_ages[0] + 1 };

/* How many operations are open, by their states. */
static const char *const open_state[] = {"RUNNING", "SETTLING"};
enum { OPEN_STATES = 2 };

struct open_count {
	int64_t in[OPEN_STATES];
};

struct look {
	bool up, writable; /* the database */
	int64_t ms;        /* that a write took, if it takes any */
	bool counted; /* if not, for it is away or slow, what follows is empty */
	struct rows sets[SETS]; /* of SQL_HEALTH */
	struct open_count open, of_kind[KIND__MAX], of_age[AGES];
	int64_t late_s; /* the operation that is due for longest, or -1 */

	bool cache_up;
	struct partner_health partner[PARTNER__MAX];
};

/* A connection that no request uses: theirs may all be lent, and wait longer than
 * a reader of the health does. */
static struct db *own_connection(const struct request *rq)
{
	struct db *db = db_open(rq->app->conf);

	db_patience(db, PATIENCE_S);
	return db;
}

/* A database that is too slow to count is not away. RC_NO: the database refused;
 * with any other result *l says all. */
static enum rc look_at_database(struct request *rq, struct look *l)
{
	struct db *db = own_connection(rq);
	enum rc rc;

	rc = db_run(db, SQL_HEALTH, NULL, rq->mem, l->sets, SETS);
	l->counted = rc == RC_OK;
	if (!l->counted) /* what came before it broke off */
		memset(l->sets, 0, sizeof l->sets);
	if (rc != RC_ERROR) { /* there is a connection */
		int64_t began = clock_mono_ms();

		l->writable = db_run(db, SQL_PING, NULL, rq->mem, NULL, 0) ==
			      RC_OK;
		l->ms = clock_mono_ms() - began;
		l->up = l->counted || l->writable;
	}
	db_close(db);
	return rc;
}

static int64_t number(const char *cell)
{
	return cell ? cell_int(cell) : -1;
}

/* What SQL_HEALTH says of the workers; all NULL without the database. */
static const struct health_worker_row *worker_row(const struct look *l)
{
	static const struct health_worker_row unknown;
	const struct rows *r = &l->sets[SET_WORKER];

	return r->n ? ROW(health_worker, r, 0) : &unknown;
}

static void add(struct open_count *to, unsigned state, int64_t n)
{
	to->in[state] += n;
}

static void count_open(struct look *l)
{
	const struct rows *r = &l->sets[SET_OPEN];

	l->late_s = -1;
	for (size_t i = 0; i < r->n; i++) {
		const struct health_open_row *row = ROW(health_open, r, i);
		unsigned state = op_state_of(row->state) == OP_SETTLING;
		enum kind kind = kind_of(row->kind);
		int64_t n = cell_int(row->n);

		add(&l->open, state, n);
		if (kind != KIND__MAX) /* a later version's */
			add(&l->of_kind[kind], state, n);
		add(&l->of_age[cell_int(row->ages)], state, n);
		if (number(row->late_s) > l->late_s)
			l->late_s = number(row->late_s);
	}
}

static bool cache_answers(struct app *app)
{
	struct cache *c = app_take_cache(app);
	bool alive = cache_alive(c);

	app_give_cache(app, c);
	return alive;
}

/* That the database is away is no failure: it is what there is to tell, beside
 * all that is known without. False: it refused to be looked at, and that is the
 * answer. */
static bool gather(struct request *rq, struct look *l)
{
	struct app *app = rq->app;
	enum rc rc;

	*l = (struct look){0};
	rc = look_at_database(rq, l);
	if (rc == RC_NO) {
		reply_db_failed(rq, rc);
		return false;
	}
	count_open(l);
	l->cache_up = cache_answers(app);
	for (enum partner_id p = 0; p < PARTNER__MAX; p++)
		l->partner[p] = health_look(app->process->health, p);
	return true;
}

/* ---- as JSON ---- */

static void put_known(struct buf *b, const char *key, bool known, int64_t n)
{
	if (known)
		put_int(b, key, n);
	else
		put_raw(b, key, NULL);
}

static void put_ago(struct buf *b, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT];

	clock_text(clock_wall_ms() - ms, text);
	put_str(b, key, ms < 0 ? NULL : text);
}

static void put_partner(struct buf *b, const char *key,
			const struct partner_health *h)
{
	put_open(b, key, '{');
	put_bool(b, "broken", h->broken);
	put_int(b, "failures", h->failures);
	put_int(b, "waiting", h->waiting);
	put_int(b, "limit", h->limit);
	put_known(b, "usualMs", h->usual_ms >= 0, h->usual_ms);
	put_ago(b, "answeredAt", h->answered_ms);
	if (h->failed_ms < 0) {
		put_raw(b, "lastFailure", NULL);
	} else {
		put_open(b, "lastFailure", '{');
		put_ago(b, "at", h->failed_ms);
		put_known(b, "status", h->failed_status, h->failed_status);
		put_close(b, '}');
	}
	put_close(b, '}');
}

static void put_parts(struct buf *b, const struct look *l,
		      const struct health *health)
{
	put_open(b, "database", '{');
	put_bool(b, "up", l->up);
	put_bool(b, "writable", l->writable);
	put_known(b, "ms", l->writable, l->ms);
	put_close(b, '}');
	put_open(b, "memcached", '{');
	put_bool(b, "up", l->cache_up);
	put_int(b, "away", (int64_t)health_no_cache(health));
	put_close(b, '}');
	put_open(b, "partners", '{');
	for (enum partner_id p = 0; p < PARTNER__MAX; p++)
		put_partner(b, partners[p]->code, &l->partner[p]);
	put_close(b, '}');
}

static void put_states(struct buf *b, bool known, const struct open_count *of)
{
	for (unsigned s = 0; s < OPEN_STATES; s++)
		put_known(b, open_state[s], known, of->in[s]);
}

static void put_kinds_and_ages(struct buf *b, const struct look *l)
{
	put_open(b, "kinds", '{');
	for (enum kind k = 0; k < KIND__MAX; k++) {
		put_open(b, kind_name[k], '{');
		put_states(b, true, &l->of_kind[k]);
		put_close(b, '}');
	}
	put_close(b, '}');
	put_open(b, "ages", '[');
	for (unsigned a = 0; a < AGES; a++) {
		put_open(b, NULL, '{');
		put_known(b, "belowS", a + 1 < AGES,
			  a + 1 < AGES ? open_ages[a] : 0);
		put_states(b, true, &l->of_age[a]);
		put_close(b, '}');
	}
	put_close(b, ']');
}

static void put_oldest(struct buf *b, const struct rows *r)
{
	const struct health_oldest_row *row;

	if (!r->n) {
		put_raw(b, "oldest", NULL);
		return;
	}
	row = ROW(health_oldest, r, 0);
	put_open(b, "oldest", '{');
	put_str(b, "operationId", row->id);
	put_str(b, "kind", row->kind);
	put_str(b, "state", row->state);
	put_ticket(b, "ctt", row->ctt_id, row->ctt_ticket_no);
	put_ticket(b, "ntt", row->ntt_id, row->ntt_ticket_no);
	put_str(b, "partner", row->partner);
	put_raw(b, "tries", row->tries);
	put_str(b, "lastError", row->last_error);
	put_raw(b, "ageS", row->age_s);
	put_str(b, "createdAt", row->created_at);
	put_str(b, "nextTryAt", row->next_try_at);
	put_close(b, '}');
}

static void put_operations(struct buf *b, const struct look *l)
{
	put_open(b, "operations", '{');
	put_states(b, l->counted, &l->open);
	if (l->counted) {
		put_kinds_and_ages(b, l);
	} else {
		put_raw(b, "kinds", NULL);
		put_raw(b, "ages", NULL);
	}
	put_oldest(b, &l->sets[SET_OLDEST]);
	put_close(b, '}');
}

static void put_dead(struct buf *b, const struct rows *r)
{
	put_open(b, "dead", '[');
	for (size_t i = 0; i < r->n; i++) {
		const struct health_dead_row *row = ROW(health_dead, r, i);

		put_open(b, NULL, '{');
		put_raw(b, "id", row->id);
		put_str(b, "type", row->type);
		put_str(b, "operationId", row->operation_id);
		put_ticket(b, "ctt", row->ctt_id, row->ctt_ticket_no);
		put_raw(b, "attempts", row->attempts);
		put_str(b, "lastError", row->last_error);
		put_str(b, "createdAt", row->created_at);
		put_str(b, "diedAt", row->died_at);
		put_close(b, '}');
	}
	put_close(b, ']');
}

/* The rows of SET_JOBS are the states, DEAD the last. */
static const char *const job_state[] = {"READY", "RUNNING", "DEAD"};
enum { JOB_STATES = 3, JOB_DEAD = 2 };

static const struct health_jobs_row *jobs_row(const struct look *l, unsigned s)
{
	static const struct health_jobs_row unknown;
	const struct rows *r = &l->sets[SET_JOBS];

	return s < r->n ? ROW(health_jobs, r, s) : &unknown;
}

static void put_jobs(struct buf *b, const struct look *l)
{
	int64_t oldest_s = -1;

	put_open(b, "jobs", '{');
	for (unsigned s = 0; s < JOB_STATES; s++) {
		const struct health_jobs_row *row = jobs_row(l, s);

		put_raw(b, job_state[s], row->n);
		if (s != JOB_DEAD && number(row->oldest_s) > oldest_s)
			oldest_s = number(row->oldest_s);
	}
	put_known(b, "oldestS", oldest_s >= 0, oldest_s);
	if (l->counted)
		put_dead(b, &l->sets[SET_DEAD]);
	else
		put_raw(b, "dead", NULL);
	put_close(b, '}');
}

static void put_worker(struct buf *b, const struct look *l)
{
	const struct health_worker_row *row = worker_row(l);

	put_open(b, "worker", '{');
	put_raw(b, "running", row->running);
	put_str(b, "beatAt", row->beat_at);
	put_str(b, "workedAt", row->worked_at);
	put_known(b, "operationLateS", l->late_s >= 0, l->late_s);
	put_raw(b, "jobLateS", row->job_late_s);
	put_close(b, '}');
}

void read_health(struct request *rq)
{
	struct look l;

	if (!gather(rq, &l))
		return;
	reply_begin(rq);
	put_parts(&rq->reply, &l, rq->app->process->health);
	put_operations(&rq->reply, &l);
	put_jobs(&rq->reply, &l);
	put_worker(&rq->reply, &l);
	reply_end(rq);
}

/* ---- for Prometheus ---- */

static int64_t or_0(int64_t n)
{
	return n < 0 ? 0 : n;
}

static void metric(struct buf *b, const char *name, const char *type,
		   int64_t n)
{
	buf_printf(b, "# TYPE cttd_%s %s\ncttd_%s %lld\n", name, type, name,
		   (long long)n);
}

/* What only the database knows; nothing, if it does not say: 0 would be
 * wrong. */
static void metrics_of_database(struct buf *b, const struct look *l)
{
	const struct health_worker_row *worker = worker_row(l);

	metric(b, "database_up", "gauge", l->up);
	metric(b, "database_writable", "gauge", l->writable);
	if (!l->counted)
		return;
	buf_str(b, "# TYPE cttd_operations_open gauge\n");
	for (unsigned s = 0; s < OPEN_STATES; s++)
		buf_printf(b, "cttd_operations_open{state=\"%s\"} %lld\n",
			   open_state[s], (long long)l->open.in[s]);
	buf_str(b, "# TYPE cttd_jobs gauge\n");
	for (unsigned s = 0; s < JOB_STATES; s++)
		buf_printf(b, "cttd_jobs{state=\"%s\"} %lld\n", job_state[s],
			   (long long)or_0(number(jobs_row(l, s)->n)));
	buf_printf(b, "# TYPE cttd_late_seconds gauge\n"
		   "cttd_late_seconds{of=\"operation\"} %lld\n"
		   "cttd_late_seconds{of=\"job\"} %lld\n",
		   (long long)or_0(l->late_s),
		   (long long)or_0(number(worker->job_late_s)));
	metric(b, "workers_running", "gauge", or_0(number(worker->running)));
}

static void metrics_of_partners(struct buf *b, const struct look *l)
{
	static const char *const names[] = {
		"broken", "failures", "waiting", "limit", "usual_ms", NULL,
	};

	for (unsigned i = 0; names[i]; i++) {
		buf_printf(b, "# TYPE cttd_partner_%s gauge\n", names[i]);
		for (enum partner_id p = 0; p < PARTNER__MAX; p++) {
			const struct partner_health *h = &l->partner[p];
			const int64_t value[] = {h->broken, h->failures,
				h->waiting, h->limit, h->usual_ms};

			if (value[i] >= 0) /* known */
				buf_printf(b, "cttd_partner_%s{partner=\"%s\"}"
					   " %lld\n", names[i],
					   partners[p]->code,
					   (long long)value[i]);
		}
	}
}

void read_metrics(struct request *rq)
{
	struct buf *b = &rq->reply;
	struct look l;

	if (!gather(rq, &l))
		return;
	rq->status = 200;
	rq->reply_type = "text/plain; version=0.0.4";
	buf_init(b, rq->mem);
	metrics_of_database(b, &l);
	metric(b, "memcached_up", "gauge", l.cache_up);
	metric(b, "memcached_away", "counter",
	       (int64_t)health_no_cache(rq->app->process->health));
	metric(b, "operations_assumed_total", "counter",
	       (int64_t)health_assumed(rq->app->process->health));
	metrics_of_partners(b, &l);
}

/* ---- for whoever balances load ---- */

void read_healthz(struct request *rq)
{
	reply_begin(rq);
	put_str(&rq->reply, "status", "ok");
	reply_end(rq);
}

static bool takes_writes(const struct request *rq)
{
	struct db *db = own_connection(rq);
	enum rc rc = db_run(db, SQL_PING, NULL, rq->mem, NULL, 0);

	db_close(db);
	return rc == RC_OK;
}

void read_readyz(struct request *rq)
{
	bool db = takes_writes(rq), cache = cache_answers(rq->app);

	if (db && cache) {
		reply_begin(rq);
		put_str(&rq->reply, "status", "ready");
	} else {
		reply_problem_begin(rq, CODE_NOT_READY, !db ?
			"The database is away: changes are refused." :
			"memcached is away: changes work, and unlink blocks "
			"are read from the journal.");
	}
	put_bool(&rq->reply, "database", db);
	put_bool(&rq->reply, "memcached", cache);
	reply_end(rq);
}
