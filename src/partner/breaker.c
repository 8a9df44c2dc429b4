#include "partner/breaker.h"

#include "base/clock.h"

enum {
	USUAL_MOST_MS = 600000, /* no answer takes longer                  */
	OPEN_MS = 1000,         /* first pause of a breaker; it doubles    */
	OPEN_CAP_MS = 2000,
};

/* Is that time still to come? One that is further away than anything is set to
 * is none. */
static bool is_ahead(int64_t when, int64_t most_ms)
{
	int64_t now = clock_mono_ms();

	return when > now && when <= now + most_ms;
}

int64_t breaker_usual(const struct breaker *b)
{
	int64_t ms = atomic_load(&b->usual);

	return ms < 0 || ms > USUAL_MOST_MS ? 0 : ms;
}

bool breaker_is_broken(const struct breaker *b, unsigned limit)
{
	return atomic_load(&b->failures) >= limit;
}

bool breaker_take_probe(struct breaker *b, int64_t lease_ms)
{
	int64_t now = clock_mono_ms(), lease = atomic_load(&b->probe);

	return !is_ahead(atomic_load(&b->until), OPEN_CAP_MS) &&
	       !is_ahead(lease, lease_ms) &&
	       atomic_compare_exchange_strong(&b->probe, &lease,
					      now + lease_ms);
}

void breaker_leave_probe(struct breaker *b)
{
	atomic_store(&b->probe, 0);
}

bool breaker_answered(struct breaker *b, unsigned limit, int64_t ms)
{
	int64_t usual = breaker_usual(b);
	bool broken = breaker_is_broken(b, limit);

	if (atomic_load(&b->failures))
		atomic_store(&b->failures, 0);
	/* it rises at once, and falls slowly; 0: not known */
	atomic_store(&b->usual, ms < usual ? usual - (usual - ms) / 8 : ms + 1);
	atomic_store(&b->answered, clock_mono_ms());
	return broken;
}

bool breaker_failed(struct breaker *b, unsigned limit, long status)
{
	int64_t open_ms = OPEN_MS;
	unsigned failures;

	atomic_store(&b->failed_status, (int)status);
	atomic_store(&b->failed, clock_mono_ms());
	failures = atomic_fetch_add(&b->failures, 1) + 1;
	if (failures < limit)
		return false;
	for (unsigned n = limit; n < failures && open_ms < OPEN_CAP_MS; n++)
		open_ms *= 2;
	atomic_store(&b->until, clock_mono_ms() + open_ms);
	atomic_store(&b->probe, 0);
	return failures == limit;
}

int breaker_retry_s(const struct breaker *b)
{
	int64_t until = atomic_load(&b->until);

	return !is_ahead(until, OPEN_CAP_MS) ? 1 :
	       (int)((until - clock_mono_ms() + 1000) / 1000);
}
