#include "web/query.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' :
	       tolower((unsigned char)c) - 'a' + 10;
}

/* Decode n bytes; NULL where they make no text. */
static char *decode(const char *s, size_t n, struct arena *mem)
{
	char *text = arena_alloc(mem, n + 1), *to = text;
	const char *end = s + n;

	while (s < end) {
		if (*s == '%') {
			if (end - s < 3 || !isxdigit((unsigned char)s[1]) ||
			    !isxdigit((unsigned char)s[2]))
				return NULL;
			*to = (char)(hex(s[1]) * 16 + hex(s[2]));
			if (!*to++)
				return NULL;
			s += 3;
		} else {
			*to++ = *s == '+' ? ' ' : *s;
			s++;
		}
	}
	return text_utf8(text, (size_t)(to - text)) ? text : NULL;
}

const char *query_get(const char *query, const char *name, struct arena *mem,
		      bool *ok_r)
{
	size_t len = strlen(name);
	const char *value = NULL;

	*ok_r = true;
	while (*query) {
		size_t n = strcspn(query, "&");

		/* a name alone has a value too: an empty one */
		if (n >= len && !strncmp(query, name, len) &&
		    (n == len || query[len] == '=')) {
			size_t from = n == len ? len : len + 1;

			value = decode(query + from, n - from, mem);
			*ok_r = value != NULL;
		}
		query += n + (query[n] == '&');
	}
	return value;
}

/* The length of the name of the pair that begins here. */
static size_t name_len(const char *pair)
{
	return strcspn(pair, "=&");
}

static bool is_known(const char *name, size_t n, const char *known)
{
	while (*known) {
		size_t m = strcspn(known, " ");

		if (m == n && !strncmp(known, name, n))
			return true;
		known += m + (known[m] == ' ');
	}
	return false;
}

/* How often a parameter of this name stands before it in the query. */
static int count_before(const char *query, const char *name, size_t n)
{
	int count = 0;

	while (query < name) {
		count += name_len(query) == n && !strncmp(query, name, n);
		query += strcspn(query, "&") + 1;
	}
	return count;
}

/* A name as it can be shown: it may be any bytes, and of any length. */
static const char *shown(const char *name, size_t n, struct arena *mem)
{
	enum { MOST = 64 };
	char *text = arena_strndup(mem, name, n < MOST ? n : MOST);

	for (char *at = text; *at; at++)
		if (*at < 0x21 || *at > 0x7e)
			*at = '?';
	return text;
}

void query_check(const char *query, const char *known, struct errors *f)
{
	const char *at = query;

	while (*at) {
		size_t n = name_len(at), pair = strcspn(at, "&");

		if (pair && !is_known(at, n, known)) {
			if (!count_before(query, at, n))
				error_add(f, "", shown(at, n, f->mem),
					  "is no parameter of this path");
		} else if (pair && count_before(query, at, n) == 1) {
			error_add(f, "", shown(at, n, f->mem), "comes twice");
		}
		at += pair + (at[pair] == '&');
	}
}
