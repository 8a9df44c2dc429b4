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

const char *query_name(const char **rest_r, size_t *len_r)
{
	const char *name = *rest_r + strspn(*rest_r, "&");

	*len_r = strcspn(name, "=&");
	*rest_r = name + strcspn(name, "&");
	return *name ? name : NULL;
}
