#ifndef MODEL_TRACE_H
#define MODEL_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * What an operation did, step by step: contract section 8, in the order of
 * the checklists by which support looks into a ticket.
 */
#define STEPS(S)                                                             \
	S(load_ctt)                                                          \
	S(load_ntt)                                                          \
	S(load_activity)                                                     \
	S(load_network_elements)                                             \
	S(check_linked)                                                      \
	S(check_not_terminal)                                                \
	S(check_eligible)                                                    \
	S(check_current)                                                     \
	S(check_idle)                                                        \
	S(check_not_linked)                                                  \
	S(check_unlink_block)                                                \
	S(check_status)                                                      \
	S(check_codes)                                                       \
	S(save_local)                                                        \
	S(clear_local)                                                       \
	S(sync_partner)                                                      \
	S(rollback)                                                          \
	S(save_activity)                                                     \
	S(set_unlink_block)                                                  \
	S(follow_up)                                                         \
	S(update_ctt_count)                                                  \
	S(enqueue_jobs)                                                      \
	S(add_note)                                                          \
	S(write_history)                                                     \
	S(write_audit)

enum step {
#define S(name) STEP_##name,
	STEPS(S)
#undef S
	STEP__MAX
};

enum outcome {
	NOT_REACHED,
	STEP_OK,
	STEP_FAILED,
	STEP_SKIPPED,
	STEP_UNKNOWN,
	OUTCOME__MAX
};

struct trace {
	struct trace_entry {
		enum outcome outcome;
		int64_t at, ms; /* wall clock of its end, and how long */
		const char *detail;
	} step[STEP__MAX];
};

extern const char *const step_name[STEP__MAX];

/* Note what became of a step; `began` is the wall clock when it did.
 * `detail` is kept, not copied. */
void trace_note(struct trace *t, enum step step, enum outcome outcome,
		int64_t began, const char *detail);

/*
 * The steps that were reached, in the order of `order` (ends in STEP__MAX), as
 * a JSON array. The journal keeps them short, [step, outcome, at, ms, detail],
 * for a bulk writes thousands; trace_read takes that form back, and leaves out
 * what it cannot read. trace_show writes the form of the API.
 */
void trace_write(const struct trace *t, const enum step *order, struct buf *b,
		 const char *key);
void trace_read(struct trace *t, const char *json, struct arena *mem);
void trace_show(const struct trace *t, const enum step *order, struct buf *b,
		const char *key);

#endif
