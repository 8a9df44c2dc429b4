#ifndef SAGA_FLOW_H
#define SAGA_FLOW_H

#include "app.h"
#include "model/batch.h"
#include "store/change.h"
#include "store/journal.h"
#include "store/load.h"

struct json_object;

/*
 * A flow is a table of the functions that one kind of operation has, one for
 * each stage of the pipeline. The stages fill the items and gather changes.
 * They never answer the client, never use a connection and never commit; only
 * begin.c and close.c commit. A stage that a flow does not have is NULL.
 */
struct flow {
	enum kind kind;

	/* the way in: what is loaded, and the gates in their order */
	enum sql load;
	void (*check)(const struct conf *cf, struct arena *mem,
		      struct item *it);

	/* for the trace and for the answer */
	enum step save_step;   /* the local save before the sync, or STEP__MAX */
	enum code sync_failed; /* what a partner's no is for the caller        */
	const char *noun;      /* "link": what a detail calls the change       */
	bool needs_ntt;        /* it is about a pair, and in the audit of both */
	bool audits_ntt;       /* its success is in the NTT's audit            */
	const char *done;      /* "linked": the outcome of one that succeeded  */
	const char *pending;   /* what the caller is told while it is driven
				* on, if nothing better is known               */
	int count_by;          /* what its success adds to the NTT's count    */
	bool blocks;           /* its success blocks the pair (section 5)      */
	bool outlives_ticket;  /* about a pair of which one is gone, it is
				* driven on, and not taken back                */
	bool once;             /* a CTT that comes again is refused            */

	/* Write into the journal's intent what recovery will need of the
	 * request. */
	void (*intend)(struct item *it, struct arena *mem);
	/* The local change that is made before the partner is asked. */
	void (*apply)(struct item *it, struct change *ch);
	/* Read the intent back, for recovery. False: it is not enough to
	 * continue (the row was edited). */
	bool (*recall)(struct item *it, struct json_object *intent,
		       struct arena *mem);
	/* An answer is restored from the journal (saga/restore.h): fill what it
	 * shows of the item and the journal does not have, such as what a gate
	 * found wrong. */
	void (*restore)(const struct conf *cf, struct arena *mem,
			struct item *it);
	/* The call to the partner (c->local: there is none to make), and its
	 * inverse (NULL: it cannot be undone, and is driven on). */
	void (*ask)(const struct item *it, struct call *c);
	void (*unask)(const struct item *it, struct call *c);
	/* Change *after, the CTT itself, to what it is after a success. */
	void (*leave)(const struct item *it, struct ctt *after);
	/* The partner said yes: add the changes of a success. */
	void (*settle)(struct item *it, struct change *ch);
	/* The partner said no, or its answer is unknown: undo the local
	 * change. */
	void (*undo)(struct item *it, struct change *ch);
	/* The operation is closed: return its follower, or NULL. */
	struct item *(*follow)(struct item *it, struct arena *mem);
};

#define K(name, id, ...) extern const struct flow flow_##id;
KINDS(K)
#undef K

/* Only for the way in, with `load` and `check`: the items of a move link or
 * unlink; an item that mends has the kind that the partner's ticket needs. */
extern const struct flow flow_move, flow_mend;

/* The job that looks at a partner once more (contract section 9). */
#define JOB_LOOK_AGAIN "look-again"

extern const struct flow *const flows[KIND__MAX];

#endif
