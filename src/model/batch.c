#include "model/batch.h"

#include <stdlib.h>
#include <string.h>

const char *const kind_name[KIND__MAX] = {
#define K(name, id, ...) [OP_##name] = #name,
	KINDS(K)
#undef K
};

#define K(name, id, ...)                                                     \
	static const enum step id##_steps[] = {__VA_ARGS__, STEP__MAX};
KINDS(K)
#undef K

const enum step *const kind_steps[KIND__MAX] = {
#define K(name, id, ...) [OP_##name] = id##_steps,
	KINDS(K)
#undef K
};

const char *const op_state_name[OP_STATE__MAX] = {
	[OP_NONE] = "",
	[OP_RUNNING] = "RUNNING",
	[OP_SETTLING] = "SETTLING",
	[OP_SUCCEEDED] = "SUCCEEDED",
	[OP_REFUSED] = "REFUSED",
	[OP_ROLLED_BACK] = "ROLLED_BACK",
	[OP_COMPENSATED] = "COMPENSATED",
};

enum kind kind_of(const char *name)
{
	int i = 0;

	while (i < KIND__MAX && strcmp(kind_name[i], name))
		i++;
	return (enum kind)i;
}

enum op_state op_state_of(const char *name)
{
	int i = OP_STATE__MAX;

	while (--i > OP_NONE && strcmp(op_state_name[i], name))
		;
	return (enum op_state)i;
}

void item_refuse(struct item *it, enum code code, const char *detail)
{
	it->code = code;
	it->detail = detail;
}

void item_reset(struct item *it)
{
	*it = (struct item){
		.terms = it->terms,
		.index = it->index,
		.kind = it->kind,
		.op_id = it->op_id,
		.want = it->want,
		.resolve = it->resolve,
		.cpe = it->cpe,
		.previous = it->previous,
		.block_ms = it->block_ms,
	};
}

void item_name(struct arena *mem, struct item *it)
{
	char *id = arena_alloc(mem, ID_LEN + 1);

	id_make(id);
	it->op_id = id;
}

struct item *item_follow(struct arena *mem, struct item *it, enum kind kind,
			 struct ntt *ntt)
{
	struct item *next = arena_alloc(mem, sizeof *next);

	*next = (struct item){
		.terms = it->terms,
		.index = it->index,
		.kind = kind,
		.want = it->want,
		.ctt = it->ctt,
		.ntt = ntt,
	};
	next->want.ntt = (struct ref){.id = ntt->id};
	next->want.force = next->want.mends = false;
	item_name(mem, next);
	it->next = next;
	return next;
}

struct batch batch_empty(struct arena *mem, size_t n)
{
	return (struct batch){
		.mem = mem,
		.it = arena_array(mem, n, sizeof(struct item *)),
		.terms = arena_alloc(mem, sizeof(struct terms)),
	};
}

struct batch batch_new(struct arena *mem, size_t n)
{
	struct item *items = arena_array(mem, n, sizeof *items);
	struct batch b = batch_empty(mem, n);

	for (size_t i = 0; i < n; i++) {
		items[i].index = i;
		item_name(mem, &items[i]);
		batch_add(&b, &items[i]);
	}
	return b;
}

struct batch batch_part(const struct batch *b)
{
	struct batch part = *b;

	part.it = arena_array(b->mem, b->n, sizeof *part.it);
	part.n = 0;
	return part;
}

void batch_add(struct batch *b, struct item *it)
{
	b->it[b->n++] = it;
}

struct item *batch_find(const struct batch *b, const char *op_id)
{
	batch_each (b, it)
		if (!strcmp(it->op_id, op_id))
			return it;
	return NULL;
}

static int by_ctt(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a;
	const struct item *y = *(struct item *const *)b;

	if (x->want.ctt.id != y->want.ctt.id)
		return x->want.ctt.id < y->want.ctt.id ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

void batch_sort(struct batch *b)
{
	qsort(b->it, b->n, sizeof *b->it, by_ctt);
}

void batch_own_ntts(const struct batch *b)
{
	struct ntt **from = arena_array(b->mem, b->n, sizeof *from);

	for (size_t i = 0, same; i < b->n; i++) {
		struct item *it = b->it[i];

		from[i] = it->ntt;
		for (same = 0; from[same] != it->ntt; same++)
			;
		if (same < i) {
			it->ntt = b->it[same]->ntt;
		} else if (it->ntt) {
			it->ntt = arena_alloc(b->mem, sizeof *it->ntt);
			*it->ntt = *from[i];
		}
	}
}
