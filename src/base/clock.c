#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
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
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	char day[32];

	gmtime_r(&s, &tm);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text_r, CLOCK_TEXT, "%.19s.%03uZ", day,
		 (unsigned)(wall_ms % 1000) % 1000);
}

int64_t clock_backoff_ms(unsigned tries, int64_t base, int64_t cap)
{
	int64_t ms = tries < 32 ? base << tries : cap;

	if (ms > cap || ms < base)
		ms = cap;
	return ms / 2 + random() % (ms / 2 + 1);
}
