#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <signal.h>
#include <stdbool.h>

/*
 * A process ends between two pieces of work, never within one. The signals that
 * end it (TERM, INT, QUIT) are blocked; only a wait that takes a mask
 * (epoll_pwait, pselect) may let them in. Fills that mask. Also ignores
 * SIGPIPE, and SIGUSR1, for which libfcgi would install a handler.
 */
void stop_setup(sigset_t *waiting_r);

bool stop_asked(void);

/* A descriptor for several threads to wait on: it can be read once such a signal
 * is pending, and stays so. -1 and errno: there is none. */
int stop_fd(void);

#endif
