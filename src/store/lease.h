#ifndef STORE_LEASE_H
#define STORE_LEASE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/db.h"

/*
 * What a process owns in the database: open operations, keys of requests, jobs.
 * Their rows have the name of their owner. The owner lives while its lease, a
 * row of its own, has not expired by the database's clock; what a dead one owns
 * is abandoned, and anybody may claim it.
 *
 * The lease decides only when something may be claimed. Safety does not depend
 * on it: a claim compares and sets the owner, and every later write to such a
 * row compares the owner too.
 *
 * A process that was stopped for longer than its lease must not send what it
 * was about to send: ask lease_keep before.
 */
struct leases; /* of a process, whose threads share a lease  */
struct lease;  /* a thread's hold of it                      */

/* It has a connection of its own, which waits for no lock. Nothing is written
 * yet. leases_close ends the lease, because nothing is owned any more. */
struct leases *leases_open(const struct conf *cf);
void leases_close(struct leases *all);

struct lease *lease_open(struct leases *all);
void lease_close(struct lease *l);

/*
 * The name under which something may be owned from now on, for some seconds.
 * The name stays the same until lease_give or lease_abandon. NULL: the database
 * is away.
 */
const char *lease_take(struct lease *l);

/* "": nothing was taken. */
const char *lease_name(const struct lease *l);

/* May lease_take be skipped, because the lease is good for some seconds yet? */
bool lease_is_fresh(const struct lease *l);

/*
 * Renew the lease if that is due. Call it at least once a second while
 * something is owned. False: the lease had expired since this thread took it,
 * so that it may send nothing; it stays so until lease_take. True without a
 * lease_take, because nothing is owned.
 */
bool lease_keep(struct lease *l);

/*
 * Is the database this installation's, so that partners may be called? With the
 * lease the database tells whose it is. It is a copy if its mark is of another
 * audit key, or missing, as in a dump without the data of `installation`. False
 * also if the database has not been asked yet, and is away.
 */
bool lease_may_call(struct lease *l);

/* What the database said last; nobody is asked. */
bool lease_is_ours(const struct lease *l);

/* The mark of this installation; NULL: it has no audit key. */
const char *lease_mark(const struct conf *cf, struct arena *mem);

/* This thread owns nothing any more. */
void lease_give(struct lease *l);

/*
 * Abandon what this thread owns, because it cannot finish it. The name dies as
 * soon as the process's other threads, which may own something under it, have
 * given it up, too. Nobody takes it any more: what is owned next has another.
 */
void lease_abandon(struct lease *l);

/* Was this the name of a process of this host that has ended? */
bool lease_is_dead(const struct lease *l, const char *name);

/* End the leases of all such processes, so that nobody waits for them. */
enum rc lease_bury(struct lease *l, struct arena *mem);

#endif
