#include "base/spent.h"

#include <string.h>

#include "base/clock.h"

struct spending {
	int64_t us[SPENT__MAX];
	int64_t since; /* clock_mono_us */
	enum spent on;
};

static _Thread_local struct spending spent;

void spent_begin(void)
{
	memset(&spent, 0, sizeof spent);
	spent.since = clock_mono_us();
}

enum spent spent_on(enum spent part)
{
	enum spent before = spent.on;
	int64_t now = clock_mono_us();

	spent.us[before] += now - spent.since;
	spent.since = now;
	spent.on = part;
	return before;
}

const int64_t *spent_end(void)
{
	spent_on(SPENT_REST);
	return spent.us;
}
