#include "base/stop.h"

#include <stddef.h>
#include <sys/signalfd.h>

static const int ends[] = {SIGTERM, SIGINT, SIGQUIT};
static volatile sig_atomic_t asked;

static void on_stop(int sig)
{
	(void)sig;
	asked = 1;
}

void stop_setup(sigset_t *waiting_r)
{
	struct sigaction stop = {.sa_handler = on_stop};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t blocked;

	sigemptyset(&blocked);
	for (int i = 0; i < 3; i++) {
		sigaction(ends[i], &stop, NULL);
		sigaddset(&blocked, ends[i]);
	}
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGUSR1, &ignore, NULL);
	sigprocmask(SIG_BLOCK, &blocked, waiting_r);
	for (int i = 0; i < 3; i++)
		sigdelset(waiting_r, ends[i]);
}

/* Under load, each wait finds work at once and delivers no signal. So this also
 * looks for a pending one. */
bool stop_asked(void)
{
	sigset_t pending;

	if (!sigpending(&pending))
		for (int i = 0; i < 3; i++)
			if (sigismember(&pending, ends[i]))
				asked = 1;
	return asked;
}

int stop_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < 3; i++)
		sigaddset(&set, ends[i]);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}
