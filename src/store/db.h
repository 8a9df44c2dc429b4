#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/rc.h"
#include "store/sql.h"

/*
 * One connection to MariaDB. It is opened when it is first needed, and again
 * after it was lost. Each session has a name of its own, and holds a lock of
 * the server under that name, by which it can be found and ended.
 */
struct db;

/* Before the first thread starts. */
void db_setup(void);

struct db *db_open(const struct conf *cf);
void db_close(struct db *db);

/* The settings with which it was opened. */
const struct conf *db_conf(const struct db *db);

/* How long one statement may take on connections that are made from now on:
 * 6 s by default, too short for what the console does to whole tables. */
void db_patience(struct db *db, unsigned seconds);

/*
 * One result set. A cell is text, or NULL. ROW(ctt_listed, &r, i)->next is a
 * cell of row i by its column's name: SELECT <ctt_listed> of src/store/sql gave
 * the rows, and struct ctt_listed_row was made of the same list of columns.
 */
struct rows {
	size_t n;
	unsigned cols;
	const char **cell;
};

#define ROW(name, rows, i)                                                   \
	((const struct name##_row *)rows_at((rows), (i),                     \
					    sizeof(struct name##_row)))
const void *rows_at(const struct rows *r, size_t i, size_t size);

/* What a cell says, if it is a number; 0 for NULL. */
uint64_t cell_id(const char *cell);
int64_t cell_int(const char *cell);

/*
 * Run one statement of sql.h: one round trip. `param` are its parameters, at
 * their places (P_...); without a text one is NULL. The result sets go into
 * sets[0..most), memory from `mem`; sets that it did not make are empty.
 *
 * RC_OK     done
 * RC_NO     the server refused, or would not take so large a packet; the
 *           transaction is rolled back
 * RC_AGAIN  deadlock or lock wait; rolled back, run the transaction afresh
 * RC_DOUBT  the connection broke: a COMMIT in the statement may have happened
 * RC_ERROR  no connection, or the server takes no writes: nothing was done
 *
 * db_error() says more. After RC_DOUBT the next call connects anew. If a
 * statement ends by returning rows, db_run does not wait for its final status;
 * the next call reads it, and fails in its place if the connection was lost.
 */
enum rc db_run(struct db *db, enum sql sql, const struct buf *param,
	       struct arena *mem, struct rows *sets, size_t most);

/* Run plain text that takes no parameter (DDL); the kinds are the same. */
enum rc db_text(struct db *db, const char *text);

/*
 * After RC_DOUBT the lost session may still be at work, because a stalled
 * server continues with its last statement. End that session, and wait for its
 * end until `until` (clock_mono_ms). RC_OK: it has ended, and what it did is
 * visible. RC_AGAIN: it is not known yet. RC_DOUBT: this is another server now,
 * which does not know.
 */
enum rc db_end_lost(struct db *db, int64_t until);

/* Close the connection. */
void db_drop(struct db *db);

/* What the last failure was, for the log; never NULL. */
const char *db_error(const struct db *db);

/* Prepare every statement, and each statement within a block. RC_NO: the server
 * refused some; a line of the log names each. */
enum rc db_try_all(struct db *db);

#endif
