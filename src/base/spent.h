#ifndef BASE_SPENT_H
#define BASE_SPENT_H

#include <stdint.h>

/*
 * Where the time of a thread's request goes, for the line that the log has of
 * it. A moment counts for one part only: what a thread does for another one
 * within a wait is not a wait.
 */
enum spent {
	SPENT_REST,    /* whatever is none of these                 */
	SPENT_TRAY,    /* waiting for other requests: in a tray, or for a
			* connection that they have                 */
	SPENT_DB,      /* statements, and pauses before they run again */
	SPENT_PARTNER, /* calls                                     */
	SPENT__MAX
};

/* A request begins: nothing is spent. */
void spent_begin(void);

/* From now on time is spent on `part`; what it was spent on before. */
enum spent spent_on(enum spent part);

/* The request ends: microseconds of each part. */
const int64_t *spent_end(void);

#endif
