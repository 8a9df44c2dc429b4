/*
 * partner/http.c - all calls to partners, at once, through one curl_multi
 *
 * What libcurl does by itself and we must not have (each was seen):
 * - On a kept connection that died it sends the request again. The pre-request
 *   callback refuses the second time within one transfer; trying again is our
 *   business, because we count it and keep to the budget.
 * - That same callback is the point of no return. Before it nothing was sent,
 *   whatever the error is; after it the partner may have applied the call.
 * - Before 8.1.1 a handle that is used again keeps a pointer to the last header
 *   of the answer before, which is freed, and follows it if the next answer
 *   begins with a folded line. So each transfer has a handle of its own; the
 *   connections are the multi handle's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "partner/health.h"
#include "partner/partner.h"

enum {
	ATTEMPTS = 3,
	ANSWER_MAX = 64 * 1024,
	RETRY_BASE_MS = 100,
	RETRY_CAP_MS = 1000,
	RETRY_AFTER_MAX_S = 3600, /* longer than any budget */
	IDLE_CONNECTION_S = 20, /* below what partners keep one for */
	CONNECTION_AGE_S = 600,
};

/* A call in flight. */
struct slot {
	CURL *curl; /* of its last transfer */
	struct http *http;
	struct call *call; /* NULL: free */
	struct arena *mem;

	struct exchange x;
	struct buf url, answer;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	unsigned leg, tries; /* tries: of this leg */
	int64_t deadline;
	int64_t wake;     /* waiting to try again until then; 0: is on */
	unsigned sent;    /* how often within this transfer           */
	bool head_whole;  /* the header was read to its empty line    */
	long said;        /* the status in its first line; 0: none    */
	bool overflow;    /* the answer was longer than we read       */
	bool doubt;       /* an attempt that may have been applied    */
};

struct http {
	const struct conf *cf;
	struct health *health;
	CURLM *multi;
	struct slot *slots;
	size_t nslots;
};

static int on_send(void *at, char *ip, char *local_ip, int port, int local_port)
{
	struct slot *s = at;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	return s->sent++ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* The three digits of "HTTP/1.1 200 OK\r\n", or 0. */
static long status_of(const char *line, size_t n)
{
	const char *at = memchr(line, ' ', n), *end = line + n;
	long status = 0;

	while (at && *at == ' ') /* the line ends in another letter */
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

/* libcurl takes a header that breaks off after its first line for whole. One
 * may follow another (100 Continue), and trailers the body, with no empty line
 * behind them. */
static size_t on_header(char *line, size_t size, size_t n, void *at)
{
	struct slot *s = at;

	(void)size;
	if (n >= 5 && !memcmp(line, "HTTP/", 5)) {
		s->head_whole = false;
		s->said = status_of(line, n);
	} else if (n <= 2 && (line[0] == '\r' || line[0] == '\n')) {
		s->head_whole = true;
	}
	return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *at)
{
	struct slot *s = at;

	(void)size;
	if (s->answer.len + n > ANSWER_MAX) {
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

/* Only by a certificate of its own CA, where one is set, and of its name. */
static void set_tls(CURL *curl, const struct conf *cf, enum partner_id id)
{
	SET(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	set_pem(curl, CURLOPT_CAINFO_BLOB, cf->ca[id]);
	if (*cf->ca[id])
		SET(curl, CURLOPT_CAPATH, NULL); /* the system's, also used */
	set_pem(curl, CURLOPT_SSLCERT_BLOB, cf->cert[id]);
	set_pem(curl, CURLOPT_SSLKEY_BLOB, cf->key[id]);
}

/* The options that no call changes. */
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
	SET(curl, CURLOPT_PROXY, "");
	SET(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
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
	set_tls(curl, cf, id);
	return curl;
}

struct http *http_open(const struct conf *cf, struct health *health)
{
	struct http *h = calloc(1, sizeof *h);

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT) ||
	    !(h->multi = curl_multi_init()))
		arena_exhausted();
	h->cf = cf;
	h->health = health;
	h->nslots = (size_t)cf->sync_concurrency;
	h->slots = calloc(h->nslots, sizeof *h->slots);
	if (!h->slots)
		arena_exhausted();
	for (size_t i = 0; i < h->nslots; i++)
		h->slots[i].http = h;
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS,
			  (long)h->nslots * PARTNER__MAX);
	return h;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->nslots; i++)
		curl_easy_cleanup(h->slots[i].curl);
	curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	free(h->slots);
	free(h);
}

/* A value as it goes into a header: a line break would begin another one, so
 * control characters go as %0A. */
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
	struct curl_slist *more = curl_slist_append(s->headers,
		arena_printf(s->mem, "%s: %s", name, one_line(s->mem, value)));

	if (!more)
		arena_exhausted();
	s->headers = more;
}

/* Start the exchange that s->x describes. */
static void transfer_start(struct slot *s)
{
	const struct conf *cf = s->http->cf;
	const struct call *c = s->call;
	const char *token = cf->token[c->partner];
	int64_t left = s->deadline - clock_mono_ms();

	curl_easy_cleanup(s->curl);
	s->curl = handle_make(s, c->partner);
	s->wake = 0;
	s->sent = 0;
	s->head_whole = false;
	s->said = 0;
	s->overflow = false;
	s->error[0] = '\0';
	s->tries++;
	s->call->attempts++;
	buf_init(&s->answer, s->mem);
	buf_init(&s->url, s->mem);
	buf_str(&s->url, cf->url[c->partner]);
	buf_add(&s->url, s->x.path.s, s->x.path.len);

	curl_slist_free_all(s->headers);
	s->headers = NULL;
	/* a read has a key of its own, lest a partner that answers by key
	 * gives the read's answer to the write */
	header(s, "Idempotency-Key", s->x.reads ?
	       arena_printf(s->mem, "%s-read-%llx", c->key,
			    (unsigned long long)clock_wall_ms()) : c->key);
	header(s, "X-Request-Id", c->request_id);
	header(s, "Content-Type", s->x.content_type);
	header(s, "Accept", "application/json");
	header(s, "Expect", "");
	if (*token)
		header(s, "Authorization",
		       arena_printf(s->mem, "Bearer %s", token));

	SET(s->curl, CURLOPT_URL, s->url.s);
	SET(s->curl, CURLOPT_HTTPHEADER, s->headers);
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

static void call_end(struct slot *s, enum rc verdict, const char *why)
{
	struct call *c = s->call;

	c->verdict = verdict;
	c->why = why;
	c->ms = clock_wall_ms() - c->began;
	health_report(s->http->health, c->partner, verdict == RC_OK ||
		      verdict == RC_NO || (c->status && c->status < 500),
		      c->ms);
	log_line(verdict == RC_OK ? LOG_DEBUG : LOG_INFO, "partner_call",
		 "partner=%s ticket=%s key=%s verdict=%s status=%ld "
		 "attempts=%u ms=%lld%s%s", partners[c->partner]->code,
		 c->ticket_no ? c->ticket_no : "-", c->key,
		 verdict == RC_OK ? "yes" : verdict == RC_NO ? "no" :
		 verdict == RC_AGAIN ? "not-sent" : "unknown", c->status,
		 c->attempts, (long long)c->ms, why ? " why=" : "",
		 why ? why : "");
	curl_slist_free_all(s->headers);
	s->headers = NULL;
	s->call = NULL;
}

/* Make and start the next exchange, with the answer of the one before. */
static void leg_start(struct slot *s)
{
	const struct partner *p = partners[s->call->partner];

	s->x = (struct exchange){0};
	buf_init(&s->x.path, s->mem);
	buf_init(&s->x.body, s->mem);
	s->tries = 0;
	if (p->make(s->http->cf, s->call, s->leg, &s->answer, &s->x)) {
		s->call->status = 0; /* a read's is none of the write's */
		transfer_start(s);
		return;
	}
	call_end(s, RC_AGAIN, arena_printf(s->mem, "%s answered a read with "
		 "what is no ticket", p->name));
}

static void call_start(struct slot *s, struct call *c, struct arena *mem)
{
	enum health_say say;

	s->call = c;
	s->mem = mem;
	s->leg = 0;
	s->doubt = false;
	s->deadline = clock_mono_ms() + s->http->cf->partner_timeout_ms;
	buf_init(&s->answer, mem);
	c->status = 0;
	c->attempts = 0;
	c->began = clock_wall_ms();
	say = health_admits(s->http->health, c->partner);
	if (say == HEALTH_GO) {
		leg_start(s);
		return;
	}
	c->verdict = RC_AGAIN;
	c->why = arena_printf(mem, say == HEALTH_BUSY ?
			      "Too many requests wait for %s just now" :
			      "%s keeps failing; until it answers again it is "
			      "only probed", partners[c->partner]->name);
	s->call = NULL;
}

/* The first words of an answer, for the operator who reads the refusal. */
static const char *excerpt(struct slot *s)
{
	enum { MOST = 120 };
	const char *token = s->http->cf->token[s->call->partner];
	char *text;
	size_t n = s->answer.len < MOST ? s->answer.len : MOST;

	if (!n)
		return "";
	if (*token && strstr(s->answer.s, token))
		return "(not shown, for it repeats our token)";
	while (n && n < s->answer.len && (s->answer.s[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a character */
	text = arena_strndup(s->mem, s->answer.s, n);
	if (!text_utf8(text, n)) /* it goes into the journal, which is */
		for (char *p = text; *p; p++)
			if (*p & 0x80)
				*p = '?';
	for (char *p = text; *p; p++) {
		size_t bytes = *p & 0x80 ? 2 : 1; /* C1 has two */

		if (*p != '"' && !text_is_control(p))
			continue;
		memset(p, '\'', bytes);
		p += bytes - 1;
	}
	return text;
}

/* An answer that means nothing for good, or none: again, if there is time. */
static void attempt_failed(struct slot *s, const char *why, int64_t wait_ms)
{
	const struct call *c = s->call;
	int64_t now = clock_mono_ms();
	int64_t backoff = clock_backoff_ms(s->tries - 1, RETRY_BASE_MS,
					   RETRY_CAP_MS);

	if (wait_ms < backoff)
		wait_ms = backoff;
	if (s->sent && !s->x.reads)
		s->doubt = true;
	/* what could not be connected to will not be in a moment either */
	if (s->sent && s->tries < ATTEMPTS && now + wait_ms < s->deadline) {
		log_line(LOG_INFO, "partner_retry", "partner=%s ticket=%s "
			 "key=%s status=%ld wait_ms=%lld why=%s",
			 partners[c->partner]->code, c->ticket_no ?
			 c->ticket_no : "-", c->key, c->status,
			 (long long)wait_ms, why);
		s->wake = now + wait_ms + 1; /* a clock's reading is cut */
		return;
	}
	call_end(s, s->doubt ? RC_DOUBT : RC_AGAIN, why);
}

static bool is_definite_refusal(long status)
{
	return status >= 400 && status < 500 && status != 408 &&
	       status != 425 && status != 429;
}

/* A transfer ended: judge it, by the rules of contract section 9. */
static void transfer_done(struct slot *s, CURLcode result)
{
	struct call *c = s->call;
	const struct partner *p = partners[c->partner];
	curl_off_t retry_after = 0;
	const char *what = s->x.reads ? "a read" : "the call";
	long status = 0;

	curl_multi_remove_handle(s->http->multi, s->curl);
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_WRITE_ERROR && s->overflow && !s->x.reads)
		result = CURLE_OK; /* what it says is not read, only whether */
	/* libcurl takes a first line for a 200 that only begins like one */
	if (result != CURLE_OK || !s->head_whole || s->said != status) {
		const char *text = s->sent > 1 ? "the connection broke" :
			s->overflow ? "its answer is too long" :
			*s->error ? s->error : result != CURLE_OK ?
			curl_easy_strerror(result) : !s->head_whole ?
			"its answer broke off" : "its answer has no status";

		attempt_failed(s, arena_printf(s->mem, s->sent ?
			       "%s did not answer %s (%s)" :
			       "%s could not be reached for %s (%s)", p->name,
			       what, text), 0);
		return;
	}
	c->status = status;
	if (status >= 200 && status < 300) {
		if (++s->leg < (p->legs ? p->legs(c) : 1))
			leg_start(s);
		else
			call_end(s, RC_OK, NULL);
		return;
	}
	if (is_definite_refusal(status)) {
		/* of a read: it says nothing about a write made before */
		call_end(s, s->x.reads ? RC_AGAIN : RC_NO, arena_printf(s->mem,
			 "%s answered %s with HTTP %ld: %s", p->name, what,
			 status, excerpt(s)));
		return;
	}
	curl_easy_getinfo(s->curl, CURLINFO_RETRY_AFTER, &retry_after);
	if (retry_after < 0 || retry_after > RETRY_AFTER_MAX_S)
		retry_after = retry_after < 0 ? 0 : RETRY_AFTER_MAX_S;
	attempt_failed(s, arena_printf(s->mem, "%s answered %s with HTTP %ld",
		       p->name, what, status), (int64_t)retry_after * 1000);
}

static struct slot *slot_free(struct http *h, size_t width)
{
	for (size_t i = 0; i < h->nslots && i < width; i++)
		if (!h->slots[i].call)
			return &h->slots[i];
	return NULL;
}

/* Start what has waited long enough; how long until the next may start. */
static int wake_sleepers(struct http *h, int64_t now)
{
	int64_t least = HEALTH_WATCH_MS;

	for (size_t i = 0; i < h->nslots; i++) {
		struct slot *s = &h->slots[i];

		if (!s->call || !s->wake)
			continue;
		if (s->wake <= now)
			transfer_start(s);
		else if (s->wake - now < least)
			least = s->wake - now;
	}
	return (int)least;
}

static void reap(struct http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		char *slot;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &slot);
		transfer_done((struct slot *)(void *)slot, m->data.result);
	}
}

static void call_cut(struct slot *s)
{
	if (s->wake)
		s->wake = 0;
	else
		curl_multi_remove_handle(s->http->multi, s->curl);
	if (s->sent && !s->x.reads)
		s->doubt = true;
	call_end(s, s->doubt ? RC_DOUBT : RC_AGAIN, arena_printf(s->mem,
		 "%s has fallen silent, and too many wait for it",
		 partners[s->call->partner]->name));
}

/* Give up the calls that hold others up. */
static void cut_short(struct http *h)
{
	for (enum partner_id p = 0; p < PARTNER__MAX; p++) {
		if (health_may_wait(h->health, p))
			continue;
		for (size_t i = 0; i < h->nslots; i++)
			if (h->slots[i].call && h->slots[i].call->partner == p)
				call_cut(&h->slots[i]);
	}
}

static bool any_busy(const struct http *h)
{
	for (size_t i = 0; i < h->nslots; i++)
		if (h->slots[i].call)
			return true;
	return false;
}

void partner_call(struct http *h, struct arena *mem, struct call *const *calls,
		  size_t n, size_t width, int64_t deadline)
{
	size_t next = 0;

	while (next < n || any_busy(h)) {
		int64_t now = clock_mono_ms();
		struct slot *s = NULL;
		int wait, running;

		for (; next < n && now >= deadline; next++) {
			calls[next]->verdict = RC_AGAIN;
			calls[next]->began = clock_wall_ms();
			calls[next]->why = "The request's time was over "
					   "before the partner was asked";
		}
		while (next < n && (s = slot_free(h, width)))
			call_start(s, calls[next++], mem);
		if (curl_multi_perform(h->multi, &running) != CURLM_OK)
			arena_exhausted();
		reap(h);
		cut_short(h);
		wait = wake_sleepers(h, clock_mono_ms());
		if (any_busy(h) && (next == n || !slot_free(h, width)))
			curl_multi_poll(h->multi, NULL, 0, wait, NULL);
	}
}
