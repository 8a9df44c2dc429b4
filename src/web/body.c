#include "web/body.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "base/text.h"
#include "web/query.h"
#include "web/reply.h"

enum { KEY_MAX = 128 };

static bool is_json(const char *content_type)
{
	static const char type[] = "application/json";
	size_t n = sizeof type - 1;

	return content_type && !strncasecmp(content_type, type, n) &&
	       (!content_type[n] || strchr("; \t", content_type[n]));
}

static void json_release(void *object)
{
	json_object_put(object);
}

/* The body as a JSON object, or NULL and a problem. */
static struct json_object *body_read(struct request *rq)
{
	struct json_object *o;
	const char *fault = NULL;

	if (rq->body_too_large) {
		reply_problem(rq, CODE_PAYLOAD_TOO_LARGE, "The body is larger "
			      "than 1 MiB; send fewer items at a time.");
		return NULL;
	}
	if (!is_json(rq->content_type)) {
		reply_problem(rq, CODE_UNSUPPORTED_MEDIA_TYPE, "Send the body "
			      "with Content-Type: application/json.");
		return NULL;
	}
	o = json_read(rq->body, rq->body_len, &fault);
	if (fault) {
		reply_problem(rq, CODE_MALFORMED_JSON, fault);
		return NULL;
	}
	arena_defer(rq->mem, json_release, o);
	if (!json_object_is_type(o, json_type_object)) {
		reply_problem_begin(rq, CODE_VALIDATION_FAILED, "The body must "
				    "be a JSON object.");
		put_raw(&rq->reply, "errors", "[{\"field\":\"\",\"message\":"
			"\"must be an object\"}]");
		reply_problem_end(rq);
		return NULL;
	}
	return o;
}

static bool has_control(const char *s, const char *allowed)
{
	for (; *s; s++)
		if (text_is_control(s) && !strchr(allowed, *s))
			return true;
	return false;
}

/* A ticket: an id, or a ticket number. */
static void ticket_value(struct faults *f, const char *prefix,
			 const char *field, struct json_object *v,
			 struct ref *ref_r)
{
	if (json_object_is_type(v, json_type_int)) {
		int64_t id = json_object_get_int64(v);

		if (id >= 1 && (uint64_t)id < TICKET_ID_MAX)
			ref_r->id = (uint64_t)id;
		else
			fault_add(f, prefix, field,
				  "must be between 1 and 9007199254740991");
	} else if (json_object_is_type(v, json_type_string)) {
		const char *no = json_object_get_string(v);
		size_t n = text_chars(no, strlen(no));

		if (n >= 1 && n <= TICKET_NO_MAX && !has_control(no, ""))
			ref_r->no = no;
		else
			fault_add(f, prefix, field, "must be a ticket number "
				  "of 1 to 64 printable characters");
	} else {
		fault_add(f, prefix, field, "must be a ticket's id (an integer)"
			  " or its ticket number (a string)");
	}
}

static void ticket(struct faults *f, const char *prefix, const char *field,
		   struct json_object *o, struct ref *ref_r)
{
	struct json_object *v;

	if (json_object_object_get_ex(o, field, &v))
		ticket_value(f, prefix, field, v, ref_r);
	else
		fault_add(f, prefix, field, "is required");
}

static void remark(struct faults *f, const char *prefix, struct json_object *o,
		   const char **remark_r)
{
	struct json_object *v;
	const char *text;

	if (!json_object_object_get_ex(o, "remark", &v) || !v)
		return;
	if (!json_object_is_type(v, json_type_string)) {
		fault_add(f, prefix, "remark", "must be a string");
		return;
	}
	text = json_object_get_string(v);
	if (text_chars(text, strlen(text)) > REMARK_MAX)
		fault_add(f, prefix, "remark",
			  "must be at most 2000 characters");
	else if (has_control(text, "\t\n"))
		fault_add(f, prefix, "remark", "must have no control "
			  "characters other than tab and newline");
	else
		*remark_r = text;
}

/* What every change may have beside its body: ?dryRun=true, and a key of 1
 * to 128 visible ASCII characters. */
static void options(struct faults *f, struct request *rq)
{
	const char *key = rq->idempotency_key, *dry;
	bool ok;

	*f = faults_none(rq->mem);
	dry = query_get(rq->query, "dryRun", rq->mem, &ok);
	rq->dry_run = dry && !strcmp(dry, "true");
	if (!ok || (dry && !rq->dry_run && strcmp(dry, "false")))
		fault_add(f, "", "dryRun", "must be true or false");
	if (!key)
		return;
	for (; *key > 0x20 && *key < 0x7f; key++)
		;
	if (*key || key == rq->idempotency_key ||
	    key - rq->idempotency_key > KEY_MAX)
		fault_add(f, "", "Idempotency-Key", "must be 1 to 128 visible "
			  "ASCII characters");
}

/* Who asks, for each item. */
static void sign(struct request *rq, struct batch *b)
{
	b->dry_run = rq->dry_run;
	batch_each (b, it) {
		it->actor = rq->claims.sub;
		it->request_id = rq->id;
	}
}

/* One kind of item: its fields, in an object of its own or among others. */
typedef void item_fields(struct faults *f, const char *prefix,
			 struct json_object *o, struct item *it);

static void link_fields(struct faults *f, const char *prefix,
			struct json_object *o, struct item *it)
{
	ticket(f, prefix, "cttId", o, &it->ctt_ref);
	ticket(f, prefix, "nttId", o, &it->ntt_ref);
	remark(f, prefix, o, &it->remark);
}

/* A whole number under this name; 0 if it is absent and need not be there. */
static uint64_t whole(struct faults *f, const char *prefix, const char *field,
		      struct json_object *o, uint64_t most, bool required)
{
	struct json_object *v;
	int64_t n = 0;

	if (!json_object_object_get_ex(o, field, &v) || (!v && !required)) {
		if (required)
			fault_add(f, prefix, field, "is required");
		return 0;
	}
	if (json_object_is_type(v, json_type_int))
		n = json_object_get_int64(v);
	if (n >= 1 && (uint64_t)n <= most)
		return (uint64_t)n;
	fault_add(f, prefix, field, arena_printf(f->mem, "must be a whole "
		  "number from 1 to %llu", (unsigned long long)most));
	return 0;
}

/* Text of 1 to `most` printable characters under this name; or NULL. */
static const char *text(struct faults *f, const char *prefix,
			const char *field, struct json_object *o, size_t most,
			bool required)
{
	struct json_object *v;
	const char *s;
	size_t n;

	if (!json_object_object_get_ex(o, field, &v) || (!v && !required)) {
		if (required)
			fault_add(f, prefix, field, "is required");
		return NULL;
	}
	if (json_object_is_type(v, json_type_string)) {
		s = json_object_get_string(v);
		n = text_chars(s, strlen(s));
		if (n >= 1 && n <= most && !has_control(s, ""))
			return s;
	}
	fault_add(f, prefix, field, arena_printf(f->mem, "must be text of 1 "
		  "to %zu printable characters", most));
	return NULL;
}

static void code_fields(struct faults *f, const char *prefix,
			struct json_object *o, struct item *it)
{
	it->resolve = arena_alloc(f->mem, sizeof *it->resolve);
	for (int i = 0; i < CODES_MAX; i++)
		it->resolve->code[i] = text(f, prefix, resolve_code_name[i],
					    o, CODE_MAX, false);
	remark(f, prefix, o, &it->remark);
}

static void status_fields(struct faults *f, const char *prefix,
			  struct json_object *o, struct item *it)
{
	ticket(f, prefix, "cttId", o, &it->ctt_ref);
	code_fields(f, prefix, o, it);
	it->resolve->status = text(f, prefix, "status", o, CODE_MAX, true);
}

static void activity_fields(struct faults *f, const char *prefix,
			    struct json_object *o, struct item *it)
{
	status_fields(f, prefix, o, it);
	it->resolve->activity_id = whole(f, prefix, "activityId", o,
					 TICKET_ID_MAX - 1, true);
}

/* A body that is one item. */
static bool single(struct request *rq, struct batch *b_r, item_fields *fields)
{
	struct json_object *o = body_read(rq);
	struct faults f;

	if (!o)
		return false;
	options(&f, rq);
	*b_r = batch_new(rq->mem, 1);
	sign(rq, b_r);
	fields(&f, "", o, b_r->it[0]);
	return faults_reply(rq, &f);
}

/* The array under this name with 1 to CTT_BULK_MAX_ITEMS elements, or NULL
 * and a fault. */
static struct json_object *bulk_array(struct request *rq, struct faults *f,
				      struct json_object *o, const char *name)
{
	int64_t most = rq->app->conf->bulk_max_items;
	struct json_object *items;

	if (!json_object_object_get_ex(o, name, &items))
		fault_add(f, "", name, "is required");
	else if (!json_object_is_type(items, json_type_array))
		fault_add(f, "", name, "must be an array");
	else if (!json_object_array_length(items) ||
		 (int64_t)json_object_array_length(items) > most)
		fault_add(f, "", name, arena_printf(rq->mem, "must hold 1 to "
			  "%lld items", (long long)most));
	else
		return items;
	return NULL;
}

static struct batch bulk_batch(struct request *rq, struct json_object *items)
{
	struct batch b = batch_new(rq->mem, items ?
				   json_object_array_length(items) : 0);

	sign(rq, &b);
	return b;
}

/* A body with an array of such items, and a remark for those without. */
static bool bulk(struct request *rq, struct batch *b_r, item_fields *fields)
{
	struct json_object *o = body_read(rq), *items;
	const char *common = NULL;
	struct faults f;

	if (!o)
		return false;
	options(&f, rq);
	remark(&f, "", o, &common);
	items = bulk_array(rq, &f, o, "items");
	*b_r = bulk_batch(rq, items);
	batch_each (b_r, it) {
		const char *prefix = arena_printf(rq->mem, "items[%zu]",
						  it->index);
		struct json_object *v =
			json_object_array_get_idx(items, it->index);

		if (!json_object_is_type(v, json_type_object)) {
			fault_add(&f, prefix, "", "must be an object");
			continue;
		}
		it->remark = common;
		fields(&f, arena_printf(rq->mem, "%s.", prefix), v, it);
	}
	return faults_reply(rq, &f);
}

bool body_link(struct request *rq, struct batch *b_r)
{
	return single(rq, b_r, link_fields);
}

bool body_link_bulk(struct request *rq, struct batch *b_r)
{
	return bulk(rq, b_r, link_fields);
}

static bool same_ref(const struct ref *a, const struct ref *b)
{
	return a->no ? b->no && !strcmp(a->no, b->no) : a->id && a->id == b->id;
}

/* An array of CTTs, an item each; `distinct`: none may be named twice. */
static void ctt_array(struct request *rq, struct faults *f,
		      struct json_object *o, const char *name, bool distinct,
		      struct batch *b_r)
{
	struct json_object *items = bulk_array(rq, f, o, name);

	*b_r = bulk_batch(rq, items);
	batch_each (b_r, it) {
		const char *field = arena_printf(rq->mem, "%s[%zu]", name,
						 it->index);

		ticket_value(f, "", field,
			     json_object_array_get_idx(items, it->index),
			     &it->ctt_ref);
		for (size_t i = 0; distinct && i < it->index; i++) {
			if (same_ref(&b_r->it[i]->ctt_ref, &it->ctt_ref)) {
				fault_add(f, "", field, "is named twice");
				break;
			}
		}
	}
}

/* One NTT under `name`, and CTTs: each an item. */
/* `force`: true or false; absent and null are false. */
static bool force(struct faults *f, struct json_object *o)
{
	struct json_object *v = json_object_object_get(o, "force");

	if (v && !json_object_is_type(v, json_type_boolean))
		fault_add(f, "", "force", "has to be true or false");
	return json_object_get_boolean(v);
}

static bool ctts_of_ntt(struct request *rq, struct batch *b_r,
			const char *name, bool distinct, bool may_force)
{
	struct json_object *o = body_read(rq);
	struct ref ntt = {0};
	const char *common = NULL;
	struct faults f;

	if (!o)
		return false;
	options(&f, rq);
	ticket(&f, "", name, o, &ntt);
	ctt_array(rq, &f, o, "cttIds", distinct, b_r);
	remark(&f, "", o, &common);
	b_r->force = may_force && force(&f, o);
	batch_each (b_r, it) {
		it->ntt_ref = ntt;
		it->remark = common;
		it->force = b_r->force;
	}
	return faults_reply(rq, &f);
}

bool body_unlink(struct request *rq, struct batch *b_r)
{
	bool good = ctts_of_ntt(rq, b_r, "nttId", true, true);

	b_r->all_or_none = true;
	return good && (!b_r->force || request_may(rq, MAY_ADMIN));
}

bool body_move(struct request *rq, struct batch *b_r)
{
	return ctts_of_ntt(rq, b_r, "ticketNo", false, false);
}

bool body_status(struct request *rq, struct batch *b_r)
{
	if (!single(rq, b_r, status_fields))
		return false;
	b_r->it[0]->resolve->activity_id = rq->path_id;
	return true;
}

bool body_status_bulk(struct request *rq, struct batch *b_r)
{
	return bulk(rq, b_r, activity_fields);
}

bool body_resolve_tickets(struct request *rq, struct batch *b_r)
{
	struct json_object *o = body_read(rq);
	struct item common = {0};
	struct faults f;

	if (!o)
		return false;
	options(&f, rq);
	ctt_array(rq, &f, o, "ticketIds", false, b_r);
	code_fields(&f, "", o, &common);
	batch_each (b_r, it) {
		it->resolve = arena_alloc(rq->mem, sizeof *it->resolve);
		*it->resolve = *common.resolve;
		it->remark = common.remark;
	}
	return faults_reply(rq, &f);
}

static bool is_unicast_4(unsigned char first)
{
	return first > 0 && first < 224;
}

/* An address that one customer's equipment can have. */
static bool is_unicast(const char *address)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, address, &four) == 1)
		return is_unicast_4(*(unsigned char *)&four);
	if (inet_pton(AF_INET6, address, &six) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&six))
		return is_unicast_4(six.s6_addr[12]);
	return !IN6_IS_ADDR_UNSPECIFIED(&six) && !IN6_IS_ADDR_MULTICAST(&six);
}

enum { CPE_TEXT_MAX = 64, ADDRESS_MAX = 45, PORT_MAX = 32,
       BANDWIDTH_MAX = 400000 };

static void cpe_new(struct faults *f, struct json_object *o, struct cpe *cpe)
{
	static const char port_chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789/:._-";

	cpe->manufacturer = text(f, "new.", "manufacturer", o, CPE_TEXT_MAX,
				 true);
	cpe->model = text(f, "new.", "model", o, CPE_TEXT_MAX, true);
	cpe->ip_address = text(f, "new.", "ipAddress", o, ADDRESS_MAX, true);
	cpe->port = text(f, "new.", "port", o, PORT_MAX, true);
	cpe->bandwidth_mbps = (int64_t)whole(f, "new.", "bandwidthMbps", o,
					     BANDWIDTH_MAX, true);
	if (cpe->ip_address && !is_unicast(cpe->ip_address))
		fault_add(f, "new.", "ipAddress",
			  "must be a unicast IPv4 or IPv6 address");
	if (cpe->port && cpe->port[strspn(cpe->port, port_chars)])
		fault_add(f, "new.", "port",
			  "must be of letters, digits and / : . _ -");
}

/* What the caller saw: whatever is stored is right here, NULL included. */
static void cpe_current(struct faults *f, struct json_object *o,
			struct cpe *cpe)
{
	cpe->manufacturer = text(f, "current.", "manufacturer", o,
				 CPE_TEXT_MAX, false);
	cpe->model = text(f, "current.", "model", o, CPE_TEXT_MAX, false);
	cpe->ip_address = text(f, "current.", "ipAddress", o, ADDRESS_MAX,
			       false);
	cpe->port = text(f, "current.", "port", o, PORT_MAX, false);
	cpe->bandwidth_mbps = (int64_t)whole(f, "current.", "bandwidthMbps",
					     o, UINT32_MAX, false);
}

static void cpe_fields(struct faults *f, const char *prefix,
		       struct json_object *o, struct item *it)
{
	struct cpe_update *u = arena_alloc(f->mem, sizeof *u);
	struct json_object *v;

	it->cpe = u;
	if (!json_object_object_get_ex(o, "new", &v))
		fault_add(f, prefix, "new", "is required");
	else if (json_object_is_type(v, json_type_object))
		cpe_new(f, v, &u->wanted);
	else
		fault_add(f, prefix, "new", "must be an object");
	if (json_object_object_get_ex(o, "current", &v) && v) {
		u->has_current = true;
		if (json_object_is_type(v, json_type_object))
			cpe_current(f, v, &u->current);
		else
			fault_add(f, prefix, "current", "must be an object");
	}
	u->element_id = whole(f, prefix, "networkElementId", o,
			      TICKET_ID_MAX - 1, false);
	remark(f, prefix, o, &it->remark);
}

bool body_cpe(struct request *rq, struct batch *b_r)
{
	if (!single(rq, b_r, cpe_fields))
		return false;
	b_r->it[0]->ctt_ref.id = rq->path_id;
	return true;
}
