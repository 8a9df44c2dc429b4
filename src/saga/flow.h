#ifndef SAGA_FLOW_H
#define SAGA_FLOW_H

#include "app.h"
#include "model/batch.h"
#include "store/change.h"
#include "store/journal.h"
#include "store/load.h"

struct json_object;

/*
 * A flow is what one kind of operation does in each stage of the pipeline.
 * The stages fill verdicts and gather changes; they never answer the client,
 * never touch a connection and never commit: open.c and close.c alone do. A
 * stage that a flow does not have is NULL.
 */
struct flow {
	enum kind kind;

	/* the way in: what is loaded, and the gates in their order */
	enum sql load;
	void (*check)(struct batch *b, struct item *it);

	/* for the trace, and for who reads an answer */
	enum step save_step;   /* the local save before the sync, or STEP__MAX */
	enum code sync_failed; /* what a partner's no is for the caller        */
	const char *noun;      /* "link": what a detail calls the change       */
	bool needs_ntt;        /* it is about a pair, and in the audit of both */
	bool audits_ntt;       /* its success is in the NTT's audit            */
	const char *done;      /* "linked": the outcome of one that succeeded  */
	int count;             /* what its success adds to the NTT's count     */
	bool blocks;           /* its success blocks the pair (section 5)      */
	bool outlives_ticket;  /* about a pair of which one is gone, it is
				* driven on, and not taken back                */
	bool once;             /* a CTT that comes again is refused            */

	/* What recovery will have to know of the request goes into
	 * it->intent. */
	void (*intend)(struct item *it, struct arena *mem);
	/* The local change that is made before the partner is asked. */
	void (*apply)(struct item *it, struct change *ch);
	/* What recovery gets back of it->intent. False: it is not enough to go
	 * on by (somebody has touched the row). */
	bool (*recall)(struct item *it, struct json_object *intent,
		       struct arena *mem);
	/* What the partner is told (c->local: nothing, nobody need be asked);
	 * what would undo it (NULL: it cannot be undone, and goes on). */
	void (*ask)(const struct item *it, struct call *c);
	void (*unask)(const struct item *it, struct call *c);
	/* How its success leaves the CTT itself, in *after. */
	void (*leave)(const struct item *it, struct ctt *after);
	/* The partner said yes: all that follows from it. */
	void (*settle)(struct item *it, struct change *ch);
	/* It said no, or nobody knows: take the local change back. */
	void (*undo)(struct item *it, struct change *ch);
	/* It is closed: the operation that follows by itself, or NULL. */
	struct item *(*follow)(struct item *it, struct arena *mem);
};

extern const struct flow flow_link, flow_unlink, flow_resolve, flow_cpe;
/* Ways in: the items of a move link or unlink; those that mend do what the
 * partner's ticket lacks. */
extern const struct flow flow_move, flow_mend;

/* The job that looks at a partner once more (contract section 9). */
#define JOB_LOOK_AGAIN "look-again"

extern const struct flow *const flows[KIND__MAX];

#endif
