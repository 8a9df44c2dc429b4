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

static bool is_link(const struct call *c, struct slice element)
{
	return json_string_is(json_member(element, "relationshipType"),
			      c->relationship);
}

static bool is_our_link(const struct call *c, struct slice element)
{
	return json_string_is(json_member(element, "id"), c->ntt) &&
	       is_link(c, element);
}

static bool is_our_note(const struct call *c, struct slice element)
{
	return json_string_is(json_member(element, "id"), c->key);
}

/* Open an object of the standard. Version 5 requires its type. */
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

/* Add the reason and the time of the resolution. The reason is the list of the
 * codes in the request. */
static void put_resolution(const struct call *c, struct buf *body)
{
	struct buf reason;

	buf_init(&reason, body->mem);
	buf_str(&reason, "");
	for (int i = 0; i < RESOLVE_CODES; i++)
		if (c->resolve->code[i])
			buf_printf(&reason, "%s%s", reason.len ? ", " : "",
				   c->resolve->code[i]);
	put_str(body, "statusChangeReason", reason.s);
	put_str(body, "resolutionDate", c->resolve->at);
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

#define LINKS "troubleTicketRelationship"

/* How TMF is told each verb: by a status, and by one element of an array. */
static const struct told {
	const char *fields; /* the members that a read asks for             */
	const char *status; /* the ticket's new status, or NULL             */
	/* Add members that belong to the status. NULL: there are none. */
	void (*put_more)(const struct call *c, struct buf *body);
	const char *array;  /* the member that contains our element         */
	bool of_remark;     /* without a remark, the array does not change  */
	bool (*is_ours)(const struct call *c, struct slice element);
	/* Add our element. NULL: the verb removes it. */
	void (*put_ours)(const struct conf *cf, const struct call *c,
			 struct buf *body);
	/* Read the array into the view. NULL: the view does not need it. */
	void (*view)(const struct call *c, struct slice array,
		     struct arena *mem, struct view *v);
} told[VERB__MAX] = {
	[VERB_LINK] = {.fields = LINKS, .array = LINKS, .is_ours = is_our_link,
		       .put_ours = put_link, .view = view_links},
	[VERB_UNLINK] = {.fields = LINKS, .array = LINKS,
			 .is_ours = is_our_link, .view = view_links},
	[VERB_RESOLVE] = {.fields = "status", .status = "resolved",
			  .put_more = put_resolution, .array = "note",
			  .of_remark = true, .is_ours = is_our_note,
			  .put_ours = put_note},
	[VERB_LOOK] = {.fields = LINKS ",status", .array = LINKS,
		       .view = view_links},
};

static const char *tmf_status(enum verb verb)
{
	return told[verb].status;
}

/* A call that changes no array needs no read. */
static bool tmf_reads_first(const struct call *c)
{
	return !told[c->verb].of_remark || c->remark;
}

static bool is_ours(const struct call *c, struct slice element)
{
	return told[c->verb].is_ours(c, element);
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
	const struct told *t = &told[c->verb];
	struct buf *body = &x->body;

	x->method = "PATCH";
	path_of(cf, c, x);
	open_typed(cf, body, "TroubleTicket");
	if (t->status)
		put_str(body, "status", t->status);
	if (t->put_more)
		t->put_more(c, body);
	if (tmf_reads_first(c)) {
		put_open(body, t->array, '[');
		put_others(c, json_member(ticket, t->array), body);
		if (t->put_ours)
			t->put_ours(cf, c, body);
		put_close(body, ']');
	}
	put_close(body, '}');
}

static void tmf_read(const struct conf *cf, const struct call *c,
		     struct exchange *x)
{
	const struct told *t = &told[c->verb];

	x->method = "GET";
	x->reads = true;
	path_of(cf, c, x);
	buf_printf(&x->path, "?fields=%s", t->fields);
	if (t->of_remark && c->remark)
		buf_printf(&x->path, ",%s", t->array);
}

/* Is it an array of objects, null, or absent? */
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

/* An answer with the array or with the ticket's id is the ticket. */
static bool tmf_view(const struct call *c, struct slice answer, bool whole,
		     struct arena *mem, struct view *v)
{
	const struct told *t = &told[c->verb];
	struct slice array = json_member(answer, t->array);

	if (!json_is(answer, '{') || !is_array(array))
		return false;
	if (!json_is(array, '[') &&
	    !json_string_is(json_member(answer, "id"), c->ticket))
		return false;
	if (t->view && (whole || json_is(array, '[')))
		t->view(c, array, mem, v);
	v->status = answer_text(json_member(answer, "status"), mem);
	if (!v->status && whole)
		v->status = ""; /* the read asked for it: the ticket has none */
	return true;
}

const struct partner partner_tmf = {
	.name = "TMF",
	.code = "TMF",
	.reads_first = tmf_reads_first,
	.write = tmf_write,
	.read = tmf_read,
	.view = tmf_view,
	.status = tmf_status,
	.yes_is_looked_at = true,
};
