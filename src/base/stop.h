#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <signal.h>
#include <stdbool.h>

/*
 * A process ends between two pieces of work, never within one: the signals
 * that end it (TERM, INT, QUIT) are blocked, and are to be let in only by a
 * wait that takes a mask (epoll_pwait, pselect). Fills that mask. SIGPIPE is
 * ignored from here on, and SIGUSR1, which libfcgi would make its own.
 */
void stop_setup(sigset_t *waiting_r);

bool stop_asked(void);

#endif
