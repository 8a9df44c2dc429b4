#include "base/fault.h"

const char *const fault_name[FAULT__MAX] = {
#define P(id, name) [FAULT_##id] = name,
	FAULT_POINTS(P)
#undef P
};

#if ENABLE_FAULT
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Is it this thread that acts on the file? It removes the file. */
static bool takes(enum fault_point point, const char *path, int skip)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int passed[FAULT__MAX];
	bool mine;

	pthread_mutex_lock(&lock);
	mine = passed[point]++ >= skip && !unlink(path);
	if (mine)
		passed[point] = 0;
	pthread_mutex_unlock(&lock);
	return mine;
}

int fault(enum fault_point point)
{
	const char *path = getenv("CTT_FAULT_FILE");
	char name[32], action[16];
	int ms = 0, skip = 0, n;
	FILE *f = path ? fopen(path, "r") : NULL;

	if (!f)
		return 0;
	n = fscanf(f, "%31s %15s %d %d", name, action, &ms, &skip);
	fclose(f);
	if (n < 2 || strcmp(name, fault_name[point]) ||
	    !takes(point, path, skip))
		return 0;
	log_line(LOG_INFO, "fault", "point=%s action=%s", name, action);
	if (!strcmp(action, "kill"))
		kill(getpid(), SIGKILL);
	if (!strcmp(action, "abort"))
		abort();
	if (!strcmp(action, "stop"))
		kill(getpid(), SIGSTOP);
	if (!strcmp(action, "delay"))
		clock_sleep_ms(ms);
	return !strcmp(action, "fail");
}
#endif
