#include "model/tally.h"

#include <string.h>

#include "base/clock.h"

static struct tallies own, *tallies = &own;

void tally_use(struct tallies *shared)
{
	tallies = shared ? shared : &own;
}

void tally_add(unsigned place, uint64_t n)
{
	atomic_fetch_add_explicit(&tallies->n[place], n, memory_order_relaxed);
}

uint64_t tally_count(unsigned place)
{
	return atomic_load_explicit(&tallies->n[place], memory_order_relaxed);
}

void tally_time(unsigned histogram, int64_t us)
{
	static const int64_t bounds[] = {TALLY_BOUNDS};
	unsigned i = 0;

	if (us < 0)
		us = 0; /* a clock was set back */
	while (i < TALLY_BUCKETS - 1 && us > bounds[i] * 1000)
		i++;
	tally_add(histogram + i, 1);
	tally_add(histogram + TALLY_BUCKETS, (uint64_t)us);
}

void tally_size(unsigned histogram, uint64_t n)
{
	unsigned i = 0;

	while (i < TALLY_POWERS - 1 && n > 1ULL << i)
		i++;
	tally_add(histogram + i, 1);
	tally_add(histogram + TALLY_POWERS, n);
}

/* 0, as in memory that is new, is not known. */
void tally_set(unsigned place, int64_t n)
{
	atomic_store_explicit(&tallies->n[place], (uint64_t)(n + 1),
			      memory_order_relaxed);
}

int64_t tally_get(unsigned place)
{
	return (int64_t)tally_count(place) - 1;
}

void tally_now(unsigned place)
{
	tally_set(place, clock_mono_ms());
}

int64_t tally_ago(unsigned place)
{
	int64_t at = tally_get(place), now = clock_mono_ms();

	return at < 0 || at > now ? -1 : now - at;
}

/* ---- texts ---- */

/* Others may have written anything to the memory. */
static bool has_text(const struct tally_name *name, const char *text)
{
	return atomic_load(&name->state) == 2 &&
	       !strncmp(name->text, text, sizeof name->text - 1);
}

static bool take_place(struct tally_name *name, const char *text)
{
	unsigned free = 0;

	if (!atomic_compare_exchange_strong(&name->state, &free, 1))
		return false;
	strncpy(name->text, text, sizeof name->text - 1);
	atomic_store(&name->state, 2);
	return true;
}

void tally_name(enum tally_list list, const char *text)
{
	for (unsigned i = 0; i < TALLY_NAMES; i++) {
		struct tally_name *name = &tallies->name[list][i];

		if (!has_text(name, text) && !take_place(name, text))
			continue;
		atomic_fetch_add(&name->n, 1);
		return;
	}
}

const char *tally_text(enum tally_list list, unsigned i, uint64_t *n_r)
{
	const struct tally_name *name;

	if (i >= TALLY_NAMES)
		return NULL;
	name = &tallies->name[list][i];
	*n_r = atomic_load(&name->n);
	return atomic_load(&name->state) == 2 &&
	       memchr(name->text, '\0', sizeof name->text) ? name->text : NULL;
}
