/*
 * ctl/status.c - cttctl status: the state of all parts in one screen. Its first
 * line and its exit status are as Nagios has them
 */
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <grp.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "base/clock.h"
#include "ctl/console.h"
#include "model/tally.h"
#include "partner/ends.h"
#include "sample.h"

enum { /* as in doc/alerts.yml */
	LATE_S = 300,           /* work that is due           */
	SLOW_MS = 1000,         /* a write                    */
	HEADS_S = 600,          /* the audit heads are behind */
	CLOCK_S = 10,           /* between two clocks         */
	ENDS_SOON_S = 14 * 86400,
};

/* From the best to the worst; word and exit status are Nagios'. */
enum level { WELL, UNKNOWN, WARNING, CRITICAL };

static const struct {
	const char *word;
	int status;
} levels[] = {
	[WELL] = {"OK", 0},
	[UNKNOWN] = {"UNKNOWN", COULD_NOT_LOOK},
	[WARNING] = {"WARNING", 1},
	[CRITICAL] = {"CRITICAL", 2},
};

struct report {
	struct arena *mem;
	enum level worst;
	struct buf first; /* what is not well, for the first line */
	struct buf lines;
};

static void tell(struct report *r, enum level level, const char *part,
		 const char *text)
{
	if (level > r->worst)
		r->worst = level;
	if (level != WELL)
		buf_printf(&r->first, "%s%s: %s", r->first.len ? "; " : "",
			   part, text);
	buf_printf(&r->lines, "%-9s %-11s %s\n", levels[level].word, part,
		   text);
}

static const char *ago(struct report *r, int64_t ms)
{
	return ms < 0 ? "never" :
	       arena_printf(r->mem, "%s ago", span(r->mem, ms / 1000));
}

static void tell_pool(struct report *r, struct health *health)
{
	struct pool_health p = health_pool(health);
	unsigned busy = p.now[HEALTH_REQUESTS];

	if (!p.processes)
		tell(r, CRITICAL, "pool", "no ctt.fcgi runs on this host");
	else
		tell(r, busy < p.threads ? WELL : WARNING, "pool", arena_printf(
		     r->mem, "%u processes of this host have %u of %u requests "
		     "under way", p.processes, busy, p.threads));
}

static void tell_database(struct report *r, const struct sample *s)
{
	if (!s->up)
		tell(r, CRITICAL, "database", "it is away; requests are "
		     "answered 503");
	else if (!s->writable)
		tell(r, CRITICAL, "database", "it takes no writes; requests "
		     "are answered 503");
	else
		tell(r, s->ms < SLOW_MS && s->counted ? WELL : WARNING,
		     "database", arena_printf(r->mem, "a write takes %lld ms%s",
		     (long long)s->ms, s->counted ? "" :
		     "; it is too slow to count what waits"));
}

/* Both may be wrong: only Prometheus has another one (CttdClock). */
static void tell_clock(struct report *r, const struct sample *s)
{
	int64_t ahead_ms = s->clock_ms + clock_mono_ms() - clock_wall_ms();
	int64_t apart_s = (ahead_ms < 0 ? -ahead_ms : ahead_ms) / 1000;

	if (s->clock_ms < 0)
		tell(r, UNKNOWN, "clock", "only the database knows its own");
	else if (apart_s <= CLOCK_S)
		tell(r, WELL, "clock", "the database and this host agree");
	else
		tell(r, CRITICAL, "clock", arena_printf(r->mem, "the "
		     "database's is %s %s this host's", span(r->mem, apart_s),
		     ahead_ms < 0 ? "behind" : "ahead of"));
}

static void tell_copy(struct report *r, struct app *app, const struct sample *s)
{
	if (s->writable && !lease_may_call(app->lease))
		tell(r, CRITICAL, "copy", "the database is a copy; no partner is "
		     "called before cttctl adopt");
}

static void tell_memcached(struct report *r, const struct conf *cf,
			   const struct sample *s)
{
	if (!*cf->memcached)
		tell(r, WELL, "memcached", "none is set");
	else if (s->cache_up)
		tell(r, WELL, "memcached", "it answers");
	else
		tell(r, WARNING, "memcached", "it is away; cttd works without "
		     "it, and is slower");
}

static void tell_worker(struct report *r, const struct sample *s)
{
	const struct health_worker_row *row = sample_worker(s);
	int64_t beat = -1, worked = -1, now = clock_wall_ms();

	if (!s->counted) {
		tell(r, UNKNOWN, "worker", "only the database knows");
		return;
	}
	if (row->beat_at && clock_read(row->beat_at, &beat))
		beat = now > beat ? now - beat : 0;
	if (row->worked_at && clock_read(row->worked_at, &worked))
		worked = now > worked ? now - worked : 0;
	if (s->workers)
		tell(r, WELL, "worker", arena_printf(r->mem, "%lld run; the "
		     "last report was %s, the last work %s",
		     (long long)s->workers, ago(r, beat), ago(r, worked)));
	else
		tell(r, CRITICAL, "worker", arena_printf(r->mem, "no "
		     "ctt-worker runs; the last report was %s", ago(r, beat)));
}

static const char *last_failure(struct report *r,
				const struct partner_health *h)
{
	const char *status = h->failed_status ?
		arena_printf(r->mem, "HTTP %d", h->failed_status) :
		"without an answer";

	return arena_printf(r->mem, "%u failures in a row, the last %s (%s); "
			    "it last answered %s", h->failures,
			    ago(r, h->failed_ms), status,
			    ago(r, h->answered_ms));
}

static void tell_partner(struct report *r, struct health *health,
			 enum partner_id p)
{
	struct partner_health h = health_look(health, p);
	const char *name = p == PARTNER_QUEUE ? "queue" : partners[p]->name;

	if (h.broken)
		tell(r, CRITICAL, name, arena_printf(r->mem, "is only probed: "
		     "%s", last_failure(r, &h)));
	else if (h.failures)
		tell(r, WARNING, name, last_failure(r, &h));
	else if (h.limit && h.waiting >= h.limit)
		tell(r, WARNING, name, arena_printf(r->mem, "all %u calls that "
		     "may be are under way", h.limit));
	else if (h.answered_ms < 0)
		tell(r, WELL, name, "was not called since this host started");
	else
		tell(r, WELL, name, arena_printf(r->mem, "answered %s; its "
		     "slower answers take %lld ms; %u calls are under way",
		     ago(r, h.answered_ms), (long long)h.usual_ms, h.waiting));
}

static const char *due(struct report *r, int64_t late_s)
{
	return late_s < 0 ? "none is late" :
	       arena_printf(r->mem, "due for %s", span(r->mem, late_s));
}

static void tell_operations(struct report *r, const struct sample *s)
{
	int64_t open = s->open.in[0] + s->open.in[1];

	if (!s->counted)
		tell(r, UNKNOWN, "operations", "only the database knows");
	else if (!open)
		tell(r, WELL, "operations", "none is open");
	else
		tell(r, s->open_late_s < LATE_S ? WELL : WARNING, "operations",
		     arena_printf(r->mem, "%lld are open, the oldest for %s; "
		     "%s", (long long)open, span(r->mem, s->open_s),
		     due(r, s->open_late_s)));
}

static void tell_jobs(struct report *r, const struct sample *s)
{
	int64_t ready = cell_int(sample_jobs(s, JOB_READY)->n) +
			cell_int(sample_jobs(s, JOB_RUNNING)->n);
	const char *dead = sample_jobs(s, JOB_DEAD)->n;

	if (!s->counted) {
		tell(r, UNKNOWN, "jobs", "only the database knows");
		return;
	}
	if (!ready)
		tell(r, WELL, "jobs", "none is to be delivered");
	else
		tell(r, s->job_late_s < LATE_S ? WELL : WARNING, "jobs",
		     arena_printf(r->mem, "%lld are to be delivered, the oldest "
		     "for %s; %s", (long long)ready, span(r->mem, s->job_s),
		     due(r, s->job_late_s)));
	if (cell_int(dead))
		tell(r, WARNING, "jobs", arena_printf(r->mem, "%s are DEAD: "
		     "see cttctl jobs", dead));
}

static void tell_audit(struct report *r, const struct conf *cf)
{
	int64_t ms = tally_ago(TALLY_HEADS_AT);

	if (!*cf->audit_key)
		tell(r, WELL, "audit", "the trail is not chained");
	else if (!*cf->audit_heads_file)
		tell(r, WELL, "audit", "its ends are not written to a file");
	else
		tell(r, ms < HEADS_S * 1000 ? WELL : WARNING, "audit",
		     arena_printf(r->mem, "a worker of this host wrote its ends "
				  "%s", ago(r, ms)));
}

static void tell_ending(struct report *r, const struct ending *e, int64_t now)
{
	int64_t left = e->at_s - now;

	if (left < 0)
		tell(r, CRITICAL, "expiry", arena_printf(r->mem, "%s ended %s "
		     "ago", e->setting, span(r->mem, -left)));
	else
		tell(r, left < ENDS_SOON_S ? WARNING : WELL, "expiry",
		     arena_printf(r->mem, "%s ends in %s", e->setting,
				  span(r->mem, left)));
}

static void tell_endings(struct report *r, const struct conf *cf)
{
	struct ending end[ENDINGS_MOST];
	size_t n = endings_find(cf, end);

	for (size_t i = 0; i < n; i++)
		tell_ending(r, &end[i], time(NULL));
}

/* What the processes share belongs to their user: become that user, if root
 * looks. */
static void become_theirs(const struct conf *cf)
{
	const struct passwd *pw = getpwnam("ctt");
	uid_t owner;

	if (geteuid() ||
	    !health_owner(cf, pw ? pw->pw_uid : geteuid(), &owner) || !owner)
		return;
	pw = getpwuid(owner);
	if (!pw || initgroups(pw->pw_name, pw->pw_gid) || setgid(pw->pw_gid) ||
	    setuid(pw->pw_uid))
		perror("cttctl: the user of cttd");
}

static void tell_all(struct report *r, struct app *app)
{
	struct health *health = app->process->health;
	struct sample s;

	if (sample_take(app, r->mem, &s) == RC_NO)
		tell(r, UNKNOWN, "database", "it refused to be looked at: see "
		     "cttctl migrate --pending");
	else
		tell_database(r, &s);
	tell_clock(r, &s);
	tell_copy(r, app, &s);
	tell_pool(r, health);
	tell_worker(r, &s);
	tell_memcached(r, app->conf, &s);
	for (enum partner_id p = 0; p < PARTNER__MAX; p++)
		tell_partner(r, health, p);
	tell_operations(r, &s);
	tell_jobs(r, &s);
	tell_audit(r, app->conf);
	tell_endings(r, app->conf);
}

int run_status(struct console *con, int argc, char **argv)
{
	struct report r = {.mem = con->mem};
	struct process process;
	struct app app;

	(void)argc;
	(void)argv;
	buf_init(&r.first, con->mem);
	buf_init(&r.lines, con->mem);
	become_theirs(&con->conf);
	process_open(&process, &con->conf, 0);
	app_open(&app, &process);
	tell_all(&r, &app);
	app_close(&app);
	process_close(&process);
	printf("CTTD %s: %s\n%s", levels[r.worst].word,
	       r.first.len ? r.first.s : "all is well", r.lines.s);
	return levels[r.worst].status;
}
