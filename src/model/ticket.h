#ifndef MODEL_TICKET_H
#define MODEL_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tickets as the database has them (contract section 2). Ids are 0, and
 * strings NULL, where the column is NULL. */

enum { TICKET_NO_MAX = 64, REMARK_MAX = 2000 };
#define TICKET_ID_MAX ((uint64_t)1 << 53) /* ids are below it */

/* How somebody names a ticket: by its id, or by its number. */
struct ref {
	uint64_t id;
	const char *no;
};

/* The operation that is under way on a CTT. */
struct open_op {
	const char *id, *kind, *state;
	bool orphan;       /* nobody is working on it any more */
	int64_t next_in_ms; /* until it is tried again          */
};

struct ctt {
	uint64_t id;
	const char *ticket_no, *status, *source;
	uint64_t ntt_id;
	const char *ntt_ticket_no;
	const struct open_op *open;
};

struct work_order {
	uint64_t id;
	const char *order_no, *status;
	struct work_order *next;
};

struct ntt {
	uint64_t id;
	const char *ticket_no;
	int64_t ctt_count;
	struct work_order *work_orders;
};

#endif
