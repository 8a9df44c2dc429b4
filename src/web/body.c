#include "web/body.h"

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

/* A body that is packed is none that we read. */
static bool is_packed(const char *encoding)
{
	return encoding && strcasecmp(encoding, "identity");
}

/* The body as a JSON object, or NULL and a problem. */
static struct json_object *body_read(struct request *rq)
{
	struct faults f = faults_none(rq->mem);
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
	if (is_packed(rq->content_encoding)) {
		reply_problem(rq, CODE_UNSUPPORTED_MEDIA_TYPE, "Send the body "
			      "as it is, without Content-Encoding.");
		return NULL;
	}
	o = json_read(rq->body, rq->body_len, &fault);
	if (fault) {
		reply_problem(rq, CODE_MALFORMED_JSON, fault);
		return NULL;
	}
	arena_defer(rq->mem, json_release, o);
	rq->json = o;
	if (json_object_is_type(o, json_type_object))
		return o;
	fault_add(&f, "", "", "must be an object");
	faults_reply(rq, &f);
	return NULL;
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
		const char *no = text_trim(f->mem, json_object_get_string(v));
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

/* A remark of blanks is none: *remark_r stays as it is. */
static void remark(struct faults *f, struct json_object *o,
		   const char **remark_r)
{
	struct json_object *v;
	const char *text;

	if (!json_object_object_get_ex(o, "remark", &v) || !v)
		return;
	if (!json_object_is_type(v, json_type_string)) {
		fault_add(f, "", "remark", "must be a string");
		return;
	}
	text = text_lines(f->mem, json_object_get_string(v));
	if (text_chars(text, strlen(text)) > REMARK_MAX)
		fault_add(f, "", "remark", "must be at most 2000 characters");
	else if (has_control(text, "\t\n"))
		fault_add(f, "", "remark", "must have no control characters "
			  "other than tab and newline");
	else if (*text_trim(f->mem, text))
		*remark_r = text;
}

/* Whoever believes to try a change out must not make it. */
static void no_dry_run(struct faults *f, struct json_object *o)
{
	if (json_object_object_get_ex(o, "dryRun", NULL))
		fault_add(f, "", "dryRun", "is no member of a body; send it "
			  "in the query, ?dryRun=true");
}

/* What every change may have beside its body: ?dryRun=true, and a key of 1
 * to 128 visible ASCII characters. */
static void options(struct faults *f, struct request *rq,
		    struct json_object *o)
{
	const char *key = rq->idempotency_key, *dry;
	bool ok;

	*f = faults_none(rq->mem);
	dry = query_get(rq->query, "dryRun", rq->mem, &ok);
	rq->dry_run = dry && !strcmp(dry, "true");
	if (!ok || (dry && !rq->dry_run && strcmp(dry, "false")))
		fault_add(f, "", "dryRun", "must be true or false");
	no_dry_run(f, o);
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
typedef void item_fields(struct faults *f, struct json_object *o,
			 struct item *it);

static void link_fields(struct faults *f, struct json_object *o,
			struct item *it)
{
	ticket(f, "", "cttId", o, &it->ctt_ref);
	ticket(f, "", "nttId", o, &it->ntt_ref);
	remark(f, o, &it->remark);
}

/* An empty text is a choice that was not made. */
static bool is_empty(struct json_object *v)
{
	return !v || (json_object_is_type(v, json_type_string) &&
		      !json_object_get_string_len(v));
}

/* A whole number under this name; 0 if it is not given and need not be. */
static uint64_t whole(struct faults *f, const char *field,
		      struct json_object *o, uint64_t most, bool required)
{
	struct json_object *v;
	int64_t n = 0;

	if (!json_object_object_get_ex(o, field, &v) ||
	    (is_empty(v) && !required)) {
		if (required)
			fault_add(f, "", field, "is required");
		return 0;
	}
	if (json_object_is_type(v, json_type_int))
		n = json_object_get_int64(v);
	if (n >= 1 && (uint64_t)n <= most)
		return (uint64_t)n;
	fault_add(f, "", field, arena_printf(f->mem, "must be a whole number "
		  "from 1 to %llu", (unsigned long long)most));
	return 0;
}

/* A code or a label under this name; NULL if it is not given. */
static const char *choice(struct faults *f, const char *field,
			  struct json_object *o, bool required)
{
	struct json_object *v;
	const char *s;
	size_t n;

	if (!json_object_object_get_ex(o, field, &v) ||
	    (is_empty(v) && !required)) {
		if (required)
			fault_add(f, "", field, "is required");
		return NULL;
	}
	if (json_object_is_type(v, json_type_string)) {
		s = json_object_get_string(v);
		n = text_chars(s, strlen(s));
		if (n >= 1 && n <= LABEL_MAX && !has_control(s, ""))
			return s;
	}
	fault_add(f, "", field, arena_printf(f->mem, "must be text of 1 to %d "
		  "printable characters", LABEL_MAX));
	return NULL;
}

static void code_fields(struct faults *f, struct json_object *o,
			struct item *it)
{
	it->resolve = arena_alloc(f->mem, sizeof *it->resolve);
	for (int i = 0; i < CODES_MAX; i++)
		it->resolve->code[i] = choice(f, resolve_code_name[i], o,
					      false);
	remark(f, o, &it->remark);
}

static void status_fields(struct faults *f, struct json_object *o,
			  struct item *it)
{
	ticket(f, "", "cttId", o, &it->ctt_ref);
	code_fields(f, o, it);
	it->resolve->status = choice(f, "status", o, true);
}

static void activity_fields(struct faults *f, struct json_object *o,
			    struct item *it)
{
	status_fields(f, o, it);
	it->resolve->activity_id = whole(f, "activityId", o,
					 TICKET_ID_MAX - 1, true);
}

/* A body that is one item. */
static bool single(struct request *rq, struct batch *b_r, item_fields *fields)
{
	struct json_object *o = body_read(rq);
	struct faults f;

	if (!o)
		return false;
	options(&f, rq, o);
	*b_r = batch_new(rq->mem, 1);
	sign(rq, b_r);
	fields(&f, o, b_r->it[0]);
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

/* One of many that has faults fails alone: it has no operation. */
static void fail_faulty(struct item *it, const struct faults *f)
{
	if (!f->list.len)
		return;
	item_refuse(it, CODE_VALIDATION_FAILED, "Some fields of this item are "
		    "missing or wrong; `errors` names each.");
	it->errors = arena_printf(f->mem, "[%s]", f->list.s);
	it->op_id = NULL;
}

/* A body with an array of such items, and a remark for those without. */
static bool bulk(struct request *rq, struct batch *b_r, item_fields *fields)
{
	struct json_object *o = body_read(rq), *items;
	const char *common = NULL;
	struct faults f;

	if (!o)
		return false;
	options(&f, rq, o);
	remark(&f, o, &common);
	items = bulk_array(rq, &f, o, "items");
	*b_r = bulk_batch(rq, items);
	batch_each (b_r, it) {
		struct faults own = faults_none(rq->mem);
		struct json_object *v =
			json_object_array_get_idx(items, it->index);

		it->remark = common;
		if (json_object_is_type(v, json_type_object)) {
			no_dry_run(&own, v);
			fields(&own, v, it);
		} else {
			fault_add(&own, "", "", "must be an object");
		}
		fail_faulty(it, &own);
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

/* Is it named before, among the items of the batch? */
static bool is_repeated(const struct batch *b, const struct item *it)
{
	for (size_t i = 0; i < it->index; i++)
		if (same_ref(&b->it[i]->ctt_ref, &it->ctt_ref))
			return true;
	return false;
}

/* An array of CTTs, an item each. `together`: none may be named twice, and a
 * fault of one is one of all. */
static void ctt_array(struct request *rq, struct faults *f,
		      struct json_object *o, const char *name, bool together,
		      struct batch *b_r)
{
	struct json_object *items = bulk_array(rq, f, o, name);

	*b_r = bulk_batch(rq, items);
	batch_each (b_r, it) {
		struct faults own = faults_none(rq->mem);
		struct faults *to = together ? f : &own;
		const char *field = arena_printf(rq->mem, "%s[%zu]", name,
						 it->index);

		ticket_value(to, "", field,
			     json_object_array_get_idx(items, it->index),
			     &it->ctt_ref);
		if (together && is_repeated(b_r, it))
			fault_add(f, "", field, "is named twice");
		fail_faulty(it, &own);
	}
}

/* `force`: true or false; absent and null are false. */
static bool force(struct faults *f, struct json_object *o)
{
	struct json_object *v = json_object_object_get(o, "force");

	if (v && !json_object_is_type(v, json_type_boolean))
		fault_add(f, "", "force", "has to be true or false");
	return json_object_get_boolean(v);
}

/* One NTT under `name`, or else `other`, and CTTs: each an item. Only all
 * together can be forced. */
static bool ctts_of_ntt(struct request *rq, struct batch *b_r,
			const char *name, const char *other, bool together)
{
	struct json_object *o = body_read(rq);
	struct ref ntt = {0};
	const char *common = NULL;
	struct faults f;

	if (!o)
		return false;
	options(&f, rq, o);
	if (other && json_object_object_get_ex(o, other, NULL)) {
		ticket(&f, "", other, o, &ntt);
		if (json_object_object_get_ex(o, name, NULL))
			fault_add(&f, "", other, "says the same as another "
				  "field; send one of them");
	} else {
		ticket(&f, "", name, o, &ntt);
	}
	ctt_array(rq, &f, o, "cttIds", together, b_r);
	remark(&f, o, &common);
	b_r->force = together && force(&f, o);
	batch_each (b_r, it) {
		it->ntt_ref = ntt;
		it->remark = common;
		it->force = b_r->force;
	}
	return faults_reply(rq, &f);
}

bool body_unlink(struct request *rq, struct batch *b_r)
{
	bool good = ctts_of_ntt(rq, b_r, "nttId", NULL, true);

	b_r->all_or_none = true;
	return good && (!b_r->force || request_may(rq, MAY_ADMIN));
}

bool body_move(struct request *rq, struct batch *b_r)
{
	return ctts_of_ntt(rq, b_r, "ticketNo", "nttId", false);
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
	options(&f, rq, o);
	ctt_array(rq, &f, o, "ticketIds", false, b_r);
	code_fields(&f, o, &common);
	batch_each (b_r, it) {
		it->resolve = arena_alloc(rq->mem, sizeof *it->resolve);
		*it->resolve = *common.resolve;
		it->remark = common.remark;
	}
	return faults_reply(rq, &f);
}

/* A text that can be stored, without the blanks around it; NULL: none. Whether
 * it is one that can be set is a gate's to say, which knows what is stored. */
static const char *storable(struct faults *f, const char *prefix,
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
	fault_add(f, prefix, field, arena_printf(f->mem, "must be text of at "
		  "most %zu characters", most));
	return NULL;
}

static int64_t storable_number(struct faults *f, const char *prefix,
			       const char *field, struct json_object *v)
{
	int64_t n = -1;

	if (!v)
		return 0;
	if (json_object_is_type(v, json_type_int))
		n = json_object_get_int64(v);
	if (n >= 0 && n <= UINT32_MAX)
		return n;
	fault_add(f, prefix, field, arena_printf(f->mem, "must be a whole "
		  "number from 1 to %d", BANDWIDTH_MAX));
	return 0;
}

/* The facts that are named; returns which. */
static unsigned cpe_facts(struct faults *f, const char *prefix,
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

static void cpe_fields(struct faults *f, struct json_object *o,
		       struct item *it)
{
	struct cpe_update *u = arena_alloc(f->mem, sizeof *u);
	struct json_object *v;

	it->cpe = u;
	if (!json_object_object_get_ex(o, "new", &v))
		fault_add(f, "", "new", "is required");
	else if (!json_object_is_type(v, json_type_object))
		fault_add(f, "", "new", "must be an object");
	else if (!(u->given = cpe_facts(f, "new.", v, &u->asked)))
		fault_add(f, "", "new", "must name what is to be changed");
	if (json_object_object_get_ex(o, "current", &v) && v) {
		u->has_current = true;
		if (json_object_is_type(v, json_type_object))
			cpe_facts(f, "current.", v, &u->current);
		else
			fault_add(f, "", "current", "must be an object");
	}
	u->element_id = whole(f, "networkElementId", o, TICKET_ID_MAX - 1,
			      false);
	remark(f, o, &it->remark);
}

bool body_cpe(struct request *rq, struct batch *b_r)
{
	if (!single(rq, b_r, cpe_fields))
		return false;
	b_r->it[0]->ctt_ref.id = rq->path_id;
	return true;
}
