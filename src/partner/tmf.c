/*
 * partner/tmf.c - TMF: TMF621, versions 4 and 5; PATCH troubleTicket/{ticket}
 *
 * A PATCH replaces whole arrays. So the arrays are read first, and all elements
 * except ours are sent back byte for byte. Ours are the relationship of our
 * type to this NTT (one to another ticket belongs to others, and stays), and
 * the note whose id is our key. Real servers merge arrays, drop members or
 * forget, so their yes is checked (contract section 9).
 */
#include <string.h>

#include "partner/answer.h"
#include "partner/partner.h"

static bool is_v5(const struct conf *cf)
{
	return cf->tmf_version == 5;
}

/* The member that holds what a call changes. */
static const char *array_of(const struct call *c)
{
	return c->verb == VERB_RESOLVE ? "note" : "troubleTicketRelationship";
}

/* A resolve without a note changes no array: there is nothing to read. */
static bool tmf_reads_first(const struct call *c)
{
	return c->verb != VERB_RESOLVE || c->remark;
}

static bool is_link(const struct call *c, struct slice element)
{
	return json_string_is(json_member(element, "relationshipType"),
			      c->relationship);
}

static bool is_ours(const struct call *c, struct slice element)
{
	struct slice id = json_member(element, "id");

	if (c->verb == VERB_RESOLVE)
		return json_string_is(id, c->key);
	return json_string_is(id, c->ntt) && is_link(c, element);
}

static void put_others(const struct call *c, struct slice array,
		       struct buf *body)
{
	struct slice at = {0};

	while (json_next(array, &at))
		if (!is_ours(c, at))
			put_raw(body, NULL,
				arena_strndup(body->mem, at.s, at.n));
}

/* An object of the standard: version 5 wants its type. */
static void open_typed(const struct conf *cf, struct buf *body,
		       const char *type)
{
	put_open(body, NULL, '{');
	if (is_v5(cf))
		put_str(body, "@type", type);
}

static void put_link(const struct conf *cf, const struct call *c,
		     struct buf *body)
{
	open_typed(cf, body, "TroubleTicketRelationship");
	put_str(body, "id", c->ntt);
	put_str(body, "relationshipType", c->relationship);
	put_close(body, '}');
}

static void put_note(const struct conf *cf, const struct call *c,
		     struct buf *body)
{
	open_typed(cf, body, "Note");
	put_str(body, "id", c->key);
	put_str(body, "author", c->actor);
	put_str(body, "date", c->resolve->at);
	put_str(body, "text", c->remark);
	put_close(body, '}');
}

/* Why it was resolved: the codes that were given, in their order. */
static void put_resolution(const struct call *c, struct buf *body)
{
	struct buf reason;

	buf_init(&reason, body->mem);
	buf_str(&reason, "");
	for (int i = 0; i < RESOLVE_CODES; i++)
		if (c->resolve->code[i])
			buf_printf(&reason, "%s%s", reason.len ? ", " : "",
				   c->resolve->code[i]);
	put_str(body, "status", "resolved");
	put_str(body, "statusChangeReason", reason.s);
	put_str(body, "resolutionDate", c->resolve->at);
}

static void path_of(const struct conf *cf, const struct call *c,
		    struct exchange *x)
{
	x->content_type = cf->tmf_content_type;
	buf_str(&x->path, "/troubleTicket");
	path_add(&x->path, c->ticket);
}

static void tmf_write(const struct conf *cf, const struct call *c,
		      struct slice ticket, struct exchange *x)
{
	struct buf *body = &x->body;

	x->method = "PATCH";
	path_of(cf, c, x);
	open_typed(cf, body, "TroubleTicket");
	if (c->verb == VERB_RESOLVE)
		put_resolution(c, body);
	if (tmf_reads_first(c)) {
		put_open(body, array_of(c), '[');
		put_others(c, json_member(ticket, array_of(c)), body);
		if (c->verb == VERB_LINK)
			put_link(cf, c, body);
		else if (c->verb == VERB_RESOLVE)
			put_note(cf, c, body);
		put_close(body, ']');
	}
	put_close(body, '}');
}

static void tmf_read(const struct conf *cf, const struct call *c,
		     struct exchange *x)
{
	const char *fields = c->verb == VERB_LOOK ?
				     "troubleTicketRelationship,status" :
			     c->verb != VERB_RESOLVE ? array_of(c) :
			     c->remark ? "status,note" : "status";

	x->method = "GET";
	x->reads = true;
	path_of(cf, c, x);
	buf_printf(&x->path, "?fields=%s", fields);
}

static void view_links(const struct call *c, struct slice array,
		       struct arena *mem, struct view *v)
{
	struct slice at = {0};
	size_t n = 0;

	while (json_next(array, &at))
		n++;
	v->has_links = true;
	v->ntts = arena_array(mem, n, sizeof *v->ntts);
	for (at.s = NULL; json_next(array, &at);) {
		const char *id = answer_text(json_member(at, "id"), mem);

		if (id && is_link(c, at))
			v->ntts[v->nntts++] = id;
	}
}

/* An array of objects, or none (null counts as none). */
static bool is_array(struct slice value)
{
	struct slice at = {0};

	if (!value.s || *value.s == 'n')
		return true;
	if (!json_is(value, '['))
		return false;
	while (json_next(value, &at))
		if (!json_is(at, '{'))
			return false;
	return true;
}

/* It is the ticket if it has the array, or the ticket's id. */
static bool tmf_view(const struct call *c, struct slice answer, bool whole,
		     struct arena *mem, struct view *v)
{
	struct slice array = json_member(answer, array_of(c)), at = {0};

	if (!json_is(answer, '{') || !is_array(array))
		return false;
	if (!json_is(array, '[') &&
	    !json_string_is(json_member(answer, "id"), c->ticket))
		return false;
	if (c->verb == VERB_RESOLVE)
		while (json_next(array, &at))
			v->has_note = v->has_note || is_ours(c, at);
	else if (whole || json_is(array, '['))
		view_links(c, array, mem, v);
	v->status = answer_text(json_member(answer, "status"), mem);
	if (!v->status && whole)
		v->status = ""; /* it was asked for, and there is none */
	return true;
}

const struct partner partner_tmf = {
	.name = "TMF",
	.code = "TMF",
	.reads_first = tmf_reads_first,
	.write = tmf_write,
	.read = tmf_read,
	.view = tmf_view,
	.yes_is_looked_at = true,
};
