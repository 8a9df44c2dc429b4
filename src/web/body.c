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

/* Is the body compressed? Such a body is not read. */
static bool is_packed(const char *encoding)
{
	return encoding && strcasecmp(encoding, "identity");
}

/* The body as a JSON object, or NULL and a problem. */
static struct json_object *body_read(struct request *rq)
{
	struct errors f = errors_none(rq->mem);
	struct json_object *o;
	const char *error = NULL;

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
	o = json_read(rq->body, rq->body_len, &error);
	if (error) {
		reply_problem(rq, CODE_MALFORMED_JSON, error);
		return NULL;
	}
	arena_defer(rq->mem, json_release, o);
	rq->json = o;
	if (json_object_is_type(o, json_type_object))
		return o;
	error_add(&f, "", "", "must be an object");
	errors_reply(rq, &f);
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
static void ticket_value(struct errors *f, const char *field,
			 struct json_object *v, struct ref *ref_r)
{
	if (json_object_is_type(v, json_type_int)) {
		int64_t id = json_object_get_int64(v);

		if (id >= 1 && (uint64_t)id < TICKET_ID_MAX)
			ref_r->id = (uint64_t)id;
		else
			error_add(f, "", field,
				  "must be between 1 and 9007199254740991");
	} else if (json_object_is_type(v, json_type_string)) {
		const char *no = text_trim(f->mem, json_object_get_string(v));
		size_t n = text_chars(no, strlen(no));

		if (n >= 1 && n <= TICKET_NO_MAX && !has_control(no, ""))
			ref_r->no = no;
		else
			error_add(f, "", field, "must be a ticket number "
				  "of 1 to 64 printable characters");
	} else {
		error_add(f, "", field, "must be a ticket's id (an integer)"
			  " or its ticket number (a string)");
	}
}

void field_ticket(struct errors *f, const char *field, struct json_object *o,
		  struct ref *ref_r)
{
	struct json_object *v;

	if (json_object_object_get_ex(o, field, &v))
		ticket_value(f, field, v, ref_r);
	else
		error_add(f, "", field, "is required");
}

void field_remark(struct errors *f, struct json_object *o,
		   const char **remark_r)
{
	struct json_object *v;
	const char *text;

	if (!json_object_object_get_ex(o, "remark", &v) || !v)
		return;
	if (!json_object_is_type(v, json_type_string)) {
		error_add(f, "", "remark", "must be a string");
		return;
	}
	text = text_lines(f->mem, json_object_get_string(v));
	if (text_chars(text, strlen(text)) > REMARK_MAX)
		error_add(f, "", "remark", "must be at most 2000 characters");
	else if (has_control(text, "\t\n"))
		error_add(f, "", "remark", "must have no control characters "
			  "other than tab and newline");
	else if (*text_trim(f->mem, text))
		*remark_r = text;
}

/* A caller that means to try out a change must not make it. */
static void no_dry_run(struct errors *f, struct json_object *o)
{
	if (json_object_object_get_ex(o, "dryRun", NULL))
		error_add(f, "", "dryRun", "is no member of a body; send it "
			  "in the query, ?dryRun=true");
}

/* Read what every change may have beside its body: ?dryRun=true, and a key of 1
 * to 128 visible ASCII characters. */
static void options(struct errors *f, struct request *rq,
		    struct json_object *o)
{
	const char *key = rq->idempotency_key, *dry;
	bool ok;

	*f = errors_none(rq->mem);
	dry = query_get(rq->query, "dryRun", rq->mem, &ok);
	rq->dry_run = dry && !strcmp(dry, "true");
	if (!ok || (dry && !rq->dry_run && strcmp(dry, "false")))
		error_add(f, "", "dryRun", "must be true or false");
	no_dry_run(f, o);
	if (!key)
		return;
	for (; *key > 0x20 && *key < 0x7f; key++)
		;
	if (*key || key == rq->idempotency_key ||
	    key - rq->idempotency_key > KEY_MAX)
		error_add(f, "", "Idempotency-Key", "must be 1 to 128 visible "
			  "ASCII characters");
}

struct json_object *body_begin(struct request *rq, struct errors *f)
{
	struct json_object *o = body_read(rq);

	if (o)
		options(f, rq, o);
	return o;
}

/* Note the caller in each item. */
static void sign(struct request *rq, struct batch *b)
{
	b->terms->dry_run = rq->dry_run;
	batch_each (b, it) {
		it->want.actor = rq->claims.actor;
		it->want.request_id = rq->id;
	}
}

/* An empty text means that nothing was chosen. */
static bool is_empty(struct json_object *v)
{
	return !v || (json_object_is_type(v, json_type_string) &&
		      !json_object_get_string_len(v));
}

uint64_t field_whole(struct errors *f, const char *field,
		     struct json_object *o, uint64_t most, bool required)
{
	struct json_object *v;
	int64_t n = 0;

	if (!json_object_object_get_ex(o, field, &v) ||
	    (is_empty(v) && !required)) {
		if (required)
			error_add(f, "", field, "is required");
		return 0;
	}
	if (json_object_is_type(v, json_type_int))
		n = json_object_get_int64(v);
	if (n >= 1 && (uint64_t)n <= most)
		return (uint64_t)n;
	error_add(f, "", field, arena_printf(f->mem, "must be a whole number "
		  "from 1 to %llu", (unsigned long long)most));
	return 0;
}

const char *field_choice(struct errors *f, const char *field,
			  struct json_object *o, bool required)
{
	struct json_object *v;
	const char *s;
	size_t n;

	if (!json_object_object_get_ex(o, field, &v) ||
	    (is_empty(v) && !required)) {
		if (required)
			error_add(f, "", field, "is required");
		return NULL;
	}
	if (json_object_is_type(v, json_type_string)) {
		s = json_object_get_string(v);
		n = text_chars(s, strlen(s));
		if (n >= 1 && n <= LABEL_MAX && !has_control(s, ""))
			return s;
	}
	error_add(f, "", field, arena_printf(f->mem, "must be text of 1 to %d "
		  "printable characters", LABEL_MAX));
	return NULL;
}

bool body_single(struct request *rq, struct batch *b_r, item_fields *fields)
{
	struct errors f;
	struct json_object *o = body_begin(rq, &f);

	if (!o)
		return false;
	*b_r = batch_new(rq->mem, 1);
	sign(rq, b_r);
	fields(&f, o, b_r->it[0]);
	return errors_reply(rq, &f);
}

/* The array under this name with 1 to CTT_BULK_MAX_ITEMS elements, or NULL
 * and an error. */
static struct json_object *bulk_array(struct request *rq, struct errors *f,
				      struct json_object *o, const char *name)
{
	int64_t most = rq->app->conf->bulk_max_items;
	struct json_object *items;

	if (!json_object_object_get_ex(o, name, &items))
		error_add(f, "", name, "is required");
	else if (!json_object_is_type(items, json_type_array))
		error_add(f, "", name, "must be an array");
	else if (!json_object_array_length(items) ||
		 (int64_t)json_object_array_length(items) > most)
		error_add(f, "", name, arena_printf(rq->mem, "must hold 1 to "
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

/* An item of a bulk that has errors fails alone: it has no operation. */
static void fail_wrong(struct item *it, const struct errors *f)
{
	if (!f->list.len)
		return;
	item_refuse(it, CODE_VALIDATION_FAILED, "Some fields of this item are "
		    "missing or wrong; `errors` names each.");
	it->error.list = arena_printf(f->mem, "[%s]", f->list.s);
	it->op_id = NULL;
}

bool body_bulk(struct request *rq, struct batch *b_r, item_fields *fields)
{
	struct errors f;
	struct json_object *o = body_begin(rq, &f), *items;
	const char *common = NULL;

	if (!o)
		return false;
	field_remark(&f, o, &common);
	items = bulk_array(rq, &f, o, "items");
	*b_r = bulk_batch(rq, items);
	batch_each (b_r, it) {
		struct errors own = errors_none(rq->mem);
		struct json_object *v =
			json_object_array_get_idx(items, it->index);

		it->want.remark = common;
		if (json_object_is_type(v, json_type_object)) {
			no_dry_run(&own, v);
			fields(&own, v, it);
		} else {
			error_add(&own, "", "", "must be an object");
		}
		fail_wrong(it, &own);
	}
	return errors_reply(rq, &f);
}

static bool same_ref(const struct ref *a, const struct ref *b)
{
	return a->no ? b->no && !strcmp(a->no, b->no) : a->id && a->id == b->id;
}

/* Does an earlier item of the batch name the same CTT? */
static bool is_repeated(const struct batch *b, const struct item *it)
{
	for (size_t i = 0; i < it->index; i++)
		if (same_ref(&b->it[i]->want.ctt, &it->want.ctt))
			return true;
	return false;
}

void body_ctts(struct request *rq, struct errors *f, struct json_object *o,
	       const char *name, bool together, struct batch *b_r)
{
	struct json_object *items = bulk_array(rq, f, o, name);

	*b_r = bulk_batch(rq, items);
	batch_each (b_r, it) {
		struct errors own = errors_none(rq->mem);
		struct errors *to = together ? f : &own;
		const char *field = arena_printf(rq->mem, "%s[%zu]", name,
						 it->index);

		ticket_value(to, field,
			     json_object_array_get_idx(items, it->index),
			     &it->want.ctt);
		if (together && is_repeated(b_r, it))
			error_add(f, "", field, "is named twice");
		fail_wrong(it, &own);
	}
}
