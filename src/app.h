#ifndef APP_H
#define APP_H

#include "base/conf.h"
#include "cache/cache.h"
#include "partner/health.h"
#include "partner/partner.h"
#include "store/db.h"
#include "store/lease.h"

struct lender;
struct tray; /* saga/tray.h */

/* What the threads of a process share. */
struct process {
	const struct conf *conf;
	struct lender *dbs, *caches, *transports; /* that threads borrow */
	struct leases *leases;
	struct health *health;
	struct tokens *tokens; /* partner/token.h */
	struct tray *tray; /* NULL: its threads keep no company */
};

/* `threads`: so many take requests; 0: the process takes none. Nothing is
 * connected yet: each part is, when it is first needed. */
void process_open(struct process *p, const struct conf *cf, unsigned threads);
void process_close(struct process *p);

/* Can this version work on the database? If not, the log says why. True also if
 * the database is away: it is a later one that is the exception. */
bool process_fits(struct process *p);

/*
 * What one thread works with. It borrows a connection when it first needs one,
 * and gives it back before it waits for a partner or for other threads: who
 * waits holds nothing that others need (contract section 10.6).
 */
struct app {
	const struct conf *conf;
	struct process *process;
	struct lease *lease;
	struct visit *visit;
	struct db *db_lent; /* NULL: none is borrowed just now */
	struct http *http_lent;
};

void app_open(struct app *app, struct process *p);
void app_close(struct app *app);

struct db *app_db(struct app *app);
struct http *app_http(struct app *app);

/* The connection to memcached, for one use. Between these two calls the thread
 * borrows nothing else: it may hold a connection to the database, for which
 * others wait. */
struct cache *app_take_cache(struct app *app);
void app_give_cache(struct app *app, struct cache *c);

/* Give back the connection to the database. */
void app_wait(struct app *app);

/* A request has ended: give everything back. */
void app_rest(struct app *app);

#endif
