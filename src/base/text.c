#include "base/text.h"

#include <json-c/json.h>
#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "base/arena.h"
#include "base/json.h"

/* The present position of a scan. */
struct scan {
	const unsigned char *at, *end;
};

static const char bad_utf8[] = "The text is not valid UTF-8.";
static const char bad_nul[] = "The text holds a NUL character.";
static const char bad_control[] =
	"A string holds a control character that is not escaped.";
static const char bad_escape[] = "A string holds an unknown escape.";
static const char bad_surrogate[] =
	"A string holds half of a surrogate pair.";
static const char bad_number[] = "A number is not valid in JSON.";
static const char bad_char[] =
	"The text outside of strings is not valid JSON.";
static const char bad_end[] = "The JSON text ends too early.";
static const char bad_depth[] = "The JSON text is nested more than 16 deep.";
static const char bad_grammar[] = "The text is not one valid JSON value.";
static const char bad_length[] = "The JSON text is too long.";
static const char no_memory[] = "There is not enough memory to read the JSON.";

/* The length of the first character of the n bytes at s. 0: it is invalid. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	unsigned char low = 0x80, high = 0xbf; /* limits of the second byte */
	size_t len, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0; /* below: overlong */
	else if (s[0] == 0xed)
		high = 0x9f; /* above: a surrogate */
	else if (s[0] == 0xf0)
		low = 0x90; /* below: overlong */
	else if (s[0] == 0xf4)
		high = 0x8f; /* above: over U+10FFFF */
	if (n < len || s[1] < low || s[1] > high)
		return 0;
	for (i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool text_utf8(const char *s, size_t n)
{
	const unsigned char *at = (const unsigned char *)s;

	while (n) {
		size_t len = utf8_len(at, n);

		if (!len)
			return false;
		at += len;
		n -= len;
	}
	return true;
}

bool text_is_control(const char *s)
{
	const unsigned char *at = (const unsigned char *)s;

	return at[0] < 0x20 || at[0] == 0x7f ||
	       (at[0] == 0xc2 && at[1] < 0xa0);
}

size_t text_chars(const char *s, size_t n)
{
	size_t chars = 0;

	for (; n; n--)
		chars += ((unsigned char)*s++ & 0xc0) != 0x80;
	return chars;
}

size_t text_blank(const char *s)
{
	/* Unicode's White_Space, and U+FEFF, the zero width no-break space */
	static const char *const blanks[] = {
		" ", "\t", "\n", "\v", "\f", "\r", "\xc2\x85", "\u00a0",
		"\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004",
		"\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
		"\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff",
	};

	/* the common case first: this runs for each character of a text */
	if ((unsigned char)*s > ' ' && (unsigned char)*s < 0x80)
		return 0;
	for (size_t i = 0; i < sizeof blanks / sizeof blanks[0]; i++) {
		size_t n = strlen(blanks[i]);

		if (!strncmp(s, blanks[i], n))
			return n;
	}
	return 0;
}

const char *text_trim(struct arena *mem, const char *s)
{
	const char *end, *at;
	size_t n;

	while ((n = text_blank(s)) > 0)
		s += n;
	for (at = end = s; *at; at += n ? n : 1)
		if (!(n = text_blank(at)))
			end = at + 1;
	return *end ? arena_strndup(mem, s, (size_t)(end - s)) : s;
}

const char *text_lines(struct arena *mem, const char *s)
{
	char *text, *to;

	if (!strchr(s, '\r'))
		return s;
	text = to = arena_strdup(mem, s);
	for (; *s; s++)
		if (*s != '\r')
			*to++ = *s;
		else if (s[1] != '\n')
			*to++ = '\n';
	*to = '\0';
	return text;
}

/* Take the code point at *s from valid UTF-8, and move *s behind it. */
static wint_t next_char(const char **s)
{
	const unsigned char *at = (const unsigned char *)*s;
	size_t len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	wint_t c = len == 1 ? at[0] : at[0] & (0xffU >> (len + 1));

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (at[i] & 0x3f);
	*s += len;
	return c;
}

static locale_t utf8;

/* The process has the locale C, which knows the case of ASCII alone. This one
 * is built into the C library: only memory can be missing. */
static void open_locale(void)
{
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!utf8)
		arena_exhausted();
}

bool text_same(const char *a, const char *b)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, open_locale);
	while (*a && *b) {
		wint_t x = next_char(&a), y = next_char(&b);

		if (x != y && towlower_l(x, utf8) != towlower_l(y, utf8))
			return false;
	}
	return !*a && !*b;
}

static int peek(const struct scan *c)
{
	return c->at < c->end ? *c->at : -1;
}

static bool is_digit(int ch)
{
	return ch >= '0' && ch <= '9';
}

static int hex_value(int ch)
{
	if (is_digit(ch))
		return ch - '0';
	ch |= 0x20; /* lower case */
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Take \uXXXX and return its value. -1: there is none, and nothing is taken. */
static int scan_unit(struct scan *c)
{
	int unit = 0, i;

	if (c->end - c->at < 6 || c->at[0] != '\\' || c->at[1] != 'u')
		return -1;
	for (i = 2; i < 6; i++) {
		int value = hex_value(c->at[i]);

		if (value < 0)
			return -1;
		unit = unit * 16 + value;
	}
	c->at += 6;
	return unit;
}

static const char *scan_escape(struct scan *c)
{
	int unit, low;

	if (c->end - c->at < 2)
		return bad_end;
	if (c->at[1] != 'u') {
		if (!memchr("\"\\/bfnrt", c->at[1], 8))
			return bad_escape;
		c->at += 2;
		return NULL;
	}
	unit = scan_unit(c);
	if (unit < 0)
		return bad_escape;
	if (unit == 0)
		return bad_nul;
	if (unit < 0xd800 || unit > 0xdfff)
		return NULL;
	low = unit < 0xdc00 ? scan_unit(c) : -1;
	return low >= 0xdc00 && low <= 0xdfff ? NULL : bad_surrogate;
}

static const char *scan_string(struct scan *c)
{
	const char *error = NULL;

	for (c->at++; !error && peek(c) != '"';) {
		size_t len;

		if (c->at == c->end)
			error = bad_end;
		else if (*c->at < 0x20)
			error = *c->at ? bad_control : bad_nul;
		else if (*c->at == '\\')
			error = scan_escape(c);
		else if ((len = utf8_len(c->at, (size_t)(c->end - c->at))) > 0)
			c->at += len;
		else
			error = bad_utf8;
	}
	c->at++; /* the closing quote, if there is no error */
	return error;
}

static bool scan_digits(struct scan *c)
{
	if (!is_digit(peek(c)))
		return false;
	while (is_digit(peek(c)))
		c->at++;
	return true;
}

static const char *scan_number(struct scan *c)
{
	if (peek(c) == '-')
		c->at++;
	if (peek(c) == '0')
		c->at++;
	else if (!scan_digits(c))
		return bad_number;
	if (peek(c) == '.') {
		c->at++;
		if (!scan_digits(c))
			return bad_number;
	}
	if (peek(c) == 'e' || peek(c) == 'E') {
		c->at++;
		if (peek(c) == '+' || peek(c) == '-')
			c->at++;
		if (!scan_digits(c))
			return bad_number;
	}
	if (c->at < c->end && !memchr(" \t\n\r,]}", *c->at, 7))
		return bad_number;
	return NULL;
}

static const char *scan_word(struct scan *c, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
		return bad_char;
	c->at += len;
	return NULL;
}

static const char *scan_token(struct scan *c)
{
	switch (*c->at) {
	case ' ': case '\t': case '\n': case '\r':
	case '[': case ']': case '{': case '}': case ',': case ':':
		c->at++;
		return NULL;
	case '"':
		return scan_string(c);
	case '-':
	case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return scan_number(c);
	case 't':
		return scan_word(c, "true");
	case 'f':
		return scan_word(c, "false");
	case 'n':
		return scan_word(c, "null");
	case '\0':
		return bad_nul;
	default:
		return bad_char;
	}
}

const char *json_text_error(const char *s, size_t n)
{
	const unsigned char *at = (const unsigned char *)s;
	struct scan c = {at, at + n};
	const char *error = NULL;

	while (!error && c.at < c.end)
		error = scan_token(&c);
	return error;
}

static const char *grammar_error(enum json_tokener_error error)
{
	switch (error) {
	case json_tokener_success:
		return NULL;
	case json_tokener_error_depth:
		return bad_depth;
	case json_tokener_error_parse_eof:
		return bad_end;
	default:
		return bad_grammar;
	}
}

/*
 * Without JSON_TOKENER_STRICT json-c takes [1,] and {} {}, and with it 0.18
 * refuses each letter in a string that is not ASCII. So json.c knows the
 * grammar; json-c says at most that a text is too deep or too short.
 */
struct json_object *json_read(const char *s, size_t n, const char **error_r)
{
	struct json_object *value;
	struct json_tokener *tok;

	*error_r = n > INT_MAX ? bad_length : json_text_error(s, n);
	if (*error_r)
		return NULL;
	tok = json_tokener_new_ex(JSON_DEPTH);
	if (!tok) {
		*error_r = no_memory;
		return NULL;
	}
	json_tokener_set_flags(tok, JSON_TOKENER_VALIDATE_UTF8);
	value = json_tokener_parse_ex(tok, s, (int)n);
	if (json_tokener_get_error(tok) == json_tokener_continue)
		value = json_tokener_parse_ex(tok, "", -1); /* the end */
	*error_r = grammar_error(json_tokener_get_error(tok));
	json_tokener_free(tok);
	if (*error_r || json_is_whole(s, n))
		return value;
	*error_r = bad_grammar;
	json_object_put(value);
	return NULL;
}

const char *json_text_of(struct json_object *o, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(o, name, &value);
	return json_object_is_type(value, json_type_string) ?
		       json_object_get_string(value) : NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void canonical_object(struct json_object *o, struct buf *to)
{
	size_t n = 0, total = (size_t)json_object_object_length(o);
	const char **names = arena_array(to->mem, total, sizeof *names);

	json_object_object_foreach(o, name, ignored) {
		(void)ignored;
		names[n++] = name;
	}
	qsort(names, n, sizeof *names, by_name);
	buf_str(to, "{");
	for (size_t i = 0; i < n; i++) {
		struct buf quoted;

		buf_init(&quoted, to->mem);
		put_str(&quoted, NULL, names[i]);
		buf_printf(to, "%s%s:", i ? "," : "", quoted.s);
		json_canonical(json_object_object_get(o, names[i]), to);
	}
	buf_str(to, "}");
}

static void canonical_array(struct json_object *o, struct buf *to)
{
	size_t n = json_object_array_length(o);

	buf_str(to, "[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_str(to, ",");
		json_canonical(json_object_array_get_idx(o, i), to);
	}
	buf_str(to, "]");
}

void json_canonical(struct json_object *value, struct buf *to)
{
	switch (json_object_get_type(value)) {
	case json_type_object:
		canonical_object(value, to);
		break;
	case json_type_array:
		canonical_array(value, to);
		break;
	default:
		buf_str(to, json_object_to_json_string_ext(
				    value, JSON_C_TO_STRING_PLAIN));
	}
}
