/*
 * partner/http.c - makes the calls to partners, many at once, through one
 * curl_multi
 *
 * Behaviour of libcurl that this file works around:
 *
 * - If a kept connection died, libcurl sends the request again. The pre-request
 *   callback (on_send) refuses the second time within one transfer. This file
 *   tries again itself, because it counts attempts and keeps to the budget.
 * - The same callback is the point of no return. Before it, nothing was sent,
 *   whatever the error is. After it, the partner may have applied the call.
 * - Before 8.1.1, a handle that is used again keeps a pointer to the last
 *   header of the previous answer, which is freed. libcurl follows the pointer
 *   if the next answer begins with a folded line. So each transfer has a handle
 *   of its own; the connections belong to the multi handle.
 * - Its connect timeout counts the TLS handshake, too. So it is lengthened to
 *   the whole budget when the handshake begins (on_tls).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/spent.h"
#include "base/text.h"
#include "model/tally.h"
#include "model/verdict.h"
#include "partner/ends.h"
#include "partner/headers.h"
#include "partner/health.h"
#include "partner/partner.h"
#include "partner/tls.h"
#include "partner/token.h"

enum {
	ATTEMPTS = 3,
	READS_ANEW = 5, /* reads of a ticket that others change meanwhile */
	ANSWER_MAX = 64 * 1024,
	RETRY_BASE_MS = 100,
	RETRY_CAP_MS = 1000,
	RETRY_AFTER_MAX_S = 3600, /* longer than any budget */
	ETAG_MAX = 256,
	IDLE_CONNECTION_S = 20, /* partners keep a connection for longer */
	CONNECTION_AGE_S = 600,
	WATCH_MS = 50, /* between looks at what waits */
	TOKEN_WATCH_MS = 5, /* and at a token that is being fetched */
	SECRET_MIN = 6, /* bytes of a header's value that may be a secret */
};

/* The exchanges of a call: one write, and reads before and after it
 * (doc/partners.txt). */
enum stage {
	STAGE_LOOK,  /* an attempt was in doubt: is the change done? */
	STAGE_READ,  /* reads the array that the write replaces      */
	STAGE_WRITE,
	STAGE_BACK,  /* accepted: does the ticket show the change?   */
	STAGE_AFTER, /* refused after a doubt: is the change done?   */
};

/* A call in flight. */
struct slot {
	CURL *curl; /* of the last transfer */
	struct http *http;
	struct call *call; /* NULL: free */
	struct arena *mem;

	enum stage stage;
	struct exchange x;
	struct buf url, answer;
	struct slice ticket; /* as READ or LOOK read it; lives in `mem` */
	struct curl_slist *headers;
	struct token token;  /* that it has, or had last              */
	uint64_t refused;    /* the token that met a 401; 0: none did */
	const char *refusal; /* that 401, if it is to be renewed      */
	char error[CURL_ERROR_SIZE];
	char etag[ETAG_MAX];      /* of the answer; "": none              */
	char read_etag[ETAG_MAX]; /* of `ticket`; "": none                */
	long status;              /* of the last answer in any stage      */
	unsigned tries;           /* of this stage                        */
	unsigned reads;           /* how often a 412 led back to READ     */
	int64_t deadline;
	int64_t wake;     /* time of the next try; 0: one is under way */
	unsigned sent;    /* how often this transfer was sent         */
	bool barred;      /* this process may not send any more       */
	bool head_whole;  /* the header was read to its empty line    */
	long said;        /* the status in its first line; 0: none    */
	bool overflow;    /* the answer was longer than we read       */
	bool extra;       /* it is beside the request's own one       */
};

struct http {
	const struct conf *cf;
	struct visit *visit;
	struct sender sender;
	CURLM *multi;
	struct tokens *tokens;
	X509_STORE *ca[PARTNER__MAX]; /* NULL: the system's */
	struct curl_slist *headers[PARTNER__MAX]; /* of their files */
	struct slot *slots;
	size_t nslots;
};

static bool may_send(const struct http *h)
{
	return h->sender.may_send(h->sender.of);
}

/* Tell the metrics when the certificate ends that the partner has shown. */
static void note_end(const struct slot *s)
{
	const struct curl_tlssessioninfo *tls = NULL;
	X509 *cert;

	if (curl_easy_getinfo(s->curl, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK ||
	    !tls || tls->backend != CURLSSLBACKEND_OPENSSL || !tls->internals)
		return;
	cert = SSL_get_peer_certificate(tls->internals);
	if (cert)
		tally_set(TALLY_SERVER_ENDS + s->call->partner,
			  ending_of_cert(cert));
	X509_free(cert);
}

static int on_send(void *at, char *ip, char *local_ip, int port, int local_port)
{
	struct slot *s = at;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	note_end(s);
	s->barred = !s->x.reads && !may_send(s->http);
	if (s->barred)
		return CURL_PREREQFUNC_ABORT;
	return s->sent++ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* The three digits of "HTTP/1.1 200 OK\r\n", or 0. */
static long status_of(const char *line, size_t n)
{
	const char *at = memchr(line, ' ', n), *end = line + n;
	long status = 0;

	while (at && *at == ' ') /* the line's end stops this loop */
		at++;
	if (!at || end - at < 3)
		return 0;
	for (int i = 0; i < 3; i++, at++) {
		if (*at < '0' || *at > '9')
			return 0;
		status = status * 10 + *at - '0';
	}
	return status;
}

/* Keep a strong ETag. If-Match never matches a weak one. */
static void etag_take(struct slot *s, const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (unsigned char)end[-1] <= ' ')
		end--;
	if (at < end && *at == '"' && end - at < ETAG_MAX) {
		memcpy(s->etag, at, (size_t)(end - at));
		s->etag[end - at] = '\0';
	}
}

/* libcurl accepts a header that breaks off after its first line, so this finds
 * its end. There may be several headers (100 Continue), and trailers without an
 * empty line after the body. */
static size_t on_header(char *line, size_t size, size_t n, void *at)
{
	struct slot *s = at;

	(void)size;
	if (n >= 5 && !memcmp(line, "HTTP/", 5)) {
		s->head_whole = false;
		s->said = status_of(line, n);
		s->etag[0] = '\0';
	} else if (n <= 2 && (line[0] == '\r' || line[0] == '\n')) {
		s->head_whole = true;
	} else if (n > 5 && !strncasecmp(line, "ETag:", 5)) {
		etag_take(s, line + 5, line + n);
	}
	return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *at)
{
	struct slot *s = at;

	size_t most = s->x.reads ?
		(size_t)s->http->cf->partner_read_max_kib * 1024 : ANSWER_MAX;

	(void)size;
	if (s->answer.len + n > most) {
		s->overflow = true;
		return 0;
	}
	buf_add(&s->answer, data, n);
	return n;
}

#define SET(curl, option, value)                                             \
	do {                                                                 \
		if (curl_easy_setopt(curl, option, value) != CURLE_OK)       \
			arena_exhausted();                                   \
	} while (0)

static void set_pem(CURL *curl, CURLoption option, const char *pem)
{
	struct curl_blob blob = {(char *)pem, strlen(pem), CURL_BLOB_NOCOPY};

	SET(curl, option, *pem ? &blob : NULL);
}

/* The connection is there, and the TLS handshake begins. */
static CURLcode on_tls(CURL *curl, void *ctx, void *at)
{
	const struct slot *s = at;
	const struct http *h = s->http;
	X509_STORE *ca = h->ca[s->call->partner];

	if (ca)
		SSL_CTX_set1_cert_store(ctx, ca);
	SET(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)h->cf->partner_timeout_ms);
	return CURLE_OK;
}

/*
 * Require a certificate of the partner's CA, if one is set, and of the
 * partner's host name. A store of certificates is parsed once, not for each
 * connection. http_open parses ours. libcurl parses the system's, and keeps it
 * only if there is no CAPATH.
 */
static void set_tls(CURL *curl, struct slot *s, enum partner_id id)
{
	const struct conf *cf = s->http->cf;

	SET(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(curl, CURLOPT_CAPATH, NULL);
	if (s->http->ca[id])
		SET(curl, CURLOPT_CAINFO, NULL);
	SET(curl, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	SET(curl, CURLOPT_SSL_CTX_DATA, s);
	set_pem(curl, CURLOPT_SSLCERT_BLOB, cf->cert[id]);
	set_pem(curl, CURLOPT_SSLKEY_BLOB, cf->key[id]);
}

/* A new handle with the options that all calls share. */
static CURL *handle_make(struct slot *s, enum partner_id id)
{
	const struct conf *cf = s->http->cf;
	CURL *curl = curl_easy_init();

	if (!curl)
		arena_exhausted();
	SET(curl, CURLOPT_NOSIGNAL, 1L);
	SET(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)cf->partner_connect_timeout_ms);
	SET(curl, CURLOPT_FOLLOWLOCATION, 0L);
	SET(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	/* what the environment says of proxies does not count */
	SET(curl, CURLOPT_PROXY, cf->proxy[id]);
	SET(curl, CURLOPT_NOPROXY, "");
	SET(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(curl, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_S);
	SET(curl, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_AGE_S);
	SET(curl, CURLOPT_TCP_NODELAY, 1L);
	SET(curl, CURLOPT_PREREQFUNCTION, on_send);
	SET(curl, CURLOPT_PREREQDATA, s);
	SET(curl, CURLOPT_HEADERFUNCTION, on_header);
	SET(curl, CURLOPT_HEADERDATA, s);
	SET(curl, CURLOPT_WRITEFUNCTION, on_body);
	SET(curl, CURLOPT_WRITEDATA, s);
	SET(curl, CURLOPT_ERRORBUFFER, s->error);
	SET(curl, CURLOPT_PRIVATE, s);
	SET(curl, CURLOPT_PATH_AS_IS, 1L);
	SET(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
	set_tls(curl, s, id);
	return curl;
}

void http_setup(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		arena_exhausted();
}

void http_teardown(void)
{
	curl_global_cleanup();
}

static struct curl_slist *list_add(struct curl_slist *list, const char *line)
{
	struct curl_slist *more = curl_slist_append(list, line);

	if (!more)
		arena_exhausted();
	return more;
}

/* The lines of a headers file, as libcurl takes them. */
static struct curl_slist *headers_of(const char *text)
{
	struct arena *mem = arena_open();
	struct curl_slist *list = NULL;
	struct header h;

	while (headers_next(&text, &h))
		list = list_add(list, arena_printf(mem, "%.*s: %.*s",
				h.name_len, h.name, h.value_len, h.value));
	arena_close(mem);
	return list;
}

struct http *http_open(const struct conf *cf, struct tokens *tokens)
{
	struct http *h = calloc(1, sizeof *h);

	if (!h || !(h->multi = curl_multi_init()))
		arena_exhausted();
	h->cf = cf;
	h->tokens = tokens;
	for (int id = 0; id < PARTNER__MAX; id++) {
		if (*cf->ca[id])
			h->ca[id] = tls_store(cf->ca[id]);
		h->headers[id] = headers_of(cf->headers[id]);
	}
	/* one call at a time on a connection, also by HTTP/2: if it ends, or
	 * the partner ends it after so many calls, one is in doubt at most */
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS,
			  (long)cf->sync_concurrency * PARTNER__MAX);
	return h;
}

void http_use(struct http *h, struct visit *visit, struct sender sender)
{
	h->visit = visit;
	h->sender = sender;
}

/* Have slots for so many calls at once. None is in use. */
static void have_slots(struct http *h, size_t n)
{
	if (n <= h->nslots)
		return;
	for (size_t i = 0; i < h->nslots; i++)
		curl_easy_cleanup(h->slots[i].curl);
	free(h->slots);
	h->slots = calloc(n, sizeof *h->slots);
	if (!h->slots)
		arena_exhausted();
	h->nslots = n;
	for (size_t i = 0; i < n; i++)
		h->slots[i].http = h;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->nslots; i++)
		curl_easy_cleanup(h->slots[i].curl);
	curl_multi_cleanup(h->multi);
	for (int id = 0; id < PARTNER__MAX; id++) {
		X509_STORE_free(h->ca[id]);
		curl_slist_free_all(h->headers[id]);
	}
	free(h->slots);
	free(h);
}

/* The value of a header. Control characters are percent-encoded, because a line
 * break would begin another header. */
static const char *one_line(struct arena *mem, const char *value)
{
	const char *at = value;
	struct buf text;

	while ((unsigned char)*at >= ' ' && *at != '\x7f')
		at++;
	if (!*at)
		return value;
	buf_init(&text, mem);
	for (; *value; value++) {
		if ((unsigned char)*value < ' ' || *value == '\x7f')
			buf_printf(&text, "%%%02X", (unsigned)*value);
		else
			buf_add(&text, value, 1);
	}
	return text.s;
}

static void header(struct slot *s, const char *name, const char *value)
{
	s->headers = list_add(s->headers, arena_printf(s->mem, "%s: %s", name,
			      one_line(s->mem, value)));
}

/* The Idempotency-Key of an exchange. If the body differs from the one that was
 * sent before, the write gets the step's next key, because a partner remembers
 * a key together with its body. */
static const char *key_of(struct slot *s)
{
	struct call *c = s->call;
	struct history *past = &c->past;
	uint64_t hash;

	if (s->x.reads) /* with the write's key, a partner that remembers keys
			 * would repeat the read's answer to the write */
		return arena_printf(s->mem, "%s-read-%llx", c->key,
				    (unsigned long long)clock_wall_ms());
	if (!partners[c->partner]->reads_first)
		return c->key;
	hash = hash_fast(s->x.body.s, s->x.body.len) >> 1; /* an int64_t */
	if (!past->bodies || past->body_hash != hash)
		past->bodies++;
	past->body_hash = hash;
	return past->bodies == 1 ? c->key :
	       arena_printf(s->mem, "%s-%u", c->key, past->bodies);
}

static void set_headers(struct slot *s)
{
	const struct curl_slist *more = s->http->headers[s->call->partner];

	curl_slist_free_all(s->headers);
	s->headers = NULL;
	header(s, "Idempotency-Key", key_of(s));
	header(s, "X-Request-Id", s->call->request_id);
	header(s, "Content-Type", s->x.content_type);
	header(s, "Accept", "application/json");
	header(s, "Expect", "");
	if (*s->token.text)
		header(s, "Authorization",
		       arena_printf(s->mem, "Bearer %s", s->token.text));
	if (!s->x.reads && *s->read_etag)
		header(s, "If-Match", s->read_etag);
	for (; more; more = more->next)
		s->headers = list_add(s->headers, more->data);
	SET(s->curl, CURLOPT_HTTPHEADER, s->headers);
}

/* The path stands before the base URL's query. */
static void set_url(struct slot *s)
{
	const char *base = s->http->cf->url[s->call->partner];
	size_t n = strcspn(base, "?"), path = strcspn(s->x.path.s, "?");

	buf_init(&s->url, s->mem);
	buf_add(&s->url, base, n);
	buf_add(&s->url, s->x.path.s, path);
	buf_str(&s->url, base + n);
	if (s->x.path.s[path])
		buf_printf(&s->url, "%c%s", base[n] ? '&' : '?',
			   s->x.path.s + path + 1);
	SET(s->curl, CURLOPT_URL, s->url.s);
}

/* Send the exchange that s->x describes. */
static void transfer_send(struct slot *s)
{
	const struct call *c = s->call;
	int64_t left = s->deadline - clock_mono_ms();

	curl_easy_cleanup(s->curl);
	s->curl = handle_make(s, c->partner);
	s->refusal = NULL;
	s->barred = false;
	s->head_whole = false;
	s->said = 0;
	s->overflow = false;
	s->error[0] = '\0';
	s->etag[0] = '\0';
	s->tries++;
	s->call->attempts++;
	buf_init(&s->answer, s->mem);
	set_headers(s);
	set_url(s);
	SET(s->curl, CURLOPT_TIMEOUT_MS, (long)(left > 1 ? left : 1));
	if (s->x.reads) {
		SET(s->curl, CURLOPT_HTTPGET, 1L);
		SET(s->curl, CURLOPT_CUSTOMREQUEST, NULL);
	} else {
		SET(s->curl, CURLOPT_POST, 1L);
		SET(s->curl, CURLOPT_CUSTOMREQUEST, s->x.method);
		SET(s->curl, CURLOPT_POSTFIELDSIZE, (long)s->x.body.len);
		SET(s->curl, CURLOPT_POSTFIELDS, s->x.body.s);
	}
	if (curl_multi_add_handle(s->http->multi, s->curl) != CURLM_OK)
		arena_exhausted();
}

static void attempt_failed(struct slot *s, const char *why, int64_t wait_ms);
static void refused(struct slot *s, const char *why);

/* There is no token. If that is because the partner refused the one we have,
 * its refusal counts; else nothing is sent. */
static void no_token(struct slot *s, const char *why)
{
	const char *refusal = s->refusal;

	s->refusal = NULL;
	if (refusal)
		refused(s, arena_printf(s->mem, "%s (and no new token could be "
			"had: %s)", refusal, why));
	else
		attempt_failed(s, arena_printf(s->mem, "%s was not called, "
			"because no token could be had (%s)",
			partners[s->call->partner]->name, why), 0);
}

/* Start the exchange that s->x describes, as soon as there is a token. */
static void transfer_start(struct slot *s)
{
	int64_t now = clock_mono_ms();
	const char *why = "its endpoint did not answer in time";

	s->wake = 0;
	s->sent = 0;
	switch (token_take(s->http->tokens, s->call->partner, s->refused,
			   s->mem, &s->token, &why)) {
	case TOKEN_READY:
		transfer_send(s);
		return;
	case TOKEN_WAIT:
		if (now < s->deadline) {
			s->wake = now + TOKEN_WATCH_MS;
			return;
		}
		break;
	case TOKEN_NONE:
		break;
	}
	no_token(s, why);
}

static bool is_answered(const struct slot *s)
{
	const struct call *c = s->call;
	long status = s->stage == STAGE_LOOK ? s->status : c->status;

	return c->verdict == RC_OK || c->verdict == RC_NO ||
	       (status && status < 500);
}

static void log_call(const struct call *c)
{
	static const char *const words[] = {
		[RC_OK] = "yes", [RC_NO] = "no", [RC_AGAIN] = "not-sent",
		[RC_DOUBT] = "unknown",
	};

	tally_add(TALLY_CALLS + c->partner * TALLY_VERDICTS + c->verdict, 1);
	tally_time(TALLY_CALL_TIMES + c->partner * TALLY_TIMES, c->ms * 1000);
	log_line(c->verdict == RC_OK ? LOG_DEBUG : LOG_INFO, "partner_call",
		 "partner=%s ticket=%s key=%s verdict=%s status=%ld "
		 "attempts=%u ms=%lld looked=%s why=%s",
		 partners[c->partner]->code, c->ticket ? c->ticket : "-",
		 c->key, words[c->verdict], c->status, c->attempts,
		 (long long)c->ms, c->looked, c->why);
}

/* Decide the verdict by what is known of the step, including this attempt. */
static void conclude(struct call *c, enum said said, const char *why)
{
	c->past.known = known_after(c->past.known, said);
	c->verdict = c->seen == SEEN_DONE ? RC_OK : known_rc(c->past.known);
	c->why = c->verdict == RC_OK ? NULL : why;
	c->ended = true;
}

static void call_end(struct slot *s, enum said said, const char *why)
{
	struct call *c = s->call;

	conclude(c, said, why);
	c->ms = clock_mono_ms() - c->since;
	visit_report(s->http->visit, c->partner, is_answered(s), c->status,
		     c->ms);
	if (s->extra)
		visit_end_call(s->http->visit, c->partner);
	log_call(c);
	curl_slist_free_all(s->headers);
	s->headers = NULL;
	s->call = NULL;
}

/* The attempt may have been applied, or may still arrive. */
static void doubt(struct slot *s)
{
	struct history *past = &s->call->past;

	past->known = known_after(past->known, SAID_IN_DOUBT);
	past->doubted = true;
	past->doubted_at = clock_mono_ms();
}

static void stage_start(struct slot *s, enum stage stage)
{
	const struct partner *p = partners[s->call->partner];
	const struct conf *cf = s->http->cf;

	s->stage = stage;
	s->x = (struct exchange){0};
	buf_init(&s->x.path, s->mem);
	buf_init(&s->x.body, s->mem);
	s->tries = 0;
	if (stage == STAGE_WRITE)
		p->write(cf, s->call, s->ticket, &s->x);
	else
		p->read(cf, s->call, &s->x);
	if (stage == STAGE_LOOK || stage == STAGE_AFTER)
		s->call->looked_at = clock_mono_ms();
	if (stage <= STAGE_WRITE)
		s->call->status = 0; /* it belongs to the stage before */
	transfer_start(s);
}

static bool can_look(const struct slot *s)
{
	return partner_is_readable(s->http->cf, s->call->partner);
}

static enum stage first_stage(const struct slot *s)
{
	const struct call *c = s->call;
	const struct partner *p = partners[c->partner];

	if (c->verb == VERB_LOOK || (c->past.doubted && can_look(s)))
		return STAGE_LOOK;
	return p->reads_first && p->reads_first(c) ? STAGE_READ : STAGE_WRITE;
}

/* A name that cannot be a segment of a path, or NULL. */
static const char *bad_name(const struct call *c)
{
	return c->ticket && !path_takes(c->ticket) ? c->ticket :
	       c->element_name && !path_takes(c->element_name) ?
	       c->element_name : NULL;
}

static bool any_call_to(const struct http *h, enum partner_id p)
{
	for (size_t i = 0; i < h->nslots; i++)
		if (h->slots[i].call && h->slots[i].call->partner == p)
			return true;
	return false;
}

/* Is there room for this call? The first one to a partner is the request's own
 * until its end; see visit_enter. */
static bool take_room(struct slot *s, const struct call *c)
{
	s->extra = any_call_to(s->http, c->partner);
	return s->extra ? visit_begin_call(s->http->visit, c->partner) :
			  visit_hold_call(s->http->visit, c->partner);
}

/* False: it has to wait, because too many are under way. */
static bool call_start(struct slot *s, struct call *c, struct arena *mem)
{
	const char *name = partners[c->partner]->name, *bad = bad_name(c);
	bool room = bad || take_room(s, c);

	if (!room && s->extra)
		return false;
	c->status = 0;
	c->attempts = 0;
	c->no = NO_NONE;
	c->seen = NOT_SEEN;
	c->looked = NULL;
	c->began = clock_wall_ms();
	c->since = clock_mono_ms();
	c->ms = 0;
	if (bad || !room || !visit_may_call(s->http->visit, c->partner)) {
		if (room && !bad && s->extra)
			visit_end_call(s->http->visit, c->partner);
		conclude(c, SAID_NOTHING, arena_printf(mem, bad ?
			 "%s cannot be called for a ticket or element that "
			 "is named \"%s\"" : !room ?
			 "Too many requests wait for %s just now" :
			 "%s keeps failing; until it answers again it is only "
			 "probed", name, bad));
		return true;
	}
	s->call = c;
	s->mem = mem;
	s->ticket = (struct slice){0};
	s->read_etag[0] = '\0';
	s->status = 0;
	s->reads = 0;
	s->refused = 0;
	s->refusal = NULL;
	s->deadline = clock_mono_ms() + s->http->cf->partner_timeout_ms;
	buf_init(&s->answer, mem);
	stage_start(s, first_stage(s));
	return true;
}

/* Does the answer have something that only we and the partner may know? */
static bool tells_secret(const struct slot *s)
{
	const struct curl_slist *more = s->http->headers[s->call->partner];
	const char *text = s->answer.s;

	if (*s->token.text && strstr(text, s->token.text))
		return true;
	for (; more; more = more->next) {
		const char *value = strchr(more->data, ':') + 2;

		if (strlen(value) >= SECRET_MIN && strstr(text, value))
			return true;
	}
	return false;
}

/* The begin of an answer, for the operator who reads the refusal. */
static const char *excerpt(struct slot *s)
{
	enum { MOST = 120 };
	char *text;
	size_t n = s->answer.len < MOST ? s->answer.len : MOST;

	if (!n)
		return "";
	if (tells_secret(s))
		return "(not shown, because it repeats our token or a secret "
		       "header)";
	while (n && n < s->answer.len && (s->answer.s[n] & 0xc0) == 0x80)
		n--; /* back to the begin of a character */
	text = arena_strndup(s->mem, s->answer.s, n);
	if (!text_utf8(text, n)) /* the journal takes only UTF-8 */
		for (char *p = text; *p; p++)
			if (*p & 0x80)
				*p = '?';
	for (char *p = text; *p; p++) {
		size_t bytes = *p & 0x80 ? 2 : 1; /* C1: two bytes */

		if (*p != '"' && !text_is_control(p))
			continue;
		memset(p, '\'', bytes);
		p += bytes - 1;
	}
	return text;
}

/* The look failed. It changes nothing of what was known before. */
static void look_failed(struct slot *s, const char *why)
{
	struct call *c = s->call;
	const struct partner *p = partners[c->partner];

	c->looked = arena_printf(s->mem, "%s could not be read: %s", p->name,
				 why);
	if (s->stage == STAGE_LOOK && c->verb != VERB_LOOK &&
	    !(p->reads_first && p->reads_first(c)))
		stage_start(s, STAGE_WRITE);
	else if (s->stage == STAGE_AFTER) /* `why` stays the refusal's */
		call_end(s, SAID_NO, c->why);
	else
		call_end(s, SAID_NOTHING, why);
}

/* How often an exchange is tried. A look is optional, so it is made once. */
static unsigned tries_of(enum stage stage)
{
	return stage == STAGE_LOOK || stage == STAGE_AFTER ? 1 : ATTEMPTS;
}

/* There was no answer, or a temporary one. Try again, if there is time. */
static void attempt_failed(struct slot *s, const char *why, int64_t wait_ms)
{
	const struct call *c = s->call;
	int64_t now = clock_mono_ms();
	int64_t backoff = clock_backoff_ms(s->tries - 1, RETRY_BASE_MS,
					   RETRY_CAP_MS);

	if (wait_ms < backoff)
		wait_ms = backoff;
	if (s->sent && !s->x.reads)
		doubt(s);
	/* after a failed connection, another try would fail, too */
	if (s->sent && s->tries < tries_of(s->stage) &&
	    now + wait_ms < s->deadline) {
		log_line(LOG_INFO, "partner_retry", "partner=%s ticket=%s "
			 "key=%s status=%ld wait_ms=%lld why=%s",
			 partners[c->partner]->code, c->ticket ? c->ticket : "-",
			 c->key, c->status, (long long)wait_ms, why);
		s->wake = now + wait_ms + 1; /* `now` was rounded down */
		return;
	}
	if (s->stage == STAGE_LOOK || s->stage == STAGE_AFTER) {
		look_failed(s, why);
		return;
	}
	if (s->stage == STAGE_BACK)
		doubt(s); /* no read has confirmed the yes */
	call_end(s, s->sent && s->stage != STAGE_READ ? SAID_IN_DOUBT :
		 SAID_NOTHING, why);
}

static const char *what_of(const struct slot *s)
{
	return s->x.reads ? "a read" : "the call";
}

/* A permanent refusal of a read or of the write. */
static void refused(struct slot *s, const char *why)
{
	struct call *c = s->call;

	if (s->stage == STAGE_LOOK || s->stage == STAGE_AFTER) {
		look_failed(s, why);
		return;
	}
	c->no = no_of(s->status);
	if (s->stage == STAGE_READ) {
		call_end(s, SAID_NOTHING, why);
		return;
	}
	if (s->stage == STAGE_BACK) { /* no read can confirm the yes */
		c->no = NO_NONE;
		doubt(s);
		call_end(s, SAID_IN_DOUBT, why);
		return;
	}
	c->why = why;
	if (c->past.doubted && can_look(s))
		stage_start(s, STAGE_AFTER);
	else
		call_end(s, SAID_NO, why);
}

/* Note the result of a look, for the trace. */
static void note_look(struct slot *s)
{
	struct call *c = s->call;

	if (c->seen != NOT_SEEN)
		c->looked = arena_printf(s->mem, "%s was read: %s",
			partners[c->partner]->name,
			verb_shows[c->verb][c->seen == SEEN_DONE]);
}

static void keep_ticket(struct slot *s)
{
	s->ticket = json_value(s->answer.s, s->answer.len);
	memcpy(s->read_etag, s->etag, sizeof s->etag);
}

/* The partner accepted the call, but its ticket does not have the change. */
static void disowned(struct slot *s)
{
	struct call *c = s->call;

	refused(s, arena_printf(s->mem, "%s answered %ld, but its ticket does "
		"not show the change", partners[c->partner]->name, c->status));
}

/* A read returned the ticket. */
static void ticket_read(struct slot *s)
{
	struct call *c = s->call;
	const struct partner *p = partners[c->partner];

	c->seen = partner_seen(c, &c->view);
	switch (s->stage) {
	case STAGE_READ:
		c->seen = NOT_SEEN; /* nothing was written yet */
		keep_ticket(s);
		stage_start(s, STAGE_WRITE);
		return;
	case STAGE_LOOK:
		note_look(s);
		keep_ticket(s);
		if (c->verb == VERB_LOOK)
			call_end(s, SAID_YES, NULL);
		else if (c->seen == SEEN_DONE ||
		    (c->seen == SEEN_NOT_DONE && c->ends_if_not_done))
			call_end(s, SAID_NOTHING, c->looked);
		else
			stage_start(s, STAGE_WRITE);
		return;
	case STAGE_AFTER:
		note_look(s);
		call_end(s, SAID_NO, c->why);
		return;
	default: /* STAGE_BACK */
		if (c->seen == SEEN_NOT_DONE) {
			s->stage = STAGE_WRITE;
			c->seen = NOT_SEEN;
			disowned(s);
		} else if (c->seen == SEEN_DONE) {
			call_end(s, SAID_YES, NULL);
		} else {
			attempt_failed(s, arena_printf(s->mem, "%s answered a "
				"read with a ticket that does not show the "
				"change", p->name), 0);
		}
	}
}

/* Is the answer one JSON text? */
static bool is_json(const struct slot *s)
{
	return text_utf8(s->answer.s, s->answer.len) &&
	       json_is_whole(s->answer.s, s->answer.len);
}

static bool is_blank(const struct slot *s)
{
	return !s->overflow &&
	       s->answer.len == strspn(s->answer.len ? s->answer.s : "",
				       " \t\r\n");
}

/* Is the answer the ticket? If so, read it into the view. */
static bool shows_ticket(struct slot *s)
{
	struct call *c = s->call;

	c->view = (struct view){0};
	return !s->overflow && !is_blank(s) && is_json(s) &&
	       partners[c->partner]->view(c, json_value(s->answer.s,
			s->answer.len), s->x.reads, s->mem, &c->view);
}

/* 2xx to a read. It counts only if it is the whole ticket. */
static void read_answered(struct slot *s)
{
	if (s->status == 200 && shows_ticket(s)) {
		ticket_read(s);
		return;
	}
	refused(s, arena_printf(s->mem, "%s answered a read with something "
		"other than the ticket (HTTP %ld)",
		partners[s->call->partner]->name,
		s->status));
}

/* 2xx to the write. */
static void write_answered(struct slot *s)
{
	struct call *c = s->call;
	const struct partner *p = partners[c->partner];
	enum seen seen = NOT_SEEN;

	if (s->overflow ? !p->yes_is_looked_at : !is_blank(s) && !is_json(s)) {
		attempt_failed(s, arena_printf(s->mem, "%s answered HTTP %ld "
			"with text that is not JSON: %s", p->name, c->status,
			excerpt(s)), 0);
		return;
	}
	if (p->yes_is_looked_at && shows_ticket(s))
		seen = partner_seen(c, &c->view);
	if (seen == SEEN_NOT_DONE)
		disowned(s);
	else if (p->yes_is_looked_at && seen == NOT_SEEN)
		stage_start(s, STAGE_BACK);
	else
		call_end(s, SAID_YES, NULL);
}

/* Has another system changed the ticket since it was read? */
static bool is_read_anew(struct slot *s)
{
	return s->stage == STAGE_WRITE && s->status == 412 &&
	       *s->read_etag && ++s->reads < READS_ANEW &&
	       clock_mono_ms() < s->deadline;
}

/* May this 401 be because of the token? Once in a call it is made anew. */
static bool is_token_renewed(struct slot *s, const char *why)
{
	if (s->status != 401 || s->refused ||
	    !token_renews(s->http->tokens, s->call->partner) ||
	    clock_mono_ms() >= s->deadline)
		return false;
	s->refused = s->token.number;
	s->refusal = why;
	return true;
}

/* Why the exchange has no usable answer. */
static const char *broken(const struct slot *s, CURLcode result)
{
	return s->barred ? "this process was stopped for too long" :
	       s->sent > 1 ? "the connection broke" :
	       s->overflow ? "its answer is too long" :
	       *s->error ? s->error :
	       result != CURLE_OK ? curl_easy_strerror(result) :
	       !s->head_whole ? "its answer broke off" :
	       "its answer has no status";
}

/* A transfer ended. Judge it by the rules of contract section 9. */
static void transfer_done(struct slot *s, CURLcode result)
{
	struct call *c = s->call;
	const struct partner *p = partners[c->partner];
	curl_off_t retry_after = 0;
	long status = 0;

	curl_multi_remove_handle(s->http->multi, s->curl);
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_WRITE_ERROR && s->overflow && !s->x.reads)
		result = CURLE_OK; /* its status is known */
	/* libcurl reads 200 from a first line that only begins like one */
	if (result != CURLE_OK || !s->head_whole || s->said != status) {
		attempt_failed(s, arena_printf(s->mem, s->sent ?
			       "%s did not answer %s (%s)" :
			       "%s could not be reached for %s (%s)", p->name,
			       what_of(s), broken(s, result)), 0);
		return;
	}
	s->status = status;
	if (s->stage == STAGE_READ || s->stage == STAGE_WRITE)
		c->status = status;
	if (status != 401)
		token_worked(s->http->tokens, c->partner, s->token.number);
	if (status >= 200 && status < 300) {
		if (s->x.reads)
			read_answered(s);
		else
			write_answered(s);
		return;
	}
	if (is_read_anew(s)) {
		stage_start(s, STAGE_READ);
		return;
	}
	if (no_of(status) != NO_NONE) {
		const char *why = arena_printf(s->mem, "%s answered %s with "
			"HTTP %ld: %s", p->name, what_of(s), status,
			excerpt(s));

		if (is_token_renewed(s, why))
			transfer_start(s);
		else
			refused(s, why);
		return;
	}
	curl_easy_getinfo(s->curl, CURLINFO_RETRY_AFTER, &retry_after);
	if (retry_after < 0 || retry_after > RETRY_AFTER_MAX_S)
		retry_after = retry_after < 0 ? 0 : RETRY_AFTER_MAX_S;
	attempt_failed(s, arena_printf(s->mem, "%s answered %s with HTTP %ld",
		       p->name, what_of(s), status),
		       (int64_t)retry_after * 1000);
}

static struct slot *slot_free(struct http *h, size_t width)
{
	for (size_t i = 0; i < h->nslots && i < width; i++)
		if (!h->slots[i].call)
			return &h->slots[i];
	return NULL;
}

/* Start the tries that are due. Returns the time until the next one is. */
static int wake_sleepers(struct http *h, int64_t now)
{
	int64_t least = WATCH_MS;

	for (size_t i = 0; i < h->nslots; i++) {
		struct slot *s = &h->slots[i];

		if (!s->call || !s->wake)
			continue;
		if (s->wake <= now)
			transfer_start(s); /* it may end, or wait again */
		if (s->call && s->wake && s->wake - now < least)
			least = s->wake - now;
	}
	return (int)least;
}

/* Judge the transfers that have ended. False: there are none. */
static bool reap(struct http *h)
{
	CURLMsg *m;
	bool any = false;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		char *slot;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &slot);
		transfer_done((struct slot *)(void *)slot, m->data.result);
		any = true;
	}
	return any;
}

static bool any_busy(const struct http *h)
{
	for (size_t i = 0; i < h->nslots; i++)
		if (h->slots[i].call)
			return true;
	return false;
}

/* End a call that is not begun. */
static void leave_out(struct call *c, const char *why)
{
	c->began = clock_wall_ms();
	conclude(c, SAID_NOTHING, why);
}

/* The database is a copy, with the tickets of partners that do not know of it:
 * no call is made, not even to read. */
static bool is_barred(struct http *h, struct call *const *calls, size_t n)
{
	if (!n || h->sender.may_call(h->sender.of))
		return false;
	for (size_t i = 0; i < n; i++)
		leave_out(calls[i], "The database is a copy, so no partner is "
			  "called before cttctl adopt");
	return true;
}

void partner_call(struct http *h, struct arena *mem, struct call *const *calls,
		  size_t n, size_t width, int64_t deadline,
		  void (*meanwhile)(void *of), void *of)
{
	enum spent before = spent_on(SPENT_PARTNER);
	size_t next = is_barred(h, calls, n) ? n : 0;

	have_slots(h, n < width ? n : width);
	while (next < n || any_busy(h)) {
		int64_t now = clock_mono_ms();
		struct slot *s;
		bool ended;
		int wait, running;

		for (; next < n && now >= deadline; next++)
			leave_out(calls[next], "The request's time was over "
				  "before the partner was called");
		while (next < n && (s = slot_free(h, width)) &&
		       call_start(s, calls[next], mem))
			next++;
		if (curl_multi_perform(h->multi, &running) != CURLM_OK)
			arena_exhausted();
		ended = reap(h);
		if (meanwhile)
			meanwhile(of);
		may_send(h); /* renews what gives the right to */
		wait = wake_sleepers(h, clock_mono_ms());
		if (any_busy(h) && (next == n || !ended))
			curl_multi_poll(h->multi, NULL, 0, wait, NULL);
	}
	spent_on(before);
}
