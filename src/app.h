#ifndef APP_H
#define APP_H

#include "base/conf.h"
#include "cache/cache.h"
#include "partner/partner.h"
#include "store/db.h"

/* What a process of the pool, and a worker, holds. */
struct app {
	const struct conf *conf;
	struct db *db;
	struct cache *cache;
	struct http *http;
};

/* Nothing is connected yet: each part is, when it is first needed. */
void app_open(struct app *app, const struct conf *cf);
void app_close(struct app *app);

#endif
