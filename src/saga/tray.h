#ifndef SAGA_TRAY_H
#define SAGA_TRAY_H

#include "app.h"
#include "model/batch.h"

/*
 * The tray of a process: requests that come together are served together
 * (contract section 10.9). At most two threads lead. One that finds a lead free
 * takes the first request in the tray and the others that need the same stage,
 * runs the stage once for all of their items, and wakes their threads. So nobody
 * waits for company, and the batches grow with the load.
 */
enum stage_of_saga { STAGE_OPEN, STAGE_CLOSE, STAGE__MAX };

/*
 * Serves the items of a batch, perhaps of several requests, but never two of one
 * CTT. It gets the leader's app. An item that it cannot serve in company it sets
 * aside (it->aside).
 */
typedef void tray_run(struct app *app, struct batch *together);

/* The tray of a process whose requests keep company, and what serves each
 * stage. */
struct tray *tray_open(struct process *p, tray_run *open, tray_run *close);
void tray_close(struct tray *t);

/*
 * Have the items of *b served, perhaps by another thread and in company. What is
 * allocated for them lives as long as b->mem. The caller serves alone what was
 * set aside. Its connections are given back before it waits.
 */
void tray_pass(struct app *app, enum stage_of_saga stage, struct batch *b);

struct entry;

/* The same, while the caller goes on until tray_wait: *b and b->mem are another
 * thread's until then. */
struct entry *tray_post(struct app *app, enum stage_of_saga stage,
			struct batch *b);
void tray_wait(struct app *app, struct entry *e);

/* Would tray_wait return at once? */
bool tray_is_done(struct entry *e);

/* Should this batch pass the tray? One that is large already is alone. */
bool tray_takes(const struct app *app, const struct batch *b);

#endif
