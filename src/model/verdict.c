#include "model/verdict.h"

/* One yes is a yes. It is a no only if no attempt was ever in doubt. */
enum known known_after(enum known before, enum said said)
{
	static const enum known after[KNOWN__MAX][SAID__MAX] = {
		[KNOWN_UNSENT] = {
			[SAID_NOTHING] = KNOWN_UNSENT,
			[SAID_YES] = KNOWN_YES,
			[SAID_NO] = KNOWN_NO,
			[SAID_IN_DOUBT] = KNOWN_DOUBT,
		},
		[KNOWN_NO] = {
			[SAID_NOTHING] = KNOWN_NO,
			[SAID_YES] = KNOWN_YES,
			[SAID_NO] = KNOWN_NO,
			[SAID_IN_DOUBT] = KNOWN_DOUBT,
		},
		[KNOWN_DOUBT] = {
			[SAID_NOTHING] = KNOWN_DOUBT,
			[SAID_YES] = KNOWN_YES,
			[SAID_NO] = KNOWN_DOUBT,
			[SAID_IN_DOUBT] = KNOWN_DOUBT,
		},
		[KNOWN_YES] = {
			[SAID_NOTHING] = KNOWN_YES,
			[SAID_YES] = KNOWN_YES,
			[SAID_NO] = KNOWN_YES,
			[SAID_IN_DOUBT] = KNOWN_YES,
		},
	};

	return after[before][said];
}

enum rc known_rc(enum known known)
{
	static const enum rc rc[KNOWN__MAX] = {
		[KNOWN_UNSENT] = RC_AGAIN,
		[KNOWN_YES] = RC_OK,
		[KNOWN_NO] = RC_NO,
		[KNOWN_DOUBT] = RC_DOUBT,
	};

	return rc[known];
}

enum no no_of(long status)
{
	switch (status) {
	case 401: case 403: case 407:
		return NO_ACCESS;
	case 404: case 409: case 410: case 422:
		return NO_SUCH;
	case 408: case 425: case 429:
		return NO_NONE;
	case 501:
		return NO_OTHER;
	default:
		return status >= 300 && status < 500 ? NO_OTHER : NO_NONE;
	}
}

static bool is_done(const struct evidence *e)
{
	return e->known == KNOWN_YES || e->seen == SEEN_DONE;
}

/* Could an attempt in doubt still arrive, and change something? One that a
 * keyed partner gets again it answers as before. */
static bool may_arrive(const struct evidence *e)
{
	return e->doubted && e->fresh && !e->keyed;
}

bool verdict_look_again(const struct evidence *e)
{
	return may_arrive(e) && e->readable;
}

static enum next closed(const struct evidence *e, enum next how)
{
	return may_arrive(e) && !e->readable ? NEXT_WAIT : how;
}

/* Refused so often, and for so long, that there is nothing to undo (or that
 * nothing was done), as far as anybody can know. */
static bool is_to_be_assumed(const struct evidence *e)
{
	return !e->readable && !e->fresh && e->no == NO_SUCH &&
	       e->refusals >= ASSUME_REFUSALS;
}

static enum next undoing_next(const struct evidence *e)
{
	if (is_done(e))
		return closed(e, NEXT_BACK);
	return is_to_be_assumed(e) ? NEXT_ASSUMED : NEXT_STAY;
}

static enum next forward_next(const struct evidence *e)
{
	if (e->seen == SEEN_NOT_DONE && !e->fresh && e->no != NO_NONE)
		return NEXT_BACK;
	return is_to_be_assumed(e) ? NEXT_ASSUMED : NEXT_STAY;
}

/* A no after a doubt, of a partner that cannot be looked at: the inverse
 * finds out, once no attempt can overtake it. */
static enum next unreadable_next(const struct evidence *e)
{
	if (e->no == NO_NONE || e->no == NO_ACCESS || e->readable)
		return NEXT_STAY;
	if (e->was == OP_RUNNING)
		return NEXT_SETTLE;
	return e->fresh ? NEXT_STAY : NEXT_UNDO;
}

enum next verdict_next(const struct evidence *e)
{
	bool told = e->was == OP_SETTLING;

	if (e->undoing)
		return undoing_next(e);
	if (is_done(e))
		return told && !e->forward ? NEXT_UNDO : closed(e, NEXT_DONE);
	if (!e->doubted)
		return NEXT_BACK;
	if (!e->recovered)
		return NEXT_SETTLE;
	if (e->forward)
		return forward_next(e);
	if (e->seen == SEEN_NOT_DONE && !e->fresh)
		return NEXT_BACK;
	return unreadable_next(e);
}
