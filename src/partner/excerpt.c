#include "partner/excerpt.h"

#include <string.h>

#include "base/text.h"

enum { SECRET_MIN = 6 }; /* bytes of a header's value that may be a secret */

/* Does the answer have something that only we and the partner may know? */
static bool tells_secret(const char *text, const char *token,
			 const struct curl_slist *more)
{
	if (*token && strstr(text, token))
		return true;
	for (; more; more = more->next) {
		const char *value = strchr(more->data, ':') + 2;

		if (strlen(value) >= SECRET_MIN && strstr(text, value))
			return true;
	}
	return false;
}

const char *excerpt(const struct buf *answer, const char *token,
		    const struct curl_slist *headers, struct arena *mem)
{
	enum { MOST = 120 };
	char *text;
	size_t n = answer->len < MOST ? answer->len : MOST;

	if (!n)
		return "";
	if (tells_secret(answer->s, token, headers))
		return "(not shown, because it repeats our token or a secret "
		       "header)";
	while (n && n < answer->len && (answer->s[n] & 0xc0) == 0x80)
		n--; /* back to the begin of a character */
	text = arena_strndup(mem, answer->s, n);
	if (!text_utf8(text, n)) /* the journal takes only UTF-8 */
		for (char *p = text; *p; p++)
			if (*p & 0x80)
				*p = '?';
	for (char *p = text; *p; p++) {
		size_t bytes = *p & 0x80 ? 2 : 1; /* C1: two bytes */

		if (*p != '"' && !text_is_control(p))
			continue;
		memset(p, '\'', bytes);
		p += bytes - 1;
	}
	return text;
}
