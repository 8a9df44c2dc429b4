#include "job/outbox.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/stop.h"
#include "job/look.h"
#include "job/take.h"
#include "model/tally.h"

enum {
	CLOSE_TRIES = 5, /* after a deadlock                         */
	ROUND_MS = 1000, /* of a round; then it begins no more calls */
};

static const char *const job_state_name[] = {
	[JOB_READY] = "READY",
	[JOB_DONE] = "DONE",
	[JOB_DEAD] = "DEAD",
};

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
	put_open(&doc, "done", '[');
	for (size_t i = 0; i < wave->n; i++)
		if (wave->job[i]->state == JOB_DONE)
			put_raw(&doc, NULL, wave->job[i]->id);
	put_close(&doc, ']');
	put_open(&doc, "job", '[');
	for (size_t i = 0; i < wave->n; i++)
		if (wave->job[i]->state != JOB_DONE)
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
	for (unsigned place = 0; rc == RC_OK; place++) {
		wave = wave_of(&taken, place, mem);
		if (!wave.n)
			break;
		rc = run_wave(app, mem, &wave, n_r);
	}
	if (rc != RC_OK)
		lease_abandon(app->lease); /* they will be tried again */
	return rc == RC_NO ? RC_OK : rc;
}
