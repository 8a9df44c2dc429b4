#include "web/records.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <fastcgi.h>

#include "base/arena.h"

/* A length is a byte, or four with the highest bit set. */
static bool take_length(const unsigned char **at, const unsigned char *end,
			size_t *length_r)
{
	const unsigned char *s = *at;
	size_t size = s < end && *s & 0x80 ? 4 : 1;

	if ((size_t)(end - s) < size)
		return false;
	*length_r = size == 1 ? s[0] : (size_t)(s[0] & 0x7f) << 24 |
		    (size_t)s[1] << 16 | (size_t)s[2] << 8 | s[3];
	*at += size;
	return true;
}

static enum records look_at_params(const unsigned char *at, size_t n)
{
	const unsigned char *end = at + n;

	while (at < end) {
		size_t name, value;

		if (!take_length(&at, end, &name) ||
		    !take_length(&at, end, &value) ||
		    name + value > (size_t)(end - at))
			return RECORDS_BAD;
		at += name + value;
	}
	return RECORDS_WHOLE;
}

/* `params` has room for all of them. */
static enum records look(const unsigned char *s, size_t n, unsigned char *params)
{
	size_t sum = 0;

	for (size_t at = 0; n - at >= FCGI_HEADER_LEN;) {
		const unsigned char *head = s + at;
		size_t length = (size_t)head[4] << 8 | head[5];

		if (head[0] != FCGI_VERSION_1 ||
		    head[1] != (at ? FCGI_PARAMS : FCGI_BEGIN_REQUEST) ||
		    (at && memcmp(head + 2, s + 2, 2))) /* the request's id */
			return RECORDS_BAD;
		if (at && !length)
			return look_at_params(params, sum);
		if (n - at < FCGI_HEADER_LEN + length + head[6])
			break;
		if (at)
			memcpy(params + sum, head + FCGI_HEADER_LEN, length);
		sum += at ? length : 0;
		at += FCGI_HEADER_LEN + length + head[6];
	}
	return n < RECORDS_MOST ? RECORDS_PART : RECORDS_BAD;
}

enum records records_look(const unsigned char *s, size_t n)
{
	unsigned char *params = calloc(1, n + 1);
	enum records found;

	if (!params)
		arena_exhausted();
	found = look(s, n, params);
	free(params);
	return found;
}
