/*
 * fuzz/common.c - what the targets share
 */
#include "config.h"

#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <json-c/json.h>

#include "base/log.h"
#include "base/text.h"

static const char secret[] = "a secret of 32 bytes, only of fuzz";

/* {"sub":"anna","exp":4102444800,"roles":["ctt-admin"]}: until 2100 */
const char fuzz_authorization[] =
	"Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
	".eyJzdWIiOiJhbm5hIiwiZXhwIjo0MTAyNDQ0ODAwLCJyb2xlcyI6WyJjdHQtYWRtaW4i"
	"XX0.7TwXDM9RRdZEaxlosbBFp31Ksvz4-RTvNWOf_Gw8DsU";

struct verifier *fuzz_verifier(const char *alg, const char *key, size_t n,
			       const char *issuer, const char *audience)
{
	struct verifier *v = NULL;
	struct conf *cf = calloc(1, sizeof *cf); /* the verifier keeps it */
	char path[64], err[CONF_ERR] = "";
	int fd = memfd_create("key", MFD_CLOEXEC);

	if (!cf || fd < 0 || pwrite(fd, key, n, 0) != (ssize_t)n)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	clearenv(); /* no setting of who fuzzes: the defaults */
	setenv("CTT_MEMCACHED", "", 1);
	if (!conf_load(cf, 0, err, sizeof err))
		abort();
	cf->jwt_alg = alg;
	cf->jwt_key_file = path;
	cf->jwt_issuer = issuer;
	cf->jwt_audience = audience;
	if (verifier_open(cf, &v, err, sizeof err) != RC_OK) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	close(fd);
	return v;
}

struct verifier *fuzz_app_verifier(void)
{
	static struct verifier *v;

	if (!v)
		v = fuzz_verifier("HS256", secret, strlen(secret), "", "");
	return v;
}

struct app *fuzz_app(void)
{
	static struct conf cf;
	static struct process process;
	static struct app app;
	char err[256];

	if (app.conf)
		return &app;
	clearenv(); /* no setting of who fuzzes: the defaults */
	setenv("CTT_DB_SOCKET", "/nonexistent/db.sock", 1);
	setenv("CTT_MEMCACHED", "", 1);
	setenv("CTT_SHARED_FILE", "/nonexistent/shared", 1);
	setenv("CTT_LOG_LEVEL", "error", 1);
	if (!conf_load(&cf, 0, err, sizeof err))
		abort();
	log_setup("fuzz", (enum log_level)cf.log_level, false);
	cf.threads = 1;
	process_open(&process, &cf, 1);
	app_open(&app, &process);
	return &app;
}

bool fuzz_request(const uint8_t *data, size_t size, struct arena *mem,
		  struct request *rq_r)
{
	const uint8_t *eol = size ? memchr(data, '\n', size) : NULL;
	char *line, *target, *query;

	if (!eol)
		return false;
	line = arena_strndup(mem, (const char *)data, (size_t)(eol - data));
	target = strchr(line, ' ');
	if (!target)
		return false;
	*target++ = '\0';
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	*rq_r = (struct request){
		.app = fuzz_app(),
		.verifier = fuzz_app_verifier(),
		.mem = mem,
		.method = line,
		.path = target,
		.query = query ? query : "",
		.content_type = "application/json",
		.authorization = fuzz_authorization,
		.id = "fuzz",
		.body = (const char *)eol + 1,
		.body_len = size - (size_t)(eol + 1 - data),
	};
	return true;
}

/* A member that is text; NULL: it has no such member, or not of text. */
static const char *text_of(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v) ||
	    !json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

static bool says(struct json_object *o, const char *name)
{
	const char *text = text_of(o, name);

	return text && *text;
}

/* Every field that is wrong has a name and a message. */
static void check_errors(struct json_object *problem)
{
	struct json_object *errors = NULL;

	json_object_object_get_ex(problem, "errors", &errors);
	assert(json_object_is_type(errors, json_type_array));
	assert(json_object_array_length(errors) > 0);
	for (size_t i = 0; i < json_object_array_length(errors); i++) {
		struct json_object *e = json_object_array_get_idx(errors, i);

		assert(text_of(e, "field"));
		assert(says(e, "message"));
	}
}

static void check_problem(const struct request *rq, struct json_object *o)
{
	static const char *const members[] = {"type", "title", "detail",
					      "code"};
	struct json_object *status = NULL;
	enum code code;

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		assert(says(o, members[i]));
	assert(text_of(o, "requestId"));
	code = code_of(text_of(o, "code"));
	json_object_object_get_ex(o, "status", &status);
	assert(code != CODE_OK && code_info[code].status == rq->status);
	assert(json_object_get_int(status) == rq->status);
	assert(rq->status != 500); /* not for what somebody sends */
	assert(rq->status != 503 || rq->retry_after_s > 0);
	assert(rq->status != 405 || rq->allow);
	if (code == CODE_VALIDATION_FAILED)
		check_errors(o);
}

void check_answer(const struct request *rq)
{
	struct json_object *o;
	const char *error;
	bool good = rq->status >= 200 && rq->status < 300;

	assert(rq->reply_type && rq->reply.s);
	assert(strlen(rq->reply.s) == rq->reply.len);
	if (!strncmp(rq->reply_type, "text/", 5)) {
		assert(good);
		return;
	}
	o = json_read(rq->reply.s, rq->reply.len, &error);
	assert(!error && json_object_is_type(o, json_type_object));
	assert(!strcmp(rq->reply_type, good ? "application/json" :
					      "application/problem+json"));
	if (!good)
		check_problem(rq, o);
	json_object_put(o);
}

void check_text(const char *s, size_t least, size_t most, const char *controls)
{
	size_t n = strlen(s), chars = text_chars(s, n);

	assert(text_utf8(s, n));
	assert(chars >= least && chars <= most);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		assert((c >= 0x20 && c != 0x7f) || strchr(controls, c));
		assert(c != 0xc2 || (unsigned char)s[1] >= 0xa0); /* C1 */
	}
}
