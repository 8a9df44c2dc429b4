/*
 * store/trial.c - tries all statements, and each statement within a block,
 * without changing a row: ctt.fcgi --check
 */
#include "store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysqld_error.h>

struct trial {
	struct db *db;
	const char *name;
	enum rc rc; /* of the last part that was refused */
};

/* NULL for each parameter. The caller frees it. */
static MYSQL_BIND *all_null(MYSQL_STMT *st)
{
	unsigned long n = mysql_stmt_param_count(st);
	MYSQL_BIND *null = calloc(n + 1, sizeof *null);

	if (!null)
		arena_exhausted();
	for (unsigned long i = 0; i < n; i++)
		null[i].buffer_type = MYSQL_TYPE_NULL;
	return null;
}

/* Run it, and read all that it returns. */
static bool run_with_null(MYSQL_STMT *st)
{
	MYSQL_BIND *null = all_null(st);
	bool good = !mysql_stmt_bind_param(st, null) &&
		    !mysql_stmt_execute(st);
	int more = 0;

	while (good && !more) {
		good = !mysql_stmt_field_count(st) ||
		       !mysql_stmt_store_result(st);
		if (good)
			more = mysql_stmt_next_result(st);
	}
	free(null);
	return good && more <= 0;
}

/* MariaDB looks at the columns of an INSERT, and their number, only when it
 * runs. An INSERT of NULLs would stop at the first column: so it is also
 * explained. */
static bool explain(struct db *db, const char *part, const char *what,
		    enum rc *rc_r)
{
	char *text = malloc(strlen(part) + sizeof "EXPLAIN ");
	MYSQL_STMT *st;
	bool good;

	if (!text)
		arena_exhausted();
	sprintf(text, "EXPLAIN %s", part);
	st = statement_make(db, text, what, rc_r);
	free(text);
	if (!st)
		return false;
	good = run_with_null(st);
	if (!good)
		*rc_r = db_statement_failed(db, st, what);
	mysql_stmt_close(st);
	return good;
}

/* Is this error the NULLs', or the work of others' at the same time? The
 * statement itself is good then. */
static bool is_trials(unsigned code)
{
	return db_kind_of_error(code) == RC_AGAIN ||
	       code == ER_BAD_NULL_ERROR || code == ER_STATEMENT_TIMEOUT;
}

/*
 * Run a statement with NULL for each parameter, in a transaction that is rolled
 * back. It waits for no lock and is given a second, so that it does not get in
 * the way of requests.
 */
static bool run_in_trial(struct db *db, MYSQL_STMT *st, const char *what,
			 enum rc *rc_r)
{
	bool good = !mysql_query(db->my, "SET innodb_lock_wait_timeout=0,"
				 "max_statement_time=1") &&
		    !mysql_query(db->my, "START TRANSACTION") &&
		    (run_with_null(st) || is_trials(mysql_stmt_errno(st)));

	if (good)
		good = !mysql_rollback(db->my);
	if (!good)
		*rc_r = db_statement_failed(db, st, what);
	return good;
}

/* These begin and end transactions, or would take a lock of the server. */
static bool is_run(const char *part)
{
	return strncmp(part, "START ", 6) && strncmp(part, "SET TRANS", 9) &&
	       strncmp(part, "COMMIT", 6) &&
	       strncmp(part, "ROLLBACK", 8) && !strstr(part, "GET_LOCK(");
}

static bool try_part(void *to, const char *part)
{
	enum { MOST = 72 }; /* of the text, to find it by */
	struct trial *t = to;
	char what[128];
	MYSQL_STMT *st;
	bool good;

	if (t->rc != RC_OK && t->rc != RC_NO)
		return false; /* there is no connection any more */
	snprintf(what, sizeof what, "%s (%.*s%s)", t->name, MOST, part,
		 strlen(part) > MOST ? "..." : "");
	st = statement_make(t->db, part, what, &t->rc);
	if (!st)
		return false;
	good = !is_run(part) || run_in_trial(t->db, st, what, &t->rc);
	mysql_stmt_close(st);
	return good && (strncmp(part, "INSERT ", 7) ||
			explain(t->db, part, what, &t->rc));
}

enum rc db_try_all(struct db *db)
{
	enum rc rc = db_ready(db);

	for (int i = 0; (rc == RC_OK || rc == RC_NO) && i < SQL__MAX; i++) {
		struct trial t = {db, sql_statements[i].name, RC_OK};
		unsigned char mark[SQL_MARKS_MAX];
		enum rc whole = statement_prepare(db, (enum sql)i);
		char *plain;

		if (whole != RC_OK) {
			rc = whole;
			continue;
		}
		plain = statement_text(db, (enum sql)i, mark);
		sql_each_part(plain, try_part, &t);
		free(plain);
		if (t.rc != RC_OK)
			rc = t.rc;
	}
	return rc;
}
