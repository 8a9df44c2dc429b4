#ifndef MODEL_BATCH_H
#define MODEL_BATCH_H

#include "base/arena.h"
#include "base/id.h"
#include "base/rc.h"
#include "model/code.h"
#include "model/ticket.h"
#include "model/trace.h"

/*
 * The kinds of operations: the name, the flow (flow_link, ...), and the steps of
 * the trace in their order, as contract section 8 has them. This list is the
 * only one of all kinds.
 */
#define KINDS(K)                                                             \
	K(LINK, link,                                                        \
	  STEP_load_ctt, STEP_load_ntt, STEP_check_idle,                     \
	  STEP_check_not_linked, STEP_check_unlink_block, STEP_save_local,   \
	  STEP_sync_partner, STEP_rollback, STEP_update_ctt_count,           \
	  STEP_enqueue_jobs, STEP_write_audit)                               \
	K(UNLINK, unlink,                                                    \
	  STEP_load_ctt, STEP_check_linked, STEP_check_idle,                 \
	  STEP_check_unlink_block, STEP_clear_local, STEP_sync_partner,      \
	  STEP_rollback, STEP_set_unlink_block, STEP_enqueue_jobs,           \
	  STEP_follow_up, STEP_update_ctt_count, STEP_write_audit)           \
	K(RESOLVE, resolve,                                                  \
	  STEP_load_activity, STEP_check_not_terminal, STEP_check_idle,      \
	  STEP_check_status, STEP_check_codes, STEP_sync_partner,            \
	  STEP_save_activity, STEP_enqueue_jobs, STEP_add_note,              \
	  STEP_write_audit)                                                  \
	K(CPE_UPDATE, cpe,                                                   \
	  STEP_load_ctt, STEP_load_network_elements, STEP_check_eligible,    \
	  STEP_check_current, STEP_check_idle, STEP_sync_partner,            \
	  STEP_save_local, STEP_write_history, STEP_write_audit)

enum kind {
#define K(name, id, ...) OP_##name,
	KINDS(K)
#undef K
	KIND__MAX
};

/* The states of journal rows. OP_NONE: there is no row (yet). */
enum op_state {
	OP_NONE,
	OP_RUNNING,     /* open; nobody was told anything                */
	OP_SETTLING,    /* open; the caller was told that it failed      */
	OP_SUCCEEDED,
	OP_REFUSED,     /* by a gate: nothing was saved                  */
	OP_ROLLED_BACK, /* the partner refused                           */
	OP_COMPENSATED, /* the partner's outcome was unknown; undone     */
	OP_STATE__MAX
};

extern const char *const kind_name[KIND__MAX];
extern const char *const op_state_name[OP_STATE__MAX];

/* The steps of each kind, in the order of its trace; ends in STEP__MAX. */
extern const enum step *const kind_steps[KIND__MAX];

/* OP_NONE, KIND__MAX: there is none of that name. */
enum kind kind_of(const char *name);
enum op_state op_state_of(const char *name);
static inline bool op_is_open(enum op_state s)
{
	return s == OP_RUNNING || s == OP_SETTLING;
}

struct call; /* partner/partner.h */

/* What is known of a step at a partner, which is one call and all attempts at
 * it, in every process (contract section 9; model/verdict.h). */
enum known { KNOWN_UNSENT, KNOWN_YES, KNOWN_NO, KNOWN_DOUBT, KNOWN__MAX };

/* What a look at the partner's ticket showed: is it as the call wants it? */
enum seen { NOT_SEEN, SEEN_DONE, SEEN_NOT_DONE };

/* Kinds of a no: by status. */
enum no {
	NO_NONE,   /* it was none                                       */
	NO_ACCESS, /* 401, 403, 407: they say nothing about the call    */
	NO_SUCH,   /* 404, 409, 410, 422: there may be nothing to do     */
	NO_OTHER
};

/* The history of a step, which the journal keeps: every process judges alike. */
struct history {
	enum known known;
	bool doubted;       /* ever, of the call or its inverse          */
	int64_t doubted_at; /* clock_mono_ms of the last time            */
	unsigned refusals;  /* how often recovery was answered NO_SUCH   */
	/* a body that is made anew, and is another one, gets the next key */
	unsigned bodies;
	uint64_t body_hash; /* of the latest */
};

/* What RESOLVE is asked for: section 6. */
struct resolve {
	uint64_t activity_id;   /* 0: the CTT's latest            */
	const char *status;     /* NULL: Resolved, of course      */
	const char *code[RESOLVE_CODES];
	const char *at;         /* when, for the partner          */
	uint64_t note_id;       /* of what was stored             */
	struct activity stored;
	const char *errors;     /* JSON: what is wrong with codes */
};

/* What CPE_UPDATE is asked for: section 7. */
struct cpe_update {
	uint64_t element_id;    /* 0: the CTT's only FTTH element */
	struct cpe asked;       /* what the caller named, ...     */
	unsigned given;         /* and which of the facts: bits   */
	struct cpe wanted;      /* and all that is to be stored   */
	struct cpe current;
	bool has_current;       /* the caller said what it saw    */
	struct network_element *element;
	uint64_t history_id;    /* of what was stored             */
};

/* Somebody decides what became of an operation, instead of its partner. */
struct by_hand {
	bool done; /* or undone */
	const char *by, *reason;
};

/* What the caller wants of an operation; for RESOLVE and CPE_UPDATE the item's
 * `resolve` or `cpe` has the rest. */
struct want {
	struct ref ctt, ntt;
	const char *remark; /* or NULL */
	const char *actor, *request_id;
	uint64_t idempotency_id; /* the row of the request's key, or 0 */
	bool force; /* unlink here what the partner does not have (section 5) */
	bool mends; /* change the partner's ticket to match ours; nothing is
		     * changed here (cttctl reconcile, look-again) */
};

/* The follower of an operation that is part of a move (section 5). */
struct move {
	uint64_t then_id, else_id;
	struct ntt *then_ntt; /* after the unlink, link to this one         */
	struct ntt *else_ntt; /* if the link fails, link back to this one   */
	bool forward;         /* this is the link back: in doubt it is driven
			       * on, and not undone                         */
};

/* The step at the partner. */
struct sync {
	const char *partner;   /* its code, once it is known                */
	struct call *call;     /* the request and its result                */
	const char *call_json; /* the request, as the journal keeps it      */
	struct history past;
	bool undoing;       /* the inverse may have been sent; the call is
			     * never sent again                             */
	const char *forced; /* the partner's refusal, which `force` overrode */
	bool assumed;       /* it is closed without proof                   */
	bool look_again;    /* later, because an attempt may still arrive   */
};

/* The rest of the journal row, and what happens when it is written. */
struct journal {
	const char *owner;  /* the process that began or claimed it         */
	bool is_taken;      /* it has another owner by now                  */
	const char *intent; /* what recovery needs of the request, as JSON  */
	unsigned tries;     /* of recovery                                  */
	const char *why;    /* it stays open                                */
	bool save_failed;   /* the database refuses to finish it            */
	unsigned judged;    /* how often its closing was prepared           */
};

/* An operation that is being recovered. */
struct recovery {
	bool is_lost;    /* its CTT or NTT does not exist any more          */
	bool is_damaged; /* its intent is missing, or makes no sense        */
	const struct by_hand *by_hand; /* or NULL                           */
};

/* What the caller is told of an error beside its code and detail. */
struct error_more {
	int retry_after_s;  /* 0: nothing                                   */
	const char *field;  /* VALIDATION_FAILED: the one that is wrong     */
	const char *list;   /* or, as JSON, all that are wrong              */
};

struct flow;  /* saga/flow.h       */
struct visit; /* partner/health.h  */

/* The Idempotency-Key of a request, and its row (contract section 3). */
struct key {
	uint64_t id; /* of the row */
	const char *actor, *path, *text, *body_hash;
	const char *owner; /* under which the row is claimed, ... */
	bool held;         /* ... or is to be, as the request's work is saved */
	bool lost;         /* another request has it */
};

/* The terms of a request, which hold for all its items. */
struct terms {
	const struct flow *flow; /* its way in: what is loaded, the gates   */
	const char *owner;       /* of the operations that it begins        */
	struct visit *visit;     /* the calls that it may make              */
	int64_t deadline; /* clock_mono_ms after which no partner is called */
	bool all_or_none; /* if a gate refuses one item, none is begun      */
	bool dry_run;     /* check everything, change and send nothing      */
	struct key *key;  /* or NULL                                        */
};

/*
 * One operation on its way through the stages. A stage that refuses an item
 * gives it a code; later stages skip it.
 */
struct item {
	struct terms *terms; /* of the request; NULL: it is recovered */
	size_t index; /* its place in the request */
	enum kind kind;
	const char *op_id;

	struct want want;
	struct resolve *resolve; /* the kind's own; else NULL */
	struct cpe_update *cpe;
	struct item *previous; /* of the same CTT in the request, or NULL */

	/* what was found */
	struct ctt *ctt; /* NULL: no such ticket */
	struct ntt *ntt;
	const struct lov *lov; /* the allowed codes, where they were loaded */
	int64_t block_ms; /* until the pair's unlink block ends; 0: none */

	/* what became of it */
	enum op_state was;   /* the state that the journal has              */
	enum op_state state; /* the state that it takes                     */
	enum code code;
	const char *detail;  /* of the code; a sentence for an operator     */
	struct error_more error;
	bool nothing_to_do;  /* the tickets are as the caller wants them    */
	bool aside;          /* to be tried again, alone (saga/tray.h)      */
	struct trace trace;
	struct item *next;   /* its follower                                */

	struct move move;
	struct sync sync;
	struct journal journal;
	struct recovery recovery;
};

/*
 * A set of items. Every request is a batch; a single one is a batch of one. The
 * items are pointed to, so a part of a batch is a batch, too.
 */
struct batch {
	struct arena *mem;
	struct item **it;
	size_t n;
	struct terms *terms; /* of the request; its parts share them */
};

#define batch_each(b, var)                                                   \
	for (struct item **at_##var = (b)->it, *var;                         \
	     at_##var < (b)->it + (b)->n && ((var = *at_##var), true);       \
	     at_##var++)

/* n new items, each with an operation id of its own, and new terms. */
struct batch batch_new(struct arena *mem, size_t n);

/* No items yet, but room for n, and new terms. */
struct batch batch_empty(struct arena *mem, size_t n);

/* An empty part of a batch, with room for all of it. */
struct batch batch_part(const struct batch *b);
void batch_add(struct batch *b, struct item *it);

/* The item of this operation, or NULL. */
struct item *batch_find(const struct batch *b, const char *op_id);

/* By the CTTs' ids, rising; then by their places: the order of locks. */
void batch_sort(struct batch *b);

/* Give the items copies of their NTTs, in the batch's memory, one of each. What
 * is opened together shares its NTTs, and each close fills in their counts. */
void batch_own_ntts(const struct batch *b);

/* Refuse an item: `detail` must live as long as the batch. */
void item_refuse(struct item *it, enum code code, const char *detail);

/* Give the operation a new id. */
void item_name(struct arena *mem, struct item *it);

/* The operation that follows *it, on the same CTT and for the same caller. */
struct item *item_follow(struct arena *mem, struct item *it, enum kind kind,
			 struct ntt *ntt);

/* Forget what the stages found and decided. What the caller wants stays, and so
 * does the block, which is read before the first stage. */
void item_reset(struct item *it);

#endif
