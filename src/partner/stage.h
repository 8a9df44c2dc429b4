#ifndef PARTNER_STAGE_H
#define PARTNER_STAGE_H

#include "partner/token.h"
#include "partner/transfer.h"

/*
 * The stages of a call: which exchange comes next, how often it is tried, and
 * what its end proves (doc/partners.txt). partner/http.c owns the slots, and
 * calls a stage_... function whenever a slot's call can go on. All is one
 * thread's.
 */

/* The exchanges of a call: one write, and reads before and after it. */
enum stage {
	STAGE_LOOK,  /* an attempt was in doubt: is the change done? */
	STAGE_READ,  /* reads the array that the write replaces      */
	STAGE_WRITE,
	STAGE_BACK,  /* accepted: does the ticket show the change?   */
	STAGE_AFTER, /* refused after a doubt: is the change done?   */
};

/* What the slots of a transport share. */
struct http {
	const struct conf *cf;
	struct visit *visit; /* of whom uses the transport now */
	struct tokens *tokens;
	struct transfers *transfers;
	struct slot *slots;
	size_t nslots;
};

/* A call under way. */
struct slot {
	struct http *http;
	struct call *call;  /* NULL: the slot is free                     */
	struct transfer t;  /* the exchange under way, or the last one    */
	int64_t wake;       /* time of the next try; 0: one is under way  */
	bool extra;         /* http.c's: it has room beside the request's */

	/* private */
	enum stage stage;
	struct slice ticket; /* as READ or LOOK read it; lives in t.mem   */
	char read_etag[ETAG_MAX]; /* of `ticket`; "": none                */
	struct token token;  /* that it has, or had last                  */
	uint64_t refused;    /* the token that met a 401; 0: none did     */
	const char *refusal; /* that 401, if it is to be renewed          */
	unsigned tries;      /* of this stage                             */
	unsigned reads;      /* how often a 412 led back to READ          */
};

/*
 * Begin the call in a free slot: start its first exchange, with memory from
 * `mem`. In this function and the next two the call may end. Then its result is
 * filled, the breaker was told, and s->call is NULL.
 */
void stage_begin(struct slot *s, struct call *c, struct arena *mem);

/* s->wake has come: make the next try. */
void stage_wake(struct slot *s);

/* The slot's transfer has ended. */
void stage_answered(struct slot *s);

#endif
