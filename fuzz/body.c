/*
 * fuzz/body.c - a request with a body, on every route that takes one
 *
 * All is real, from the table of routes to the answer; there is no database.
 * What was made of a body is looked at on its way into the saga, and has to
 * come out again when it is written as a body and read a second time.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/text.h"
#include "saga/saga.h"

/* What the body came to; NULL: it was refused. */
static struct batch *taken;
static bool again; /* it is read the second time */

void __real_saga_run(struct app *, const struct flow *, struct batch *);
void __wrap_saga_run(struct app *, const struct flow *, struct batch *);

static void check_ref(const struct ref *r)
{
	assert(!r->id != !r->no); /* one of them */
	assert(r->id < TICKET_ID_MAX);
	if (r->no)
		check_text(r->no, 1, TICKET_NO_MAX, "");
}

static void check_resolve(const struct resolve *r)
{
	assert(r->activity_id < TICKET_ID_MAX);
	if (r->status)
		check_text(r->status, 1, LABEL_MAX, "");
	for (int i = 0; i < RESOLVE_CODES; i++)
		if (r->code[i])
			check_text(r->code[i], 1, LABEL_MAX, "");
}

static void check_cpe(const struct cpe_update *u)
{
	assert(u->element_id < TICKET_ID_MAX);
	assert(u->given && u->given < 2U << CPE_BANDWIDTH);
	for (int i = 0; i < CPE_TEXTS; i++) {
		const char *s = *cpe_text_at((struct cpe *)&u->asked, i);

		assert(!s || text_chars(s, strlen(s)) <= cpe_text[i].most);
	}
	assert(u->asked.bandwidth_mbps >= 0 &&
	       u->asked.bandwidth_mbps <= UINT32_MAX);
	assert(u->current.bandwidth_mbps >= 0 &&
	       u->current.bandwidth_mbps <= UINT32_MAX);
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool is_same_ref(const struct ref *a, const struct ref *b)
{
	return a->id == b->id && is_same_text(a->no, b->no);
}

/* Behind its checks a body holds what the contract allows, and no more. */
static void check_batch(const struct flow *flow, const struct batch *b)
{
	size_t n = 0;

	assert(b->n >= 1 && b->n <= 500);
	batch_each (b, it) {
		assert(it->index >= n && !it->code); /* faulty ones are out */
		n = it->index + 1;
		assert(!strcmp(it->want.actor, "anna"));
		check_ref(&it->want.ctt);
		if (it->want.remark)
			check_text(it->want.remark, 0, REMARK_MAX, "\t\n");
		switch (flow->kind) {
		case OP_LINK:
		case OP_UNLINK:
			check_ref(&it->want.ntt);
			break;
		case OP_RESOLVE:
			check_resolve(it->resolve);
			break;
		case OP_CPE_UPDATE:
			check_cpe(it->cpe);
			break;
		default:
			assert(false); /* a kind that has no checks here */
		}
		if (b->terms->all_or_none) /* an unlink: distinct */
			for (size_t i = 0; i < it->index; i++)
				assert(!is_same_ref(&b->it[i]->want.ctt,
						    &it->want.ctt));
	}
}

void __wrap_saga_run(struct app *app, const struct flow *flow, struct batch *b)
{
	check_batch(flow, b);
	taken = arena_alloc(b->mem, sizeof *taken);
	*taken = *b;
	if (!again)
		__real_saga_run(app, flow, b);
	else
		batch_each (b, it)
			item_refuse(it, CODE_DB_UNAVAILABLE, "Read again.");
}

static void put_ref(struct buf *b, const char *key, const struct ref *r)
{
	if (r->no)
		put_str(b, key, r->no);
	else if (r->id)
		put_int(b, key, (int64_t)r->id);
}

static void put_some(struct buf *b, const char *key, const char *text)
{
	if (text)
		put_str(b, key, text);
}

static void put_asked(struct buf *b, const struct cpe_update *u)
{
	put_open(b, "new", '{');
	for (int i = 0; i < CPE_TEXTS; i++)
		if (u->given & 1U << i)
			put_str(b, cpe_text[i].name,
				*cpe_text_at((struct cpe *)&u->asked, i));
	if (u->given & 1U << CPE_BANDWIDTH)
		put_id(b, "bandwidthMbps", (uint64_t)u->asked.bandwidth_mbps);
	put_close(b, '}');
}

static void put_item(struct buf *b, const struct item *it)
{
	put_ref(b, "cttId", &it->want.ctt);
	put_ref(b, "nttId", &it->want.ntt);
	if (it->resolve) {
		put_id(b, "activityId", it->resolve->activity_id);
		put_some(b, "status", it->resolve->status);
		for (int i = 0; i < RESOLVE_CODES; i++)
			put_str(b, resolve_code_name[i], it->resolve->code[i]);
	}
	if (it->cpe) {
		put_asked(b, it->cpe);
		if (it->cpe->has_current)
			put_cpe(b, "current", &it->cpe->current);
		put_id(b, "networkElementId", it->cpe->element_id);
	}
}

static void put_refs(struct buf *b, const char *key, const struct batch *batch)
{
	put_open(b, key, '[');
	batch_each (batch, it)
		put_ref(b, NULL, &it->want.ctt);
	put_close(b, ']');
}

/* The batch as a body. It has what any route may ask for: each takes its own,
 * and ignores the rest. */
static void put_body(struct buf *b, const struct batch *batch)
{
	const struct item *first = batch->it[0];
	bool common = true; /* all have one remark */

	batch_each (batch, it)
		common = common && is_same_text(it->want.remark, first->want.remark);
	put_open(b, NULL, '{');
	put_item(b, first);
	if (common)
		put_some(b, "remark", first->want.remark);
	put_refs(b, "cttIds", batch);
	put_refs(b, "ticketIds", batch);
	put_open(b, "items", '[');
	batch_each (batch, it) {
		put_open(b, NULL, '{');
		put_item(b, it);
		put_some(b, "remark", it->want.remark);
		put_close(b, '}');
	}
	put_close(b, ']');
	put_close(b, '}');
}

static bool is_same_cpe(const struct cpe *a, const struct cpe *b)
{
	return is_same_text(a->manufacturer, b->manufacturer) &&
	       is_same_text(a->model, b->model) &&
	       is_same_text(a->ip_address, b->ip_address) &&
	       is_same_text(a->port, b->port) &&
	       a->bandwidth_mbps == b->bandwidth_mbps;
}

static void check_same(const struct item *a, const struct item *b)
{
	assert(is_same_ref(&a->want.ctt, &b->want.ctt));
	assert(is_same_ref(&a->want.ntt, &b->want.ntt));
	assert(is_same_text(a->want.remark, b->want.remark));
	assert(!a->resolve == !b->resolve && !a->cpe == !b->cpe);
	if (a->resolve) {
		assert(a->resolve->activity_id == b->resolve->activity_id);
		assert(is_same_text(a->resolve->status, b->resolve->status));
		for (int i = 0; i < RESOLVE_CODES; i++)
			assert(is_same_text(a->resolve->code[i],
					    b->resolve->code[i]));
	}
	if (a->cpe) {
		assert(a->cpe->element_id == b->cpe->element_id);
		assert(a->cpe->has_current == b->cpe->has_current);
		assert(a->cpe->given == b->cpe->given);
		assert(is_same_cpe(&a->cpe->asked, &b->cpe->asked));
		assert(is_same_cpe(&a->cpe->current, &b->cpe->current));
	}
}

static void check_round_trip(struct request rq)
{
	struct batch first = *taken;
	struct buf body;

	buf_init(&body, rq.mem);
	put_body(&body, &first);
	rq.body = body.s;
	rq.body_len = body.len;
	rq.reply = (struct buf){0};
	taken = NULL;
	again = true;
	request_serve(&rq);
	again = false;
	assert(taken && taken->n == first.n);
	assert(taken->terms->dry_run == first.terms->dry_run);
	assert(taken->terms->all_or_none == first.terms->all_or_none);
	for (size_t i = 0; i < first.n; i++)
		check_same(first.it[i], taken->it[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_open();
	struct request rq;

	taken = NULL;
	if (fuzz_request(data, size, mem, &rq)) {
		struct request as_it_came = rq;

		request_serve(&rq);
		check_answer(&rq);
		if (taken)
			check_round_trip(as_it_came);
	}
	arena_close(mem);
	return 0;
}
