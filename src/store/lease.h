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
struct lease;

/* `db` outlives it. Nothing is written yet. */
struct lease *lease_open(struct db *db);

/* Ends the lease, because nothing is owned any more, or will be finished by
 * this process. */
void lease_close(struct lease *l);

/*
 * The name under which something may be owned from now on, for some seconds.
 * Call it between transactions, because it may run a statement, and while
 * nothing is owned. The name is the lease's until lease_abandon. NULL: the
 * database is away.
 */
const char *lease_take(struct lease *l);

const char *lease_name(const struct lease *l);

/* May lease_take be skipped, because the lease is good for some seconds yet? */
bool lease_is_fresh(const struct lease *l);

/* Renew the lease if that is due. Call it at least once a second, between
 * transactions, while something is owned. False: the lease has expired, so that
 * nothing may be sent; it stays so until lease_take. Without a lease_take: true,
 * because nothing is owned. */
bool lease_keep(struct lease *l);

/* Abandon what is owned, since this process cannot finish it. What it owns next
 * has another name. */
void lease_abandon(struct lease *l);

/* Was this the name of a process of this host that has ended? */
bool lease_is_dead(const struct lease *l, const char *name);

/* End the leases of all such processes, so that nobody waits for them. */
enum rc lease_bury(struct lease *l, struct arena *mem);

#endif
