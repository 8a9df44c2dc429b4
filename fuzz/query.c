/*
 * fuzz/query.c - a path and a query string, on every route
 *
 * All is real up to the database, which has no rows. What a statement is asked
 * for is looked at, and has to be the same when it is asked for again with
 * every byte of every value percent-encoded.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "base/text.h"
#include "saga/saga.h"

/* The last document that a statement was given; NULL: there was none. */
static const char *asked;

enum rc __wrap_db_run(struct db *, enum sql, const struct buf *,
		      struct arena *, struct rows *, size_t);
void __wrap_saga_run(struct app *, const struct flow *, struct batch *);

static int64_t number(struct json_object *doc, const char *name, int64_t least,
		      int64_t most)
{
	struct json_object *v;
	int64_t n;

	assert(json_object_object_get_ex(doc, name, &v));
	assert(json_object_is_type(v, json_type_int));
	n = json_object_get_int64(v);
	assert(n >= least && n <= most);
	return n;
}

/* Text of so many bytes, or NULL: JSON's null. */
static const char *text(struct json_object *doc, const char *name, size_t least,
			size_t most)
{
	struct json_object *v;
	size_t n;

	assert(json_object_object_get_ex(doc, name, &v));
	if (!v)
		return NULL;
	assert(json_object_is_type(v, json_type_string));
	n = (size_t)json_object_get_string_len(v);
	assert(strlen(json_object_get_string(v)) == n);
	assert(text_utf8(json_object_get_string(v), n));
	n = text_chars(json_object_get_string(v), n);
	assert(n >= least && n <= most);
	return json_object_get_string(v);
}

static void add_encoded(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "&%s=", name);
	for (; *value; value++)
		buf_printf(b, "%%%02x", (unsigned char)*value);
}

/* The prefix that a pattern of LIKE stands for: nothing in it is wild but the
 * sign at its end. */
static const char *prefix_of(const char *pattern, struct arena *mem)
{
	char *to = arena_alloc(mem, strlen(pattern) + 1), *at = to;

	for (; *pattern && strcmp(pattern, "%"); pattern++) {
		assert(*pattern != '%' && *pattern != '_');
		if (*pattern == '\\')
			pattern++;
		assert(*pattern);
		*at++ = *pattern;
	}
	assert(*pattern == '%');
	return to;
}

static void add_number(struct json_object *doc, const char *name, int64_t least,
		       int64_t most, struct buf *query)
{
	struct json_object *v;
	char n[24];

	assert(json_object_object_get_ex(doc, name, &v));
	if (!v)
		return;
	snprintf(n, sizeof n, "%lld", (long long)number(doc, name, least,
							most));
	add_encoded(query, name, n);
}

static void add_text(struct json_object *doc, const char *name, size_t most,
		     struct buf *query)
{
	const char *value = text(doc, name, 0, most);

	/* what was of blanks alone is an empty one, which nobody can ask for */
	if (value)
		add_encoded(query, name, *value ? value : " ");
}

/* A time goes in with a zone, and to the database without. */
static void add_time(struct json_object *doc, const char *name,
		     struct arena *mem, struct buf *query)
{
	const char *value = text(doc, name, 23, 23);

	if (value)
		add_encoded(query, name, arena_printf(mem, "%sZ", value));
}

static void add_statuses(struct json_object *doc, struct arena *mem,
			 struct buf *query)
{
	struct json_object *all;
	struct buf list;

	assert(json_object_object_get_ex(doc, "status", &all));
	assert(json_object_is_type(all, json_type_array));
	assert(json_object_array_length(all) <= 8);
	buf_init(&list, mem);
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		const char *one = json_object_get_string(
			json_object_array_get_idx(all, i));

		assert(text_chars(one, strlen(one)) <= 32);
		buf_printf(&list, "%s%s", i ? "," : "", *one ? one : " ");
	}
	if (list.len)
		add_encoded(query, "status", list.s);
}

static void add_page(struct json_object *doc, struct buf *query)
{
	add_number(doc, "limit", 1, 200, query);
	add_number(doc, "after", 1, TICKET_ID_MAX - 1, query);
}

/* The cursor of a list by time, or by id. */
static void add_cursor(struct json_object *doc, struct arena *mem,
		       struct buf *query)
{
	const char *at;

	if (json_object_object_get_ex(doc, "after", NULL)) {
		add_page(doc, query);
		return;
	}
	add_number(doc, "limit", 1, 200, query);
	at = text(doc, "behindTime", 23, 23);
	assert(at);
	add_encoded(query, "after", arena_printf(mem, "%sZ-%lld", at, (long
		long)number(doc, "behindId", 1, TICKET_ID_MAX - 1)));
}

/* What a list of tickets is asked for, as the query that asks for it. */
static void list_query(struct json_object *doc, struct arena *mem,
		       struct buf *query)
{
	const char *q = text(doc, "q", 1, 2 * TICKET_NO_MAX + 1);
	struct json_object *linked = NULL;

	add_cursor(doc, mem, query);
	if (q) {
		q = prefix_of(q, mem);
		assert(text_chars(q, strlen(q)) <= TICKET_NO_MAX);
		add_encoded(query, "q", q);
	}
	add_text(doc, "ticketNo", TICKET_NO_MAX, query);
	add_statuses(doc, mem, query);
	add_time(doc, "updatedSince", mem, query);
	json_object_object_get_ex(doc, "linked", &linked);
	if (linked)
		add_encoded(query, "linked", number(doc, "linked", 0, 1) ?
						     "true" : "false");
}

static const char *query_of(enum sql sql, const char *asked_for,
			    struct arena *mem)
{
	struct json_object *doc;
	const char *error, *id;
	struct buf query;

	doc = json_read(asked_for, strlen(asked_for), &error);
	assert(!error && json_object_is_type(doc, json_type_object));
	buf_init(&query, mem);
	buf_str(&query, "");
	switch (sql) {
	case SQL_READ_NTT_CTTS:
	case SQL_READ_CPE_HISTORY:
		number(doc, "id", 1, TICKET_ID_MAX - 1);
		add_page(doc, &query);
		break;
	case SQL_LIST_CTT:
	case SQL_LIST_NTT:
		list_query(doc, mem, &query);
		break;
	case SQL_STATUS_LABELS: /* before the list that it is for */
		add_statuses(doc, mem, &query);
		break;
	case SQL_LIST_OPERATIONS:
		add_page(doc, &query);
		add_text(doc, "requestId", 64, &query);
		add_number(doc, "cttId", 1, TICKET_ID_MAX - 1, &query);
		add_number(doc, "nttId", 1, TICKET_ID_MAX - 1, &query);
		add_text(doc, "state", 16, &query);
		break;
	case SQL_LIST_AUDIT:
		add_page(doc, &query);
		add_number(doc, "cttId", 1, TICKET_ID_MAX - 1, &query);
		add_number(doc, "nttId", 1, TICKET_ID_MAX - 1, &query);
		add_text(doc, "actor", 128, &query);
		add_time(doc, "from", mem, &query);
		add_time(doc, "to", mem, &query);
		break;
	case SQL_READ_OPERATION:
		id = text(doc, "id", 1, 64);
		assert(id && !id[strspn(id, "0123456789-_abcdefghijklmnopqrst"
				"uvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")]);
		break;
	case SQL_READ_CTT:
	case SQL_READ_NTT:
		number(doc, "id", 1, TICKET_ID_MAX - 1);
		break;
	default:
		assert(false); /* a statement that has no checks here */
	}
	json_object_put(doc);
	return query.s;
}

static enum sql asked_sql;

enum rc __wrap_db_run(struct db *db, enum sql sql, const struct buf *param,
		      struct arena *mem, struct rows *sets, size_t most)
{
	(void)db;
	(void)mem;
	for (size_t i = 0; i < most; i++)
		sets[i] = (struct rows){0};
	if (param) {
		asked = param->s;
		asked_sql = sql;
	}
	return RC_OK;
}

/* A change has only ?dryRun: its items know whether it is one. */
void __wrap_saga_run(struct app *app, const struct flow *flow, struct batch *b)
{
	(void)app;
	(void)flow;
	batch_each (b, it)
		item_refuse(it, b->terms->dry_run ? CODE_CTT_NOT_FOUND :
						    CODE_NTT_NOT_FOUND,
			    "Looked at.");
}

static void check_round_trip(struct request rq)
{
	const char *first = asked;

	rq.query = query_of(asked_sql, first, rq.mem);
	rq.reply = (struct buf){0};
	asked = NULL;
	request_serve(&rq);
	assert(asked && !strcmp(asked, first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_open();
	struct request rq;

	asked = NULL;
	if (fuzz_request(data, size, mem, &rq)) {
		struct request as_it_came = rq;

		request_serve(&rq);
		check_answer(&rq);
		if (asked)
			check_round_trip(as_it_came);
	}
	arena_close(mem);
	return 0;
}
