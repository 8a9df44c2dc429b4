#include "store/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

enum {
	LEASE_MS = 5000, /* recovery begins so long after a host has died */
	RENEW_MS = 1000, /* between two renewals                          */
	GOOD_MS = 3000,  /* after a renewal: nobody waits for the next    */
	HOST_LEN = 16,
	OWNER_MAX = 64,  /* of the columns that hold a name               */
};

/*
 * A name under which the requests of a process own something:
 * "HOST-PID-START-N". START is when the kernel started the process, because a
 * later one may have the same PID; N counts the names of the process.
 */
struct tenancy {
	char name[OWNER_MAX + 1];
	unsigned holds;  /* of requests: with `list` locked           */
	bool given_up;   /* nobody takes it any more: likewise        */
	atomic_uint lapses;           /* how often it expired and was renewed */
	atomic_int_least64_t renewed; /* clock_boot_ms before the renewal     */
};

struct leases {
	pthread_mutex_t list; /* never held while a statement runs */
	struct tenancy *current;
	unsigned n;
	char host[HOST_LEN + 1];
	const char *mark; /* of the installation; NULL: it has no audit key */
	atomic_bool ours; /* so the database said last                      */
	pthread_mutex_t run; /* of the connection, with `mem` */
	struct db *db;
	struct arena *mem; /* of one statement */
	struct arena *own; /* of `mark` */
	bool told;         /* that it is a copy */
};

struct lease {
	struct leases *all;
	struct tenancy *held; /* NULL: nothing is owned */
	unsigned lapses;      /* of it, when it was taken */
};

/* ---- names ---- */

static void read_file(const char *path, char *text_r, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text_r, 1, size - 1, f) : 0;

	text_r[n] = '\0';
	if (f)
		fclose(f);
}

/* A boot of a kernel, and a namespace of process ids in it. */
static void name_host(char host_r[HOST_LEN + 1])
{
	char text[128], ns[64] = "";
	size_t n;

	read_file("/proc/sys/kernel/random/boot_id", text, sizeof text / 2);
	n = strlen(text);
	if (readlink("/proc/self/ns/pid", ns, sizeof ns - 1) < 0)
		ns[0] = '\0';
	snprintf(text + n, sizeof text - n, "%s", ns);
	snprintf(host_r, HOST_LEN + 1, "%016" PRIx64,
		 hash_fast(text, strlen(text)));
}

/* When the process was started, in the kernel's ticks; 0: nobody can say. */
static unsigned long long start_of(long pid)
{
	enum { AFTER_NAME = 19 }; /* fields between the name and this one */
	char path[64], text[1024];
	const char *at;

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	read_file(path, text, sizeof text);
	at = strrchr(text, ')'); /* the name may be anything */
	for (int i = 0; at && i <= AFTER_NAME; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

static struct tenancy *tenancy_new(struct leases *all)
{
	struct tenancy *t = calloc(1, sizeof *t);
	long pid = (long)getpid();

	if (!t)
		arena_exhausted();
	snprintf(t->name, sizeof t->name, "%s-%ld-%llu-%u", all->host, pid,
		 start_of(pid), all->n++);
	t->renewed = INT64_MIN / 2;
	return t;
}

bool lease_is_dead(const struct lease *l, const char *name)
{
	unsigned long long start, now;
	long pid;

	if (strncmp(name, l->all->host, HOST_LEN) ||
	    sscanf(name + HOST_LEN, "-%ld-%llu-", &pid, &start) != 2)
		return false;
	if (kill((pid_t)pid, 0) && errno == ESRCH)
		return true;
	now = start_of(pid);
	return now && start && now != start;
}

const char *lease_mark(const struct conf *cf, struct arena *mem)
{
	static const char of[] = "cttd installation";

	return *cf->audit_key ? hash_hmac(mem, cf->audit_key, of,
					  sizeof of - 1) : NULL;
}

struct leases *leases_open(const struct conf *cf)
{
	struct leases *all = calloc(1, sizeof *all);

	if (!all)
		arena_exhausted();
	pthread_mutex_init(&all->list, NULL);
	pthread_mutex_init(&all->run, NULL);
	all->db = db_open(cf);
	all->mem = arena_open();
	all->own = arena_open();
	all->mark = lease_mark(cf, all->own);
	name_host(all->host);
	all->current = tenancy_new(all);
	return all;
}

struct lease *lease_open(struct leases *all)
{
	struct lease *l = calloc(1, sizeof *l);

	if (!l)
		arena_exhausted();
	l->all = all;
	return l;
}

/* ---- the row ---- */

static enum rc end(struct leases *all, const char *name)
{
	struct buf param;

	arena_reset(all->mem);
	buf_init(&param, all->mem);
	buf_str(&param, name);
	return db_run(all->db, SQL_LEASE_END, &param, all->mem, NULL, 0);
}

/* How long ago it was renewed. */
static int64_t age_ms(const struct tenancy *t)
{
	return clock_boot_ms() - atomic_load(&t->renewed);
}

static bool is_fresh(const struct tenancy *t)
{
	return age_ms(t) < RENEW_MS;
}

static void learn_whose(struct leases *all, bool ours)
{
	if (!ours && !all->told)
		log_line(LOG_WARN, "not_adopted", "error=\"the database is a "
			 "copy; no partner is called before cttctl adopt\"");
	all->told = !ours;
	atomic_store(&all->ours, ours);
}

static enum rc renew(struct leases *all, struct tenancy *t)
{
	struct buf param[P_LEASE_RENEW__MAX];
	int64_t now = clock_boot_ms(); /* its row expires no earlier */
	struct rows r;
	enum rc rc;

	arena_reset(all->mem);
	buf_init(&param[P_LEASE_RENEW_MARK], all->mem);
	if (all->mark)
		buf_str(&param[P_LEASE_RENEW_MARK], all->mark);
	buf_init(&param[P_LEASE_RENEW_NAME], all->mem);
	buf_str(&param[P_LEASE_RENEW_NAME], t->name);
	buf_init(&param[P_LEASE_RENEW_FOR_MS], all->mem);
	put_int(&param[P_LEASE_RENEW_FOR_MS], NULL, LEASE_MS);
	rc = db_run(all->db, SQL_LEASE_RENEW, param, all->mem, &r, 1);
	if (rc != RC_OK)
		return rc;
	learn_whose(all, cell_int(ROW(lease_renewed, &r, 0)->ours));
	if (age_ms(t) >= LEASE_MS)
		atomic_fetch_add(&t->lapses, 1);
	atomic_store(&t->renewed, now);
	return RC_OK;
}

bool lease_is_fresh(const struct lease *l)
{
	return l->held && is_fresh(l->held);
}

const char *lease_name(const struct lease *l)
{
	return l->held ? l->held->name : "";
}

static void hold_current(struct lease *l)
{
	struct leases *all = l->all;

	pthread_mutex_lock(&all->list);
	l->held = all->current;
	l->held->holds++;
	pthread_mutex_unlock(&all->list);
	l->lapses = atomic_load(&l->held->lapses);
}

/* Nobody waits for another thread's renewal while the lease is good for some
 * time yet. */
static bool lock_unless_good(struct leases *all, const struct tenancy *t)
{
	if (!pthread_mutex_trylock(&all->run))
		return true;
	if (age_ms(t) < GOOD_MS)
		return false;
	pthread_mutex_lock(&all->run);
	return true;
}

const char *lease_take(struct lease *l)
{
	struct leases *all = l->all;
	enum rc rc = RC_OK;

	if (!l->held)
		hold_current(l);
	if (!is_fresh(l->held) && lock_unless_good(all, l->held)) {
		if (!is_fresh(l->held))
			rc = renew(all, l->held);
		if (rc == RC_DOUBT || rc == RC_AGAIN) /* the connection was
						       * closed */
			rc = renew(all, l->held);
		pthread_mutex_unlock(&all->run);
	}
	l->lapses = atomic_load(&l->held->lapses);
	return rc == RC_OK ? l->held->name : NULL;
}

bool lease_keep(struct lease *l)
{
	struct tenancy *t = l->held;

	if (!t)
		return true;
	if (!is_fresh(t) && !pthread_mutex_trylock(&l->all->run)) {
		if (!is_fresh(t) && age_ms(t) < LEASE_MS)
			renew(l->all, t);
		pthread_mutex_unlock(&l->all->run);
	}
	return age_ms(t) < LEASE_MS && l->lapses == atomic_load(&t->lapses);
}

bool lease_is_ours(const struct lease *l)
{
	return atomic_load(&l->all->ours);
}

bool lease_may_call(struct lease *l)
{
	if (l->held)
		lease_keep(l);
	else
		lease_take(l);
	return lease_is_ours(l);
}

/* If it was the last hold of a tenancy that was given up, end its lease. */
static void let_go(struct lease *l, bool give_up)
{
	struct leases *all = l->all;
	struct tenancy *t = l->held;
	bool last;

	l->held = NULL;
	pthread_mutex_lock(&all->list);
	if (give_up && !t->given_up) {
		t->given_up = true;
		all->current = tenancy_new(all);
	}
	last = !--t->holds && t->given_up;
	pthread_mutex_unlock(&all->list);
	if (!last)
		return;
	pthread_mutex_lock(&all->run);
	if (end(all, t->name) != RC_OK)
		log_line(LOG_INFO, "lease_not_ended", "owner=%s error=\"%s\"",
			 t->name, db_error(all->db));
	pthread_mutex_unlock(&all->run);
	free(t);
}

void lease_give(struct lease *l)
{
	if (l->held)
		let_go(l, false);
}

void lease_abandon(struct lease *l)
{
	if (l->held)
		let_go(l, true);
}

void lease_close(struct lease *l)
{
	if (!l)
		return;
	lease_give(l);
	free(l);
}

void leases_close(struct leases *all)
{
	if (!all)
		return;
	if (all->current->renewed > 0)
		end(all, all->current->name);
	db_close(all->db);
	arena_close(all->mem);
	arena_close(all->own);
	free(all->current);
	free(all);
}

enum rc lease_bury(struct lease *l, struct arena *mem)
{
	struct leases *all = l->all;
	struct buf param;
	struct rows r;
	enum rc rc;

	buf_init(&param, mem);
	buf_str(&param, all->host);
	pthread_mutex_lock(&all->run);
	rc = db_run(all->db, SQL_LEASES, &param, mem, &r, 1);
	for (size_t i = 0; rc == RC_OK && i < r.n; i++)
		if (lease_is_dead(l, ROW(leased, &r, i)->name))
			rc = end(all, ROW(leased, &r, i)->name);
	pthread_mutex_unlock(&all->run);
	return rc;
}
