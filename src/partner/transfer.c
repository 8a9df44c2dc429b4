/*
 * partner/transfer.c - one HTTP request to a partner, and its answer
 *
 * Behaviour of libcurl that this file works around:
 *
 * - If a kept connection died, libcurl sends the request again. The pre-request
 *   callback (on_send) refuses the second time within one transfer.
 *   partner/stage.c tries again itself, because it counts attempts and keeps to
 *   the budget.
 * - The same callback is the point of no return. Before it, nothing was sent,
 *   whatever the error is. After it, the partner may have applied the call.
 * - Before 8.1.1, a handle that is used again keeps a pointer to the last
 *   header of the previous answer, which is freed. libcurl follows the pointer
 *   if the next answer begins with a folded line. So each transfer has a handle
 *   of its own; the connections belong to the multi handle.
 * - Its connect timeout counts the TLS handshake, too. So it is lengthened to
 *   the whole budget when the handshake begins (on_tls).
 */
#include "partner/transfer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "model/tally.h"
#include "partner/ends.h"
#include "partner/excerpt.h"
#include "partner/handle.h"
#include "partner/headers.h"
#include "partner/tls.h"

enum {
	ANSWER_MAX = 64 * 1024,
	RETRY_AFTER_MAX_S = 3600, /* longer than any budget */
	IDLE_CONNECTION_S = 20, /* partners keep a connection for longer */
	CONNECTION_AGE_S = 600,
};

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

struct transfers *transfers_open(const struct conf *cf)
{
	struct transfers *all = calloc(1, sizeof *all);

	if (!all || !(all->multi = curl_multi_init()))
		arena_exhausted();
	all->cf = cf;
	for (int id = 0; id < PARTNER__MAX; id++) {
		if (*cf->ca[id])
			all->ca[id] = tls_store(cf->ca[id]);
		all->headers[id] = headers_of(cf->headers[id]);
	}
	/* one call at a time on a connection, also by HTTP/2: if it ends, or
	 * the partner ends it after so many calls, one is in doubt at most */
	curl_multi_setopt(all->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(all->multi, CURLMOPT_MAXCONNECTS,
			  (long)cf->sync_concurrency * PARTNER__MAX);
	return all;
}

void transfers_close(struct transfers *all)
{
	if (!all)
		return;
	curl_multi_cleanup(all->multi);
	for (int id = 0; id < PARTNER__MAX; id++) {
		X509_STORE_free(all->ca[id]);
		curl_slist_free_all(all->headers[id]);
	}
	free(all);
}

bool transfers_may_send(const struct transfers *all)
{
	return all->sender.may_send(all->sender.of);
}

/* Tell the metrics when the certificate ends that the partner has shown. */
static void note_end(const struct transfer *t)
{
	const struct curl_tlssessioninfo *tls = NULL;
	X509 *cert;

	if (curl_easy_getinfo(t->curl, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK ||
	    !tls || tls->backend != CURLSSLBACKEND_OPENSSL || !tls->internals)
		return;
	cert = SSL_get_peer_certificate(tls->internals);
	if (cert)
		tally_set(TALLY_SERVER_ENDS + t->partner, ending_of_cert(cert));
	X509_free(cert);
}

static int on_send(void *at, char *ip, char *local_ip, int port, int local_port)
{
	struct transfer *t = at;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	note_end(t);
	t->barred = !t->x.reads && !transfers_may_send(t->shared);
	if (t->barred)
		return CURL_PREREQFUNC_ABORT;
	return t->sent++ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
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
static void etag_take(struct transfer *t, const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (unsigned char)end[-1] <= ' ')
		end--;
	if (at < end && *at == '"' && end - at < ETAG_MAX) {
		memcpy(t->etag, at, (size_t)(end - at));
		t->etag[end - at] = '\0';
	}
}

/* libcurl accepts a header that breaks off after its first line, so this finds
 * its end. There may be several headers (100 Continue), and trailers without an
 * empty line after the body. */
static size_t on_header(char *line, size_t size, size_t n, void *at)
{
	struct transfer *t = at;

	(void)size;
	if (n >= 5 && !memcmp(line, "HTTP/", 5)) {
		t->head_whole = false;
		t->said = status_of(line, n);
		t->etag[0] = '\0';
	} else if (n <= 2 && (line[0] == '\r' || line[0] == '\n')) {
		t->head_whole = true;
	} else if (n > 5 && !strncasecmp(line, "ETag:", 5)) {
		etag_take(t, line + 5, line + n);
	}
	return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *at)
{
	struct transfer *t = at;
	size_t most = t->x.reads ?
		(size_t)t->shared->cf->partner_read_max_kib * 1024 : ANSWER_MAX;

	(void)size;
	if (t->answer.len + n > most) {
		t->overflow = true;
		return 0;
	}
	buf_add(&t->answer, data, n);
	return n;
}

static void set_pem(CURL *curl, CURLoption option, const char *pem)
{
	struct curl_blob blob = {(char *)pem, strlen(pem), CURL_BLOB_NOCOPY};

	SET(curl, option, *pem ? &blob : NULL);
}

/* The connection is there, and the TLS handshake begins. */
static CURLcode on_tls(CURL *curl, void *ctx, void *at)
{
	const struct transfer *t = at;
	const struct transfers *all = t->shared;
	X509_STORE *ca = all->ca[t->partner];

	if (ca)
		SSL_CTX_set1_cert_store(ctx, ca);
	SET(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)all->cf->partner_timeout_ms);
	return CURLE_OK;
}

/*
 * Require a certificate of the partner's CA, if one is set, and of the
 * partner's host name. A store of certificates is parsed once, not for each
 * connection. transfers_open parses ours. libcurl parses the system's, and
 * keeps it only if there is no CAPATH.
 */
static void set_tls(CURL *curl, struct transfer *t)
{
	const struct conf *cf = t->shared->cf;

	SET(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(curl, CURLOPT_CAPATH, NULL);
	if (t->shared->ca[t->partner])
		SET(curl, CURLOPT_CAINFO, NULL);
	SET(curl, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	SET(curl, CURLOPT_SSL_CTX_DATA, t);
	set_pem(curl, CURLOPT_SSLCERT_BLOB, cf->cert[t->partner]);
	set_pem(curl, CURLOPT_SSLKEY_BLOB, cf->key[t->partner]);
}

/* A new handle with the options that all transfers have. */
static CURL *curl_of(struct transfer *t)
{
	const struct conf *cf = t->shared->cf;
	CURL *curl = handle_make(cf->proxy[t->partner]);

	SET(curl, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)cf->partner_connect_timeout_ms);
	SET(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(curl, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_S);
	SET(curl, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_AGE_S);
	SET(curl, CURLOPT_TCP_NODELAY, 1L);
	SET(curl, CURLOPT_PREREQFUNCTION, on_send);
	SET(curl, CURLOPT_PREREQDATA, t);
	SET(curl, CURLOPT_HEADERFUNCTION, on_header);
	SET(curl, CURLOPT_HEADERDATA, t);
	SET(curl, CURLOPT_WRITEFUNCTION, on_body);
	SET(curl, CURLOPT_WRITEDATA, t);
	SET(curl, CURLOPT_ERRORBUFFER, t->error);
	SET(curl, CURLOPT_PRIVATE, t);
	SET(curl, CURLOPT_PATH_AS_IS, 1L);
	set_tls(curl, t);
	return curl;
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

static void header(struct transfer *t, const char *name, const char *value)
{
	t->headers = list_add(t->headers, arena_printf(t->mem, "%s: %s", name,
			      one_line(t->mem, value)));
}

static void set_headers(struct transfer *t)
{
	const struct curl_slist *more = t->shared->headers[t->partner];

	header(t, "Idempotency-Key", t->key);
	header(t, "X-Request-Id", t->request_id);
	header(t, "Content-Type", t->x.content_type);
	header(t, "Accept", "application/json");
	header(t, "Expect", "");
	if (*t->token)
		header(t, "Authorization",
		       arena_printf(t->mem, "Bearer %s", t->token));
	if (!t->x.reads && *t->match)
		header(t, "If-Match", t->match);
	for (; more; more = more->next)
		t->headers = list_add(t->headers, more->data);
	SET(t->curl, CURLOPT_HTTPHEADER, t->headers);
}

/* The path stands before the base URL's query. */
static void set_url(struct transfer *t)
{
	const char *base = t->shared->cf->url[t->partner];
	size_t n = strcspn(base, "?"), path = strcspn(t->x.path.s, "?");

	buf_init(&t->url, t->mem);
	buf_add(&t->url, base, n);
	buf_add(&t->url, t->x.path.s, path);
	buf_str(&t->url, base + n);
	if (t->x.path.s[path])
		buf_printf(&t->url, "%c%s", base[n] ? '&' : '?',
			   t->x.path.s + path + 1);
	SET(t->curl, CURLOPT_URL, t->url.s);
}

void transfer_forget(struct transfer *t)
{
	curl_slist_free_all(t->headers);
	t->headers = NULL;
}

void transfer_close(struct transfer *t)
{
	transfer_forget(t);
	curl_easy_cleanup(t->curl);
}

void transfer_send(struct transfer *t)
{
	int64_t left = t->deadline - clock_mono_ms();

	transfer_close(t);
	t->curl = curl_of(t);
	t->barred = false;
	t->head_whole = false;
	t->said = 0;
	t->overflow = false;
	t->error[0] = '\0';
	t->etag[0] = '\0';
	buf_init(&t->answer, t->mem);
	set_headers(t);
	set_url(t);
	SET(t->curl, CURLOPT_TIMEOUT_MS, (long)(left > 1 ? left : 1));
	if (t->x.reads) {
		SET(t->curl, CURLOPT_HTTPGET, 1L);
		SET(t->curl, CURLOPT_CUSTOMREQUEST, NULL);
	} else {
		SET(t->curl, CURLOPT_POST, 1L);
		SET(t->curl, CURLOPT_CUSTOMREQUEST, t->x.method);
		SET(t->curl, CURLOPT_POSTFIELDSIZE, (long)t->x.body.len);
		SET(t->curl, CURLOPT_POSTFIELDS, t->x.body.s);
	}
	if (curl_multi_add_handle(t->shared->multi, t->curl) != CURLM_OK)
		arena_exhausted();
}

void transfers_perform(struct transfers *all)
{
	int running;

	if (curl_multi_perform(all->multi, &running) != CURLM_OK)
		arena_exhausted();
}

/* Why the exchange has no usable answer. */
static const char *broken(const struct transfer *t, CURLcode result)
{
	return t->barred ? "this process was stopped for too long" :
	       t->sent > 1 ? "the connection broke" :
	       t->overflow ? "its answer is too long" :
	       *t->error ? t->error :
	       result != CURLE_OK ? curl_easy_strerror(result) :
	       !t->head_whole ? "its answer broke off" :
	       "its answer has no status";
}

/* Is the answer whole? Then its status counts. */
static void transfer_end(struct transfer *t, CURLcode result)
{
	long status = 0;

	curl_multi_remove_handle(t->shared->multi, t->curl);
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_WRITE_ERROR && t->overflow && !t->x.reads)
		result = CURLE_OK; /* its status is known */
	/* libcurl reads 200 from a first line that only begins like one */
	if (result != CURLE_OK || !t->head_whole || t->said != status) {
		t->broken = broken(t, result);
		return;
	}
	t->broken = NULL;
	t->status = status;
}

struct transfer *transfers_ended(struct transfers *all)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(all->multi, &left))) {
		char *transfer;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &transfer);
		transfer_end((struct transfer *)(void *)transfer,
			     m->data.result);
		return (struct transfer *)(void *)transfer;
	}
	return NULL;
}

void transfers_wait(struct transfers *all, int ms)
{
	curl_multi_poll(all->multi, NULL, 0, ms, NULL);
}

int64_t transfer_retry_after_ms(const struct transfer *t)
{
	curl_off_t s = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &s);
	if (s < 0 || s > RETRY_AFTER_MAX_S)
		s = s < 0 ? 0 : RETRY_AFTER_MAX_S;
	return (int64_t)s * 1000;
}

const char *transfer_excerpt(const struct transfer *t)
{
	return excerpt(&t->answer, t->token, t->shared->headers[t->partner],
		       t->mem);
}
