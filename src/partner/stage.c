/*
 * partner/stage.c - the stages of a call to a partner
 *
 * Each function that goes on with a call (stage_start, attempt_failed, refused,
 * call_end, ...) ends the work of its caller: it may begin another stage, or
 * end the call, after which the slot has none.
 */
#include "partner/stage.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "model/verdict.h"
#include "partner/answer.h"
#include "partner/call.h"
#include "partner/health.h"
#include "partner/token.h"

enum {
	ATTEMPTS = 3,
	READS_ANEW = 5, /* reads of a ticket that others change meanwhile */
	RETRY_BASE_MS = 100,
	RETRY_CAP_MS = 1000,
	TOKEN_WATCH_MS = 5, /* between looks at a token that is being fetched */
};

static void attempt_failed(struct slot *s, const char *why, int64_t wait_ms);
static void refused(struct slot *s, const char *why);

/* The Idempotency-Key of an exchange. If the body differs from the one that was
 * sent before, the write gets the step's next key, because a partner remembers
 * a key together with its body. */
static const char *key_of(struct slot *s)
{
	struct call *c = s->call;
	struct history *past = &c->past;
	uint64_t hash;

	if (s->t.x.reads) /* with the write's key, a partner that remembers keys
			 * would repeat the read's answer to the write */
		return arena_printf(s->t.mem, "%s-read-%llx", c->key,
				    (unsigned long long)clock_wall_ms());
	if (!partners[c->partner]->reads_first)
		return c->key;
	hash = hash_fast(s->t.x.body.s, s->t.x.body.len) >> 1; /* an int64_t */
	if (!past->bodies || past->body_hash != hash)
		past->bodies++;
	past->body_hash = hash;
	return past->bodies == 1 ? c->key :
	       arena_printf(s->t.mem, "%s-%u", c->key, past->bodies);
}

static void exchange_send(struct slot *s)
{
	s->refusal = NULL;
	s->tries++;
	s->call->attempts++;
	s->t.key = key_of(s);
	s->t.token = s->token.text;
	transfer_send(&s->t);
}

/* There is no token. If that is because the partner refused the one we have,
 * its refusal counts; else nothing is sent. */
static void no_token(struct slot *s, const char *why)
{
	const char *refusal = s->refusal;

	s->refusal = NULL;
	if (refusal)
		refused(s, arena_printf(s->t.mem, "%s (and no new token could "
			"be had: %s)", refusal, why));
	else
		attempt_failed(s, arena_printf(s->t.mem, "%s was not called, "
			"because no token could be had (%s)",
			partners[s->call->partner]->name, why), 0);
}

/* Start the exchange that s->t.x describes, as soon as there is a token. */
static void exchange_start(struct slot *s)
{
	int64_t now = clock_mono_ms();
	const char *why = "its endpoint did not answer in time";

	s->wake = 0;
	s->t.sent = 0;
	switch (token_take(s->http->tokens, s->call->partner, s->refused,
			   s->t.mem, &s->token, &why)) {
	case TOKEN_READY:
		exchange_send(s);
		return;
	case TOKEN_WAIT:
		if (now < s->t.deadline) {
			s->wake = now + TOKEN_WATCH_MS;
			return;
		}
		break;
	case TOKEN_NONE:
		break;
	}
	no_token(s, why);
}

static bool is_answered(const struct slot *s)
{
	const struct call *c = s->call;
	long status = s->stage == STAGE_LOOK ? s->t.status : c->status;

	return c->verdict == RC_OK || c->verdict == RC_NO ||
	       (status && status < 500);
}

static void call_end(struct slot *s, enum said said, const char *why)
{
	struct call *c = s->call;

	call_conclude(c, said, why);
	c->ms = clock_mono_ms() - c->since;
	visit_report(s->http->visit, c->partner, is_answered(s), c->status,
		     c->ms);
	call_log(c);
	transfer_forget(&s->t);
	s->call = NULL;
}

/* The attempt may have been applied, or may still arrive. */
static void doubt(struct slot *s)
{
	struct history *past = &s->call->past;

	past->known = known_after(past->known, SAID_IN_DOUBT);
	past->doubted = true;
	past->doubted_at = clock_mono_ms();
}

static void stage_start(struct slot *s, enum stage stage)
{
	const struct partner *p = partners[s->call->partner];
	const struct conf *cf = s->http->cf;

	s->stage = stage;
	s->t.x = (struct exchange){0};
	buf_init(&s->t.x.path, s->t.mem);
	buf_init(&s->t.x.body, s->t.mem);
	s->tries = 0;
	if (stage == STAGE_WRITE)
		p->write(cf, s->call, s->ticket, &s->t.x);
	else
		p->read(cf, s->call, &s->t.x);
	if (stage == STAGE_LOOK || stage == STAGE_AFTER)
		s->call->looked_at = clock_mono_ms();
	if (stage <= STAGE_WRITE)
		s->call->status = 0; /* it belongs to the stage before */
	exchange_start(s);
}

static bool can_look(const struct slot *s)
{
	return partner_is_readable(s->http->cf, s->call->partner);
}

static enum stage first_stage(const struct slot *s)
{
	const struct call *c = s->call;
	const struct partner *p = partners[c->partner];

	if (c->verb == VERB_LOOK || (c->past.doubted && can_look(s)))
		return STAGE_LOOK;
	return p->reads_first && p->reads_first(c) ? STAGE_READ : STAGE_WRITE;
}

void stage_begin(struct slot *s, struct call *c, struct arena *mem)
{
	s->call = c;
	s->t.mem = mem;
	s->t.partner = c->partner;
	s->t.request_id = c->request_id;
	s->t.match = s->read_etag;
	s->t.deadline = clock_mono_ms() + s->http->cf->partner_timeout_ms;
	s->t.status = 0;
	buf_init(&s->t.answer, mem);
	s->ticket = (struct slice){0};
	s->read_etag[0] = '\0';
	s->reads = 0;
	s->refused = 0;
	s->refusal = NULL;
	stage_start(s, first_stage(s));
}

void stage_wake(struct slot *s)
{
	exchange_start(s);
}

/* The look failed. It changes nothing of what was known before. */
static void look_failed(struct slot *s, const char *why)
{
	struct call *c = s->call;
	const struct partner *p = partners[c->partner];

	c->looked = arena_printf(s->t.mem, "%s could not be read: %s", p->name,
				 why);
	if (s->stage == STAGE_LOOK && c->verb != VERB_LOOK &&
	    !(p->reads_first && p->reads_first(c)))
		stage_start(s, STAGE_WRITE);
	else if (s->stage == STAGE_AFTER) /* `why` stays the refusal's */
		call_end(s, SAID_NO, c->why);
	else
		call_end(s, SAID_NOTHING, why);
}

/* How often an exchange is tried. A look is optional, so it is made once. */
static unsigned tries_of(enum stage stage)
{
	return stage == STAGE_LOOK || stage == STAGE_AFTER ? 1 : ATTEMPTS;
}

/* There was no answer, or a temporary one. Try again, if there is time. */
static void attempt_failed(struct slot *s, const char *why, int64_t wait_ms)
{
	const struct call *c = s->call;
	int64_t now = clock_mono_ms();
	int64_t backoff = clock_backoff_ms(s->tries - 1, RETRY_BASE_MS,
					   RETRY_CAP_MS);

	if (wait_ms < backoff)
		wait_ms = backoff;
	if (s->t.sent && !s->t.x.reads)
		doubt(s);
	/* after a failed connection, another try would fail, too */
	if (s->t.sent && s->tries < tries_of(s->stage) &&
	    now + wait_ms < s->t.deadline) {
		log_line(LOG_INFO, "partner_retry", "partner=%s ticket=%s "
			 "key=%s status=%ld wait_ms=%lld why=%s",
			 partners[c->partner]->code,
			 c->ticket ? c->ticket : "-", c->key, c->status,
			 (long long)wait_ms, why);
		s->wake = now + wait_ms + 1; /* `now` was rounded down */
		return;
	}
	if (s->stage == STAGE_LOOK || s->stage == STAGE_AFTER) {
		look_failed(s, why);
		return;
	}
	if (s->stage == STAGE_BACK)
		doubt(s); /* no read has confirmed the yes */
	call_end(s, s->t.sent && s->stage != STAGE_READ ? SAID_IN_DOUBT :
		 SAID_NOTHING, why);
}

static const char *what_of(const struct slot *s)
{
	return s->t.x.reads ? "a read" : "the call";
}

/* A permanent refusal of a read or of the write. */
static void refused(struct slot *s, const char *why)
{
	struct call *c = s->call;

	if (s->stage == STAGE_LOOK || s->stage == STAGE_AFTER) {
		look_failed(s, why);
		return;
	}
	c->no = no_of(s->t.status);
	if (s->stage == STAGE_READ) {
		call_end(s, SAID_NOTHING, why);
		return;
	}
	if (s->stage == STAGE_BACK) { /* no read can confirm the yes */
		c->no = NO_NONE;
		doubt(s);
		call_end(s, SAID_IN_DOUBT, why);
		return;
	}
	c->why = why;
	if (c->past.doubted && can_look(s))
		stage_start(s, STAGE_AFTER);
	else
		call_end(s, SAID_NO, why);
}

/* Note the result of a look, for the trace. */
static void note_look(struct slot *s)
{
	struct call *c = s->call;

	if (c->seen != NOT_SEEN)
		c->looked = arena_printf(s->t.mem, "%s was read: %s",
			partners[c->partner]->name,
			verb_shows[c->verb][c->seen == SEEN_DONE]);
}

static void keep_ticket(struct slot *s)
{
	s->ticket = json_value(s->t.answer.s, s->t.answer.len);
	memcpy(s->read_etag, s->t.etag, sizeof s->t.etag);
}

/* The partner accepted the call, but its ticket does not have the change. */
static void disowned(struct slot *s)
{
	struct call *c = s->call;

	refused(s, arena_printf(s->t.mem, "%s answered %ld, but its ticket "
		"does not show the change", partners[c->partner]->name,
		c->status));
}

/* A read returned the ticket. */
static void ticket_read(struct slot *s)
{
	struct call *c = s->call;
	const struct partner *p = partners[c->partner];

	c->seen = partner_seen(c, &c->view);
	switch (s->stage) {
	case STAGE_READ:
		c->seen = NOT_SEEN; /* nothing was written yet */
		keep_ticket(s);
		stage_start(s, STAGE_WRITE);
		return;
	case STAGE_LOOK:
		note_look(s);
		keep_ticket(s);
		if (c->verb == VERB_LOOK)
			call_end(s, SAID_YES, NULL);
		else if (c->seen == SEEN_DONE ||
		    (c->seen == SEEN_NOT_DONE && c->ends_if_not_done))
			call_end(s, SAID_NOTHING, c->looked);
		else
			stage_start(s, STAGE_WRITE);
		return;
	case STAGE_AFTER:
		note_look(s);
		call_end(s, SAID_NO, c->why);
		return;
	default: /* STAGE_BACK */
		if (c->seen == SEEN_NOT_DONE) {
			s->stage = STAGE_WRITE;
			c->seen = NOT_SEEN;
			disowned(s);
		} else if (c->seen == SEEN_DONE) {
			call_end(s, SAID_YES, NULL);
		} else {
			attempt_failed(s, arena_printf(s->t.mem, "%s answered "
				"a read with a ticket that does not show the "
				"change", p->name), 0);
		}
	}
}

/* Is the answer one JSON text? */
static bool is_json(const struct slot *s)
{
	return answer_value(&s->t.answer).s;
}

static bool is_blank(const struct slot *s)
{
	return !s->t.overflow &&
	       s->t.answer.len == strspn(s->t.answer.len ? s->t.answer.s : "",
				       " \t\r\n");
}

/* Is the answer the ticket? If so, read it into the view. */
static bool shows_ticket(struct slot *s)
{
	struct call *c = s->call;

	c->view = (struct view){0};
	return !s->t.overflow && !is_blank(s) && is_json(s) &&
	       partners[c->partner]->view(c, json_value(s->t.answer.s,
			s->t.answer.len), s->t.x.reads, s->t.mem, &c->view);
}

/* 2xx to a read. It counts only if it is the whole ticket. */
static void read_answered(struct slot *s)
{
	if (s->t.status == 200 && shows_ticket(s)) {
		ticket_read(s);
		return;
	}
	refused(s, arena_printf(s->t.mem, "%s answered a read with something "
		"other than the ticket (HTTP %ld)",
		partners[s->call->partner]->name,
		s->t.status));
}

/* 2xx to the write. */
static void write_answered(struct slot *s)
{
	struct call *c = s->call;
	const struct partner *p = partners[c->partner];
	enum seen seen = NOT_SEEN;

	if (s->t.overflow ? !p->yes_is_looked_at :
			    !is_blank(s) && !is_json(s)) {
		attempt_failed(s, arena_printf(s->t.mem, "%s answered HTTP %ld "
			"with text that is not JSON: %s", p->name, c->status,
			transfer_excerpt(&s->t)), 0);
		return;
	}
	if (p->yes_is_looked_at && shows_ticket(s))
		seen = partner_seen(c, &c->view);
	if (seen == SEEN_NOT_DONE)
		disowned(s);
	else if (p->yes_is_looked_at && seen == NOT_SEEN)
		stage_start(s, STAGE_BACK);
	else
		call_end(s, SAID_YES, NULL);
}

/* Has another system changed the ticket since it was read? */
static bool is_read_anew(struct slot *s)
{
	return s->stage == STAGE_WRITE && s->t.status == 412 &&
	       *s->read_etag && ++s->reads < READS_ANEW &&
	       clock_mono_ms() < s->t.deadline;
}

/* May this 401 be because of the token? Once in a call it is made anew. */
static bool is_token_renewed(struct slot *s, const char *why)
{
	if (s->t.status != 401 || s->refused ||
	    !token_renews(s->http->tokens, s->call->partner) ||
	    clock_mono_ms() >= s->t.deadline)
		return false;
	s->refused = s->token.number;
	s->refusal = why;
	return true;
}

/* By the rules of contract section 9. */
void stage_answered(struct slot *s)
{
	struct call *c = s->call;
	const struct partner *p = partners[c->partner];
	long status = s->t.status;

	if (s->t.broken) {
		attempt_failed(s, arena_printf(s->t.mem, s->t.sent ?
			       "%s did not answer %s (%s)" :
			       "%s could not be reached for %s (%s)", p->name,
			       what_of(s), s->t.broken), 0);
		return;
	}
	if (s->stage == STAGE_READ || s->stage == STAGE_WRITE)
		c->status = status;
	if (status != 401)
		token_worked(s->http->tokens, c->partner, s->token.number);
	if (status >= 200 && status < 300) {
		if (s->t.x.reads)
			read_answered(s);
		else
			write_answered(s);
	} else if (is_read_anew(s)) {
		stage_start(s, STAGE_READ);
	} else if (no_of(status) != NO_NONE) {
		const char *why = arena_printf(s->t.mem, "%s answered %s with "
			"HTTP %ld: %s", p->name, what_of(s), status,
			transfer_excerpt(&s->t));

		if (is_token_renewed(s, why))
			exchange_start(s);
		else
			refused(s, why);
	} else {
		attempt_failed(s, arena_printf(s->t.mem, "%s answered %s with "
			       "HTTP %ld", p->name, what_of(s), status),
			       transfer_retry_after_ms(&s->t));
	}
}
