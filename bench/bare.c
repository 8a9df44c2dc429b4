/*
 * bench/bare.c - a bare FastCGI pool, to measure ctt.fcgi by
 *
 * It answers POST /ticket/ctt/link {"cttId": N, "nttId": N} and nothing else.
 * It is what a plain program would be: libfcgi's accept loop, one request at a
 * time in each process; the HS256 signature, exp and roles of the token; json-c
 * for the body and the answer; two transactions of plain prepared statements;
 * between them the partner's call by libcurl over a kept connection.
 *
 * It writes the rows that cttd would write, so that cttctl check holds it to the
 * same promises. Its row of the journal has no owner and a constant trace, and
 * its audit rows have no chain. It recovers nothing, repeats nothing, locks no
 * partner out and logs nothing. The settings are those of ctt.fcgi. Descriptor 0
 * is the socket.
 */
#include "bench.h"

#include <stdarg.h>
#include <stdbool.h>
#include <unistd.h>

#include <curl/curl.h>
#include <fcgiapp.h>
#include <json-c/json.h>
#include <mysql.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* ---- the database ---- */

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
		"updated_at) VALUES(?,'LINK','RUNNING',?,?,?,?,?,?,"
		NOW "," NOW "," NOW ")",
	[END_OPERATION] = "UPDATE operation SET state='SUCCEEDED',steps=?,"
		"updated_at=" NOW " WHERE id=? AND state='RUNNING'",
	[ADD_JOB] = "INSERT INTO job(type,payload,dedupe_key,run_at,since,"
		"created_at,updated_at) VALUES(?,?,?," NOW "," NOW "," NOW ","
		NOW ")",
	[ADD_AUDITS] = "INSERT INTO audit_log(entity_type,entity_id,action,"
		"outcome,actor,request_id,operation_id,detail,created_at)"
		" VALUES('CTT',?,'LINK','SUCCESS',?,?,?,?," NOW "),"
		"('NTT',?,'LINK','SUCCESS',?,?,?,?," NOW ")",
	/* the last one before COMMIT, for it is what all of them wait for; it
	 * gives the count back, which the answer has to name */
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

static MYSQL *my;
static MYSQL_STMT *st[STATEMENTS];

struct link {
	unsigned long long ctt_id, ntt_id, count;
	char op[48], actor[129];
	char ctt[65], ntt[65], status[65], source[65], order[65];
	bool has_orders;
	const char *request_id;
};

/* What the caller gets if the link is refused or fails. */
struct problem {
	int status;
	const char *code;
};

static const struct problem
	unauthenticated = {401, "UNAUTHENTICATED"},
	forbidden = {403, "FORBIDDEN"},
	not_found = {404, "NOT_FOUND"},
	no_ctt = {404, "CTT_NOT_FOUND"},
	no_ntt = {404, "NTT_NOT_FOUND"},
	linked = {409, "CTT_ALREADY_LINKED"},
	invalid = {422, "VALIDATION_FAILED"},
	broken = {500, "DB_SAVE_FAILED"},
	no_sync = {502, "EXTERNAL_SYNC_FAILED"};

static bool run(enum statement which, const char *types, ...)
{
	unsigned long long number[10];
	MYSQL_BIND bind[10] = {0};
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
	if (!mysql_stmt_bind_param(st[which], bind) &&
	    !mysql_stmt_execute(st[which]))
		return true;
	fprintf(stderr, "bare: %s\n", mysql_stmt_error(st[which]));
	return false;
}

/* The columns of the first row as texts of 64; false: there is none. */
static bool fetch(enum statement which, char (*column)[65], my_bool *null)
{
	MYSQL_BIND bind[4] = {0};
	unsigned long len[4];
	int rc = 1;

	for (int i = 0; i < 4; i++) {
		bind[i].buffer_type = MYSQL_TYPE_STRING;
		bind[i].buffer = column[i];
		bind[i].buffer_length = 64;
		bind[i].length = &len[i];
		bind[i].is_null = &null[i];
	}
	if (!mysql_stmt_bind_result(st[which], bind))
		rc = mysql_stmt_fetch(st[which]);
	for (int i = 0; !rc && i < 4; i++)
		column[i][null[i] ? 0 : len[i]] = '\0';
	mysql_stmt_free_result(st[which]);
	return !rc;
}

/* The gates. */
static const struct problem *check(struct link *l)
{
	char column[4][65];
	my_bool null[4];

	if (!run(READ_CTT, "n", l->ctt_id))
		return &broken;
	if (!fetch(READ_CTT, column, null))
		return &no_ctt;
	if (!null[3])
		return &linked;
	strcpy(l->ctt, column[0]);
	strcpy(l->status, column[1]);
	strcpy(l->source, column[2]);
	if (!run(READ_NTT, "n", l->ntt_id))
		return &broken;
	if (!fetch(READ_NTT, column, null))
		return &no_ntt;
	strcpy(l->ntt, column[0]);
	strcpy(l->order, column[2]);
	l->has_orders = !null[1];
	return NULL;
}

/* The first transaction: the gates, the link, the row of the operation. */
static const struct problem *save(struct link *l)
{
	const struct problem *p = check(l);

	if (!p && (!run(LINK, "nsn", l->ntt_id, l->ntt, l->ctt_id) ||
		   !run(BEGIN_OPERATION, "snnssss", l->op, l->ctt_id,
			l->ntt_id, l->source, l->actor, l->request_id,
			steps_begun) ||
		   mysql_commit(my)))
		p = &broken;
	if (p)
		mysql_rollback(my);
	return p;
}

static bool add_job(const struct link *l, const char *type, const char *payload)
{
	char key[129];

	snprintf(key, sizeof key, "%s:%s", l->op, type);
	return run(ADD_JOB, "sss", type, payload, key);
}

static bool add_jobs(const struct link *l)
{
	char payload[768], orders[1024];
	int len = snprintf(payload, sizeof payload, "{\"operationId\":\"%s\","
		"\"cttId\":%llu,\"cttTicketNo\":\"%s\",\"nttId\":%llu,"
		"\"nttTicketNo\":\"%s\",\"actor\":\"%s\",\"requestId\":"
		"\"%s\"}", l->op, l->ctt_id, l->ctt, l->ntt_id, l->ntt,
		l->actor, l->request_id);

	snprintf(orders, sizeof orders, "%.*s,\"workOrders\":[{\"id\":1,"
		 "\"orderNo\":\"%s\",\"status\":\"Open\"}]}", len - 1, payload,
		 l->order);
	return add_job(l, "create-ctt-related-kci", payload) &&
	       (!l->has_orders || add_job(l, "notify-work-orders", orders)) &&
	       add_job(l, "update-tmf-list", payload);
}

/* The second transaction: the operation, the jobs, the audit, the count. */
static const struct problem *settle(struct link *l)
{
	char detail[256];

	snprintf(detail, sizeof detail, "{\"cttTicketNo\":\"%s\","
		 "\"nttTicketNo\":\"%s\"}", l->ctt, l->ntt);
	if (run(END_OPERATION, "ss", steps_ended, l->op) && add_jobs(l) &&
	    run(ADD_AUDITS, "nssssnssss", l->ctt_id, l->actor, l->request_id,
		l->op, detail, l->ntt_id, l->actor, l->request_id, l->op,
		detail) &&
	    run(COUNT, "n", l->ntt_id) && !mysql_commit(my)) {
		l->count = mysql_stmt_insert_id(st[COUNT]);
		return NULL;
	}
	mysql_rollback(my);
	return &broken;
}

static const char *setting(const char *name)
{
	const char *value = getenv(name);

	if (!value)
		die("bare: %s is not set", name);
	return value;
}

static const char *secret(const char *name)
{
	size_t lines;

	return read_lines(setting(name), &lines)[0];
}

static void open_db(void)
{
	my = must(mysql_init(NULL));
	mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(my, MYSQL_INIT_COMMAND, "SET SESSION autocommit=0,"
		      "tx_isolation='READ-COMMITTED',time_zone='+00:00'");
	if (!mysql_real_connect(my, NULL, setting("CTT_DB_USER"),
				secret("CTT_DB_PASSWORD_FILE"),
				setting("CTT_DB_NAME"), 0,
				setting("CTT_DB_SOCKET"), CLIENT_FOUND_ROWS))
		die("bare: %s", mysql_error(my));
	for (int i = 0; i < STATEMENTS; i++) {
		st[i] = must(mysql_stmt_init(my));
		if (mysql_stmt_prepare(st[i], text[i], strlen(text[i])))
			die("bare: %s: %s", text[i], mysql_stmt_error(st[i]));
	}
}

/* ---- the partner ---- */

static CURL *curl;
static struct curl_slist *json_header;

/* The answer's body is not needed: the status says all. */
static size_t drop(char *s, size_t size, size_t n, void *to)
{
	(void)s, (void)to;
	return size * n;
}

static void open_partner(void)
{
	curl_global_init(CURL_GLOBAL_ALL);
	curl = must(curl_easy_init());
	json_header = curl_slist_append(NULL, "Content-Type: application/json");
	json_header = curl_slist_append(json_header, "Expect:");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 5000L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
}

/* body: NULL for a GET */
static bool call(const struct link *l, const char *method, const char *url,
		 const char *body)
{
	struct curl_slist key, id;
	char key_text[80], id_text[160];
	long status = 0;

	snprintf(key_text, sizeof key_text, "Idempotency-Key: %s-sync", l->op);
	snprintf(id_text, sizeof id_text, "X-Request-Id: %.128s",
		 l->request_id);
	id = (struct curl_slist){id_text, json_header};
	key = (struct curl_slist){key_text, &id};
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, &key);
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	else
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	if (curl_easy_perform(curl) != CURLE_OK)
		return false;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status / 100 == 2;
}

static const struct problem *ask(const struct link *l)
{
	char url[256], body[512];
	bool yes;

	if (!strcmp(l->source, "TAAS")) {
		snprintf(url, sizeof url, "%s/tickets/%s/link",
			 setting("CTT_TAAS_URL"), l->ctt);
		snprintf(body, sizeof body, "{\"nttTicketNo\":\"%s\","
			 "\"actor\":\"%s\"}", l->ntt, l->actor);
		yes = call(l, "POST", url, body);
	} else {
		snprintf(url, sizeof url, "%s/troubleTicket/%s",
			 setting("CTT_TMF_URL"), l->ctt);
		snprintf(body, sizeof body, "{\"troubleTicketRelationship\":"
			 "[{\"id\":\"%s\",\"relationshipType\":\"isChild\"}]}",
			 l->ntt);
		yes = call(l, "GET", url, NULL) && call(l, "PATCH", url, body);
	}
	return yes ? NULL : &no_sync;
}

/* ---- the token ---- */

enum { SEGMENT = 4096 };

static const char *key; /* of the signatures */

/* The JSON of a segment that ends at `end`; NULL: it has none. */
static struct json_object *segment(const char *s, const char *end)
{
	char in[SEGMENT + 4], out[SEGMENT + 4];
	size_t n = (size_t)(end - s);
	int len;

	if (n > SEGMENT)
		return NULL;
	for (size_t i = 0; i < n; i++)
		in[i] = s[i] == '-' ? '+' : s[i] == '_' ? '/' : s[i];
	while (n % 4)
		in[n++] = 'A'; /* zero bits: cut off below */
	len = EVP_DecodeBlock((unsigned char *)out, (unsigned char *)in,
			      (int)n);
	if (len < 0)
		return NULL;
	out[len - (int)(n - (size_t)(end - s))] = '\0';
	return json_tokener_parse(out);
}

static bool is_signed(const char *token, const char *dot)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	char is[64];
	unsigned len;

	HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)token,
	     (size_t)(dot - token), mac, &len);
	EVP_EncodeBlock((unsigned char *)is, mac, (int)len);
	for (char *c = is; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	is[43] = '\0'; /* without the = */
	return strlen(dot + 1) == 43 && !CRYPTO_memcmp(dot + 1, is, 43);
}

static bool text_is(struct json_object *o, const char *name, const char *is)
{
	const char *value = json_object_get_string(
		json_object_object_get(o, name));

	return value && !strcmp(value, is);
}

static bool may_link(struct json_object *claims)
{
	struct json_object *roles = json_object_object_get(claims, "roles");

	if (json_object_get_int64(json_object_object_get(claims, "exp")) <=
		    time(NULL) ||
	    !json_object_is_type(roles, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(roles); i++) {
		const char *role = json_object_get_string(
			json_object_array_get_idx(roles, i));

		if (role && (!strcmp(role, "ctt-operator") ||
			     !strcmp(role, "ctt-admin")))
			return true;
	}
	return false;
}

static const struct problem *check_token(const char *bearer, struct link *l)
{
	const char *token = bearer && !strncmp(bearer, "Bearer ", 7) ?
		bearer + 7 : "";
	const char *one = strchr(token, '.');
	const char *two = one ? strchr(one + 1, '.') : NULL;
	struct json_object *head, *claims;
	bool good;

	if (!two || !is_signed(token, two))
		return &unauthenticated;
	head = segment(token, one);
	claims = segment(one + 1, two);
	good = text_is(head, "alg", "HS256") && may_link(claims);
	if (good)
		snprintf(l->actor, sizeof l->actor, "%s",
			 json_object_get_string(
				json_object_object_get(claims, "sub")));
	json_object_put(head);
	json_object_put(claims);
	return good ? NULL : &forbidden;
}

/* ---- the request ---- */

static const struct problem *read_body(FCGX_Request *fr, struct link *l)
{
	char body[SEGMENT];
	int n = FCGX_GetStr(body, sizeof body - 1, fr->in);
	struct json_object *o;

	body[n] = '\0';
	o = json_tokener_parse(body);
	l->ctt_id = (unsigned long long)json_object_get_int64(
		json_object_object_get(o, "cttId"));
	l->ntt_id = (unsigned long long)json_object_get_int64(
		json_object_object_get(o, "nttId"));
	json_object_put(o);
	return l->ctt_id && l->ntt_id ? NULL : &invalid;
}

static void add(struct json_object *o, const char *name, const char *value)
{
	json_object_object_add(o, name, json_object_new_string(value));
}

static void add_id(struct json_object *o, const char *name,
		   unsigned long long id)
{
	json_object_object_add(o, name, json_object_new_uint64(id));
}

static struct json_object *answer_of(const struct link *l)
{
	struct json_object *o = json_object_new_object();
	struct json_object *ctt = json_object_new_object();
	struct json_object *ntt = json_object_new_object();

	add(o, "requestId", l->request_id);
	add(o, "operationId", l->op);
	add_id(ctt, "id", l->ctt_id);
	add(ctt, "ticketNo", l->ctt);
	add(ctt, "status", l->status);
	add(ctt, "source", l->source);
	add_id(ctt, "nttId", l->ntt_id);
	add(ctt, "nttTicketNo", l->ntt);
	json_object_object_add(o, "ctt", ctt);
	add_id(ntt, "id", l->ntt_id);
	add(ntt, "ticketNo", l->ntt);
	add_id(ntt, "cttCount", l->count);
	json_object_object_add(o, "ntt", ntt);
	return o;
}

static void answer(FCGX_Request *fr, const struct link *l,
		   const struct problem *p)
{
	struct json_object *o = p ? json_object_new_object() : answer_of(l);
	const char *body;

	if (p)
		add(o, "code", p->code);
	body = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	FCGX_FPrintF(fr->out, "Status: %d %s\r\nContent-Type: application/"
		     "%sjson\r\nContent-Length: %d\r\n\r\n%s",
		     p ? p->status : 200, p ? "Problem" : "OK",
		     p ? "problem+" : "", (int)strlen(body), body);
	json_object_put(o);
}

static void serve(FCGX_Request *fr)
{
	const char *id = FCGX_GetParam("CTT_REQUEST_ID", fr->envp);
	const char *path = FCGX_GetParam("REQUEST_URI", fr->envp);
	struct link l = {.request_id = id ? id : ""};
	const struct problem *p = check_token(
		FCGX_GetParam("HTTP_AUTHORIZATION", fr->envp), &l);

	if (!path || strcmp(path, "/ticket/ctt/link"))
		p = &not_found;
	/* rising, as cttd's are, so that the index grows at its end */
	snprintf(l.op, sizeof l.op, "bare-%017.0f-%07d", now_us(),
		 (int)getpid());
	if (!p)
		p = read_body(fr, &l);
	if (!p)
		p = save(&l);
	if (!p)
		p = ask(&l);
	if (!p)
		p = settle(&l);
	answer(fr, &l, p);
}

int main(void)
{
	FCGX_Request fr;

	open_db();
	open_partner();
	key = secret("CTT_JWT_KEY_FILE");
	if (FCGX_Init() || FCGX_InitRequest(&fr, 0, 0))
		die("bare: no FastCGI");
	while (FCGX_Accept_r(&fr) >= 0) {
		serve(&fr);
		FCGX_Finish_r(&fr);
	}
	return 0;
}
