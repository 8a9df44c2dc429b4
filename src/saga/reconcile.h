#ifndef SAGA_RECONCILE_H
#define SAGA_RECONCILE_H

#include "app.h"

/*
 * Compares our tickets with the tickets of the partners that can be read. Ours
 * are the truth (contract sections 9 and 12). It compares a CTT's link; its
 * status, if the CTT is resolved and cttd told a partner so; and the CPE of
 * elements that cttd ever changed. A CTT with an open operation is skipped.
 */
struct reconcile {
	struct app *app;
	enum partner_id only;   /* PARTNER__MAX: all                       */
	bool mend;              /* change the partners' tickets            */
	const char *actor, *request_id; /* of the operations that mend     */
	/* One line for each ticket that differs, or that cannot be read. */
	void (*report)(void *to, const char *line);
	void *to;
	/* the result */
	size_t looked, differ, mended, unread;
	size_t busy; /* CTTs that were skipped: an operation is open */
};

/*
 * Compare up to `limit` CTTs with ids above *after, and set *after to the last
 * of these ids. *n_r: the number of CTTs. An error is the database's.
 */
enum rc reconcile_page(struct reconcile *r, struct arena *mem,
		       uint64_t *after, size_t limit, size_t *n_r);

/* Compare the one CTT of this id, or of this number (if id is 0). */
enum rc reconcile_one(struct reconcile *r, struct arena *mem, uint64_t id,
		      const char *ticket_no, size_t *n_r);

#endif
