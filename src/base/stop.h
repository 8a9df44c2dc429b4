#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <signal.h>
#include <stdbool.h>

/*
 * Block the signals that end the process (TERM, INT, QUIT), so that it ends
 * between two pieces of work and never within one. *waiting_r is the mask for a
 * wait (epoll_pwait, pselect), which unblocks them. Also ignores SIGPIPE, and
 * SIGUSR1, for which libfcgi would install a handler.
 */
void stop_setup(sigset_t *waiting_r);

bool stop_asked(void);

/* A descriptor for several threads to wait on: it can be read once such a signal
 * is pending, and stays so. -1 and errno: there is none. */
int stop_fd(void);

#endif
