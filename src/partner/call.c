/*
 * partner/call.c - the result of a call
 */
#include "partner/call.h"

#include "base/clock.h"
#include "base/log.h"
#include "model/tally.h"

void call_clear(struct call *c)
{
	c->status = 0;
	c->attempts = 0;
	c->no = NO_NONE;
	c->seen = NOT_SEEN;
	c->looked = NULL;
	c->began = clock_wall_ms();
	c->since = clock_mono_ms();
	c->ms = 0;
}

void call_conclude(struct call *c, enum said said, const char *why)
{
	c->past.known = known_after(c->past.known, said);
	c->verdict = c->seen == SEEN_DONE ? RC_OK : known_rc(c->past.known);
	c->why = c->verdict == RC_OK ? NULL : why;
	c->ended = true;
}

void call_log(const struct call *c)
{
	static const char *const words[] = {
		[RC_OK] = "yes", [RC_NO] = "no", [RC_AGAIN] = "not-sent",
		[RC_DOUBT] = "unknown",
	};

	tally_add(TALLY_CALLS + c->partner * TALLY_VERDICTS + c->verdict, 1);
	tally_time(TALLY_CALL_TIMES + c->partner * TALLY_TIMES, c->ms * 1000);
	log_line(c->verdict == RC_OK ? LOG_DEBUG : LOG_INFO, "partner_call",
		 "partner=%s ticket=%s key=%s verdict=%s status=%ld "
		 "attempts=%u ms=%lld looked=%s why=%s",
		 partners[c->partner]->code, c->ticket ? c->ticket : "-",
		 c->key, words[c->verdict], c->status, c->attempts,
		 (long long)c->ms, c->looked, c->why);
}
