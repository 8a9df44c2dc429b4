#include "partner/headers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The line at *at without the blanks around it, which moves to the next line.
 * False: there is none. */
static bool line_next(const char **at, const char **line_r, int *n_r)
{
	const char *line = *at;
	size_t n = strcspn(line, "\n");

	if (!*line)
		return false;
	*at = line + n + (line[n] == '\n');
	while (n && strchr(" \t\r", line[n - 1]))
		n--;
	*line_r = line;
	*n_r = (int)n;
	return true;
}

static int name_length(const char *line)
{
	return (int)strspn(line, "!#$%&'*+-.^_`|~0123456789"
			   "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static void split(const char *line, int n, struct header *h)
{
	h->name = line;
	h->name_len = name_length(line);
	h->value = line + h->name_len + 1;
	h->value_len = n - h->name_len - 1;
	while (h->value_len > 0 && (*h->value == ' ' || *h->value == '\t')) {
		h->value++;
		h->value_len--;
	}
}

/* Those that we send ourselves, and those that belong to the connection. */
static bool is_ours(const struct header *h)
{
	static const char *const ours[] = {"Accept", "Accept-Encoding",
		"Authorization", "Connection", "Content-Encoding",
		"Content-Length", "Content-Type", "Expect", "Host",
		"Idempotency-Key", "If-Match", "Keep-Alive",
		"Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade", "X-Request-Id"};

	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (strlen(ours[i]) == (size_t)h->name_len &&
		    !strncasecmp(ours[i], h->name, (size_t)h->name_len))
			return true;
	return false;
}

static bool is_value(const struct header *h)
{
	for (int i = 0; i < h->value_len; i++)
		if ((h->value[i] < ' ' && h->value[i] != '\t') ||
		    h->value[i] > '~')
			return false;
	return true;
}

static const char *line_error(const char *line, int n)
{
	struct header h;

	if (!memchr(line, ':', (size_t)n))
		return "has no colon: it is to be Name: value";
	if (!name_length(line) || line[name_length(line)] != ':')
		return "has a name with a character that no name can have";
	split(line, n, &h);
	if (is_ours(&h))
		return "has the name of a header that cttd sends by itself";
	if (h.value_len < 1)
		return "has no value";
	return is_value(&h) ? NULL : "has a value with a character that is not "
		"ASCII, or a control character";
}

const char *headers_error(const struct conf *cf, enum partner_id id,
			  const char **which)
{
	const char *at = cf->headers[id], *line;
	int n;

	*which = "HEADERS_FILE";
	for (int i = 1; line_next(&at, &line, &n); i++) {
		const char *error = n ? line_error(line, n) : NULL;

		if (error)
			return arena_printf(cf->mem, "line %d %s", i, error);
	}
	return NULL;
}

bool headers_next(const char **at, struct header *h)
{
	const char *line;
	int n;

	while (line_next(at, &line, &n))
		if (n) {
			split(line, n, h);
			return true;
		}
	return false;
}
