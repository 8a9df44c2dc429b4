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

enum {
	PLACES = 1024,        /* processes on one host                     */
	OPEN_MS = 1000,       /* so long, at first; it doubles             */
	OPEN_CAP_MS = 2000,
	SLOW_FAILURES = 3,    /* in a row show that a partner is slow      */
	SLOW_MS = 1000,       /* so does a wait of that long,              */
	SILENT_MS = 250,      /* or of that, if it answers nobody          */
	CUT_MS = 400,         /* who waits for one that is silent may, so
			       * long: what was sent is in doubt then      */
	SLOW_TIMES = 4,       /* but not less than so many usual times     */
};

/* All zero is the state of a host on which nothing has happened yet; a file of
 * another boot, or of another version, is made so. */
struct breaker {
	atomic_uint failures;       /* in a row                              */
	atomic_int_least64_t until; /* clock_mono_ms; left alone before that */
	atomic_int_least64_t probe; /* a probe is under way until then       */
	atomic_int_least64_t usual; /* ms: the slowest answers of late       */
	atomic_int_least64_t answered; /* the last one; clock_mono_ms        */
};

struct place {
	atomic_int pid; /* 0: free */
	atomic_int in_pool, at_work;
	atomic_int_least64_t since[PARTNER__MAX]; /* waiting; 0: is not */
};

struct shared {
	uint64_t stamp;
	struct breaker breaker[PARTNER__MAX];
	atomic_ulong no_cache, assumed;
	atomic_int taken; /* no place from here on ever was */
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
	struct place *own;
	const struct conf *cf;
	int64_t probe_lease_ms;
	bool probing[PARTNER__MAX]; /* this process has the probe to make */
};

static uint64_t hash_of(const char *text)
{
	return hash_fast(text, strlen(text));
}

/* What the clock that never is set counts from, and the layout. */
static uint64_t stamp_now(void)
{
	char boot[64] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

	if (f) {
		if (!fgets(boot, sizeof boot, f))
			boot[0] = '\0';
		fclose(f);
	}
	return hash_of(boot) + sizeof(struct shared);
}

/* The file is one for all that use the same database. */
static void file_name(const struct conf *cf, char *to, size_t n)
{
	char text[512];

	if (*cf->shared_file) {
		snprintf(to, n, "%s", cf->shared_file);
		return;
	}
	snprintf(text, sizeof text, "%s|%s|%lld|%s", cf->db_socket, cf->db_host,
		 (long long)cf->db_port, cf->db_name);
	snprintf(to, n, "/dev/shm/cttd-%u-%016llx", (unsigned)geteuid(),
		 (unsigned long long)hash_of(text));
}

/* In /dev/shm anybody can make a file of any name, and write to it later. */
static bool is_ours(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	errno = EPERM;
	return st.st_uid == geteuid();
}

static struct shared *share(const struct conf *cf)
{
	char path[512];
	void *at = MAP_FAILED;
	int fd;

	file_name(cf, path, sizeof path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && is_ours(fd) && !flock(fd, LOCK_EX) &&
	    !ftruncate(fd, sizeof(struct shared)))
		at = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);
	if (at != MAP_FAILED && ((struct shared *)at)->stamp != stamp_now()) {
		memset(at, 0, sizeof(struct shared));
		((struct shared *)at)->stamp = stamp_now();
	}
	if (fd >= 0) /* the mapping would keep it, beyond close() */
		flock(fd, LOCK_UN);
	if (at == MAP_FAILED) {
		log_line(LOG_WARN, "not_shared", "file=%s error=\"%s\" "
			 "setting=CTT_SHARED_FILE", path, strerror(errno));
		at = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED)
		arena_exhausted();
	return at;
}

static bool is_dead(int pid)
{
	return pid && kill(pid, 0) && errno == ESRCH;
}

static void place_clear(struct place *p)
{
	for (int i = 0; i < PARTNER__MAX; i++)
		atomic_store(&p->since[i], 0);
}

/* A place that is free, or whose process is dead; NULL: all are taken. */
static struct place *place_take(struct shared *s, bool in_pool)
{
	for (int i = 0; i < PLACES; i++) {
		struct place *p = &s->place[i];
		int pid = atomic_load(&p->pid);

		if (pid && !is_dead(pid))
			continue;
		if (!atomic_compare_exchange_strong(&p->pid, &pid, getpid()))
			continue;
		place_clear(p);
		atomic_store(&p->at_work, 0);
		atomic_store(&p->in_pool, in_pool);
		for (int n = atomic_load(&s->taken); n <= i;)
			if (atomic_compare_exchange_weak(&s->taken, &n, i + 1))
				break;
		return p;
	}
	return NULL;
}

struct health *health_open(const struct conf *cf, bool in_pool)
{
	struct health *h = calloc(1, sizeof *h);

	if (!h)
		arena_exhausted();
	h->cf = cf;
	h->shared = share(cf);
	h->own = place_take(h->shared, in_pool);
	h->probe_lease_ms = cf->partner_timeout_ms + 1000;
	return h;
}

void health_close(struct health *h)
{
	if (!h)
		return;
	if (h->own) {
		place_clear(h->own);
		atomic_store(&h->own->in_pool, 0);
		atomic_store(&h->own->pid, 0);
	}
	munmap(h->shared, sizeof *h->shared);
	free(h);
}

/* Where the processes of the pool are. */
struct census {
	unsigned pool, free;
	unsigned waiting; /* for the partner                */
	unsigned before;  /* of these, who came before us   */
	int64_t longest;  /* of their waits, in ms          */
};

static struct census take_census(const struct health *h, enum partner_id p)
{
	int64_t now = clock_mono_ms();
	int64_t own = h->own ? atomic_load(&h->own->since[p]) : 0;
	int places = atomic_load(&h->shared->taken);
	struct census c = {0};

	for (int i = 0; i < places; i++) {
		struct place *place = &h->shared->place[i];
		int64_t since = atomic_load(&place->since[p]);

		if (!atomic_load(&place->in_pool) ||
		    !atomic_load(&place->pid))
			continue;
		c.pool++;
		c.free += !atomic_load(&place->at_work);
		if (!since)
			continue;
		c.waiting++;
		c.before += since < own || (since == own && place < h->own);
		if (now - since > c.longest)
			c.longest = now - since;
	}
	return c;
}

enum pace { WELL, SLOW, SILENT };

/* How the partner does, and from when on a wait for it is a long one. It is
 * silent only where that costs others, for no process is free. */
static enum pace pace_of(const struct health *h, enum partner_id p,
			 const struct census *c, int64_t *long_ms_r)
{
	const struct breaker *b = &h->shared->breaker[p];
	int64_t usual = atomic_load(&b->usual), times = usual * SLOW_TIMES;
	bool fails = atomic_load(&b->failures) >= SLOW_FAILURES;

	*long_ms_r = times > SILENT_MS ? times : SILENT_MS;
	if (usual && !c->free && (fails || c->longest > *long_ms_r) &&
	    clock_mono_ms() - atomic_load(&b->answered) > *long_ms_r)
		return SILENT;
	*long_ms_r = times > SLOW_MS ? times : SLOW_MS;
	return fails || usual > SLOW_MS || c->longest > *long_ms_r ? SLOW :
	       WELL;
}

/* Is there room for one more, so many being there before? */
static bool has_room(const struct health *h, const struct census *c,
		     enum pace pace, unsigned before)
{
	unsigned share = (unsigned)h->cf->partner_share;

	if (share >= 100)
		return true;
	if (pace == SILENT)
		share /= 2;
	return pace == WELL || !before || (before + 1) * 100 <= c->pool * share;
}

static enum health_say judge(const struct health *h, enum partner_id p)
{
	struct census c = take_census(h, p);
	int64_t long_ms;
	enum pace pace = pace_of(h, p, &c, &long_ms);

	return has_room(h, &c, pace, c.waiting - 1) ? HEALTH_GO : HEALTH_BUSY;
}

/* Places of the dead are freed, where they stand in somebody's way. */
static void bury_dead(struct health *h)
{
	int places = atomic_load(&h->shared->taken);

	for (int i = 0; i < places; i++) {
		struct place *place = &h->shared->place[i];
		int pid = atomic_load(&place->pid);

		if (!is_dead(pid))
			continue;
		place_clear(place);
		atomic_store(&place->in_pool, 0);
		atomic_compare_exchange_strong(&place->pid, &pid, 0);
	}
}

/* It is broken; true: this process is to probe it now. */
static bool take_probe(struct health *h, struct breaker *b)
{
	int64_t now = clock_mono_ms(), lease = atomic_load(&b->probe);

	return now >= atomic_load(&b->until) && now >= lease &&
	       atomic_compare_exchange_strong(&b->probe, &lease,
					      now + h->probe_lease_ms);
}

bool health_is_broken(const struct health *h, enum partner_id p)
{
	return atomic_load(&h->shared->breaker[p].failures) >=
	       h->cf->breaker_failures;
}

enum health_say health_enter(struct health *h, enum partner_id p)
{
	enum health_say say;

	if (health_is_broken(h, p)) {
		/* one call is the probe, not one request's five hundred */
		if (h->probing[p] || !take_probe(h, &h->shared->breaker[p]))
			return HEALTH_BROKEN;
		h->probing[p] = true;
	}
	if (!h->own || !atomic_load(&h->own->in_pool) ||
	    atomic_load(&h->own->since[p]))
		return HEALTH_GO;
	/* counted first and looked at then: two who come at once cannot both
	 * slip in */
	atomic_store(&h->own->since[p], clock_mono_ms());
	say = judge(h, p);
	if (say != HEALTH_GO) {
		bury_dead(h);
		say = judge(h, p);
	}
	if (say != HEALTH_GO)
		atomic_store(&h->own->since[p], 0);
	return say;
}

void health_at_work(struct health *h, bool at_work)
{
	if (h->own)
		atomic_store(&h->own->at_work, at_work);
}

void health_leave(struct health *h)
{
	if (h->own)
		place_clear(h->own);
	for (int i = 0; i < PARTNER__MAX; i++) /* not made: another's turn */
		if (h->probing[i])
			atomic_store(&h->shared->breaker[i].probe, 0);
	memset(h->probing, 0, sizeof h->probing);
}

/* A process that waits, waits from now on. */
static void wait_anew(struct health *h, enum partner_id p)
{
	if (h->own && atomic_load(&h->own->since[p]))
		atomic_store(&h->own->since[p], clock_mono_ms());
}

enum health_say health_admits(struct health *h, enum partner_id p)
{
	bool probing = h->probing[p];

	wait_anew(h, p); /* what the database took is not the partner's */
	if (!health_is_broken(h, p))
		return health_enter(h, p);
	h->probing[p] = false; /* it is made by this call */
	return probing || take_probe(h, &h->shared->breaker[p]) ?
	       HEALTH_GO : HEALTH_BROKEN;
}

bool health_may_wait(struct health *h, enum partner_id p)
{
	int64_t since = h->own ? atomic_load(&h->own->since[p]) : 0;
	int64_t wait = clock_mono_ms() - since, long_ms;
	struct census c;
	enum pace pace;

	if (!since || wait < CUT_MS)
		return true;
	c = take_census(h, p);
	pace = pace_of(h, p, &c, &long_ms);
	if (c.free || wait < long_ms || has_room(h, &c, pace, c.before))
		return true;
	atomic_store(&h->own->since[p], 0);
	return false;
}

void health_report(struct health *h, enum partner_id p, bool answered,
		   int64_t ms)
{
	struct breaker *b = &h->shared->breaker[p];
	unsigned failures, limit = (unsigned)h->cf->breaker_failures;
	int64_t open_ms = OPEN_MS, usual = atomic_load(&b->usual);

	if (answered) {
		if (health_is_broken(h, p))
			log_line(LOG_INFO, "partner_back", "partner=%s",
				 partner_name[p]);
		if (atomic_load(&b->failures))
			atomic_store(&b->failures, 0);
		/* a peak at once, and slowly down again; 0 is not known */
		atomic_store(&b->usual, ms < usual ? usual - (usual - ms) / 8 :
					ms + 1);
		atomic_store(&b->answered, clock_mono_ms());
		wait_anew(h, p);
		return;
	}
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
	int64_t left = atomic_load(&h->shared->breaker[p].until) -
		       clock_mono_ms();

	return left > 0 ? (int)((left + 999) / 1000) : 1;
}

void health_count_no_cache(struct health *h)
{
	atomic_fetch_add(&h->shared->no_cache, 1);
}

unsigned long health_no_cache(const struct health *h)
{
	return atomic_load(&h->shared->no_cache);
}

void health_count_assumed(struct health *h)
{
	atomic_fetch_add(&h->shared->assumed, 1);
}

unsigned long health_assumed(const struct health *h)
{
	return atomic_load(&h->shared->assumed);
}

unsigned health_waiting(const struct health *h, enum partner_id p)
{
	return take_census(h, p).waiting;
}
