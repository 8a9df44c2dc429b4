#include "web/body.h"

#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "base/text.h"
#include "web/reply.h"

/* What is wrong with the fields: all of it is told at once. */
struct faults {
	struct arena *mem;
	struct buf list; /* elements of `errors` */
};

static void fault_add(struct faults *f, const char *prefix, const char *field,
		      const char *message)
{
	put_open(&f->list, NULL, '{');
	put_str(&f->list, "field", arena_printf(f->mem, "%s%s", prefix, field));
	put_str(&f->list, "message", message);
	put_close(&f->list, '}');
}

static bool faults_reply(struct request *rq, const struct faults *f)
{
	if (!f->list.len)
		return true;
	reply_problem_begin(rq, CODE_VALIDATION_FAILED, "Some fields are "
			    "missing or wrong; `errors` names each.");
	put_raw(&rq->reply, "errors",
		arena_printf(rq->mem, "[%s]", f->list.s));
	reply_problem_end(rq);
	return false;
}

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
		if (((unsigned char)*s < 0x20 && !strchr(allowed, *s)) ||
		    *s == 0x7f)
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

static void link_item(struct request *rq, struct faults *f, const char *prefix,
		      struct json_object *o, struct item *it)
{
	it->actor = rq->claims.sub;
	it->request_id = rq->id;
	ticket(f, prefix, "cttId", o, &it->ctt_ref);
	ticket(f, prefix, "nttId", o, &it->ntt_ref);
	remark(f, prefix, o, &it->remark);
}

static void faults_init(struct faults *f, struct request *rq)
{
	f->mem = rq->mem;
	buf_init(&f->list, rq->mem);
}

bool body_link(struct request *rq, struct batch *b_r)
{
	struct json_object *o = body_read(rq);
	struct faults f;

	if (!o)
		return false;
	faults_init(&f, rq);
	*b_r = batch_new(rq->mem, 1);
	link_item(rq, &f, "", o, b_r->it[0]);
	return faults_reply(rq, &f);
}

/* The `items` of a bulk body, or NULL and a fault. */
static struct json_object *bulk_items(struct request *rq, struct faults *f,
				      struct json_object *o)
{
	int64_t most = rq->app->conf->bulk_max_items;
	struct json_object *items;

	if (!json_object_object_get_ex(o, "items", &items))
		fault_add(f, "", "items", "is required");
	else if (!json_object_is_type(items, json_type_array))
		fault_add(f, "", "items", "must be an array");
	else if (!json_object_array_length(items) ||
		 (int64_t)json_object_array_length(items) > most)
		fault_add(f, "", "items", arena_printf(rq->mem, "must hold 1 "
			  "to %lld items", (long long)most));
	else
		return items;
	return NULL;
}

bool body_link_bulk(struct request *rq, struct batch *b_r)
{
	struct json_object *o = body_read(rq), *items;
	const char *common = NULL;
	struct faults f;

	if (!o)
		return false;
	faults_init(&f, rq);
	remark(&f, "", o, &common);
	items = bulk_items(rq, &f, o);
	*b_r = batch_new(rq->mem, items ? json_object_array_length(items) : 0);
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
		link_item(rq, &f, arena_printf(rq->mem, "%s.", prefix), v, it);
	}
	return faults_reply(rq, &f);
}
