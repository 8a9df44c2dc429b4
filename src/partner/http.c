/*
 * partner/http.c - makes the calls to partners, many at once: which of them may
 * begin, and when each goes on. partner/stage.c has what a call does.
 */
#include <stdlib.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/spent.h"
#include "partner/call.h"
#include "partner/health.h"
#include "partner/stage.h"

enum {
	WATCH_MS = 50,  /* between looks for room for the next call */
	RENEW_MS = 250, /* between looks at the right to send       */
};

void http_setup(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		arena_exhausted();
}

void http_teardown(void)
{
	curl_global_cleanup();
}

struct http *http_open(const struct conf *cf, struct tokens *tokens)
{
	struct http *h = calloc(1, sizeof *h);

	if (!h)
		arena_exhausted();
	h->cf = cf;
	h->tokens = tokens;
	h->transfers = transfers_open(cf);
	return h;
}

void http_use(struct http *h, struct visit *visit, struct sender sender)
{
	h->visit = visit;
	h->transfers->sender = sender;
}

static void free_slots(struct http *h)
{
	for (size_t i = 0; i < h->nslots; i++)
		transfer_close(&h->slots[i].t);
	free(h->slots);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	free_slots(h);
	transfers_close(h->transfers);
	free(h);
}

/* Have slots for so many calls at once. None is in use. */
static void have_slots(struct http *h, size_t n)
{
	if (n <= h->nslots)
		return;
	free_slots(h);
	h->slots = calloc(n, sizeof *h->slots);
	if (!h->slots)
		arena_exhausted();
	h->nslots = n;
	for (size_t i = 0; i < n; i++) {
		struct slot *s = &h->slots[i];

		s->http = h;
		s->t.shared = h->transfers;
		s->t.owner = s;
	}
}

static struct slot *slot_free(struct http *h, size_t width)
{
	for (size_t i = 0; i < h->nslots && i < width; i++)
		if (!h->slots[i].call)
			return &h->slots[i];
	return NULL;
}

static bool any_busy(const struct http *h)
{
	for (size_t i = 0; i < h->nslots; i++)
		if (h->slots[i].call)
			return true;
	return false;
}

static bool any_call_to(const struct http *h, enum partner_id p)
{
	for (size_t i = 0; i < h->nslots; i++)
		if (h->slots[i].call && h->slots[i].call->partner == p)
			return true;
	return false;
}

/* End a call that is not begun. */
static void leave_out(struct call *c, const char *why)
{
	c->began = clock_wall_ms();
	call_conclude(c, SAID_NOTHING, why);
}

/* The database is a copy, with the tickets of partners that do not know of it:
 * no call is made, not even to read. */
static bool is_barred(struct http *h)
{
	const struct sender *sender = &h->transfers->sender;

	return !sender->may_call(sender->of);
}

/* A name that cannot be a segment of a path, or NULL. */
static const char *bad_name(const struct call *c)
{
	return c->ticket && !path_takes(c->ticket) ? c->ticket :
	       c->element_name && !path_takes(c->element_name) ?
	       c->element_name : NULL;
}

/* Is there room for this call? The first one to a partner is the request's own
 * until its end; see visit_enter. `extra`: it is not the first. */
static bool take_room(struct visit *v, enum partner_id p, bool extra)
{
	return extra ? visit_begin_call(v, p) : visit_hold_call(v, p);
}

/* If the slot's call has ended, the room that it had beside the request's own
 * is free again. */
static void give_room(struct slot *s)
{
	if (s->call || !s->extra)
		return;
	visit_end_call(s->http->visit, s->t.partner);
	s->extra = false;
}

/* Begin the call in this slot, or leave it out. False: it has to wait, because
 * too many are under way. */
static bool call_start(struct slot *s, struct call *c, struct arena *mem)
{
	struct visit *v = s->http->visit;
	const char *name = partners[c->partner]->name, *bad = bad_name(c);
	bool extra = any_call_to(s->http, c->partner);
	bool room = !bad && take_room(v, c->partner, extra);

	if (!bad && !room && extra)
		return false;
	call_clear(c);
	if (room && visit_may_call(v, c->partner)) {
		s->extra = extra;
		stage_begin(s, c, mem);
		give_room(s);
		return true;
	}
	if (room && extra)
		visit_end_call(v, c->partner);
	leave_out(c, arena_printf(mem, bad ? "%s cannot be called for a ticket "
		  "or element that is named \"%s\"" : !room ?
		  "Too many requests wait for %s just now" :
		  "%s keeps failing; until it answers again it is only probed",
		  name, bad));
	return true;
}

/* Start the tries that are due. Returns the time until the next one is; `least`
 * at most. */
static int wake_sleepers(struct http *h, int64_t now, int64_t least)
{
	for (size_t i = 0; i < h->nslots; i++) {
		struct slot *s = &h->slots[i];

		if (!s->call || !s->wake)
			continue;
		if (s->wake <= now) {
			stage_wake(s); /* it may end, or wait again */
			give_room(s);
		}
		if (s->call && s->wake && s->wake - now < least)
			least = s->wake - now;
	}
	return (int)least;
}

/* Go on with the calls whose transfers have ended. False: there are none. */
static bool reap(struct http *h)
{
	struct transfer *t;
	bool any = false;

	while ((t = transfers_ended(h->transfers))) {
		struct slot *s = t->owner;

		stage_answered(s);
		give_room(s);
		any = true;
	}
	return any;
}

/* Begin the calls from `next` on for which there is room, or leave them out.
 * Returns the first one that has to wait. */
static size_t start_calls(struct http *h, struct arena *mem,
			  struct call *const *calls, size_t next, size_t n,
			  size_t width, const char *barred)
{
	struct slot *s;

	for (; barred && next < n; next++)
		leave_out(calls[next], barred);
	while (next < n && (s = slot_free(h, width)) &&
	       call_start(s, calls[next], mem))
		next++;
	return next;
}

void partner_call(struct http *h, struct arena *mem, struct call *const *calls,
		  size_t n, size_t width, int64_t deadline, more_calls *more,
		  void *of)
{
	enum spent before = spent_on(SPENT_PARTNER);
	bool comes = more, copy = n && is_barred(h);
	size_t next = 0;

	have_slots(h, n < width && !more ? n : width);
	while (next < n || any_busy(h) || comes) {
		size_t had = n;
		bool ended;
		int wait;

		next = start_calls(h, mem, calls, next, n, width, copy ?
			"The database is a copy, so no partner is called "
			"before cttctl adopt" : clock_mono_ms() >= deadline ?
			"The request's time was over before the partner was "
			"called" : NULL);
		transfers_perform(h->transfers);
		ended = reap(h);
		if (more)
			comes = more(of, next == n && !any_busy(h), &n);
		copy = copy || (!had && n && is_barred(h));
		transfers_may_send(h->transfers); /* renews the right to */
		wait = wake_sleepers(h, clock_mono_ms(),
				     next < n || comes ? WATCH_MS : RENEW_MS);
		if (any_busy(h) && n == had && (next == n || !ended))
			transfers_wait(h->transfers, wait);
	}
	spent_on(before);
}
