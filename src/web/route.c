/*
 * web/route.c - finds the route of a request (web/endpoint.h has the list), and
 * checks the request in the order of contract section 3
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "model/tally.h"
#include "saga/saga.h"
#include "web/endpoint.h"
#include "web/once.h"
#include "web/query.h"
#include "web/reply.h"

enum {
	QUEUE_MAX_MS = 25000,  /* longer in the queue: refused, unbegun  */
	HANDLER_MAX_MS = 50000, /* strictly below nginx's read timeout   */
};

struct route {
	const char *method;
	const char *path;
	int may;                       /* enum permission, or OPEN      */
	const struct endpoint *change; /* NULL: it is a read            */
	void (*read)(struct request *rq);
	const char *parameters;        /* of the query                  */
};

static const struct route routes[] = {
#define CHANGE(may, method, path, name)                                      \
	{method, path, may, &name, NULL, "dryRun"},
#define READ(may, path, function, parameters)                                \
	{"GET", path, may, NULL, function, parameters},
	ROUTES(CHANGE, READ)
#undef CHANGE
#undef READ
};

enum { NROUTES = sizeof routes / sizeof routes[0] };

_Static_assert((int)NROUTES < (int)TALLY_ROUTES, "too few in tally.h");

const char *route_method(unsigned route)
{
	return route && route <= NROUTES ? routes[route - 1].method : NULL;
}

const char *route_path(unsigned route)
{
	return route && route <= NROUTES ? routes[route - 1].path : NULL;
}

static const char *const permission_name[] = {
	[MAY_READ] = "read",
	[MAY_LINK] = "link",
	[MAY_STATUS] = "status",
	[MAY_CPE] = "cpe",
	[MAY_ADMIN] = "admin",
	[OPEN] = "-",
};

void route_print(struct buf *to)
{
	for (int i = 0; i < NROUTES; i++)
		buf_printf(to, "%s %s %s\n", routes[i].method, routes[i].path,
			   permission_name[routes[i].may]);
}

/* One segment of a path against one of a route. */
static bool segment_matches(struct request *rq, const char *want, size_t wn,
			    const char *have, size_t n)
{
	char digits[20];

	if (wn == 3 && !strncmp(want, ":id", 3)) {
		if (!n || n > 16 || strspn(have, "0123456789") < n)
			return false;
		memcpy(digits, have, n);
		digits[n] = '\0';
		rq->path_id = strtoull(digits, NULL, 10);
		return rq->path_id >= 1 && rq->path_id < TICKET_ID_MAX;
	}
	if (wn == 10 && !strncmp(want, ":operation", 10)) {
		if (!n || n > 64 || strspn(have, "0123456789-_abcdefghijklmno"
			"pqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") < n)
			return false;
		rq->path_text = arena_strndup(rq->mem, have, n);
		return true;
	}
	return wn == n && !strncmp(want, have, n);
}

static bool path_matches(struct request *rq, const char *want)
{
	const char *have = rq->path;

	rq->path_id = 0;
	rq->path_text = NULL;
	while (*want == '/' && *have == '/') {
		size_t wn = strcspn(++want, "/"), n = strcspn(++have, "/");

		if (!segment_matches(rq, want, wn, have, n))
			return false;
		want += wn;
		have += n;
	}
	return !*want && !*have;
}

/* The route, or NULL and a problem: no such path, or not that method. */
static const struct route *route_find(struct request *rq)
{
	/* every read answers HEAD too; fcgi.c leaves out the body */
	const char *method = strcmp(rq->method, "HEAD") ? rq->method : "GET";
	const char *allow = NULL;

	for (int i = 0; i < NROUTES; i++) {
		if (!path_matches(rq, routes[i].path))
			continue;
		if (!strcmp(routes[i].method, method)) {
			rq->route = (unsigned)i + 1;
			return &routes[i];
		}
		allow = arena_printf(rq->mem, "%s%s%s%s", allow ? allow : "",
				     allow ? ", " : "", routes[i].method,
				     routes[i].read ? ", HEAD" : "");
	}
	if (!allow) {
		reply_problem(rq, CODE_NOT_FOUND,
			      "There is nothing at this path.");
		return NULL;
	}
	reply_problem(rq, CODE_METHOD_NOT_ALLOWED, arena_printf(rq->mem,
		      "This path takes %s.", allow));
	rq->allow = allow;
	return NULL;
}

bool request_may(struct request *rq, enum permission what)
{
	const char *roles = rq->app->conf->roles[what];

	if (claims_may(&rq->claims, what))
		return true;
	reply_problem(rq, CODE_FORBIDDEN, arena_printf(rq->mem, "This takes "
		      "one of the roles %s.", roles));
	return false;
}

static bool may(struct request *rq, const struct route *route)
{
	const char *why;

	if (route->may == OPEN)
		return true;
	if (!token_check(rq->verifier, rq->authorization, time(NULL),
			 &rq->claims, &why)) {
		log_line(LOG_INFO, "unauthenticated", "why=\"%s\"", why);
		tally_name(TALLY_UNAUTHENTICATED, why);
		/* RFC 6750, 3.1: without a token there is no error to name */
		rq->challenge = !rq->authorization ||
			strncasecmp(rq->authorization, "Bearer ", 7) ?
			"Bearer" : arena_printf(rq->mem, "Bearer error=\"invalid_token\", "
				     "error_description=\"%s\"", why);
		reply_problem(rq, CODE_UNAUTHENTICATED, why);
		return false;
	}
	return request_may(rq, (enum permission)route->may);
}

/* Do not start a request that the caller has given up. */
static bool in_time(struct request *rq)
{
	int64_t waited = rq->received_ms ?
				 clock_wall_ms() - rq->received_ms : 0;

	if (waited < 0)
		waited = 0;
	rq->deadline = clock_mono_ms() + HANDLER_MAX_MS - waited -
		       rq->app->conf->partner_timeout_ms;
	if (waited <= QUEUE_MAX_MS)
		return true;
	reply_problem(rq, CODE_DEADLINE_PASSED, "The request waited in the "
		      "queue for too long; nothing was begun. Try again.");
	return false;
}

/* Check the parameters of the query. Their errors are reported together with
 * those of the body. False: they are reported already, because this route has
 * neither a body nor parameters. */
static bool check_query(struct request *rq, const struct route *route)
{
	const char *names = route->parameters;
	struct errors f = errors_none(rq->mem), none = errors_none(rq->mem);

	query_check(rq->query, names, &f);
	rq->query_errors = f.list.s;
	return *names || errors_reply(rq, &none);
}

static bool has_good_item(const struct batch *b)
{
	batch_each (b, it)
		if (!it->code)
			return true;
	return false;
}

/* The items without an error: those with one have failed already. */
static struct batch good_items(const struct batch *b)
{
	struct batch good = batch_part(b);

	batch_each (b, it)
		if (!it->code)
			batch_add(&good, it);
	return good;
}

static void change(struct request *rq, const struct route *route)
{
	struct batch b, good;

	if (!route->change->body(rq, &b))
		return;
	b.terms->deadline = rq->deadline;
	if (!has_good_item(&b)) { /* the key is not looked at */
		route->change->reply(rq, &b);
		return;
	}
	if (!once_begin(rq, route->change->flow, route->change->reply, &b))
		return;
	good = good_items(&b);
	saga_run(rq->app, route->change->flow, &good);
	if (!once_lost(rq, &b))
		route->change->reply(rq, &b);
	once_end(rq, &b);
}

void request_serve(struct request *rq)
{
	const struct route *route = route_find(rq);

	if (!route || !may(rq, route) || !in_time(rq) ||
	    !check_query(rq, route))
		return;
	if (route->change)
		change(rq, route);
	else
		route->read(rq);
}
