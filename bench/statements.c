/*
 * bench/statements.c - what a link costs in MariaDB, by the form of its statements
 *
 *	statements MODE ITEMS BATCHES FIRST-CTT SERVER-PID
 *
 * Each batch links ITEMS CTTs, from FIRST-CTT on, as the saga does: LOAD, SAVE,
 * CLOSE, with jobs, counts and a chained audit trail, but no partner. MODE:
 *
 *	block	the statements of cttd; one item by parameters of its own
 *	json	the same, one item as JSON too
 *	plain	plain prepared statements, one after the other
 *	array	the same, changes with STMT_ATTR_ARRAY_SIZE
 *
 * Stored routines are `block` and `json` with other texts (CTT_SQL_FILE): see
 * bench/statements.pl, which runs all of them. The settings are cttd's own. Prints
 * CPU of the server and of this process, and the time, in microseconds a link.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <mysql.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "store/load.h"
#include "store/save.h"

#define die(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

enum { NTTS = 20, TEXT = 512, JOBS = 3 };

#define OWNER "bench-1-1-0" /* of all operations; nobody asks for its lease */

static const char *const job_types[JOBS] = {
	"create-ctt-related-kci", "notify-work-orders", "update-tmf-list",
};

static struct conf cf;

static double own_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double server_us(const char *pid)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
			 "%*u %lu %lu", &user, &system) != 2)
		die("%s: cannot be read", path);
	fclose(f);
	return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* ---- blocks ---- */

static struct item *item_new(struct arena *mem, uint64_t ctt, uint64_t ntt,
			     size_t index)
{
	struct item *it = arena_alloc(mem, sizeof *it);

	it->kind = OP_LINK;
	it->index = index;
	it->want.ctt.id = ctt;
	it->want.ntt.id = ntt;
	it->want.actor = "bench";
	it->want.request_id = "bench";
	it->sync.partner = "TAAS";
	it->journal.owner = OWNER;
	item_name(mem, it);
	return it;
}

static void note_steps(struct item *it, unsigned from, unsigned to)
{
	for (unsigned s = from; s < to; s++)
		trace_note(&it->trace, kind_steps[OP_LINK][s], STEP_OK,
			   clock_wall_ms(), NULL);
}

static const struct buf *payload_of(struct arena *mem, const struct item *it)
{
	struct buf *b = arena_alloc(mem, sizeof *b);

	buf_init(b, mem);
	put_open(b, NULL, '{');
	put_str(b, "operationId", it->op_id);
	put_id(b, "cttId", it->ctt->id);
	put_str(b, "cttTicketNo", it->ctt->ticket_no);
	put_id(b, "nttId", it->ntt->id);
	put_str(b, "nttTicketNo", it->ntt->ticket_no);
	put_str(b, "actor", it->want.actor);
	put_str(b, "requestId", it->want.request_id);
	put_close(b, '}');
	return b;
}

static void block_batch(struct db *db, size_t n, uint64_t first, bool json)
{
	struct arena *mem = arena_open();
	struct terms terms = {0};
	struct batch b = {.mem = mem, .terms = &terms};
	struct change ch;
	bool won;

	b.it = arena_array(mem, n, sizeof *b.it);
	for (size_t i = 0; i < n; i++)
		batch_add(&b, item_new(mem, first + i, 1 + (first + i) % NTTS,
				       i));
	if (store_load(db, SQL_LOAD, &b) != RC_OK)
		die("LOAD: %s", db_error(db));
	change_init(&ch, &cf, &b);
	ch.single = ch.single && !json;
	batch_each (&b, it) {
		if (!it->ctt || !it->ntt)
			die("ctt %llu cannot be linked",
			    (unsigned long long)it->want.ctt.id);
		it->state = OP_RUNNING;
		note_steps(it, 0, 6);
		change_link(&ch, it->ctt, it->ntt);
		change_op_new(&ch, it, OWNER);
	}
	if (store_save(db, &ch, &won) != RC_OK || !won)
		die("SAVE: %s", db_error(db));
	change_init(&ch, &cf, &b);
	ch.single = ch.single && !json;
	batch_each (&b, it) {
		it->was = OP_RUNNING;
		it->state = OP_SUCCEEDED;
		note_steps(it, 6, 10);
		change_op(&ch, it, 0);
		for (int j = 0; j < JOBS; j++)
			change_job(&ch, it, job_types[j], payload_of(mem, it),
				   0);
		change_count(&ch, it->ntt, 1);
		change_audit(&ch, it, "SUCCESS", true);
	}
	if (store_close(db, &ch, &b, &won) != RC_OK || !won)
		die("CLOSE: %s", db_error(db));
	arena_close(mem);
}

/* ---- plain statements ---- */

#define NOW "UTC_TIMESTAMP(3)"

enum plain {
	LOCK, OPEN_ONE, NTT, PAIR, LINK, NEW, END, JOB, COUNT, HASH, AUDIT,
	PLAIN__MAX
};

static const char *const plain_text[PLAIN__MAX] = {
	[LOCK] = "SELECT id,ticket_no,status,source,ntt_id,ntt_ticket_no,"
		"external_sync,segment_group,partner_ref FROM ctt WHERE id=?"
		" FOR UPDATE",
	[OPEN_ONE] = "SELECT id,kind,state,owner,next_try_at FROM operation"
		" WHERE open_ctt_id=?",
	[NTT] = "SELECT n.id,n.ticket_no,n.ctt_count,w.id,w.order_no,w.status"
		" FROM ntt n LEFT JOIN work_order w ON w.ntt_id=n.id"
		" WHERE n.id=?",
	[PAIR] = "SELECT kind,seq,updated_at FROM operation WHERE ctt_id=?"
		" AND ntt_id=? AND kind IN('LINK','UNLINK') AND"
		" state='SUCCEEDED' AND updated_at>" NOW "-INTERVAL 60 SECOND",
	[LINK] = "UPDATE ctt SET ntt_id=?,ntt_ticket_no=?,updated_at=" NOW
		" WHERE id=?",
	[NEW] = "INSERT INTO operation(id,kind,state,ctt_id,ntt_id,partner,"
		"actor,request_id,owner,item_index,steps,mends,next_try_at,"
		"created_at,updated_at) VALUES(?,'LINK','RUNNING',?,?,'TAAS',"
		"'bench','bench',?,0,?,0," NOW "," NOW "," NOW ")",
	[END] = "UPDATE operation SET state='SUCCEEDED',steps=?,owner=NULL,"
		"updated_at=" NOW " WHERE id=? AND state='RUNNING' AND owner=?",
	[JOB] = "INSERT INTO job(type,dedupe_key,payload,run_at,since,"
		"created_at,updated_at) VALUES(?,?,?," NOW "," NOW "," NOW ","
		NOW ")",
	[COUNT] = "UPDATE ntt SET ctt_count=ctt_count+1,updated_at=" NOW
		" WHERE id=?",
	[HASH] = "SELECT hash FROM audit_log WHERE entity_type=? AND"
		" entity_id=? ORDER BY id DESC LIMIT 1",
	[AUDIT] = "INSERT INTO audit_log(entity_type,entity_id,action,outcome,"
		"actor,request_id,operation_id,detail,created_at,hash)"
		" VALUES(?,?,'LINK','SUCCESS','bench','bench',?,?,?,?)",
};

static MYSQL *my;
static MYSQL_STMT *st[PLAIN__MAX];

static void open_plain(void)
{
	my = mysql_init(NULL);
	mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(my, MYSQL_INIT_COMMAND, "SET SESSION autocommit=0,"
		      "tx_isolation='READ-COMMITTED',time_zone='+00:00'");
	if (!mysql_real_connect(my, NULL, cf.db_user, cf.db_password,
				cf.db_name, 0, cf.db_socket,
				CLIENT_FOUND_ROWS))
		die("%s", mysql_error(my));
	for (int i = 0; i < PLAIN__MAX; i++) {
		st[i] = mysql_stmt_init(my);
		if (mysql_stmt_prepare(st[i], plain_text[i],
				       strlen(plain_text[i])))
			die("%s: %s", plain_text[i], mysql_stmt_error(st[i]));
	}
}

/* Rows of parameters, column by column: texts. */
struct table {
	struct arena *mem;
	unsigned cols;
	size_t n;
	char **cell[6];
	unsigned long *len[6];
};

static struct table table_new(struct arena *mem, unsigned cols, size_t most)
{
	struct table t = {.mem = mem, .cols = cols};

	for (unsigned c = 0; c < cols; c++) {
		t.cell[c] = arena_array(mem, most, sizeof(char *));
		t.len[c] = arena_array(mem, most, sizeof(long));
	}
	return t;
}

static void table_add(struct table *t, const char *const *cells)
{
	for (unsigned c = 0; c < t->cols; c++) {
		t->cell[c][t->n] = arena_strdup(t->mem, cells[c]);
		t->len[c][t->n] = strlen(cells[c]);
	}
	t->n++;
}

#define ADD(t, ...) table_add(t, (const char *const[]){__VA_ARGS__})

/* Rows i to i + n - 1 of the table, at once; a result is read into `got`. */
static void run_rows(enum plain which, const struct table *t, size_t i,
		     unsigned n, char *got)
{
	MYSQL_BIND bind[6] = {0}, result[9] = {0};
	char room[9][TEXT];
	unsigned long len[9];
	my_bool null[9];

	for (unsigned c = 0; c < t->cols; c++) {
		bind[c].buffer_type = MYSQL_TYPE_STRING;
		bind[c].buffer = n > 1 ? (void *)&t->cell[c][i] : t->cell[c][i];
		bind[c].length = &t->len[c][i];
		bind[c].buffer_length = t->len[c][i];
	}
	mysql_stmt_attr_set(st[which], STMT_ATTR_ARRAY_SIZE,
			    n > 1 ? &n : &(unsigned){0});
	if (mysql_stmt_bind_param(st[which], bind) ||
	    mysql_stmt_execute(st[which]))
		die("%s: %s", plain_text[which], mysql_stmt_error(st[which]));
	if (!mysql_stmt_field_count(st[which]))
		return;
	for (int c = 0; c < 9; c++) {
		result[c].buffer_type = MYSQL_TYPE_STRING;
		result[c].buffer = room[c];
		result[c].buffer_length = TEXT;
		result[c].length = &len[c];
		result[c].is_null = &null[c];
	}
	mysql_stmt_bind_result(st[which], result);
	while (mysql_stmt_fetch(st[which]) == 0)
		if (got && !null[0])
			snprintf(got, TEXT, "%.*s", (int)len[0], room[0]);
	mysql_stmt_free_result(st[which]);
}

static void run_all(enum plain which, struct table *t, bool array)
{
	for (size_t i = 0; !array && i < t->n; i++)
		run_rows(which, t, i, 1, NULL);
	if (array)
		run_rows(which, t, 0, (unsigned)t->n, NULL);
}

static void add_audit(struct arena *mem, struct table *audits, const char *type,
		      const char *id, const char *op, const char *at, char *last)
{
	const char *detail = "{\"cttTicketNo\":\"TaaS-0000003\",\"nttTicketNo\":"
			     "\"NTT-0000001\",\"partner\":\"TAAS\"}";
	const char *text = arena_printf(mem, "%s%s%s%s", last, id, detail, at);

	snprintf(last, TEXT, "%s", hash_sha256(mem, text, strlen(text)));
	ADD(audits, type, id, op, detail, at, last);
}

static void plain_batch(size_t n, uint64_t first, bool array)
{
	static const char steps[] = "[[\"load_ctt\",\"ok\",1700000000000,0],"
		"[\"load_ntt\",\"ok\",1700000000000,0],[\"check_idle\",\"ok\","
		"1700000000000,0],[\"save_local\",\"ok\",1700000000000,0]]";
	struct arena *mem = arena_open();
	struct table ctts = table_new(mem, 1, n), ntts = table_new(mem, 1, n);
	struct table pairs = table_new(mem, 2, n), links = table_new(mem, 3, n);
	struct table news = table_new(mem, 5, n), ends = table_new(mem, 3, n);
	struct table jobs = table_new(mem, 3, n * JOBS);
	struct table counts = table_new(mem, 1, n);
	struct table trails = table_new(mem, 2, n * 2);
	struct table audits = table_new(mem, 6, n * 2);
	char last[NTTS + 1][TEXT] = {{0}};
	char at[CLOCK_TEXT];

	clock_text(clock_wall_ms(), at);
	at[CLOCK_TEXT - 2] = '\0';
	for (size_t i = 0; i < n; i++) {
		const char *ctt = arena_printf(mem, "%llu",
			(unsigned long long)(first + i));
		const char *ntt = arena_printf(mem, "%llu",
			(unsigned long long)(1 + (first + i) % NTTS));
		char op[ID_LEN + 1];

		id_make(op);
		ADD(&ctts, ctt);
		ADD(&ntts, ntt);
		ADD(&pairs, ctt, ntt);
		ADD(&links, ntt, "NTT-0000001", ctt);
		ADD(&news, op, ctt, ntt, "owner", steps);
		ADD(&ends, steps, op, "owner");
		for (int j = 0; j < JOBS; j++)
			ADD(&jobs, job_types[j],
			    arena_printf(mem, "%s:%s", op, job_types[j]),
			    "{\"operationId\":\"0123456789\",\"cttId\":1,"
			    "\"cttTicketNo\":\"TaaS-0000003\",\"nttId\":1,"
			    "\"nttTicketNo\":\"NTT-0000001\",\"actor\":"
			    "\"bench\",\"requestId\":\"bench\"}");
		ADD(&counts, ntt);
		ADD(&trails, "CTT", ctt);
		ADD(&trails, "NTT", ntt);
	}
	run_all(LOCK, &ctts, false); /* a SELECT takes no array */
	for (size_t i = 0; i < n; i++) {
		run_rows(OPEN_ONE, &pairs, i, 1, NULL);
		run_rows(NTT, &counts, i, 1, NULL);
		run_rows(PAIR, &pairs, i, 1, NULL);
	}
	run_all(LINK, &links, array && n > 1);
	run_all(NEW, &news, array && n > 1);
	mysql_commit(my);
	run_all(END, &ends, array && n > 1);
	run_all(JOB, &jobs, array);
	run_all(COUNT, &counts, array && n > 1);
	for (size_t i = 0; i < n; i++) {
		unsigned which = (unsigned)((first + i) % NTTS);
		char of_ctt[TEXT] = "";

		run_rows(HASH, &trails, 2 * i, 1, of_ctt);
		if (!*last[which])
			run_rows(HASH, &trails, 2 * i + 1, 1, last[which]);
		add_audit(mem, &audits, "CTT", trails.cell[1][2 * i], "op", at,
			  of_ctt);
		add_audit(mem, &audits, "NTT", trails.cell[1][2 * i + 1], "op",
			  at, last[which]);
	}
	run_all(AUDIT, &audits, array);
	mysql_commit(my);
	arena_close(mem);
}

int main(int argc, char **argv)
{
	bool by_block, json, array;
	size_t n, batches;
	uint64_t first;
	double server = 0, own = 0, began = 0, links;
	struct db *db;
	char err[CONF_ERR];

	if (argc != 6)
		die("usage: statements MODE ITEMS BATCHES FIRST-CTT SERVER-PID");
	json = !strcmp(argv[1], "json");
	by_block = json || !strcmp(argv[1], "block");
	array = !strcmp(argv[1], "array");
	n = strtoull(argv[2], NULL, 10);
	batches = strtoull(argv[3], NULL, 10);
	first = strtoull(argv[4], NULL, 10);
	log_setup("statements", LOG_WARN, true);
	if (!conf_load(&cf, CONF_NEED_DB, err, sizeof err))
		die("%s", err);
	db = db_open(&cf);
	open_plain();
	for (size_t i = 0; i <= batches; i++) {
		if (i == 1) { /* all is prepared */
			server = server_us(argv[5]);
			own = own_us();
			began = (double)clock_mono_ms() * 1e3;
		}
		if (by_block)
			block_batch(db, n, first + i * n, json);
		else
			plain_batch(n, first + i * n, array);
	}
	links = (double)(n * batches);
	printf("server=%.0f own=%.0f time=%.0f\n",
	       (server_us(argv[5]) - server) / links, (own_us() - own) / links,
	       ((double)clock_mono_ms() * 1e3 - began) / links);
	db_close(db);
	mysql_close(my);
	conf_close(&cf);
	return 0;
}
