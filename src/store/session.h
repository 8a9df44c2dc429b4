#ifndef STORE_SESSION_H
#define STORE_SESSION_H

#include <mysql.h>

#include "base/id.h"
#include "store/db.h"

/*
 * The inside of a connection, for db.c, run.c and trial.c alone. run.c and
 * trial.c use db.c, never the other way round. Whoever uses a connection is one
 * thread at a time (base/lender.h).
 */

/* A prepared statement; it ends with the session. */
struct prepared {
	MYSQL_STMT *st;   /* NULL: not yet */
	MYSQL_BIND *bind; /* of its marks, and the parameter of each */
	unsigned char mark[SQL_MARKS_MAX];
};

struct db {
	const struct conf *cf;
	MYSQL *my; /* NULL: not connected */
	MYSQL_STMT *unread; /* its rows are, but not yet that it has ended */
	struct prepared prepared[SQL__MAX];
	unsigned io_timeout_s;
	size_t packet_max; /* what the server takes as one; this session's */
	char server[128];  /* that it is connected to, or was last         */
	char lost_at[128]; /* that of the lost session                     */
	char session[ID_LEN + 1];
	char lost[ID_LEN + 1]; /* the session that was lost last; "": none */
	char error[256];
};

/* ---- db.c ---- */

/* Have a connection that takes a statement: connect, or read the end of the
 * statement before. Fails as db_run does. */
enum rc db_ready(struct db *db);

/* The kind of an error of MariaDB or its library. */
enum rc db_kind_of_error(unsigned code);

/* Keep what went wrong, log and count it, and leave no transaction behind: roll
 * back, or drop the connection. `what` names the statement. Returns the kind of
 * the error. */
enum rc db_failed(struct db *db, unsigned code, const char *text,
		  const char *what);

/* The same with the error of a statement that this connection ran. */
enum rc db_statement_failed(struct db *db, MYSQL_STMT *st, const char *what);

/* ---- run.c; they need a connection ---- */

/* A statement of this text, prepared, which the caller closes. NULL: *rc_r says
 * why not. */
MYSQL_STMT *statement_make(struct db *db, const char *plain, const char *what,
			   enum rc *rc_r);

/* The text as the server takes it, and the parameters' places in `mark`; the
 * caller frees it. NULL: it names a parameter that the statement does not
 * have. */
char *statement_text(struct db *db, enum sql sql, unsigned char *mark);

/* Have db->prepared[sql]. */
enum rc statement_prepare(struct db *db, enum sql sql);

#endif
