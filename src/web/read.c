#include "web/read.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "web/openapi.h"
#include "web/query.h"
#include "web/reply.h"

/* Run a statement for reading; false: the reply is a problem already. */
static bool read_rows(struct request *rq, enum sql sql, const struct buf *doc,
		      struct rows *sets, size_t n)
{
	enum rc rc = RC_DOUBT;

	/* a connection that the server had closed is made again, once */
	for (int i = 0; i < 2 && (rc == RC_DOUBT || rc == RC_AGAIN); i++)
		rc = db_run(rq->app->db, sql, doc, rq->mem, sets, n);
	if (rc != RC_OK)
		reply_db_failed(rq, rc);
	return rc == RC_OK;
}

static bool read_by_id(struct request *rq, enum sql sql, struct rows *sets,
		       size_t n)
{
	struct buf doc;

	buf_init(&doc, rq->mem);
	put_open(&doc, NULL, '{');
	put_id(&doc, "id", rq->path_id);
	put_close(&doc, '}');
	return read_rows(rq, sql, &doc, sets, n);
}

/* A row as an object: its columns in the order of `names`, a name per column.
 * A name that begins with '#' is a number, with '?' a truth, with '{' JSON. */
static void row_members(struct buf *b, const struct rows *r, size_t row,
			unsigned from, const char *const *names)
{
	for (unsigned c = from; *names; c++, names++) {
		const char *text = rows_text(r, row, c);

		switch (**names) {
		case '#':
		case '{':
			put_raw(b, *names + 1, text);
			break;
		case '?':
			put_bool(b, *names + 1, text && strcmp(text, "0"));
			break;
		default:
			put_str(b, *names, text);
		}
	}
}

static void row_array(struct buf *b, const char *key, const struct rows *r,
		      const char *const *names)
{
	put_open(b, key, '[');
	for (size_t i = 0; i < r->n; i++) {
		put_open(b, NULL, '{');
		row_members(b, r, i, 0, names);
		put_close(b, '}');
	}
	put_close(b, ']');
}

/* The first row as an object, or null. */
static void row_or_null(struct buf *b, const char *key, const struct rows *r,
			const char *const *names)
{
	if (!r->n) {
		put_raw(b, key, NULL);
		return;
	}
	put_open(b, key, '{');
	row_members(b, r, 0, 0, names);
	put_close(b, '}');
}

static const char *const audit_names[] = {
	"#id", "action", "outcome", "actor", "requestId", "operationId",
	"{detail", "createdAt", NULL,
};

/* Two columns, a ticket's id and number, as an object or null. */
static void ticket_or_null(struct buf *b, const char *key,
			   const struct rows *r, size_t row, unsigned col)
{
	if (!rows_text(r, row, col)) {
		put_raw(b, key, NULL);
		return;
	}
	put_open(b, key, '{');
	put_id(b, "id", rows_id(r, row, col));
	put_str(b, "ticketNo", rows_text(r, row, col + 1));
	put_close(b, '}');
}

/* id, kind, state, ctt_id, its number, ntt_id, its number */
static void operation_head(struct buf *b, const struct rows *r, size_t row)
{
	put_str(b, "operationId", rows_text(r, row, 0));
	put_str(b, "kind", rows_text(r, row, 1));
	put_str(b, "state", rows_text(r, row, 2));
	ticket_or_null(b, "ctt", r, row, 3);
	ticket_or_null(b, "ntt", r, row, 5);
}

void read_operation(struct request *rq)
{
	static const char *const before[] = {
		"partner", "actor", "requestId", NULL,
	};
	static const char *const behind[] = {
		"errorCode", "lastError", "createdAt", "updatedAt",
		"nextTryAt", NULL,
	};
	struct trace trace = {0};
	struct rows r;
	struct buf doc;
	enum kind kind;

	buf_init(&doc, rq->mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "id", rq->path_text);
	put_close(&doc, '}');
	if (!read_rows(rq, SQL_READ_OPERATION, &doc, &r, 1))
		return;
	if (!r.n) {
		reply_problem(rq, CODE_OPERATION_NOT_FOUND, arena_printf(
			rq->mem, "There is no operation %s.", rq->path_text));
		return;
	}
	reply_begin(rq);
	operation_head(&rq->reply, &r, 0);
	row_members(&rq->reply, &r, 0, 7, before);
	kind = kind_of(rows_text(&r, 0, 1));
	trace_read(&trace, rows_text(&r, 0, 10), rq->mem);
	if (kind != KIND__MAX)
		trace_show(&trace, kind_steps[kind], &rq->reply, "steps");
	row_members(&rq->reply, &r, 0, 11, behind);
	reply_end(rq);
}

/* A text in the query, or NULL. */
static const char *query_text(struct request *rq, struct faults *f,
			      const char *name, size_t most)
{
	bool ok;
	const char *text = query_get(rq->query, name, rq->mem, &ok);

	if (!ok || (text && text_chars(text, strlen(text)) > most))
		fault_add(f, "", name, arena_printf(rq->mem, "must be UTF-8 "
			  "text of at most %zu characters", most));
	return text;
}

void read_request_operations(struct request *rq)
{
	static const char *const names[] = {
		"partner", "errorCode", "createdAt", "updatedAt", NULL,
	};
	struct faults f = faults_none(rq->mem);
	const char *id = query_text(rq, &f, "requestId", 64);
	struct rows r[2];
	struct buf doc;

	if (!f.list.len && (!id || !*id))
		fault_add(&f, "", "requestId", "is required");
	if (!faults_reply(rq, &f))
		return;
	buf_init(&doc, rq->mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "requestId", id);
	put_close(&doc, '}');
	if (!read_rows(rq, SQL_READ_REQUEST, &doc, r, 2))
		return;
	reply_begin(rq);
	put_str(&rq->reply, "requestId", id);
	put_open(&rq->reply, "counts", '{');
	for (size_t i = 0; i < r[0].n; i++)
		put_raw(&rq->reply, rows_text(&r[0], i, 0),
			rows_text(&r[0], i, 1));
	put_close(&rq->reply, '}');
	put_open(&rq->reply, "items", '[');
	for (size_t i = 0; i < r[1].n; i++) {
		put_open(&rq->reply, NULL, '{');
		operation_head(&rq->reply, &r[1], i);
		row_members(&rq->reply, &r[1], i, 7, names);
		put_close(&rq->reply, '}');
	}
	put_close(&rq->reply, ']');
	put_raw(&rq->reply, "next", NULL);
	reply_end(rq);
}

/* The columns that every reading of CTTs begins with. */
static void ctt_members(struct buf *b, const struct rows *r, size_t row,
			bool open)
{
	struct ctt c = {
		.id = rows_id(r, row, 0),
		.ticket_no = rows_text(r, row, 1),
		.status = rows_text(r, row, 2),
		.source = rows_text(r, row, 3),
	};

	reply_ctt_members(b, &c, rows_id(r, row, 4), rows_text(r, row, 5),
			  open);
}

void read_ctt(struct request *rq)
{
	static const char *const more[] = {
		"title", "?externalSync", "segmentGroup", "resolvedAt",
		"createdAt", "updatedAt", NULL,
	};
	static const char *const operation[] = {
		"operationId", "kind", "state", "actor", "createdAt",
		"nextTryAt", "lastError", NULL,
	};
	static const char *const activity[] = {
		"#id", "type", "status", "causeCode", "disposition",
		"resolutionCode", "delayReason", "createdBy", "createdAt",
		NULL,
	};
	static const char *const note[] = {
		"#id", "#activityId", "text", "author", "createdAt", NULL,
	};
	static const char *const element[] = {
		"#id", "name", "accessType", "manufacturer", "model",
		"ipAddress", "#bandwidthMbps", "port", "updatedAt", NULL,
	};
	struct rows r[6];
	struct buf *b = &rq->reply;

	if (!read_by_id(rq, SQL_READ_CTT, r, 6))
		return;
	if (!r[0].n) {
		reply_problem(rq, CODE_CTT_NOT_FOUND, arena_printf(rq->mem,
			"There is no CTT %llu.",
			(unsigned long long)rq->path_id));
		return;
	}
	reply_begin(rq);
	put_open(b, "ctt", '{');
	ctt_members(b, &r[0], 0, r[1].n);
	row_members(b, &r[0], 0, 6, more);
	put_close(b, '}');
	row_or_null(b, "activity", &r[2], activity);
	row_array(b, "notes", &r[3], note);
	row_array(b, "networkElements", &r[4], element);
	row_array(b, "audit", &r[5], audit_names);
	row_or_null(b, "operation", &r[1], operation);
	reply_end(rq);
}

static void ntt_members(struct buf *b, const struct rows *r, size_t row)
{
	static const char *const names[] = {
		"#id", "ticketNo", "#cttCount", "title", "status", NULL,
	};

	row_members(b, r, row, 0, names);
}

static void ntt_missing(struct request *rq)
{
	reply_problem(rq, CODE_NTT_NOT_FOUND, arena_printf(rq->mem,
		      "There is no NTT %llu.",
		      (unsigned long long)rq->path_id));
}

void read_ntt(struct request *rq)
{
	static const char *const more[] = {"createdAt", "updatedAt", NULL};
	static const char *const order[] = {"#id", "orderNo", "status", NULL};
	struct rows r[3];
	struct buf *b = &rq->reply;

	if (!read_by_id(rq, SQL_READ_NTT, r, 3))
		return;
	if (!r[0].n) {
		ntt_missing(rq);
		return;
	}
	reply_begin(rq);
	put_open(b, "ntt", '{');
	ntt_members(b, &r[0], 0);
	row_members(b, &r[0], 0, 5, more);
	put_close(b, '}');
	row_array(b, "workOrders", &r[1], order);
	row_array(b, "audit", &r[2], audit_names);
	reply_end(rq);
}

enum { PAGE = 50, PAGE_MAX = 200, STATUS_MAX = 32 };

/* A number in the query, or this default. */
static uint64_t query_number(struct request *rq, struct faults *f,
			     const char *name, uint64_t least, uint64_t most,
			     uint64_t preset)
{
	bool ok;
	const char *text = query_get(rq->query, name, rq->mem, &ok);
	uint64_t n;

	if (!text && ok)
		return preset;
	if (ok && *text && strlen(text) <= 16 &&
	    strspn(text, "0123456789") == strlen(text)) {
		n = strtoull(text, NULL, 10);
		if (n >= least && n <= most)
			return n;
	}
	fault_add(f, "", name, arena_printf(rq->mem, "must be a whole number "
		  "from %llu to %llu", (unsigned long long)least,
		  (unsigned long long)most));
	return preset;
}

/* A pattern of LIKE that begins with exactly this text. */
static const char *like_prefix(const char *q, struct arena *mem)
{
	struct buf b;

	buf_init(&b, mem);
	for (; *q; q++)
		buf_printf(&b, strchr("%_\\", *q) ? "\\%c" : "%c", *q);
	buf_str(&b, "%");
	return b.s;
}

/* What a list was asked for, as the parameter of its statement. */
static bool list_doc(struct request *rq, struct buf *doc, uint64_t *limit_r)
{
	struct faults f = faults_none(rq->mem);
	uint64_t after = query_number(rq, &f, "after", 0, TICKET_ID_MAX - 1,
				      0);
	const char *q = query_text(rq, &f, "q", TICKET_NO_MAX);
	const char *status = query_text(rq, &f, "status", STATUS_MAX);
	bool ok;
	const char *linked = query_get(rq->query, "linked", rq->mem, &ok);

	*limit_r = query_number(rq, &f, "limit", 1, PAGE_MAX, PAGE);
	if (!ok || (linked && strcmp(linked, "true") &&
		    strcmp(linked, "false")))
		fault_add(&f, "", "linked", "must be true or false");
	if (!faults_reply(rq, &f))
		return false;
	buf_init(doc, rq->mem);
	put_open(doc, NULL, '{');
	put_id(doc, "id", rq->path_id);
	put_str(doc, "q", q ? like_prefix(q, rq->mem) : NULL);
	put_str(doc, "status", status);
	put_raw(doc, "linked", !linked ? NULL :
		strcmp(linked, "true") ? "0" : "1");
	put_int(doc, "after", (int64_t)after);
	put_int(doc, "limit", (int64_t)*limit_r);
	put_close(doc, '}');
	return true;
}

/* The page's rows, and the cursor of the next page if this one is full. */
static void list_reply(struct request *rq, const struct rows *r,
		       uint64_t limit, bool ctts)
{
	struct buf *b = &rq->reply;

	reply_begin(rq);
	put_open(b, "items", '[');
	for (size_t i = 0; i < r->n; i++) {
		put_open(b, NULL, '{');
		if (ctts)
			ctt_members(b, r, i, rows_text(r, i, 6));
		else
			ntt_members(b, r, i);
		put_close(b, '}');
	}
	put_close(b, ']');
	put_id(b, "next", r->n == limit ? rows_id(r, r->n - 1, 0) : 0);
	reply_end(rq);
}

void read_ntt_ctts(struct request *rq)
{
	struct rows r[2];
	struct buf doc;
	uint64_t limit;

	if (!list_doc(rq, &doc, &limit) ||
	    !read_rows(rq, SQL_READ_NTT_CTTS, &doc, r, 2))
		return;
	if (r[0].n)
		list_reply(rq, &r[1], limit, true);
	else
		ntt_missing(rq);
}

static void list(struct request *rq, enum sql sql, bool ctts)
{
	struct rows r;
	struct buf doc;
	uint64_t limit;

	if (list_doc(rq, &doc, &limit) && read_rows(rq, sql, &doc, &r, 1))
		list_reply(rq, &r, limit, ctts);
}

void list_ctts(struct request *rq)
{
	list(rq, SQL_LIST_CTT, true);
}

void list_ntts(struct request *rq)
{
	list(rq, SQL_LIST_NTT, false);
}

void read_lov(struct request *rq)
{
	static const char *const names[] = {"code", "label", NULL};
	struct buf *b = &rq->reply;
	struct rows r;

	if (!read_rows(rq, SQL_READ_LOV, NULL, &r, 1))
		return;
	reply_begin(rq);
	for (size_t i = 0; i < r.n; i++) {
		bool first = !i || strcmp(rows_text(&r, i, 0),
					  rows_text(&r, i - 1, 0));
		bool last = i + 1 == r.n || strcmp(rows_text(&r, i, 0),
						   rows_text(&r, i + 1, 0));

		if (first)
			put_open(b, rows_text(&r, i, 0), '[');
		put_open(b, NULL, '{');
		row_members(b, &r, i, 1, names);
		put_close(b, '}');
		if (last)
			put_close(b, ']');
	}
	reply_end(rq);
}

/* The document as it is written, to the byte. */
void read_openapi(struct request *rq)
{
	rq->status = 200;
	rq->reply_type = "application/json";
	buf_init(&rq->reply, rq->mem);
	buf_str(&rq->reply, openapi_json);
}

void read_healthz(struct request *rq)
{
	reply_begin(rq);
	put_str(&rq->reply, "status", "ok");
	reply_end(rq);
}

void read_readyz(struct request *rq)
{
	struct rows r;
	bool db, cache;

	db = read_rows(rq, SQL_PING, NULL, &r, 1);
	cache = cache_alive(rq->app->cache);
	if (db && cache) {
		reply_begin(rq);
		put_str(&rq->reply, "status", "ready");
	} else {
		reply_problem_begin(rq, CODE_NOT_READY, !db ?
			"The database is away: changes are refused." :
			"memcached is away: changes work, and unlink blocks "
			"are read from the journal.");
	}
	put_bool(&rq->reply, "database", db);
	put_bool(&rq->reply, "memcached", cache);
	reply_end(rq);
}

/* What the processes of this host know together. */
static void metrics_of_host(struct buf *b, const struct health *h)
{
	buf_printf(b, "# TYPE cttd_memcached_away counter\n"
		   "cttd_memcached_away %lu\n"
		   "# TYPE cttd_operations_assumed_total counter\n"
		   "cttd_operations_assumed_total %lu\n",
		   health_no_cache(h), health_assumed(h));
	buf_str(b, "# TYPE cttd_partner_broken gauge\n"
		   "# TYPE cttd_partner_waiting gauge\n");
	for (enum partner_id p = 0; p < PARTNER__MAX; p++)
		buf_printf(b, "cttd_partner_broken{partner=\"%s\"} %d\n"
			   "cttd_partner_waiting{partner=\"%s\"} %u\n",
			   partners[p]->code, health_is_broken(h, p),
			   partners[p]->code, health_waiting(h, p));
}

void read_metrics(struct request *rq)
{
	struct rows r;

	if (!read_rows(rq, SQL_METRICS, NULL, &r, 1))
		return;
	rq->status = 200;
	rq->reply_type = "text/plain; version=0.0.4";
	buf_init(&rq->reply, rq->mem);
	buf_str(&rq->reply, "# TYPE cttd_operations_open gauge\n"
			    "# TYPE cttd_jobs gauge\n");
	for (size_t i = 0; i < r.n; i++)
		buf_printf(&rq->reply, "%s %s\n", rows_text(&r, i, 0),
			   rows_text(&r, i, 1));
	metrics_of_host(&rq->reply, rq->app->health);
}
