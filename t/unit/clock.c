#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* In this order, for the text of a second is kept for the next. */
static const struct {
	int64_t wall_ms;
	const char *text;
} times[] = {
	{0, "1970-01-01T00:00:00.000Z"},
	{7, "1970-01-01T00:00:00.007Z"},
	{1767322984999, "2026-01-02T03:03:04.999Z"},
	{1767322985000, "2026-01-02T03:03:05.000Z"},
	{1767322985678, "2026-01-02T03:03:05.678Z"},
	{1767322984999, "2026-01-02T03:03:04.999Z"},
	{1709251199040, "2024-02-29T23:59:59.040Z"},
	{12, "1970-01-01T00:00:00.012Z"},
};

static void text(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		char shown[CLOCK_TEXT];

		clock_text(times[i].wall_ms, shown);
		assert_string_equal(shown, times[i].text);
	}
}

/* What is read of a text; -1: it is no time. */
static const struct {
	const char *text;
	int64_t wall_ms;
} texts[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"1970-01-01T00:00:00.007Z", 7},
	{"2026-01-02T03:03:05.678Z", 1767322985678},
	{"2026-01-02T03:03:05.6Z", 1767322985600},
	{"2026-01-02T03:03:05.678999999Z", 1767322985678},
	{"2026-01-02T10:03:05.678+07:00", 1767322985678},
	{"2026-01-01T21:33:05.678-05:30", 1767322985678},
	{"2024-02-29T23:59:59.040Z", 1709251199040},
	{"1900-01-01T00:00:00Z", 0},
	{"9999-12-31T23:59:59.999-23:59", 253402300799999},
	{"", -1},
	{"2026-01-02", -1},
	{"2026-01-02T03:03:05", -1},
	{"2026-01-02 03:03:05Z", -1},
	{"2026-01-02t03:03:05z", -1},
	{"2026-01-02T03:03:05.Z", -1},
	{"2026-01-02T03:03:05.678Zx", -1},
	{"2026-01-02T03:03:05+0700", -1},
	{"2026-01-02T03:03:05+07:00x", -1},
	{"2026-01-02T03:03:05+24:00", -1},
	{"2026-01-02T03:03:05+07:60", -1},
	{"2026-02-30T00:00:00Z", -1},
	{"2026-00-10T00:00:00Z", -1},
	{"2026-13-10T00:00:00Z", -1},
	{"2026-01-00T00:00:00Z", -1},
	{"2023-02-29T00:00:00Z", -1},
	{"2026-01-02T24:00:00Z", -1},
	{"2026-01-02T23:60:00Z", -1},
	{"2026-01-02T23:59:60Z", -1},
	{"1899-12-31T23:59:59Z", -1},
	{"+026-01-02T03:03:05Z", -1},
	{"2026-01-02T03:03:0", -1},
};

static void read_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		int64_t ms = -1;

		if (!clock_read(texts[i].text, &ms))
			ms = -1;
		assert_int_equal(ms, texts[i].wall_ms);
	}
}

/* Doubled, cut at the cap, and drawn from the upper half. */
static void backoff(void **state)
{
	static const struct {
		unsigned tries;
		int64_t whole;
	} waits[] = {{0, 50}, {1, 100}, {2, 200}, {3, 300}, {31, 300},
		     {32, 300}, {4000000000u, 300}};

	(void)state;
	for (size_t i = 0; i < COUNT(waits); i++)
		for (int n = 0; n < 1000; n++)
			assert_in_range(clock_backoff_ms(waits[i].tries, 50,
							 300),
					waits[i].whole / 2, waits[i].whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text),
		cmocka_unit_test(read_text),
		cmocka_unit_test(backoff),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
