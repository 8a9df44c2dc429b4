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

int64_t clock_mono_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

void clock_sleep_ms(int64_t ms)
{
	struct timespec t = {.tv_sec = (time_t)(ms / 1000),
			     .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

void clock_text(int64_t wall_ms, char text_r[CLOCK_TEXT])
{
	static char second[] = "1970-01-01T00:00:00";
	static time_t last;
	time_t s = (time_t)(wall_ms / 1000);
	unsigned ms = (unsigned)(wall_ms % 1000);
	struct tm tm;

	if (s != last) { /* many a text is of the same second */
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

int64_t clock_backoff_ms(unsigned tries, int64_t base, int64_t cap)
{
	int64_t ms = tries < 32 ? base << tries : cap;

	if (ms > cap || ms < base)
		ms = cap;
	return ms / 2 + random() % (ms / 2 + 1);
}
