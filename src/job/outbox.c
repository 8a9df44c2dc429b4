#include "job/outbox.h"

#include <stdlib.h>
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
	HEADS_MOST = 128, /* jobs that are taken to be delivered at once  */
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

/* ---- taking ---- */

/* The jobs of a CTT that are neither DONE nor DEAD, in the order of their ids. */
struct chain {
	uint64_t ctt_id;
	struct job *last; /* the last one that is taken */
	/* the first one that was not picked: those behind it wait for it */
	const char *blocked_by;
};

/* What is picked is locked; of that, jobs are taken or made to wait. */
struct pick {
	struct rows rows;
	const struct picked_job_row *by_id[PICK_MOST];
	struct chain chain[HEADS_MOST];
	size_t nchains;
	struct buf wait; /* of JOB_TAKE */
};

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

static int by_id(const void *a, const void *b)
{
	const struct picked_job_row *const *x = a, *const *y = b;
	uint64_t i = cell_id((*x)->id), k = cell_id((*y)->id);

	return i < k ? -1 : i > k;
}

static const struct picked_job_row *find_picked(const struct pick *p,
						const char *id)
{
	const struct picked_job_row key = {.id = id}, *const at = &key,
				    *const *found;

	found = bsearch(&at, p->by_id, p->rows.n, sizeof *p->by_id, by_id);
	return found ? *found : NULL;
}

static struct chain *find_chain(struct pick *p, uint64_t ctt_id)
{
	for (size_t i = 0; i < p->nchains; i++)
		if (p->chain[i].ctt_id == ctt_id)
			return &p->chain[i];
	return NULL;
}

static struct job *add_job(struct jobs *taken, const struct picked_job_row *row,
			   struct arena *mem)
{
	struct job *job = arena_alloc(mem, sizeof *job);

	job_read(job, row, mem);
	taken->job[taken->n++] = job;
	return job;
}

/* Begin the chains of the picked jobs, and take those that are in none. */
static void begin_chains(struct pick *p, struct jobs *taken, struct arena *mem)
{
	for (size_t i = 0; i < p->rows.n; i++) {
		const struct picked_job_row *row = ROW(picked_job, &p->rows, i);
		uint64_t ctt_id = cell_id(row->open_ctt_id);

		p->by_id[i] = row;
		if (ctt_id && find_chain(p, ctt_id))
			continue;
		if (p->nchains + taken->n == HEADS_MOST)
			taken->more = true;
		else if (ctt_id)
			p->chain[p->nchains++].ctt_id = ctt_id;
		else
			add_job(taken, row, mem);
	}
	qsort(p->by_id, p->rows.n, sizeof *p->by_id, by_id);
}

static enum rc read_chains(struct app *app, struct arena *mem,
			   const struct pick *p, struct rows *r)
{
	struct buf doc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_open(&doc, "ctt", '[');
	for (size_t i = 0; i < p->nchains; i++)
		put_id(&doc, NULL, p->chain[i].ctt_id);
	put_close(&doc, ']');
	put_raw(&doc, "last", p->by_id[p->rows.n - 1]->id);
	put_close(&doc, '}');
	return db_run(app_db(app), SQL_JOB_CHAINS, &doc, mem, r, 1);
}

/* Take the next job of a chain if it was picked, unless it is behind one that
 * was not, or too many are before it. */
static void take_next(struct pick *p, struct jobs *taken,
		      const struct open_job_row *open, struct arena *mem)
{
	const struct picked_job_row *row = find_picked(p, open->id);
	struct chain *chain = find_chain(p, cell_id(open->open_ctt_id));
	struct job *job;

	if (!row) {
		if (!chain->blocked_by)
			chain->blocked_by = open->id;
		return;
	}
	if (chain->blocked_by) {
		put_open(&p->wait, NULL, '{');
		put_raw(&p->wait, "id", row->id);
		put_raw(&p->wait, "behind", chain->blocked_by);
		put_close(&p->wait, '}');
		return;
	}
	if (chain->last && chain->last->place + 1 == CHAIN_MAX) {
		taken->more = true;
		return;
	}
	job = add_job(taken, row, mem);
	job->before = chain->last;
	job->place = job->before ? job->before->place + 1 : 0;
	chain->last = job;
}

/* Lock the jobs that are due, and decide which of them are taken. */
static enum rc jobs_lock(struct app *app, struct arena *mem, struct pick *p,
			 struct jobs *taken)
{
	struct rows open = {0};
	enum rc rc = pick(app, mem, &p->rows);

	if (rc == RC_OK && !p->rows.n)
		store_cancel(app_db(app));
	if (rc != RC_OK || !p->rows.n)
		return rc;
	taken->more = p->rows.n == PICK_MOST;
	taken->job = arena_array(mem, p->rows.n, sizeof *taken->job);
	buf_init(&p->wait, mem);
	put_open(&p->wait, NULL, '[');
	begin_chains(p, taken, mem);
	if (p->nchains)
		rc = read_chains(app, mem, p, &open);
	for (size_t i = 0; i < open.n; i++)
		take_next(p, taken, ROW(open_job, &open, i), mem);
	put_close(&p->wait, ']');
	return rc;
}

/* Lock the jobs, and store this process as their owner. */
static enum rc jobs_take(struct app *app, struct arena *mem,
			 struct jobs *taken)
{
	struct pick *p = arena_alloc(mem, sizeof *p);
	struct buf doc;
	enum rc rc = jobs_lock(app, mem, p, taken);

	if (rc != RC_OK || !p->rows.n)
		return rc;
	taken->owner = arena_strdup(mem, lease_name(app->lease));
	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "owner", taken->owner);
	put_open(&doc, "id", '[');
	for (size_t i = 0; i < taken->n; i++)
		put_raw(&doc, NULL, taken->job[i]->id);
	put_close(&doc, ']');
	put_raw(&doc, "wait", p->wait.s);
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
