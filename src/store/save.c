/*
 * store/save.c - makes the changes of a batch by SAVE and CLOSE, and reads
 * their results
 */
#include "store/save.h"

#include "store/load.h"

static void lose_key(const struct change *ch, uint64_t id)
{
	for (size_t i = 0; i < ch->nkeys; i++)
		if (ch->keys[i]->id == id)
			ch->keys[i]->lost = true;
}

enum rc store_save(struct db *db, struct change *ch, bool *won_r)
{
	struct rows lost;
	enum rc rc = db_run(db, SQL_SAVE, change_params(ch, ""), ch->mem, &lost,
			    1);

	*won_r = rc == RC_OK && !lost.n;
	for (size_t i = 0; rc == RC_OK && i < lost.n; i++)
		lose_key(ch, cell_id(ROW(lost_key, &lost, i)->id));
	for (size_t i = 0; *won_r && i < ch->nkeys; i++)
		ch->keys[i]->held = true;
	return rc;
}

static void read_counts(const struct rows *r, const struct batch *b)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct closed_row *row = ROW(closed, r, i);

		batch_each (b, it)
			if (it->ntt && it->ntt->id == cell_id(row->ntt_id))
				it->ntt->ctt_count = cell_int(row->ctt_count);
	}
}

static void read_activity(const struct stored_activity_row *row,
			  const struct batch *b)
{
	struct item *it = batch_find(b, row->operation_id);

	if (!it || !it->resolve)
		return;
	it->resolve->stored.id = cell_id(row->id);
	it->resolve->note_id = cell_id(row->note_id);
	it->ctt->status = row->status;
}

static void read_stored_history(const struct stored_history_row *row,
				const struct batch *b)
{
	struct item *it = batch_find(b, row->operation_id);

	if (it && it->cpe)
		it->cpe->history_id = cell_id(row->id);
}

/* Replace the elements of the CTTs by the rows, which have all of them. */
static void reread_elements(const struct rows *r, const struct batch *b)
{
	batch_each (b, it) {
		if (!it->cpe)
			continue;
		it->ctt->elements = NULL;
		for (size_t i = 0; i < r->n; i++) {
			const struct stored_element_row *row =
				ROW(stored_element, r, i);

			if (cell_id(row->ctt_id) == it->ctt->id)
				store_add_element(it->ctt, store_element(
					&row->element, b->mem));
		}
	}
}

/* Read the results of CLOSE_ALL: one for each table that it wrote. */
static void read_stored(const struct rows *r, const struct change *ch,
			const struct batch *b)
{
	if (ch->rows[CHANGE_ACTIVITY]) {
		for (size_t i = 0; i < r->n; i++)
			read_activity(ROW(stored_activity, r, i), b);
		r++;
	}
	if (ch->rows[CHANGE_ELEMENT_CHANGE]) {
		for (size_t i = 0; i < r->n; i++)
			read_stored_history(ROW(stored_history, r, i), b);
		reread_elements(r + 1, b);
	}
}

enum rc store_read_stored(struct db *db, const struct batch *b)
{
	struct rows r[2];
	struct buf doc;
	enum rc rc;

	buf_init(&doc, b->mem);
	put_open(&doc, NULL, '{');
	put_id(&doc, "id", b->terms->key->id);
	put_close(&doc, '}');
	rc = db_run(db, SQL_KEY_STORED, &doc, b->mem, r, 2);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < r[0].n; i++)
		read_activity(ROW(stored_activity, &r[0], i), b);
	for (size_t i = 0; i < r[1].n; i++)
		read_stored_history(ROW(stored_history, &r[1], i), b);
	return RC_OK;
}

/* Whether nothing changes but operations, jobs, counts and the trail. */
static bool is_plain(const struct change *ch)
{
	return !ch->rows[CHANGE_NEW] && !ch->rows[CHANGE_LINK] &&
	       !ch->rows[CHANGE_STATUS] && !ch->rows[CHANGE_ACTIVITY] &&
	       !ch->rows[CHANGE_NOTE] && !ch->rows[CHANGE_ELEMENT_CHANGE];
}

enum rc store_close(struct db *db, struct change *ch, const struct batch *b,
		    bool *won_r)
{
	struct rows r[4]; /* the counts; activities, history, elements */
	enum rc rc = db_run(db, is_plain(ch) ? SQL_CLOSE : SQL_CLOSE_ALL,
			    change_params(ch, db_conf(db)->audit_key), ch->mem,
			    r, 4);

	*won_r = rc == RC_OK && r[0].n &&
		 cell_int(ROW(closed, &r[0], 0)->won) == 1;
	if (*won_r) {
		read_counts(&r[0], b);
		read_stored(&r[1], ch, b);
	}
	return rc;
}
