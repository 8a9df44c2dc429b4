/*
 * saga/dry.c - the end of a dry run: after the real checks, everything is taken
 * to succeed
 */
#include "saga/dry.h"

void dry_assume(struct item *it)
{
	if (it->previous && it->ctt && it->previous->ctt)
		*it->ctt = *it->previous->ctt;
}

/* The operation succeeds, as far as anybody can see. It has no id. */
static void succeed(struct item *it)
{
	const struct flow *flow = flows[it->kind];

	it->state = it->was = OP_SUCCEEDED;
	it->op_id = NULL;
	if (flow->leave)
		flow->leave(it, it->ctt);
	if (it->cpe)
		it->cpe->element->cpe = it->cpe->wanted;
	if (flow->count)
		it->ntt->ctt_count += flow->count;
}

void dry_pretend(struct batch *b)
{
	batch_each (b, it) {
		it->state = it->was = OP_REFUSED;
		it->op_id = NULL;
		if (it->code || it->nothing_to_do)
			continue;
		if (flows[it->kind]->intend)
			flows[it->kind]->intend(it, b->mem);
		succeed(it);
		if (it->then_ntt)
			succeed(item_follow(b->mem, it, OP_LINK, it->then_ntt));
	}
}
