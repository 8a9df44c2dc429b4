/*
 * web/metrics.c - GET /metrics, for Prometheus: what is counted
 * (model/tally.h), and what was seen when somebody last looked (sample.h).
 * Nobody is asked, so the answer comes at once, whatever waits or is away
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/spent.h"
#include "model/tally.h"
#include "partner/ends.h"
#include "sample.h"
#include "web/endpoint.h"

enum { STALE_MS = 60000 }; /* what was seen longer ago is not told */

/* ---- one family, one line ---- */

static void family(struct buf *b, const char *name, const char *type,
		   const char *help)
{
	buf_printf(b, "# HELP cttd_%s %s\n# TYPE cttd_%s %s\n", name, help,
		   name, type);
}

/* `labels` is "" or "{...}". */
static void line(struct buf *b, const char *name, const char *labels,
		 uint64_t n)
{
	buf_printf(b, "cttd_%s%s %llu\n", name, labels, (unsigned long long)n);
}

/* Microseconds as seconds. */
static const char *seconds(struct arena *mem, uint64_t us)
{
	return arena_printf(mem, "%llu.%06u", (unsigned long long)(us / 1000000),
			    (unsigned)(us % 1000000));
}

static void line_us(struct buf *b, const char *name, const char *labels,
		    uint64_t us)
{
	buf_printf(b, "cttd_%s%s %s\n", name, labels, seconds(b->mem, us));
}

/* A number that may be not known (-1). */
static void gauge(struct buf *b, const char *name, const char *help, int64_t n)
{
	if (n < 0)
		return;
	family(b, name, "gauge", help);
	line(b, name, "", (uint64_t)n);
}

static void gauge_ms(struct buf *b, const char *name, const char *help,
		     int64_t ms)
{
	if (ms < 0)
		return;
	family(b, name, "gauge", help);
	line_us(b, name, "", (uint64_t)ms * 1000);
}

static void counter(struct buf *b, const char *name, const char *help,
		    unsigned place)
{
	family(b, name, "counter", help);
	line(b, name, "", tally_count(place));
}

/* The value of a label. */
static const char *escaped(struct arena *mem, const char *text)
{
	struct buf b;

	buf_init(&b, mem);
	buf_str(&b, "");
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			buf_printf(&b, "\\%c", *text);
		else
			buf_add(&b, (unsigned char)*text < ' ' ? " " : text, 1);
	return b.s;
}

/* ---- histograms ---- */

static uint64_t times_of(unsigned place)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < TALLY_BUCKETS; i++)
		n += tally_count(place + i);
	return n;
}

/* The end of a histogram. `labels` is "" or ends in a comma. */
static void sum_and_count(struct buf *b, const char *name, const char *labels,
			  const char *sum, uint64_t n)
{
	size_t len = strlen(labels);
	const char *braces = !len ? "" :
		arena_printf(b->mem, "{%.*s}", (int)len - 1, labels);

	buf_printf(b, "cttd_%s_bucket{%sle=\"+Inf\"} %llu\ncttd_%s_sum%s %s\n"
		   "cttd_%s_count%s %llu\n", name, labels,
		   (unsigned long long)n, name, braces, sum, name, braces,
		   (unsigned long long)n);
}

static void times(struct buf *b, const char *name, const char *labels,
		  unsigned place)
{
	static const double bounds[] = {TALLY_BOUNDS};
	uint64_t n = 0, us = tally_count(place + TALLY_BUCKETS);

	for (unsigned i = 0; i < TALLY_BUCKETS - 1; i++) {
		n += tally_count(place + i);
		buf_printf(b, "cttd_%s_bucket{%sle=\"%g\"} %llu\n", name, labels,
			   bounds[i] / 1000, (unsigned long long)n);
	}
	n += tally_count(place + TALLY_BUCKETS - 1);
	sum_and_count(b, name, labels, seconds(b->mem, us), n);
}

static void sizes(struct buf *b, const char *name, const char *labels,
		  unsigned place)
{
	uint64_t n = 0, sum = tally_count(place + TALLY_POWERS);

	for (unsigned i = 0; i < TALLY_POWERS; i++) {
		n += tally_count(place + i);
		buf_printf(b, "cttd_%s_bucket{%sle=\"%u\"} %llu\n", name, labels,
			   1U << i, (unsigned long long)n);
	}
	sum_and_count(b, name, labels, arena_printf(b->mem, "%llu",
						    (unsigned long long)sum), n);
}

/* ---- requests ---- */

static int status_of(unsigned end)
{
	return end == TALLY_200 ? 200 : end == TALLY_202 ? 202 :
	       end == TALLY_207 ? 207 : end == TALLY_SHED ? 503 :
	       end == TALLY_OTHER ? 0 : code_info[end].status;
}

static const char *code_at(unsigned end)
{
	return end == TALLY_SHED ? code_info[CODE_BULK_ALL_FAILED].name :
	       end >= CODE__MAX ? "" : code_info[end].name;
}

/* "method=...,route=...,": none is "other". */
static const char *route_labels(struct arena *mem, unsigned route)
{
	const char *path = route_path(route);

	return arena_printf(mem, "method=\"%s\",route=\"%s\",",
			    path ? route_method(route) : "other",
			    path ? path : "other");
}

static void requests(struct buf *b)
{
	family(b, "requests_total", "counter", "Requests that were answered.");
	for (unsigned r = 0; r < TALLY_ROUTES; r++)
		for (unsigned e = 1; e < TALLY_ENDS; e++) {
			uint64_t n = tally_count(TALLY_REQUESTS +
						 r * TALLY_ENDS + e);

			if (n)
				buf_printf(b, "cttd_requests_total{%sstatus="
					   "\"%d\",code=\"%s\"} %llu\n",
					   route_labels(b->mem, r),
					   status_of(e), code_at(e),
					   (unsigned long long)n);
		}
	family(b, "request_duration_seconds", "histogram", "The time of a "
	       "request in its process.");
	for (unsigned r = 0; r < TALLY_ROUTES; r++)
		if (times_of(TALLY_REQUEST_TIMES + r * TALLY_TIMES))
			times(b, "request_duration_seconds",
			      route_labels(b->mem, r),
			      TALLY_REQUEST_TIMES + r * TALLY_TIMES);
	family(b, "queue_duration_seconds", "histogram", "The time from nginx "
	       "until a thread took the request.");
	times(b, "queue_duration_seconds", "", TALLY_QUEUE_TIMES);
}

static void parts(struct buf *b)
{
	static const char *const name[SPENT__MAX] = {
		[SPENT_REST] = "rest", [SPENT_TRAY] = "tray",
		[SPENT_DB] = "database", [SPENT_PARTNER] = "partner",
	};

	family(b, "request_part_seconds_total", "counter", "The time of all "
	       "requests by what it was spent on.");
	for (unsigned i = 0; i < SPENT__MAX; i++)
		line_us(b, "request_part_seconds_total",
				arena_printf(b->mem, "{part=\"%s\"}", name[i]),
				tally_count(TALLY_PARTS + i));
}

static void pool(struct buf *b, struct health *health)
{
	static const char *const tray[TALLY_TRAYS] = {"open", "close"};
	struct pool_health p = health_pool(health);

	gauge(b, "pool_processes", "Processes of the pool.", p.processes);
	gauge(b, "pool_threads", "Requests that they take at once.", p.threads);
	gauge(b, "pool_requests", "Requests that they have now.",
	      p.now[HEALTH_REQUESTS]);
	family(b, "tray_waiting", "gauge", "Requests that wait in a tray.");
	for (unsigned i = 0; i < TALLY_TRAYS; i++)
		line(b, "tray_waiting", arena_printf(b->mem, "{tray=\"%s\"}",
						     tray[i]),
		     p.now[HEALTH_TRAY_OPEN + i]);
	family(b, "tray_requests", "histogram", "Requests that a tray served "
	       "together.");
	for (unsigned i = 0; i < TALLY_TRAYS; i++)
		sizes(b, "tray_requests", arena_printf(b->mem, "tray=\"%s\",",
						       tray[i]),
		      TALLY_TRAY_SIZES + i * TALLY_SIZES);
}

static void texts(struct buf *b, enum tally_list list, const char *name,
		  const char *label, const char *help)
{
	const char *text;
	uint64_t n;

	family(b, name, "counter", help);
	for (unsigned i = 0; i < TALLY_NAMES; i++)
		if ((text = tally_text(list, i, &n)))
			line(b, name, arena_printf(b->mem, "{%s=\"%s\"}", label,
						   escaped(b->mem, text)), n);
}

/* ---- partners ---- */

static const char *partner_label(struct arena *mem, enum partner_id p,
				 const char *more)
{
	return arena_printf(mem, "partner=\"%s\"%s", partners[p]->code, more);
}

static void calls(struct buf *b)
{
	static const char *const verdict[TALLY_VERDICTS] = {
		[RC_OK] = ",verdict=\"yes\"", [RC_NO] = ",verdict=\"no\"",
		[RC_AGAIN] = ",verdict=\"not-sent\"",
		[RC_DOUBT] = ",verdict=\"unknown\"",
	};

	family(b, "partner_calls_total", "counter", "Calls that ended.");
	for (enum partner_id p = 0; p < PARTNER__MAX; p++)
		for (unsigned v = 0; v < TALLY_VERDICTS; v++)
			line(b, "partner_calls_total", arena_printf(b->mem,
			     "{%s}", partner_label(b->mem, p, verdict[v])),
			     tally_count(TALLY_CALLS + p * TALLY_VERDICTS + v));
	family(b, "partner_call_duration_seconds", "histogram", "The time of a "
	       "call, with all its attempts.");
	for (enum partner_id p = 0; p < PARTNER__MAX; p++)
		times(b, "partner_call_duration_seconds",
		      partner_label(b->mem, p, ","),
		      TALLY_CALL_TIMES + p * TALLY_TIMES);
}

static void partners_now(struct buf *b, struct health *health)
{
	static const struct {
		const char *name, *help;
	} of[] = {
		{"partner_broken", "1: it keeps failing, and is only probed."},
		{"partner_failures", "Calls that failed in a row."},
		{"partner_waiting", "Calls of the pool under way."},
		{"partner_limit", "Calls of the pool that may be under way."},
	};
	struct partner_health h[PARTNER__MAX];

	for (enum partner_id p = 0; p < PARTNER__MAX; p++)
		h[p] = health_look(health, p);
	for (unsigned i = 0; i < sizeof of / sizeof of[0]; i++) {
		family(b, of[i].name, "gauge", of[i].help);
		for (enum partner_id p = 0; p < PARTNER__MAX; p++) {
			const unsigned value[] = {h[p].broken, h[p].failures,
						  h[p].waiting, h[p].limit};

			line(b, of[i].name, arena_printf(b->mem, "{%s}",
			     partner_label(b->mem, p, "")), value[i]);
		}
	}
	family(b, "partner_usual_seconds", "gauge", "The time of its slower "
	       "answers of late.");
	for (enum partner_id p = 0; p < PARTNER__MAX; p++)
		if (h[p].usual_ms >= 0)
			line_us(b, "partner_usual_seconds",
				arena_printf(b->mem, "{%s}",
					     partner_label(b->mem, p, "")),
				(uint64_t)h[p].usual_ms * 1000);
}

/* ---- operations, jobs, worker ---- */

static void operations(struct buf *b)
{
	family(b, "operations_total", "counter", "Operations that were closed, "
	       "or refused by a rule.");
	for (enum kind k = 0; k < KIND__MAX; k++)
		for (unsigned s = OP_SUCCEEDED; s < OP_STATE__MAX; s++)
			line(b, "operations_total", arena_printf(b->mem,
			     "{kind=\"%s\",state=\"%s\"}", kind_name[k],
			     op_state_name[s]), tally_count(TALLY_OPERATIONS +
							    k * OP_STATE__MAX +
							    s));
	counter(b, "operations_assumed_total", "Operations that were closed "
		"without proof.", TALLY_ASSUMED);
}

static void jobs(struct buf *b)
{
	static const struct {
		const char *labels;
		unsigned place;
	} ends[] = {
		{"{end=\"done\"}", TALLY_JOBS_DONE},
		{"{end=\"again\"}", TALLY_JOBS_AGAIN},
		{"{end=\"dead\"}", TALLY_JOBS_DEAD},
	};

	family(b, "jobs_tried_total", "counter", "Deliveries of jobs that "
	       "were tried.");
	for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++)
		line(b, "jobs_tried_total", ends[i].labels,
		     tally_count(ends[i].place));
}

static void worker(struct buf *b)
{
	gauge_ms(b, "worker_seen_seconds", "How long ago a worker of this host "
		 "began a round.", tally_ago(TALLY_WORKER_AT));
	gauge_ms(b, "audit_heads_age_seconds", "How long ago a worker of this "
		 "host brought the audit heads up to date.",
		 tally_ago(TALLY_HEADS_AT));
}

/* ---- what was seen ---- */

static void each(struct buf *b, const char *name, const char *help,
		 const char *label, const char *const *value, unsigned n,
		 unsigned place)
{
	if (tally_get(place) < 0)
		return;
	family(b, name, "gauge", help);
	for (unsigned i = 0; i < n; i++)
		line(b, name, arena_printf(b->mem, "{%s=\"%s\"}", label,
					   value[i]),
		     (uint64_t)tally_get(place + i));
}

static void seen(struct buf *b)
{
	static const char *const late[] = {"operation", "job"};
	int64_t ago = tally_ago(TALLY_SAMPLED_AT);

	gauge_ms(b, "sample_age_seconds", "How long ago the following were "
		 "seen. They are left out if that is over 60 s.", ago);
	if (ago < 0 || ago > STALE_MS)
		return;
	gauge(b, "memcached_up", "1: it answers.", tally_get(TALLY_CACHE_UP));
	gauge(b, "database_up", "1: it answers.", tally_get(TALLY_DB_UP));
	gauge(b, "database_writable", "1: it takes writes.",
	      tally_get(TALLY_DB_WRITABLE));
	gauge_ms(b, "database_write_seconds", "The time of a write.",
		 tally_get(TALLY_DB_WRITE_MS));
	each(b, "operations_open", "Operations that are open; at most 10000 "
	     "are counted.", "state", sample_open_state, OPEN_STATES,
	     TALLY_OPEN);
	gauge(b, "operation_oldest_seconds", "The age of the oldest that is "
	      "open.", tally_get(TALLY_OPEN_S));
	each(b, "jobs", "Jobs that are not done; at most 10000 of a state are "
	     "counted.", "state", sample_job_state, JOB_STATES, TALLY_JOBS);
	gauge(b, "job_oldest_seconds", "The age of the oldest that is to be "
	      "delivered.", tally_get(TALLY_JOB_S));
	if (tally_get(TALLY_OPEN_LATE_S) >= 0)
		each(b, "late_seconds", "How long work has been due.", "of",
		     late, 2, TALLY_OPEN_LATE_S);
	gauge(b, "workers_running", "Workers of all hosts.",
	      tally_get(TALLY_WORKERS));
}

/* Prometheus holds them against its own. That of the database is as it was seen,
 * so a jump since then shows after the next look. */
static void clocks(struct buf *b)
{
	int64_t ago = tally_ago(TALLY_SAMPLED_AT);
	int64_t base = tally_get(TALLY_DB_CLOCK_MS);

	family(b, "clock_timestamp_seconds", "gauge", "What the clocks say.");
	line(b, "clock_timestamp_seconds", "{of=\"host\"}",
	     (uint64_t)(clock_wall_ms() / 1000));
	if (ago >= 0 && ago <= STALE_MS && base >= 0)
		line(b, "clock_timestamp_seconds", "{of=\"database\"}",
		     (uint64_t)((base + clock_mono_ms()) / 1000));
}

static void expiry(struct buf *b, const struct conf *cf)
{
	struct ending end[ENDINGS_MOST];
	size_t n = endings_find(cf, end);

	family(b, "expires_timestamp_seconds", "gauge", "When a certificate or "
	       "a token ends.");
	for (size_t i = 0; i < n; i++)
		line(b, "expires_timestamp_seconds", arena_printf(b->mem,
		     "{setting=\"%s\"}", end[i].setting),
		     (uint64_t)end[i].at_s);
}

void read_metrics(struct request *rq)
{
	struct health *health = rq->app->process->health;
	struct buf *b = &rq->reply;

	rq->status = 200;
	rq->reply_type = "text/plain; version=0.0.4";
	buf_init(b, rq->mem);
	family(b, "build_info", "gauge", "The version that answers.");
	line(b, "build_info", "{version=\"" PACKAGE_VERSION "\"}", 1);
	requests(b);
	parts(b);
	pool(b, health);
	texts(b, TALLY_UNAUTHENTICATED, "unauthenticated_total", "reason",
	      "Answers of 401.");
	calls(b);
	partners_now(b, health);
	operations(b);
	jobs(b);
	worker(b);
	clocks(b);
	texts(b, TALLY_DB_ERRORS, "database_errors_total", "number",
	      "Errors of the database, by their numbers.");
	counter(b, "database_retries_total", "Transactions that were tried "
		"again.", TALLY_DB_RETRIES);
	counter(b, "memcached_away_total", "Requests that did without "
		"memcached.", TALLY_NO_CACHE);
	seen(b);
	expiry(b, rq->app->conf);
}
