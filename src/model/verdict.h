#ifndef MODEL_VERDICT_H
#define MODEL_VERDICT_H

#include <stdbool.h>

#include "model/batch.h"

/*
 * What an answer of a partner proves: contract section 9. All rules are here;
 * t/unit/verdict.c runs them through every history of lost, late and refused
 * calls.
 *
 * A step is one call (or its inverse) and all the attempts at it, in every
 * process. An answer is a verdict on its own attempt, never on an earlier one.
 */

/* What one attempt came to. */
enum said {
	SAID_NOTHING,  /* no connection could be made: it was not sent    */
	SAID_YES,
	SAID_NO,
	SAID_IN_DOUBT, /* it may have been applied, or may still arrive   */
	SAID__MAX
};

/* What is known of a step (enum known in batch.h) after one more attempt. */
enum known known_after(enum known before, enum said said);

/* The same as a kind of result: KNOWN_YES is RC_OK, KNOWN_NO RC_NO,
 * KNOWN_UNSENT RC_AGAIN, KNOWN_DOUBT RC_DOUBT. */
enum rc known_rc(enum known known);

/* What kind of no an HTTP status is, or NO_NONE. 301 and 501 are a no. */
enum no no_of(long status);

/* Everything on which the fate of an open operation depends. */
struct evidence {
	enum op_state was; /* OP_RUNNING or OP_SETTLING                       */
	bool recovered;    /* nobody waits for the answer                     */
	bool forward;      /* it cannot be taken back, and is driven on       */
	bool undoing;      /* the inverse may have been sent: what stands
			    * below is about the inverse                      */
	bool keyed;        /* the partner answers a repeated key as before    */
	bool readable;     /* the partner can be looked at                    */
	bool doubted;      /* an attempt at the call or its inverse was ever
			    * in doubt                                        */
	bool fresh;        /* and the last one may still be under way         */
	enum known known;
	enum no no;        /* the last answer, if that was a no               */
	enum seen seen;
	unsigned refusals; /* NO_SUCH answers in recovery, this one counted   */
};

enum next {
	NEXT_STAY,    /* it stays as it is, and is tried later               */
	NEXT_WAIT,    /* it is known, but an attempt in doubt may arrive yet:
		       * it is closed when that is over. An inverse is sent
		       * once more then, for the call may have come behind it */
	NEXT_SETTLE,  /* it is taken back here, and driven on or undone there */
	NEXT_UNDO,    /* the inverse is to be sent; the call never again     */
	NEXT_DONE,    /* it is done on both sides                            */
	NEXT_BACK,    /* it is done on neither side                          */
	NEXT_ASSUMED, /* the same, as far as anybody can know                */
	NEXT__MAX
};

enum { ASSUME_REFUSALS = 8 }; /* contract section 9 */

enum next verdict_next(const struct evidence *e);

/* The operation is closed as NEXT_DONE or NEXT_BACK: should its partner be read
 * again, when no attempt can arrive any more? */
bool verdict_look_again(const struct evidence *e);

#endif
