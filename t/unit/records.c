/* How a request of FastCGI has to begin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "web/records.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BEGIN "\1\1\0\1\0\10\0\0" "\0\1\0\0\0\0\0\0"
#define PARAMS(n) "\1\4\0\1\0" n "\0\0"
#define END PARAMS("\0")

static const struct {
	const char *what, *s;
	size_t n;
	enum records found;
} cases[] = {
#define CASE(what, text, found) {what, text, sizeof text - 1, found}
	CASE("nothing", "", RECORDS_PART),
	CASE("half a head", "\1\1\0", RECORDS_PART),
	CASE("a beginning", BEGIN, RECORDS_PART),
	CASE("no parameter", BEGIN END, RECORDS_WHOLE),
	CASE("and what follows", BEGIN END "anything", RECORDS_WHOLE),
	CASE("one", BEGIN PARAMS("\4") "\1\1AB" END, RECORDS_WHOLE),
	CASE("one without an end", BEGIN PARAMS("\4") "\1\1AB", RECORDS_PART),
	CASE("half of one", BEGIN PARAMS("\4") "\1\1A", RECORDS_PART),
	CASE("with padding", BEGIN "\1\4\0\1\0\4\3\0" "\1\1AB" "xyz" END,
	     RECORDS_WHOLE),
	CASE("in two records", BEGIN PARAMS("\1") "\1" PARAMS("\3") "\1AB" END,
	     RECORDS_WHOLE),
	CASE("empty names", BEGIN PARAMS("\4") "\0\0\0\0" END, RECORDS_WHOLE),
	CASE("long lengths", BEGIN PARAMS("\12") "\200\0\0\1\200\0\0\1AB" END,
	     RECORDS_WHOLE),
	CASE("a name of a byte more", BEGIN PARAMS("\4") "\2\1AB" END,
	     RECORDS_BAD),
	CASE("a value of a byte more", BEGIN PARAMS("\4") "\1\2AB" END,
	     RECORDS_BAD),
	CASE("a name of 2 GiB", BEGIN PARAMS("\12")
	     "\377\377\377\377\1AAAAA" END, RECORDS_BAD),
	CASE("a value of 1 GiB", BEGIN PARAMS("\12")
	     "\1\300\0\0\0AAAAA" END, RECORDS_BAD),
	CASE("both", BEGIN PARAMS("\12")
	     "\377\377\377\377\377\377\377\377AA" END, RECORDS_BAD),
	CASE("half a length", BEGIN PARAMS("\3") "\1\200\0" END, RECORDS_BAD),
	CASE("a name alone", BEGIN PARAMS("\1") "\0" END, RECORDS_BAD),
	CASE("another version", "\2\1\0\1\0\10\0\0" "\0\1\0\0\0\0\0\0",
	     RECORDS_BAD),
	CASE("no beginning", END, RECORDS_BAD),
	CASE("management", "\1\11\0\0\0\0\0\0", RECORDS_BAD),
	CASE("management behind the beginning", BEGIN "\1\11\0\0\0\0\0\0",
	     RECORDS_BAD),
	CASE("another's parameters", BEGIN "\1\4\0\2\0\0\0\0", RECORDS_BAD),
	CASE("no HTTP", "GET / HTTP/1.1\r\n\r\n", RECORDS_BAD),
};

static void looks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("# %s\n", cases[i].what);
		assert_int_equal(records_look((const unsigned char *)cases[i].s,
					      cases[i].n), cases[i].found);
	}
}

/* However it is cut, what has come says nothing wrong. */
static void looks_at_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t n = 0; cases[i].found == RECORDS_WHOLE &&
		     n < cases[i].n; n++)
			assert_int_not_equal(records_look((const unsigned char *)
				cases[i].s, n), RECORDS_BAD);
}

/* As long as may be, and no longer. */
static void has_an_end(void **state)
{
	static unsigned char s[RECORDS_MOST + 1];

	(void)state;
	memcpy(s, BEGIN, sizeof BEGIN - 1);
	for (size_t at = sizeof BEGIN - 1; at + 8 < sizeof s; at += 8 + 0x1000)
		memcpy(s + at, "\1\4\0\1\x10\0\0\0", 8);
	assert_int_equal(records_look(s, RECORDS_MOST - 1), RECORDS_PART);
	assert_int_equal(records_look(s, RECORDS_MOST), RECORDS_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks), cmocka_unit_test(looks_at_parts),
		cmocka_unit_test(has_an_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
