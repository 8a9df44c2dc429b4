#include "cache/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmemcached/memcached.h>

#include "base/clock.h"
#include "base/log.h"

enum { WAIT_MS = 50, REST_S = 5 };

struct cache {
	memcached_st *mc;
	int64_t ttl_ms;
	int64_t away_until; /* clock_mono_ms; no call is made before */
};

/* host:port,... as base/value.c has found it good. An IPv6 address has colons
 * too: the port's is the last. libmemcached knows the brackets of a host. */
static memcached_return_t add_servers(memcached_st *mc, const char *list)
{
	memcached_return_t rc = MEMCACHED_SUCCESS;

	while (*list && rc == MEMCACHED_SUCCESS) {
		char host[256];
		size_t n = strcspn(list, ","), len = n;

		while (list[len] != ':')
			len--;
		snprintf(host, sizeof host, "%.*s", (int)len, list);
		rc = memcached_server_add(mc, host,
			(in_port_t)strtoul(list + len + 1, NULL, 10));
		list += n + (list[n] == ',');
	}
	return rc;
}

struct cache *cache_open(const struct conf *cf)
{
	struct cache *c = calloc(1, sizeof *c);
	memcached_return_t rc;

	if (!c)
		arena_exhausted();
	c->ttl_ms = cf->unlink_block_ttl_s * 1000;
	if (!*cf->memcached)
		return c;
	c->mc = memcached_create(NULL);
	if (!c->mc)
		arena_exhausted();
	rc = add_servers(c->mc, cf->memcached);
	if (rc != MEMCACHED_SUCCESS)
		log_line(LOG_ERROR, "memcached_setup", "error=\"%s\"",
			 memcached_strerror(c->mc, rc));
	memcached_behavior_set(c->mc, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT,
			       WAIT_MS);
	memcached_behavior_set(c->mc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, WAIT_MS);
	memcached_behavior_set(c->mc, MEMCACHED_BEHAVIOR_RETRY_TIMEOUT, REST_S);
	memcached_behavior_set(c->mc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
	memcached_behavior_set(c->mc, MEMCACHED_BEHAVIOR_KETAMA, 1);
	return c;
}

void cache_close(struct cache *c)
{
	if (!c)
		return;
	if (c->mc)
		memcached_free(c->mc);
	free(c);
}

bool cache_is_away(const struct cache *c)
{
	return c->away_until && clock_mono_ms() < c->away_until;
}

static bool is_away(memcached_return_t rc)
{
	return rc != MEMCACHED_SUCCESS && rc != MEMCACHED_NOTFOUND &&
	       rc != MEMCACHED_END && rc != MEMCACHED_BUFFERED;
}

static void rest(struct cache *c, memcached_return_t rc)
{
	c->away_until = clock_mono_ms() + REST_S * 1000;
	log_line(LOG_WARN, "memcached_away", "error=\"%s\" rest_s=%d",
		 memcached_strerror(c->mc, rc), REST_S);
	memcached_quit(c->mc);
}

static uint64_t pair_ntt(const struct item *it)
{
	return it->ntt ? it->ntt->id : it->want.ntt.id;
}

/* unlink-block:<cttId>-<nttId>: made of parsed integers only */
#define BLOCK_KEY "unlink-block:%llu-%llu"

static char *block_key(struct arena *mem, const struct item *it)
{
	return arena_printf(mem, BLOCK_KEY,
			    (unsigned long long)it->want.ctt.id,
			    (unsigned long long)pair_ntt(it));
}

static int by_pair(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a;
	const struct item *y = *(struct item *const *)b;
	uint64_t m = pair_ntt(x), n = pair_ntt(y);

	if (x->want.ctt.id != y->want.ctt.id)
		return x->want.ctt.id < y->want.ctt.id ? -1 : 1;
	return m < n ? -1 : m > n;
}

/* The items of a batch that name both tickets, those of a pair together. */
struct pairs {
	struct item **it;
	size_t n;
};

static struct pairs pairs_of(const struct batch *b)
{
	struct pairs p = {.it = arena_array(b->mem, b->n, sizeof *p.it)};

	batch_each (b, it)
		if (it->want.ctt.id && it->want.ntt.id)
			p.it[p.n++] = it;
	qsort(p.it, p.n, sizeof *p.it, by_pair);
	return p;
}

/* The value is when the block ends, in ms since 1970. One that somebody set
 * by hand to something else counts in full. */
static int64_t time_left(const struct cache *c, const char *value, size_t len)
{
	char text[24], *end;
	int64_t left;

	if (len >= sizeof text)
		return c->ttl_ms;
	memcpy(text, value, len);
	text[len] = '\0';
	left = strtoll(text, &end, 10) - clock_wall_ms();
	return end == text || *end || left > c->ttl_ms ? c->ttl_ms : left;
}

/* The pair that a key of ours names, as an item. */
static bool read_key(const char *key, size_t len, struct item *it_r)
{
	unsigned long long ctt, ntt;
	char text[64];

	if (len >= sizeof text)
		return false;
	memcpy(text, key, len);
	text[len] = '\0';
	if (sscanf(text, BLOCK_KEY, &ctt, &ntt) != 2)
		return false;
	it_r->want.ctt.id = ctt;
	it_r->want.ntt.id = ntt;
	return true;
}

static void note_block(const struct pairs *p, const struct item *pair,
		       int64_t left)
{
	struct item **at = bsearch(&pair, p->it, p->n, sizeof *p->it, by_pair);
	struct item **end = p->it + p->n;

	while (at && at > p->it && !by_pair(at - 1, &pair))
		at--;
	for (; at && at < end && !by_pair(at, &pair); at++)
		if (left > (*at)->block_ms)
			(*at)->block_ms = left;
}

/* A pair that comes twice is asked for once. */
static memcached_return_t get_pairs(struct cache *c, struct arena *mem,
				    const struct pairs *p)
{
	const char **keys = arena_array(mem, p->n, sizeof *keys);
	size_t *lens = arena_array(mem, p->n, sizeof *lens), n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (i && !by_pair(&p->it[i], &p->it[i - 1]))
			continue;
		keys[n] = block_key(mem, p->it[i]);
		lens[n] = strlen(keys[n]);
		n++;
	}
	return memcached_mget(c->mc, keys, lens, n);
}

void cache_read_blocks(struct cache *c, const struct batch *b)
{
	struct pairs p = pairs_of(b);
	memcached_result_st *r;
	memcached_return_t rc;

	if (!c->mc || !c->ttl_ms || !p.n || cache_is_away(c))
		return;
	rc = get_pairs(c, b->mem, &p);
	while (!is_away(rc) && (r = memcached_fetch_result(c->mc, NULL, &rc))) {
		struct item pair = {0};

		if (read_key(memcached_result_key_value(r),
			     memcached_result_key_length(r), &pair))
			note_block(&p, &pair,
				   time_left(c, memcached_result_value(r),
					     memcached_result_length(r)));
		memcached_result_free(r);
	}
	if (is_away(rc))
		rest(c, rc);
}

void cache_add_blocks(struct cache *c, const struct batch *b)
{
	char ends[24];

	if (!c->mc || !c->ttl_ms)
		return;
	snprintf(ends, sizeof ends, "%lld",
		 (long long)(clock_wall_ms() + c->ttl_ms));
	batch_each (b, it) {
		memcached_return_t rc;
		char *key;

		if (cache_is_away(c))
			return;
		key = block_key(b->mem, it);
		rc = memcached_set(c->mc, key, strlen(key), ends, strlen(ends),
				   c->ttl_ms / 1000, 0);
		if (is_away(rc))
			rest(c, rc);
	}
}

bool cache_alive(struct cache *c)
{
	size_t len;
	uint32_t flags;
	memcached_return_t rc;
	char *value;

	if (!c->mc)
		return false;
	value = memcached_get(c->mc, "cttd-ready", 10, &len, &flags, &rc);
	free(value);
	return !is_away(rc);
}
