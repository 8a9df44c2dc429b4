#include "app.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

void app_open(struct app *app, const struct conf *cf, bool in_pool)
{
	/* for the jitter of waits: processes that start together differ */
	srandom((unsigned)clock_wall_ms() ^ (unsigned)getpid() << 12);
	app->conf = cf;
	app->db = db_open(cf);
	app->cache = cache_open(cf);
	app->health = health_open(cf, in_pool);
	app->http = http_open(cf, app->health);
}

void app_close(struct app *app)
{
	http_close(app->http);
	health_close(app->health);
	cache_close(app->cache);
	db_close(app->db);
}
