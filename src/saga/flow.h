#ifndef SAGA_FLOW_H
#define SAGA_FLOW_H

#include "app.h"
#include "model/batch.h"
#include "store/journal.h"

/*
 * A flow is what one kind of operation does in each stage of the pipeline.
 * The stages fill verdicts and gather changes; they never answer the client,
 * never touch a connection and never commit. saga.c alone does.
 */
struct flow {
	enum kind kind;
	const enum step *steps;  /* its trace: contract section 8           */
	enum sql save, close;    /* the statements of its two transactions  */
	enum step save_step;     /* the name of its local save              */
	enum code sync_failed;   /* what a partner's no is for the caller   */
	const char *noun;        /* "link": what a detail calls the change  */

	/* Refuse what the rules refuse, in their order; note each gate. */
	void (*check)(struct item *it, struct arena *mem);
	/* The local change, made before the partner is asked. */
	void (*intend)(struct item *it, struct change *ch);
	/* What the partner is told; what would undo it. */
	void (*ask)(const struct item *it, struct call *c);
	void (*unask)(const struct item *it, struct call *c);
	/* The partner said yes: all that follows from it. */
	void (*settle)(struct item *it, struct change *ch);
	/* It said no, or nobody knows: take the local change back. */
	void (*undo)(struct item *it, struct change *ch);
};

extern const struct flow flow_link;
extern const struct flow *const flows[KIND__MAX];

#endif
