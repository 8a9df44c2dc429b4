#include "saga/step.h"

#include <string.h>

#include <json-c/json.h>

#include "base/clock.h"

static struct call *call_new(const struct conf *cf, struct arena *mem,
			     const struct item *it, const char *step)
{
	struct call *c = arena_alloc(mem, sizeof *c);

	c->key = arena_printf(mem, "%s-%s", it->op_id, step);
	c->actor = it->actor;
	c->request_id = it->request_id;
	c->relationship = cf->tmf_relationship;
	c->verdict = RC_AGAIN; /* until it is made, nothing was sent */
	c->past = it->past;
	return c;
}

/* ---- what the journal keeps of a call ---- */

static const char *call_text(struct arena *mem, const struct item *it)
{
	const struct call *c = it->call;
	struct buf doc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	if (c->local) {
		put_bool(&doc, "local", true);
	} else {
		put_str(&doc, "partner", partners[c->partner]->code);
		put_str(&doc, "ticket", c->ticket);
	}
	if (c->ntt)
		put_str(&doc, "ntt", c->ntt);
	if (c->ntt && c->partner == PARTNER_TMF)
		put_str(&doc, "relationship", c->relationship);
	put_str(&doc, "cttTicketNo", it->ctt->ticket_no);
	if (it->ntt)
		put_str(&doc, "nttTicketNo", it->ntt->ticket_no);
	put_close(&doc, '}');
	return doc.s;
}

static const char *member(struct json_object *o, const char *name,
			  struct arena *mem)
{
	return arena_strdup(mem, json_object_get_string(
				    json_object_object_get(o, name)));
}

/* What was sent to the partner once is sent again. */
static void recall_call(struct call *c, const char *text, struct arena *mem)
{
	struct json_object *o = json_tokener_parse(text);
	enum partner_id id = partner_of(json_object_get_string(
		json_object_object_get(o, "partner")));
	const char *relationship = member(o, "relationship", mem);

	c->local = json_object_get_boolean(json_object_object_get(o, "local"));
	if (id != PARTNER__MAX)
		c->partner = id;
	if (!c->local)
		c->ticket = member(o, "ticket", mem);
	c->ntt = member(o, "ntt", mem);
	if (relationship)
		c->relationship = relationship;
	json_object_put(o);
}

bool step_find_lost(struct arena *mem, struct item *it)
{
	bool no_ntt = !it->ntt && flows[it->kind]->needs_ntt;
	struct json_object *o;

	if (it->ctt && !no_ntt)
		return true;
	if (!it->partner_call)
		return false;
	o = json_tokener_parse(it->partner_call);
	if (!it->ctt) {
		it->ctt = arena_alloc(mem, sizeof *it->ctt);
		it->ctt->id = it->ctt_ref.id;
		it->ctt->ticket_no = member(o, "cttTicketNo", mem);
		it->ctt->source = it->partner ? it->partner : "";
		it->ctt->status = it->ctt->segment_group = "";
		it->is_lost = true;
	}
	if (no_ntt) {
		it->ntt = arena_alloc(mem, sizeof *it->ntt);
		it->ntt->id = it->ntt_ref.id;
		it->ntt->ticket_no = member(o, "nttTicketNo", mem);
		/* one that only the partner has is mended by its name */
		it->is_lost = it->is_lost || !it->mends;
	}
	json_object_put(o);
	return true;
}

void step_ask(const struct conf *cf, struct arena *mem, struct item *it)
{
	it->call = call_new(cf, mem, it, "sync");
	flows[it->kind]->ask(it, it->call);
	if (it->partner_call)
		recall_call(it->call, it->partner_call, mem);
	else
		it->partner_call = call_text(mem, it);
	if (it->call->local)
		it->call->verdict = RC_OK;
	else
		it->partner = partners[it->call->partner]->code;
	/* taken back already: if it is seen not to be there, it is not to be
	 * made only to be undone */
	it->call->ends_if_not_done = it->was == OP_SETTLING &&
				     !step_is_forward(it) &&
				     !step_late_ms(cf, it);
}

void step_unask(const struct conf *cf, struct arena *mem, struct item *it)
{
	it->call = call_new(cf, mem, it, "undo");
	flows[it->kind]->unask(it, it->call);
	if (it->partner_call)
		recall_call(it->call, it->partner_call, mem);
}

void step_call_all(struct app *app, struct batch *b)
{
	struct call **calls = arena_array(b->mem, b->n, sizeof *calls);
	size_t n = 0;

	batch_each (b, it)
		if (op_is_open(it->was) && !it->call->local)
			calls[n++] = it->call;
	partner_call(app->http, b->mem, calls, n,
		     (size_t)app->conf->sync_concurrency, b->deadline);
	for (size_t i = 0; i < n; i++)
		if (calls[i]->no == NO_SUCH)
			calls[i]->past.refusals++;
	batch_each (b, it)
		if (op_is_open(it->was))
			it->past = it->call->past;
}

/* ---- what is known ---- */

bool step_is_forward(const struct item *it)
{
	return it->forward || it->mends || !flows[it->kind]->unask;
}

/* A link to a ticket that is gone cannot be kept; its unlink is driven on. */
static bool is_of_lost_pair(const struct item *it)
{
	return it->is_lost && flows[it->kind]->needs_ntt;
}

static bool is_forward(const struct item *it)
{
	return is_of_lost_pair(it) ? flows[it->kind]->outlives_ticket :
				     step_is_forward(it);
}

static int64_t late_ms(const struct conf *cf, const struct item *it,
		       int64_t now)
{
	int64_t left = it->past.doubted_at + cf->partner_late_s * 1000 - now;

	return it->past.doubted && left > 0 ? left : 0;
}

int64_t step_late_ms(const struct conf *cf, const struct item *it)
{
	return late_ms(cf, it, clock_mono_ms());
}

/* Could an attempt have arrived after what is known was seen? A look proves
 * something of the moment at which it began. */
static bool is_fresh(const struct conf *cf, const struct item *it)
{
	const struct call *c = it->call;

	return late_ms(cf, it, c->seen == NOT_SEEN ? clock_mono_ms() :
					c->looked_at) > 0;
}

static struct evidence evidence(const struct conf *cf, const struct item *it,
				bool recovered)
{
	const struct call *c = it->call;

	return (struct evidence){
		.was = it->was,
		.recovered = recovered,
		.forward = is_forward(it),
		.undoing = it->undoing,
		.keyed = cf->keys[c->partner],
		.readable = partner_is_readable(cf, c->partner),
		.doubted = it->past.doubted,
		.fresh = is_fresh(cf, it),
		.known = c->local ? KNOWN_YES : it->past.known,
		.no = c->no,
		.seen = c->seen,
		.refusals = it->past.refusals,
	};
}

/* The partner does not have the ticket, or the link: section 5, `force`. */
static bool is_forced(const struct item *it)
{
	const struct call *c = it->call;

	return it->force && it->was == OP_RUNNING &&
	       c->verdict != RC_OK && c->no == NO_SUCH;
}

enum next step_next(const struct conf *cf, struct item *it, bool recovered)
{
	struct evidence e;
	enum next next;

	if (it->by_hand)
		return it->by_hand->done ? NEXT_DONE : NEXT_BACK;
	e = evidence(cf, it, recovered);
	next = verdict_next(&e);
	it->look_again = verdict_look_again(&e);
	if (is_forced(it)) {
		it->forced = it->call->why;
		return NEXT_DONE;
	}
	if (it->forward && next == NEXT_BACK && e.known == KNOWN_UNSENT)
		return NEXT_SETTLE; /* a way back is tried until it is clear */
	if (is_of_lost_pair(it) && !is_forward(it) && next == NEXT_DONE)
		return NEXT_SETTLE; /* and is taken back */
	return next;
}
