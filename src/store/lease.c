#include "store/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
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
	HOST_LEN = 16,
	OWNER_MAX = 64,  /* of the columns that hold a name               */
};

/* "HOST-PID-START-N": a process, and how often it has changed its name. START
 * is when the kernel started it: a later process may have the same PID. */
struct lease {
	struct db *db;
	struct arena *mem; /* of one statement */
	char host[HOST_LEN + 1];
	char name[OWNER_MAX + 1];
	unsigned n;
	bool taken;         /* rows may have the name          */
	int64_t renewed_at; /* clock_boot_ms before the renewal */
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

static void take_name(struct lease *l)
{
	long pid = (long)getpid();

	snprintf(l->name, sizeof l->name, "%s-%ld-%llu-%u", l->host, pid,
		 start_of(pid), l->n++);
	l->taken = false;
	l->renewed_at = INT64_MIN / 2;
}

bool lease_is_dead(const struct lease *l, const char *name)
{
	unsigned long long start, now;
	long pid;

	if (strncmp(name, l->host, HOST_LEN) ||
	    sscanf(name + HOST_LEN, "-%ld-%llu-", &pid, &start) != 2)
		return false;
	if (kill((pid_t)pid, 0) && errno == ESRCH)
		return true;
	now = start_of(pid);
	return now && start && now != start;
}

struct lease *lease_open(struct db *db)
{
	struct lease *l = calloc(1, sizeof *l);

	if (!l)
		arena_exhausted();
	l->db = db;
	l->mem = arena_open();
	name_host(l->host);
	take_name(l);
	return l;
}

/* ---- the row ---- */

static enum rc end(struct lease *l, const char *name)
{
	struct buf param;

	arena_reset(l->mem);
	buf_init(&param, l->mem);
	buf_str(&param, name);
	return db_run(l->db, SQL_LEASE_END, &param, l->mem, NULL, 0);
}

static enum rc renew(struct lease *l)
{
	struct buf param[P_LEASE_RENEW__MAX];
	int64_t now = clock_boot_ms(); /* its row expires no earlier */
	enum rc rc;

	arena_reset(l->mem);
	buf_init(&param[P_LEASE_RENEW_NAME], l->mem);
	buf_str(&param[P_LEASE_RENEW_NAME], l->name);
	buf_init(&param[P_LEASE_RENEW_FOR_MS], l->mem);
	put_int(&param[P_LEASE_RENEW_FOR_MS], NULL, LEASE_MS);
	rc = db_run(l->db, SQL_LEASE_RENEW, param, l->mem, NULL, 0);
	if (rc == RC_OK)
		l->renewed_at = now;
	return rc;
}

/* How long ago it was renewed. */
static int64_t age_ms(const struct lease *l)
{
	return clock_boot_ms() - l->renewed_at;
}

bool lease_is_fresh(const struct lease *l)
{
	return age_ms(l) < RENEW_MS;
}

const char *lease_name(const struct lease *l)
{
	return l->name;
}

const char *lease_take(struct lease *l)
{
	enum rc rc = RC_OK;

	if (!lease_is_fresh(l))
		rc = renew(l);
	if (rc == RC_DOUBT || rc == RC_AGAIN) /* a connection that had gone */
		rc = renew(l);
	l->taken = l->taken || rc == RC_OK;
	return rc == RC_OK ? l->name : NULL;
}

bool lease_keep(struct lease *l)
{
	if (!l->taken)
		return true;
	if (!lease_is_fresh(l) && age_ms(l) < LEASE_MS)
		renew(l);
	return age_ms(l) < LEASE_MS;
}

void lease_abandon(struct lease *l)
{
	char name[sizeof l->name];

	if (!l->taken)
		return;
	memcpy(name, l->name, sizeof name);
	take_name(l);
	if (end(l, name) != RC_OK)
		log_line(LOG_INFO, "lease_not_ended", "owner=%s error=\"%s\"",
			 name, db_error(l->db));
}

void lease_close(struct lease *l)
{
	if (!l)
		return;
	if (l->taken)
		end(l, l->name);
	arena_close(l->mem);
	free(l);
}

enum rc lease_bury(struct lease *l, struct arena *mem)
{
	struct buf param;
	struct rows r;
	enum rc rc;

	buf_init(&param, mem);
	buf_str(&param, l->host);
	rc = db_run(l->db, SQL_LEASES, &param, mem, &r, 1);
	for (size_t i = 0; rc == RC_OK && i < r.n; i++)
		if (lease_is_dead(l, ROW(leased, &r, i)->name))
			rc = end(l, ROW(leased, &r, i)->name);
	return rc;
}
