/*
 * store/journal.c - rows to structs and back, a whole batch at a time
 */
#include "store/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void add_ids(struct buf *doc, const char *key, const struct batch *b,
		    const char *(*text)(const struct item *))
{
	put_open(doc, key, '[');
	batch_each (b, it) {
		const char *no = text(it);

		if (no)
			put_str(doc, NULL, no);
	}
	put_close(doc, ']');
}

static const char *ctt_no_to_find(const struct item *it)
{
	return it->ctt_ref.id ? NULL : it->ctt_ref.no;
}

static const char *ntt_no_to_find(const struct item *it)
{
	return it->ntt_ref.id ? NULL : it->ntt_ref.no;
}

/* The id that `rows` (id, number) have for exactly this number. */
static uint64_t id_of(const struct rows *rows, const char *no)
{
	for (size_t i = 0; i < rows->n; i++)
		if (!strcmp(rows_text(rows, i, 1), no))
			return rows_id(rows, i, 0);
	return 0;
}

enum rc store_ids(struct db *db, struct batch *b)
{
	struct rows found[2];
	struct buf doc;
	bool any = false;
	enum rc rc;

	batch_each (b, it)
		any = any || ctt_no_to_find(it) || ntt_no_to_find(it);
	if (!any)
		return RC_OK;
	buf_init(&doc, b->mem);
	put_open(&doc, NULL, '{');
	add_ids(&doc, "ctt", b, ctt_no_to_find);
	add_ids(&doc, "ntt", b, ntt_no_to_find);
	put_close(&doc, '}');
	rc = db_run(db, SQL_TICKET_IDS, &doc, b->mem, found, 2);
	if (rc != RC_OK)
		return rc;
	batch_each (b, it) {
		if (ctt_no_to_find(it))
			it->ctt_ref.id = id_of(&found[0], it->ctt_ref.no);
		if (ntt_no_to_find(it))
			it->ntt_ref.id = id_of(&found[1], it->ntt_ref.no);
	}
	return RC_OK;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The distinct ones of n ids, rising, less 0; as a JSON array. */
static void add_distinct(struct buf *doc, uint64_t *ids, size_t n)
{
	qsort(ids, n, sizeof *ids, by_id);
	put_open(doc, NULL, '[');
	for (size_t i = 0; i < n; i++)
		if (ids[i] && (!i || ids[i] != ids[i - 1]))
			put_int(doc, NULL, (int64_t)ids[i]);
	put_close(doc, ']');
}

/* The tables of what was read are in the order of ids, so that a ticket is
 * found by halving. */
static int by_ctt_id(const void *a, const void *b)
{
	return by_id(&((const struct ctt *)a)->id,
		     &((const struct ctt *)b)->id);
}

static int by_ntt_id(const void *a, const void *b)
{
	return by_id(&((const struct ntt *)a)->id,
		     &((const struct ntt *)b)->id);
}

static struct ctt *find_ctt(uint64_t id, struct ctt *c, size_t n)
{
	const struct ctt wanted = {.id = id};

	return n ? bsearch(&wanted, c, n, sizeof *c, by_ctt_id) : NULL;
}

static struct ntt *find_ntt(uint64_t id, struct ntt *t, size_t n)
{
	const struct ntt wanted = {.id = id};

	return n ? bsearch(&wanted, t, n, sizeof *t, by_ntt_id) : NULL;
}

/* The rows of a result set that begin with this word, less the word. They
 * stand together. */
static struct rows rows_of(const struct rows *all, const char *word)
{
	struct rows r = {.cols = all->cols};

	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(rows_text(all, i, 0), word))
			continue;
		if (!r.n++)
			r.cell = all->cell + i * all->cols + 1;
	}
	return r;
}

static struct ctt *read_ctts(const struct rows *r, struct arena *mem)
{
	struct ctt *c = arena_array(mem, r->n, sizeof *c);

	for (size_t i = 0; i < r->n; i++) {
		c[i].id = rows_id(r, i, 0);
		c[i].ticket_no = rows_text(r, i, 1);
		c[i].status = rows_text(r, i, 2);
		c[i].source = rows_text(r, i, 3);
		c[i].ntt_id = rows_id(r, i, 4);
		c[i].ntt_ticket_no = rows_text(r, i, 5);
		c[i].external_sync = rows_int(r, i, 6);
		c[i].segment_group = rows_text(r, i, 7);
		c[i].partner_ref = rows_text(r, i, 8);
	}
	return c;
}

/* ctt_id, id, kind, state, whether it is abandoned, milliseconds until it is
 * tried */
static void read_open(const struct rows *r, struct ctt *ctts, size_t n,
		      struct arena *mem)
{
	for (size_t i = 0; i < r->n; i++) {
		struct ctt *ctt = find_ctt(rows_id(r, i, 0), ctts, n);
		struct open_op *o;

		if (!ctt)
			continue;
		o = arena_alloc(mem, sizeof *o);
		o->id = rows_text(r, i, 1);
		o->kind = rows_text(r, i, 2);
		o->state = rows_text(r, i, 3);
		o->orphan = rows_int(r, i, 4) == 1;
		o->next_in_ms = rows_int(r, i, 5);
		ctt->open = o;
	}
}

/* A list with ids rising, each once. */
static void add_work_order(struct work_order **at, struct work_order *w)
{
	while (*at && (*at)->id < w->id)
		at = &(*at)->next;
	if (*at && (*at)->id == w->id)
		return;
	w->next = *at;
	*at = w;
}

/* id, ticket_no, count; id, order_no, status of a work order or none;
 * partner_ref, status: rows of one NTT become one */
static struct ntt *read_ntts(const struct rows *r, struct arena *mem,
			     size_t *n_r)
{
	struct ntt *t = arena_array(mem, r->n, sizeof *t);
	struct work_order *w;
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		t[i].id = rows_id(r, i, 0);
		t[i].ticket_no = rows_text(r, i, 1);
		t[i].ctt_count = rows_int(r, i, 2);
		t[i].partner_ref = rows_text(r, i, 6);
		t[i].status = rows_text(r, i, 7);
		if (!rows_text(r, i, 3))
			continue;
		w = t[i].work_orders = arena_alloc(mem, sizeof *w);
		w->id = rows_id(r, i, 3);
		w->order_no = rows_text(r, i, 4);
		w->status = rows_text(r, i, 5);
	}
	qsort(t, r->n, sizeof *t, by_ntt_id);
	for (size_t i = 0; i < r->n; i++) {
		w = t[i].work_orders;
		if (!n || t[n - 1].id != t[i].id)
			t[n++] = t[i];
		else if (w)
			add_work_order(&t[n - 1].work_orders, w);
	}
	*n_r = n;
	return t;
}

/* A pair's last settled change of late, if that was an unlink, blocks it: a
 * move that was put back has left no block. */
struct change_of_pair {
	uint64_t ctt_id, ntt_id, seq;
	int64_t block_ms; /* 0: it was a link */
};

static void find_block(struct item *it, const struct change_of_pair *c,
		       size_t n)
{
	const struct change_of_pair *last = NULL;

	for (size_t i = 0; i < n; i++)
		if (c[i].ctt_id == it->ctt_ref.id &&
		    c[i].ntt_id == it->ntt_ref.id &&
		    (!last || c[i].seq > last->seq))
			last = &c[i];
	if (last && last->block_ms > it->block_ms)
		it->block_ms = last->block_ms;
}

/* ctt_id, ntt_id, kind, seq, milliseconds left */
static void read_blocks(const struct rows *r, struct batch *b)
{
	struct change_of_pair *c = arena_array(b->mem, r->n, sizeof *c);

	for (size_t i = 0; i < r->n; i++)
		c[i] = (struct change_of_pair){
			.ctt_id = rows_id(r, i, 0),
			.ntt_id = rows_id(r, i, 1),
			.seq = rows_id(r, i, 3),
			.block_ms = kind_of(rows_text(r, i, 2)) ==
				OP_UNLINK ? rows_int(r, i, 4) : 0,
		};
	batch_each (b, it)
		find_block(it, c, r->n);
}

/* ctt_id, id, type, status, the codes */
static void read_activities(const struct rows *r, struct ctt *ctts, size_t n,
			    struct arena *mem)
{
	for (size_t i = 0; i < r->n; i++) {
		struct ctt *ctt = find_ctt(rows_id(r, i, 0), ctts, n);
		struct activity *a = arena_alloc(mem, sizeof *a);

		a->id = rows_id(r, i, 1);
		a->type = rows_text(r, i, 2);
		a->status = rows_text(r, i, 3);
		for (unsigned c = 0; c < CODES_MAX; c++)
			a->code[c] = rows_text(r, i, 4 + c);
		if (ctt)
			ctt->activity = a;
	}
}

struct network_element *store_element(const struct rows *r, size_t i,
				      unsigned col, struct arena *mem)
{
	struct network_element *e = arena_alloc(mem, sizeof *e);

	e->id = rows_id(r, i, col);
	e->name = rows_text(r, i, col + 1);
	e->access_type = rows_text(r, i, col + 2);
	e->cpe.manufacturer = rows_text(r, i, col + 3);
	e->cpe.model = rows_text(r, i, col + 4);
	e->cpe.ip_address = rows_text(r, i, col + 5);
	e->cpe.bandwidth_mbps = rows_int(r, i, col + 6);
	e->cpe.port = rows_text(r, i, col + 7);
	e->updated_at = rows_text(r, i, col + 8);
	return e;
}

/* A list with ids rising. */
static void add_element(struct ctt *ctt, struct network_element *e)
{
	struct network_element **at = &ctt->elements;

	while (*at && (*at)->id < e->id)
		at = &(*at)->next;
	e->next = *at;
	*at = e;
}

static void read_elements(const struct rows *r, struct ctt *ctts, size_t n,
			  struct arena *mem)
{
	for (size_t i = 0; i < r->n; i++) {
		struct ctt *ctt = find_ctt(rows_id(r, i, 0), ctts, n);

		if (ctt)
			add_element(ctt, store_element(r, i, 1, mem));
	}
}

static void read_lov_rows(const struct rows *r, struct batch *b)
{
	struct lov *l = arena_array(b->mem, r->n, sizeof *l);

	for (size_t i = 0; i < r->n; i++)
		l[i] = (struct lov){rows_text(r, i, 0), rows_text(r, i, 1),
				    rows_text(r, i, 2)};
	b->lov = l;
	b->nlov = r->n;
}

enum rc store_load(struct db *db, enum sql load, struct batch *b)
{
	uint64_t *ctt_ids = arena_array(b->mem, b->n, sizeof *ctt_ids);
	uint64_t *ntt_ids = arena_array(b->mem, b->n * 3, sizeof *ntt_ids);
	struct rows all, rows;
	struct buf param[6], *pairs = &param[DB_PARAM('c')];
	struct ctt *ctts;
	struct ntt *ntts;
	enum rc rc;
	size_t n = 0, nntts = 0;

	for (int i = 0; i < 6; i++)
		buf_init(&param[i], b->mem);
	put_open(pairs, NULL, '[');
	batch_each (b, it) {
		ctt_ids[n++] = it->ctt_ref.id;
		ntt_ids[nntts++] = it->ntt_ref.id;
		ntt_ids[nntts++] = it->then_id;
		ntt_ids[nntts++] = it->else_id;
		if (b->block_ttl_s)
			buf_printf(pairs, "%s[%llu,%llu]", n > 1 ? "," : "",
				   (unsigned long long)it->ctt_ref.id,
				   (unsigned long long)it->ntt_ref.id);
	}
	put_close(pairs, ']');
	add_distinct(&param[DB_PARAM('a')], ctt_ids, n);
	add_distinct(&param[DB_PARAM('b')], ntt_ids, nntts);
	put_int(&param[DB_PARAM('d')], NULL, b->block_ttl_s);
	if (b->n == 1 && !b->it[0]->then_id && !b->it[0]->else_id) {
		put_int(&param[DB_PARAM('e')], NULL,
			(int64_t)b->it[0]->ctt_ref.id);
		put_int(&param[DB_PARAM('f')], NULL,
			(int64_t)b->it[0]->ntt_ref.id);
	}
	rc = db_run(db, load, param, b->mem, &all, 1);
	if (rc != RC_OK)
		return rc;
	rows = rows_of(&all, "ctt");
	ctts = read_ctts(&rows, b->mem);
	n = rows.n;
	rows = rows_of(&all, "open");
	read_open(&rows, ctts, n, b->mem);
	rows = rows_of(&all, "ntt");
	ntts = read_ntts(&rows, b->mem, &nntts);
	batch_each (b, it) {
		it->ctt = find_ctt(it->ctt_ref.id, ctts, n);
		it->ntt = find_ntt(it->ntt_ref.id, ntts, nntts);
		it->then_ntt = find_ntt(it->then_id, ntts, nntts);
		it->else_ntt = find_ntt(it->else_id, ntts, nntts);
		if (it->ctt)
			it->ctt->ntt = find_ntt(it->ctt->ntt_id, ntts, nntts);
	}
	rows = rows_of(&all, "pair");
	read_blocks(&rows, b);
	rows = rows_of(&all, "activity");
	read_activities(&rows, ctts, n, b->mem);
	rows = rows_of(&all, "lov");
	read_lov_rows(&rows, b);
	rows = rows_of(&all, "element");
	read_elements(&rows, ctts, n, b->mem);
	return RC_OK;
}

void store_cancel(struct db *db)
{
	db_text(db, "ROLLBACK"); /* a failure drops the connection: the same */
}

/* One of the parameters, to be filled; most are left NULL. */
static struct buf *param_of(struct change *ch, int place)
{
	ch->param[place].mem = ch->mem;
	return &ch->param[place];
}

void change_init(struct change *ch, const struct batch *b)
{
	/* what was in doubt may get one job more than there are cells for */
	*ch = (struct change){.mem = b->mem, .block_ttl_s = b->block_ttl_s,
			      .by_cells = b->n == 1 &&
					  !b->it[0]->past.doubted};
	ch->counts = arena_array(b->mem, b->n, sizeof *ch->counts);
	ch->audits = arena_array(b->mem, b->n * 2, sizeof *ch->audits);
	for (int i = 0; i < CHANGE__MAX; i++)
		put_open(param_of(ch, i), NULL, '[');
}

/* Begin a row: an object in a text. */
static struct buf *open_row(struct change *ch, enum change_doc which)
{
	struct buf *doc = &ch->param[which];

	ch->rows[which]++;
	put_open(doc, NULL, '{');
	return doc;
}

/* Begin and end a row of cells, which are members of an object or parameters of
 * their own. */
static void begin_cells(struct change *ch, enum change_doc which)
{
	/* what SQL_CLOSE has room for, and one item at most has */
	static const size_t most[CHANGE__MAX] = {
		[CHANGE_NEWS] = 1, [CHANGE_LINKS] = 1, [CHANGE_OPS] = 1,
		[CHANGE_JOBS] = 3, [CHANGE_AUDITS] = 2, [CHANGE_COUNTS] = 1,
	};

	if (!ch->by_cells)
		open_row(ch, which);
	else if (++ch->rows[which] > most[which])
		abort(); /* or it would be lost in silence */
}

static void end_cells(struct change *ch, enum change_doc which)
{
	if (!ch->by_cells)
		put_close(&ch->param[which], '}');
}

/* The next cell's own parameter; NULL: it is a member. */
static struct buf *own_cell(struct change *ch, enum change_doc which)
{
	if (!ch->by_cells)
		return NULL;
	return param_of(ch, (int)DB_CELL(which, ch->cells[which]++));
}

/* The text is read only, and outlives the change. */
static void lend(struct buf *own, const char *text)
{
	own->s = (char *)text;
	own->len = strlen(text);
}

/* A cell: a text, JSON, a number, an id. A NULL, and an id of 0, are null. */
static void cell(struct change *ch, enum change_doc which, const char *key,
		 const char *text)
{
	struct buf *own = own_cell(ch, which);

	if (!own)
		put_str(&ch->param[which], key, text);
	else if (text)
		lend(own, text);
}

static void cell_raw(struct change *ch, enum change_doc which, const char *key,
		     const char *json)
{
	struct buf *own = own_cell(ch, which);

	if (!json)
		return; /* a member that is null would be the text null */
	if (own)
		lend(own, json);
	else
		put_raw(&ch->param[which], key, json);
}

static void cell_int(struct change *ch, enum change_doc which, const char *key,
		     int64_t value)
{
	struct buf *own = own_cell(ch, which);

	if (own)
		put_int(own, NULL, value);
	else
		put_int(&ch->param[which], key, value);
}

static void cell_id(struct change *ch, enum change_doc which, const char *key,
		    uint64_t id)
{
	struct buf *own = own_cell(ch, which);

	if (!own)
		put_id(&ch->param[which], key, id);
	else if (id)
		put_id(own, NULL, id);
}

static const char *steps_text(struct arena *mem, const struct item *it)
{
	struct buf steps;

	buf_init(&steps, mem);
	trace_write(&it->trace, kind_steps[it->kind], &steps, NULL);
	return steps.s;
}

void change_op_new(struct change *ch, const struct item *it,
		   const char *owner)
{
	const enum change_doc news = CHANGE_NEWS;

	begin_cells(ch, news);
	cell(ch, news, "id", it->op_id);
	cell(ch, news, "kind", kind_name[it->kind]);
	cell(ch, news, "state", op_state_name[it->state]);
	cell_id(ch, news, "cttId", it->ctt ? it->ctt->id : 0);
	cell_id(ch, news, "nttId", it->ntt ? it->ntt->id : 0);
	cell(ch, news, "partner", it->partner);
	cell(ch, news, "actor", it->actor);
	cell(ch, news, "requestId", it->request_id);
	cell(ch, news, "remark", it->remark);
	cell_raw(ch, news, "intent", it->intent);
	cell(ch, news, "error", it->code ? code_info[it->code].name : NULL);
	cell(ch, news, "owner", op_is_open(it->state) ? owner : NULL);
	cell_id(ch, news, "idempotencyId", it->idempotency_id);
	cell_int(ch, news, "index", (int64_t)it->index);
	cell_raw(ch, news, "steps", steps_text(ch->mem, it));
	cell_raw(ch, news, "call", it->partner_call);
	cell_int(ch, news, "mends", it->mends);
	end_cells(ch, news);
}

static void cell_history(struct change *ch, enum change_doc ops,
			 const struct history *past)
{
	if (past->doubted)
		cell_int(ch, ops, "doubtMs",
			 clock_mono_ms() - past->doubted_at);
	else
		cell(ch, ops, "doubtMs", NULL);
	cell_int(ch, ops, "accepted", past->known == KNOWN_YES);
	cell_int(ch, ops, "refusals", past->refusals);
	cell_int(ch, ops, "bodies", past->bodies);
	cell_id(ch, ops, "bodyHash", past->body_hash);
}

void change_op(struct change *ch, const struct item *it, int64_t next_ms)
{
	const enum change_doc ops = CHANGE_OPS;

	begin_cells(ch, ops);
	cell(ch, ops, "id", it->op_id);
	cell(ch, ops, "was", op_state_name[it->was]);
	cell(ch, ops, "state", op_state_name[it->state]);
	cell(ch, ops, "error", it->code ? code_info[it->code].name : NULL);
	cell_int(ch, ops, "tries", it->tries);
	cell_int(ch, ops, "nextMs", next_ms);
	cell(ch, ops, "why", it->note);
	cell_raw(ch, ops, "steps", steps_text(ch->mem, it));
	cell_history(ch, ops, &it->past);
	cell_int(ch, ops, "assumed", it->assumed);
	cell(ch, ops, "owner", it->owner);
	end_cells(ch, ops);
}

void change_link(struct change *ch, const struct ctt *ctt,
		 const struct ntt *ntt)
{
	const enum change_doc links = CHANGE_LINKS;

	begin_cells(ch, links);
	cell_id(ch, links, "id", ctt->id);
	cell_id(ch, links, "nttId", ntt ? ntt->id : 0);
	cell(ch, links, "nttTicketNo", ntt ? ntt->ticket_no : NULL);
	end_cells(ch, links);
}

static void count(struct change *ch, uint64_t ntt_id, int by)
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
	count(ch, ntt->id, by);
}

void change_job(struct change *ch, const struct item *it, const char *type,
		const struct buf *payload, int64_t delay_ms)
{
	const enum change_doc jobs = CHANGE_JOBS;

	begin_cells(ch, jobs);
	cell(ch, jobs, "type", type);
	cell(ch, jobs, "dedupeKey",
	     arena_printf(ch->mem, "%s:%s", it->op_id, type));
	cell_raw(ch, jobs, "payload", payload->s);
	cell_int(ch, jobs, "delayMs", delay_ms);
	end_cells(ch, jobs);
}

void change_status(struct change *ch, const struct item *it,
		   const char *status)
{
	struct buf *doc = open_row(ch, CHANGE_STATUSES);

	put_id(doc, "id", it->ctt->id);
	put_str(doc, "op", it->op_id);
	put_str(doc, "status", status);
	put_close(doc, '}');
}

void change_activity(struct change *ch, const struct item *it,
		     const struct activity *a, const char *note)
{
	struct buf *doc = open_row(ch, CHANGE_ACTIVITIES);

	put_str(doc, "operationId", it->op_id);
	put_id(doc, "cttId", it->ctt->id);
	put_str(doc, "type", a->type);
	put_str(doc, "status", a->status);
	for (int i = 0; i < CODES_MAX; i++)
		put_str(doc, resolve_code_name[i], a->code[i]);
	put_str(doc, "actor", it->actor);
	put_close(doc, '}');
	if (!note)
		return;
	doc = open_row(ch, CHANGE_NOTES);
	put_str(doc, "operationId", it->op_id);
	put_str(doc, "text", note);
	put_close(doc, '}');
}

void change_element(struct change *ch, const struct item *it)
{
	struct buf *doc = open_row(ch, CHANGE_ELEMENTS);

	put_id(doc, "id", it->cpe->element->id);
	put_id(doc, "cttId", it->ctt->id);
	put_cpe(doc, "before", &it->cpe->element->cpe);
	put_cpe(doc, "after", &it->cpe->wanted);
	put_str(doc, "actor", it->actor);
	put_str(doc, "operationId", it->op_id);
	put_close(doc, '}');
}

static const char *audit_detail(struct arena *mem, const struct item *it,
				const char *ntt_no)
{
	struct buf doc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "cttTicketNo", it->ctt->ticket_no);
	put_str(&doc, "nttTicketNo", ntt_no);
	put_str(&doc, "partner", it->partner);
	put_str(&doc, "remark", it->remark);
	if (it->intent)
		put_raw(&doc, "intent", it->intent);
	if (it->mends)
		put_bool(&doc, "mends", true);
	if (it->assumed)
		put_bool(&doc, "assumed", true);
	if (it->forced)
		put_str(&doc, "forced", it->forced);
	if (it->by_hand) {
		put_open(&doc, "closedByHand", '{');
		put_str(&doc, "as", it->by_hand->done ? "done" : "undone");
		put_str(&doc, "by", it->by_hand->by);
		put_str(&doc, "reason", it->by_hand->reason);
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
		.actor = it->actor,
		.request_id = it->request_id,
		.operation_id = it->op_id,
		.detail = audit_detail(ch->mem, it, no),
	};

	ch->audits[ch->naudits++] = a;
	if (!on_ntt || !ntt_id)
		return;
	count(ch, ntt_id, 0);
	a.entity = "NTT";
	a.id = ntt_id;
	ch->audits[ch->naudits++] = a;
}

static int by_ticket(const void *a, const void *b)
{
	const struct audit *x = a, *y = b;
	int of = strcmp(x->entity, y->entity);

	return of ? of : by_id(&x->id, &y->id);
}

/* Rows of one ticket stand together; the first of them follows the last one
 * that the database has of it. */
static void put_audits(struct change *ch, const char *key)
{
	const enum change_doc audits = CHANGE_AUDITS;

	qsort(ch->audits, ch->naudits, sizeof *ch->audits, by_ticket);
	for (size_t i = 0; i < ch->naudits; i++) {
		const struct audit *a = &ch->audits[i];

		begin_cells(ch, audits);
		cell_id(ch, audits, "id", a->id);
		cell(ch, audits, "type", a->entity);
		cell(ch, audits, "action", a->action);
		cell(ch, audits, "outcome", a->outcome);
		cell(ch, audits, "actor", a->actor);
		cell(ch, audits, "requestId", a->request_id);
		cell(ch, audits, "operationId", a->operation_id);
		cell_raw(ch, audits, "detail", a->detail);
		cell_int(ch, audits, "first", !i || by_ticket(a, a - 1));
		cell(ch, audits, "seal",
		     *key ? audit_seal(ch->mem, key, a) : NULL);
		end_cells(ch, audits);
	}
}

static int by_count_id(const void *a, const void *b)
{
	return by_id(&((const struct count *)a)->ntt_id,
		     &((const struct count *)b)->ntt_id);
}

static void put_counts(struct change *ch)
{
	const enum change_doc counts = CHANGE_COUNTS;

	qsort(ch->counts, ch->ncounts, sizeof *ch->counts, by_count_id);
	for (size_t i = 0; i < ch->ncounts; i++) {
		begin_cells(ch, counts);
		cell_id(ch, counts, "id", ch->counts[i].ntt_id);
		cell_int(ch, counts, "by", ch->counts[i].by);
		end_cells(ch, counts);
	}
}

/* Finish the parameters of a statement. */
static const struct buf *change_params(struct change *ch, const char *audit_key)
{
	put_audits(ch, audit_key);
	put_counts(ch);
	for (int i = 0; i < CHANGE__MAX; i++) {
		put_close(&ch->param[i], ']');
		put_int(param_of(ch, DB_PARAM('A') + i), NULL,
			(int64_t)ch->rows[i]);
	}
	put_int(param_of(ch, DB_PARAM('Z')), NULL, ch->by_cells);
	return ch->param;
}

enum rc store_save(struct db *db, struct change *ch)
{
	return db_run(db, SQL_SAVE, change_params(ch, ""), ch->mem, NULL, 0);
}

static struct item *find_op(const struct batch *b, const char *op_id)
{
	batch_each (b, it)
		if (!strcmp(it->op_id, op_id))
			return it;
	return NULL;
}

/* 1, and an NTT's id and count */
static void read_counts(const struct rows *r, const struct batch *b)
{
	for (size_t i = 0; i < r->n; i++)
		batch_each (b, it)
			if (it->ntt && it->ntt->id == rows_id(r, i, 1))
				it->ntt->ctt_count = rows_int(r, i, 2);
}

/* What SQL_CLOSE says of a row that it stored: operation, id, id, status */
static void read_stored(const struct rows *r, size_t i, const struct batch *b)
{
	struct item *it = find_op(b, rows_text(r, i, 0));

	if (it && it->resolve) {
		it->resolve->stored.id = rows_id(r, i, 1);
		it->resolve->note_id = rows_id(r, i, 2);
		it->ctt->status = rows_text(r, i, 3);
	}
	if (it && it->cpe)
		it->cpe->history_id = rows_id(r, i, 1);
}

/* Rows of elements: they are all there are of their CTTs. */
static void reread_elements(const struct rows *r, const struct batch *b)
{
	batch_each (b, it) {
		if (!it->cpe)
			continue;
		it->ctt->elements = NULL;
		for (size_t i = 0; i < r->n; i++) {
			if (rows_id(r, i, 0) == it->ctt->id)
				add_element(it->ctt,
					    store_element(r, i, 1, b->mem));
		}
	}
}

/* Whether nothing changes but operations, jobs, counts and the trail. */
static bool is_plain(const struct change *ch)
{
	return !ch->rows[CHANGE_NEWS] && !ch->rows[CHANGE_LINKS] &&
	       !ch->rows[CHANGE_STATUSES] && !ch->rows[CHANGE_ACTIVITIES] &&
	       !ch->rows[CHANGE_NOTES] && !ch->rows[CHANGE_ELEMENTS];
}

enum rc store_close(struct db *db, struct change *ch, const struct batch *b,
		    bool *won_r)
{
	struct rows r[4];
	enum rc rc = db_run(db, is_plain(ch) ? SQL_CLOSE : SQL_CLOSE_ALL,
			    change_params(ch, db_conf(db)->audit_key), ch->mem,
			    r, 4);

	*won_r = rc == RC_OK && r[0].n && rows_int(&r[0], 0, 0) == 1;
	if (*won_r)
		read_counts(&r[0], b);
	for (int set = 1; *won_r && set < 4; set++) {
		if (r[set].cols > 4)
			reread_elements(&r[set], b);
		else
			for (size_t i = 0; i < r[set].n; i++)
				read_stored(&r[set], i, b);
	}
	return rc;
}

/* {"op":[{"id"}...]} with more members to come. */
static void open_op_ids(struct buf *doc, const char *const *ids, size_t n)
{
	put_open(doc, NULL, '{');
	put_open(doc, "op", '[');
	for (size_t i = 0; i < n; i++) {
		put_open(doc, NULL, '{');
		put_str(doc, "id", ids[i]);
		put_close(doc, '}');
	}
	put_close(doc, ']');
}

static void batch_op_ids(struct buf *doc, const struct batch *b)
{
	const char **ids = arena_array(b->mem, b->n, sizeof *ids);
	size_t n = 0;

	batch_each (b, it)
		ids[n++] = it->op_id;
	buf_init(doc, b->mem);
	open_op_ids(doc, ids, n);
}

static bool is_owner(const struct item *it, const char *owner)
{
	return owner && it->owner && !strcmp(owner, it->owner);
}

enum rc store_peek(struct db *db, struct batch *b)
{
	struct rows r;
	struct buf doc;
	enum rc rc;

	batch_op_ids(&doc, b);
	put_close(&doc, '}');
	rc = db_run(db, SQL_OP_PEEK, &doc, b->mem, &r, 1);
	if (rc != RC_OK)
		return rc;
	batch_each (b, it) {
		it->was = OP_NONE;
		for (size_t i = 0; i < r.n; i++) {
			if (strcmp(rows_text(&r, i, 0), it->op_id))
				continue;
			it->was = op_state_of(rows_text(&r, i, 1));
			it->is_taken = !is_owner(it, rows_text(&r, i, 4));
			if (op_is_open(it->was))
				break;
			trace_read(&it->trace, rows_text(&r, i, 2), b->mem);
			it->code = code_of(rows_text(&r, i, 3));
			break;
		}
	}
	return RC_OK;
}

enum rc store_due(struct db *db, struct arena *mem, const char ***ids_r,
		  size_t *n_r)
{
	struct rows r;
	enum rc rc = db_run(db, SQL_OP_DUE, NULL, mem, &r, 1);

	*ids_r = r.cell; /* one column */
	*n_r = r.n;
	return rc;
}

/* What OP_CLAIM says of an operation. */
enum claimed {
	CL_ID, CL_KIND, CL_STATE, CL_CTT, CL_NTT, CL_ACTOR, CL_REQUEST,
	CL_REMARK, CL_INTENT, CL_STEPS, CL_UNDOING, CL_TRIES, CL_ERROR,
	CL_INDEX, CL_KEY, CL_CALL, CL_DOUBT_MS, CL_ACCEPTED, CL_REFUSALS,
	CL_BODIES, CL_BODY_HASH, CL_MENDS, CL_PARTNER
};

static void read_history(const struct rows *r, size_t i, struct history *past)
{
	past->doubted = rows_text(r, i, CL_DOUBT_MS);
	past->doubted_at = clock_mono_ms() - rows_int(r, i, CL_DOUBT_MS);
	past->known = rows_int(r, i, CL_ACCEPTED) ? KNOWN_YES :
		      past->doubted ? KNOWN_DOUBT : KNOWN_UNSENT;
	past->refusals = (unsigned)rows_int(r, i, CL_REFUSALS);
	past->bodies = (unsigned)rows_int(r, i, CL_BODIES);
	past->body_hash = rows_id(r, i, CL_BODY_HASH);
}

static void read_claimed(const struct rows *r, size_t i, struct item *it,
			 struct arena *mem)
{
	it->op_id = rows_text(r, i, CL_ID);
	it->index = (size_t)rows_int(r, i, CL_INDEX);
	it->idempotency_id = rows_id(r, i, CL_KEY);
	it->kind = kind_of(rows_text(r, i, CL_KIND));
	it->was = op_state_of(rows_text(r, i, CL_STATE));
	it->ctt_ref.id = rows_id(r, i, CL_CTT);
	it->ntt_ref.id = rows_id(r, i, CL_NTT);
	it->actor = rows_text(r, i, CL_ACTOR);
	it->request_id = rows_text(r, i, CL_REQUEST);
	it->remark = rows_text(r, i, CL_REMARK);
	it->intent = rows_text(r, i, CL_INTENT);
	trace_read(&it->trace, rows_text(r, i, CL_STEPS), mem);
	it->undoing = rows_int(r, i, CL_UNDOING);
	it->tries = (unsigned)rows_int(r, i, CL_TRIES);
	it->code = code_of(rows_text(r, i, CL_ERROR));
	it->partner = rows_text(r, i, CL_PARTNER);
	it->partner_call = rows_text(r, i, CL_CALL);
	it->mends = rows_int(r, i, CL_MENDS);
	read_history(r, i, &it->past);
}

enum rc store_claim(struct db *db, struct arena *mem, const char *const *ids,
		    size_t n, struct batch *b_r)
{
	const char *owner = db_owner(db);
	struct item *items;
	struct rows r;
	struct buf doc;
	enum rc rc;

	*b_r = (struct batch){.mem = mem};
	if (!owner)
		return RC_FAULT;
	buf_init(&doc, mem);
	open_op_ids(&doc, ids, n);
	put_str(&doc, "owner", owner);
	put_close(&doc, '}');
	rc = db_run(db, SQL_OP_CLAIM, &doc, mem, &r, 1);
	if (rc != RC_OK)
		return rc;
	items = arena_array(mem, r.n, sizeof *items);
	b_r->it = arena_array(mem, r.n, sizeof *b_r->it);
	owner = arena_strdup(mem, owner);
	for (size_t i = 0; i < r.n; i++) {
		read_claimed(&r, i, &items[i], mem);
		items[i].owner = owner;
		batch_add(b_r, &items[i]);
	}
	return RC_OK;
}

enum rc store_defer(struct db *db, const struct batch *b, int64_t next_ms)
{
	struct buf doc;

	batch_op_ids(&doc, b);
	put_int(&doc, "nextMs", next_ms);
	put_str(&doc, "why", b->n ? b->it[0]->note : NULL);
	put_str(&doc, "owner", b->n ? b->it[0]->owner : NULL);
	put_close(&doc, '}');
	return db_run(db, SQL_OP_DEFER, &doc, b->mem, NULL, 0);
}

enum rc store_undoing(struct db *db, struct batch *b)
{
	struct batch all = *b;
	struct rows r;
	struct buf doc;
	enum rc rc;

	batch_op_ids(&doc, b);
	put_str(&doc, "owner", b->it[0]->owner);
	put_close(&doc, '}');
	rc = db_run(db, SQL_OP_UNDOING, &doc, b->mem, &r, 1);
	*b = batch_part(&all);
	for (size_t i = 0; rc == RC_OK && i < r.n; i++) {
		struct item *it = find_op(&all, rows_text(&r, i, 0));

		if (it)
			batch_add(b, it);
	}
	return rc;
}
