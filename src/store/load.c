/*
 * store/load.c - reads the tickets of a batch from rows into structs
 *
 * The build makes the rows' structs (struct load_ctt_row, ...) from
 * sql/load.sql.
 */
#include "store/load.h"

#include <stdlib.h>
#include <string.h>

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
	return it->want.ctt.id ? NULL : it->want.ctt.no;
}

static const char *ntt_no_to_find(const struct item *it)
{
	return it->want.ntt.id ? NULL : it->want.ntt.no;
}

/* The id of the ticket that has exactly this number; 0: there is none. */
static uint64_t id_of(const struct rows *rows, const char *no)
{
	for (size_t i = 0; i < rows->n; i++)
		if (!strcmp(ROW(ticket_id, rows, i)->ticket_no, no))
			return cell_id(ROW(ticket_id, rows, i)->id);
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
			it->want.ctt.id = id_of(&found[0], it->want.ctt.no);
		if (ntt_no_to_find(it))
			it->want.ntt.id = id_of(&found[1], it->want.ntt.no);
	}
	return RC_OK;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Add the distinct ids, rising and without 0, as a JSON array. */
static void add_distinct(struct buf *doc, uint64_t *ids, size_t n)
{
	qsort(ids, n, sizeof *ids, by_id);
	put_open(doc, NULL, '[');
	for (size_t i = 0; i < n; i++)
		if (ids[i] && (!i || ids[i] != ids[i - 1]))
			put_int(doc, NULL, (int64_t)ids[i]);
	put_close(doc, ']');
}

/* The tables of tickets are in the order of ids, so that bsearch finds one. */
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

/* The rows of one part of the UNION; they stand together. */
static struct rows part_of(const struct rows *all, const char *part)
{
	struct rows r = {.cols = all->cols};

	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(ROW(load_ctt, all, i)->part, part))
			continue;
		if (!r.n++)
			r.cell = all->cell + i * all->cols;
	}
	return r;
}

static struct ctt *read_ctts(const struct rows *r, struct arena *mem)
{
	struct ctt *c = arena_array(mem, r->n, sizeof *c);

	for (size_t i = 0; i < r->n; i++) {
		const struct load_ctt_row *row = ROW(load_ctt, r, i);

		c[i].id = cell_id(row->ctt.id);
		c[i].ticket_no = row->ctt.ticket_no;
		c[i].status = row->ctt.status;
		c[i].source = row->ctt.source;
		c[i].ntt_id = cell_id(row->ctt.ntt_id);
		c[i].ntt_ticket_no = row->ctt.ntt_ticket_no;
		c[i].external_sync = cell_int(row->external_sync);
		c[i].segment_group = row->segment_group;
		c[i].partner_ref = row->partner_ref;
	}
	return c;
}

static void read_open(const struct rows *r, struct ctt *ctts, size_t n,
		      struct arena *mem)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct load_open_row *row = ROW(load_open, r, i);
		struct ctt *ctt = find_ctt(cell_id(row->ctt_id), ctts, n);
		struct open_op *o;

		if (!ctt)
			continue;
		o = arena_alloc(mem, sizeof *o);
		o->id = row->id;
		o->kind = row->kind;
		o->state = row->state;
		o->orphan = cell_int(row->orphan) == 1;
		o->owner = row->owner;
		o->next_in_ms = cell_int(row->next_in_ms);
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

/* An NTT has a row for each of its work orders; they become one struct. */
static struct ntt *read_ntts(const struct rows *r, struct arena *mem,
			     size_t *n_r)
{
	struct ntt *t = arena_array(mem, r->n, sizeof *t);
	struct work_order *w;
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct load_ntt_row *row = ROW(load_ntt, r, i);

		t[i].id = cell_id(row->ntt.id);
		t[i].ticket_no = row->ntt.ticket_no;
		t[i].ctt_count = cell_int(row->ntt.ctt_count);
		t[i].partner_ref = row->partner_ref;
		t[i].status = row->status;
		if (!row->order_id)
			continue;
		w = t[i].work_orders = arena_alloc(mem, sizeof *w);
		w->id = cell_id(row->order_id);
		w->order_no = row->order_no;
		w->status = row->order_status;
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

/* A pair is blocked if its last settled change was a recent unlink. A move that
 * was linked back leaves no block. */
struct change_of_pair {
	uint64_t ctt_id, ntt_id, seq;
	int64_t block_ms; /* 0: it was a link */
};

static void find_block(struct item *it, const struct change_of_pair *c,
		       size_t n)
{
	const struct change_of_pair *last = NULL;

	for (size_t i = 0; i < n; i++)
		if (c[i].ctt_id == it->want.ctt.id &&
		    c[i].ntt_id == it->want.ntt.id &&
		    (!last || c[i].seq > last->seq))
			last = &c[i];
	if (last && last->block_ms > it->block_ms)
		it->block_ms = last->block_ms;
}

static void read_blocks(const struct rows *r, struct batch *b)
{
	struct change_of_pair *c = arena_array(b->mem, r->n, sizeof *c);

	for (size_t i = 0; i < r->n; i++) {
		const struct load_pair_row *row = ROW(load_pair, r, i);

		c[i] = (struct change_of_pair){
			.ctt_id = cell_id(row->ctt_id),
			.ntt_id = cell_id(row->ntt_id),
			.seq = cell_id(row->seq),
			.block_ms = kind_of(row->kind) == OP_UNLINK ?
				cell_int(row->left_ms) : 0,
		};
	}
	batch_each (b, it)
		find_block(it, c, r->n);
}

static void read_activities(const struct rows *r, struct ctt *ctts, size_t n,
			    struct arena *mem)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct load_activity_row *row = ROW(load_activity, r, i);
		struct ctt *ctt = find_ctt(cell_id(row->ctt_id), ctts, n);
		struct activity *a = arena_alloc(mem, sizeof *a);

		a->id = cell_id(row->id);
		a->type = row->type;
		a->status = row->status;
		a->code[RESOLVE_CAUSE] = row->cause_code;
		a->code[RESOLVE_DISPOSITION] = row->disposition;
		a->code[RESOLVE_RESOLUTION] = row->resolution_code;
		a->code[RESOLVE_DELAY] = row->delay_reason;
		if (ctt)
			ctt->activity = a;
	}
}

struct network_element *store_element(const struct element_row *row,
				      struct arena *mem)
{
	struct network_element *e = arena_alloc(mem, sizeof *e);

	e->id = cell_id(row->id);
	e->name = row->name;
	e->access_type = row->access_type;
	e->cpe.manufacturer = row->manufacturer;
	e->cpe.model = row->model;
	e->cpe.ip_address = row->ip_address;
	e->cpe.bandwidth_mbps = cell_int(row->bandwidth_mbps);
	e->cpe.port = row->port;
	e->updated_at = row->updated_at;
	return e;
}

void store_add_element(struct ctt *ctt, struct network_element *e)
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
		const struct load_element_row *row = ROW(load_element, r, i);
		struct ctt *ctt = find_ctt(cell_id(row->ctt_id), ctts, n);

		if (ctt)
			store_add_element(ctt, store_element(&row->element,
							     mem));
	}
}

static const struct lov *read_lov_rows(const struct rows *r, struct arena *mem)
{
	struct lov *l = arena_array(mem, r->n + 1, sizeof *l);

	for (size_t i = 0; i < r->n; i++) {
		const struct load_lov_row *row = ROW(load_lov, r, i);

		l[i] = (struct lov){row->type, row->code, row->label};
	}
	return l;
}

/* The parameters of SQL_LOAD...: the ids that the items name. */
static void load_params(const struct batch *b, int64_t block_ttl_s,
			struct buf *param)
{
	uint64_t *ctts = arena_array(b->mem, b->n, sizeof *ctts);
	uint64_t *ntts = arena_array(b->mem, b->n * 3, sizeof *ntts);
	struct buf *pairs = &param[P_LOAD_PAIRS];
	size_t nctts = 0, nntts = 0;

	for (int i = 0; i < P_LOAD__MAX; i++)
		buf_init(&param[i], b->mem);
	put_open(pairs, NULL, '[');
	batch_each (b, it) {
		ctts[nctts++] = it->want.ctt.id;
		ntts[nntts++] = it->want.ntt.id;
		ntts[nntts++] = it->move.then_id;
		ntts[nntts++] = it->move.else_id;
		if (block_ttl_s)
			buf_printf(pairs, "%s[%llu,%llu]", nctts > 1 ? "," : "",
				   (unsigned long long)it->want.ctt.id,
				   (unsigned long long)it->want.ntt.id);
	}
	put_close(pairs, ']');
	add_distinct(&param[P_LOAD_CTTS], ctts, nctts);
	add_distinct(&param[P_LOAD_NTTS], ntts, nntts);
	put_int(&param[P_LOAD_BLOCK_S], NULL, block_ttl_s);
	if (b->n == 1 && !b->it[0]->move.then_id && !b->it[0]->move.else_id) {
		put_int(&param[P_LOAD_CTT], NULL,
			(int64_t)b->it[0]->want.ctt.id);
		put_int(&param[P_LOAD_NTT], NULL,
			(int64_t)b->it[0]->want.ntt.id);
	}
}

enum rc store_load(struct db *db, enum sql load, struct batch *b)
{
	struct buf param[P_LOAD__MAX];
	struct rows all, rows;
	const struct lov *lov;
	struct ctt *ctts;
	struct ntt *ntts;
	size_t n, nntts;
	enum rc rc;

	load_params(b, db_conf(db)->unlink_block_ttl_s, param);
	rc = db_run(db, load, param, b->mem, &all, 1);
	if (rc != RC_OK)
		return rc;
	rows = part_of(&all, "ctt");
	ctts = read_ctts(&rows, b->mem);
	n = rows.n;
	rows = part_of(&all, "open");
	read_open(&rows, ctts, n, b->mem);
	rows = part_of(&all, "ntt");
	ntts = read_ntts(&rows, b->mem, &nntts);
	rows = part_of(&all, "lov");
	lov = read_lov_rows(&rows, b->mem);
	batch_each (b, it) {
		it->lov = lov;
		it->ctt = find_ctt(it->want.ctt.id, ctts, n);
		it->ntt = find_ntt(it->want.ntt.id, ntts, nntts);
		it->move.then_ntt = find_ntt(it->move.then_id, ntts, nntts);
		it->move.else_ntt = find_ntt(it->move.else_id, ntts, nntts);
		if (it->ctt)
			it->ctt->ntt = find_ntt(it->ctt->ntt_id, ntts, nntts);
	}
	rows = part_of(&all, "pair");
	read_blocks(&rows, b);
	rows = part_of(&all, "activity");
	read_activities(&rows, ctts, n, b->mem);
	rows = part_of(&all, "element");
	read_elements(&rows, ctts, n, b->mem);
	return RC_OK;
}

void store_cancel(struct db *db)
{
	db_text(db, "ROLLBACK"); /* a failure drops the connection */
}
