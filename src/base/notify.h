#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/*
 * Tell systemd how this process is: sd_notify(3). The protocol is one datagram
 * to $NOTIFY_SOCKET and is stable. libsystemd would add its own libraries to
 * the address space of a process that holds secrets, only to send it.
 *
 * Without systemd these functions do nothing.
 */
void notify_ready(void);
void notify_stopping(void);

/* The process works. A unit with WatchdogSec= ends one that does not say so.
 * It may be called often: most calls send nothing. */
void notify_alive(void);

/* How long the process may wait before it says so again, in ms; -1: for ever,
 * because there is no watchdog. */
int notify_wait_ms(void);

#endif
