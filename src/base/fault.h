#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "config.h"

/*
 * Fault points: places where a test can kill, delay or fail a process. A
 * release has none (./configure --enable-fault). The file CTT_FAULT_FILE
 * contains one line, `POINT ACTION [MS] [SKIP]`. ACTION is kill, abort, stop
 * (until SIGCONT), delay (MS) or fail. The first SKIP times the point does
 * nothing. The process that acts removes the file, so the action happens once.
 */
#define FAULT_POINTS(P)                                                      \
	P(AFTER_LOAD, "after-load")         /* tickets locked, nothing saved */ \
	P(BEFORE_INTENT, "before-intent")   /* checked; nothing saved yet    */ \
	P(AFTER_INTENT, "after-intent")     /* saved; no partner was called  */ \
	P(AFTER_SYNC, "after-sync")         /* partners answered; not closed */ \
	P(AFTER_CLOSE, "after-close")       /* closed; no answer was sent    */ \
	P(AFTER_CLAIM, "after-claim")       /* recovery claimed an operation */ \
	P(BEFORE_UNDO, "before-undo")       /* no inverse was sent yet       */ \
	P(AFTER_UNDO, "after-undo")         /* inverse sent; not closed      */ \
	P(AFTER_JOB_CLAIM, "after-job-claim") /* the worker took jobs        */ \
	P(AFTER_JOB_SENT, "after-job-sent") /* delivered; not marked done    */

enum fault_point {
#define P(id, name) FAULT_##id,
	FAULT_POINTS(P)
#undef P
	FAULT__MAX
};

extern const char *const fault_name[FAULT__MAX];

#if ENABLE_FAULT
/* Non-zero: the caller has to behave as if the next call failed. */
int fault(enum fault_point point);
#else
static inline int fault(enum fault_point point)
{
	(void)point;
	return 0;
}
#endif

#endif
