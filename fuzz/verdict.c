/*
 * fuzz/verdict.c - what a partner answers, byte for byte
 *
 * The input is a line that names the call, and the answers, one for each
 * connection, with a line "====" between them. An empty one: the partner
 * cannot be connected to. Behind the last the partner hangs up unasked.
 *
 * Some answers are plain: what they say can be seen without libcurl. Where all
 * of them are, contract section 9 is walked here once more (`walk`), and has to
 * come to the same. Of the rest only the bounds are known.
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
#include "partner/token.h"

enum {
	CONNECTIONS_MAX = 40,
	KEEP_TRYING = 3,
	READ_ANEW = 5, /* how often a ticket is read to be written back */
	WRITE_ANSWER_MAX = 64 * 1024,
	TIME_MS = 2500, /* of the 5 s that a call has */
	NESTING = 300, /* more than the transport takes */
};

static const struct resolve resolve = {
	.status = "Resolved",
	.code = {"FIBER_CUT", "REPAIRED", "FIXED"},
	.at = "2026-01-02T03:04:05Z",
	.stored = {.status = "Resolved", .type = "Follow Up"},
};
static const struct cpe cpe = {"ZTE", "F660", "10.9.9.9", "ge-0/0:1", 1000};

/* How a call is made: the partner can be read; an attempt was in doubt before;
 * it was taken back already; TMF621 v5; for a ticket named "..". */
enum { READS = 1, DOUBTED = 2, ENDS = 4, V5 = 8, DOTS = 16 };

static const struct way {
	const char *line;
	enum partner_id partner;
	enum verb verb;
	const char *remark;
	unsigned how;
} ways[] = {
	{"taas link", PARTNER_TAAS, VERB_LINK, "down", 0},
	{"taas resolve", PARTNER_TAAS, VERB_RESOLVE, NULL, 0},
	{"taas note", PARTNER_TAAS, VERB_NOTE, NULL, 0},
	{"tmf link", PARTNER_TMF, VERB_LINK, NULL, READS},
	{"tmf unlink", PARTNER_TMF, VERB_UNLINK, NULL, READS},
	{"tmf resolve", PARTNER_TMF, VERB_RESOLVE, NULL, READS},
	{"tmf note", PARTNER_TMF, VERB_RESOLVE, "well", READS},
	{"nig cpe", PARTNER_NIG, VERB_CPE, NULL, 0},
	{"queue job", PARTNER_QUEUE, VERB_JOB, NULL, 0},
	{"taas link doubted", PARTNER_TAAS, VERB_LINK, "down", DOUBTED},
	{"taas link read", PARTNER_TAAS, VERB_LINK, "down", READS},
	{"taas link looked", PARTNER_TAAS, VERB_LINK, "down", READS | DOUBTED},
	{"taas unlink looked", PARTNER_TAAS, VERB_UNLINK, NULL,
	 READS | DOUBTED},
	{"taas unlink ends", PARTNER_TAAS, VERB_UNLINK, NULL,
	 READS | DOUBTED | ENDS},
	{"taas resolve looked", PARTNER_TAAS, VERB_RESOLVE, NULL,
	 READS | DOUBTED},
	{"taas look", PARTNER_TAAS, VERB_LOOK, NULL, READS},
	{"nig cpe doubted", PARTNER_NIG, VERB_CPE, NULL, DOUBTED},
	{"nig cpe read", PARTNER_NIG, VERB_CPE, NULL, READS},
	{"nig cpe looked", PARTNER_NIG, VERB_CPE, NULL, READS | DOUBTED},
	{"tmf link looked", PARTNER_TMF, VERB_LINK, NULL, READS | DOUBTED},
	{"tmf link ends", PARTNER_TMF, VERB_LINK, NULL, READS | DOUBTED | ENDS},
	{"tmf unlink looked", PARTNER_TMF, VERB_UNLINK, NULL, READS | DOUBTED},
	{"tmf resolve looked", PARTNER_TMF, VERB_RESOLVE, NULL,
	 READS | DOUBTED},
	{"tmf note looked", PARTNER_TMF, VERB_RESOLVE, "well",
	 READS | DOUBTED},
	{"tmf look", PARTNER_TMF, VERB_LOOK, NULL, READS},
	{"tmf link v5", PARTNER_TMF, VERB_LINK, NULL, READS | V5},
	{"tmf note v5", PARTNER_TMF, VERB_RESOLVE, "well", READS | V5},
	{"taas link dots", PARTNER_TAAS, VERB_LINK, "down", DOTS},
};

/* A connection: what the partner said on it, and what it was told. */
enum { NOT_YET = -1, NOT_MADE = -2 };

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
static int64_t now = 1, began;
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
	assert(nconnections < CONNECTIONS_MAX);
	connections[nconnections].fd = answer && !len ? NOT_MADE : NOT_YET;
	connections[nconnections].answer = answer ? answer : "";
	connections[nconnections++].len = len;
	if (answer && !len)
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype, to->protocol);
}

/* It has connected, and waits: the partner says all that it will say. */
static void answer_all(void)
{
	for (size_t i = 0; i < nconnections; i++) {
		const char *s = connections[i].answer;
		size_t n = connections[i].len;

		if (connections[i].fd != NOT_YET)
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

static bool may_send(void *nothing)
{
	(void)nothing;
	return true;
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
		if (connections[i].fd == NOT_MADE)
			continue;
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

/* ---- answers that are plain ---- */

struct text {
	const char *s; /* ended by a NUL, too */
	size_t n;
};

struct plain {
	int status;
	const char *etag; /* a strong one, or NULL */
	struct text body;
	bool chunked, gzip;
};

/* Does the line begin so? */
static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* Behind headers that mean nothing here, or are noted, and the empty line;
 * NULL: they are others. */
static const char *plain_lines(const char *s, struct plain *a)
{
	while (!begins(s, "\r\n")) {
		const char *eol = s;

		while (*eol >= 0x20 && *eol < 0x7f)
			eol++;
		if (!begins(eol, "\r\n"))
			return NULL;
		if (begins(s, "Transfer-Encoding: chunked\r\n") && !a->chunked)
			a->chunked = true;
		else if (begins(s, "Content-Encoding: gzip\r\n") && !a->gzip)
			a->gzip = true;
		else if (begins(s, "ETag: \"") && eol[-1] == '"' && !a->etag &&
			 eol - s > 7 && eol - s < 100)
			a->etag = arena_strndup(mem, s + 6,
						(size_t)(eol - s - 6));
		else if (*s != 'X' || s[strcspn(s, ":\r")] != ':')
			return NULL;
		s = eol + 2;
	}
	return s + 2;
}

/* The chunks put together; false: they are not whole. */
static bool unchunk(const char *s, const char *to, struct text *body)
{
	struct plain trailers = {.chunked = true, .gzip = true, .etag = ""};
	struct buf all;
	size_t n;

	buf_init(&all, mem);
	buf_str(&all, "");
	do {
		size_t digits = strspn(s, "0123456789abcdef");

		if (!digits || digits > 4 || !begins(s + digits, "\r\n"))
			return false;
		n = strtoul(s, NULL, 16);
		s += digits + 2;
		if (n && (n + 2 > (size_t)(to - s) || !begins(s + n, "\r\n")))
			return false;
		buf_add(&all, s, n);
		s += n ? n + 2 : 0;
	} while (n);
	*body = (struct text){all.s, all.len};
	return plain_lines(s, &trailers) != NULL;
}

static uint32_t crc32_of(const char *s, size_t n)
{
	uint32_t crc = 0xffffffff;

	while (n--) {
		crc ^= (unsigned char)*s++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static uint32_t little(const char *s, int bytes)
{
	return bytes ? (unsigned char)*s | little(s + 1, bytes - 1) << 8 : 0;
}

/* What gzip wrote in one block that is only stored; false: it is another. */
static bool unzip(struct text *body)
{
	static const char head[] = "\x1f\x8b\x08\0";
	const char *s = body->s;
	size_t n;

	if (body->n < 23 || memcmp(s, head, 4) || s[10] != 1)
		return false;
	n = little(s + 11, 2);
	if (little(s + 13, 2) != (~n & 0xffff) || body->n != n + 23 ||
	    little(s + 15 + n, 4) != crc32_of(s + 15, n) ||
	    little(s + 19 + n, 4) != n)
		return false;
	*body = (struct text){arena_strndup(mem, s + 15, n), n};
	return true;
}

/* False: it is not plain to see what the connection's answer says. */
static bool is_plain(size_t i, struct plain *a)
{
	const char *s = connections[i].answer, *to = s + connections[i].len;

	*a = (struct plain){0};
	if (!begins(s, "HTTP/1.1 ") || strspn(s + 9, "0123456789") != 3 ||
	    !begins(s + 12, " X\r\n"))
		return false;
	a->status = atoi(s + 9);
	s = plain_lines(s + 16, a);
	if (!s || a->status < 200 || a->status > 599)
		return false;
	a->body = (struct text){s, (size_t)(to - s)};
	if (a->chunked && !unchunk(s, to, &a->body))
		return false;
	if (a->status == 204 || a->status == 304)
		a->body = (struct text){"", 0};
	else if (a->gzip && a->body.n && !unzip(&a->body))
		return false;
	return true;
}

/* ---- what the body of a plain answer is ---- */

enum is { NO, YES, PERHAPS };

static struct json_object *parse(const char *s, size_t n)
{
	struct json_tokener *tok = json_tokener_new_ex(NESTING);
	struct json_object *o = json_tokener_parse_ex(tok, s, (int)n);

	if (json_tokener_get_error(tok) == json_tokener_continue)
		o = json_tokener_parse_ex(tok, "", -1);
	json_tokener_free(tok);
	return o;
}

/* The caller puts *o_r. PERHAPS: it is none that we read ourselves, but near
 * to one. */
static enum is is_json(struct text body, struct json_object **o_r)
{
	char *s = arena_strndup(mem, body.s, body.n), *at = s;
	struct json_object *near;
	const char *error;

	while ((at = strstr(at, "\\u0000"))) /* is no text of ours, but is JSON */
		at[5] = '1';
	*o_r = json_read(s, body.n, &error);
	if (!error)
		return YES;
	near = parse(body.s, body.n);
	json_object_put(near);
	return near || strchr("n[{\"", body.s[strspn(body.s, " \t\r\n")]) ?
		       PERHAPS : NO;
}

static bool is_text(struct json_object *o, const char *name, const char *text)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) &&
	       json_object_is_type(v, json_type_string) &&
	       (size_t)json_object_get_string_len(v) == strlen(text) &&
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

/* What a ticket shows of the call. */
enum shows { NO_TICKET, NOTHING, DONE, NOT_DONE, UNCLEAR };

/* `whole`: it was asked for, and would be there if it had one. */
static enum shows resolved(struct json_object *o, bool whole)
{
	struct json_object *v = json_object_object_get(o, "status");

	if (!json_object_is_type(v, json_type_string))
		return whole ? NOT_DONE : NOTHING;
	return strcasecmp(json_object_get_string(v), "resolved") ? NOT_DONE :
								    DONE;
}

static enum shows tmf_shows(const struct call *c, struct json_object *o,
			    bool whole)
{
	struct json_object *array = json_object_object_get(o, array_name(c));
	size_t n = 0;
	bool has = false;

	if (array && !json_object_is_type(array, json_type_array))
		return NO_TICKET;
	n = array ? json_object_array_length(array) : 0;
	for (size_t i = 0; i < n; i++) {
		struct json_object *e = json_object_array_get_idx(array, i);

		if (!json_object_is_type(e, json_type_object))
			return NO_TICKET;
		has = has || is_ours(e, c);
	}
	if (!array && !is_text(o, "id", c->ticket))
		return NO_TICKET;
	if (c->verb == VERB_RESOLVE)
		return resolved(o, whole);
	return !array && !whole ? NOTHING :
	       has == (c->verb == VERB_LINK) ? DONE : NOT_DONE;
}

static enum shows taas_shows(const struct call *c, struct json_object *o)
{
	struct json_object *ntt;

	if (!is_text(o, "ticketNo", c->ticket))
		return NO_TICKET;
	if (c->verb == VERB_RESOLVE)
		return resolved(o, false);
	if (!json_object_object_get_ex(o, "nttTicketNo", &ntt) ||
	    (ntt && !json_object_is_type(ntt, json_type_string)))
		return NOTHING;
	return is_text(o, "nttTicketNo", c->ntt) == (c->verb == VERB_LINK) ?
		       DONE : NOT_DONE;
}

static enum shows nig_shows(const struct call *c, struct json_object *o)
{
	static const char *const names[] = {"manufacturer", "model",
		"ipAddress", "port", "bandwidthMbps"};
	const struct cpe *to = c->cpe_to;
	const char *const texts[] = {to->manufacturer, to->model,
		to->ip_address, to->port};
	struct json_object *v;
	bool same = true;

	for (int i = 0; i < 5; i++)
		if (!json_object_object_get_ex(o, names[i], &v) ||
		    (i < 4 && v && !json_object_is_type(v, json_type_string)))
			return NO_TICKET;
	for (int i = 0; i < 4; i++)
		same = same && is_text(o, names[i], texts[i]);
	if (same && json_object_is_type(v, json_type_double))
		return UNCLEAR; /* 1e3 is 1000; nobody writes it so */
	return same && json_object_is_type(v, json_type_int) &&
	       json_object_get_int64(v) == to->bandwidth_mbps ? DONE : NOT_DONE;
}

static enum shows shows(const struct call *c, struct text body, bool whole)
{
	struct json_object *o;
	enum shows shown = NO_TICKET;
	enum is is = is_json(body, &o);

	if (is == PERHAPS)
		return UNCLEAR;
	if (is == YES && json_object_is_type(o, json_type_object))
		shown = c->partner == PARTNER_TMF ? tmf_shows(c, o, whole) :
			c->partner == PARTNER_TAAS ? taas_shows(c, o) :
						     nig_shows(c, o);
	json_object_put(o);
	return shown;
}

/* ---- contract section 9, once more ---- */

enum stage { LOOK, READ, WRITE, BACK, AFTER, OVER };

struct walk {
	const struct call *c;
	unsigned how; /* the call is made */
	enum stage stage;
	unsigned tries, rereads;
	bool doubted, yes, no, seen;
	const char *etag;
};

static bool is_no(int status)
{
	return status == 501 || (status >= 300 && status < 500 &&
	       status != 408 && status != 425 && status != 429);
}

static bool reads_first(const struct call *c)
{
	return c->partner == PARTNER_TMF &&
	       (c->verb != VERB_RESOLVE || c->remark);
}

static void go(struct walk *w, enum stage stage)
{
	w->stage = stage;
	w->tries = 0;
}

/* Nothing for good: again, if it was not the last time. */
static void once_more(struct walk *w)
{
	if (w->stage == WRITE || (w->stage == BACK && w->tries == KEEP_TRYING))
		w->doubted = true;
	if (w->tries == KEEP_TRYING)
		w->stage = OVER;
}

static void walk_no(struct walk *w)
{
	w->no = true;
	go(w, w->doubted && w->how & READS ? AFTER : OVER);
}

static void walk_yes(struct walk *w)
{
	w->yes = true;
	w->stage = OVER;
}

/* False: what an answer says is not clear. */
static bool walk_write(struct walk *w, const struct plain *a)
{
	bool tmf = w->c->partner == PARTNER_TMF;
	bool long_one = a->body.n > WRITE_ANSWER_MAX;
	bool blank = a->body.n == strspn(a->body.s, " \t\r\n");
	struct json_object *o;
	enum shows shown = NO_TICKET;
	enum is json = YES;

	if (a->status == 412 && w->etag && ++w->rereads < READ_ANEW) {
		go(w, READ);
	} else if (is_no(a->status)) {
		walk_no(w);
	} else if (a->status >= 300) {
		once_more(w);
	} else {
		if (!blank && !long_one) {
			json = is_json(a->body, &o);
			json_object_put(o);
		}
		if (json == YES && tmf && !blank && !long_one)
			shown = shows(w->c, a->body, false);
		if (json == PERHAPS || shown == UNCLEAR)
			return false;
		if (json == NO || (long_one && !tmf))
			once_more(w);
		else if (!tmf || shown == DONE)
			walk_yes(w);
		else if (shown == NOT_DONE)
			walk_no(w);
		else
			go(w, BACK);
	}
	return true;
}

static void walk_look(struct walk *w, enum shows shown)
{
	w->seen = w->seen || (shown == DONE && w->c->verb != VERB_LOOK);
	if (w->c->verb == VERB_LOOK && shown != NO_TICKET)
		w->yes = true;
	if (w->stage == AFTER || w->c->verb == VERB_LOOK || shown == DONE ||
	    (shown == NOT_DONE && w->how & ENDS) ||
	    (shown == NO_TICKET && reads_first(w->c)))
		w->stage = OVER;
	else
		go(w, WRITE);
}

static bool walk_read(struct walk *w, const struct plain *a)
{
	bool refused = is_no(a->status) || a->status < 300;
	enum shows shown = NO_TICKET;

	if (a->status == 200)
		shown = shows(w->c, a->body, true);
	if (shown == UNCLEAR)
		return false;
	if (shown != NO_TICKET && w->stage <= READ)
		w->etag = a->etag;
	if (w->stage == LOOK || w->stage == AFTER) {
		walk_look(w, shown);
	} else if (w->stage == READ && shown != NO_TICKET) {
		go(w, WRITE);
	} else if (w->stage == READ && refused) {
		w->stage = OVER;
	} else if (w->stage == READ || shown == NOTHING || !refused) {
		once_more(w);
	} else if (shown == DONE) {
		walk_yes(w);
	} else if (shown == NOT_DONE) {
		walk_no(w);
	} else { /* a yes that cannot be looked at */
		w->doubted = true;
		w->stage = OVER;
	}
	return true;
}

/* No connection could be made; that is not tried again. */
static void walk_nowhere(struct walk *w)
{
	w->doubted = w->doubted || w->stage == BACK;
	if (w->stage == LOOK)
		walk_look(w, NO_TICKET);
	else
		w->stage = OVER;
}

/* What the answers come to. False: not all of them were plain. */
static bool walk(const struct call *c, unsigned how, enum rc *verdict_r)
{
	struct walk w = {.c = c, .how = how, .doubted = how & DOUBTED};

	w.stage = how & DOTS ? OVER : c->verb == VERB_LOOK || (w.doubted && how & READS) ? LOOK :
		  reads_first(c) ? READ : WRITE;
	for (size_t i = 0; i < nconnections; i++) {
		const struct buf *told = &connections[i].told;
		struct plain a;

		assert(w.stage != OVER); /* it is not asked again */
		if (connections[i].fd == NOT_MADE) {
			walk_nowhere(&w);
			continue;
		}
		if (!told->len)
			return false;
		assert(is_write(told) == (w.stage == WRITE));
		w.tries++;
		if (!is_plain(i, &a) ||
		    !(w.stage == WRITE ? walk_write(&w, &a) :
					 walk_read(&w, &a)))
			return false;
	}
	/* and it is asked again, as long as there is time */
	assert(w.stage == OVER || !rest || now - began > TIME_MS);
	*verdict_r = w.yes || w.seen ? RC_OK :
		     w.doubted || w.stage == BACK ? RC_DOUBT :
		     w.no ? RC_NO : RC_AGAIN;
	return true;
}

/* ---- what holds of every answer ---- */

/* Is there a line with this status in the answer, and behind it an empty one?
 * What breaks off before that says nothing. */
static bool says(size_t i, long status)
{
	const char *from = connections[i].answer, *s = from;
	const char *to = s + connections[i].len, *eol;
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

/* The status is that of an answer to a write. */
static bool is_told(long status)
{
	for (size_t i = nconnections; i--;)
		if (is_write(&connections[i].told) && says(i, status))
			return true;
	return false;
}

static void check_bounds(const struct call *c)
{
	size_t writes = 0, in_a_row = 0;

	for (size_t i = 0; i < nconnections; i++) {
		in_a_row = is_write(&connections[i].told) ? in_a_row + 1 : 0;
		writes += in_a_row > 0;
		assert(in_a_row <= KEEP_TRYING);
	}
	assert(writes <= (size_t)KEEP_TRYING * READ_ANEW);
	assert(writes == 0 || c->verb != VERB_LOOK);
	assert(c->attempts == handles); /* what is used again breaks libcurl */
	assert(c->attempts >= nconnections);
}

static void check_verdict(const struct call *c, unsigned how)
{
	bool tmf = c->partner == PARTNER_TMF, good, doubted = how & DOUBTED;
	const struct history *past = &c->past;
	enum rc verdict;

	check_bounds(c);
	good = c->status >= 200 && c->status < 300;
	assert((c->verdict == RC_OK) == !c->why);
	assert(past->doubted || !doubted);
	assert(past->doubted || past->known != KNOWN_DOUBT);
	assert(c->seen == NOT_SEEN || how & READS);
	if (c->why)
		check_text(c->why, 1, 1000, "");
	if (c->looked)
		check_text(c->looked, 1, 1000, "");
	if (c->status && c->verb != VERB_LOOK && c->verdict != RC_AGAIN)
		assert(is_told(c->status) || reads_first(c));
	switch (c->verdict) {
	case RC_OK:
		assert(c->seen == SEEN_DONE || c->verb == VERB_LOOK ||
		       (good && is_told(c->status)));
		break;
	case RC_NO: /* at TMF a yes that nobody sees is one, too */
		assert(!past->doubted && is_told(c->status));
		assert(is_no((int)c->status) || (tmf && good));
		assert((c->no != NO_NONE) == !good);
		break;
	case RC_AGAIN: /* 412 is read again, and that may not come about */
		assert(!past->doubted);
		break;
	case RC_DOUBT:
		assert(past->doubted);
		break;
	default:
		assert(false); /* no such verdict */
	}
	if (walk(c, how, &verdict))
		assert(c->verdict == verdict);
}

/* ---- what the partner is told ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *space_end(const char *s)
{
	while (is_space(*s))
		s++;
	return s;
}

/* Behind the value in a text that is JSON. */
static const char *value_end(const char *s)
{
	int depth = 0;

	do {
		if (*s == '"')
			for (s++; *s != '"'; s++)
				s += *s == '\\';
		else if (*s == '{' || *s == '[')
			depth++;
		else if (*s == '}' || *s == ']')
			depth--;
		s++;
	} while (depth || (*s && !is_space(*s) && !strchr(",:]}", *s)));
	return s;
}

/* The next value in an object or an array: *at is its begin, then the end of
 * the last value. False: there is none. */
static bool value_next(const char **at, struct text *value_r)
{
	const char *s = space_end(*at);

	if (*s == '{' || *s == '[' || *s == ',' || *s == ':')
		s = space_end(s + 1);
	if (*s == '}' || *s == ']')
		return false;
	*at = value_end(s);
	*value_r = (struct text){s, (size_t)(*at - s)};
	return true;
}

/* An object's member as it stands there, of a repeated one the last; or an
 * empty array. */
static const char *member(const char *object, const char *name)
{
	const char *at = space_end(object), *found = "[]";
	struct text key, value;

	for (bool first = true; first || *at; first = false) {
		struct json_object *o;

		if (!first && *space_end(at) != ',')
			break;
		if (!value_next(&at, &key) || !value_next(&at, &value))
			break;
		o = parse(key.s, key.n);
		if ((size_t)json_object_get_string_len(o) == strlen(name) &&
		    !strcmp(json_object_get_string(o), name))
			found = arena_strndup(mem, value.s, value.n);
		json_object_put(o);
	}
	return *found == '[' ? found : "[]";
}

/* The elements of an array that are ours, or that are not; how many. */
static size_t elements(const struct call *c, const char *array, bool ours,
		       struct text *e_r, size_t most)
{
	const char *at = array;
	struct text value;
	size_t n = 0;

	if (!value_next(&at, &value))
		return 0;
	do {
		struct json_object *o = parse(value.s, value.n);

		assert(json_object_is_type(o, json_type_object));
		if (is_ours(o, c) == ours && n < most)
			e_r[n++] = value;
		json_object_put(o);
	} while (*space_end(at) == ',' && value_next(&at, &value));
	return n;
}

/* A PATCH says what is to be: ours once, and last, or not at all; and before
 * it, to the byte, what the answer to the read (a plain one, or NULL) had of
 * others. */
static void check_patch(const struct call *c, unsigned how, const char *body,
			const char *was)
{
	enum { MOST = 4096 };
	static struct text old[MOST], new[MOST], ours[2];
	const char *error, *array = member(body, array_name(c));
	size_t n = elements(c, array, false, new, MOST);
	struct json_object *o = json_read(body, strlen(body), &error);

	json_object_put(o);
	o = parse(body, strlen(body));
	assert(o);
	assert(is_text(o, "@type", "TroubleTicket") == !!(how & V5));
	assert((json_object_object_get(o, array_name(c)) != NULL) ==
	       reads_first(c));
	json_object_put(o);
	assert(elements(c, array, true, ours, 2) ==
	       (reads_first(c) && c->verb != VERB_UNLINK));
	assert(!n || c->verb == VERB_UNLINK || !reads_first(c) ||
	       new[n - 1].s < ours[0].s);
	if (!was || n == MOST)
		return;
	o = parse(was, strlen(was));
	assert(json_object_is_type(o, json_type_object));
	json_object_put(o);
	assert(elements(c, member(was, array_name(c)), false, old, MOST) == n);
	for (size_t i = 0; i < n; i++)
		assert(old[i].n == new[i].n &&
		       !memcmp(old[i].s, new[i].s, old[i].n));
}

/* The partner may have answered, and hung up, before it had all. */
static bool is_whole(const char *told, const char *body)
{
	const char *length = strstr(told, "\r\nContent-Length: ");

	return length && strtoul(length + 18, NULL, 10) == strlen(body);
}

/* Does the head of a request have this line? */
static bool has_line(const char *told, const char *name, const char *value)
{
	return strstr(told, arena_printf(mem, "\r\n%s: %s\r\n", name, value));
}

/* One request on each connection. Every try of a write is the same; one whose
 * body was made anew has the next key. */
static void check_told(const struct call *c, unsigned how)
{
	const struct buf *last = NULL; /* of this body */
	const char *last_body = NULL, *key = c->key;
	struct plain read = {0};
	bool anew = false;
	int bodies = 0;

	for (size_t i = 0; i < nconnections; i++) {
		const struct buf *told = &connections[i].told;
		const char *body = strstr(told->s, "\r\n\r\n");

		if (!told->len)
			continue;
		assert(body);
		body += 4;
		assert(has_line(told->s, "Accept-Encoding", "gzip"));
		if (!is_write(told)) {
			assert(!*body);
			assert(!strstr(told->s, "\r\nIf-Match:"));
			assert(strstr(told->s, "\r\nIdempotency-Key: key-1-read-"));
			if (!is_plain(i, &read))
				read.status = 0;
			anew = true;
			continue;
		}
		if (!is_whole(told->s, body))
			return;
		if (!last_body || (c->partner == PARTNER_TMF &&
				   strcmp(last_body, body) != 0))
			bodies++;
		if (bodies > 1)
			key = arena_printf(mem, "%s-%d", c->key, bodies);
		assert(has_line(told->s, "Idempotency-Key", key));
		if (anew && read.status == 200)
			assert(read.etag ? has_line(told->s, "If-Match",
						    read.etag) :
					   !strstr(told->s, "\r\nIf-Match:"));
		if (c->partner == PARTNER_TMF)
			check_patch(c, how, body, read.status == 200 ?
				    read.body.s : NULL);
		assert(anew || !last || (told->len == last->len &&
			!memcmp(told->s, last->s, last->len)));
		last = told;
		last_body = body;
		anew = false;
	}
}

static void run(struct call *c, unsigned how)
{
	static struct visit *visit;
	static struct tokens *tokens;
	static struct conf cf;
	struct http *http;

	if (!visit) {
		listen_somewhere();
		cf = *fuzz_app()->conf;
		for (int i = 0; i < PARTNER__MAX; i++)
			cf.url[i] = "http://10.0.0.1/base";
		cf.sync_concurrency = 1;
		cf.breaker_failures = INT64_MAX; /* each by itself */
		visit = visit_open(health_open(&cf, 1));
		http_setup();
		tokens = tokens_open(&cf);
	}
	for (int i = 0; i < PARTNER__MAX; i++)
		cf.reads[i] = how & READS;
	cf.tmf_version = how & V5 ? 5 : 4;
	mem = arena_open();
	nconnections = 0;
	handles = 0;
	began = now;
	http = http_open(&cf, tokens);
	http_use(http, visit, (struct sender){may_send, may_send, NULL});
	partner_call(http, mem, &c, 1, 1, now + 60000, NULL, NULL);
	http_close(http);
	visit_leave(visit);
	hear();
	check_verdict(c, how);
	check_told(c, how);
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
		.relationship = "isChild",
		.actor = "anna",
		.request_id = "fuzz",
		.resolve = &resolve,
		.element_name = "cpe 1",
		.cpe_from = &cpe,
		.cpe_to = &cpe,
		.body = "{\"text\":\"well\"}",
	};

	for (size_t i = 0; eol && i < sizeof ways / sizeof ways[0]; i++) {
		const struct way *way = &ways[i];

		if (strlen(way->line) != (size_t)(eol - s) ||
		    memcmp(way->line, s, (size_t)(eol - s)) != 0)
			continue;
		c.partner = way->partner;
		c.verb = way->verb;
		c.remark = way->remark;
		c.ends_if_not_done = way->how & ENDS;
		if (way->how & DOTS)
			c.ticket = "..";
		if (way->how & DOUBTED)
			c.past = (struct history){.known = KNOWN_DOUBT,
				.doubted = true, .doubted_at = now};
		rest = eol + 1;
		end = s + size;
		run(&c, way->how);
	}
	return 0;
}
