/*
 * store/db.c - the connection to MariaDB
 *
 * A connection prepares a statement of sql.h when it first runs it. Most
 * statements are a whole transaction (BEGIN NOT ATOMIC ... END), which takes
 * one round trip, and get everything that the batch needs as JSON texts.
 */
#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/spent.h"
#include "model/tally.h"

enum {
	CONNECT_TIMEOUT_S = 1,
	LOCK_WAIT_S = 3, /* strictly below the next */
	IO_TIMEOUT_S = 6,
	ENDING_MS = 50, /* between looks whether a session has ended */
	IDLE_S = 300, /* a session that a lost host left is gone after this */
};

/*
 * What the statements lean on. The server's own settings and its init_connect
 * may say otherwise, so each session says it itself. group_concat_max_len: the
 * last hashes of the trails that a bulk adds to are one such text (change.sql).
 * SESSION: without it these two are the next transaction's only. The tables'
 * collation: NAMES gives it to literals and results, collation_database to
 * JSON_TABLE, and character_set_collations to variables and new tables, for
 * which MariaDB 11 has one of its own.
 */
#define SESSION                                                              \
	"SET NAMES utf8mb4 COLLATE utf8mb4_general_ci,"                      \
	"collation_database=utf8mb4_general_ci,"                             \
	"SESSION tx_isolation='READ-COMMITTED',"                             \
	"SESSION tx_read_only=0,autocommit=1,completion_type='NO_CHAIN',"    \
	"time_zone='+00:00',timestamp=DEFAULT,sql_mode='STRICT_ALL_TABLES,"  \
	"NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',"                \
	"group_concat_max_len=16777216,max_sort_length=1024,"                \
	"max_join_size=18446744073709551615,sql_big_selects=1,"              \
	"sql_select_limit=18446744073709551615,max_statement_time=0,"        \
	"sql_safe_updates=0,sql_auto_is_null=0,unique_checks=1,"             \
	"check_constraint_checks=1,div_precision_increment=4,"               \
	"innodb_lock_wait_timeout=%d,wait_timeout=%d,"                       \
	"wsrep_sync_wait=7,@held=GET_LOCK('cttd:%s',0)"                      \
	"/*M!110201 ,character_set_collations='' */"

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

void db_setup(void)
{
	if (mysql_library_init(0, NULL, NULL))
		arena_exhausted();
}

struct db *db_open(const struct conf *cf)
{
	struct db *db = calloc(1, sizeof *db);

	if (!db)
		arena_exhausted();
	db->cf = cf;
	db->io_timeout_s = IO_TIMEOUT_S;
	return db;
}

const struct conf *db_conf(const struct db *db)
{
	return db->cf;
}

void db_patience(struct db *db, unsigned seconds)
{
	db->io_timeout_s = seconds;
}

void db_drop(struct db *db)
{
	db->unread = NULL;
	for (int i = 0; i < SQL__MAX; i++) {
		if (db->prepared[i].st)
			mysql_stmt_close(db->prepared[i].st);
		db->prepared[i].st = NULL;
		free(db->prepared[i].bind);
		db->prepared[i].bind = NULL;
	}
	if (db->my)
		mysql_close(db->my);
	db->my = NULL;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	db_drop(db);
	free(db);
}

const char *db_error(const struct db *db)
{
	return db->error;
}

static enum rc kind_of_error(unsigned code)
{
	switch (code) {
	case ER_LOCK_DEADLOCK:
	case ER_LOCK_WAIT_TIMEOUT:
	case ER_CHECKREAD:
	case ER_QUERY_INTERRUPTED:
		return RC_AGAIN;
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST:
	case CR_SERVER_LOST_EXTENDED:
	case CR_CONNECTION_ERROR:
	case CR_CONN_HOST_ERROR:
	case CR_COMMANDS_OUT_OF_SYNC:
	case CR_MALFORMED_PACKET:
	case ER_SERVER_SHUTDOWN:
	case ER_CONNECTION_KILLED:
	case ER_NORMAL_SHUTDOWN:
	case ER_NEW_ABORTING_CONNECTION:
	case ER_NET_READ_ERROR:
	case ER_NET_READ_INTERRUPTED:
	case ER_NET_ERROR_ON_WRITE:
	case ER_NET_WRITE_INTERRUPTED:
	case CR_OUT_OF_MEMORY:
	case ER_ERROR_DURING_COMMIT: /* of a node that lost the others */
	case 0: /* nobody says what it was */
		return RC_DOUBT;
	/* it takes no writes: a failover made it read-only, or it is a node
	 * without a quorum. What was begun is rolled back. */
	case ER_OPTION_PREVENTS_STATEMENT:
	case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
	case ER_READ_ONLY_MODE:
	case ER_OPEN_AS_READONLY:
	case ER_INNODB_READ_ONLY:
	case ER_UNKNOWN_COM_ERROR:
		return RC_ERROR;
	default:
		return RC_NO;
	}
}

/* For the metrics. */
static void count_error(unsigned code)
{
	char number[16];

	snprintf(number, sizeof number, "%u", code);
	tally_name(TALLY_DB_ERRORS, number);
}

static void note_lost(struct db *db)
{
	memcpy(db->lost, db->session, sizeof db->lost);
	memcpy(db->lost_at, db->server, sizeof db->lost_at);
}

/* Keep what went wrong, and leave no transaction behind. */
static enum rc failed(struct db *db, unsigned code, const char *text,
		      const char *what)
{
	static const char *const kind[] = {
		[RC_NO] = "refused", [RC_AGAIN] = "again",
		[RC_DOUBT] = "lost", [RC_ERROR] = "no_writes",
	};
	enum rc rc = kind_of_error(code);

	count_error(code);
	snprintf(db->error, sizeof db->error, "%s: %u %s", what, code, text);
	log_line(rc == RC_AGAIN ? LOG_INFO : LOG_WARN, "db_error", "kind=%s "
		 "error=\"%s\"", kind[rc], db->error);
	if (rc == RC_DOUBT)
		note_lost(db);
	if (rc == RC_DOUBT || rc == RC_ERROR || !db->my ||
	    mysql_rollback(db->my))
		db_drop(db); /* another server may be found */
	return rc;
}

/* Which server it is, and what it takes as one packet: it hangs up on one that
 * is larger. */
static bool learn_server(struct db *db, MYSQL *my)
{
	MYSQL_RES *res = NULL;
	MYSQL_ROW row = NULL;

	if (!mysql_query(my, "SELECT @@max_allowed_packet,"
			 "CONCAT_WS(' ',@@hostname,@@port,@@datadir)"))
		res = mysql_store_result(my);
	if (res)
		row = mysql_fetch_row(res);
	if (row) {
		db->packet_max = strtoul(row[0], NULL, 10);
		snprintf(db->server, sizeof db->server, "%s", row[1]);
	}
	mysql_free_result(res);
	return row;
}

#define SYSTEM_CAS "/etc/ssl/certs"

static const char *or_null(const char *path)
{
	return *path ? path : NULL;
}

/* Without CTT_DB_TLS each version of the library would do as it likes. */
static void set_tls(MYSQL *my, const struct conf *cf)
{
	const unsigned tcp = MYSQL_PROTOCOL_TCP; /* to localhost, too */
	const my_bool on = cf->db_tls && !*cf->db_socket;

	mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &on);
	mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
	if (!on)
		return;
	mysql_options(my, MYSQL_OPT_PROTOCOL, &tcp);
	mysql_options(my, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
	mysql_ssl_set(my, or_null(cf->db_key), or_null(cf->db_cert),
		      or_null(cf->db_ca), *cf->db_ca ? NULL : SYSTEM_CAS, NULL);
}

static enum rc connect_now(struct db *db)
{
	const struct conf *cf = db->cf;
	const unsigned connect_s = CONNECT_TIMEOUT_S;
	const unsigned no = 0;
	const my_bool off = 0;
	char init[1024];
	MYSQL *my = mysql_init(NULL);

	if (!my)
		arena_exhausted();
	id_make(db->session);
	snprintf(init, sizeof init, SESSION, LOCK_WAIT_S, IDLE_S, db->session);
	mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &db->io_timeout_s);
	mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &db->io_timeout_s);
	mysql_options(my, MYSQL_OPT_RECONNECT, &off);
	/* a server that is not ours could ask for any file, our keys too */
	mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &no);
	mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	set_tls(my, cf);
	mysql_options(my, MYSQL_INIT_COMMAND, init);
	if (!mysql_real_connect(my, *cf->db_socket ? NULL : cf->db_host,
				cf->db_user, cf->db_password, cf->db_name,
				(unsigned)cf->db_port,
				*cf->db_socket ? cf->db_socket : NULL,
				CLIENT_FOUND_ROWS | CLIENT_MULTI_RESULTS) ||
	    !learn_server(db, my)) {
		snprintf(db->error, sizeof db->error, "connect: %u %s",
			 mysql_errno(my), mysql_error(my));
		count_error(mysql_errno(my));
		log_line(LOG_WARN, "db_away", "error=\"%s\"", db->error);
		mysql_close(my);
		return RC_ERROR;
	}
	db->my = my;
	return RC_OK;
}

/* What shows while rows are fetched, the connection alone knows. */
static enum rc statement_failed(struct db *db, MYSQL_STMT *st, const char *what)
{
	unsigned code = mysql_stmt_errno(st);

	return code ? failed(db, code, mysql_stmt_error(st), what) :
		      failed(db, mysql_errno(db->my), mysql_error(db->my), what);
}

/* Have a connection that takes a statement. */
static enum rc ready(struct db *db)
{
	MYSQL_STMT *st = db->unread;
	int more = 0;

	if (!db->my)
		return connect_now(db);
	db->unread = NULL;
	while (st && !more)
		more = mysql_stmt_next_result(st);
	if (more > 0)
		return statement_failed(db, st, "the end of what went before");
	return RC_OK;
}

/* A statement of this text, prepared; NULL: *rc_r says why not. */
static MYSQL_STMT *prepared(struct db *db, const char *plain, const char *what,
			    enum rc *rc_r)
{
	MYSQL_STMT *st = mysql_stmt_init(db->my);

	if (!st)
		arena_exhausted();
	if (!mysql_stmt_prepare(st, plain, strlen(plain)))
		return st;
	*rc_r = statement_failed(db, st, what);
	mysql_stmt_close(st);
	return NULL;
}

/* The text as the server takes it; NULL: it names a parameter that the
 * statement does not have. The caller frees it. */
static char *plain_text(struct db *db, enum sql sql, unsigned char *mark)
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

static enum rc prepare(struct db *db, enum sql sql)
{
	struct prepared *p = &db->prepared[sql];
	enum rc rc = RC_NO;
	char *plain;

	if (p->st)
		return RC_OK;
	plain = plain_text(db, sql, p->mark);
	if (!plain)
		return RC_NO;
	p->st = prepared(db, plain, sql_statements[sql].name, &rc);
	free(plain);
	if (!p->st)
		return rc;
	p->bind = calloc(mysql_stmt_param_count(p->st) + 1, sizeof *p->bind);
	if (!p->bind)
		arena_exhausted();
	return RC_OK;
}

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
	st = prepared(db, text, what, rc_r);
	free(text);
	if (!st)
		return false;
	good = run_with_null(st);
	if (!good)
		*rc_r = statement_failed(db, st, what);
	mysql_stmt_close(st);
	return good;
}

/* Is this error the NULLs', or the work of others' at the same time? The
 * statement itself is good then. */
static bool is_trials(unsigned code)
{
	return kind_of_error(code) == RC_AGAIN || code == ER_BAD_NULL_ERROR ||
	       code == ER_STATEMENT_TIMEOUT;
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
		*rc_r = statement_failed(db, st, what);
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
	st = prepared(t->db, part, what, &t->rc);
	if (!st)
		return false;
	good = !is_run(part) || run_in_trial(t->db, st, what, &t->rc);
	mysql_stmt_close(st);
	return good && (strncmp(part, "INSERT ", 7) ||
			explain(t->db, part, what, &t->rc));
}

enum rc db_try_all(struct db *db)
{
	enum rc rc = ready(db);

	for (int i = 0; (rc == RC_OK || rc == RC_NO) && i < SQL__MAX; i++) {
		struct trial t = {db, sql_statements[i].name, RC_OK};
		unsigned char mark[SQL_MARKS_MAX];
		enum rc whole = prepare(db, (enum sql)i);
		char *plain;

		if (whole != RC_OK) {
			rc = whole;
			continue;
		}
		plain = plain_text(db, (enum sql)i, mark);
		sql_each_part(plain, try_part, &t);
		free(plain);
		if (t.rc != RC_OK)
			rc = t.rc;
	}
	return rc;
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
	rc = ready(db);
	if (rc == RC_OK)
		rc = prepare(db, sql);
	if (rc != RC_OK)
		return rc;
	st = p->st;
	size = bind_params(p, param);
	if (size > db->packet_max)
		return failed(db, ER_NET_PACKET_TOO_LARGE,
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
	return statement_failed(db, st, sql_statements[sql].name);
}

enum rc db_run(struct db *db, enum sql sql, const struct buf *param,
	       struct arena *mem, struct rows *sets, size_t most)
{
	enum spent before = spent_on(SPENT_DB);
	enum rc rc = run(db, sql, param, mem, sets, most);

	spent_on(before);
	return rc;
}

enum rc db_text(struct db *db, const char *text)
{
	enum rc rc = ready(db);

	if (rc != RC_OK)
		return rc;
	if (mysql_query(db->my, text))
		return failed(db, mysql_errno(db->my), mysql_error(db->my),
			      "text");
	mysql_free_result(mysql_store_result(db->my));
	return RC_OK;
}

/* The one number that a query gives, or -1. */
static int64_t query_number(struct db *db, const char *query)
{
	MYSQL_RES *res = NULL;
	MYSQL_ROW row = NULL;
	int64_t number = -1;

	if (ready(db) != RC_OK)
		return -1;
	if (!mysql_query(db->my, query))
		res = mysql_store_result(db->my);
	if (res)
		row = mysql_fetch_row(res);
	if (row)
		number = row[0] ? strtoll(row[0], NULL, 10) : 0;
	else
		db_drop(db);
	mysql_free_result(res);
	return number;
}

static enum rc end_lost(struct db *db, int64_t until)
{
	char query[128];
	int64_t id;

	if (!*db->lost)
		return RC_OK;
	while (ready(db) != RC_OK) {
		if (clock_mono_ms() >= until)
			return RC_AGAIN;
		clock_sleep_ms(ENDING_MS);
	}
	if (strcmp(db->server, db->lost_at))
		return RC_DOUBT;
	snprintf(query, sizeof query, "SELECT IS_USED_LOCK('cttd:%s')",
		 db->lost);
	while ((id = query_number(db, query)) && clock_mono_ms() < until) {
		char kill[64];

		snprintf(kill, sizeof kill, "KILL CONNECTION %lld",
			 (long long)id);
		/* that it has ended meanwhile is no error */
		if (id > 0 && mysql_query(db->my, kill))
			log_line(LOG_INFO, "not_ended", "session=%lld "
				 "error=\"%s\"", (long long)id,
				 mysql_error(db->my));
		clock_sleep_ms(ENDING_MS);
	}
	if (id)
		return RC_AGAIN;
	db->lost[0] = '\0';
	return RC_OK;
}

enum rc db_end_lost(struct db *db, int64_t until)
{
	enum spent before = spent_on(SPENT_DB);
	enum rc rc = end_lost(db, until);

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
