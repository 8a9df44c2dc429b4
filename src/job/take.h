#ifndef JOB_TAKE_H
#define JOB_TAKE_H

#include "app.h"
#include "job/job.h"

/*
 * Take jobs that are due: they are RUNNING from then on, and belong to this
 * process (contract section 9). Jobs of one CTT make a chain in the order of
 * their ids, and are taken in this order, so that each has the one before it. A
 * job that is due, but behind one that is not, is made to wait for that one. A
 * job look-again belongs to no chain.
 *
 * *taken, which is zeroed, gets the jobs, their owner, and `more`. If none is
 * due, that is RC_OK too. After an error nothing is taken, or it is given up
 * with the lease.
 */
enum rc jobs_take(struct app *app, struct arena *mem, struct jobs *taken);

#endif
