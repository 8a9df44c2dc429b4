#include "config.h"

#include "partner/health.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "model/tally.h"

enum {
	LAYOUT = 5,           /* of what is shared; not to be read by others */
	PLACES = 1024,        /* processes on one host                     */
	MAKE_TRIES = 50,      /* to lock a new file, 20 ms apart           */
	USUAL_MOST_MS = 600000, /* no answer takes longer                  */
	OPEN_MS = 1000,       /* first pause of a breaker; it doubles      */
	OPEN_CAP_MS = 2000,
	THREADS_MOST = 4096,  /* CTT_THREADS allows no more               */
};

/*
 * A new file is all zero. A file of another boot or of another version is set
 * to zero, too. Other programs can write to the file, so each number is checked
 * before it is used, and no function waits for another process.
 */
struct breaker {
	atomic_uint failures;       /* in a row                              */
	atomic_int_least64_t until; /* no probe before (clock_mono_ms)       */
	atomic_int_least64_t probe; /* end of the present probe's lease      */
	atomic_int_least64_t usual; /* ms: time of the slower recent answers */
	atomic_int_least64_t answered; /* clock_mono_ms of the last answer   */
	atomic_int_least64_t failed;   /* clock_mono_ms of the last failure  */
	atomic_int failed_status;
};

/* A process of the pool holds a lock on the byte of its place in the file. The
 * lock ends with the process, and no other program with the same pid has it. */
struct place {
	atomic_int in_pool;
	atomic_uint threads;
	atomic_uint calls[PARTNER__MAX]; /* under way */
	atomic_int now[HEALTH_NOW__MAX];
};

struct shared {
	uint64_t stamp;
	struct breaker breaker[PARTNER__MAX];
	struct tallies tallies;
	atomic_int taken; /* places from this one on were never used */
	struct place place[PLACES];
};

static const char *const partner_name[PARTNER__MAX] = {
	[PARTNER_TAAS] = "TAAS",
	[PARTNER_TMF] = "TMF",
	[PARTNER_NIG] = "NIG",
	[PARTNER_QUEUE] = "QUEUE",
};

struct health {
	struct shared *shared;
	int fd; /* of the file; -1: it is not shared */
	unsigned threads;
	unsigned most_calls, most_requests; /* for one partner; 0: no bound */
	atomic_uint calls[PARTNER__MAX];    /* under way; shown in `own`    */
	atomic_uint requests[PARTNER__MAX]; /* that make them               */
	struct place *own;
	const struct conf *cf;
	int64_t probe_lease_ms;
};

struct visit {
	struct health *health;
	unsigned calls[PARTNER__MAX]; /* of those under way, this thread's */
	bool probing[PARTNER__MAX];   /* this thread has the probe to make */
};

static uint64_t hash_of(const char *text)
{
	return hash_fast(text, strlen(text));
}

/* Identifies the boot, from which clock_mono_ms counts, and the layout. */
static uint64_t stamp_now(void)
{
	char boot[64] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

	if (f) {
		if (!fgets(boot, sizeof boot, f))
			boot[0] = '\0';
		fclose(f);
	}
	return hash_of(boot) + sizeof(struct shared) + LAYOUT;
}

/* All processes that use the same database share one file. */
static void file_name(const struct conf *cf, uid_t user, char *to, size_t n)
{
	char text[512];

	if (*cf->shared_file) {
		snprintf(to, n, "%s", cf->shared_file);
		return;
	}
	snprintf(text, sizeof text, "%s|%s|%lld|%s|%d", cf->db_socket,
		 cf->db_host, (long long)cf->db_port, cf->db_name, LAYOUT);
	snprintf(to, n, "/dev/shm/cttd-%u-%016llx", (unsigned)user,
		 (unsigned long long)hash_of(text));
}

bool health_owner(const struct conf *cf, uid_t likely, uid_t *owner_r)
{
	const uid_t users[] = {geteuid(), likely};
	char path[512];
	struct stat st;

	for (int i = 0; i < 2; i++) {
		file_name(cf, users[i], path, sizeof path);
		if (lstat(path, &st) ||
		    (!*cf->shared_file && st.st_uid != users[i]))
			continue;
		*owner_r = st.st_uid;
		return true;
	}
	return false;
}

/* Any user can create a file of this name in /dev/shm and write to it later. */
static bool is_ours(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	errno = EPERM;
	return st.st_uid == geteuid() && S_ISREG(st.st_mode);
}

/* Lock the file to initialize it. Gives up if another process holds the lock
 * for too long. */
static bool lock_file(int fd)
{
	for (int i = 0; i < MAKE_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return true;
		if (errno != EWOULDBLOCK)
			return false;
		clock_sleep_ms(20);
	}
	return false;
}

/* Allocate the space now, because the file system may be full later. */
static bool make_room(int fd)
{
	errno = posix_fallocate(fd, 0, sizeof(struct shared));
	return !errno;
}

static struct { /* for on_sigbus */
	char *at;
	int fd;
	struct sigaction before;
} mapped;

/* A page of the file is missing: another program truncated it. Restore the
 * length; if that fails, this process continues with memory of its own. A page
 * of another mapping is left to the previous handler. */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	const char *at = info->si_addr;
	int error = errno;

	(void)context;
	if (!mapped.at || at < mapped.at ||
	    at >= mapped.at + sizeof(struct shared))
		sigaction(sig, &mapped.before, NULL); /* raised once more */
	else if (fallocate(mapped.fd, 0, 0, sizeof(struct shared)))
		mmap(mapped.at, sizeof(struct shared), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	errno = error;
}

static void watch_mapping(void *at, int fd)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO}, now;

	mapped.fd = fd;
	mapped.at = at;
	action.sa_sigaction = on_sigbus;
	sigaction(SIGBUS, &action, &now);
	if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_sigbus)
		mapped.before = now;
}

static struct shared *map_file(int fd)
{
	struct shared *s;
	void *at;

	if (!is_ours(fd) || !lock_file(fd))
		return NULL;
	at = !make_room(fd) ? MAP_FAILED :
	     mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at != MAP_FAILED) {
		watch_mapping(at, fd);
		s = at;
		if (s->stamp != stamp_now()) {
			memset(s, 0, sizeof *s);
			s->stamp = stamp_now();
		}
	}
	flock(fd, LOCK_UN);
	return at == MAP_FAILED ? NULL : at;
}

static struct shared *share(const struct conf *cf, int *fd_r)
{
	char path[512];
	int fd;
	void *at;

	file_name(cf, geteuid(), path, sizeof path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		  0600);
	at = fd < 0 ? NULL : map_file(fd);
	*fd_r = fd;
	if (at)
		return at;
	log_line(LOG_WARN, "not_shared", "file=%s error=\"%s\" "
		 "setting=CTT_SHARED_FILE", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	*fd_r = -1;
	at = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		arena_exhausted();
	return at;
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
	for (int i = 0; i < PARTNER__MAX; i++)
		atomic_store(&p->calls[i], 0);
	for (int i = 0; i < HEALTH_NOW__MAX; i++)
		atomic_store(&p->now[i], 0);
	atomic_store(&p->in_pool, 0);
}

/* How many places may be in use. */
static int places_taken(const struct shared *s)
{
	int n = atomic_load(&s->taken);

	return n < 0 ? 0 : n > PLACES ? PLACES : n;
}

/* That this process is there, which a file that was cut off does not know. */
static void place_show(const struct health *h)
{
	int last = (int)(h->own - h->shared->place) + 1;

	atomic_store(&h->own->in_pool, h->most_calls > 0);
	atomic_store(&h->own->threads, h->threads);
	for (int n = places_taken(h->shared); n < last;)
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
	int places = h->fd < 0 ? 0 : places_taken(h->shared);

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
	h->most_calls = threads ? (unsigned)cf->partner_calls : 0;
	h->threads = threads;
	h->most_requests = (threads + 1) / 2; /* half of the threads */
	h->shared = share(cf, &h->fd);
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
	if (mapped.at == (char *)h->shared)
		mapped.at = NULL;
	munmap(h->shared, sizeof *h->shared);
	if (h->fd >= 0)
		close(h->fd); /* this also unlocks the place */
	free(h);
}

/* Is that time still to come? One that is further away than anything is set to
 * is none. */
static bool is_ahead(int64_t when, int64_t most_ms)
{
	int64_t now = clock_mono_ms();

	return when > now && when <= now + most_ms;
}

static int64_t usual_ms(const struct breaker *b)
{
	int64_t ms = atomic_load(&b->usual);

	return ms < 0 || ms > USUAL_MOST_MS ? 0 : ms;
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
static void show_calls(struct health *h, enum partner_id p)
{
	if (!h->own)
		return;
	place_show(h);
	atomic_store(&h->own->calls[p], atomic_load(&h->calls[p]));
}

/* Count one more, if that is not too many; 0: there is no bound. */
static bool count_up(atomic_uint *n, unsigned most)
{
	if (atomic_fetch_add(n, 1) < most || !most)
		return true;
	atomic_fetch_sub(n, 1);
	return false;
}

bool visit_begin_call(struct visit *v, enum partner_id p)
{
	struct health *h = v->health;

	if (!count_up(&h->calls[p], h->most_calls))
		return false;
	v->calls[p]++;
	show_calls(h, p);
	return true;
}

void visit_end_call(struct visit *v, enum partner_id p)
{
	v->calls[p]--;
	atomic_fetch_sub(&v->health->calls[p], 1);
	show_calls(v->health, p);
}

/* The partner is broken. True: this thread is to probe it now. */
static bool take_probe(struct health *h, struct breaker *b)
{
	int64_t now = clock_mono_ms(), lease = atomic_load(&b->probe);

	return !is_ahead(atomic_load(&b->until), OPEN_CAP_MS) &&
	       !is_ahead(lease, h->probe_lease_ms) &&
	       atomic_compare_exchange_strong(&b->probe, &lease,
					      now + h->probe_lease_ms);
}

bool health_is_broken(const struct health *h, enum partner_id p)
{
	return atomic_load(&h->shared->breaker[p].failures) >=
	       h->cf->breaker_failures;
}

bool visit_hold_call(struct visit *v, enum partner_id p)
{
	atomic_uint *requests = &v->health->requests[p];

	if (v->calls[p])
		return true;
	if (!count_up(requests, v->health->most_requests))
		return false;
	if (visit_begin_call(v, p))
		return true;
	atomic_fetch_sub(requests, 1);
	return false;
}

enum health_admission visit_enter(struct visit *v, enum partner_id p)
{
	if (health_is_broken(v->health, p)) {
		/* one call is the probe, not one request's five hundred */
		if (v->probing[p] ||
		    !take_probe(v->health, &v->health->shared->breaker[p]))
			return HEALTH_BROKEN;
		v->probing[p] = true;
	}
	return visit_hold_call(v, p) ? HEALTH_GO : HEALTH_BUSY;
}

void visit_leave(struct visit *v)
{
	for (enum partner_id p = 0; p < PARTNER__MAX; p++) {
		if (v->calls[p])
			atomic_fetch_sub(&v->health->requests[p], 1);
		while (v->calls[p])
			visit_end_call(v, p);
		if (v->probing[p]) /* it was not made: another's turn */
			atomic_store(&v->health->shared->breaker[p].probe, 0);
		v->probing[p] = false;
	}
}

bool visit_may_call(struct visit *v, enum partner_id p)
{
	bool probing = v->probing[p];

	if (!health_is_broken(v->health, p))
		return true;
	v->probing[p] = false; /* it is made by this call */
	return probing || take_probe(v->health, &v->health->shared->breaker[p]);
}

void visit_report(struct visit *v, enum partner_id p, bool answered,
		  long status, int64_t ms)
{
	struct health *h = v->health;
	struct breaker *b = &h->shared->breaker[p];
	unsigned failures, limit = (unsigned)h->cf->breaker_failures;
	int64_t open_ms = OPEN_MS, usual = usual_ms(b);

	if (answered) {
		if (health_is_broken(h, p))
			log_line(LOG_INFO, "partner_back", "partner=%s",
				 partner_name[p]);
		if (atomic_load(&b->failures))
			atomic_store(&b->failures, 0);
		/* it rises at once, and falls slowly; 0: not known */
		atomic_store(&b->usual, ms < usual ? usual - (usual - ms) / 8 :
					ms + 1);
		atomic_store(&b->answered, clock_mono_ms());
		return;
	}
	atomic_store(&b->failed_status, (int)status);
	atomic_store(&b->failed, clock_mono_ms());
	failures = atomic_fetch_add(&b->failures, 1) + 1;
	if (failures < limit)
		return;
	for (unsigned n = limit; n < failures && open_ms < OPEN_CAP_MS; n++)
		open_ms *= 2;
	atomic_store(&b->until, clock_mono_ms() + open_ms);
	atomic_store(&b->probe, 0);
	if (failures == limit)
		log_line(LOG_WARN, "partner_broken", "partner=%s",
			 partner_name[p]);
}

int health_retry_s(const struct health *h, enum partner_id p)
{
	int64_t until = atomic_load(&h->shared->breaker[p].until);

	return !is_ahead(until, OPEN_CAP_MS) ? 1 :
	       (int)((until - clock_mono_ms() + 1000) / 1000);
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
	int places = places_taken(h->shared);

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

/* The calls of all processes of the pool. */
static void count_calls(const struct health *h, enum partner_id p,
			struct partner_health *look)
{
	int places = places_taken(h->shared);

	for (int i = 0; i < places; i++) {
		struct place *place = &h->shared->place[i];
		unsigned calls = atomic_load(&place->calls[p]);

		if (!atomic_load(&place->in_pool))
			continue;
		look->waiting += calls < h->most_calls ? calls : h->most_calls;
		look->limit += h->most_calls;
	}
}

struct partner_health health_look(struct health *h, enum partner_id p)
{
	struct breaker *b = &h->shared->breaker[p];
	int64_t usual = usual_ms(b);
	int status = atomic_load(&b->failed_status);
	struct partner_health look = {
		.broken = health_is_broken(h, p),
		.failures = atomic_load(&b->failures),
		.usual_ms = usual ? usual - 1 : -1, /* 0 is not known */
		.answered_ms = ago_or_never(atomic_load(&b->answered)),
		.failed_ms = ago_or_never(atomic_load(&b->failed)),
		.failed_status = status < 100 || status > 999 ? 0 : status,
	};

	bury_dead(h);
	count_calls(h, p, &look);
	return look;
}
