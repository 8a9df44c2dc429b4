#ifndef SAGA_BEGIN_H
#define SAGA_BEGIN_H

#include "saga/flow.h"

/* Is the batch of one request, or of several (saga/tray.h)? */
enum company { ALONE, TOGETHER };

/* Ids of open operations whose owner is gone. */
struct abandoned {
	const char **ids;
	size_t n;
};

/*
 * Try the first transaction of a batch once (saga/open.h). RC_OK: it is
 * committed, or there was nothing to commit; else as db_run. RC_AGAIN also if
 * other requests have some of the keys, which are `lost`.
 *
 * In company, *b becomes the items that were not set aside: the CTT of another
 * one is locked, or there is none, or an abandoned operation reserves it.
 * `abandoned` gets such operations; if there are any, nothing is begun. NULL:
 * they are not looked for. *loaded_r: the tickets were read. If false, reading
 * them failed.
 */
enum rc saga_try_open(struct app *app, struct batch *b, enum company company,
		      struct abandoned *abandoned, bool *loaded_r);

/* An item's operation begins: its local change and its journal row, owned by
 * `owner`, go into *ch. */
void saga_begin(struct item *it, struct change *ch, const char *owner);

/* Was the item refused because its partner is busy, its time has passed, or
 * another request has its key? Shedding load must cost little, so such an item
 * has no journal row. */
bool saga_is_shed(const struct item *it);

#endif
