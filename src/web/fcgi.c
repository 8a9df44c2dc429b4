/*
 * web/fcgi.c - the accept loop of each thread
 *
 * libfcgi blocks in accept() and checks a flag of its signal handler just
 * before, so a SIGTERM in between is lost. Therefore this file makes the
 * listening socket non-blocking, and waits for it and for a descriptor that can
 * be read once a signal is pending. It accepts a connection and checks its first
 * records (web/records.h) before libfcgi reads them.
 * Signals stay blocked, so that no system call of a request is interrupted.
 */
#include "config.h"

#include "web/fcgi.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/spent.h"
#include "base/stop.h"
#include "web/access.h"
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
	rq->queue_ms = rq->received_ms ? clock_wall_ms() - rq->received_ms : 0;
	if (rq->queue_ms < 0)
		rq->queue_ms = 0; /* nginx rounds, or a clock was set */
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

enum { RECORDS_USUAL = 8 * 1024 }; /* bytes of most beginnings */

enum { BEGIN_MS = 5000 }; /* nginx sends the beginning at once */

/* Can libfcgi take the beginning of this request? Nothing is consumed. */
static bool begins_well(int fd, struct arena *mem)
{
	size_t room = RECORDS_USUAL;
	unsigned char *s = arena_alloc(mem, room);
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
	struct epoll_event now = {0};
	int64_t until = clock_mono_ms() + BEGIN_MS, left;
	enum records found = RECORDS_PART;
	int ep = -1;

	while ((left = until - clock_mono_ms()) > 0) {
		ssize_t n = recv(fd, s, room, MSG_PEEK | MSG_DONTWAIT);

		if (n > 0)
			found = records_look(s, (size_t)n);
		if (found == RECORDS_PART && n == (ssize_t)room) {
			room = RECORDS_MOST;
			s = arena_alloc(mem, room);
			continue;
		}
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
static bool take_connection(FCGX_Request *fr, struct arena *mem)
{
	int fd = accept4(0, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return false; /* another process took it */
	if (!begins_well(fd, mem)) {
		log_line(LOG_WARN, "not_fastcgi", "detail=\"a connection to the "
			 "pool's socket did not begin as a FastCGI request, and "
			 "was closed; only nginx should connect to it\"");
		close(fd);
		return false;
	}
	fr->ipcFd = fd;
	fr->keepConnection = 1; /* or it would be closed at once */
	return FCGX_Accept_r(fr) >= 0;
}

static void serve(struct request *rq, FCGX_Request *fr)
{
	struct health *health = rq->app->process->health;

	spent_begin();
	health_now(health, HEALTH_REQUESTS, 1);
	read_request(rq, fr);
	log_request(rq->id);
	request_serve(rq);
	write_reply(rq, fr);
	access_end(rq, spent_end());
	health_now(health, HEALTH_REQUESTS, -1);
	log_request(NULL);
}

enum { STACK = 256 * 1024 }; /* of a thread, in bytes */

struct server {
	struct process *process;
	struct verifier *verifier;
	int stop_fd; /* it can be read once the process is to stop */
};

/* Wait for a connection, or for the end. False: it is the end. */
static bool wait_for_more(int ep, const struct server *s)
{
	struct epoll_event ev[2];
	int n;

	notify_alive();
	n = epoll_pwait(ep, ev, 2, notify_wait_ms(), NULL);
	for (int i = 0; i < n; i++)
		if (ev[i].data.fd == s->stop_fd)
			return false;
	return !stop_asked();
}

static void serve_one(const struct server *s, struct app *app,
		      struct arena *mem, FCGX_Request *fr)
{
	struct request rq = {.app = app, .verifier = s->verifier, .mem = mem};

	serve(&rq, fr);
	/* Everything that nginx sent was read, so a plain close loses nothing:
	 * libfcgi need not wait until nginx has closed. */
	FCGX_Detach(fr);
	FCGX_Finish_r(fr);
	/* close it even if it should be kept: while this thread waited for more
	 * on it, it would serve no other */
	FCGX_Free(fr, 1);
	app_rest(app);
}

/* A thread, and its own wait for the socket. */
struct seat {
	const struct server *server;
	pthread_t thread;
	int ep;
};

/*
 * For a connection the kernel wakes one idle thread: the one whose wait was
 * added to the socket first. A process adds all of its waits at once, before its
 * threads start. So one process serves all requests while it has idle threads,
 * and they keep company (saga/tray.h); the other processes serve the rest.
 */
static bool seat_open(struct seat *seat, const struct server *s)
{
	struct epoll_event more = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	struct epoll_event end = {.events = EPOLLIN, .data.fd = s->stop_fd};

	seat->server = s;
	seat->ep = epoll_create1(EPOLL_CLOEXEC);
	return seat->ep >= 0 &&
	       !epoll_ctl(seat->ep, EPOLL_CTL_ADD, 0, &more) &&
	       !epoll_ctl(seat->ep, EPOLL_CTL_ADD, s->stop_fd, &end);
}

/* One thread. NULL: libfcgi cannot serve. */
static void *take_requests(void *at)
{
	const struct seat *seat = at;
	struct arena *mem = arena_open();
	struct app app;
	FCGX_Request fr;

	if (FCGX_InitRequest(&fr, 0, 0))
		return NULL;
	app_open(&app, seat->server->process);
	while (wait_for_more(seat->ep, seat->server)) {
		if (take_connection(&fr, mem))
			serve_one(seat->server, &app, mem, &fr);
		arena_reset(mem);
	}
	app_close(&app);
	arena_close(mem);
	return at;
}

static bool is_listening(int fd)
{
	int yes = 0;
	socklen_t size = sizeof yes;

	errno = ENOTSOCK;
	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) && yes;
}

static bool start_thread(struct seat *seat)
{
	pthread_attr_t attr;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	error = pthread_create(&seat->thread, &attr, take_requests, seat);
	pthread_attr_destroy(&attr);
	if (error)
		log_line(LOG_ERROR, "no_thread", "error=\"%s\" "
			 "setting=CTT_THREADS", strerror(error));
	return !error;
}

enum { TURN_TRIES = 100, TURN_MS = 10 };

/* Lock the socket against other processes, or unlock it: F_WRLCK, F_UNLCK.
 * Processes that start at the same time would mix their waits. One that stands
 * still with the lock delays the others, and no more. */
static void lock_socket(short type)
{
	struct flock whole = {.l_type = type, .l_whence = SEEK_SET};

	for (int i = 0; i < TURN_TRIES && fcntl(0, F_SETLK, &whole) &&
	     (errno == EACCES || errno == EAGAIN); i++)
		clock_sleep_ms(TURN_MS);
}

static struct seat *open_seats(const struct server *s, size_t n)
{
	struct seat *seats = calloc(n, sizeof *seats);

	if (!seats)
		arena_exhausted();
	lock_socket(F_WRLCK);
	for (size_t i = 0; i < n; i++) {
		if (seat_open(&seats[i], s))
			continue;
		log_line(LOG_ERROR, "no_wait", "error=\"%s\" "
			 "setting=CTT_THREADS", strerror(errno));
		exit(EXIT_FAILURE);
	}
	lock_socket(F_UNLCK);
	return seats;
}

/* All threads but the first, which is this one. */
static bool run_threads(const struct server *s, size_t n)
{
	struct seat *seats = open_seats(s, n);
	size_t started = 1;
	bool good;

	while (started < n && start_thread(&seats[started]))
		started++;
	good = started == n;
	if (good)
		good = take_requests(&seats[0]);
	else
		kill(getpid(), SIGTERM); /* stays pending: see stop_setup */
	while (--started > 0)
		pthread_join(seats[started].thread, NULL);
	for (size_t i = 0; i < n; i++)
		close(seats[i].ep);
	free(seats);
	return good;
}

int fcgi_run(struct process *p, struct verifier *verifier)
{
	struct server s = {.process = p, .verifier = verifier};
	sigset_t waiting;

	stop_setup(&waiting);
	s.stop_fd = stop_fd();
	if (s.stop_fd < 0 ||
	    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK) || FCGX_Init() ||
	    !is_listening(0)) {
		log_line(LOG_ERROR, "no_socket", "descriptor=0 error=\"%s\" "
			 "detail=\"is no listening socket: see ctt.fcgi(8)\"",
			 strerror(errno));
		return EXIT_FAILURE;
	}
	log_line(LOG_INFO, "started", "version=%s threads=%lld",
		 PACKAGE_VERSION, (long long)p->conf->threads);
	notify_ready();
	if (!run_threads(&s, (size_t)p->conf->threads))
		return EXIT_FAILURE;
	notify_stopping();
	log_line(LOG_INFO, "stopped", "cause=signal");
	return EXIT_SUCCESS;
}
