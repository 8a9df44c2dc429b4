/*
 * web/health.c - the health of cttd as JSON (GET /ticket/health); /healthz and
 * /readyz
 *
 * All of these answer at once, whatever requests wait for (contract section 8).
 */
#include "base/clock.h"
#include "model/tally.h"
#include "sample.h"
#include "web/endpoint.h"
#include "web/reply.h"
#include "web/rows.h"

/* What is told: that the database is away is no failure, it is what there is to
 * tell beside all that is known without. */
struct look {
	struct sample sample;
	struct partner_health partner[PARTNER__MAX];
};

/* False: the database refused to be looked at, and that is the answer. */
static bool gather(struct request *rq, struct look *l)
{
	struct app *app = rq->app;
	enum rc rc = sample_take(app, rq->mem, &l->sample);

	if (rc == RC_NO) {
		reply_db_failed(rq, rc);
		return false;
	}
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

static void put_parts(struct buf *b, const struct look *look)
{
	const struct sample *l = &look->sample;

	put_open(b, "database", '{');
	put_bool(b, "up", l->up);
	put_bool(b, "writable", l->writable);
	put_known(b, "ms", l->writable, l->ms);
	put_close(b, '}');
	put_open(b, "memcached", '{');
	put_bool(b, "up", l->cache_up);
	put_int(b, "away", (int64_t)tally_count(TALLY_NO_CACHE));
	put_close(b, '}');
	put_open(b, "partners", '{');
	for (enum partner_id p = 0; p < PARTNER__MAX; p++)
		put_partner(b, partners[p]->code, &look->partner[p]);
	put_close(b, '}');
}

static void put_states(struct buf *b, bool known, const struct open_count *of)
{
	for (unsigned s = 0; s < OPEN_STATES; s++)
		put_known(b, sample_open_state[s], known, of->in[s]);
}

static const int64_t open_ages[] = {OPEN_AGES};

static void put_kinds_and_ages(struct buf *b, const struct sample *l)
{
	put_open(b, "kinds", '{');
	for (enum kind k = 0; k < KIND__MAX; k++) {
		put_open(b, kind_name[k], '{');
		put_states(b, true, &l->of_kind[k]);
		put_close(b, '}');
	}
	put_close(b, '}');
	put_open(b, "ages", '[');
	for (unsigned a = 0; a < OPEN_AGE_GROUPS; a++) {
		put_open(b, NULL, '{');
		put_known(b, "belowS", a + 1 < OPEN_AGE_GROUPS,
			  a + 1 < OPEN_AGE_GROUPS ? open_ages[a] : 0);
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

static void put_operations(struct buf *b, const struct sample *l)
{
	put_open(b, "operations", '{');
	put_states(b, l->counted, &l->open);
	if (l->counted) {
		put_kinds_and_ages(b, l);
	} else {
		put_raw(b, "kinds", NULL);
		put_raw(b, "ages", NULL);
	}
	put_oldest(b, &l->sets[SAMPLE_OLDEST]);
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

static void put_jobs(struct buf *b, const struct sample *l)
{
	put_open(b, "jobs", '{');
	for (unsigned s = 0; s < JOB_STATES; s++)
		put_raw(b, sample_job_state[s], sample_jobs(l, s)->n);
	put_known(b, "oldestS", l->job_s >= 0, l->job_s);
	if (l->counted)
		put_dead(b, &l->sets[SAMPLE_DEAD]);
	else
		put_raw(b, "dead", NULL);
	put_close(b, '}');
}

static void put_worker(struct buf *b, const struct sample *l)
{
	const struct health_worker_row *row = sample_worker(l);

	put_open(b, "worker", '{');
	put_raw(b, "running", row->running);
	put_str(b, "beatAt", row->beat_at);
	put_str(b, "workedAt", row->worked_at);
	put_known(b, "operationLateS", l->open_late_s >= 0,
		  l->open_late_s);
	put_raw(b, "jobLateS", row->job_late_s);
	put_close(b, '}');
}

void read_health(struct request *rq)
{
	struct look l;

	if (!gather(rq, &l))
		return;
	reply_begin(rq);
	put_parts(&rq->reply, &l);
	put_operations(&rq->reply, &l.sample);
	put_jobs(&rq->reply, &l.sample);
	put_worker(&rq->reply, &l.sample);
	reply_end(rq);
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
	struct db *db = sample_connection(rq->app);
	enum rc rc = db_run(db, SQL_PING, NULL, rq->mem, NULL, 0);

	db_close(db);
	return rc == RC_OK;
}

void read_readyz(struct request *rq)
{
	bool db = takes_writes(rq), cache = sample_cache(rq->app);

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
