#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "base/arena.h"
#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TEXT(literal) literal, sizeof literal - 1

/* A copy with nothing behind its end, where a sanitizer sees a step too far. */
static char *exactly(const char *s, size_t n)
{
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	return memcpy(copy, s, n);
}

struct text_case {
	const char *s;
	size_t n;
	size_t chars; /* 0: not UTF-8 */
};

static const struct text_case texts[] = {
	{TEXT("a"), 1},
	{TEXT("a\0b"), 3},
	{TEXT("\x7f"), 1},
	{TEXT("\xc2\x80\xdf\xbf"), 2},
	{TEXT("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), 4},
	{TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 2},
	{TEXT("gr\xc3\xbc\xc3\x9f"), 4},
	{TEXT("\x80"), 0},         /* begins in the middle */
	{TEXT("\xc3"), 0},         /* ends in the middle   */
	{TEXT("\xe2\x82"), 0},
	{TEXT("\xf0\x9f\x98"), 0},
	{TEXT("\xc3("), 0},
	{TEXT("\xe2(\x80"), 0},
	{TEXT("\xe2\x82("), 0},
	{TEXT("\xf0\x9f\x98("), 0},
	{TEXT("\xc0\x80"), 0},     /* overlong             */
	{TEXT("\xc1\xbf"), 0},
	{TEXT("\xe0\x9f\xbf"), 0},
	{TEXT("\xf0\x8f\xbf\xbf"), 0},
	{TEXT("\xed\xa0\x80"), 0}, /* surrogates           */
	{TEXT("\xed\xbf\xbf"), 0},
	{TEXT("\xf4\x90\x80\x80"), 0}, /* over U+10FFFF    */
	{TEXT("\xf5\x80\x80\x80"), 0},
	{TEXT("\xff"), 0},
};

static void utf8(void **state)
{
	size_t i;

	(void)state;
	assert_true(text_utf8("", 0));
	assert_int_equal(text_chars("", 0), 0);
	for (i = 0; i < COUNT(texts); i++) {
		const struct text_case *t = &texts[i];
		char *s = exactly(t->s, t->n);

		if (text_utf8(s, t->n) != (t->chars > 0))
			fail_msg("text %zu: utf8 is wrong", i);
		free(s);
		if (t->chars && text_chars(t->s, t->n) != t->chars)
			fail_msg("text %zu: chars is wrong", i);
	}
}

static void controls(void **state)
{
	static const char *const are[] = {
		"\1", "\t", "\x1f", "\x7f", "\xc2\x80", "\xc2\x85", "\xc2\x9f",
	};
	static const char *const are_not[] = {
		" ", "~", "\xc2\xa0", "\xc3\x80", "\xe2\x80\x80",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(are); i++)
		if (!text_is_control(are[i]))
			fail_msg("control %zu: is none", i);
	for (i = 0; i < COUNT(are_not); i++)
		if (text_is_control(are_not[i]))
			fail_msg("no control %zu: is one", i);
}

struct json_case {
	const char *s;
	size_t n;
	const char *back; /* as json-c writes it */
};

static const struct json_case good[] = {
	{TEXT("null"), "null"},
	{TEXT("true"), "true"},
	{TEXT(" \t\r\n[ true , false , null ]\n"), "[true,false,null]"},
	{TEXT("{}"), "{}"},
	{TEXT("0"), "0"},
	{TEXT("-0"), "0"},
	{TEXT("-1"), "-1"},
	{TEXT("[1E5]"), "[1E5]"},
	{TEXT("[1.50e-3,1e+2,0.0,-0.0,0e1]"), "[1.50e-3,1e+2,0.0,-0.0,0e1]"},
	{TEXT("1e999"), "1e999"},
	{TEXT("9223372036854775807"), "9223372036854775807"},
	{TEXT("99999999999999999999"), "18446744073709551615"},
	{TEXT("\"\""), "\"\""},
	{TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
	 "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
	{TEXT("\"\x7f\xc2\x80\""), "\"\x7f\xc2\x80\""},
	{TEXT("\"\\ud83d\\ude00\\uD83D\\uDE00\""),
	 "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\""},
	{TEXT("\"\\ud7ff\\ue000\\uffff\\u001F\""),
	 "\"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\\u001f\""},
	{TEXT("\"\\\\u0000\\\\ud83d\""), "\"\\\\u0000\\\\ud83d\""},
	{TEXT("\"NaN 01 ' /* \\u002f\""), "\"NaN 01 ' /* /\""},
	{TEXT("{\"a\":1,\"b\":2,\"a\":[3]}"), "{\"a\":[3],\"b\":2}"},
	{TEXT("{\"\":0}"), "{\"\":0}"},
	{TEXT("{\"\303\266\":\"c\303\242ble coup\303\251\"}"),
	 "{\"\303\266\":\"c\303\242ble coup\303\251\"}"},
};

static void accepts(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		const struct json_case *t = &good[i];
		const char *error, *back;
		char *s = exactly(t->s, t->n);
		struct json_object *value = json_read(s, t->n, &error);

		free(s);
		if (error)
			fail_msg("%s: %s", t->s, error);
		back = json_object_to_json_string_ext(
			value, JSON_C_TO_STRING_PLAIN |
				       JSON_C_TO_STRING_NOSLASHESCAPE);
		if (strcmp(back, t->back) != 0)
			fail_msg("%s: read as %s", t->s, back);
		json_object_put(value);
	}
}

/* json-c takes these by itself, or might, or cuts them short. */
static const struct json_case shown[] = {
	{TEXT("\"\xc0\x80\""), "not valid UTF-8"},
	{TEXT("\"\xed\xa0\x80\""), "not valid UTF-8"},
	{TEXT("\"\xf4\x90\x80\x80\""), "not valid UTF-8"},
	{TEXT("\"\xff\""), "not valid UTF-8"},
	{TEXT("\"\xe2\x82"), "not valid UTF-8"},
	{TEXT("{\"\xff\":1}"), "not valid UTF-8"},
	{TEXT("[1]\0"), "NUL"},
	{TEXT("\0[1]"), "NUL"},
	{TEXT("\"a\0b\""), "NUL"},
	{TEXT("\"\\u0000\""), "NUL"},
	{TEXT("{\"a\\u0000b\":1}"), "NUL"},
	{TEXT("\"\\\\\\u0000\""), "NUL"},
	{TEXT("\"\\ud83d\""), "surrogate"},
	{TEXT("\"\\ude00\""), "surrogate"},
	{TEXT("\"\\ud800\""), "surrogate"},
	{TEXT("\"\\udfff\""), "surrogate"},
	{TEXT("\"\\ud83d\\ud83d\""), "surrogate"},
	{TEXT("\"\\ud83d\\ue000\""), "surrogate"},
	{TEXT("\"\\ude00\\ud83d\""), "surrogate"},
	{TEXT("\"\\ud83d\\u0041\""), "surrogate"},
	{TEXT("\"\\ud83d\\ud83d\\ude00\""), "surrogate"},
	{TEXT("\"\\ud83d\\n\""), "surrogate"},
	{TEXT("\"\\ud83d\\"), "surrogate"},
	{TEXT("{\"\\uDBFF\":1}"), "surrogate"},
	{TEXT("\"a\nb\""), "control"},
	{TEXT("{\"a\tb\":1}"), "control"},
	{TEXT("\"\x1f\""), "control"},
	{TEXT("\"\\x41\""), "escape"},
	{TEXT("\"\\'\""), "escape"},
	{TEXT("\"\\U0041\""), "escape"},
	{TEXT("\"\\u12g4\""), "escape"},
	{TEXT("\"\\u 041\""), "escape"},
	{TEXT("\"\\u12\""), "escape"},
	{TEXT("\"\\u004"), "escape"},
	{TEXT("\"\\"), "early"},
	{TEXT("\"abc"), "early"},
	{TEXT("01"), "number"},
	{TEXT("00"), "number"},
	{TEXT("[-01]"), "number"},
	{TEXT("[-]"), "number"},
	{TEXT("-"), "number"},
	{TEXT("1."), "number"},
	{TEXT("[1.e5]"), "number"},
	{TEXT("[-.5]"), "number"},
	{TEXT("[1e]"), "number"},
	{TEXT("1e+"), "number"},
	{TEXT("[1.2.3]"), "number"},
	{TEXT("[1e5.5]"), "number"},
	{TEXT("[1-2]"), "number"},
	{TEXT("[0x10]"), "number"},
	{TEXT("[--1]"), "number"},
	{TEXT("-Infinity"), "number"},
	{TEXT("[-NaN]"), "number"},
	{TEXT("[1\v]"), "number"},
	{TEXT("[.5]"), "not valid JSON"},
	{TEXT("+1"), "not valid JSON"},
	{TEXT("NaN"), "not valid JSON"},
	{TEXT("nan"), "not valid JSON"},
	{TEXT("[Infinity]"), "not valid JSON"},
	{TEXT("infinity"), "not valid JSON"},
	{TEXT("True"), "not valid JSON"},
	{TEXT("NULL"), "not valid JSON"},
	{TEXT("[fALSE]"), "not valid JSON"},
	{TEXT("tru"), "not valid JSON"},
	{TEXT("undefined"), "not valid JSON"},
	{TEXT("'a'"), "not valid JSON"},
	{TEXT("{'a':1}"), "not valid JSON"},
	{TEXT("{a:1}"), "not valid JSON"},
	{TEXT("/*c*/1"), "not valid JSON"},
	{TEXT("[1] //c"), "not valid JSON"},
	{TEXT("#c\n1"), "not valid JSON"},
	{TEXT("\xef\xbb\xbf{}"), "not valid JSON"},
	{TEXT("\xc2\xa0{}"), "not valid JSON"},
	{TEXT("\f{}"), "not valid JSON"},
	{TEXT("{}\v"), "not valid JSON"},
	{TEXT("{};"), "not valid JSON"},
};

/* What only the grammar shows. */
static const struct json_case grammar[] = {
	{TEXT(""), "early"},
	{TEXT(" \n"), "early"},
	{TEXT("["), "early"},
	{TEXT("[[1]"), "early"},
	{TEXT("[1"), "early"},
	{TEXT("{\"a\":"), "early"},
	{TEXT("[1,]"), "not one valid"},
	{TEXT("{\"a\":1,}"), "not one valid"},
	{TEXT("[,1]"), "not one valid"},
	{TEXT("[1,,2]"), "not one valid"},
	{TEXT("{,}"), "not one valid"},
	{TEXT("[1 2]"), "not one valid"},
	{TEXT("[\"a\"\"b\"]"), "not one valid"},
	{TEXT("[truefalse]"), "not one valid"},
	{TEXT("[1:2]"), "number"},
	{TEXT("{1 :2}"), "not one valid"},
	{TEXT("{\"a\" 1}"), "not one valid"},
	{TEXT("{\"a\":}"), "not one valid"},
	{TEXT("{\"a\":1 \"b\":2}"), "not one valid"},
	{TEXT("[]]"), "not one valid"},
	{TEXT("[}"), "not one valid"},
	{TEXT("]"), "not one valid"},
	{TEXT("{} {}"), "not one valid"},
	{TEXT("1 2"), "not one valid"},
	{TEXT("{}true"), "not one valid"},
	{TEXT("\"a\" ,"), "not one valid"},
};

static void refuse(const struct json_case *t)
{
	const char *error;
	char *s = exactly(t->s, t->n);
	struct json_object *value = json_read(s, t->n, &error);

	free(s);
	if (value || !error)
		fail_msg("%s: was read", t->s);
	if (!strstr(error, t->back))
		fail_msg("%s: %s", t->s, error);
}

static void refuses(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(shown); i++) {
		if (!json_text_error(shown[i].s, shown[i].n))
			fail_msg("%s: would go to json-c", shown[i].s);
		refuse(&shown[i]);
	}
	for (i = 0; i < COUNT(grammar); i++)
		refuse(&grammar[i]);
}

/* `levels` containers; the innermost holds `inside`, or is an empty array. */
static bool nests(const char *open, const char *inside, const char *close,
		  int levels)
{
	char s[512] = "";
	const char *error;
	int i;

	for (i = 0; i < levels; i++)
		strcat(s, i < levels - 1 || *inside ? open : "[");
	strcat(s, inside);
	for (i = 0; i < levels; i++)
		strcat(s, i > 0 || *inside ? close : "]");
	json_object_put(json_read(s, strlen(s), &error));
	assert_true(!error || strstr(error, "16 deep"));
	return !error;
}

static void depth(void **state)
{
	(void)state;
	assert_true(nests("[", "", "]", 16));
	assert_false(nests("[", "", "]", 17));
	assert_true(nests("{\"a\":", "", "}", 16));
	assert_false(nests("{\"a\":", "", "}", 17));
	assert_true(nests("[", "1", "]", 15));
	assert_false(nests("[", "1", "]", 16));
	assert_true(nests("{\"a\":", "null", "}", 15));
	assert_false(nests("{\"a\":", "null", "}", 16));
	assert_false(nests("[", "{}", "]", 16));
	assert_false(nests("[", "", "]", 200));
}

static void big(void **state)
{
	enum { N = 1 << 19 };
	static char s[2 * N + 1];
	const char *error;
	struct json_object *value;
	size_t i;

	(void)state;
	for (i = 0; i < N; i++)
		memcpy(s + 2 * i, "1,", 2);
	s[0] = '[';
	s[1] = '1'; /* [11,1,1,...,1] */
	s[2 * N - 1] = ']';
	value = json_read(s, 2 * N, &error);
	assert_null(error);
	assert_int_equal(json_object_array_length(value), N - 1);
	json_object_put(value);
}

struct change_case {
	const char *from, *to;
};

static const struct change_case trims[] = {
	{"", ""},
	{" ", ""},
	{"C-1", "C-1"},
	{" \t\r\n\v\fC-1\f\v\n\r\t ", "C-1"},
	{"\u00a0\u1680\u2007C 1\u202f\u3000\ufeff", "C 1"},
	{"\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a", ""},
	{"\u2028\u2029\u205f\xc2\x85", ""},
	{"gr\u00fc\u00df ", "gr\u00fc\u00df"},
	{"\u200bx\u2060", "\u200bx\u2060"}, /* invisible, and no blanks */
	{"\u00a1 \u2026", "\u00a1 \u2026"}, /* they begin like blanks   */
};

static void trim(void **state)
{
	struct arena *mem = arena_open();

	(void)state;
	for (size_t i = 0; i < COUNT(trims); i++)
		assert_string_equal(text_trim(mem, trims[i].from),
				    trims[i].to);
	arena_close(mem);
}

static const struct change_case line_ends[] = {
	{"", ""},
	{"a\nb", "a\nb"},
	{"a\r\nb\r\n", "a\nb\n"},
	{"a\rb\r", "a\nb\n"},
	{"\r\r\n\n\r", "\n\n\n\n"},
};

static void lines(void **state)
{
	struct arena *mem = arena_open();

	(void)state;
	for (size_t i = 0; i < COUNT(line_ends); i++)
		assert_string_equal(text_lines(mem, line_ends[i].from),
				    line_ends[i].to);
	arena_close(mem);
}

static const struct {
	const char *a, *b;
	bool same;
} cases_of_letters[] = {
	{"", "", true},
	{"Fiber cut", "fIBER CUT", true},
	{"\u00dcBER\u03a3\u0416", "\u00fcber\u03c3\u0436", true},
	{"\U00010400", "\U00010428", true},
	{"\u0e01\u0e31", "\u0e01\u0e31", true},
	{"a", "ab", false},
	{"ab", "a", false},
	{"a", "b", false},
	{"\u00fc", "u", false},
	{"@", "`", false}, /* apart by the bit that ASCII has for case */
};

static void same(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases_of_letters); i++)
		assert_int_equal(text_same(cases_of_letters[i].a,
					   cases_of_letters[i].b),
				 cases_of_letters[i].same);
}

/* Pairs: texts of one value, and of two. */
static const struct {
	const char *a, *b;
	bool same;
} values[] = {
	{"{}", " { } ", true},
	{"{\"a\":1,\"b\":[true,null]}", "{ \"b\" :[ true,null ],\"a\":1}", true},
	{"{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":2,\"x\":1}}", true},
	{"{\"a\":0,\"a\":1}", "{\"a\":1}", true}, /* the last wins */
	{"\"\\u0041\\/\"", "\"A/\"", true},
	{"{\"\\u0041\":1}", "{\"A\":1}", true},
	{"1.50", "1.50", true},
	{"[1,2]", "[2,1]", false},
	{"1", "\"1\"", false},
	{"1", "1.0", false},
	{"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
	{"{\"a\":\"b\"}", "{\"b\":\"a\"}", false},
	{"[[1],2]", "[[1,2]]", false},
	{"{\"a\\\":1,\\\"b\":1}", "{\"a\":1,\"b\":1}", false},
	{"null", "{}", false},
};

static const char *canonical(const char *s, struct arena *mem)
{
	const char *error;
	struct json_object *o = json_read(s, strlen(s), &error);
	struct buf text;

	assert_null(error);
	buf_init(&text, mem);
	json_canonical(o, &text);
	json_object_put(o);
	return text.s;
}

static void value_of(void **state)
{
	struct arena *mem = arena_open();

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++)
		if (!strcmp(canonical(values[i].a, mem),
			    canonical(values[i].b, mem)) != values[i].same)
			fail_msg("%s %s", values[i].a, values[i].b);
	arena_close(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8),
		cmocka_unit_test(controls),
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(depth),
		cmocka_unit_test(big),
		cmocka_unit_test(trim),
		cmocka_unit_test(lines),
		cmocka_unit_test(same),
		cmocka_unit_test(value_of),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
