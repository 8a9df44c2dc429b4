#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "config.h"

/*
 * Named points at which a test can have a process killed, delayed or failed
 * (./configure --enable-fault; absent from a release). The file that
 * CTT_FAULT_FILE names holds one line, `POINT ACTION [MS] [SKIP]`: ACTION is
 * kill, abort, stop (until SIGCONT), delay (MS) or fail; the first SKIP times the point is skipped.
 * The process that acts on the file removes it, so it acts once.
 */
#define FAULT_POINTS(P)                                                      \
	P(AFTER_LOAD, "after-load")         /* tickets locked, nothing saved */ \
	P(BEFORE_INTENT, "before-intent")   /* checked; about to save        */ \
	P(AFTER_INTENT, "after-intent")     /* saved; no partner was asked   */ \
	P(AFTER_SYNC, "after-sync")         /* partners answered; not closed */ \
	P(AFTER_CLOSE, "after-close")       /* closed; nobody was told       */ \
	P(AFTER_CLAIM, "after-claim")       /* recovery took an operation    */ \
	P(BEFORE_UNDO, "before-undo")       /* recovery is about to undo     */ \
	P(AFTER_UNDO, "after-undo")         /* undone there; not closed here */ \
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
/* Non-zero: the caller should fail here, as if the part that it calls did. */
int fault(enum fault_point point);
#else
static inline int fault(enum fault_point point)
{
	(void)point;
	return 0;
}
#endif

#endif
