#ifndef SAGA_TRAY_H
#define SAGA_TRAY_H

#include "app.h"
#include "model/batch.h"

/*
 * A tray before a stage: requests that come together are served together
 * (contract section 10.9). A thread that finds the stage idle leads: it takes
 * the requests in the tray, runs the stage once for all of their items, and
 * wakes their threads. So nobody waits for company, and the batches grow with
 * the load.
 */
enum stage_of_saga { TRAY_OPEN, TRAY_CLOSE, TRAY__MAX };

/* The trays of a process whose requests keep company. */
struct trays *trays_open(void);
void trays_close(struct trays *t);

/*
 * Have `run` serve the items of *b, perhaps by another thread and with items of
 * other requests, but never with another item of the same CTT. `run` gets the
 * leader's app. What it allocates lives as long as b->mem. An item that it
 * cannot serve in company it sets aside (it->aside); the caller serves that
 * alone. The caller's connections are given back before it waits.
 */
void tray_pass(struct app *app, enum stage_of_saga stage, struct batch *b,
	       void (*run)(struct app *app, struct batch *together));

/* Should this batch pass the trays? One that is large already is alone. */
bool tray_takes(const struct app *app, const struct batch *b);

#endif
