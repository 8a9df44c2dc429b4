/*
 * web/cpe.c - the update of a customer's equipment: its body and answer
 * (contract section 7)
 */
#include <string.h>

#include <json-c/json.h>

#include "base/text.h"
#include "web/body.h"
#include "web/endpoint.h"
#include "web/outcome.h"

/* A text that can be stored, without the blanks around it; NULL: none. Whether
 * it is one that can be set is a gate's to say, which knows what is stored. */
static const char *storable(struct errors *f, const char *prefix,
			    const char *field, struct json_object *v,
			    size_t most)
{
	const char *s;

	if (!v)
		return NULL;
	if (json_object_is_type(v, json_type_string)) {
		s = text_trim(f->mem, json_object_get_string(v));
		if (text_chars(s, strlen(s)) <= most)
			return s;
	}
	error_add(f, prefix, field, arena_printf(f->mem, "must be text of at "
		  "most %zu characters", most));
	return NULL;
}

static int64_t storable_number(struct errors *f, const char *prefix,
			       const char *field, struct json_object *v)
{
	int64_t n = -1;

	if (!v)
		return 0;
	if (json_object_is_type(v, json_type_int))
		n = json_object_get_int64(v);
	if (n >= 0 && n <= UINT32_MAX)
		return n;
	error_add(f, prefix, field, arena_printf(f->mem, "must be a whole "
		  "number from 1 to %d", BANDWIDTH_MAX));
	return 0;
}

/* The facts that are named; returns which. */
static unsigned cpe_facts(struct errors *f, const char *prefix,
			  struct json_object *o, struct cpe *cpe)
{
	struct json_object *v;
	unsigned given = 0;

	for (int i = 0; i < CPE_TEXTS; i++) {
		const struct cpe_text *t = &cpe_text[i];

		if (!json_object_object_get_ex(o, t->name, &v))
			continue;
		*cpe_text_at(cpe, i) = storable(f, prefix, t->name, v, t->most);
		given |= 1U << i;
	}
	if (json_object_object_get_ex(o, "bandwidthMbps", &v)) {
		cpe->bandwidth_mbps = storable_number(f, prefix,
						      "bandwidthMbps", v);
		given |= 1U << CPE_BANDWIDTH;
	}
	return given;
}

static void cpe_fields(struct errors *f, struct json_object *o,
		       struct item *it)
{
	struct cpe_update *u = arena_alloc(f->mem, sizeof *u);
	struct json_object *v;

	it->cpe = u;
	if (!json_object_object_get_ex(o, "new", &v))
		error_add(f, "", "new", "is required");
	else if (!json_object_is_type(v, json_type_object))
		error_add(f, "", "new", "must be an object");
	else if (!(u->given = cpe_facts(f, "new.", v, &u->asked)))
		error_add(f, "", "new", "must name what is to be changed");
	if (json_object_object_get_ex(o, "current", &v) && v) {
		u->has_current = true;
		if (json_object_is_type(v, json_type_object))
			cpe_facts(f, "current.", v, &u->current);
		else
			error_add(f, "", "current", "must be an object");
	}
	u->element_id = field_whole(f, "networkElementId", o, TICKET_ID_MAX - 1,
			      false);
	field_remark(f, o, &it->want.remark);
}

static bool read_cpe(struct request *rq, struct batch *b_r)
{
	if (!body_single(rq, b_r, cpe_fields))
		return false;
	b_r->it[0]->want.ctt.id = rq->path_id;
	return true;
}

static void put_element(struct buf *b, const struct network_element *e)
{
	put_open(b, NULL, '{');
	put_id(b, "id", e->id);
	put_str(b, "name", e->name);
	put_str(b, "accessType", e->access_type);
	put_str(b, "manufacturer", e->cpe.manufacturer);
	put_str(b, "model", e->cpe.model);
	put_str(b, "ipAddress", e->cpe.ip_address);
	put_id(b, "bandwidthMbps", (uint64_t)e->cpe.bandwidth_mbps);
	put_str(b, "port", e->cpe.port);
	put_str(b, "updatedAt", e->updated_at);
	put_close(b, '}');
}

static void reply_cpe(struct request *rq, const struct batch *b)
{
	const struct item *it = b->it[0];
	const struct cpe_update *u = it->cpe;

	if (!reply_item_begin(rq, it))
		return;
	put_id(&rq->reply, "networkElementId", u->element->id);
	for (const struct network_element *e = it->ctt->elements; e;
	     e = e->next)
		if (e->id == u->element->id)
			put_cpe(&rq->reply, "cpe", &e->cpe);
	put_open(&rq->reply, "networkElements", '[');
	for (const struct network_element *e = it->ctt->elements; e;
	     e = e->next)
		put_element(&rq->reply, e);
	put_close(&rq->reply, ']');
	put_id(&rq->reply, "historyId", u->history_id);
	reply_end(rq);
}

const struct endpoint cpe_one = {read_cpe, &flow_cpe, reply_cpe};
