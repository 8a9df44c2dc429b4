/*
 * partner/partners.c - what each partner is told: contract section 9
 */
#include <ctype.h>
#include <string.h>

#include <json-c/json.h>

#include "base/text.h"
#include "partner/partner.h"

void path_add(struct buf *path, const char *segment)
{
	buf_str(path, "/");
	for (; *segment; segment++) {
		unsigned char c = (unsigned char)*segment;

		if (isalnum(c) || strchr("-._~", c))
			buf_add(path, segment, 1);
		else
			buf_printf(path, "%%%02X", c);
	}
}

/* TaaS: POST tickets/{ticketNo}/link, /unlink, /notes; PUT .../status */
static void taas_link_body(const struct call *c, struct buf *body)
{
	put_open(body, NULL, '{');
	put_str(body, "nttTicketNo", c->ntt_no);
	put_str(body, "remark", c->remark);
	put_str(body, "actor", c->actor);
	put_close(body, '}');
}

static void taas_status_body(const struct call *c, struct buf *body)
{
	const struct activity *a = &c->resolve->stored;

	put_open(body, NULL, '{');
	put_str(body, "status", a->status);
	put_str(body, "activityType", a->type);
	for (int i = 0; i < CODES_MAX; i++)
		put_str(body, resolve_code_name[i], a->code[i]);
	put_str(body, "actor", c->actor);
	put_close(body, '}');
}

static bool taas_make(const struct conf *cf, const struct call *c,
		      unsigned leg, const struct buf *answer,
		      struct exchange *x)
{
	static const char *const word[] = {
		[VERB_LINK] = "link",
		[VERB_UNLINK] = "unlink",
		[VERB_RESOLVE] = "status",
		[VERB_NOTE] = "notes",
	};

	(void)cf;
	(void)leg;
	(void)answer;
	x->method = c->verb == VERB_RESOLVE ? "PUT" : "POST";
	x->content_type = "application/json";
	buf_str(&x->path, "/tickets");
	path_add(&x->path, c->ticket_no);
	path_add(&x->path, word[c->verb]);
	if (c->verb == VERB_RESOLVE)
		taas_status_body(c, &x->body);
	else if (c->verb == VERB_NOTE)
		buf_str(&x->body, c->body);
	else
		taas_link_body(c, &x->body);
	return true;
}

/*
 * TMF621. A PATCH replaces whole arrays, so that what is in them is read
 * first, and all but ours sent back as it came. Ours is the relationship that
 * names this NTT with our relationshipType (one that names another ticket is
 * somebody's, and stays), and the note whose id is our key.
 */
static const char *tmf_array(const struct call *c)
{
	return c->verb == VERB_RESOLVE ? "note" : "troubleTicketRelationship";
}

/* A resolve without a note changes no array: there is nothing to read. */
static unsigned tmf_legs(const struct call *c)
{
	return c->verb == VERB_RESOLVE && !c->remark ? 1 : 2;
}

static bool member_is(struct json_object *o, const char *name,
		      const char *value)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) &&
	       json_object_is_type(v, json_type_string) &&
	       !strcmp(json_object_get_string(v), value);
}

static bool tmf_is_ours(const struct conf *cf, const struct call *c,
			struct json_object *element)
{
	if (c->verb == VERB_RESOLVE)
		return member_is(element, "id", c->key);
	return member_is(element, "id", c->ntt_no) &&
	       member_is(element, "relationshipType", cf->tmf_relationship);
}

/* The elements of the ticket's array that are not ours; false: no ticket. */
static bool tmf_put_others(const struct conf *cf, const struct call *c,
			   struct json_object *ticket, struct buf *body)
{
	struct json_object *old = NULL;
	size_t n = 0;

	if (!json_object_is_type(ticket, json_type_object))
		return false;
	json_object_object_get_ex(ticket, tmf_array(c), &old);
	if (old && !json_object_is_type(old, json_type_array))
		return false;
	if (old)
		n = json_object_array_length(old);
	for (size_t i = 0; i < n; i++) {
		struct json_object *e = json_object_array_get_idx(old, i);

		if (!json_object_is_type(e, json_type_object))
			return false;
		if (!tmf_is_ours(cf, c, e))
			put_raw(body, NULL, json_object_to_json_string_ext(
					e, JSON_C_TO_STRING_PLAIN |
					JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	return true;
}

static void tmf_put_ours(const struct conf *cf, const struct call *c,
			 struct buf *body)
{
	if (c->verb == VERB_UNLINK)
		return;
	put_open(body, NULL, '{');
	if (c->verb == VERB_LINK) {
		put_str(body, "id", c->ntt_no);
		put_str(body, "relationshipType", cf->tmf_relationship);
	} else {
		put_str(body, "id", c->key);
		put_str(body, "author", c->actor);
		put_str(body, "date", c->resolve->at);
		put_str(body, "text", c->remark);
	}
	put_close(body, '}');
}

/* Why it was resolved: the codes that were given, in their order. */
static void tmf_put_resolution(const struct call *c, struct buf *body)
{
	struct buf reason;

	buf_init(&reason, body->mem);
	buf_str(&reason, "");
	for (int i = 0; i < CODES_MAX; i++)
		if (c->resolve->code[i])
			buf_printf(&reason, "%s%s", reason.len ? ", " : "",
				   c->resolve->code[i]);
	put_str(body, "status", "resolved");
	put_str(body, "statusChangeReason", reason.s);
	put_str(body, "resolutionDate", c->resolve->at);
}

static bool tmf_make(const struct conf *cf, const struct call *c,
		     unsigned leg, const struct buf *answer,
		     struct exchange *x)
{
	struct json_object *ticket;
	const char *fault;
	bool sound = true;

	buf_str(&x->path, "/troubleTicket");
	path_add(&x->path, c->ticket_no);
	x->content_type = "application/json;charset=utf-8";
	if (leg + 1 < tmf_legs(c)) {
		x->method = "GET";
		x->reads = true;
		buf_printf(&x->path, "?fields=%s", tmf_array(c));
		return true;
	}
	x->method = "PATCH";
	put_open(&x->body, NULL, '{');
	if (c->verb == VERB_RESOLVE)
		tmf_put_resolution(c, &x->body);
	if (leg) {
		ticket = answer->len ? json_read(answer->s, answer->len,
						 &fault) : NULL;
		put_open(&x->body, tmf_array(c), '[');
		sound = tmf_put_others(cf, c, ticket, &x->body);
		tmf_put_ours(cf, c, &x->body);
		put_close(&x->body, ']');
		json_object_put(ticket);
	}
	put_close(&x->body, '}');
	return sound;
}

/* NIG: PUT cpe/{ticketNo}/{networkElementName} */
static bool nig_make(const struct conf *cf, const struct call *c,
		     unsigned leg, const struct buf *answer,
		     struct exchange *x)
{
	(void)cf;
	(void)leg;
	(void)answer;
	x->method = "PUT";
	x->content_type = "application/json";
	buf_str(&x->path, "/cpe");
	path_add(&x->path, c->ticket_no);
	path_add(&x->path, c->element_name);
	put_open(&x->body, NULL, '{');
	put_cpe(&x->body, "current", c->cpe_from);
	put_cpe(&x->body, "new", c->cpe_to);
	put_str(&x->body, "actor", c->actor);
	put_close(&x->body, '}');
	return true;
}

/* The queue: POST jobs */
static bool queue_make(const struct conf *cf, const struct call *c,
		       unsigned leg, const struct buf *answer,
		       struct exchange *x)
{
	(void)cf;
	(void)leg;
	(void)answer;
	x->method = "POST";
	x->content_type = "application/json";
	buf_str(&x->path, "/jobs");
	buf_str(&x->body, c->body);
	return true;
}

const struct partner partner_taas = {"TaaS", "TAAS", taas_make, NULL};
const struct partner partner_tmf = {"TMF", "TMF", tmf_make, tmf_legs};
const struct partner partner_nig = {"NIG", "NIG", nig_make, NULL};
const struct partner partner_queue = {"the queue", "QUEUE", queue_make, NULL};

const struct partner *const partners[PARTNER__MAX] = {
	[PARTNER_TAAS] = &partner_taas,
	[PARTNER_TMF] = &partner_tmf,
	[PARTNER_NIG] = &partner_nig,
	[PARTNER_QUEUE] = &partner_queue,
};
