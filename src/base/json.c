#include "base/json.h"

#include <string.h>

#include <json-c/json.h>

static const char *skip_space(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r'))
		s++;
	return s;
}

static bool is_digit(const char *s, const char *end)
{
	return s < end && *s >= '0' && *s <= '9';
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/* Each function below is called at the begin of the thing in its name, and
 * returns its end. NULL: there is no such thing. */

static const char *escape_end(const char *s, const char *end)
{
	if (s == end)
		return NULL;
	if (*s != 'u')
		return strchr("\"\\/bfnrt", *s) && *s ? s + 1 : NULL;
	if (end - s < 5)
		return NULL;
	for (int i = 1; i < 5; i++)
		if (!is_hex(s[i]))
			return NULL;
	return s + 5;
}

static const char *string_end(const char *s, const char *end)
{
	if (s == end || *s++ != '"')
		return NULL;
	while (s && s < end && *s != '"') {
		if ((unsigned char)*s < ' ')
			return NULL;
		s = *s == '\\' ? escape_end(s + 1, end) : s + 1;
	}
	return s && s < end ? s + 1 : NULL;
}

static const char *digits_end(const char *s, const char *end)
{
	if (!is_digit(s, end))
		return NULL;
	while (is_digit(s, end))
		s++;
	return s;
}

static const char *number_end(const char *s, const char *end)
{
	if (s < end && *s == '-')
		s++;
	if (s < end && *s == '0')
		s++;
	else
		s = digits_end(s, end);
	if (s && s < end && *s == '.')
		s = digits_end(s + 1, end);
	if (s && s < end && (*s == 'e' || *s == 'E')) {
		s++;
		if (s < end && (*s == '+' || *s == '-'))
			s++;
		s = digits_end(s, end);
	}
	return s;
}

static const char *word_end(const char *s, const char *end)
{
	static const char *const words[] = {"true", "false", "null"};

	for (int i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(end - s) >= n && !memcmp(s, words[i], n))
			return s + n;
	}
	return NULL;
}

static const char *value_end(const char *s, const char *end, int depth);

static const char *key_end(const char *s, const char *end)
{
	s = string_end(s, end);
	if (s)
		s = skip_space(s, end);
	return s && s < end && *s == ':' ? skip_space(s + 1, end) : NULL;
}

static const char *list_end(const char *s, const char *end, int depth)
{
	bool members = *s == '{';
	char close = members ? '}' : ']';

	s = skip_space(s + 1, end);
	if (s < end && *s == close)
		return s + 1;
	while (s) {
		if (members)
			s = key_end(s, end);
		if (s)
			s = value_end(s, end, depth + 1);
		if (s)
			s = skip_space(s, end);
		if (!s || s == end)
			return NULL;
		if (*s == close)
			return s + 1;
		s = *s == ',' ? skip_space(s + 1, end) : NULL;
	}
	return NULL;
}

static const char *value_end(const char *s, const char *end, int depth)
{
	if (s == end || depth > JSON_NESTING)
		return NULL;
	switch (*s) {
	case '{':
	case '[':
		return list_end(s, end, depth);
	case '"':
		return string_end(s, end);
	case 't':
	case 'f':
	case 'n':
		return word_end(s, end);
	default:
		return number_end(s, end);
	}
}

bool json_is_whole(const char *s, size_t n)
{
	const char *end = s + n;

	s = value_end(skip_space(s, end), end, 1);
	return s && skip_space(s, end) == end;
}

struct slice json_value(const char *s, size_t n)
{
	const char *end = s + n;

	s = skip_space(s, end);
	return (struct slice){s, (size_t)(value_end(s, end, 1) - s)};
}

bool json_is(struct slice value, char kind)
{
	return value.s && *value.s == kind;
}

bool json_string_is(struct slice value, const char *text)
{
	struct json_tokener *tok;
	struct json_object *o;
	size_t n = strlen(text);
	bool same;

	/* an escape has up to six bytes for one byte of text */
	if (!json_is(value, '"') || value.n < n + 2 || value.n > 6 * n + 2)
		return false;
	if (!memchr(value.s, '\\', value.n))
		return value.n == n + 2 && !memcmp(value.s + 1, text, n);
	tok = json_tokener_new();
	o = tok ? json_tokener_parse_ex(tok, value.s, (int)value.n) : NULL;
	same = o && (size_t)json_object_get_string_len(o) == n &&
	       !memcmp(json_object_get_string(o), text, n);
	json_object_put(o);
	json_tokener_free(tok);
	return same;
}

struct slice json_member(struct slice object, const char *name)
{
	const char *end, *s;
	struct slice found = {0};

	if (!json_is(object, '{'))
		return found;
	end = object.s + object.n;
	s = skip_space(object.s + 1, end);
	while (*s != '}') {
		const char *key = s, *value;

		s = string_end(s, end);
		value = key_end(key, end);
		if (json_string_is((struct slice){key, (size_t)(s - key)},
				   name))
			found = json_value(value, (size_t)(end - value));
		s = skip_space(value_end(value, end, 1), end);
		if (*s == ',')
			s = skip_space(s + 1, end);
	}
	return found;
}

bool json_next(struct slice array, struct slice *at)
{
	const char *end, *s;

	if (!json_is(array, '['))
		return false;
	end = array.s + array.n;
	s = skip_space(at->s ? at->s + at->n : array.s + 1, end);
	if (at->s && *s == ',')
		s = skip_space(s + 1, end);
	if (*s == ']')
		return false;
	*at = json_value(s, (size_t)(end - s));
	return true;
}
