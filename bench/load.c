/*
 * bench/load.c - so many requests, so many at a time
 *
 *	load PORT CONNECTIONS TOKEN-FILE STATUS REQUESTS-FILE
 *
 * Each line of the file is a request: METHOD PATH, and a JSON body if there is
 * one. Each is sent once, over keep-alive connections. An answer of another
 * status ends it, and is shown.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MOST = 1 << 20 }; /* bytes of a request or an answer */

struct conn {
	int fd;
	size_t request, have;
	double began;
	char *text;
};

static char **requests, *token;
static size_t n, sent;
static int status;

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
	c->request = sent++;
	c->have = 0;
	c->began = now_us();
	/* the socket's buffer takes any of our requests whole */
	if (write(c->fd, out, (size_t)len) != len)
		die("a request could not be sent: %s", strerror(errno));
}

/* True: the answer is there. */
static int receive(struct conn *c)
{
	ssize_t got = read(c->fd, c->text + c->have, MOST - 1 - c->have);

	if (got <= 0)
		die("the connection broke: %s", requests[c->request]);
	c->have += (size_t)got;
	if (!message_len(c->text, c->have))
		return 0;
	if (atoi(c->text + strlen("HTTP/1.1 ")) != status)
		die("%s\n%s", requests[c->request], c->text);
	return 1;
}

int main(int argc, char **argv)
{
	struct epoll_event ev = {.events = EPOLLIN}, events[64];
	size_t conns, done = 0, lines;
	struct start began;
	double *us;
	int ep = epoll_create1(0), got;

	if (argc != 6)
		die("usage: load PORT CONNECTIONS TOKEN-FILE STATUS "
		    "REQUESTS-FILE");
	token = read_lines(argv[3], &lines)[0];
	status = atoi(argv[4]);
	requests = read_lines(argv[5], &n);
	us = must(calloc(n, sizeof *us));
	conns = strtoul(argv[2], NULL, 10);
	began = start_now();
	for (size_t i = 0; i < conns && sent < n; i++) {
		struct conn *c = must(calloc(1, sizeof *c));

		c->text = must(malloc(MOST));
		c->fd = connect_port(argv[1]);
		ev.data.ptr = c;
		epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
		send_next(c);
	}
	while (done < n) {
		got = epoll_wait(ep, events, 64, -1);
		for (int i = 0; i < got; i++) {
			struct conn *c = events[i].data.ptr;

			if (!receive(c))
				continue;
			us[done++] = now_us() - c->began;
			if (sent < n)
				send_next(c);
		}
	}
	report(us, n, began);
	return 0;
}
