/*
 * store/journal.c - reads and updates the journal of operations, for recovery
 */
#include "store/journal.h"

#include <string.h>

#include "base/clock.h"

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
	return owner && it->journal.owner && !strcmp(owner, it->journal.owner);
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
			const struct peeked_row *row = ROW(peeked, &r, i);

			if (strcmp(row->id, it->op_id))
				continue;
			it->was = op_state_of(row->state);
			it->journal.is_taken = !is_owner(it, row->owner);
			if (op_is_open(it->was))
				break;
			trace_read(&it->trace, row->steps, b->mem);
			it->code = code_of(row->error_code);
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

	*ids_r = arena_array(mem, r.n, sizeof **ids_r);
	*n_r = r.n;
	for (size_t i = 0; i < r.n; i++)
		(*ids_r)[i] = ROW(due, &r, i)->id;
	return rc;
}

static void read_history(const struct journalled_row *row, struct history *past)
{
	past->doubted = row->doubt_ms;
	past->doubted_at = clock_mono_ms() - cell_int(row->doubt_ms);
	past->known = cell_int(row->accepted) ? KNOWN_YES :
		      past->doubted ? KNOWN_DOUBT : KNOWN_UNSENT;
	past->refusals = (unsigned)cell_int(row->refusals);
	past->bodies = (unsigned)cell_int(row->bodies);
	past->body_hash = cell_id(row->body_hash);
}

/* Everything that the journal has; what it does not have stays as it is. */
static void read_operation(const struct journalled_row *row, struct item *it,
			   struct arena *mem)
{
	it->op_id = row->id;
	it->index = (size_t)cell_int(row->item_index);
	it->want.idempotency_id = cell_id(row->idempotency_id);
	it->kind = kind_of(row->kind);
	it->was = op_state_of(row->state);
	if (row->ctt_id) /* it does not know a ticket that there was not */
		it->want.ctt.id = cell_id(row->ctt_id);
	if (row->ntt_id)
		it->want.ntt.id = cell_id(row->ntt_id);
	it->want.actor = row->actor;
	it->want.request_id = row->request_id;
	it->want.remark = row->remark;
	it->journal.intent = row->intent;
	trace_read(&it->trace, row->steps, mem);
	it->sync.undoing = cell_int(row->undoing);
	it->journal.tries = (unsigned)cell_int(row->tries);
	it->code = code_of(row->error_code);
	it->sync.partner = row->partner;
	it->sync.call_json = row->partner_call;
	it->want.mends = cell_int(row->mends);
	read_history(row, &it->sync.past);
}

enum rc store_claim(struct db *db, struct arena *mem, const char *const *ids,
		    size_t n, const char *owner, struct batch *b_r)
{
	struct item *items;
	struct rows r;
	struct buf doc;
	enum rc rc;

	*b_r = batch_empty(mem, 0);
	buf_init(&doc, mem);
	open_op_ids(&doc, ids, n);
	put_str(&doc, "owner", owner);
	put_close(&doc, '}');
	rc = db_run(db, SQL_OP_CLAIM, &doc, mem, &r, 1);
	if (rc != RC_OK)
		return rc;
	items = arena_array(mem, r.n, sizeof *items);
	*b_r = batch_empty(mem, r.n);
	owner = arena_strdup(mem, owner);
	for (size_t i = 0; i < r.n; i++) {
		read_operation(ROW(journalled, &r, i), &items[i], mem);
		items[i].journal.owner = owner;
		batch_add(b_r, &items[i]);
	}
	return RC_OK;
}

enum rc store_of_key(struct db *db, const struct batch *asked,
		     struct batch *b_r)
{
	struct item *items;
	struct rows r;
	struct buf doc;
	enum rc rc;

	*b_r = *asked;
	b_r->n = 0;
	buf_init(&doc, asked->mem);
	put_open(&doc, NULL, '{');
	put_id(&doc, "id", asked->terms->key->id);
	put_close(&doc, '}');
	rc = db_run(db, SQL_KEY_OPERATIONS, &doc, asked->mem, &r, 1);
	if (rc != RC_OK)
		return rc;
	items = arena_array(asked->mem, r.n, sizeof *items);
	b_r->it = arena_array(asked->mem, r.n, sizeof *b_r->it);
	for (size_t i = 0; i < r.n; i++) {
		const struct journalled_row *row = ROW(journalled, &r, i);
		size_t index = (size_t)cell_int(row->item_index);

		if (index < asked->n)
			items[i] = *asked->it[index];
		read_operation(row, &items[i], asked->mem);
		batch_add(b_r, &items[i]);
	}
	return RC_OK;
}

enum rc store_defer(struct db *db, const struct batch *b, int64_t next_ms)
{
	struct buf doc;

	batch_op_ids(&doc, b);
	put_int(&doc, "next_ms", next_ms);
	put_str(&doc, "why", b->n ? b->it[0]->journal.why : NULL);
	put_str(&doc, "owner", b->n ? b->it[0]->journal.owner : NULL);
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
	put_str(&doc, "owner", b->it[0]->journal.owner);
	put_close(&doc, '}');
	rc = db_run(db, SQL_OP_UNDOING, &doc, b->mem, &r, 1);
	*b = batch_part(&all);
	for (size_t i = 0; rc == RC_OK && i < r.n; i++) {
		struct item *it = batch_find(&all, ROW(undone, &r, i)->id);

		if (it)
			batch_add(b, it);
	}
	return rc;
}
