/*
 * web/list.c - the lists, which are read page by page, and their filters
 *
 * The filters of the query become the parameter of the list's statement. All
 * errors are reported at once, by the names of the parameters.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "web/endpoint.h"
#include "web/query.h"
#include "web/reply.h"
#include "web/rows.h"

enum {
	PAGE = 50,
	PAGE_MAX = 200,
	STATUS_MAX = 32,
	STATUSES_MAX = 8, /* status0 to status7 of sql/list.sql */
	REQUEST_ID_MAX = 64,
	ACTOR_MAX = 128,
};

struct asked {
	struct request *rq;
	struct errors errors;
	struct buf doc;
	uint64_t limit;
	size_t nstatuses;
	const char *status[STATUSES_MAX];
};

static void wrong(struct asked *a, const char *name, const char *message)
{
	error_add(&a->errors, "", name, message);
}

/* The value of a parameter, of so many characters, or NULL: it is not given, or
 * is wrong. */
static const char *asked_value(struct asked *a, const char *name, size_t least,
			       size_t most)
{
	bool ok;
	const char *text = query_get(a->rq->query, name, a->rq->mem, &ok);
	size_t chars = text ? text_chars(text, strlen(text)) : least;

	if (ok && chars >= least && chars <= most)
		return text;
	wrong(a, name, arena_printf(a->rq->mem, "must be UTF-8 text of %zu to "
				    "%zu characters", least, most));
	return NULL;
}

static bool is_number(const char *text, uint64_t least, uint64_t most)
{
	size_t n = strlen(text);

	if (!n || n > 16 || strspn(text, "0123456789") < n)
		return false;
	return strtoull(text, NULL, 10) >= least &&
	       strtoull(text, NULL, 10) <= most;
}

static uint64_t asked_number(struct asked *a, const char *name, uint64_t least,
			     uint64_t most, uint64_t preset)
{
	bool ok;
	const char *text = query_get(a->rq->query, name, a->rq->mem, &ok);

	if (!text && ok)
		return preset;
	if (ok && is_number(text, least, most))
		return strtoull(text, NULL, 10);
	wrong(a, name, arena_printf(a->rq->mem, "must be a whole number from "
		"%llu to %llu", (unsigned long long)least,
		(unsigned long long)most));
	return preset;
}

/* Begin: what all lists can be asked for. */
static struct asked asked_begin(struct request *rq)
{
	struct asked a = {.rq = rq, .errors = errors_none(rq->mem)};

	buf_init(&a.doc, rq->mem);
	put_open(&a.doc, NULL, '{');
	a.limit = asked_number(&a, "limit", 1, PAGE_MAX, PAGE);
	put_id(&a.doc, "id", rq->path_id);
	put_int(&a.doc, "limit", (int64_t)a.limit);
	return a;
}

/* The cursor of most lists: an id. */
static void asked_after(struct asked *a)
{
	put_id(&a->doc, "after", asked_number(a, "after", 0,
					      TICKET_ID_MAX - 1, 0));
}

/* False: something was wrong, and the answer says what. */
static bool asked_end(struct asked *a)
{
	put_close(&a->doc, '}');
	return errors_reply(a->rq, &a->errors);
}

static uint64_t asked_id(struct asked *a, const char *name)
{
	uint64_t id = asked_number(a, name, 1, TICKET_ID_MAX - 1, 0);

	put_id(&a->doc, name, id);
	return id;
}

static const char *asked_text(struct asked *a, const char *name, size_t most)
{
	const char *text = asked_value(a, name, 1, most);

	put_str(&a->doc, name, text);
	return text;
}

/* A time as the database takes it, or NULL: it is none. */
static const char *utc_of(const char *text, struct arena *mem)
{
	char utc[CLOCK_TEXT];
	int64_t ms;

	if (!clock_read(text, &ms))
		return NULL;
	clock_text(ms, utc);
	return arena_strndup(mem, utc, CLOCK_TEXT - 2); /* without the Z */
}

/* The cursor of a list by the time of the last change: that time and an id, as
 * $cursor of sql/list.sql makes it. An id alone: only tickets behind it. */
static void asked_time_and_id(struct asked *a)
{
	bool ok;
	struct arena *mem = a->rq->mem;
	const char *text = query_get(a->rq->query, "after", mem, &ok);
	const char *id = text ? strrchr(text, '-') : NULL, *utc;

	if (!id || id == text || id[-1] != 'Z') {
		asked_after(a);
		return;
	}
	utc = utc_of(arena_strndup(mem, text, (size_t)(id - text)), mem);
	if (!utc || !is_number(id + 1, 1, TICKET_ID_MAX - 1))
		wrong(a, "after", "must be `next` of the previous page");
	put_str(&a->doc, "behindTime", utc);
	put_id(&a->doc, "behindId", strtoull(id + 1, NULL, 10));
}

static void asked_time(struct asked *a, const char *name)
{
	bool ok;
	const char *text = query_get(a->rq->query, name, a->rq->mem, &ok);
	const char *utc = text ? utc_of(text, a->rq->mem) : NULL;

	put_str(&a->doc, name, utc);
	if (!utc && (text || !ok))
		wrong(a, name, "must be a time with its zone, such as "
			       "2026-01-02T03:04:05.678Z");
}

static void asked_linked(struct asked *a)
{
	bool ok;
	const char *text = query_get(a->rq->query, "linked", a->rq->mem, &ok);
	bool is = text && !strcmp(text, "true");

	if (!ok || (text && !is && strcmp(text, "false")))
		wrong(a, "linked", "must be true or false");
	put_raw(&a->doc, "linked", !text ? NULL : is ? "1" : "0");
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

/* One status, or several with commas between them. */
static void asked_statuses(struct asked *a)
{
	enum { MOST = STATUSES_MAX * (STATUS_MAX + 1) - 1 };
	const char *text = asked_value(a, "status", 1, MOST);

	for (; text; text = *text ? text + 1 : NULL) {
		size_t len = strcspn(text, ","), chars = text_chars(text, len);

		if (a->nstatuses == STATUSES_MAX || !chars ||
		    chars > STATUS_MAX) {
			wrong(a, "status", "must be 1 to 8 statuses of 1 to 32 "
					   "characters, with commas between");
			return;
		}
		a->status[a->nstatuses++] = text_trim(a->rq->mem,
			arena_strndup(a->rq->mem, text, len));
		text += len;
	}
}

static void put_statuses(struct buf *b, const struct asked *a)
{
	put_open(b, "status", '[');
	for (size_t i = 0; i < a->nstatuses; i++)
		put_str(b, NULL, a->status[i]);
	put_close(b, ']');
}

/* Statuses of CTTs are what the list of values has, by code or label; a ticket
 * has the label. False: the answer is a problem. */
static bool label_statuses(struct asked *a)
{
	struct rows r;
	struct buf doc;

	if (!a->nstatuses || a->errors.list.len)
		return true;
	buf_init(&doc, a->rq->mem);
	put_open(&doc, NULL, '{');
	put_statuses(&doc, a);
	put_close(&doc, '}');
	if (!rows_read(a->rq, SQL_STATUS_LABELS, &doc, &r, 1))
		return false;
	for (size_t i = 0; i < a->nstatuses; i++) {
		const char *label = i < r.n ? ROW(status_label, &r, i)->label :
					      NULL;

		if (!label)
			wrong(a, "status", arena_printf(a->rq->mem, "%s is "
				"neither code nor label of a status of GET "
				"/ticket/lov", a->status[i]));
		a->status[i] = label;
	}
	return true;
}

/* Shows a row of a page. It returns the cursor of the page behind that row: an
 * id, or a text with a '-'. */
typedef const char *show_fn(struct buf *b, const struct rows *r, size_t i);

/* The page's rows, and the cursor of the next page if this one is full. */
static void list_reply(struct asked *a, const struct rows *r, show_fn *show)
{
	struct buf *b = &a->rq->reply;
	const char *next = NULL;

	put_open(b, "items", '[');
	for (size_t i = 0; i < r->n; i++) {
		put_open(b, NULL, '{');
		next = show(b, r, i);
		put_close(b, '}');
	}
	put_close(b, ']');
	if (r->n < a->limit)
		next = NULL;
	if (next && strchr(next, '-'))
		put_str(b, "next", next);
	else
		put_raw(b, "next", next);
	reply_end(a->rq);
}

/* ---- tickets ---- */

static const char *show_ctt(struct buf *b, const struct rows *r, size_t i)
{
	const struct ctt_listed_row *row = ROW(ctt_listed, r, i);

	put_ctt_row(b, &row->ctt, row->open_operation);
	return row->next;
}

static const char *show_ntt(struct buf *b, const struct rows *r, size_t i)
{
	const struct ntt_listed_row *row = ROW(ntt_listed, r, i);

	put_ntt_row(b, &row->ntt_shown);
	return row->next;
}

/* What both lists of tickets can be asked for, but for the statuses. */
static struct asked asked_tickets(struct request *rq)
{
	struct asked a = asked_begin(rq);
	const char *q = asked_value(&a, "q", 0, TICKET_NO_MAX);
	const char *no = asked_value(&a, "ticketNo", 1, TICKET_NO_MAX);

	q = q ? text_trim(rq->mem, q) : NULL;
	put_str(&a.doc, "q", q && *q ? like_prefix(q, rq->mem) : NULL);
	put_str(&a.doc, "ticketNo", no ? text_trim(rq->mem, no) : NULL);
	asked_linked(&a);
	asked_time(&a, "updatedSince");
	asked_time_and_id(&a);
	asked_statuses(&a);
	return a;
}

static void list_tickets(struct asked *a, enum sql sql, show_fn *show)
{
	struct rows r;

	put_statuses(&a->doc, a);
	if (!asked_end(a) || !rows_read(a->rq, sql, &a->doc, &r, 1))
		return;
	reply_begin(a->rq);
	list_reply(a, &r, show);
}

/* What belongs to the ticket of the path: it is there, or `missing` says so. */
static void list_of_ticket(struct request *rq, enum sql sql,
			   void (*missing)(struct request *), show_fn *show)
{
	struct asked a = asked_begin(rq);
	struct rows r[2];

	asked_after(&a);
	if (!asked_end(&a) || !rows_read(rq, sql, &a.doc, r, 2))
		return;
	if (!r[0].n) {
		missing(rq);
		return;
	}
	reply_begin(rq);
	list_reply(&a, &r[1], show);
}

void list_ctts(struct request *rq)
{
	struct asked a = asked_tickets(rq);

	if (label_statuses(&a))
		list_tickets(&a, SQL_LIST_CTT, show_ctt);
}

void list_ntts(struct request *rq)
{
	struct asked a = asked_tickets(rq);

	list_tickets(&a, SQL_LIST_NTT, show_ntt);
}

void list_ntt_ctts(struct request *rq)
{
	list_of_ticket(rq, SQL_READ_NTT_CTTS, ntt_missing, show_ctt);
}

/* ---- operations ---- */

static const char *show_operation(struct buf *b, const struct rows *r, size_t i)
{
	const struct operation_listed_row *row = ROW(operation_listed, r, i);

	put_operation_row(b, &row->operation);
	put_str(b, "partner", row->partner);
	put_str(b, "errorCode", row->error_code);
	put_str(b, "createdAt", row->created_at);
	put_str(b, "updatedAt", row->updated_at);
	return row->next;
}

static void put_counts(struct buf *b, const struct rows *r)
{
	put_open(b, "counts", '{');
	for (size_t i = 0; i < r->n; i++)
		put_raw(b, ROW(state_count, r, i)->state,
			ROW(state_count, r, i)->n);
	put_close(b, '}');
}

static const char *asked_state(struct asked *a)
{
	const char *state = asked_text(a, "state", 16);
	int i = OP_RUNNING;

	while (state && i < OP_STATE__MAX && strcmp(op_state_name[i], state))
		i++;
	if (i == OP_STATE__MAX)
		wrong(a, "state", "is not a state of an operation");
	return state;
}

void list_operations(struct request *rq)
{
	struct asked a = asked_begin(rq);
	const char *request = asked_text(&a, "requestId", REQUEST_ID_MAX);
	uint64_t ctt = asked_id(&a, "cttId"), ntt = asked_id(&a, "nttId");
	const char *state = asked_state(&a);
	struct rows r[2];

	asked_after(&a);
	if (!a.errors.list.len && !request && !ctt && !ntt && !state)
		wrong(&a, "requestId", "is needed, or one of cttId, nttId and "
				       "state");
	if (!asked_end(&a) ||
	    !rows_read(rq, SQL_LIST_OPERATIONS, &a.doc, r, 2))
		return;
	reply_begin(rq);
	if (request) {
		put_str(&rq->reply, "requestId", request);
		put_counts(&rq->reply, &r[0]);
	}
	list_reply(&a, &r[1], show_operation);
}

/* ---- what was done ---- */

static const char *show_audit(struct buf *b, const struct rows *r, size_t i)
{
	const struct audit_listed_row *row = ROW(audit_listed, r, i);

	put_audit_row(b, &row->audit);
	put_ticket(b, "ctt", row->ctt_id, row->ctt_ticket_no);
	put_ticket(b, "ntt", row->ntt_id, row->ntt_ticket_no);
	return row->audit.id;
}

void list_audit(struct request *rq)
{
	struct asked a = asked_begin(rq);
	uint64_t ctt = asked_id(&a, "cttId"), ntt = asked_id(&a, "nttId");
	struct rows r;

	asked_after(&a);
	asked_text(&a, "actor", ACTOR_MAX);
	asked_time(&a, "from");
	asked_time(&a, "to");
	if (ctt && ntt)
		wrong(&a, "nttId", "and cttId: an audit row has only one of "
				   "them");
	if (!asked_end(&a) || !rows_read(rq, SQL_LIST_AUDIT, &a.doc, &r, 1))
		return;
	reply_begin(rq);
	list_reply(&a, &r, show_audit);
}

static const char *show_history(struct buf *b, const struct rows *r, size_t i)
{
	const struct history_listed_row *row = ROW(history_listed, r, i);

	put_raw(b, "id", row->id);
	put_raw(b, "networkElementId", row->network_element_id);
	put_str(b, "networkElement", row->name);
	put_raw(b, "before", row->before_json);
	put_raw(b, "after", row->after_json);
	put_str(b, "actor", row->actor);
	put_str(b, "operationId", row->operation_id);
	put_str(b, "createdAt", row->created_at);
	return row->id;
}

void list_cpe_history(struct request *rq)
{
	list_of_ticket(rq, SQL_READ_CPE_HISTORY, ctt_missing, show_history);
}
