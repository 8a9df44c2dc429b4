/*
 * store/change.c - turns the changes of a batch into the parameters of SAVE and
 * CLOSE
 *
 * A row is written cell by cell, in the order of the columns in sql/change.sql:
 * as an array in a JSON array or, if the batch has a single item, with a
 * parameter for each cell.
 */
#include "store/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A parameter, to be filled; most stay NULL. */
static struct buf *param_of(struct change *ch, unsigned place)
{
	ch->param[place].mem = ch->mem;
	return &ch->param[place];
}

void change_init(struct change *ch, const struct conf *cf,
		 const struct batch *b)
{
	/* an item in doubt may get one job more than there are cells for */
	*ch = (struct change){
		.mem = b->mem,
		.conf = cf,
		.single = b->n == 1 && !b->it[0]->sync.past.doubted,
	};
	ch->counts = arena_array(b->mem, b->n, sizeof *ch->counts);
	ch->audits = arena_array(b->mem, b->n * 2, sizeof *ch->audits);
	ch->keys = arena_array(b->mem, b->n, sizeof *ch->keys);
	for (int t = 0; t < CHANGE__MAX; t++)
		put_open(param_of(ch, change_tables[t].param), NULL, '[');
}

/* ---- rows and cells ---- */

static void begin_row(struct change *ch, enum change_table table)
{
	const struct change_columns *t = &change_tables[table];
	size_t row = ch->rows[table]++;

	if (ch->single && t->most) {
		if (row == t->most)
			abort(); /* or the row would be lost silently */
		ch->doc = NULL;
		ch->shift = (unsigned)row * t->n;
	} else {
		ch->doc = &ch->param[t->param];
		ch->next = t->first;
		put_open(ch->doc, NULL, '[');
	}
}

static void end_row(struct change *ch)
{
	if (ch->doc)
		put_close(ch->doc, ']');
}

/* The place of the next cell in its row; the cells that were left out are null. */
static struct buf *next_cell(struct change *ch, enum cell c)
{
	if (ch->next > (unsigned)c)
		abort(); /* or the cells would be in each other's places */
	for (; ch->next < (unsigned)c; ch->next++)
		put_raw(ch->doc, NULL, NULL);
	ch->next++;
	return ch->doc;
}

/* The text is read only, and outlives the change. */
static void lend(struct buf *own, const char *text)
{
	own->s = (char *)text;
	own->len = strlen(text);
}

/* A cell: a text, JSON, a number, an id. A NULL, and an id of 0, are null. */
static void cell(struct change *ch, enum cell c, const char *text)
{
	if (ch->doc)
		put_str(next_cell(ch, c), NULL, text);
	else if (text)
		lend(param_of(ch, c + ch->shift), text);
}

static void cell_json(struct change *ch, enum cell c, const char *json)
{
	if (ch->doc)
		put_raw(next_cell(ch, c), NULL, json);
	else if (json)
		lend(param_of(ch, c + ch->shift), json);
}

static void cell_number(struct change *ch, enum cell c, int64_t value)
{
	if (ch->doc)
		put_int(next_cell(ch, c), NULL, value);
	else
		put_int(param_of(ch, c + ch->shift), NULL, value);
}

static void cell_ref(struct change *ch, enum cell c, uint64_t id)
{
	if (ch->doc)
		put_id(next_cell(ch, c), NULL, id);
	else if (id)
		put_id(param_of(ch, c + ch->shift), NULL, id);
}

/* ---- what a flow changes ---- */

static const char *steps_text(struct arena *mem, const struct item *it)
{
	struct buf steps;

	buf_init(&steps, mem);
	trace_write(&it->trace, kind_steps[it->kind], &steps, NULL);
	return steps.s;
}

static const char *error_of(const struct item *it)
{
	return it->code ? code_info[it->code].name : NULL;
}

void change_op_new(struct change *ch, const struct item *it,
		   const char *owner)
{
	begin_row(ch, CHANGE_NEW);
	cell(ch, CELL_NEW_ID, it->op_id);
	cell(ch, CELL_NEW_KIND, kind_name[it->kind]);
	cell(ch, CELL_NEW_STATE, op_state_name[it->state]);
	cell_ref(ch, CELL_NEW_CTT_ID, it->ctt ? it->ctt->id : 0);
	cell_ref(ch, CELL_NEW_NTT_ID, it->ntt ? it->ntt->id : 0);
	cell(ch, CELL_NEW_PARTNER, it->sync.partner);
	cell(ch, CELL_NEW_ACTOR, it->want.actor);
	cell(ch, CELL_NEW_REQUEST_ID, it->want.request_id);
	cell(ch, CELL_NEW_REMARK, it->want.remark);
	cell(ch, CELL_NEW_ERROR_CODE, error_of(it));
	cell(ch, CELL_NEW_OWNER, op_is_open(it->state) ? owner : NULL);
	cell_ref(ch, CELL_NEW_IDEMPOTENCY_ID, it->want.idempotency_id);
	cell_number(ch, CELL_NEW_ITEM_INDEX, (int64_t)it->index);
	cell_number(ch, CELL_NEW_MENDS, it->want.mends);
	cell_json(ch, CELL_NEW_INTENT, it->journal.intent);
	cell_json(ch, CELL_NEW_PARTNER_CALL, it->sync.call_json);
	cell_json(ch, CELL_NEW_STEPS, steps_text(ch->mem, it));
	end_row(ch);
}

static void cell_history(struct change *ch, const struct history *past)
{
	if (past->doubted)
		cell_number(ch, CELL_OP_DOUBT_MS,
			 clock_mono_ms() - past->doubted_at);
	cell_number(ch, CELL_OP_ACCEPTED, past->known == KNOWN_YES);
	cell_number(ch, CELL_OP_REFUSALS, past->refusals);
	cell_number(ch, CELL_OP_BODIES, past->bodies);
	cell_ref(ch, CELL_OP_BODY_HASH, past->body_hash);
}

void change_op(struct change *ch, const struct item *it, int64_t next_ms)
{
	begin_row(ch, CHANGE_OP);
	cell(ch, CELL_OP_ID, it->op_id);
	cell(ch, CELL_OP_WAS, op_state_name[it->was]);
	cell(ch, CELL_OP_OWNER, it->journal.owner);
	cell(ch, CELL_OP_STATE, op_state_name[it->state]);
	cell(ch, CELL_OP_ERROR_CODE, error_of(it));
	cell_number(ch, CELL_OP_TRIES, it->journal.tries);
	cell_number(ch, CELL_OP_NEXT_MS, next_ms);
	cell(ch, CELL_OP_WHY, it->journal.why);
	cell_history(ch, &it->sync.past);
	cell_number(ch, CELL_OP_ASSUMED, it->sync.assumed);
	cell_json(ch, CELL_OP_STEPS, steps_text(ch->mem, it));
	end_row(ch);
}

void change_key(struct change *ch, struct key *key)
{
	for (size_t i = 0; i < ch->nkeys; i++)
		if (ch->keys[i] == key)
			return;
	if (!key)
		return;
	ch->keys[ch->nkeys++] = key;
	begin_row(ch, CHANGE_KEY);
	cell_ref(ch, CELL_KEY_ID, key->id);
	cell(ch, CELL_KEY_ACTOR, key->actor);
	cell(ch, CELL_KEY_PATH, key->path);
	cell(ch, CELL_KEY_IDEM_KEY, key->text);
	cell(ch, CELL_KEY_BODY_HASH, key->body_hash);
	cell(ch, CELL_KEY_OWNER, key->owner);
	cell_number(ch, CELL_KEY_HELD, key->held);
	end_row(ch);
}

void change_link(struct change *ch, const struct ctt *ctt,
		 const struct ntt *ntt)
{
	begin_row(ch, CHANGE_LINK);
	cell_ref(ch, CELL_LINK_ID, ctt->id);
	cell_ref(ch, CELL_LINK_NTT_ID, ntt ? ntt->id : 0);
	cell(ch, CELL_LINK_NTT_TICKET_NO, ntt ? ntt->ticket_no : NULL);
	end_row(ch);
}

static void add_count(struct change *ch, uint64_t ntt_id, int by)
{
	for (size_t i = 0; i < ch->ncounts; i++) {
		if (ch->counts[i].ntt_id == ntt_id) {
			ch->counts[i].by += by;
			return;
		}
	}
	ch->counts[ch->ncounts++] = (struct count){ntt_id, by};
}

void change_count(struct change *ch, const struct ntt *ntt, int by)
{
	add_count(ch, ntt->id, by);
}

struct buf change_payload(const struct change *ch, const struct item *it)
{
	uint64_t ntt_id = it->ntt ? it->ntt->id : it->ctt->ntt_id;
	struct buf doc;

	buf_init(&doc, ch->mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "operationId", it->op_id);
	put_id(&doc, "cttId", it->ctt->id);
	put_str(&doc, "cttTicketNo", it->ctt->ticket_no);
	put_id(&doc, "nttId", ntt_id);
	put_str(&doc, "nttTicketNo", it->ntt ? it->ntt->ticket_no :
					       it->ctt->ntt_ticket_no);
	put_str(&doc, "actor", it->want.actor);
	put_str(&doc, "requestId", it->want.request_id);
	return doc;
}

void change_job(struct change *ch, const struct item *it, const char *type,
		const struct buf *payload, int64_t delay_ms)
{
	begin_row(ch, CHANGE_JOB);
	cell(ch, CELL_JOB_TYPE, type);
	cell(ch, CELL_JOB_DEDUPE_KEY,
	     arena_printf(ch->mem, "%s:%s", it->op_id, type));
	cell(ch, CELL_JOB_OWNER, it->journal.owner);
	cell_number(ch, CELL_JOB_DELAY_MS, delay_ms);
	cell_json(ch, CELL_JOB_PAYLOAD, payload->s);
	end_row(ch);
}

void change_status(struct change *ch, const struct item *it,
		   const char *status, enum step step)
{
	begin_row(ch, CHANGE_STATUS);
	cell_ref(ch, CELL_STATUS_ID, it->ctt->id);
	cell(ch, CELL_STATUS_OPERATION_ID, it->op_id);
	cell(ch, CELL_STATUS_STATUS, status);
	cell(ch, CELL_STATUS_STEP, step_name[step]);
	end_row(ch);
}

void change_activity(struct change *ch, const struct item *it,
		     const struct activity *a, const char *note)
{
	begin_row(ch, CHANGE_ACTIVITY);
	cell_ref(ch, CELL_ACTIVITY_CTT_ID, it->ctt->id);
	cell(ch, CELL_ACTIVITY_TYPE, a->type);
	cell(ch, CELL_ACTIVITY_STATUS, a->status);
	cell(ch, CELL_ACTIVITY_CAUSE_CODE, a->code[RESOLVE_CAUSE]);
	cell(ch, CELL_ACTIVITY_DISPOSITION, a->code[RESOLVE_DISPOSITION]);
	cell(ch, CELL_ACTIVITY_RESOLUTION_CODE, a->code[RESOLVE_RESOLUTION]);
	cell(ch, CELL_ACTIVITY_DELAY_REASON, a->code[RESOLVE_DELAY]);
	cell(ch, CELL_ACTIVITY_ACTOR, it->want.actor);
	cell(ch, CELL_ACTIVITY_OPERATION_ID, it->op_id);
	end_row(ch);
	if (!note)
		return;
	begin_row(ch, CHANGE_NOTE);
	cell(ch, CELL_NOTE_OPERATION_ID, it->op_id);
	cell(ch, CELL_NOTE_TEXT, note);
	end_row(ch);
}

void change_element(struct change *ch, const struct item *it)
{
	const struct network_element *e = it->cpe->element;

	begin_row(ch, CHANGE_ELEMENT_CHANGE);
	cell_ref(ch, CELL_ELEMENT_CHANGE_ID, e->id);
	cell_ref(ch, CELL_ELEMENT_CHANGE_CTT_ID, it->ctt->id);
	put_cpe(next_cell(ch, CELL_ELEMENT_CHANGE_BEFORE_JSON), NULL, &e->cpe);
	put_cpe(next_cell(ch, CELL_ELEMENT_CHANGE_AFTER_JSON), NULL,
		&it->cpe->wanted);
	cell(ch, CELL_ELEMENT_CHANGE_ACTOR, it->want.actor);
	cell(ch, CELL_ELEMENT_CHANGE_OPERATION_ID, it->op_id);
	end_row(ch);
}

static const char *audit_detail(struct arena *mem, const struct item *it,
				const char *ntt_no)
{
	const struct by_hand *hand = it->recovery.by_hand;
	struct buf doc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "cttTicketNo", it->ctt->ticket_no);
	put_str(&doc, "nttTicketNo", ntt_no);
	put_str(&doc, "partner", it->sync.partner);
	put_str(&doc, "remark", it->want.remark);
	if (it->journal.intent)
		put_raw(&doc, "intent", it->journal.intent);
	if (it->want.mends)
		put_bool(&doc, "mends", true);
	if (it->sync.assumed)
		put_bool(&doc, "assumed", true);
	if (it->sync.forced)
		put_str(&doc, "forced", it->sync.forced);
	if (hand) {
		put_open(&doc, "closedByHand", '{');
		put_str(&doc, "as", hand->done ? "done" : "undone");
		put_str(&doc, "by", hand->by);
		put_str(&doc, "reason", hand->reason);
		put_close(&doc, '}');
	}
	put_close(&doc, '}');
	return doc.s;
}

void change_audit(struct change *ch, const struct item *it,
		  const char *outcome, bool on_ntt)
{
	uint64_t ntt_id = it->ntt ? it->ntt->id : it->ctt->ntt_id;
	const char *no = it->ntt ? it->ntt->ticket_no : it->ctt->ntt_ticket_no;
	struct audit a = {
		.entity = "CTT",
		.id = it->ctt->id,
		.action = kind_name[it->kind],
		.outcome = outcome,
		.actor = it->want.actor,
		.request_id = it->want.request_id,
		.operation_id = it->op_id,
		.detail = audit_detail(ch->mem, it, no),
	};

	ch->audits[ch->naudits++] = a;
	if (!on_ntt || !ntt_id)
		return;
	add_count(ch, ntt_id, 0);
	a.entity = "NTT";
	a.id = ntt_id;
	ch->audits[ch->naudits++] = a;
}

static int by_ticket(const void *a, const void *b)
{
	const struct audit *x = a, *y = b;
	int of = strcmp(x->entity, y->entity);

	return of ? of : x->id < y->id ? -1 : x->id > y->id;
}

static void put_trail(struct change *ch, const struct audit *a)
{
	begin_row(ch, CHANGE_TRAIL);
	cell_ref(ch, CELL_TRAIL_ENTITY_ID, a->id);
	cell(ch, CELL_TRAIL_ENTITY_TYPE, a->entity);
	end_row(ch);
}

/* The rows of a ticket are sorted together; the first of them follows the last
 * row that the database has of this ticket. */
static void put_audits(struct change *ch, const char *key)
{
	qsort(ch->audits, ch->naudits, sizeof *ch->audits, by_ticket);
	for (size_t i = 0; i < ch->naudits; i++) {
		const struct audit *a = &ch->audits[i];
		bool first = !i || by_ticket(a, a - 1);

		if (first)
			put_trail(ch, a);
		begin_row(ch, CHANGE_AUDIT_ROW);
		if (first)
			cell_ref(ch, CELL_AUDIT_ROW_TRAIL,
				 ch->rows[CHANGE_TRAIL]);
		cell_ref(ch, CELL_AUDIT_ROW_ENTITY_ID, a->id);
		cell(ch, CELL_AUDIT_ROW_ENTITY_TYPE, a->entity);
		cell(ch, CELL_AUDIT_ROW_ACTION, a->action);
		cell(ch, CELL_AUDIT_ROW_OUTCOME, a->outcome);
		cell(ch, CELL_AUDIT_ROW_ACTOR, a->actor);
		cell(ch, CELL_AUDIT_ROW_REQUEST_ID, a->request_id);
		cell(ch, CELL_AUDIT_ROW_OPERATION_ID, a->operation_id);
		cell(ch, CELL_AUDIT_ROW_SEAL,
		     *key ? audit_seal(ch->mem, key, a) : NULL);
		cell_json(ch, CELL_AUDIT_ROW_DETAIL, a->detail);
		end_row(ch);
	}
}

static int by_count_id(const void *a, const void *b)
{
	const struct count *x = a, *y = b;

	return x->ntt_id < y->ntt_id ? -1 : x->ntt_id > y->ntt_id;
}

static void put_counts(struct change *ch)
{
	qsort(ch->counts, ch->ncounts, sizeof *ch->counts, by_count_id);
	for (size_t i = 0; i < ch->ncounts; i++) {
		begin_row(ch, CHANGE_COUNT);
		cell_ref(ch, CELL_COUNT_ID, ch->counts[i].ntt_id);
		cell_number(ch, CELL_COUNT_BY, ch->counts[i].by);
		end_row(ch);
	}
}

const struct buf *change_params(struct change *ch, const char *audit_key)
{
	put_audits(ch, audit_key);
	put_counts(ch);
	for (int t = 0; t < CHANGE__MAX; t++) {
		unsigned place = change_tables[t].param;

		put_close(&ch->param[place], ']');
		put_int(param_of(ch, place + 1), NULL, (int64_t)ch->rows[t]);
	}
	put_int(param_of(ch, P_CHANGE_SINGLE), NULL, ch->single);
	return ch->param;
}
