/*
 * bench/partner.c - partners that cost next to nothing: they say yes to all, at
 * once or after a while, to thousands of connections
 *
 *	partner PORT-FILE
 *
 * It listens on 127.0.0.1, and writes its port to the file. The first part of a
 * path is the partner: taas, tmf, nig or queue. TMF's answer to a GET is a ticket
 * without links, and to a PATCH the ticket as the PATCH made it.
 *
 *	PUT /_bench/delay/MS	from now on each answer comes so much later, but
 *				not the queue's
 *	PUT /_bench/hang	TaaS answers no call any more
 *	PUT /_bench/go		TaaS answers again; the calls before that never
 *				get an answer
 *	GET /_bench/calls	how many calls taas, tmf and queue had so far
 *	GET /_bench/waiting	how many calls TaaS leaves without an answer
 */
#include "bench.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { MOST = 64 * 1024, WAITING = 1 << 16 };

struct conn {
	int fd; /* -1: it was closed, and an answer is still waiting */
	size_t have;
	int hangs;
	char text[MOST]; /* the call; it stays until the next one comes */
};

/* The delay is the same for all, so that the first in is the first out. */
static struct { struct conn *conn; double due; } waiting[WAITING];
static size_t first, last;
static double delay_us;
static int hanging, hung;
static unsigned long taas, tmf, queue;

static void answer(const struct conn *c, const char *body)
{
	char text[4096];
	int len = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n"
			   "Content-Type: application/json\r\n"
			   "Content-Length: %zu\r\n\r\n%s", strlen(body), body);

	if (write(c->fd, text, (size_t)len) != len)
		perror("an answer could not be sent");
}

/* What TMF has: the ticket's id is the last part of the path. */
static void answer_ticket(const struct conn *c)
{
	const char *path = strchr(c->text, ' ') + 1;
	const char *id = strstr(path, "/troubleTicket/");
	const char *body = strstr(c->text, "\r\n\r\n") + 4;
	char text[2048];

	id = id ? id + strlen("/troubleTicket/") : path;
	snprintf(text, sizeof text, "{\"id\":\"%.*s\",\"status\":"
		 "\"acknowledged\",%s", (int)strcspn(id, "? "), id,
		 *body == '{' ? body + 1 : "\"troubleTicketRelationship\":[]}");
	answer(c, text);
}

static void answer_call(const struct conn *c)
{
	if (strstr(c->text, " /tmf/"))
		answer_ticket(c);
	else
		answer(c, "{}");
}

/* True: it was for this program, and not for a partner. */
static int is_ours(const struct conn *c)
{
	char text[128] = "{}";

	if (!strncmp(c->text, "PUT /_bench/delay/", 18))
		delay_us = strtod(c->text + 18, NULL) * 1000;
	else if (!strncmp(c->text, "PUT /_bench/hang ", 17))
		hanging = 1;
	else if (!strncmp(c->text, "PUT /_bench/go ", 15))
		hanging = 0;
	else if (!strncmp(c->text, "GET /_bench/calls ", 18))
		snprintf(text, sizeof text, "taas=%lu tmf=%lu queue=%lu", taas,
			 tmf, queue);
	else if (!strncmp(c->text, "GET /_bench/waiting ", 20))
		snprintf(text, sizeof text, "%d", hung);
	else
		return 0;
	answer(c, text);
	return 1;
}

static void wait_its_time(struct conn *c)
{
	waiting[last % WAITING].conn = c;
	waiting[last++ % WAITING].due = now_us() + delay_us;
	if (last - first > WAITING)
		die("too many calls at once");
}

static void called(struct conn *c)
{
	const char *path = strchr(c->text, ' ');
	int is_taas, is_queue;

	if (!path || is_ours(c))
		return;
	is_taas = !strncmp(path, " /taas/", 7);
	is_queue = !strncmp(path, " /queue/", 8);
	taas += (unsigned)is_taas;
	queue += (unsigned)is_queue;
	tmf += !strncmp(path, " /tmf/", 6);
	if (is_taas && hanging) {
		c->hangs = 1;
		hung++;
	} else if (is_queue || delay_us <= 0) {
		answer_call(c);
	} else {
		wait_its_time(c);
	}
}

static void answer_due(void)
{
	for (; first < last && waiting[first % WAITING].due <= now_us();
	     first++) {
		struct conn *c = waiting[first % WAITING].conn;

		if (c->fd >= 0)
			answer_call(c);
		else
			free(c);
	}
}

static void closed(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	hung -= c->hangs;
	for (size_t i = first; i < last; i++)
		if (waiting[i % WAITING].conn == c)
			return;
	free(c);
}

/* One call at a time: nobody sends the next before the answer to this. */
static void receive(struct conn *c)
{
	ssize_t got = read(c->fd, c->text + c->have, MOST - 1 - c->have);

	if (got <= 0) {
		closed(c);
		return;
	}
	c->have += (size_t)got;
	if (message_len(c->text, c->have)) {
		c->have = 0;
		called(c);
	}
}

static void take(int ep, int listener)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct conn *c = must(calloc(1, sizeof *c));
	int one = 1;

	c->fd = accept(listener, NULL, NULL);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	ev.data.ptr = c;
	epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
}

static int listen_anywhere(const char *port_file)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	FILE *f = fopen(port_file, "w");

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) ||
	    listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&at, &len) || !f)
		die("%s: cannot listen", port_file);
	fprintf(f, "%d\n", ntohs(at.sin_port));
	fclose(f);
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event ev = {.events = EPOLLIN}, events[64];
	int ep = epoll_create1(0), listener;

	if (argc != 2)
		die("usage: partner PORT-FILE");
	listener = listen_anywhere(argv[1]);
	ev.data.ptr = NULL;
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		double left_us = first < last ?
			waiting[first % WAITING].due - now_us() : 0;
		struct timespec left = {0};
		int n;

		if (left_us > 0)
			left.tv_nsec = (long)(left_us * 1000) % 1000000000L;
		n = epoll_pwait2(ep, events, 64, first < last ? &left : NULL,
				 NULL);
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr)
				receive(events[i].data.ptr);
			else
				take(ep, listener);
		answer_due();
	}
}
