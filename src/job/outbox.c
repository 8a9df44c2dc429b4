#include "job/outbox.h"

#include <string.h>

#include <json-c/json.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "job/look.h"
#include "model/tally.h"
#include "saga/flow.h"

enum { CLOSE_TRIES = 5 }; /* after a deadlock */

struct job {
	const char *id, *type;
	const char *dedupe_key;
	int64_t attempts, refusals, age_s; /* before this attempt */
	uint64_t look_at; /* the CTT of a look-again; 0: another type */
	struct call call;
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

static uint64_t look_at(const char *payload)
{
	struct json_object *o = json_tokener_parse(payload);
	int64_t id = json_object_get_int64(json_object_object_get(o, "cttId"));

	json_object_put(o);
	return (uint64_t)id;
}

static void job_read(struct job *job, const struct picked_job_row *row,
		     struct arena *mem)
{
	job->id = row->id;
	job->type = row->type;
	job->dedupe_key = row->dedupe_key;
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
	if (!strcmp(job->type, JOB_LOOK_AGAIN))
		job->look_at = look_at(row->payload);
}

/* Lock the jobs that are due. */
static enum rc jobs_pick(struct app *app, struct arena *mem, struct rows *r)
{
	enum rc rc = db_run(app_db(app), SQL_JOB_PICK, NULL, mem, r, 1);

	if (rc != RC_OK || !r->n || lease_is_fresh(app->lease))
		return rc;
	store_cancel(app_db(app)); /* no lock is held while lease_take waits */
	if (!lease_take(app->lease))
		return RC_ERROR;
	return db_run(app_db(app), SQL_JOB_PICK, NULL, mem, r, 1);
}

/* Lock the jobs that are due, and store this process as their owner. */
static enum rc jobs_take(struct app *app, struct arena *mem,
			 struct job **jobs_r, size_t *n_r, const char **owner_r)
{
	struct rows r;
	struct buf doc;
	enum rc rc = jobs_pick(app, mem, &r);

	*n_r = 0;
	if (rc != RC_OK)
		return rc;
	*owner_r = arena_strdup(mem, lease_name(app->lease));
	*jobs_r = arena_array(mem, r.n, sizeof **jobs_r);
	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "owner", *owner_r);
	put_open(&doc, "id", '[');
	for (size_t i = 0; i < r.n; i++) {
		job_read(&(*jobs_r)[i], ROW(picked_job, &r, i), mem);
		put_raw(&doc, NULL, (*jobs_r)[i].id);
	}
	put_close(&doc, ']');
	put_close(&doc, '}');
	rc = db_run(app_db(app), SQL_JOB_TAKE, &doc, mem, NULL, 0);
	if (rc == RC_OK)
		*n_r = r.n;
	else
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

static void put_result(const struct conf *cf, struct buf *doc,
		       const struct job *job)
{
	const char *state = "READY";
	int64_t next_ms = 0;

	if (job->call.verdict == RC_OK)
		state = "DONE";
	else if (job->call.attempts && is_dead(cf, job))
		state = "DEAD";
	else
		next_ms = next_try_ms(cf, job);
	if (*state == 'D' && job->call.verdict != RC_OK)
		log_line(LOG_WARN, "job_dead", "job=%s type=%s key=%s "
			 "attempts=%lld why=\"%s\"", job->id, job->type,
			 job->dedupe_key, (long long)job->attempts + 1,
			 job->call.why);
	tally_add(job->call.verdict == RC_OK ? TALLY_JOBS_DONE :
		  *state == 'D' ? TALLY_JOBS_DEAD : TALLY_JOBS_AGAIN, 1);
	put_open(doc, NULL, '{');
	put_raw(doc, "id", job->id);
	put_str(doc, "state", state);
	put_int(doc, "next_ms", next_ms);
	put_int(doc, "refused", was_refused(job));
	put_int(doc, "unasked", !job->call.attempts);
	put_str(doc, "why", job->call.why);
	put_close(doc, '}');
}

/* Deliver the jobs, all at once. Then do those of the type look-again. */
static void do_jobs(struct app *app, struct arena *mem, struct job *jobs,
		    size_t n)
{
	struct call **calls = arena_array(mem, n, sizeof *calls);
	size_t ncalls = 0;

	for (size_t i = 0; i < n; i++)
		if (!jobs[i].look_at)
			calls[ncalls++] = &jobs[i].call;
	app_wait(app);
	partner_call(app_http(app), mem, calls, ncalls,
		     (size_t)app->conf->sync_concurrency, INT64_MAX, NULL,
		     NULL);
	for (size_t i = 0; i < n; i++)
		if (jobs[i].look_at)
			look_again(app, mem, jobs[i].look_at,
				   jobs[i].call.request_id, &jobs[i].call);
}

enum rc outbox_run(struct app *app, struct arena *mem, size_t *n_r)
{
	struct job *jobs;
	struct buf doc;
	size_t n;
	const char *owner;
	enum rc rc = jobs_take(app, mem, &jobs, &n, &owner);

	*n_r = 0;
	if (rc != RC_OK || !n)
		return rc;
	fault(FAULT_AFTER_JOB_CLAIM);
	do_jobs(app, mem, jobs, n);
	fault(FAULT_AFTER_JOB_SENT);
	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "owner", owner);
	put_open(&doc, "job", '[');
	for (size_t i = 0; i < n; i++) {
		put_result(app->conf, &doc, &jobs[i]);
		*n_r += jobs[i].call.verdict == RC_OK;
	}
	put_close(&doc, ']');
	put_close(&doc, '}');
	for (unsigned tries = 0; tries < CLOSE_TRIES; tries++) {
		rc = db_run(app_db(app), SQL_JOB_CLOSE, &doc, mem, NULL, 0);
		if (rc != RC_AGAIN)
			break;
		clock_sleep_ms(clock_backoff_ms(tries, 10, 200));
	}
	if (rc != RC_OK)
		lease_abandon(app->lease); /* they will be tried again */
	return rc;
}
