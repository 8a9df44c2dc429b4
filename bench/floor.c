/*
 * bench/floor.c - the least work that one link can be, to measure ours by
 *
 *	floor DB-SOCKET DB-USER DB-NAME PASSWORD-FILE PARTNER-PORT THREADS
 *		LINKS-FILE
 *
 * Each line of the file is a link: the ids of a CTT and of an NTT. No HTTP
 * server, no JSON, no crash recovery: two transactions of plain prepared
 * statements on the tables of cttd, and between them one call of the partner
 * over a kept connection. It writes the rows that cttd would write, so that
 * cttctl check holds it to the same promises; but no chain of the audit trail.
 */
#include "bench.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include <mysql.h>

enum statement {
	READ_CTT, READ_NTT, LINK, BEGIN_OPERATION,
	END_OPERATION, ADD_JOB, ADD_AUDITS, COUNT,
	STATEMENTS
};

#define NOW "UTC_TIMESTAMP(3)"

static const char *const text[STATEMENTS] = {
	[READ_CTT] = "SELECT ticket_no,status,source,ntt_id FROM ctt"
		" WHERE id=? FOR UPDATE",
	[READ_NTT] = "SELECT n.ticket_no,w.id,w.order_no,w.status FROM ntt n"
		" LEFT JOIN work_order w ON w.ntt_id=n.id WHERE n.id=?",
	[LINK] = "UPDATE ctt SET ntt_id=?,ntt_ticket_no=?,updated_at=" NOW
		" WHERE id=?",
	[BEGIN_OPERATION] = "INSERT INTO operation(id,kind,state,ctt_id,"
		"ntt_id,partner,actor,request_id,steps,next_try_at,created_at,"
		"updated_at) VALUES(?,'LINK','RUNNING',?,?,'TAAS','bench',?,?,"
		NOW "," NOW "," NOW ")",
	[END_OPERATION] = "UPDATE operation SET state='SUCCEEDED',steps=?,"
		"updated_at=" NOW " WHERE id=? AND state='RUNNING'",
	[ADD_JOB] = "INSERT INTO job(type,payload,dedupe_key,run_at,since,"
		"created_at,updated_at) VALUES(?,?,?," NOW "," NOW "," NOW ","
		NOW ")",
	[ADD_AUDITS] = "INSERT INTO audit_log(entity_type,entity_id,action,"
		"outcome,actor,request_id,operation_id,detail,created_at)"
		" VALUES('CTT',?,'LINK','SUCCESS','bench',?,?,?," NOW "),"
		"('NTT',?,'LINK','SUCCESS','bench',?,?,?," NOW ")",
	/* the last one before COMMIT, for it is what all of them wait for; it
	 * gives the count back, which an answer has to name */
	[COUNT] = "UPDATE ntt SET ctt_count=LAST_INSERT_ID(ctt_count+1),"
		"updated_at=" NOW " WHERE id=?",
};

/* as long as what cttd keeps there */
#define STEP(name) "[\"" name "\",\"ok\",1700000000000,0]"
#define STEPS_BEGUN \
	STEP("load_ctt") "," STEP("load_ntt") "," STEP("check_idle") "," \
	STEP("check_not_linked") "," STEP("check_unlink_block") ","      \
	STEP("save_local")
static const char steps_begun[] = "[" STEPS_BEGUN "]";
static const char steps_ended[] = "[" STEPS_BEGUN ","
	"[\"sync_partner\",\"ok\",1700000000000,0,\"TaaS accepted it\"],"
	STEP("update_ctt_count") "," STEP("enqueue_jobs") ","
	STEP("write_audit") "]";

struct worker {
	pthread_t thread;
	MYSQL *my;
	MYSQL_STMT *st[STATEMENTS];
	int partner;
};

struct names {
	char ctt[65], ntt[65], order[65];
	bool has_orders;
};

static char **argv, **links;
static size_t n;
static atomic_size_t next;
static double *us;
static char run[32];
static pthread_barrier_t ready;

static void run_statement(MYSQL_STMT *st, const char *types, ...)
{
	unsigned long long number[8];
	MYSQL_BIND bind[8] = {0};
	va_list ap;

	va_start(ap, types);
	for (int i = 0; types[i]; i++) {
		if (types[i] == 'n') {
			number[i] = va_arg(ap, unsigned long long);
			bind[i].buffer_type = MYSQL_TYPE_LONGLONG;
			bind[i].buffer = &number[i];
			bind[i].is_unsigned = 1;
		} else {
			bind[i].buffer_type = MYSQL_TYPE_STRING;
			bind[i].buffer = va_arg(ap, char *);
			bind[i].buffer_length = strlen(bind[i].buffer);
		}
	}
	va_end(ap);
	if (mysql_stmt_bind_param(st, bind) || mysql_stmt_execute(st))
		die("floor: %s", mysql_stmt_error(st));
}

/* The columns of the first row as texts of 64; false: there is none. */
static bool fetch(MYSQL_STMT *st, char (*column)[65], my_bool *null)
{
	MYSQL_BIND bind[4] = {0};
	unsigned long len[4];
	int rc;

	for (int i = 0; i < 4; i++) {
		bind[i].buffer_type = MYSQL_TYPE_STRING;
		bind[i].buffer = column[i];
		bind[i].buffer_length = 64;
		bind[i].length = &len[i];
		bind[i].is_null = &null[i];
	}
	if (mysql_stmt_bind_result(st, bind))
		die("floor: %s", mysql_stmt_error(st));
	rc = mysql_stmt_fetch(st);
	for (int i = 0; !rc && i < 4; i++)
		column[i][null[i] ? 0 : len[i]] = '\0';
	mysql_stmt_free_result(st);
	return !rc;
}

static void commit(struct worker *w)
{
	if (mysql_commit(w->my))
		die("floor: %s", mysql_error(w->my));
}

/* The first transaction: the gates, the link, the journal. */
static void save(struct worker *w, unsigned long long ctt,
		 unsigned long long ntt, const char *op, struct names *of)
{
	char column[4][65];
	my_bool null[4];

	run_statement(w->st[READ_CTT], "n", ctt);
	if (!fetch(w->st[READ_CTT], column, null) || !null[3] ||
	    strcmp(column[2], "TAAS"))
		die("floor: ctt %llu cannot be linked", ctt);
	strcpy(of->ctt, column[0]);
	run_statement(w->st[READ_NTT], "n", ntt);
	if (!fetch(w->st[READ_NTT], column, null))
		die("floor: there is no ntt %llu", ntt);
	strcpy(of->ntt, column[0]);
	strcpy(of->order, column[2]);
	of->has_orders = !null[1];
	run_statement(w->st[LINK], "nsn", ntt, of->ntt, ctt);
	run_statement(w->st[BEGIN_OPERATION], "snnss", op, ctt, ntt, op,
		      steps_begun);
	commit(w);
}

static void ask(struct worker *w, const char *op, const struct names *of)
{
	char body[256], message[1024];
	size_t have = 0;
	ssize_t got;
	int len = snprintf(body, sizeof body, "{\"nttTicketNo\":\"%s\","
			   "\"actor\":\"bench\"}", of->ntt);

	len = snprintf(message, sizeof message, "POST /taas/tickets/%s/link "
		       "HTTP/1.1\r\nHost: 127.0.0.1\r\nIdempotency-Key: %s-sync"
		       "\r\nX-Request-Id: %s\r\nContent-Type: application/json"
		       "\r\nContent-Length: %d\r\n\r\n%s", of->ctt, op, op, len,
		       body);
	if (write(w->partner, message, (size_t)len) != len)
		die("floor: the partner is away");
	do {
		got = read(w->partner, message + have,
			   sizeof message - 1 - have);
		if (got <= 0)
			die("floor: the partner broke off");
		have += (size_t)got;
	} while (!message_len(message, have));
	if (strncmp(message, "HTTP/1.1 200 ", 13))
		die("floor: the partner refused: %s", message);
}

static void add_job(struct worker *w, const char *op, const char *type,
		    const char *payload)
{
	char key[129];

	snprintf(key, sizeof key, "%s:%s", op, type);
	run_statement(w->st[ADD_JOB], "sss", type, payload, key);
}

/* The second transaction: the journal, the jobs, the audit, the count. */
static void settle(struct worker *w, unsigned long long ctt,
		   unsigned long long ntt, const char *op,
		   const struct names *of)
{
	char payload[512], orders[768], detail[256];
	int len = snprintf(payload, sizeof payload, "{\"operationId\":\"%s\","
		"\"cttId\":%llu,\"cttTicketNo\":\"%s\",\"nttId\":%llu,"
		"\"nttTicketNo\":\"%s\",\"actor\":\"bench\",\"requestId\":"
		"\"%s\"}", op, ctt, of->ctt, ntt, of->ntt, op);

	run_statement(w->st[END_OPERATION], "ss", steps_ended, op);
	if (mysql_stmt_affected_rows(w->st[END_OPERATION]) != 1)
		die("floor: operation %s is gone", op);
	add_job(w, op, "create-ctt-related-kci", payload);
	if (of->has_orders) {
		snprintf(orders, sizeof orders, "%.*s,\"workOrders\":[{\"id\":"
			 "1,\"orderNo\":\"%s\",\"status\":\"Open\"}]}", len - 1,
			 payload, of->order);
		add_job(w, op, "notify-work-orders", orders);
	}
	add_job(w, op, "update-tmf-list", payload);
	snprintf(detail, sizeof detail, "{\"cttTicketNo\":\"%s\","
		 "\"nttTicketNo\":\"%s\"}", of->ctt, of->ntt);
	run_statement(w->st[ADD_AUDITS], "nsssnsss", ctt, op, op, detail, ntt,
		      op, op, detail);
	run_statement(w->st[COUNT], "n", ntt);
	if (!mysql_stmt_insert_id(w->st[COUNT]))
		die("floor: ntt %llu is gone", ntt);
	commit(w);
}

static void open_worker(struct worker *w)
{
	size_t lines;
	char *password = read_lines(argv[4], &lines)[0];

	w->my = must(mysql_init(NULL));
	mysql_options(w->my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(w->my, MYSQL_INIT_COMMAND, "SET SESSION autocommit=0,"
		      "tx_isolation='READ-COMMITTED',time_zone='+00:00'");
	if (!mysql_real_connect(w->my, NULL, argv[2], password, argv[3], 0,
				argv[1], CLIENT_FOUND_ROWS))
		die("floor: %s", mysql_error(w->my));
	for (int i = 0; i < STATEMENTS; i++) {
		w->st[i] = must(mysql_stmt_init(w->my));
		if (mysql_stmt_prepare(w->st[i], text[i], strlen(text[i])))
			die("floor: %s: %s", text[i],
			    mysql_stmt_error(w->st[i]));
	}
	w->partner = connect_port(argv[5]);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	size_t i;

	mysql_thread_init();
	open_worker(w);
	pthread_barrier_wait(&ready);
	while ((i = atomic_fetch_add(&next, 1)) < n) {
		unsigned long long ctt, ntt;
		struct names of;
		double began = now_us();
		char op[64];

		if (sscanf(links[i], "%llu %llu", &ctt, &ntt) != 2)
			die("floor: no link: %s", links[i]);
		snprintf(op, sizeof op, "floor-%s-%08zu", run, i);
		save(w, ctt, ntt, op, &of);
		ask(w, op, &of);
		settle(w, ctt, ntt, op, &of);
		us[i] = now_us() - began;
	}
	return NULL;
}

int main(int argc, char **args)
{
	struct worker *workers;
	struct start began;
	unsigned threads;

	if (argc != 8)
		die("usage: floor DB-SOCKET DB-USER DB-NAME PASSWORD-FILE "
		    "PARTNER-PORT THREADS LINKS-FILE");
	argv = args;
	threads = (unsigned)atoi(argv[6]);
	links = read_lines(argv[7], &n);
	us = must(calloc(n, sizeof *us));
	workers = must(calloc(threads, sizeof *workers));
	snprintf(run, sizeof run, "%.0f", now_us());
	mysql_library_init(0, NULL, NULL);
	pthread_barrier_init(&ready, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work,
				   &workers[i]))
			die("floor: no thread");
	pthread_barrier_wait(&ready);
	began = start_now();
	for (unsigned i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	report(us, n, began);
	return 0;
}
