#ifndef SAGA_STREAM_H
#define SAGA_STREAM_H

#include "saga/flow.h"

/*
 * A large batch goes through the stages in groups: while the partners answer for
 * one, the next one is opened, and those before it are closed. So the partners
 * never wait for the database, and one slow ticket holds up no other.
 */

/* Does a batch of open operations go this way? */
bool saga_streams(const struct app *app, const struct batch *b);

/* May the batch also be opened in groups? Not if it is all or none, or a dry
 * run. */
bool saga_opens_in_groups(const struct app *app, const struct batch *b);

/* Open (unless they are `opened`), call and close the items, but not their
 * followers. Returns the items that have to be opened by saga_open: nothing was
 * begun for them. */
struct batch saga_stream(struct app *app, struct batch *b, bool opened);

#endif
