/*
 * web/fcgi.c - the accept loop
 *
 * libfcgi blocks in accept() and checks a flag of its signal handler just
 * before, so a SIGTERM in between is lost. Therefore this file makes the
 * listening socket non-blocking and waits for it, with the signals unblocked
 * only during the wait. It accepts a connection and checks its first records
 * (web/records.h) before libfcgi reads them.
 * Signals stay blocked while a request is served, so that none of its system
 * calls is interrupted.
 */
#include "config.h"

#include "web/fcgi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "web/records.h"
#include "web/request.h"

/* The body, whole: up to BODY_MAX is kept, the rest read and dropped. */
static void read_body(struct request *rq, FCGX_Stream *in)
{
	struct buf body;
	char piece[16 * 1024];
	int n;

	buf_init(&body, rq->mem);
	buf_str(&body, "");
	while ((n = FCGX_GetStr(piece, sizeof piece, in)) > 0) {
		if (body.len + (size_t)n > BODY_MAX)
			rq->body_too_large = true;
		else
			buf_add(&body, piece, (size_t)n);
	}
	rq->body = body.s;
	rq->body_len = body.len;
}

static const char *param(FCGX_Request *fr, const char *name)
{
	const char *value = FCGX_GetParam(name, fr->envp);

	return value ? value : "";
}

static const char *param_or_null(FCGX_Request *fr, const char *name)
{
	const char *value = FCGX_GetParam(name, fr->envp);

	return value && *value ? value : NULL;
}

/* Milliseconds of nginx's "1700000000.123"; 0 for what is none. */
static int64_t time_of(const char *seconds)
{
	double ms = strtod(seconds, NULL) * 1000;

	return ms > 0 && ms < 1e15 ? (int64_t)ms : 0;
}

static void read_request(struct request *rq, FCGX_Request *fr)
{
	const char *uri = param(fr, "REQUEST_URI");
	size_t n = strcspn(uri, "?");

	rq->method = param(fr, "REQUEST_METHOD");
	rq->path = arena_strndup(rq->mem, uri, n);
	rq->query = uri[n] ? uri + n + 1 : "";
	rq->content_type = param_or_null(fr, "CONTENT_TYPE");
	rq->content_encoding = param_or_null(fr, "HTTP_CONTENT_ENCODING");
	rq->authorization = param_or_null(fr, "HTTP_AUTHORIZATION");
	rq->idempotency_key = FCGX_GetParam("HTTP_IDEMPOTENCY_KEY", fr->envp);
	rq->id = param(fr, "CTT_REQUEST_ID");
	rq->received_ms = time_of(param(fr, "CTT_RECEIVED"));
	read_body(rq, fr->in);
}

/* nginx adds no phrase to a status. Without a phrase the status line lacks its
 * last blank, and some clients reject that. */
static const char *reason(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} known[] = {
		{200, "OK"}, {202, "Accepted"}, {207, "Multi-Status"},
		{400, "Bad Request"}, {401, "Unauthorized"},
		{403, "Forbidden"}, {404, "Not Found"},
		{405, "Method Not Allowed"}, {409, "Conflict"},
		{413, "Content Too Large"}, {415, "Unsupported Media Type"},
		{422, "Unprocessable Content"}, {429, "Too Many Requests"},
		{500, "Internal Server Error"}, {502, "Bad Gateway"},
		{503, "Service Unavailable"}, {504, "Gateway Timeout"},
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].status == status)
			return known[i].phrase;
	return "Other";
}

static void write_reply(const struct request *rq, FCGX_Request *fr)
{
	FCGX_FPrintF(fr->out, "Status: %d %s\r\nContent-Type: %s\r\n"
		     "Content-Length: %d\r\n", rq->status,
		     reason(rq->status), rq->reply_type, (int)rq->reply.len);
	if (rq->allow)
		FCGX_FPrintF(fr->out, "Allow: %s\r\n", rq->allow);
	if (rq->location)
		FCGX_FPrintF(fr->out, "Location: %s\r\n", rq->location);
	if (rq->replayed)
		FCGX_PutS("Idempotency-Replayed: true\r\n", fr->out);
	if (rq->challenge)
		FCGX_FPrintF(fr->out, "WWW-Authenticate: %s\r\n",
			     rq->challenge);
	if (rq->retry_after_s)
		FCGX_FPrintF(fr->out, "Retry-After: %d\r\n",
			     rq->retry_after_s);
	FCGX_PutS("\r\n", fr->out);
	if (strcmp(rq->method, "HEAD"))
		FCGX_PutStr(rq->reply.s, (int)rq->reply.len, fr->out);
}

enum { BEGIN_MS = 5000 }; /* nginx sends the beginning at once */

/* Can libfcgi take the beginning of this request? Nothing is consumed. */
static bool begins_well(int fd)
{
	static _Thread_local unsigned char s[RECORDS_MOST];
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
	struct epoll_event now = {0};
	int64_t until = clock_mono_ms() + BEGIN_MS, left;
	enum records found = RECORDS_PART;
	int ep = -1;

	while ((left = until - clock_mono_ms()) > 0) {
		ssize_t n = recv(fd, s, sizeof s, MSG_PEEK | MSG_DONTWAIT);

		if (n > 0)
			found = records_look(s, (size_t)n);
		if (found != RECORDS_PART || !n ||
		    now.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			break;
		/* what is there is not taken: so for the edge of more */
		if (ep < 0 && ((ep = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
			       epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev)))
			break;
		if (epoll_wait(ep, &now, 1, (int)left) < 1)
			break;
	}
	if (ep >= 0)
		close(ep);
	return found == RECORDS_WHOLE;
}

/* Accept a connection and pass it to libfcgi. False: there is none, or it does
 * not begin as a request. */
static bool take_connection(FCGX_Request *fr)
{
	int fd = accept4(0, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return false; /* another process took it */
	if (!begins_well(fd)) {
		log_line(LOG_WARN, "not_fastcgi", "a connection to the pool's "
			 "socket did not begin as a FastCGI request, and was "
			 "closed; only nginx should connect to it");
		close(fd);
		return false;
	}
	fr->ipcFd = fd;
	fr->keepConnection = 1; /* or it would be closed at once */
	return FCGX_Accept_r(fr) >= 0;
}

static void serve(struct request *rq, FCGX_Request *fr)
{
	int64_t began = clock_mono_ms();

	read_request(rq, fr);
	log_request(rq->id);
	request_serve(rq);
	write_reply(rq, fr);
	log_line(LOG_INFO, "request", "method=%s path=%s status=%d actor=%s "
		 "ms=%lld", rq->method, rq->path, rq->status,
		 *rq->claims.sub ? rq->claims.sub : "-",
		 (long long)(clock_mono_ms() - began));
	log_request(NULL);
}

int fcgi_run(struct app *app, struct verifier *verifier)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	struct arena *mem = arena_open();
	int ep = epoll_create1(EPOLL_CLOEXEC);
	sigset_t waiting;
	FCGX_Request fr;

	stop_setup(&waiting);
	if (ep < 0 || fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK) ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, 0, &ev) || FCGX_Init() ||
	    FCGX_InitRequest(&fr, 0, 0)) {
		log_line(LOG_ERROR, "no_socket", "descriptor 0 is not a "
			 "listening socket (%s); see ctt.fcgi(8)",
			 strerror(errno));
		return EXIT_FAILURE;
	}
	log_line(LOG_INFO, "started", "version=%s", PACKAGE_VERSION);
	while (!stop_asked()) {
		struct request rq = {.app = app, .verifier = verifier,
				     .mem = mem};

		if (epoll_pwait(ep, &ev, 1, -1, &waiting) <= 0)
			continue;
		if (!take_connection(&fr))
			continue;
		health_at_work(app->health, true);
		serve(&rq, &fr);
		health_at_work(app->health, false);
		/* Everything that nginx sent was read, so a plain close loses
		 * nothing: libfcgi need not wait until nginx has closed. */
		FCGX_Detach(&fr);
		FCGX_Finish_r(&fr);
		/* close it even if it should be kept: while this process
		 * waited for more on it, it would serve no other */
		FCGX_Free(&fr, 1);
		arena_reset(mem);
	}
	FCGX_Free(&fr, 1);
	arena_close(mem);
	log_line(LOG_INFO, "stopped", "cause=signal");
	return EXIT_SUCCESS;
}
