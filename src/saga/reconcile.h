#ifndef SAGA_RECONCILE_H
#define SAGA_RECONCILE_H

#include "app.h"

/*
 * Compares our tickets with those of the partners that can be read; ours are
 * the truth (contract sections 9 and 12). It compares a CTT's link, that it is
 * resolved (if a partner was told of a resolve of ours), and the CPE of
 * elements that were ever changed here. A CTT with an open operation is passed
 * over.
 */
struct reconcile {
	struct app *app;
	enum partner_id only;   /* PARTNER__MAX: all                       */
	bool mend;              /* make the partner's the same             */
	const char *actor, *request_id; /* of the operations that do that  */
	/* One line for each ticket that differs, or that cannot be read. */
	void (*report)(void *to, const char *line);
	void *to;
	/* what came of it */
	size_t looked, differ, mended, unread;
	size_t busy; /* CTTs that have an open operation: passed over */
};

/*
 * Compare up to `limit` CTTs with ids above *after, which becomes the last of
 * them; *n_r: how many there were. RC_OK, or what the database came to.
 */
enum rc reconcile_page(struct reconcile *r, struct arena *mem,
		       uint64_t *after, size_t limit, size_t *n_r);

/* Compare the one CTT of this id, or of this number (if id is 0). */
enum rc reconcile_one(struct reconcile *r, struct arena *mem, uint64_t id,
		      const char *ticket_no, size_t *n_r);

#endif
