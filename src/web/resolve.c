/*
 * web/resolve.c - resolve: its bodies and answers (contract section 6)
 */
#include <json-c/json.h>

#include "web/body.h"
#include "web/endpoint.h"
#include "web/outcome.h"

static void code_fields(struct errors *f, struct json_object *o,
			struct item *it)
{
	it->resolve = arena_alloc(f->mem, sizeof *it->resolve);
	for (int i = 0; i < RESOLVE_CODES; i++)
		it->resolve->code[i] = field_choice(f, resolve_code_name[i], o,
					      false);
	field_remark(f, o, &it->want.remark);
}

static void status_fields(struct errors *f, struct json_object *o,
			  struct item *it)
{
	field_ticket(f, "cttId", o, &it->want.ctt);
	code_fields(f, o, it);
	it->resolve->status = field_choice(f, "status", o, true);
}

static void activity_fields(struct errors *f, struct json_object *o,
			    struct item *it)
{
	status_fields(f, o, it);
	it->resolve->activity_id = field_whole(f, "activityId", o,
					 TICKET_ID_MAX - 1, true);
}

static bool read_status(struct request *rq, struct batch *b_r)
{
	if (!body_single(rq, b_r, status_fields))
		return false;
	b_r->it[0]->resolve->activity_id = rq->path_id;
	return true;
}

static bool read_status_bulk(struct request *rq, struct batch *b_r)
{
	return body_bulk(rq, b_r, activity_fields);
}

static bool read_resolve_tickets(struct request *rq, struct batch *b_r)
{
	struct errors f;
	struct json_object *o = body_begin(rq, &f);
	struct item common = {0};

	if (!o)
		return false;
	body_ctts(rq, &f, o, "ticketIds", false, b_r);
	code_fields(&f, o, &common);
	batch_each (b_r, it) {
		it->resolve = arena_alloc(rq->mem, sizeof *it->resolve);
		*it->resolve = *common.resolve;
		it->want.remark = common.want.remark;
	}
	return errors_reply(rq, &f);
}

static const char *status_outcome(const struct item *it)
{
	if (it->code == CODE_CTT_STATUS_TERMINAL ||
	    it->code == CODE_CTT_ALREADY_RESOLVED ||
	    it->code == CODE_DUPLICATE_ITEM)
		return outcome_skipped;
	if (item_is_pending(it))
		return outcome_pending;
	return item_succeeded(it) ? flow_resolve.done : outcome_of_failure(it);
}

static void put_activity(struct buf *b, const struct activity *a)
{
	put_open(b, "activity", '{');
	put_id(b, "id", a->id);
	put_str(b, "type", a->type);
	put_str(b, "status", a->status);
	for (int i = 0; i < RESOLVE_CODES; i++)
		put_str(b, resolve_code_name[i], a->code[i]);
	put_close(b, '}');
}

static void put_note(struct buf *b, const struct item *it)
{
	if (!it->want.remark)
		return;
	put_open(b, "note", '{');
	put_id(b, "id", it->resolve->note_id);
	put_str(b, "text", it->want.remark);
	put_close(b, '}');
}

static void reply_status(struct request *rq, const struct batch *b)
{
	const struct item *it = b->it[0];

	if (!reply_item_begin(rq, it))
		return;
	put_activity(&rq->reply, &it->resolve->stored);
	put_note(&rq->reply, it);
	reply_end(rq);
}

static void status_members(struct buf *b, const struct item *it)
{
	/* an item that is no object has none */
	const struct resolve *r = it->resolve, none = {0};
	const char *partner = it->sync.partner;

	if (!r)
		r = &none;
	put_ctt_names(b, it, "ticketNo");
	put_id(b, "activityId", r->stored.id ? r->stored.id : r->activity_id);
	put_str(b, "route", it->ctt && !partner ? "LOCAL" : partner);
	put_str(b, "remark", it->want.remark);
	if (it->code)
		put_item_error(b, it);
}

static void reply_status_bulk(struct request *rq, const struct batch *b)
{
	static const char *const counters[] = {"skipped", outcome_skipped, NULL};
	static const struct shape shape = {status_outcome, status_members,
					   counters};

	reply_aggregate(rq, b, &shape);
}

const struct endpoint status_one = {read_status, &flow_resolve, reply_status};
const struct endpoint status_many = {read_status_bulk, &flow_resolve,
				     reply_status_bulk};
const struct endpoint resolve_many = {read_resolve_tickets, &flow_resolve,
				      reply_status_bulk};
