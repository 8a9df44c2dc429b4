#include "base/notify.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static int watchdog_ms = -1;    /* a third of the time that systemd waits */
static _Atomic int64_t next_ms; /* when the process says again that it works */

/* A path that begins with @ is in the abstract namespace: there it is a NUL. */
static void tell(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	ssize_t ignored;
	int fd;

	if (!n || n >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, n);
	if (*to.sun_path == '@')
		*to.sun_path = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	ignored = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
			 (struct sockaddr *)&to,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     n));
	(void)ignored; /* systemd will miss it, and act */
	close(fd);
}

/* Which systemd waits for; -1: there is no watchdog, or it is another
 * process's. */
static int read_watchdog(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	const char *us = getenv("WATCHDOG_USEC");
	long long ms = us ? strtoll(us, NULL, 10) / 1000 / 3 : 0;

	if (ms <= 0 || ms > 3600000 || (pid && atol(pid) != (long)getpid()))
		return -1;
	return (int)ms;
}

int notify_wait_ms(void)
{
	return watchdog_ms;
}

void notify_ready(void)
{
	watchdog_ms = read_watchdog();
	tell("READY=1");
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}

void notify_alive(void)
{
	int64_t now;

	if (watchdog_ms < 0)
		return;
	now = clock_mono_ms();
	if (now < next_ms)
		return;
	next_ms = now + watchdog_ms / 2;
	tell("WATCHDOG=1");
}
