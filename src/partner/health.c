#include "config.h"

#include "partner/health.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "partner/breaker.h"
#include "partner/partner.h"
#include "partner/shared.h"

enum { /* the settings allow no more */
	THREADS_MOST = 4096,
	CALLS_MOST = 4096,
};

struct health {
	struct shared *shared;
	int fd; /* of the file; -1: it is not shared */
	unsigned threads; /* 0: it holds no room */
	atomic_uint held[HELD__MAX][PARTNER__MAX]; /* shown in `own` */
	struct place *own;
	const struct conf *cf;
	int64_t probe_lease_ms;
};

struct visit {
	struct health *health;
	atomic_uint calls[PARTNER__MAX];   /* of those under way, the request's */
	atomic_bool probing[PARTNER__MAX]; /* it has the probe to make          */
};

bool health_owner(const struct conf *cf, uid_t likely, uid_t *owner_r)
{
	const uid_t users[] = {geteuid(), likely};
	char path[512];
	struct stat st;

	for (int i = 0; i < 2; i++) {
		shared_path(cf, users[i], path, sizeof path);
		if (lstat(path, &st) ||
		    (!*cf->shared_file && st.st_uid != users[i]))
			continue;
		*owner_r = st.st_uid;
		return true;
	}
	return false;
}

/* Take the lock of a place, or give it back (F_WRLCK, F_UNLCK). */
static bool lock_place(const struct health *h, int i, short type)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET,
			      .l_start = i, .l_len = 1};

	return h->fd < 0 || !fcntl(h->fd, F_OFD_SETLK, &range);
}

static void place_free(struct place *p)
{
	for (int w = 0; w < HELD__MAX; w++)
		for (int i = 0; i < PARTNER__MAX; i++)
			atomic_store(&p->held[w][i], 0);
	for (int i = 0; i < HEALTH_NOW__MAX; i++)
		atomic_store(&p->now[i], 0);
	atomic_store(&p->in_pool, 0);
}

/* That this process is there, which a file that was cut off does not know. */
static void place_show(const struct health *h)
{
	int last = (int)(h->own - h->shared->place) + 1;

	atomic_store(&h->own->in_pool, h->threads > 0);
	atomic_store(&h->own->threads, h->threads);
	for (int n = shared_places(h->shared); n < last;)
		if (atomic_compare_exchange_weak(&h->shared->taken, &n, last))
			break;
}

/* Take the first free place, if there is one. */
static void place_take(struct health *h)
{
	for (int i = 0; i < PLACES && !h->own; i++)
		if (lock_place(h, i, F_WRLCK))
			h->own = &h->shared->place[i];
	if (!h->own)
		return;
	place_free(h->own);
	place_show(h);
}

/* Free the places of dead processes that still count. */
static void bury_dead(struct health *h)
{
	int places = h->fd < 0 ? 0 : shared_places(h->shared);

	for (int i = 0; i < places; i++) {
		struct place *p = &h->shared->place[i];

		if (p == h->own || !atomic_load(&p->in_pool) ||
		    !lock_place(h, i, F_WRLCK))
			continue;
		place_free(p);
		lock_place(h, i, F_UNLCK);
	}
}

struct health *health_open(const struct conf *cf, unsigned threads)
{
	struct health *h = calloc(1, sizeof *h);

	if (!h)
		arena_exhausted();
	h->cf = cf;
	h->threads = threads;
	h->shared = shared_open(cf, &h->fd);
	h->probe_lease_ms = cf->partner_timeout_ms + 1000;
	place_take(h);
	bury_dead(h);
	tally_use(&h->shared->tallies);
	return h;
}

void health_close(struct health *h)
{
	if (!h)
		return;
	tally_use(NULL);
	if (h->own)
		place_free(h->own);
	shared_close(h->shared, h->fd); /* this also unlocks the place */
	free(h);
}

/* ---- one thread's calls ---- */

struct visit *visit_open(struct health *h)
{
	struct visit *v = calloc(1, sizeof *v);

	if (!v)
		arena_exhausted();
	v->health = h;
	return v;
}

void visit_close(struct visit *v)
{
	if (!v)
		return;
	visit_leave(v);
	free(v);
}

/* The file only shows the number, because others can write to it. */
static void show_held(struct health *h, enum held what, enum partner_id p)
{
	if (!h->own)
		return;
	place_show(h);
	atomic_store(&h->own->held[what][p], atomic_load(&h->held[what][p]));
}

/* What the pool holds of the room at a partner. */
static unsigned held_by_pool(const struct health *h, enum held what,
			     enum partner_id p, unsigned *processes_r)
{
	unsigned sum = atomic_load(&h->held[what][p]);
	int places = shared_places(h->shared);

	*processes_r = h->threads > 0;
	for (int i = 0; i < places; i++) {
		struct place *place = &h->shared->place[i];
		unsigned n = atomic_load(&place->held[what][p]);

		if (place == h->own || !atomic_load(&place->in_pool))
			continue;
		sum += n < CALLS_MOST ? n : CALLS_MOST;
		++*processes_r;
	}
	return sum;
}

static bool is_within(const struct health *h, enum held what, enum partner_id p)
{
	unsigned processes;
	unsigned n = held_by_pool(h, what, p, &processes);

	return what == HELD_CALLS ? n <= (unsigned)h->cf->partner_calls :
	       n <= processes * ((h->threads + 1) / 2);
}

static void give_room(struct health *h, enum held what, enum partner_id p)
{
	atomic_fetch_sub(&h->held[what][p], 1);
	show_held(h, what, p);
}

/* The number goes up before the sum is taken. So two processes may both be
 * refused the last room, but never both have it. */
static bool take_room(struct health *h, enum held what, enum partner_id p)
{
	atomic_fetch_add(&h->held[what][p], 1);
	show_held(h, what, p);
	if (!h->threads || is_within(h, what, p))
		return true;
	bury_dead(h);
	if (is_within(h, what, p))
		return true;
	give_room(h, what, p);
	return false;
}

bool visit_begin_call(struct visit *v, enum partner_id p)
{
	if (!take_room(v->health, HELD_CALLS, p))
		return false;
	v->calls[p]++;
	return true;
}

void visit_end_call(struct visit *v, enum partner_id p)
{
	v->calls[p]--;
	give_room(v->health, HELD_CALLS, p);
}

static unsigned limit_of(const struct health *h)
{
	return (unsigned)h->cf->breaker_failures;
}

bool health_is_broken(const struct health *h, enum partner_id p)
{
	return breaker_is_broken(&h->shared->breaker[p], limit_of(h));
}

static bool take_probe(struct health *h, enum partner_id p)
{
	return breaker_take_probe(&h->shared->breaker[p], h->probe_lease_ms);
}

bool visit_hold_call(struct visit *v, enum partner_id p)
{
	if (v->calls[p])
		return true;
	if (!take_room(v->health, HELD_REQUESTS, p))
		return false;
	if (visit_begin_call(v, p))
		return true;
	give_room(v->health, HELD_REQUESTS, p);
	return false;
}

enum health_admission visit_enter(struct visit *v, enum partner_id p)
{
	if (health_is_broken(v->health, p)) {
		/* one call is the probe, not one request's five hundred */
		if (v->probing[p] || !take_probe(v->health, p))
			return HEALTH_BROKEN;
		v->probing[p] = true;
	}
	return visit_hold_call(v, p) ? HEALTH_GO : HEALTH_BUSY;
}

void visit_leave(struct visit *v)
{
	for (enum partner_id p = 0; p < PARTNER__MAX; p++) {
		if (v->calls[p])
			give_room(v->health, HELD_REQUESTS, p);
		while (v->calls[p])
			visit_end_call(v, p);
		if (v->probing[p]) /* it was not made: another's turn */
			breaker_leave_probe(&v->health->shared->breaker[p]);
		v->probing[p] = false;
	}
}

bool visit_may_call(struct visit *v, enum partner_id p)
{
	if (!health_is_broken(v->health, p))
		return true;
	return atomic_exchange(&v->probing[p], false) || /* by this call */
	       take_probe(v->health, p);
}

void visit_report(struct visit *v, enum partner_id p, bool answered,
		  long status, int64_t ms)
{
	struct breaker *b = &v->health->shared->breaker[p];
	unsigned limit = limit_of(v->health);

	if (answered) {
		if (breaker_answered(b, limit, ms))
			log_line(LOG_INFO, "partner_back", "partner=%s",
				 partners[p]->code);
	} else if (breaker_failed(b, limit, status)) {
		log_line(LOG_WARN, "partner_broken", "partner=%s",
			 partners[p]->code);
	}
}

int health_retry_s(const struct health *h, enum partner_id p)
{
	return breaker_retry_s(&h->shared->breaker[p]);
}

void health_now(struct health *h, enum health_now what, int by)
{
	if (h->own)
		atomic_fetch_add(&h->own->now[what], by);
}

/* The number of a place that is possible. */
static unsigned now_of(const struct place *p, enum health_now what,
		       unsigned threads)
{
	int n = atomic_load(&p->now[what]);

	return n < 0 ? 0 : (unsigned)n < threads ? (unsigned)n : threads;
}

struct pool_health health_pool(struct health *h)
{
	struct pool_health pool = {0};
	int places = shared_places(h->shared);

	bury_dead(h);
	for (int i = 0; i < places; i++) {
		struct place *p = &h->shared->place[i];
		unsigned threads = atomic_load(&p->threads);

		if (!atomic_load(&p->in_pool))
			continue;
		threads = threads < THREADS_MOST ? threads : THREADS_MOST;
		pool.processes++;
		pool.threads += threads;
		for (int w = 0; w < HEALTH_NOW__MAX; w++)
			pool.now[w] += now_of(p, (enum health_now)w, threads);
	}
	return pool;
}

/* How long ago the time was; -1: never. */
static int64_t ago_or_never(int64_t when)
{
	int64_t now = clock_mono_ms();

	return when > 0 && when <= now ? now - when : -1;
}

struct partner_health health_look(struct health *h, enum partner_id p)
{
	struct breaker *b = &h->shared->breaker[p];
	int64_t usual = breaker_usual(b);
	int status = atomic_load(&b->failed_status);
	unsigned processes;
	struct partner_health look = {
		.broken = health_is_broken(h, p),
		.failures = atomic_load(&b->failures),
		.usual_ms = usual ? usual - 1 : -1, /* 0 is not known */
		.answered_ms = ago_or_never(atomic_load(&b->answered)),
		.failed_ms = ago_or_never(atomic_load(&b->failed)),
		.failed_status = status < 100 || status > 999 ? 0 : status,
		.limit = (unsigned)h->cf->partner_calls,
	};

	bury_dead(h);
	look.waiting = held_by_pool(h, HELD_CALLS, p, &processes);
	return look;
}
