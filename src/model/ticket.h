#ifndef MODEL_TICKET_H
#define MODEL_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Tickets, and what hangs on them, as the database has them (contract section
 * 2). Ids are 0, and strings NULL, where the column is NULL. */

enum { TICKET_NO_MAX = 64, REMARK_MAX = 2000, LABEL_MAX = 128 };
#define TICKET_ID_MAX ((uint64_t)1 << 53) /* ids are below it */

/* How somebody names a ticket: by its id, or by its number. */
struct ref {
	uint64_t id;
	const char *no;
};

/* The operation that is under way on a CTT. */
struct open_op {
	const char *id, *kind, *state, *owner;
	bool orphan;       /* nobody is working on it any more */
	int64_t next_in_ms; /* until it is tried again          */
};

/* The codes by which a CTT is resolved (section 6); NULL: not given. */
enum {
	RESOLVE_CAUSE,
	RESOLVE_DISPOSITION,
	RESOLVE_RESOLUTION,
	RESOLVE_DELAY,
	RESOLVE_CODES
};

struct activity {
	uint64_t id;
	const char *type, *status;
	const char *code[RESOLVE_CODES];
};

/* The five facts of a customer's equipment (section 7). */
struct cpe {
	const char *manufacturer, *model, *ip_address, *port;
	int64_t bandwidth_mbps;
};

/* The texts among them, and the number: bits of cpe_update's `given`. */
enum { CPE_MANUFACTURER, CPE_MODEL, CPE_ADDRESS, CPE_PORT, CPE_TEXTS,
       CPE_BANDWIDTH = CPE_TEXTS };
enum { BANDWIDTH_MAX = 400000 };

struct cpe_text {
	const char *name; /* in the API */
	size_t offset;    /* in struct cpe */
	size_t most;      /* characters that can be stored */
};

extern const struct cpe_text cpe_text[CPE_TEXTS];

/* The place of a text in the facts. */
static inline const char **cpe_text_at(struct cpe *cpe, int which)
{
	return (const char **)((char *)cpe + cpe_text[which].offset);
}

struct network_element {
	uint64_t id;
	const char *name, *access_type;
	struct cpe cpe;
	const char *updated_at;
	struct network_element *next; /* of the same CTT, ids rising */
};

struct ctt {
	uint64_t id;
	const char *ticket_no, *status, *source;
	uint64_t ntt_id;
	const char *ntt_ticket_no;
	struct ntt *ntt;                 /* where it was loaded too     */
	bool external_sync;
	const char *segment_group;
	const char *partner_ref; /* its partner's id for it; NULL: its number */
	const struct open_op *open;
	struct activity *activity;        /* the latest, where it was loaded */
	struct network_element *elements; /* where they were                 */
};

struct work_order {
	uint64_t id;
	const char *order_no, *status;
	struct work_order *next;
};

struct ntt {
	uint64_t id;
	const char *ticket_no;
	const char *status; /* where it was loaded */
	int64_t ctt_count;
	const char *partner_ref;
	struct work_order *work_orders;
};

/* The names of the codes of a resolve, as the API has them. */
extern const char *const resolve_code_name[RESOLVE_CODES];

/* The five facts as a JSON object, in the API's words. */
void put_cpe(struct buf *b, const char *key, const struct cpe *cpe);

/* Closed or Cancel: nothing more is done to such a ticket. */
bool status_is_terminal(const char *status);

/* Are all five the same? NULL is as good as "". */
bool same_cpe(const struct cpe *a, const struct cpe *b);

/* An allowed value: section 2, `lov`; active ones only. In a list the last one
 * has no type. */
struct lov {
	const char *type, *code, *label;
};

#endif
