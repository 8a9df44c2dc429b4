/*
 * fuzz/verdict.c - what a partner answers, byte for byte
 *
 * The input is a line that names the call, and the answers, one for each
 * connection, with a line "====" between them. An empty one: the partner
 * cannot be connected to. Behind the last the partner hangs up unasked.
 *
 * The transport is real; the partner is a unix socket of this process, and
 * speaks when libcurl waits for it. Time stands still, but where the transport
 * waits to try again.
 */
#include "config.h"

#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <curl/curl.h>
#include <json-c/json.h>

#include "base/text.h"
#include "partner/health.h"
#include "partner/partner.h"

enum { CONNECTIONS_MAX = 16, KEEP_TRYING = 3 };

static const struct resolve resolve = {
	.status = "Resolved",
	.code = {"FIBER_CUT", "REPAIRED", "FIXED"},
	.at = "2026-01-02T03:04:05Z",
	.stored = {.status = "Resolved", .type = "Follow Up"},
};
static const struct cpe cpe = {"ZTE", "F660", "10.9.9.9", "ge-0/0:1", 1000};

static const struct {
	const char *line;
	enum partner_id partner;
	enum verb verb;
	const char *remark;
} calls[] = {
	{"taas link", PARTNER_TAAS, VERB_LINK, "down"},
	{"taas resolve", PARTNER_TAAS, VERB_RESOLVE, NULL},
	{"taas note", PARTNER_TAAS, VERB_NOTE, NULL},
	{"tmf link", PARTNER_TMF, VERB_LINK, NULL},
	{"tmf unlink", PARTNER_TMF, VERB_UNLINK, NULL},
	{"tmf resolve", PARTNER_TMF, VERB_RESOLVE, NULL},
	{"tmf note", PARTNER_TMF, VERB_RESOLVE, "well"},
	{"nig cpe", PARTNER_NIG, VERB_CPE, NULL},
	{"queue job", PARTNER_QUEUE, VERB_JOB, NULL},
};

/* A connection: what the partner said on it, and what it was told. */
static struct {
	int fd;
	const char *answer;
	size_t len;
	struct buf told;
} connections[CONNECTIONS_MAX];
static size_t nconnections;
static const char *rest, *end; /* the answers that were not given yet */
static struct arena *mem;
static unsigned handles; /* of libcurl, that were made */
static int64_t now = 1;
static int listening;
static char socket_name[32];

int64_t __wrap_clock_mono_ms(void);
CURL *__real_curl_easy_init(void);
CURL *__wrap_curl_easy_init(void);
CURLMcode __real_curl_multi_poll(CURLM *, struct curl_waitfd *, unsigned, int,
				 int *);
CURLMcode __wrap_curl_multi_poll(CURLM *, struct curl_waitfd *, unsigned, int,
				 int *);

int64_t __wrap_clock_mono_ms(void)
{
	return now;
}

/* The next answer, ended by a NUL too; NULL: there is none. */
static const char *answer_take(size_t *len_r)
{
	static const char line[] = "\n====\n";
	const char *answer = rest, *to;

	*len_r = 0;
	if (!rest)
		return NULL;
	to = memmem(rest, (size_t)(end - rest), line, sizeof line - 1);
	*len_r = (size_t)((to ? to : end) - rest);
	rest = to ? to + sizeof line - 1 : NULL;
	return arena_strndup(mem, answer, *len_r);
}

/* libcurl is about to connect. */
static curl_socket_t on_socket(void *at, curlsocktype purpose,
			       struct curl_sockaddr *to)
{
	size_t len;
	const char *answer = answer_take(&len);

	(void)at;
	(void)purpose;
	if (answer && !len)
		return CURL_SOCKET_BAD;
	assert(nconnections < CONNECTIONS_MAX);
	connections[nconnections].fd = -1;
	connections[nconnections].answer = answer ? answer : "";
	connections[nconnections++].len = len;
	return socket(to->family, to->socktype, to->protocol);
}

/* It has connected, and waits: the partner says all that it will say. */
static void answer_all(void)
{
	for (size_t i = 0; i < nconnections; i++) {
		const char *s = connections[i].answer;
		size_t n = connections[i].len;

		if (connections[i].fd >= 0)
			continue;
		connections[i].fd = accept(listening, NULL, NULL);
		if (connections[i].fd < 0 ||
		    (n && send(connections[i].fd, s, n, MSG_NOSIGNAL) !=
				  (ssize_t)n) ||
		    shutdown(connections[i].fd, SHUT_WR))
			abort();
	}
}

CURLMcode __wrap_curl_multi_poll(CURLM *multi, struct curl_waitfd *fds,
				 unsigned n, int ms, int *ready_r)
{
	int ready = 0;
	CURLMcode code;

	answer_all();
	code = __real_curl_multi_poll(multi, fds, n, 0, &ready);
	if (!ready)
		now += ms;
	if (ready_r)
		*ready_r = ready;
	return code;
}

CURL *__wrap_curl_easy_init(void)
{
	CURL *curl = __real_curl_easy_init();

	handles++;
	curl_easy_setopt(curl, CURLOPT_ABSTRACT_UNIX_SOCKET, socket_name);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	return curl;
}

static void listen_somewhere(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof address;

	/* the kernel finds an unused name: a NUL, and five digits */
	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	if (listening < 0 ||
	    bind(listening, (struct sockaddr *)&address,
		 sizeof address.sun_family) ||
	    getsockname(listening, (struct sockaddr *)&address, &len) ||
	    listen(listening, CONNECTIONS_MAX))
		abort();
	memcpy(socket_name, address.sun_path + 1,
	       len - sizeof address.sun_family - 1);
}

/* What each connection was told, when all is over. */
static void hear(void)
{
	for (size_t i = 0; i < nconnections; i++) {
		struct buf *told = &connections[i].told;
		char piece[4096];
		ssize_t n;

		buf_init(told, mem);
		buf_str(told, "");
		while ((n = recv(connections[i].fd, piece, sizeof piece,
				 MSG_DONTWAIT)) > 0)
			buf_add(told, piece, (size_t)n);
		close(connections[i].fd);
	}
}

static bool is_write(const struct buf *told)
{
	return told->len && strncmp(told->s, "GET ", 4) != 0;
}

/* Behind headers that mean nothing here, and the empty line; NULL: they are
 * others. One may say that the body comes in chunks. */
static const char *plain_lines(const char *s, bool *chunked)
{
	static const char in_chunks[] = "Transfer-Encoding: chunked\r\n";

	while (strncmp(s, "\r\n", 2) != 0) {
		if (!*chunked && !strncmp(s, in_chunks, sizeof in_chunks - 1))
			*chunked = true;
		else if (*s != 'X' || s[strcspn(s, ":\r")] != ':')
			return NULL;
		while (*s >= 0x20 && *s < 0x7f)
			s++;
		if (strncmp(s, "\r\n", 2) != 0)
			return NULL;
		s += 2;
	}
	return s + 2;
}

static bool is_whole_chunked(const char *s, const char *to)
{
	bool chunked = true;
	size_t n;

	do {
		size_t digits = strspn(s, "0123456789abcdef");

		if (!digits || digits > 4 || strncmp(s + digits, "\r\n", 2))
			return false;
		n = strtoul(s, NULL, 16);
		s += digits + 2;
		if (n && (n + 2 > (size_t)(to - s) ||
			  strncmp(s + n, "\r\n", 2) != 0))
			return false;
		s += n ? n + 2 : 0;
	} while (n);
	return plain_lines(s, &chunked) != NULL;
}

/* The status of an answer that is plain to see, and whole; else 0. *body_r is
 * NULL where it is in chunks. */
static int plain_status(const char *s, size_t n, const char **body_r)
{
	const char *to = s + n;
	bool chunked = false;
	int status;

	if (strncmp(s, "HTTP/1.1 ", 9) != 0 ||
	    strspn(s + 9, "0123456789") != 3 || strncmp(s + 12, " X\r\n", 4))
		return 0;
	status = atoi(s + 9);
	s = plain_lines(s + 16, &chunked);
	if (!s || status < 200 || status > 599 ||
	    (chunked && !is_whole_chunked(s, to)))
		return 0;
	*body_r = chunked ? NULL : s;
	return status;
}

static bool is_refusal(long status)
{
	return status >= 400 && status < 500 && status != 408 &&
	       status != 425 && status != 429;
}

/* What plain answers to a call of one leg come to: contract section 9. False:
 * not all of them were plain. */
static bool expected(enum rc *verdict_r)
{
	for (size_t i = 0; i < nconnections; i++) {
		const char *body;
		int status = plain_status(connections[i].answer,
					  connections[i].len, &body);

		*verdict_r = status < 300 ? RC_OK :
			     is_refusal(status) ? RC_NO : RC_DOUBT;
		if (!status)
			return false;
		if (*verdict_r == RC_DOUBT)
			continue;
		assert(i + 1 == nconnections); /* and it was not asked again */
		return true;
	}
	return nconnections == KEEP_TRYING;
}

/* Is there a line with this status in the last answer, and behind it an empty
 * one? What breaks off before that says nothing. */
static bool says(long status)
{
	const char *from = connections[nconnections - 1].answer, *s = from;
	const char *to = s + connections[nconnections - 1].len, *eol;
	char code[24];
	size_t n = (size_t)snprintf(code, sizeof code, " %03ld", status);

	for (; (s = memmem(s, (size_t)(to - s), "HTTP/", 5)); s = eol) {
		eol = memchr(s, '\n', (size_t)(to - s));
		if (!eol)
			return false;
		if ((s == from || s[-1] == '\n') &&
		    memmem(s, (size_t)(eol - s), code, n))
			return memmem(eol, (size_t)(to - eol), "\n\r\n", 3) ||
			       memmem(eol, (size_t)(to - eol), "\n\n", 2);
	}
	return false;
}

static void check_verdict(const struct call *c)
{
	size_t writes = 0;
	enum rc verdict;

	for (size_t i = 0; i < nconnections; i++)
		writes += is_write(&connections[i].told);
	assert(writes <= KEEP_TRYING && nconnections <= 2 * KEEP_TRYING);
	assert(c->attempts <= 2 * KEEP_TRYING);
	assert(c->attempts == handles); /* what is used again breaks libcurl */
	assert((c->verdict == RC_OK) == !c->why);
	if (c->why)
		check_text(c->why, 1, 1000, "");
	switch (c->verdict) {
	case RC_OK:
		assert(writes && c->status >= 200 && c->status < 300);
		assert(says(c->status));
		break;
	case RC_NO:
		assert(writes && is_refusal(c->status));
		assert(says(c->status));
		break;
	case RC_AGAIN:
		assert(!writes);
		break;
	case RC_DOUBT:
		assert(writes);
		break;
	default:
		assert(false); /* no such verdict */
	}
	if (c->partner != PARTNER_TMF && expected(&verdict))
		assert(c->verdict == verdict);
}

/* The members of an array in a JSON text, or NULL; the caller puts *o_r. */
static struct json_object *array_of(const char *s, size_t n, const char *name,
				    struct json_object **o_r)
{
	struct json_object *array = NULL;
	const char *fault;

	*o_r = json_read(s, n, &fault);
	assert(!fault && json_object_is_type(*o_r, json_type_object));
	json_object_object_get_ex(*o_r, name, &array);
	return array;
}

static bool is_text(struct json_object *o, const char *name, const char *text)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) &&
	       json_object_is_type(v, json_type_string) &&
	       !strcmp(json_object_get_string(v), text);
}

static bool is_ours(struct json_object *e, const struct call *c)
{
	if (c->verb == VERB_RESOLVE)
		return is_text(e, "id", c->key);
	return is_text(e, "id", c->ntt) &&
	       is_text(e, "relationshipType", "isChild");
}

static const char *array_name(const struct call *c)
{
	return c->verb == VERB_RESOLVE ? "note" : "troubleTicketRelationship";
}

/* What stood in the array that was read, and is not ours, is the first of what
 * is written, as it was. Returns how many these are. */
static size_t check_others(const struct call *c, struct json_object *array,
			   const char *was, size_t n)
{
	struct json_object *o, *old = array_of(was, n, array_name(c), &o);
	size_t others = 0;

	for (size_t i = 0; old && i < json_object_array_length(old); i++) {
		struct json_object *e = json_object_array_get_idx(old, i);

		if (!is_ours(e, c))
			assert(json_object_equal(e, json_object_array_get_idx(
							array, others++)));
	}
	json_object_put(o);
	return others;
}

/* A PATCH says what is to be: ours once, and last, or not at all; and what the
 * answer to the read (a plain one, or NULL) had of others. */
static void check_patch(const struct call *c, const char *body, size_t n,
			const char *was, size_t was_len)
{
	struct json_object *o, *array = array_of(body, n, array_name(c), &o);
	size_t ours = array && c->verb != VERB_UNLINK;
	size_t elements = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; i < elements; i++) {
		struct json_object *e = json_object_array_get_idx(array, i);

		assert(json_object_is_type(e, json_type_object));
		assert(is_ours(e, c) == (ours && i + 1 == elements));
	}
	if (was)
		assert(check_others(c, array, was, was_len) + ours == elements);
	json_object_put(o);
}

/* One request on each connection; every try of the write is the same. */
static void check_told(const struct call *c)
{
	const struct buf *first = NULL;
	const char *was = NULL;
	size_t was_len = 0;

	for (size_t i = 0; i < nconnections; i++) {
		const struct buf *told = &connections[i].told;
		const char *body = strstr(told->s, "\r\n\r\n");

		if (!told->len)
			continue;
		assert(body);
		if (!is_write(told)) {
			assert(!first && told->s + told->len == body + 4);
			was = NULL;
			if (plain_status(connections[i].answer,
					 connections[i].len, &was) && was)
				was_len = connections[i].len -
					(size_t)(was - connections[i].answer);
			continue;
		}
		if (!first && c->partner == PARTNER_TMF)
			check_patch(c, body + 4, told->len -
				    (size_t)(body + 4 - told->s), was, was_len);
		assert(strstr(told->s, "\r\nIdempotency-Key: key-1\r\n"));
		assert(!first || (told->len == first->len &&
				  !memcmp(told->s, first->s, first->len)));
		first = told;
	}
}

static void run(struct call *c)
{
	static struct health *health;
	static struct conf cf;
	struct http *http;

	if (!health) {
		listen_somewhere();
		cf = *fuzz_app()->conf;
		for (int i = 0; i < PARTNER__MAX; i++)
			cf.url[i] = "http://10.0.0.1/base";
		cf.sync_concurrency = 1;
		cf.breaker_failures = INT64_MAX; /* each by itself */
		health = health_open(&cf, true);
		curl_global_init(CURL_GLOBAL_DEFAULT);
	}
	mem = arena_open();
	nconnections = 0;
	handles = 0;
	http = http_open(&cf, health);
	partner_call(http, mem, &c, 1, 1, now + 60000);
	http_close(http);
	hear();
	check_verdict(c);
	check_told(c);
	arena_close(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	const char *eol = size ? memchr(s, '\n', size) : NULL;
	struct call c = {
		.key = "key-1",
		.ticket = "TaaS-1/2",
		.ntt = "NTT-7",
		.actor = "anna",
		.request_id = "fuzz",
		.resolve = &resolve,
		.element_name = "cpe 1",
		.cpe_from = &cpe,
		.cpe_to = &cpe,
		.body = "{\"text\":\"well\"}",
	};

	for (size_t i = 0; eol && i < sizeof calls / sizeof calls[0]; i++) {
		if (strlen(calls[i].line) != (size_t)(eol - s) ||
		    memcmp(calls[i].line, s, (size_t)(eol - s)) != 0)
			continue;
		c.partner = calls[i].partner;
		c.verb = calls[i].verb;
		c.remark = calls[i].remark;
		rest = eol + 1;
		end = s + size;
		run(&c);
	}
	return 0;
}
