#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/conf.h"
#include "model/batch.h"

/*
 * memcached: the unlink blocks (contract sections 5 and 10.5). Losing it loses
 * nothing, because the journal has them too. A server that does not answer
 * within 50 ms (WAIT_MS) is not asked for 5 s (REST_S).
 */
struct cache;

struct cache *cache_open(const struct conf *cf);
void cache_close(struct cache *c);

/* Fill the items' block_ms from the blocks of their pairs (ids). */
void cache_read_blocks(struct cache *c, const struct batch *b);

/* Block the pairs of all items. */
void cache_add_blocks(struct cache *c, const struct batch *b);

/* Does some server answer? */
bool cache_alive(struct cache *c);

/* Was it found away by the last request, or left alone since? */
bool cache_is_away(const struct cache *c);

#endif
