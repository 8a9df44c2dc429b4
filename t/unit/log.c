/* A line of the log: the same pairs for people and as JSON, whatever is in
 * them. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <json-c/json.h>

#include "base/log.h"
#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char line[8192];
static int file, stderr_before;

/* What log_line wrote. */
static const char *written(void)
{
	ssize_t n = pread(file, line, sizeof line - 1, 0);

	assert_true(n >= 0 && n < (ssize_t)sizeof line);
	line[n] = '\0';
	return line;
}

/* The next line is the first one of the file. */
static void fresh(bool text)
{
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	log_setup("test", LOG_INFO, text);
}

#define LINE(text, ...) (fresh(text), log_line(__VA_ARGS__), written())

static int begin(void **state)
{
	(void)state;
	file = memfd_create("log", 0);
	stderr_before = dup(STDERR_FILENO);
	return file < 0 || dup2(file, STDERR_FILENO) < 0;
}

static int end(void **state)
{
	(void)state;
	dup2(stderr_before, STDERR_FILENO);
	close(file);
	return 0;
}

/* The line without what differs from moment to moment. */
static const char *behind(const char *all, const char *word)
{
	const char *at = strstr(all, word);

	return at ? at : all;
}

/* Each conversion, with the text for people and the JSON. */
static void conversions(void **state)
{
	const struct {
		const char *text, *json;
	} want = {
		"level=info event=all s=a b q=\"c d\" part=ab word=here n=-7 "
		"u=7 ld=-8 lld=-9 zu=10 f=0.3 g=12.0\n",
		"\"level\":\"info\",\"event\":\"all\",\"s\":\"a b\",\"q\":"
		"\"c d\",\"part\":\"ab\",\"word\":\"here\",\"n\":-7,\"u\":7,"
		"\"ld\":-8,\"lld\":-9,\"zu\":10,\"f\":0.3,\"g\":12.0}\n",
	};
	const char *none = getenv("NOT_SET_ANYWHERE");

	(void)state;
	for (int text = 0; text < 2; text++)
		assert_string_equal(behind(LINE(text, LOG_INFO, "all",
			"s=%s q=\"%s\" none=%s part=%.*s word=here n=%d u=%u "
			"ld=%ld lld=%lld zu=%zu f=%.1f g=%.1f", "a b", "c d",
			none, 2, "abc", -7, 7U, -8L, -9LL, (size_t)10, 0.26,
			11.98), text ? "level=" : "\"level\""),
			text ? want.text : want.json);
}

/* One value, as people and as programs see it. */
static const struct {
	const char *value, *text, *json;
} values[] = {
	{"", "v=\n", "\"v\":\"\"}\n"},
	{"a\"b\\c", "v=a\"b\\c\n", "\"v\":\"a\\\"b\\\\c\"}\n"},
	{"a\nevent=b\r\t\x01", "v=a event=b   \n",
	 "\"v\":\"a\\u000aevent=b\\u000d\\u0009\\u0001\"}\n"},
	{"Gr\xc3\xbc\xc3\x9f", "v=Gr\xc3\xbc\xc3\x9f\n",
	 "\"v\":\"Gr\xc3\xbc\xc3\x9f\"}\n"},
	{"a\xc3", "v=a\xc3\n", "\"v\":\"a?\"}\n"},
	{"\xff\n", "v=\xff \n", "\"v\":\"?\\u000a\"}\n"},
	{"\xed\xa0\x80", "v=\xed\xa0\x80\n", "\"v\":\"???\"}\n"},
	{"%s=1", "v=%s=1\n", "\"v\":\"%s=1\"}\n"},
};

static void each_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		assert_string_equal(behind(LINE(true, LOG_INFO, "x", "v=%s",
			values[i].value), "v="), values[i].text);
		assert_string_equal(behind(LINE(false, LOG_INFO, "x", "v=%s",
			values[i].value), "\"v\""), values[i].json);
	}
}

static struct json_object *parsed(const char *text)
{
	const char *error;
	size_t n = strlen(text);
	struct json_object *o = json_read(text, n, &error);

	assert_true(text[n - 1] == '\n' && !memchr(text, '\n', n - 1));
	assert_null(error);
	return o;
}

/* The text of a member of the line; "" if there is none. */
static const char *member(const char *text, const char *name)
{
	static char copy[sizeof line];
	struct json_object *o = parsed(text), *value = NULL;

	json_object_object_get_ex(o, name, &value);
	snprintf(copy, sizeof copy, "%s",
		 value ? json_object_get_string(value) : "");
	json_object_put(o);
	return copy;
}

/* However long the values are, and whatever each byte is, it is one line, JSON,
 * and what comes behind is there. */
static void long_values(void **state)
{
	static char value[6000];

	(void)state;
	for (int c = 1; c < 256; c++)
		for (size_t n = 1000; n < sizeof value; n += 1237) {
			memset(value, c, n);
			value[n] = '\0';
			assert_string_equal(member(LINE(false, LOG_INFO, "x",
				"a=%s n=%d", value, 7), "event"), "x");
			assert_string_equal(member(LINE(false, LOG_INFO, "x",
				"a=%s b=%s c=%s d=%s e=%s n=%d", value, value,
				value, value, value, 7), "event"), "x");
		}
	memset(value, 'x', 5000);
	assert_int_equal(strlen(member(LINE(false, LOG_INFO, "x",
		"a=%s n=%d", value, 7), "a")), 1024);
	assert_string_equal(member(LINE(false, LOG_INFO, "x", "a=%s "
		"n=%d", value, 7), "n"), "7");
	assert_non_null(strstr(LINE(true, LOG_INFO, "x", "a=%s n=%d", value,
				    7), " n=7\n"));
	for (size_t n = 0; n < 2000; n++)
		memcpy(value + 2 * n, "\xc3\xbc", 2);
	for (size_t from = 0; from < 2; from++) /* not half a character */
		assert_null(strchr(member(LINE(false, LOG_INFO, "x",
			"a=%s", from ? value + 2 : value), "a"), '?'));
}

/* The request, in each line until it ends; and no line beyond the level. */
static void request(void **state)
{
	(void)state;
	log_request("id-1._");
	assert_non_null(strstr(LINE(true, LOG_INFO, "x", "a=b"),
			       "event=x request=id-1._ a=b\n"));
	assert_string_equal(member(LINE(false, LOG_INFO, "x", "a=b"),
			    "request"), "id-1._");
	log_request("a\"\n b");
	assert_string_equal(member(LINE(false, LOG_INFO, "x", "a=b"),
			    "request"), "a___b");
	log_request(NULL);
	assert_null(strstr(LINE(true, LOG_INFO, "x", "a=b"), "request"));
	assert_string_equal(LINE(true, LOG_DEBUG, "x", "a=b"), "");
	assert_non_null(strstr(LINE(false, LOG_ERROR, "x", "a=b"),
			       "\"level\":\"error\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(conversions, begin, end),
		cmocka_unit_test_setup_teardown(each_value, begin, end),
		cmocka_unit_test_setup_teardown(long_values, begin, end),
		cmocka_unit_test_setup_teardown(request, begin, end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
