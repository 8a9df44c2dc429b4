#ifndef MODEL_BATCH_H
#define MODEL_BATCH_H

#include "base/arena.h"
#include "base/id.h"
#include "base/rc.h"
#include "model/code.h"
#include "model/ticket.h"
#include "model/trace.h"

/* The kinds of operations, and the states of their journal rows: contract
 * sections 1 and 8. OP_NONE: nothing was journalled (yet). */
enum kind { OP_LINK, OP_UNLINK, OP_RESOLVE, OP_CPE_UPDATE, KIND__MAX };


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

/*
 * One operation on its way through the stages. What a stage refuses it gives
 * a code; the stages behind it pass such an item over.
 */
struct item {
	size_t index; /* its place in the request */
	enum kind kind;

	/* what is wanted, by whom */
	struct ref ctt_ref, ntt_ref;
	const char *remark; /* or NULL */
	const char *actor, *request_id;
	const char *op_id;
	uint64_t idempotency_id; /* the request's key, or 0 */
	struct resolve *resolve;
	struct cpe_update *cpe;
	bool force; /* unlink here what the partner does not have (section 5) */
	bool mends; /* make the partner's ticket as ours is; nothing is changed
		     * here (cttctl reconcile, look-again) */

	/* what is there; NULL: no such ticket */
	struct ctt *ctt;
	struct ntt *ntt;
	int64_t block_ms; /* the pair's unlink block ends in; 0: none */

	/* a move: what follows when this operation is closed (section 5) */
	uint64_t then_id, else_id;
	struct ntt *then_ntt; /* unlinked: link it to this one          */
	struct ntt *else_ntt; /* not linked: link it back to this one   */
	struct item *next;    /* the operation that followed            */
	bool forward; /* in doubt it is driven on, and not taken back  */

	struct item *previous; /* of the same CTT in the request, or NULL */

	/* what became of it */
	enum code code;
	const char *detail;   /* of the code; a sentence for an operator   */
	int retry_after_s;    /* 0: nothing to say                         */
	const char *errors_field; /* of VALIDATION_FAILED: which field     */
	const char *errors;   /* or, as JSON, all that are wrong           */
	bool nothing_to_do;   /* it is as it is wanted already             */
	const char *owner;    /* the connection by which it was begun, or
			       * claimed                                   */
	bool is_taken;        /* it is another owner's by now              */
	enum op_state was;    /* the state in which the journal has it     */
	enum op_state state;  /* the state that it should take             */
	bool save_failed;     /* the database refuses to finish it         */
	unsigned judged;      /* how often its closing was prepared        */
	const char *partner;  /* its code, once it is known                */
	struct call *call;    /* what it is told, and what it answered     */
	const char *partner_call; /* the same for the journal, as JSON     */
	struct history past;  /* of the step at the partner                */
	const char *forced;   /* what the partner answered to a forced one */
	bool assumed;         /* nobody could prove what became of it      */
	bool look_again;      /* later, for an attempt may still arrive    */
	const struct by_hand *by_hand; /* or NULL                          */
	struct trace trace;

	/* of an operation that is being recovered */
	const char *intent; /* what the journal kept of what was wanted     */
	unsigned tries;
	bool undoing; /* the inverse may have been sent; the call never again */
	bool is_lost; /* its CTT or NTT does not exist any more           */
	bool is_damaged; /* its intent is missing, or makes no sense      */
	const char *note; /* why it stays open */
};

/*
 * Every request is a batch; a single one is a batch of one. The items are
 * pointed to, so that a part of a batch is a batch.
 */
struct batch {
	struct arena *mem;
	struct item **it;
	size_t n;
	int64_t deadline; /* clock_mono_ms after which no partner is asked */
	bool all_or_none; /* if a gate refuses one, none is begun          */
	bool dry_run;     /* check everything, change and send nothing     */
	bool force;       /* its items' (section 5)                        */
	uint64_t idempotency_id; /* its key's row, or 0; the connection    */
	const char *owner;       /* that claimed it, and must save its work */
	const char *codes_required; /* CTT_RESOLUTION_REQUIRED             */
	bool refuse_closed;         /* CTT_LINK_CLOSED is refuse           */
	int64_t block_ttl_s;        /* CTT_UNLINK_BLOCK_TTL                */
	const struct lov *lov;      /* where it was loaded                 */
	size_t nlov;
};

#define batch_each(b, var)                                                   \
	for (struct item **at_##var = (b)->it, *var;                         \
	     at_##var < (b)->it + (b)->n && ((var = *at_##var), true);       \
	     at_##var++)

/* n new items, each with an operation id of its own. */
struct batch batch_new(struct arena *mem, size_t n);

/* An empty part of a batch, with room for all of it. */
struct batch batch_part(const struct batch *b);
void batch_add(struct batch *b, struct item *it);

/* By the CTTs' ids, rising; then by their places: the order of locks. */
void batch_sort(struct batch *b);

/* Refuse an item: `detail` must live as long as the batch. */
void item_refuse(struct item *it, enum code code, const char *detail);

/* Give the operation a new id. */
void item_name(struct arena *mem, struct item *it);

/* The operation that follows *it, on the same CTT and for the same caller. */
struct item *item_follow(struct arena *mem, struct item *it, enum kind kind,
			 struct ntt *ntt);

/* Forget all that the stages found; what is wanted stays, and the block that
 * was read before them. */
void item_reset(struct item *it);

#endif
