#include "saga/step.h"

#include <string.h>

#include <json-c/json.h>

#include "base/clock.h"

static struct call *call_new(const struct conf *cf, struct arena *mem,
			     const struct item *it, const char *step)
{
	struct call *c = arena_alloc(mem, sizeof *c);

	c->key = arena_printf(mem, "%s-%s", it->op_id, step);
	c->actor = it->want.actor;
	c->request_id = it->want.request_id;
	c->relationship = cf->tmf_relationship;
	c->verdict = RC_AGAIN; /* until it is made, nothing was sent */
	c->why = "This process was held up, so the partner was not called";
	c->past = it->sync.past;
	return c;
}

/* ---- what the journal keeps of a call ---- */

static const char *call_text(struct arena *mem, const struct item *it)
{
	const struct call *c = it->sync.call;
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

/* Make the call the same as the one that was sent before. */
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
	if (!it->sync.call_json)
		return false;
	o = json_tokener_parse(it->sync.call_json);
	if (!it->ctt) {
		it->ctt = arena_alloc(mem, sizeof *it->ctt);
		it->ctt->id = it->want.ctt.id;
		it->ctt->ticket_no = member(o, "cttTicketNo", mem);
		it->ctt->source = it->sync.partner ? it->sync.partner : "";
		it->ctt->status = it->ctt->segment_group = "";
		it->recovery.is_lost = true;
	}
	if (no_ntt) {
		it->ntt = arena_alloc(mem, sizeof *it->ntt);
		it->ntt->id = it->want.ntt.id;
		it->ntt->ticket_no = member(o, "nttTicketNo", mem);
		/* an NTT that only the partner has needs no row here */
		it->recovery.is_lost = it->recovery.is_lost || !it->want.mends;
	}
	json_object_put(o);
	return true;
}

void step_ask(const struct conf *cf, struct arena *mem, struct item *it)
{
	it->sync.call = call_new(cf, mem, it, "sync");
	flows[it->kind]->ask(it, it->sync.call);
	if (it->sync.call_json)
		recall_call(it->sync.call, it->sync.call_json, mem);
	else
		it->sync.call_json = call_text(mem, it);
	if (it->sync.call->local)
		it->sync.call->verdict = RC_OK;
	else
		it->sync.partner = partners[it->sync.call->partner]->code;
	/* its local change is undone already: if a look shows that the call was
	 * not applied, do not make it only to undo it */
	it->sync.call->ends_if_not_done = it->was == OP_SETTLING &&
					  !step_is_forward(it) &&
					  !step_late_ms(cf, it);
}

void step_unask(const struct conf *cf, struct arena *mem, struct item *it)
{
	it->sync.call = call_new(cf, mem, it, "undo");
	flows[it->kind]->unask(it, it->sync.call);
	if (it->sync.call_json)
		recall_call(it->sync.call, it->sync.call_json, mem);
}

void step_ended(struct item *it)
{
	struct call *c = it->sync.call;

	if (c->no == NO_SUCH && !c->counted)
		c->past.refusals++;
	c->counted = true;
	it->sync.past = c->past;
}

bool step_is_called(const struct item *it)
{
	return op_is_open(it->was) && !it->journal.is_taken &&
	       !it->sync.call->local;
}

void step_call_all(struct app *app, struct batch *b)
{
	struct call **calls = arena_array(b->mem, b->n, sizeof *calls);
	size_t n = 0;

	batch_each (b, it)
		if (step_is_called(it))
			calls[n++] = it->sync.call;
	partner_call(app_http(app), b->mem, calls, n,
		     (size_t)app->conf->sync_concurrency, b->terms->deadline,
		     NULL, NULL);
	batch_each (b, it)
		if (op_is_open(it->was))
			step_ended(it);
}

/* ---- what is known ---- */

bool step_is_forward(const struct item *it)
{
	return it->move.forward || it->want.mends || !flows[it->kind]->unask;
}

/* The pair has lost a ticket: its link cannot be kept, and its unlink is driven
 * on. */
static bool is_of_lost_pair(const struct item *it)
{
	return it->recovery.is_lost && flows[it->kind]->needs_ntt;
}

static bool is_forward(const struct item *it)
{
	return is_of_lost_pair(it) ? flows[it->kind]->outlives_ticket :
				     step_is_forward(it);
}

static int64_t late_ms(const struct conf *cf, const struct item *it,
		       int64_t now)
{
	const struct history *past = &it->sync.past;
	int64_t left = past->doubted_at + cf->partner_late_s * 1000 - now;

	return past->doubted && left > 0 ? left : 0;
}

int64_t step_late_ms(const struct conf *cf, const struct item *it)
{
	return late_ms(cf, it, clock_mono_ms());
}

/* Could an attempt arrive after the latest answer or look? A look proves the
 * state at the moment at which it began. */
static bool is_fresh(const struct conf *cf, const struct item *it)
{
	const struct call *c = it->sync.call;

	return late_ms(cf, it, c->seen == NOT_SEEN ? clock_mono_ms() :
					c->looked_at) > 0;
}

static struct evidence evidence(const struct conf *cf, const struct item *it,
				bool recovered)
{
	const struct call *c = it->sync.call;

	return (struct evidence){
		.was = it->was,
		.recovered = recovered,
		.forward = is_forward(it),
		.undoing = it->sync.undoing,
		.keyed = cf->keys[c->partner],
		.readable = partner_is_readable(cf, c->partner),
		.doubted = it->sync.past.doubted,
		.fresh = is_fresh(cf, it),
		.known = c->local ? KNOWN_YES : it->sync.past.known,
		.no = c->no,
		.seen = c->seen,
		.refusals = it->sync.past.refusals,
	};
}

/* The partner does not have the ticket, or the link: section 5, `force`. */
static bool is_forced(const struct item *it)
{
	const struct call *c = it->sync.call;

	return it->want.force && it->was == OP_RUNNING &&
	       c->verdict != RC_OK && c->no == NO_SUCH;
}

enum next step_next(const struct conf *cf, struct item *it, bool recovered)
{
	struct evidence e;
	enum next next;

	if (it->recovery.by_hand)
		return it->recovery.by_hand->done ? NEXT_DONE : NEXT_BACK;
	e = evidence(cf, it, recovered);
	next = verdict_next(&e);
	it->sync.look_again = verdict_look_again(&e);
	if (is_forced(it)) {
		it->sync.forced = it->sync.call->why;
		return NEXT_DONE;
	}
	if (it->move.forward && next == NEXT_BACK && e.known == KNOWN_UNSENT)
		return NEXT_SETTLE; /* a link back is tried until it is clear */
	if (is_of_lost_pair(it) && !is_forward(it) && next == NEXT_DONE)
		return NEXT_SETTLE; /* and is undone there */
	return next;
}
