/*
 * bench/bench.h - what the programs of scripts/bench share
 *
 * Each is told what to do by its arguments, and prints one line of name=value
 * pairs when it is done.
 */
#ifndef BENCH_H
#define BENCH_H

#define _GNU_SOURCE /* so this comes before all other headers */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define die(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

static inline double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline void *must(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

/* The lines of a file, without their ends; nothing of it is ever freed. */
static inline char **read_lines(const char *path, size_t *n_r)
{
	FILE *f = fopen(path, "r");
	char **lines = NULL, *line = NULL;
	size_t n = 0, cap = 0, room = 0;
	ssize_t len;

	if (!f)
		die("%s: cannot be read", path);
	while ((len = getline(&line, &room, f)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (n == cap) {
			cap = cap ? cap * 2 : 1024;
			lines = must(realloc(lines, cap * sizeof *lines));
		}
		lines[n++] = must(strdup(line));
	}
	free(line);
	fclose(f);
	*n_r = n;
	return lines;
}

/* A connection to 127.0.0.1. */
static inline int connect_port(const char *port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
		die("port %s: cannot be connected to", port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

/* How long the HTTP message is that begins here, or 0 if it is not whole. */
static inline size_t message_len(char *text, size_t len)
{
	char *end, *length;

	text[len] = '\0'; /* there is room for it */
	end = strstr(text, "\r\n\r\n");
	if (!end)
		return 0;
	*end = '\0'; /* look for the header in the head only */
	length = strcasestr(text, "\r\nContent-Length:");
	*end = '\r';
	end += 4 + (length ? strtoul(length + 17, NULL, 10) : 0);
	return end <= text + len ? (size_t)(end - text) : 0;
}

static inline int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct start {
	double us, cpu_s;
};

static inline struct start start_now(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (struct start){now_us(),
		(double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6};
}

/* us: how long each of n took; sorted here */
static inline void report(double *us, size_t n, struct start began)
{
	struct start now = start_now();

	qsort(us, n, sizeof *us, by_size);
	printf("n=%zu seconds=%.6f p50=%.3f p99=%.3f cpu=%.6f\n", n,
	       (now.us - began.us) / 1e6, us[n / 2] / 1e3,
	       us[n * 99 / 100] / 1e3, now.cpu_s - began.cpu_s);
}

#endif
