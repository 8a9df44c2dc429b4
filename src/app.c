#include "app.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

static bool keep_lease(void *lease)
{
	return lease_keep(lease);
}

void app_open(struct app *app, const struct conf *cf, bool in_pool)
{
	/* for the jitter of waits: processes that start together differ */
	srandom((unsigned)clock_wall_ms() ^ (unsigned)getpid() << 12);
	app->conf = cf;
	app->db = db_open(cf);
	app->lease = lease_open(app->db);
	app->cache = cache_open(cf);
	app->health = health_open(cf, in_pool);
	app->http = http_open(cf, app->health,
			      (struct sender){keep_lease, app->lease});
}

void app_close(struct app *app)
{
	http_close(app->http);
	health_close(app->health);
	cache_close(app->cache);
	lease_close(app->lease);
	db_close(app->db);
}
