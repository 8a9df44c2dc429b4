/*
 * bench/load.c - so many requests, so many at a time
 *
 *	load PORT CONNECTIONS TOKEN-FILE STATUS REQUESTS-FILE [RATE [SECONDS]]
 *
 * Each line of the file is a request: METHOD PATH, and a JSON body if there is
 * one. Each is sent once, over keep-alive connections. An answer of another
 * status ends it, and is shown; STATUS 0 takes any, and counts those that are
 * not 200 as `others`.
 *
 * With a RATE each request has its time, so many a second, and its duration
 * counts from then, even if no connection was free. 0: a request follows the
 * answer before it. After SECONDS no more are sent. `first` is the number of
 * answers within the first second.
 */
#include "bench.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	MOST = 1 << 20,  /* bytes of a request or an answer            */
	KEPT_FOR = 900,  /* requests; nginx ends a connection at 1,000 */
};

struct conn {
	struct conn *next; /* of those that are idle */
	int fd;
	size_t request, have, served;
	double began;
	char *text;
};

static char **requests, *token;
static const char *port;
static int ep;
static size_t n, sent, done, first, others;
static int status;
static double began_us, rate, until_us;
static struct conn *idle;

/* When the next request is to be sent. */
static double due_us(void)
{
	return rate > 0 ? began_us + (double)sent * 1e6 / rate : 0;
}

static int has_more(void)
{
	return sent < n && (!until_us || now_us() < until_us);
}

static void send_next(struct conn *c)
{
	static char out[MOST];
	char *path = strchr(requests[sent], ' ');
	char *body = path ? strchr(path + 1, ' ') : NULL;
	int len;

	if (!path)
		die("no request: %s", requests[sent]);
	len = snprintf(out, sizeof out, "%.*s HTTP/1.1\r\nHost: bench\r\n"
		       "Authorization: Bearer %s\r\n",
		       (int)(body ? body - requests[sent] :
				    (ssize_t)strlen(requests[sent])),
		       requests[sent], token);
	len += snprintf(out + len, sizeof out - (size_t)len, body ?
			"Content-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s" : "\r\n",
			body ? strlen(body + 1) : 0, body ? body + 1 : "");
	c->began = rate > 0 ? due_us() : now_us();
	c->request = sent++;
	c->have = 0;
	/* the socket's buffer takes any of our requests whole */
	if (write(c->fd, out, (size_t)len) != len)
		die("a request could not be sent: %s", strerror(errno));
}

static void send_due(void)
{
	while (idle && has_more() && due_us() <= now_us()) {
		struct conn *c = idle;

		idle = c->next;
		send_next(c);
	}
}

/* True: the answer is there. */
static int receive(struct conn *c)
{
	ssize_t got = read(c->fd, c->text + c->have, MOST - 1 - c->have);
	int is;

	if (got <= 0)
		die("the connection broke: %s", requests[c->request]);
	c->have += (size_t)got;
	if (!message_len(c->text, c->have))
		return 0;
	is = atoi(c->text + strlen("HTTP/1.1 "));
	if (status && is != status)
		die("%s\n%s", requests[c->request], c->text);
	others += is != 200;
	first += now_us() - began_us < 1e6;
	return 1;
}

static void connect_it(struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	c->fd = connect_port(port);
	c->served = 0;
	epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
}

static void rest(struct conn *c)
{
	c->next = idle;
	idle = c;
}

static void connect_all(size_t conns)
{
	for (size_t i = 0; i < conns; i++) {
		struct conn *c = must(calloc(1, sizeof *c));

		c->text = must(malloc(MOST));
		connect_it(c);
		rest(c);
	}
}

static void answered(struct conn *c, double *us)
{
	us[done++] = now_us() - c->began;
	if (++c->served == KEPT_FOR) {
		close(c->fd);
		connect_it(c);
	}
	rest(c);
}

/* Until an answer comes, or the next request is due. */
static int wait_for(struct epoll_event *events, int most)
{
	double left = idle && has_more() ? due_us() - now_us() : 1e6;
	struct timespec t = {0};

	if (left > 0)
		t.tv_nsec = (long)(left < 999e3 ? left * 1e3 : 999e6);
	return epoll_pwait2(ep, events, most, &t, NULL);
}

static void run(double *us)
{
	struct epoll_event events[64];

	send_due();
	while (done < sent || has_more()) {
		int got = wait_for(events, 64);

		for (int i = 0; i < got; i++)
			if (receive(events[i].data.ptr))
				answered(events[i].data.ptr, us);
		send_due();
	}
}

int main(int argc, char **argv)
{
	struct start began;
	size_t lines;
	double *us;

	if (argc < 6 || argc > 8)
		die("usage: load PORT CONNECTIONS TOKEN-FILE STATUS "
		    "REQUESTS-FILE [RATE [SECONDS]]");
	token = read_lines(argv[3], &lines)[0];
	status = atoi(argv[4]);
	requests = read_lines(argv[5], &n);
	us = must(calloc(n, sizeof *us));
	ep = epoll_create1(0);
	port = argv[1];
	connect_all(strtoul(argv[2], NULL, 10));
	rate = argc > 6 ? strtod(argv[6], NULL) : 0;
	began = start_now();
	began_us = now_us();
	if (argc > 7)
		until_us = began_us + strtod(argv[7], NULL) * 1e6;
	run(us);
	printf("first=%zu others=%zu ", first, others);
	report(us, done, began);
	return 0;
}
