/*
 * partner/partners.c - what each partner is told: contract section 9
 */
#include <ctype.h>
#include <string.h>

#include <json-c/json.h>

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

/* TaaS: POST tickets/{ticketNo}/link, /unlink, /notes */
static bool taas_make(const struct conf *cf, const struct call *c,
		      unsigned leg, const struct buf *answer,
		      struct exchange *x)
{
	static const char *const word[] = {
		[VERB_LINK] = "link",
		[VERB_UNLINK] = "unlink",
		[VERB_NOTE] = "notes",
	};

	(void)cf;
	(void)leg;
	(void)answer;
	x->method = "POST";
	x->content_type = "application/json";
	buf_str(&x->path, "/tickets");
	path_add(&x->path, c->ticket_no);
	path_add(&x->path, word[c->verb]);
	if (c->body) {
		buf_str(&x->body, c->body);
		return true;
	}
	put_open(&x->body, NULL, '{');
	put_str(&x->body, "nttTicketNo", c->ntt_no);
	put_str(&x->body, "remark", c->remark);
	put_str(&x->body, "actor", c->actor);
	put_close(&x->body, '}');
	return true;
}

/*
 * TMF621. A PATCH replaces the whole array of relationships, so that they are
 * read first, and all but ours sent back as they came. Ours is the one that
 * names this NTT with our relationshipType; one that names another ticket is
 * somebody's, and stays.
 */
static unsigned tmf_legs(const struct call *c)
{
	return c->verb == VERB_LINK || c->verb == VERB_UNLINK ? 2 : 1;
}

static bool tmf_is_ours(const struct conf *cf, const struct call *c,
			struct json_object *relationship)
{
	struct json_object *id, *type;

	return json_object_object_get_ex(relationship, "id", &id) &&
	       json_object_object_get_ex(relationship, "relationshipType",
					 &type) &&
	       json_object_is_type(id, json_type_string) &&
	       json_object_is_type(type, json_type_string) &&
	       !strcmp(json_object_get_string(id), c->ntt_no) &&
	       !strcmp(json_object_get_string(type), cf->tmf_relationship);
}

static bool tmf_patch_body(const struct conf *cf, const struct call *c,
			   struct json_object *ticket, struct buf *body)
{
	struct json_object *old = NULL;
	size_t n = 0;

	if (!json_object_is_type(ticket, json_type_object))
		return false;
	json_object_object_get_ex(ticket, "troubleTicketRelationship", &old);
	if (old && !json_object_is_type(old, json_type_array))
		return false;
	if (old)
		n = json_object_array_length(old);
	put_open(body, NULL, '{');
	put_open(body, "troubleTicketRelationship", '[');
	for (size_t i = 0; i < n; i++) {
		struct json_object *r = json_object_array_get_idx(old, i);

		if (!json_object_is_type(r, json_type_object))
			return false;
		if (!tmf_is_ours(cf, c, r))
			put_raw(body, NULL, json_object_to_json_string_ext(
					 r, JSON_C_TO_STRING_PLAIN |
					 JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	if (c->verb == VERB_LINK) {
		put_open(body, NULL, '{');
		put_str(body, "id", c->ntt_no);
		put_str(body, "relationshipType", cf->tmf_relationship);
		put_close(body, '}');
	}
	put_close(body, ']');
	put_close(body, '}');
	return true;
}

static bool tmf_make(const struct conf *cf, const struct call *c,
		     unsigned leg, const struct buf *answer,
		     struct exchange *x)
{
	struct json_object *ticket;
	bool sound;

	buf_str(&x->path, "/troubleTicket");
	path_add(&x->path, c->ticket_no);
	x->content_type = "application/json;charset=utf-8";
	if (leg == 0) {
		x->method = "GET";
		x->reads = true;
		buf_str(&x->path, "?fields=troubleTicketRelationship");
		return true;
	}
	x->method = "PATCH";
	ticket = answer->len ? json_tokener_parse(answer->s) : NULL;
	sound = tmf_patch_body(cf, c, ticket, &x->body);
	json_object_put(ticket);
	return sound;
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
const struct partner partner_queue = {"the queue", "QUEUE", queue_make, NULL};

const struct partner *const partners[PARTNER__MAX] = {
	[PARTNER_TAAS] = &partner_taas,
	[PARTNER_TMF] = &partner_tmf,
	[PARTNER_QUEUE] = &partner_queue,
};
