#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <stdbool.h>

/*
 * Every statement that cttd runs against its tables, by name; the texts, and
 * what each takes and gives, stand in sql.c.
 */
#define SQL_STATEMENTS(S)                                                    \
	/* the pipeline */                                                   \
	S(TICKET_IDS)                                                        \
	S(LOAD)                                                              \
	S(LOAD_ACTIVITIES)                                                   \
	S(LOAD_LOV)                                                          \
	S(LOAD_ELEMENTS)                                                     \
	S(SAVE)                                                              \
	S(CLOSE)                                                             \
	S(CLOSE_ALL)                                                         \
	S(OP_PEEK)                                                           \
	/* idempotency keys */                                               \
	S(KEY_CLAIM)                                                         \
	S(KEY_CLOSE)                                                         \
	S(KEY_FORGET)                                                        \
	S(KEY_OPERATIONS)                                                    \
	S(KEY_PURGE)                                                         \
	/* recovery */                                                       \
	S(OP_DUE)                                                            \
	S(OP_CLAIM)                                                          \
	S(OP_UNDOING)                                                        \
	S(OP_DEFER)                                                          \
	S(RECONCILE)                                                         \
	S(NTTS_NAMED)                                                        \
	/* the worker's jobs */                                              \
	S(JOB_PICK)                                                          \
	S(JOB_TAKE)                                                          \
	S(JOB_CLOSE)                                                         \
	S(REMOVE_JOBS)                                                       \
	S(REMOVE_REFUSED)                                                    \
	S(BEAT)                                                              \
	/* reading */                                                        \
	S(READ_OPERATION)                                                    \
	S(LIST_OPERATIONS)                                                   \
	S(LIST_AUDIT)                                                        \
	S(READ_CPE_HISTORY)                                                  \
	S(READ_CTT)                                                          \
	S(READ_NTT)                                                          \
	S(READ_NTT_CTTS)                                                     \
	S(STATUS_LABELS)                                                     \
	S(LIST_CTT)                                                          \
	S(LIST_NTT)                                                          \
	S(READ_LOV)                                                          \
	S(PING)                                                              \
	S(HEALTH)                                                            \
	/* the console */                                                    \
	S(MIGRATE_LOCK)                                                      \
	S(SCHEMA_VERSION)                                                    \
	S(SEED)                                                              \
	S(ASSUMED_OPERATIONS)                                                \
	S(OPEN_OPERATIONS)                                                   \
	S(RETRY_OPERATIONS)                                                  \
	S(DEAD_JOBS)                                                         \
	S(RETRY_JOBS)                                                        \
	S(CHECK_LINK)                                                        \
	S(CHECK_LINK_OPERATION)                                              \
	S(CHECK_COUNT)                                                       \
	S(CHECK_AUDIT)                                                       \
	S(CHECK_AUDIT_ONCE)                                                  \
	S(CHECK_JOB)                                                         \
	S(CHECK_JOB_FITS)                                                    \
	S(CHECK_JOB_LATE)                                                    \
	S(CHECK_ACTIVITY)                                                    \
	S(CHECK_STATUS)                                                      \
	S(CHECK_NOTE)                                                        \
	S(CHECK_HISTORY)                                                     \
	S(CHECK_ELEMENT)                                                     \
	S(CHECK_COPY)                                                        \
	S(CHECK_OPEN)                                                        \
	S(AUDIT_TYPES)                                                       \
	S(AUDIT_TRAIL)                                                       \
	S(AUDIT_START)                                                       \
	S(AUDIT_FIRST)                                                       \
	S(AUDIT_NEWS)                                                        \
	S(AUDIT_GONE)                                                        \
	S(CURRENT_USER)                                                      \
	S(GRANTS)

enum sql {
#define S(name) SQL_##name,
	SQL_STATEMENTS(S)
#undef S
	SQL__MAX
};

/* How many rows REMOVE_... take at once: each is locked until the COMMIT. */
#define REMOVE_MOST 500

/* What link_settle notes of a link without work orders; CHECK_JOB looks for it. */
#define NO_WORK_ORDERS "the NTT has no work orders to notify"

/* What HEALTH counts apart: the open operations younger than these, in seconds;
 * and those that are not. */
#define OPEN_AGES(A) A(10) A(60) A(600) A(3600) A(86400)

struct sql_statement {
	const char *name, *text;
	bool ends_in_rows; /* and nothing that could fail comes after them */
};

extern const struct sql_statement sql_text[SQL__MAX];

#endif
