#ifndef WEB_ENDPOINT_H
#define WEB_ENDPOINT_H

#include "saga/flow.h"
#include "web/request.h"

enum { OPEN = MAY__MAX }; /* a route that takes no token */

#define PAGE_BY_PAGE "limit after"
#define TICKETS "q ticketNo status linked updatedSince " PAGE_BY_PAGE

/*
 * The routes, in the order of `cttctl routes`. This list is the only one.
 *
 * CHANGE: a route that changes something; permission, method, path, and the
 * struct endpoint that does it. READ: a GET, which answers HEAD too; permission,
 * path, function, and the parameters of the query with blanks between them.
 *
 * `:id` in a path is the id of a ticket, `:operation` that of an operation.
 */
#define ROUTES(CHANGE, READ)                                                 \
	CHANGE(MAY_LINK, "POST", "/ticket/ctt/link", link_one)               \
	CHANGE(MAY_LINK, "POST", "/ticket/ctt/link/bulk", link_many)         \
	CHANGE(MAY_LINK, "POST", "/ticket/ctt/unlink", unlink_together)      \
	CHANGE(MAY_LINK, "POST", "/ticket/ctt/unlink/bulk", unlink_many)     \
	CHANGE(MAY_LINK, "POST", "/ticket/ctt/unlink-then-link", move_many)  \
	CHANGE(MAY_STATUS, "PUT", "/ticket/ctt/activity-status/update/:id",  \
	       status_one)                                                   \
	CHANGE(MAY_STATUS, "POST",                                           \
	       "/ticket/ctt/bulk-update-ctt-activity-status", status_many)   \
	CHANGE(MAY_STATUS, "POST", "/ticket/ctt/bulk-resolve-by-ticket-id",  \
	       resolve_many)                                                 \
	CHANGE(MAY_CPE, "POST", "/ticket/ctt/cpe/update/:id", cpe_one)       \
	READ(MAY_READ, "/ticket/ctt", list_ctts, TICKETS)                    \
	READ(MAY_READ, "/ticket/ctt/:id", read_ctt, "")                      \
	READ(MAY_READ, "/ticket/ctt/:id/cpe-history", list_cpe_history,      \
	     PAGE_BY_PAGE)                                                   \
	READ(MAY_READ, "/ticket/ntt", list_ntts, TICKETS)                    \
	READ(MAY_READ, "/ticket/ntt/:id", read_ntt, "")                      \
	READ(MAY_READ, "/ticket/ntt/:id/ctts", list_ntt_ctts, PAGE_BY_PAGE)  \
	READ(MAY_READ, "/ticket/lov", read_lov, "")                          \
	READ(MAY_READ, "/ticket/operation", list_operations,                 \
	     "requestId cttId nttId state " PAGE_BY_PAGE)                    \
	READ(MAY_READ, "/ticket/operation/:operation", read_operation, "")   \
	READ(MAY_READ, "/ticket/audit", list_audit,                          \
	     "cttId nttId actor from to " PAGE_BY_PAGE)                      \
	READ(MAY_ADMIN, "/ticket/health", read_health, "")                   \
	READ(OPEN, "/openapi.json", read_openapi, "")                        \
	READ(OPEN, "/healthz", read_healthz, "")                             \
	READ(OPEN, "/readyz", read_readyz, "")                               \
	READ(OPEN, "/metrics", read_metrics, "")

/* An endpoint that changes something: it turns the body into a batch, runs a
 * flow, and writes the answer. */
struct endpoint {
	/* Fills a batch; items with errors are refused already. False: the
	 * reply is a problem. */
	bool (*body)(struct request *rq, struct batch *b_r);
	const struct flow *flow;
	void (*reply)(struct request *rq, const struct batch *b);
};

#define CHANGE(may, method, path, name)                                      \
	extern const struct endpoint name;
#define READ(may, path, function, parameters)                                \
	void function(struct request *rq);
ROUTES(CHANGE, READ)
#undef CHANGE
#undef READ

#endif
