/*
 * fuzz/fcgi.c - bytes on a connection, to the accept loop
 *
 * fcgi_run is as it is in the pool, in a thread of its own; there is no
 * database. The input is what nginx sends, a record behind the other. If it
 * begins with '=' it is text that the target makes such records of: lines of
 * NAME=VALUE, an empty one, and the body. Whatever it is, the loop comes back
 * to wait for the next, and what it answered is whole.
 */
#include "config.h"

#include "fuzz/fuzz.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fastcgi.h>
#include <json-c/json.h>

#include "base/log.h"
#include "base/stop.h"
#include "base/text.h"
#include "web/fcgi.h"

static struct sockaddr_un address;
static socklen_t address_len;
static sem_t idle; /* the loop waits for a connection */

int __real_epoll_pwait(int, struct epoll_event *, int, int, const sigset_t *);
int __wrap_epoll_pwait(int, struct epoll_event *, int, int, const sigset_t *);
ssize_t __wrap_write(int, const void *, size_t);

int __wrap_epoll_pwait(int ep, struct epoll_event *ev, int n, int ms,
		       const sigset_t *mask)
{
	sem_post(&idle);
	return __real_epoll_pwait(ep, ev, n, ms, mask);
}

/* The log, and nothing else: one line each time, whatever is in it. */
ssize_t __wrap_write(int fd, const void *text, size_t n)
{
	const char *s = text;

	assert(fd == STDERR_FILENO && n > 1 && s[n - 1] == '\n');
	for (size_t i = 0; i < n - 1; i++)
		assert((unsigned char)s[i] >= 0x20);
	return (ssize_t)n;
}

/*
 * libfcgi 2.4.2 has faults that only who may connect to the socket can reach,
 * and nginx does not. It answers FCGI_GET_VALUES in 64 bytes of its stack,
 * however often a name is repeated; at the beginning none is let through
 * (web/records.h), but one may come with the body. Records of management leak.
 */
static bool breaks_libfcgi(const uint8_t *s, size_t n)
{
	static const char get_values[] = {FCGI_VERSION_1, FCGI_GET_VALUES,
					  0, FCGI_NULL_REQUEST_ID};

	return memmem(s, n, get_values, sizeof get_values);
}

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfcgi";
}

static void idle_wait(void)
{
	while (sem_wait(&idle) && errno == EINTR)
		;
}

static void *serve(void *nothing)
{
	(void)nothing;
	fcgi_run(fuzz_app()->process, fuzz_app_verifier());
	assert(stop_asked()); /* by who fuzzes: nothing that was sent ends it */
	exit(EXIT_FAILURE);
}

/* Descriptor 0, as spawn-fcgi leaves it; the kernel finds an unused name. */
static void start(void)
{
	int listening = socket(AF_UNIX, SOCK_STREAM, 0);
	pthread_t thread;

	address.sun_family = AF_UNIX;
	address_len = sizeof address;
	if (listening < 0 || dup2(listening, 0) || close(listening) ||
	    bind(0, (struct sockaddr *)&address, sizeof address.sun_family) ||
	    getsockname(0, (struct sockaddr *)&address, &address_len) ||
	    listen(0, 8))
		abort();
	fuzz_app();
	log_setup("fuzz", LOG_INFO, false);
	sem_init(&idle, 0, 0);
	if (pthread_create(&thread, NULL, serve, NULL))
		abort();
	idle_wait();
}

static void add_record(struct buf *b, int type, const void *s, size_t n)
{
	unsigned char head[FCGI_HEADER_LEN] = {
		FCGI_VERSION_1, (unsigned char)type, 0, 1,
		(unsigned char)(n >> 8), (unsigned char)n,
	};

	buf_add(b, head, sizeof head);
	buf_add(b, s, n);
}

/* A stream of records: one of no bytes ends it. */
static void add_stream(struct buf *b, int type, const char *s, size_t n)
{
	enum { MOST = 0xffff };

	for (; n > MOST; s += MOST, n -= MOST)
		add_record(b, type, s, MOST);
	if (n)
		add_record(b, type, s, n);
	add_record(b, type, "", 0);
}

static void add_length(struct buf *b, size_t n)
{
	unsigned char four[4] = {(unsigned char)(n >> 24 | 0x80),
				 (unsigned char)(n >> 16),
				 (unsigned char)(n >> 8), (unsigned char)n};

	if (n > 127)
		buf_add(b, four, 4);
	else
		buf_add(b, four + 3, 1);
}

static void add_param(struct buf *b, const char *line, size_t n)
{
	const char *sign = memchr(line, '=', n);
	size_t name = sign ? (size_t)(sign - line) : n;
	size_t value = sign ? n - name - 1 : 0;

	add_length(b, name);
	add_length(b, value);
	buf_add(b, line, name);
	buf_add(b, line + n - value, value);
}

/* The records of a request that stands there as text. */
static void add_request(struct buf *b, const char *s, const char *end)
{
	static const unsigned char begin[8] = {0, FCGI_RESPONDER};
	struct buf params;

	buf_init(&params, b->mem);
	buf_str(&params, "");
	while (s < end) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((eol ? eol : end) - s);

		if (n)
			add_param(&params, s, n);
		s += n + (eol != NULL);
		if (!n)
			break;
	}
	add_record(b, FCGI_BEGIN_REQUEST, begin, sizeof begin);
	add_stream(b, FCGI_PARAMS, params.s, params.len);
	add_stream(b, FCGI_STDIN, s, (size_t)(end - s));
}

/* Send it all, and read until the other side closes. */
static void talk(const struct buf *out, struct buf *in)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char piece[16 * 1024];
	size_t sent = 0;
	ssize_t n = 0;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, address_len))
		abort();
	while (sent < out->len && n >= 0) {
		n = send(fd, out->s + sent, out->len - sent, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
	}
	shutdown(fd, SHUT_WR);
	while ((n = recv(fd, piece, sizeof piece, 0)) > 0 ||
	       (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(in, piece, (size_t)n);
	close(fd);
}

/* A status, headers of printable characters, and as many bytes as they say, of
 * JSON, or of the metrics' text; but what nginx says of the request (its id) is
 * taken as it is. */
static void check_http(const struct buf *answer, bool ascii)
{
	const char *end = strstr(answer->s, "\r\n\r\n"), *at, *error;
	int status = 0;
	size_t length = 0;

	assert(end);
	assert(sscanf(answer->s, "Status: %d\r\n", &status) == 1);
	assert(status >= 200 && status < 600 && status != 500);
	at = strstr(answer->s, "\r\nContent-Length: ");
	assert(at && at < end);
	assert(sscanf(at, "\r\nContent-Length: %zu\r\n", &length) == 1);
	assert(answer->len - (size_t)(end + 4 - answer->s) == length);
	for (at = answer->s; at < end; at++) {
		if (!strncmp(at, "\r\n", 2))
			at += 2;
		assert((unsigned char)*at >= 0x20 && *at != 0x7f);
	}
	json_object_put(json_read(end + 4, length, &error));
	at = strstr(answer->s, "\r\nContent-Type: text/plain");
	assert(!error || !ascii || (at && at < end));
}

/* Whole records, and in them a whole answer, if it came to one. */
static void check_records(const struct buf *in, bool ascii, struct arena *mem)
{
	const unsigned char *at = (const unsigned char *)in->s;
	size_t left = in->len;
	bool ended = false;
	struct buf answer;

	buf_init(&answer, mem);
	buf_str(&answer, "");
	while (left) {
		size_t n, pad;

		assert(left >= FCGI_HEADER_LEN && at[0] == FCGI_VERSION_1);
		n = (size_t)at[4] << 8 | at[5];
		pad = at[6];
		assert(left >= FCGI_HEADER_LEN + n + pad);
		if (at[1] == FCGI_STDOUT)
			buf_add(&answer, at + FCGI_HEADER_LEN, n);
		ended = ended || (at[1] == FCGI_END_REQUEST && answer.len);
		at += FCGI_HEADER_LEN + n + pad;
		left -= FCGI_HEADER_LEN + n + pad;
	}
	assert(ended == (answer.len > 0));
	if (ended)
		check_http(&answer, ascii);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct arena *mem = arena_open();
	const char *s = (const char *)data;
	struct buf out, in;
	bool ascii = true;

	if (!started)
		start();
	started = true;
	buf_init(&out, mem);
	buf_init(&in, mem);
	if (size && *s == '=')
		add_request(&out, s + 1, s + size);
	else if (!breaks_libfcgi(data, size))
		buf_add(&out, s, size);
	while (!sem_trywait(&idle))
		; /* it waits */
	talk(&out, &in);
	idle_wait(); /* it always comes back */
	for (size_t i = 0; i < size; i++)
		ascii = ascii && data[i] < 0x80;
	check_records(&in, ascii, mem);
	arena_close(mem);
	return 0;
}
