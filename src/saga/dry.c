/*
 * saga/dry.c - the end of a dry run: after the real checks, it assumes that
 * everything succeeds
 */
#include "saga/dry.h"

void dry_assume(struct item *it)
{
	if (it->previous && it->ctt && it->previous->ctt)
		*it->ctt = *it->previous->ctt;
}

/* Give the item the result of a success. The operation has no id. */
static void succeed(struct item *it)
{
	const struct flow *flow = flows[it->kind];

	it->state = it->was = OP_SUCCEEDED;
	it->op_id = NULL;
	if (flow->leave)
		flow->leave(it, it->ctt);
	if (it->cpe)
		it->cpe->element->cpe = it->cpe->wanted;
	if (flow->count_by)
		it->ntt->ctt_count += flow->count_by;
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
		if (it->move.then_ntt)
			succeed(item_follow(b->mem, it, OP_LINK,
					    it->move.then_ntt));
	}
}
