#include "app.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/lender.h"
#include "base/log.h"
#include "partner/token.h"
#include "store/schema.h"

static void *db_make(void *process)
{
	return db_open(((struct process *)process)->conf);
}

static void db_end(void *db)
{
	db_close(db);
}

static void *cache_make(void *process)
{
	return cache_open(((struct process *)process)->conf);
}

static void cache_end(void *cache)
{
	cache_close(cache);
}

static void *http_make(void *process)
{
	struct process *p = process;

	return http_open(p->conf, p->tokens);
}

static void http_end(void *http)
{
	http_close(http);
}

void process_open(struct process *p, const struct conf *cf, unsigned threads)
{
	size_t users = threads ? threads : 1;
	size_t connections = (size_t)cf->db_connections;

	/* for the jitter of waits: processes that start together differ */
	srandom((unsigned)clock_wall_ms() ^ (unsigned)getpid() << 12);
	if (connections > users)
		connections = users;
	*p = (struct process){.conf = cf};
	p->dbs = lender_open(connections, db_make, p, db_end);
	p->caches = lender_open(connections, cache_make, p, cache_end);
	db_setup();
	http_setup();
	p->tokens = tokens_open(cf);
	p->transports = lender_open(users, http_make, p, http_end);
	p->leases = leases_open(cf);
	p->health = health_open(cf, threads);
}

bool process_fits(struct process *p)
{
	struct arena *mem = arena_open();
	struct db *db = db_open(p->conf);
	const char *line = NULL;

	schema_too_new(db, mem, true, &line);
	if (line)
		log_line(LOG_ERROR, "schema_too_new", "error=\"%s\"", line);
	db_close(db);
	arena_close(mem);
	return !line;
}

void process_close(struct process *p)
{
	health_close(p->health);
	leases_close(p->leases);
	lender_close(p->transports);
	tokens_close(p->tokens);
	http_teardown();
	lender_close(p->caches);
	lender_close(p->dbs);
}

void app_open(struct app *app, struct process *p)
{
	*app = (struct app){.conf = p->conf, .process = p};
	app->lease = lease_open(p->leases);
	app->visit = visit_open(p->health);
}

void app_close(struct app *app)
{
	app_rest(app);
	visit_close(app->visit);
	lease_close(app->lease);
	hash_end_thread();
}

struct db *app_db(struct app *app)
{
	if (!app->db_lent)
		app->db_lent = lender_take(app->process->dbs);
	return app->db_lent;
}

struct cache *app_take_cache(struct app *app)
{
	return lender_take(app->process->caches);
}

void app_give_cache(struct app *app, struct cache *c)
{
	lender_give(app->process->caches, c);
}

static bool is_adopted(void *lease)
{
	return lease_may_call(lease);
}

static bool keep_lease(void *lease)
{
	return lease_keep(lease);
}

struct http *app_http(struct app *app)
{
	if (app->http_lent)
		return app->http_lent;
	app->http_lent = lender_take(app->process->transports);
	http_use(app->http_lent, app->visit,
		 (struct sender){is_adopted, keep_lease, app->lease});
	return app->http_lent;
}

static void give(struct lender *p, void *thing)
{
	if (thing)
		lender_give(p, thing);
}

void app_wait(struct app *app)
{
	give(app->process->dbs, app->db_lent);
	app->db_lent = NULL;
}

void app_rest(struct app *app)
{
	app_wait(app);
	give(app->process->transports, app->http_lent);
	app->http_lent = NULL;
	visit_leave(app->visit);
	lease_give(app->lease);
}
