/*
 * flow/mend.c - changes a partner's ticket to match ours: contract section 12,
 * `cttctl reconcile --mend`, and section 9, look-again
 *
 * This flow is only a way in: the items have their kinds already, and make
 * their usual calls to the partner. Nothing is changed here, and no job or
 * count is written. The check compares what the look found with our tickets
 * once more, now that they are locked.
 */
#include <strings.h>

#include "flow/common.h"
#include "model/rules.h"

/* Make a stand-in for an NTT that only the partner has: it has no row here. */
static void stand_in(struct arena *mem, struct item *it)
{
	if (it->ntt || it->kind != OP_UNLINK || !it->want.ntt.no)
		return;
	it->ntt = arena_alloc(mem, sizeof *it->ntt);
	it->ntt->ticket_no = it->want.ntt.no;
}

/* The CTT's element, as it is stored now; NULL: it does not exist any more. */
static struct network_element *element_of(const struct item *it)
{
	struct network_element *e = it->ctt->elements;

	while (e && e->id != it->cpe->element_id)
		e = e->next;
	return e;
}

static bool is_still_so(struct item *it)
{
	const struct ctt *c = it->ctt;

	switch (it->kind) {
	case OP_LINK:
		return it->ntt && c->ntt_id == it->ntt->id;
	case OP_UNLINK:
		return it->ntt && (!it->ntt->id || c->ntt_id != it->ntt->id);
	case OP_RESOLVE:
		return !strcasecmp(c->status, "Resolved");
	default:
		it->cpe->element = element_of(it);
		return it->cpe->element &&
		       same_cpe(&it->cpe->element->cpe, &it->cpe->wanted);
	}
}

static void mend_check(const struct conf *cf, struct arena *mem,
		struct item *it)
{
	(void)cf;
	if (!check_ctt_found(mem, it) || !check_idle(mem, it))
		return;
	stand_in(mem, it);
	if (!is_still_so(it))
		item_refuse(it, CODE_NOT_ATTEMPTED, "The ticket was changed "
			    "since it was compared.");
}

const struct flow flow_mend = {
	.load = SQL_LOAD_ELEMENTS,
	.check = mend_check,
};
