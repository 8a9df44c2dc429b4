/*
 * store/run.c - runs the statements of sql.h, and reads their rows
 *
 * A connection prepares a statement when it first runs it. Most statements are
 * a whole transaction (BEGIN NOT ATOMIC ... END), which takes one round trip,
 * and get everything that the batch needs as JSON texts.
 */
#include "store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysqld_error.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/spent.h"

MYSQL_STMT *statement_make(struct db *db, const char *plain, const char *what,
			    enum rc *rc_r)
{
	MYSQL_STMT *st = mysql_stmt_init(db->my);

	if (!st)
		arena_exhausted();
	if (!mysql_stmt_prepare(st, plain, strlen(plain)))
		return st;
	*rc_r = db_statement_failed(db, st, what);
	mysql_stmt_close(st);
	return NULL;
}

char *statement_text(struct db *db, enum sql sql, unsigned char *mark)
{
	char *unknown, *plain = sql_plain(sql, mark, &unknown);

	if (plain)
		return plain;
	snprintf(db->error, sizeof db->error, "%s: there is no parameter %s",
		 sql_statements[sql].name, unknown);
	log_line(LOG_WARN, "db_error", "kind=refused error=\"%s\"", db->error);
	free(unknown);
	return NULL;
}

enum rc statement_prepare(struct db *db, enum sql sql)
{
	struct prepared *p = &db->prepared[sql];
	enum rc rc = RC_NO;
	char *plain;

	if (p->st)
		return RC_OK;
	plain = statement_text(db, sql, p->mark);
	if (!plain)
		return RC_NO;
	p->st = statement_make(db, plain, sql_statements[sql].name, &rc);
	free(plain);
	if (!p->st)
		return rc;
	p->bind = calloc(mysql_stmt_param_count(p->st) + 1, sizeof *p->bind);
	if (!p->bind)
		arena_exhausted();
	return RC_OK;
}

/* Read the result set that the statement stands at. */
static int fetch(MYSQL_STMT *st, struct arena *mem, struct rows *r)
{
	enum { ROOM = 128 };
	unsigned cols = mysql_stmt_field_count(st);
	MYSQL_BIND *bind = arena_array(mem, cols, sizeof *bind);
	unsigned long *len = arena_array(mem, cols, sizeof *len);
	my_bool *null = arena_array(mem, cols, sizeof *null);
	char *room = arena_array(mem, cols, ROOM);
	size_t cap = 0;
	int rc;

	*r = (struct rows){.cols = cols};
	for (unsigned c = 0; c < cols; c++) {
		bind[c].buffer_type = MYSQL_TYPE_STRING;
		bind[c].buffer = room + c * ROOM;
		bind[c].buffer_length = ROOM;
		bind[c].length = &len[c];
		bind[c].is_null = &null[c];
	}
	if (mysql_stmt_bind_result(st, bind))
		return 1;
	while ((rc = mysql_stmt_fetch(st)) == 0 || rc == MYSQL_DATA_TRUNCATED) {
		const char **row;

		if (r->n == cap) {
			const char **more;

			cap = cap ? cap * 2 : 4;
			more = arena_array(mem, cap * cols, sizeof *more);
			if (r->n)
				memcpy(more, r->cell,
				       r->n * cols * sizeof *more);
			r->cell = more;
		}
		row = r->cell + r->n++ * cols;
		for (unsigned c = 0; c < cols; c++) {
			char *text;

			if (null[c]) {
				row[c] = NULL;
				continue;
			}
			text = arena_alloc(mem, len[c] + 1);
			if (len[c] <= ROOM) {
				memcpy(text, bind[c].buffer, len[c]);
			} else {
				MYSQL_BIND whole = {
					.buffer_type = MYSQL_TYPE_STRING,
					.buffer = text,
					.buffer_length = len[c],
				};
				if (mysql_stmt_fetch_column(st, &whole, c, 0))
					return 1;
			}
			row[c] = text;
		}
	}
	return rc != MYSQL_NO_DATA;
}

/* Bind the parameters; the length of the packet that sends them. */
static size_t bind_params(struct prepared *p, const struct buf *param)
{
	enum { HEAD = 11, OF_EACH = 12 }; /* more than there ever is */
	size_t n = mysql_stmt_param_count(p->st);
	size_t size = HEAD + n * OF_EACH;

	for (size_t i = 0; i < n; i++) {
		const struct buf *of = &param[p->mark[i]];

		p->bind[i].buffer_type = of->s ? MYSQL_TYPE_STRING
					       : MYSQL_TYPE_NULL;
		p->bind[i].buffer = of->s;
		p->bind[i].buffer_length = of->len;
		size += of->len;
	}
	return size;
}

static enum rc run(struct db *db, enum sql sql, const struct buf *param,
		   struct arena *mem, struct rows *sets, size_t most)
{
	struct prepared *p = &db->prepared[sql];
	MYSQL_STMT *st;
	size_t size;
	int64_t began = clock_mono_ms();
	size_t set = 0;
	int more = 0;
	enum rc rc;

	for (size_t i = 0; i < most; i++)
		sets[i] = (struct rows){0};
	db->error[0] = '\0';
	rc = db_ready(db);
	if (rc == RC_OK)
		rc = statement_prepare(db, sql);
	if (rc != RC_OK)
		return rc;
	st = p->st;
	size = bind_params(p, param);
	if (size > db->packet_max)
		return db_failed(db, ER_NET_PACKET_TOO_LARGE,
				 "it is larger than max_allowed_packet",
				 sql_statements[sql].name);
	if (mysql_stmt_bind_param(st, p->bind) || mysql_stmt_execute(st))
		goto broken;
	while (!more && !db->unread) {
		struct rows unwanted;

		if (mysql_stmt_field_count(st) &&
		    fetch(st, mem, set < most ? &sets[set++] : &unwanted))
			goto broken;
		if (set && sql_statements[sql].ends_in_rows)
			db->unread = st; /* it need not be waited for */
		else
			more = mysql_stmt_next_result(st);
	}
	if (more > 0)
		goto broken;
	log_line(LOG_DEBUG, "db", "sql=%s bytes=%zu ms=%lld",
		 sql_statements[sql].name, size,
		 (long long)(clock_mono_ms() - began));
	return RC_OK;
broken:
	return db_statement_failed(db, st, sql_statements[sql].name);
}

enum rc db_run(struct db *db, enum sql sql, const struct buf *param,
	       struct arena *mem, struct rows *sets, size_t most)
{
	enum spent before = spent_on(SPENT_DB);
	enum rc rc = run(db, sql, param, mem, sets, most);

	spent_on(before);
	return rc;
}

const void *rows_at(const struct rows *r, size_t i, size_t size)
{
	if (r->cols * sizeof *r->cell != size)
		abort(); /* these are rows of another SELECT */
	return r->cell + i * r->cols;
}

uint64_t cell_id(const char *cell)
{
	return cell ? strtoull(cell, NULL, 10) : 0;
}

int64_t cell_int(const char *cell)
{
	return cell ? strtoll(cell, NULL, 10) : 0;
}
