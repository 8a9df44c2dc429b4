#include "job/outbox.h"

#include <string.h>

#include <json-c/json.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/stop.h"
#include "job/look.h"
#include "model/tally.h"
#include "saga/flow.h"

enum {
	CLOSE_TRIES = 5, /* after a deadlock                             */
	CHAIN_MAX = 8,   /* jobs of one CTT that are taken at a time     */
	ROUND_MS = 1000, /* of a round; then it begins no more calls     */
};

enum job_state { JOB_TAKEN, JOB_READY, JOB_DONE, JOB_DEAD };

static const char *const job_state_name[] = {
	[JOB_READY] = "READY",
	[JOB_DONE] = "DONE",
	[JOB_DEAD] = "DEAD",
};

struct job {
	const char *id, *type;
	const char *dedupe_key;
	uint64_t ctt_id;
	int64_t attempts, refusals, age_s; /* before this attempt */
	struct job *before; /* the one that it waits for, or NULL */
	unsigned place;     /* in its chain, from 0 */
	bool ends_chain;    /* the next one is not taken */
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

/* The body for the queue: the job with its payload. */
static const char *queue_body(const struct picked_job_row *job,
			      struct arena *mem)
{
	struct buf body;

	buf_init(&body, mem);
	put_open(&body, NULL, '{');
	put_raw(&body, "id", job->id);
	put_str(&body, "type", job->type);
	put_str(&body, "dedupeKey", job->dedupe_key);
	put_str(&body, "createdAt", job->created_at);
	put_raw(&body, "payload", job->payload);
	put_close(&body, '}');
	return body.s;
}

static const char *payload_text(struct json_object *payload, const char *name)
{
	const char *text = json_object_get_string(
		json_object_object_get(payload, name));

	return text ? text : "";
}

/* A note of a resolved CTT goes to TaaS, not to the queue (section 9). */
static void note_call(struct job *job, const char *payload, struct arena *mem)
{
	struct json_object *o = json_tokener_parse(payload);
	const char *ticket;
	struct buf body;

	buf_init(&body, mem);
	put_open(&body, NULL, '{');
	put_str(&body, "text", payload_text(o, "text"));
	put_str(&body, "author", payload_text(o, "author"));
	put_close(&body, '}');
	job->call.partner = PARTNER_TAAS;
	job->call.verb = VERB_NOTE;
	ticket = payload_text(o, "partnerTicket");
	job->call.ticket = arena_strdup(mem, *ticket ? ticket :
					payload_text(o, "cttTicketNo"));
	job->call.request_id = arena_strdup(mem, payload_text(o, "requestId"));
	job->call.body = body.s;
	json_object_put(o);
}

static bool looks_again(const struct job *job)
{
	return !strcmp(job->type, JOB_LOOK_AGAIN);
}

static void job_read(struct job *job, const struct picked_job_row *row,
		     struct arena *mem)
{
	job->id = row->id;
	job->type = row->type;
	job->dedupe_key = row->dedupe_key;
	job->ctt_id = (uint64_t)cell_int(row->ctt_id);
	job->attempts = cell_int(row->attempts);
	job->refusals = cell_int(row->refusals);
	job->age_s = cell_int(row->age_s);
	job->call = (struct call){
		.partner = PARTNER_QUEUE,
		.verb = VERB_JOB,
		.key = job->dedupe_key,
		.request_id = arena_printf(mem, "job-%s", job->id),
		.body = queue_body(row, mem),
	};
	if (!strcmp(job->type, "sync-note-to-taas"))
		note_call(job, row->payload, mem);
}

/* Lock the jobs that are due, without those that wait for them. */
static enum rc pick(struct app *app, struct arena *mem, struct rows *r)
{
	enum rc rc = db_run(app_db(app), SQL_JOB_PICK, NULL, mem, r, 1);

	if (rc != RC_OK || !r->n || lease_is_fresh(app->lease))
		return rc;
	store_cancel(app_db(app)); /* no lock is held while lease_take waits */
	if (!lease_take(app->lease))
		return RC_ERROR;
	return db_run(app_db(app), SQL_JOB_PICK, NULL, mem, r, 1);
}

/* Lock the jobs that wait for the picked ones. */
static enum rc follow(struct app *app, struct arena *mem,
		      const struct rows *heads, struct rows *r)
{
	struct buf doc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '[');
	for (size_t i = 0; i < heads->n; i++)
		put_raw(&doc, NULL, ROW(picked_job, heads, i)->id);
	put_close(&doc, ']');
	return db_run(app_db(app), SQL_JOB_FOLLOW, &doc, mem, r, 1);
}

static struct job *add_job(struct jobs *taken, const struct picked_job_row *row,
			   struct arena *mem)
{
	struct job *job = arena_alloc(mem, sizeof *job);

	job_read(job, row, mem);
	taken->job[taken->n++] = job;
	return job;
}

/* The last taken job of the CTT's chain, or NULL. */
static struct job *end_of_chain(const struct jobs *taken, uint64_t ctt_id)
{
	for (size_t i = taken->n; i-- > 0;)
		if (taken->job[i]->ctt_id == ctt_id &&
		    !looks_again(taken->job[i]))
			return taken->job[i];
	return NULL;
}

/* Add a job that waits for a taken one, unless it is not due, or too many are
 * before it. Then the rest of its chain is not taken either. */
static void add_follower(struct jobs *taken, const struct picked_job_row *row,
			 struct arena *mem)
{
	struct job *last = end_of_chain(taken, (uint64_t)cell_int(row->ctt_id));
	struct job *job;

	if (!last || last->ends_chain)
		return;
	if (!cell_int(row->due) || last->place + 1 == CHAIN_MAX) {
		last->ends_chain = true;
		return;
	}
	job = add_job(taken, row, mem);
	job->before = last;
	job->place = last->place + 1;
}

/* Lock the jobs that are due, and those that wait for them. */
static enum rc jobs_lock(struct app *app, struct arena *mem,
			 struct jobs *taken)
{
	struct rows heads, followers;
	enum rc rc = pick(app, mem, &heads);

	if (rc == RC_OK && !heads.n)
		store_cancel(app_db(app));
	if (rc != RC_OK || !heads.n)
		return rc;
	taken->more = heads.n == PICK_MOST;
	rc = follow(app, mem, &heads, &followers);
	if (rc != RC_OK)
		return rc;
	taken->job = arena_array(mem, heads.n + followers.n,
				 sizeof *taken->job);
	for (size_t i = 0; i < heads.n; i++)
		add_job(taken, ROW(picked_job, &heads, i), mem);
	for (size_t i = 0; i < followers.n; i++)
		add_follower(taken, ROW(picked_job, &followers, i), mem);
	return RC_OK;
}

/* Lock the jobs, and store this process as their owner. */
static enum rc jobs_take(struct app *app, struct arena *mem,
			 struct jobs *taken)
{
	struct buf doc;
	enum rc rc = jobs_lock(app, mem, taken);

	if (rc != RC_OK || !taken->n)
		return rc;
	taken->owner = arena_strdup(mem, lease_name(app->lease));
	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "owner", taken->owner);
	put_open(&doc, "id", '[');
	for (size_t i = 0; i < taken->n; i++)
		put_raw(&doc, NULL, taken->job[i]->id);
	put_close(&doc, ']');
	put_close(&doc, '}');
	rc = db_run(app_db(app), SQL_JOB_TAKE, &doc, mem, NULL, 0);
	if (rc != RC_OK)
		lease_abandon(app->lease); /* some may have been taken */
	return rc;
}

/* Did the receiver refuse the job? 401, 403 and 407 do not count, because they
 * are not about the job (section 9). */
static bool was_refused(const struct job *job)
{
	const struct call *c = &job->call;

	return c->verdict != RC_OK && (c->no == NO_SUCH || c->no == NO_OTHER ||
				       c->status == 500);
}

/* A job is dead after some refusals. If the receiver is away, the job is tried
 * until it is old. */
static bool is_dead(const struct conf *cf, const struct job *job)
{
	if (was_refused(job))
		return job->refusals + 1 >= cf->job_attempts;
	return job->age_s >= cf->job_patience_s;
}

/* The time until the next try. If the receiver was not called, because it is
 * only probed, this counts as no attempt: the job waits for half its age. */
static int64_t next_try_ms(const struct conf *cf, const struct job *job)
{
	int64_t half = job->age_s * 1000 / 2;

	if (job->call.attempts)
		return clock_backoff_ms((unsigned)job->attempts,
					cf->retry_base_ms, cf->retry_cap_ms);
	if (half < cf->retry_base_ms)
		half = cf->retry_base_ms;
	return clock_backoff_ms(0, half < cf->retry_cap_ms ? half :
				cf->retry_cap_ms, cf->retry_cap_ms);
}

/* What becomes of a job that was called. */
static void end_job(const struct conf *cf, struct job *job)
{
	if (job->call.verdict == RC_OK) {
		job->state = JOB_DONE;
		tally_add(TALLY_JOBS_DONE, 1);
		return;
	}
	if (job->call.attempts && is_dead(cf, job)) {
		job->state = JOB_DEAD;
		tally_add(TALLY_JOBS_DEAD, 1);
		log_line(LOG_WARN, "job_dead", "job=%s type=%s key=%s "
			 "attempts=%lld why=\"%s\"", job->id, job->type,
			 job->dedupe_key, (long long)job->attempts + 1,
			 job->call.why);
		return;
	}
	job->state = JOB_READY;
	job->next_ms = next_try_ms(cf, job);
	tally_add(TALLY_JOBS_AGAIN, 1);
}

/* A job is not called if the one before it is to be tried again. It is given
 * back if this process is to stop, or has other work to do by now. */
static void hold_up(struct job *job, int64_t until)
{
	if (!job->before)
		return;
	if (job->before->state == JOB_READY) {
		job->state = JOB_READY;
		job->next_ms = job->before->next_ms;
	} else if (stop_asked() || clock_mono_ms() >= until) {
		job->state = JOB_READY;
	}
}

/* Deliver the jobs, all at once. Then do those of the type look-again. */
static void call_all(struct app *app, struct arena *mem,
		     const struct jobs *wave)
{
	struct call **calls = arena_array(mem, wave->n, sizeof *calls);
	size_t n = 0;

	for (size_t i = 0; i < wave->n; i++)
		if (wave->job[i]->state == JOB_TAKEN &&
		    !looks_again(wave->job[i]))
			calls[n++] = &wave->job[i]->call;
	app_wait(app);
	partner_call(app_http(app), mem, calls, n,
		     (size_t)app->conf->sync_concurrency, INT64_MAX, NULL,
		     NULL);
	for (size_t i = 0; i < wave->n; i++)
		if (looks_again(wave->job[i]))
			look_again(app, mem, wave->job[i]->ctt_id,
				   wave->job[i]->call.request_id,
				   &wave->job[i]->call);
}

static void put_result(struct buf *doc, const struct job *job)
{
	put_open(doc, NULL, '{');
	put_raw(doc, "id", job->id);
	put_str(doc, "state", job_state_name[job->state]);
	put_int(doc, "next_ms", job->next_ms);
	put_int(doc, "asked", job->call.attempts != 0);
	put_int(doc, "refused", was_refused(job));
	put_str(doc, "why", job->call.why);
	put_close(doc, '}');
}

/* Store what became of the jobs. RC_NO: others have taken some of them. */
static enum rc close_all(struct app *app, struct arena *mem,
			 const struct jobs *wave)
{
	enum rc rc = RC_OK;
	struct buf doc;
	struct rows r;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "owner", wave->owner);
	put_open(&doc, "job", '[');
	for (size_t i = 0; i < wave->n; i++)
		put_result(&doc, wave->job[i]);
	put_close(&doc, ']');
	put_close(&doc, '}');
	for (unsigned tries = 0; tries < CLOSE_TRIES; tries++) {
		rc = db_run(app_db(app), SQL_JOB_CLOSE, &doc, mem, &r, 1);
		if (rc != RC_AGAIN)
			break;
		clock_sleep_ms(clock_backoff_ms(tries, 10, 200));
	}
	if (rc != RC_OK)
		return rc;
	return cell_int(ROW(closed_jobs, &r, 0)->n) == (int64_t)wave->n ?
		RC_OK : RC_NO;
}

/* The jobs in this place of their chains. */
static struct jobs wave_of(const struct jobs *taken, unsigned place,
			   struct arena *mem)
{
	struct jobs wave = {
		.owner = taken->owner,
		.until = taken->until,
		.job = arena_array(mem, taken->n, sizeof *wave.job),
	};

	for (size_t i = 0; i < taken->n; i++)
		if (taken->job[i]->place == place)
			wave.job[wave.n++] = taken->job[i];
	return wave;
}

/* Deliver the jobs of a wave, and store what became of them. *n_r: counts those
 * that are DONE. */
static enum rc run_wave(struct app *app, struct arena *mem,
			const struct jobs *wave, size_t *n_r)
{
	for (size_t i = 0; i < wave->n; i++)
		hold_up(wave->job[i], wave->until);
	call_all(app, mem, wave);
	fault(FAULT_AFTER_JOB_SENT);
	for (size_t i = 0; i < wave->n; i++) {
		if (wave->job[i]->state == JOB_TAKEN)
			end_job(app->conf, wave->job[i]);
		*n_r += wave->job[i]->state == JOB_DONE;
	}
	return close_all(app, mem, wave);
}

enum rc outbox_run(struct app *app, struct arena *mem, size_t *n_r,
		   bool *more_r)
{
	struct jobs taken = {0}, wave;
	enum rc rc = jobs_take(app, mem, &taken);

	*more_r = taken.more;
	if (rc != RC_OK || !taken.n)
		return rc;
	fault(FAULT_AFTER_JOB_CLAIM);
	taken.until = clock_mono_ms() + ROUND_MS;
	for (unsigned place = 0; rc == RC_OK && place < CHAIN_MAX; place++) {
		wave = wave_of(&taken, place, mem);
		if (!wave.n)
			break;
		rc = run_wave(app, mem, &wave, n_r);
	}
	if (rc != RC_OK)
		lease_abandon(app->lease); /* they will be tried again */
	return rc == RC_NO ? RC_OK : rc;
}
