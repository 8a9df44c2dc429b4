#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t clock_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

int64_t clock_boot_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

int64_t clock_mono_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void clock_sleep_ms(int64_t ms)
{
	struct timespec t = {.tv_sec = (time_t)(ms / 1000),
			     .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

void clock_text(int64_t wall_ms, char text_r[CLOCK_TEXT])
{
	static _Thread_local char second[] = "1970-01-01T00:00:00";
	static _Thread_local time_t last;
	time_t s = (time_t)(wall_ms / 1000);
	unsigned ms = (unsigned)(wall_ms % 1000);
	struct tm tm;

	if (s != last) { /* many texts have the same second */
		gmtime_r(&s, &tm);
		strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &tm);
		last = s;
	}
	memcpy(text_r, second, sizeof second - 1);
	text_r += sizeof second - 1;
	*text_r++ = '.';
	*text_r++ = (char)('0' + ms / 100);
	*text_r++ = (char)('0' + ms / 10 % 10);
	*text_r++ = (char)('0' + ms % 10);
	*text_r++ = 'Z';
	*text_r = '\0';
}

/* Does the text have this form? 'd' stands for a digit. */
static bool has_form(const char *text, const char *form)
{
	for (; *form; form++, text++)
		if (*form == 'd' ? *text < '0' || *text > '9' : *text != *form)
			return false;
	return true;
}

static int two_digits(const char *text)
{
	return (text[0] - '0') * 10 + text[1] - '0';
}

/* Parse the date and the time of day. False: there is no such time. */
static bool read_second(const char *text, int64_t *second_r)
{
	struct tm tm = {
		.tm_year = two_digits(text) * 100 + two_digits(text + 2) - 1900,
		.tm_mon = two_digits(text + 5) - 1,
		.tm_mday = two_digits(text + 8),
		.tm_hour = two_digits(text + 11),
		.tm_min = two_digits(text + 14),
		.tm_sec = two_digits(text + 17),
	};
	const struct tm said = tm;

	*second_r = timegm(&tm); /* it turns 31 April into 1 May */
	return tm.tm_mon == said.tm_mon && tm.tm_mday == said.tm_mday &&
	       tm.tm_hour == said.tm_hour && tm.tm_min == said.tm_min &&
	       tm.tm_sec == said.tm_sec;
}

/* Parse Z, or the distance from UTC. */
static bool read_zone(const char *text, int64_t *seconds_r)
{
	bool east = *text == '+';

	*seconds_r = 0;
	if (*text == 'Z')
		return !text[1];
	if ((!east && *text != '-') || !has_form(text + 1, "dd:dd") ||
	    text[6] || two_digits(text + 1) > 23 || two_digits(text + 4) > 59)
		return false;
	*seconds_r = two_digits(text + 1) * 3600 + two_digits(text + 4) * 60;
	if (!east)
		*seconds_r = -*seconds_r;
	return true;
}

bool clock_read(const char *text, int64_t *wall_ms_r)
{
	const int64_t most = 253402300799999; /* the end of the year 9999 */
	int64_t second, zone, ms = 0;

	if (!has_form(text, "dddd-dd-ddTdd:dd:dd") ||
	    !read_second(text, &second) || two_digits(text) < 19)
		return false;
	text += 19;
	if (*text == '.') {
		int64_t unit = 100;

		if (!has_form(++text, "d"))
			return false;
		for (; has_form(text, "d"); text++, unit /= 10)
			ms += unit * (*text - '0');
	}
	if (!read_zone(text, &zone))
		return false;
	ms += (second - zone) * 1000;
	*wall_ms_r = ms < 0 ? 0 : ms > most ? most : ms;
	return true;
}

int64_t clock_backoff_ms(unsigned tries, int64_t base, int64_t cap)
{
	int64_t ms = tries < 32 ? base << tries : cap;

	if (ms > cap || ms < base)
		ms = cap;
	return ms / 2 + random() % (ms / 2 + 1);
}
