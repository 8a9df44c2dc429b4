#ifndef PARTNER_BREAKER_H
#define PARTNER_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The breaker of a partner: after `limit` failures in a row it gets only one
 * probe now and then, until it answers. All zero is a partner of which nothing
 * is known. Threads and processes use it at once, without a lock. Other programs
 * may write to it (shared.h), so each number is checked before it is used.
 */
struct breaker {
	atomic_uint failures;       /* in a row                              */
	atomic_int_least64_t until; /* no probe before (clock_mono_ms)       */
	atomic_int_least64_t probe; /* end of the present probe's lease      */
	atomic_int_least64_t usual; /* ms: time of the slower recent answers */
	atomic_int_least64_t answered; /* clock_mono_ms of the last answer   */
	atomic_int_least64_t failed;   /* clock_mono_ms of the last failure  */
	atomic_int failed_status;
};

bool breaker_is_broken(const struct breaker *b, unsigned limit);

/* The partner is broken. True: the caller is to probe it, within lease_ms. */
bool breaker_take_probe(struct breaker *b, int64_t lease_ms);

/* The probe was not made: it is another's turn. */
void breaker_leave_probe(struct breaker *b);

/* A call has ended after `ms`, with this HTTP status (0: none). True: that has
 * mended or broken the breaker. */
bool breaker_answered(struct breaker *b, unsigned limit, int64_t ms);
bool breaker_failed(struct breaker *b, unsigned limit, long status);

/* Seconds until the next probe. */
int breaker_retry_s(const struct breaker *b);

/* What the slower answers took of late; 0: not known. Else it is one more. */
int64_t breaker_usual(const struct breaker *b);

#endif
