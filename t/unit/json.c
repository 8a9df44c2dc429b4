#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static const char *const whole[] = {
	"{}", " [ ] ", "null", "true", "false", "0", "-0", "-1.5e+10", "1E5",
	"\"\"", "\"\\u00e9\\n\\\\\\\"/\\/\"", "\"\303\251\"", "[1,2,[3,{\"a\":[]}]]",
	"{\"a\":1,\"a\":{\"b\":null}}", "\t{ \"a\" : [ 1 , \"x\" ] }\r\n",
	"18446744073709551616123",
};

static const char *const no_json[] = {
	"", " ", "{", "}", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
	"{a:1}", "{'a':1}", "01", "-", "1.", ".5", "1e", "+1", "tru", "nul",
	"nullx", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "\"a\nb\"", "[1 2]",
	"{} {}", "<html></html>", "[1}", "{\"a\":1]", "NaN", "[\"a\",\"b]",
};

static void grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		if (!json_is_whole(whole[i], strlen(whole[i])))
			fail_msg("refused: %s", whole[i]);
	for (size_t i = 0; i < sizeof no_json / sizeof *no_json; i++)
		if (json_is_whole(no_json[i], strlen(no_json[i])))
			fail_msg("taken: %s", no_json[i]);
}

/* Every beginning of a text is none, and is not read beyond its end. */
static void cut_short(void **state)
{
	static const char text[] = "{\"a\":[1,-2.5e3,\"\\u12ab\\n\"],\"b\":null}";

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, text, n);
		assert_false(json_is_whole(copy, n));
		free(copy);
	}
}

static void nesting(void **state)
{
	char text[2 * JSON_NESTING + 2];

	(void)state;
	memset(text, '[', JSON_NESTING + 1);
	memset(text + JSON_NESTING + 1, ']', JSON_NESTING + 1);
	assert_false(json_is_whole(text, sizeof text));
	assert_true(json_is_whole(text + 1, sizeof text - 2));
}

static struct slice of(const char *text)
{
	return json_value(text, strlen(text));
}

static void is_text(struct slice v, const char *text)
{
	if (!text) {
		assert_null(v.s);
		return;
	}
	assert_int_equal(v.n, strlen(text));
	assert_memory_equal(v.s, text, v.n);
}

/* Of a repeated member the last; as it stands, to the byte. */
static void members(void **state)
{
	static const struct {
		const char *object, *name, *value;
	} cases[] = {
		{"{\"a\":1}", "a", "1"},
		{"{\"a\":1}", "b", NULL},
		{"{\"a\":1,\"a\":2}", "a", "2"},
		{" { \"x\" : {\"a\":9} , \"a\" : [ 1,  2 ] } ", "a", "[ 1,  2 ]"},
		{"{\"\\u0061\":\"y\"}", "a", "\"y\""},
		{"{\"a\":12345678901234567890123}", "a",
		 "12345678901234567890123"},
		{"{\"a\":{\"b\":1}}", "b", NULL},
		{"[\"a\"]", "a", NULL},
		{"\"a\"", "a", NULL},
		{"{}", "a", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		is_text(json_member(of(cases[i].object), cases[i].name),
			cases[i].value);
}

static void elements(void **state)
{
	struct slice at = {0}, array = of("[ 1, {\"a\":[2]} ,\"x\" ]");

	(void)state;
	assert_true(json_next(array, &at));
	is_text(at, "1");
	assert_true(json_next(array, &at));
	is_text(at, "{\"a\":[2]}");
	assert_true(json_next(array, &at));
	is_text(at, "\"x\"");
	assert_false(json_next(array, &at));
	at.s = NULL;
	assert_false(json_next(of("[]"), &at));
	assert_false(json_next(of("{}"), &at));
	assert_false(json_next((struct slice){0}, &at));
}

static void strings(void **state)
{
	static const struct {
		const char *value, *text;
		bool same;
	} cases[] = {
		{"\"N-1\"", "N-1", true},       {"\"N-1\"", "N-2", false},
		{"\"N-1\"", "N-", false},       {"\"N-\"", "N-1", false},
		{"\"\\u004e-1\"", "N-1", true}, {"\"\\/\"", "/", true},
		{"\"\\/\"", "\\/", false},      {"\"\"", "", true},
		{"1", "1", false},              {"null", "null", false},
		{"\"a\\u0000\"", "a", false},
		{"\"\\u00e9\"", "\303\251", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (json_string_is(of(cases[i].value), cases[i].text) !=
		    cases[i].same)
			fail_msg("%s and %s", cases[i].value, cases[i].text);
	assert_false(json_string_is((struct slice){0}, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(nesting),
		cmocka_unit_test(members),
		cmocka_unit_test(elements),
		cmocka_unit_test(strings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
