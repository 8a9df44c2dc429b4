/*
 * store/db.c - the connection to MariaDB: how it is made, what an error means,
 * how a lost session ends
 */
#include "store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errmsg.h>
#include <mysqld_error.h>

#include "base/clock.h"
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

enum rc db_kind_of_error(unsigned code)
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

enum rc db_failed(struct db *db, unsigned code, const char *text,
		      const char *what)
{
	static const char *const kind[] = {
		[RC_NO] = "refused", [RC_AGAIN] = "again",
		[RC_DOUBT] = "lost", [RC_ERROR] = "no_writes",
	};
	enum rc rc = db_kind_of_error(code);

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
enum rc db_statement_failed(struct db *db, MYSQL_STMT *st, const char *what)
{
	unsigned code = mysql_stmt_errno(st);

	return code ? db_failed(db, code, mysql_stmt_error(st), what) :
		      db_failed(db, mysql_errno(db->my), mysql_error(db->my),
				what);
}

enum rc db_ready(struct db *db)
{
	MYSQL_STMT *st = db->unread;
	int more = 0;

	if (!db->my)
		return connect_now(db);
	db->unread = NULL;
	while (st && !more)
		more = mysql_stmt_next_result(st);
	if (more > 0)
		return db_statement_failed(db, st,
					   "the end of what went before");
	return RC_OK;
}

enum rc db_text(struct db *db, const char *text)
{
	enum rc rc = db_ready(db);

	if (rc != RC_OK)
		return rc;
	if (mysql_query(db->my, text))
		return db_failed(db, mysql_errno(db->my), mysql_error(db->my),
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

	if (db_ready(db) != RC_OK)
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
	while (db_ready(db) != RC_OK) {
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
