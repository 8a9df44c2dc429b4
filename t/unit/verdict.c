/*
 * The rules of model/verdict.h, walked through every history of up to CALLS
 * calls: lost, late and refused ones, a gateway's refusals, processes that die,
 * partners that are strict or lenient, with and without a memory of keys, that
 * can be read or not. No history may end with the two sides apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/verdict.h"

enum { CALLS = 8, LATE_MAX = 2, STATES_MAX = 1 << 22 };

/* What an operation has come to. */
enum phase {
	ASKING,    /* a process asks, and somebody waits                */
	ABANDONED, /* that process died; nobody was told                */
	SETTLING,  /* taken back here (a forward one: driven on)        */
	UNDOING,   /* the inverse may have been sent                    */
	DONE, BACK, ASSUMED
};

enum memory { NOTHING, WAS_YES, WAS_NO }; /* of a key */

/* The world: the partner first (does it have the change?), then us. */
struct world {
	unsigned has : 1, call_memory : 2, undo_memory : 2;
	unsigned late_calls : 2, late_undos : 2; /* that may still arrive */
	unsigned phase : 3, doubted : 1, fresh : 1, accepted : 1, look : 1;
	unsigned calls : 4;
};

/* The partner, and the kind of the operation. */
static bool keyed, readable, strict, forward;
/* The rules of before: any no is a no, and 404 to an undo is done. */
static bool old_rules;

static struct world todo[STATES_MAX];
static size_t from[STATES_MAX], now_at, first_apart; /* for the message */
static uint32_t seen[STATES_MAX * 2]; /* a set of packed worlds */
static size_t ntodo, apart, ended;

static uint32_t packed(const struct world *w)
{
	uint32_t n = w->has;

	n = n << 2 | w->call_memory;
	n = n << 2 | w->undo_memory;
	n = n << 2 | w->late_calls;
	n = n << 2 | w->late_undos;
	n = n << 3 | w->phase;
	n = n << 4 | w->calls;
	n = n << 1 | w->doubted;
	n = n << 1 | w->fresh;
	n = n << 1 | w->accepted;
	return n << 1 | w->look;
}

static void push(struct world w)
{
	uint32_t n = packed(&w) + 1;
	size_t at = n * 2654435761u % (STATES_MAX * 2);

	while (seen[at] && seen[at] != n)
		at = (at + 1) % (STATES_MAX * 2);
	if (seen[at])
		return;
	seen[at] = n;
	assert_true(ntodo < STATES_MAX);
	from[ntodo] = now_at;
	todo[ntodo++] = w;
}

/* ---- the partner ---- */

/* The application gets the call; `refuses`: by a rule of its own. */
static enum said apply_call(struct world *w, bool refuses)
{
	if (keyed && w->call_memory)
		return w->call_memory == WAS_YES ? SAID_YES : SAID_NO;
	if (!refuses)
		w->has = 1;
	if (keyed)
		w->call_memory = refuses ? WAS_NO : WAS_YES;
	return refuses ? SAID_NO : SAID_YES;
}

static enum said apply_undo(struct world *w)
{
	bool refuses = !w->has && strict;

	if (keyed && w->undo_memory)
		return w->undo_memory == WAS_YES ? SAID_YES : SAID_NO;
	w->has = 0;
	if (keyed)
		w->undo_memory = refuses ? WAS_NO : WAS_YES;
	return refuses ? SAID_NO : SAID_YES;
}

/* ---- our side: one round of it, judged ---- */

static void judge(struct world w, enum said said, enum no no, enum seen look)
{
	struct evidence e = {
		.was = w.phase <= ABANDONED ? OP_RUNNING : OP_SETTLING,
		.recovered = w.phase != ASKING,
		.forward = forward,
		.undoing = w.phase == UNDOING,
		.keyed = keyed,
		.readable = readable,
		.doubted = w.doubted,
		.fresh = w.fresh,
		.no = no,
		.seen = look,
		.refusals = ASSUME_REFUSALS, /* as if it had gone on long */
	};

	e.known = known_after(w.accepted ? KNOWN_YES :
			      w.doubted ? KNOWN_DOUBT : KNOWN_UNSENT, said);
	if (old_rules && said == SAID_NO) {
		e.known = w.phase == UNDOING ? KNOWN_YES : KNOWN_NO;
		e.doubted = false;
	}
	switch (verdict_next(&e)) {
	case NEXT_STAY:
		break;
	case NEXT_WAIT:
		w.accepted = w.phase != UNDOING;
		break;
	case NEXT_SETTLE:
		w.phase = SETTLING;
		break;
	case NEXT_UNDO:
		w.phase = UNDOING;
		w.accepted = 0;
		break;
	case NEXT_DONE:
		w.phase = DONE;
		w.look = verdict_look_again(&e);
		break;
	case NEXT_BACK:
		w.phase = BACK;
		w.look = verdict_look_again(&e);
		break;
	default:
		w.phase = ASSUMED;
	}
	push(w);
}

static enum seen look_at(const struct world *w)
{
	bool wanted = w->phase != UNDOING;

	return !readable ? NOT_SEEN : w->has == wanted ? SEEN_DONE :
							 SEEN_NOT_DONE;
}

/* An attempt has come to this. A no after a doubt is looked at. */
static void answered(struct world w, enum said said, enum no no, enum seen look)
{
	w.calls++;
	if (said == SAID_IN_DOUBT) {
		w.doubted = w.fresh = 1;
		if (w.phase == ASKING)
			push(w); /* and tried again at once */
	}
	if (said == SAID_NO && w.doubted)
		look = look_at(&w);
	judge(w, said, no, look);
}

/* Every way in which one attempt can go. */
static void attempt(const struct world *w, enum seen look)
{
	bool undo = w->phase == UNDOING;
	struct world n;
	enum said said;

	answered(*w, SAID_NO, NO_SUCH, look);   /* a gateway's */
	answered(*w, SAID_NO, NO_ACCESS, look);
	answered(*w, SAID_NO, NO_OTHER, look);
	answered(*w, SAID_NOTHING, NO_NONE, look);
	answered(*w, SAID_IN_DOUBT, NO_NONE, look); /* lost on the way */
	n = *w;
	if ((undo ? n.late_undos : n.late_calls) < LATE_MAX) {
		n.late_undos += undo;
		n.late_calls += !undo;
		answered(n, SAID_IN_DOUBT, NO_NONE, look);
	}
	for (int refuses = 0; refuses <= !undo; refuses++) {
		n = *w;
		said = undo ? apply_undo(&n) : apply_call(&n, refuses);
		answered(n, said, said == SAID_NO ? NO_SUCH : NO_NONE, look);
		answered(n, SAID_IN_DOUBT, NO_NONE, look); /* answer lost */
	}
}

/* A round of the transport: what was in doubt is looked at first. */
static void round_of(const struct world *w)
{
	enum seen look = w->doubted ? look_at(w) : NOT_SEEN;

	if (look == SEEN_DONE || (look == SEEN_NOT_DONE && !forward &&
				  w->phase == SETTLING && !w->fresh))
		judge(*w, SAID_NOTHING, NO_NONE, look);
	else if (w->calls < CALLS)
		attempt(w, look);
}

/* ---- time, and death ---- */

static void time_passes(const struct world *w)
{
	struct world n;

	for (int refuses = 0; w->late_calls && refuses < 2; refuses++) {
		n = *w;
		n.late_calls--;
		push(n); /* it never arrives */
		apply_call(&n, refuses);
		push(n);
	}
	if (w->late_undos) {
		n = *w;
		n.late_undos--;
		push(n);
		apply_undo(&n);
		push(n);
	}
	n = *w;
	n.fresh = 0;
	if (!w->late_calls && !w->late_undos)
		push(n);
}

/* The process that has it in hand dies; it may have asked just now. */
static void die(struct world w)
{
	if (w.phase == ASKING)
		w.phase = ABANDONED;
	w.doubted = w.fresh = 1;
	push(w);
}

/* The job look-again, once no attempt can arrive any more. */
static void look_again(struct world w)
{
	w.has = w.phase == DONE;
	w.look = 0;
	push(w);
}

static void step(const struct world *w)
{
	time_passes(w);
	switch (w->phase) {
	case ASSUMED:
		return;
	case DONE:
	case BACK:
		if (w->look && !w->fresh)
			look_again(*w);
		if (w->look || w->fresh || w->late_calls || w->late_undos)
			return;
		ended++;
		if (w->has != (w->phase == DONE) && !apart++)
			first_apart = now_at;
		return;
	default:
		die(*w);
	}
	if (w->accepted)
		judge(*w, SAID_NOTHING, NO_NONE, NOT_SEEN);
	else
		round_of(w);
}

static void walk(unsigned partner)
{
	keyed = partner & 1;
	readable = partner & 2;
	strict = partner & 4;
	forward = partner & 8;
	memset(seen, 0, sizeof seen);
	ntodo = apart = ended = now_at = 0;
	push((struct world){.phase = ASKING});
	for (now_at = 0; now_at < ntodo; now_at++)
		step(&todo[now_at]);
	assert_true(ended > 0);
}

/* How the first of the bad ends came about, the latest world first. */
static void print_history(size_t at)
{
	static const char *const names[] = {"asking", "abandoned", "settling",
		"undoing", "done", "back", "assumed"};

	for (;; at = from[at]) {
		const struct world *w = &todo[at];

		print_error("partner has it: %u, late: %u calls %u undos; %s, "
			    "%s%s%s%u calls\n", w->has, w->late_calls,
			    w->late_undos, names[w->phase],
			    w->doubted ? "doubted, " : "",
			    w->fresh ? "fresh, " : "",
			    w->accepted ? "accepted, " : "", w->calls);
		if (!at)
			return;
	}
}

static void no_history_ends_apart(void **state)
{
	(void)state;
	old_rules = false;
	for (unsigned partner = 0; partner < 16; partner++) {
		walk(partner);
		if (apart)
			print_history(first_apart);
		if (apart)
			fail_msg("%zu of %zu ends apart: keyed=%d readable=%d "
				 "strict=%d forward=%d", apart, ended, keyed,
				 readable, strict, forward);
	}
}

/* The walk can fail: by the rules of before it does. */
static void the_old_rules_do(void **state)
{
	(void)state;
	old_rules = true;
	for (unsigned partner = 0; partner < 16; partner++) {
		walk(partner);
		assert_true(apart > 0);
	}
}

/* ---- the tables, one by one ---- */

static void kinds_of_no(void **state)
{
	static const struct {
		long status;
		enum no no;
	} of[] = {
		{0, NO_NONE}, {100, NO_NONE}, {200, NO_NONE}, {204, NO_NONE},
		{299, NO_NONE}, {301, NO_OTHER}, {304, NO_OTHER},
		{308, NO_OTHER}, {400, NO_OTHER}, {401, NO_ACCESS},
		{403, NO_ACCESS}, {404, NO_SUCH}, {405, NO_OTHER},
		{407, NO_ACCESS}, {408, NO_NONE}, {409, NO_SUCH},
		{410, NO_SUCH}, {412, NO_OTHER}, {413, NO_OTHER},
		{422, NO_SUCH}, {425, NO_NONE}, {428, NO_OTHER},
		{429, NO_NONE}, {500, NO_NONE}, {501, NO_OTHER},
		{502, NO_NONE}, {503, NO_NONE}, {504, NO_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
		if (no_of(of[i].status) != of[i].no)
			fail_msg("status %ld", of[i].status);
}

/* One yes is a yes; a no after a doubt proves nothing. */
static void what_is_known(void **state)
{
	static const struct {
		enum said said[3];
		enum known known;
	} of[] = {
		{{SAID_YES}, KNOWN_YES},
		{{SAID_NO}, KNOWN_NO},
		{{SAID_NOTHING}, KNOWN_UNSENT},
		{{SAID_IN_DOUBT}, KNOWN_DOUBT},
		{{SAID_IN_DOUBT, SAID_NO}, KNOWN_DOUBT},
		{{SAID_IN_DOUBT, SAID_NOTHING, SAID_NO}, KNOWN_DOUBT},
		{{SAID_IN_DOUBT, SAID_YES, SAID_NO}, KNOWN_YES},
		{{SAID_NO, SAID_IN_DOUBT, SAID_NO}, KNOWN_DOUBT},
		{{SAID_YES, SAID_IN_DOUBT, SAID_NO}, KNOWN_YES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
		enum known known = KNOWN_UNSENT;

		for (int n = 0; n < 3; n++)
			known = known_after(known, of[i].said[n]);
		assert_int_equal(known, of[i].known);
	}
}

/* What becomes of an operation, where it does not show in how it ends: each row
 * of verdict_next beside one that differs in a single thing. */
static void what_is_next(void **state)
{
	static const struct {
		const char *what;
		struct evidence e;
		enum next next;
	} of[] = {
#define HELD .was = OP_SETTLING, .recovered = true, .doubted = true,          \
		.known = KNOWN_DOUBT
#define GONE .no = NO_SUCH, .refusals = ASSUME_REFUSALS
		{"an undo refused for long", {HELD, GONE, .undoing = true},
		 NEXT_ASSUMED},
		{"a resolve refused for long", {HELD, GONE, .forward = true},
		 NEXT_ASSUMED},
		{"where it can be seen", {HELD, GONE, .undoing = true,
		 .readable = true}, NEXT_STAY},
		{"an undo that may overtake", {HELD, GONE, .undoing = true,
		 .fresh = true}, NEXT_STAY},
		{"an undo refused a little", {HELD, .undoing = true,
		 .no = NO_SUCH, .refusals = ASSUME_REFUSALS - 1}, NEXT_STAY},
		{"an undo without access", {HELD, .undoing = true,
		 .no = NO_ACCESS, .refusals = ASSUME_REFUSALS}, NEXT_STAY},
		{"an undo refused otherwise", {HELD, .undoing = true,
		 .no = NO_OTHER, .refusals = ASSUME_REFUSALS}, NEXT_STAY},
		{"told that it failed, and it is done", {.was = OP_SETTLING,
		 .recovered = true, .doubted = true, .known = KNOWN_YES},
		 NEXT_UNDO},
		{"one that is driven on", {.was = OP_SETTLING,
		 .recovered = true, .doubted = true, .forward = true,
		 .known = KNOWN_YES}, NEXT_DONE},
		{"seen not to be done, but not refused", {HELD,
		 .forward = true, .readable = true, .seen = SEEN_NOT_DONE},
		 NEXT_STAY},
		{"seen not to be done, and refused", {HELD, .forward = true,
		 .readable = true, .seen = SEEN_NOT_DONE, .no = NO_OTHER},
		 NEXT_BACK},
		{"the same, a while ago", {HELD, .forward = true, .fresh = true,
		 .readable = true, .seen = SEEN_NOT_DONE, .no = NO_OTHER},
		 NEXT_STAY},
		{"nobody waits, and it is refused", {.was = OP_RUNNING,
		 .recovered = true, .doubted = true, .known = KNOWN_DOUBT,
		 .no = NO_OTHER}, NEXT_SETTLE},
		{"the inverse, when no call overtakes it", {HELD,
		 .no = NO_OTHER}, NEXT_UNDO},
		{"the inverse, too early", {HELD, .no = NO_OTHER,
		 .fresh = true}, NEXT_STAY},
		{"the inverse, for a token", {HELD, .no = NO_ACCESS},
		 NEXT_STAY},
		{"the inverse, for nothing", {HELD}, NEXT_STAY},
		{"the inverse, where it can be seen", {HELD, .readable = true,
		 .no = NO_OTHER}, NEXT_STAY},
#undef GONE
#undef HELD
	};

	(void)state;
	for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
		if (verdict_next(&of[i].e) != of[i].next)
			fail_msg("%s: %d", of[i].what, verdict_next(&of[i].e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_history_ends_apart),
		cmocka_unit_test(the_old_rules_do),
		cmocka_unit_test(kinds_of_no),
		cmocka_unit_test(what_is_known),
		cmocka_unit_test(what_is_next),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
