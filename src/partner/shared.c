#include "config.h"

#include "partner/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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
	LAYOUT = 6,      /* of what is shared; not to be read by others */
	MAKE_TRIES = 50, /* to lock a new file, 20 ms apart             */
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

void shared_path(const struct conf *cf, uid_t user, char *to, size_t n)
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
	    at >= mapped.at + sizeof(struct shared) ||
	    (fallocate(mapped.fd, 0, 0, sizeof(struct shared)) &&
	     mmap(mapped.at, sizeof(struct shared), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED))
		sigaction(sig, &mapped.before, NULL); /* raised once more */
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

struct shared *shared_open(const struct conf *cf, int *fd_r)
{
	char path[512];
	int fd;
	void *at;

	shared_path(cf, geteuid(), path, sizeof path);
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

void shared_close(struct shared *s, int fd)
{
	if (mapped.at == (char *)s)
		mapped.at = NULL;
	munmap(s, sizeof *s);
	if (fd >= 0)
		close(fd); /* this also unlocks the place */
}

int shared_places(const struct shared *s)
{
	int n = atomic_load(&s->taken);

	return n < 0 ? 0 : n > PLACES ? PLACES : n;
}
