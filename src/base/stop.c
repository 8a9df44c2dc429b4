#include "base/stop.h"

#include <stddef.h>

static volatile sig_atomic_t asked;

static void on_stop(int sig)
{
	(void)sig;
	asked = 1;
}

void stop_setup(sigset_t *waiting_r)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGQUIT};
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

bool stop_asked(void)
{
	return asked;
}
