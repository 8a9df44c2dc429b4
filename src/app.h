#ifndef APP_H
#define APP_H

#include "base/conf.h"
#include "cache/cache.h"
#include "partner/health.h"
#include "partner/partner.h"
#include "store/db.h"
#include "store/lease.h"

/* What a process of the pool, and a worker, holds. */
struct app {
	const struct conf *conf;
	struct db *db;
	struct lease *lease;
	struct cache *cache;
	struct health *health;
	struct http *http;
};

/* Nothing is connected yet: each part is, when it is first needed.
 * `in_pool`: the process takes requests. */
void app_open(struct app *app, const struct conf *cf, bool in_pool);
void app_close(struct app *app);

#endif
