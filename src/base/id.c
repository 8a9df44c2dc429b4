#include "base/id.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/clock.h"

static void id_chance(unsigned char *to, size_t n)
{
	static _Thread_local unsigned char pool[250];
	static _Thread_local size_t left;

	if (left < n) {
		if (getrandom(pool, sizeof pool, 0) != (ssize_t)sizeof pool)
			arena_exhausted(); /* never: 256 bytes are atomic */
		left = sizeof pool;
	}
	left -= n;
	memcpy(to, pool + left, n);
}

void id_make(char id_r[ID_LEN + 1])
{
	static const char digit[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t ms = (uint64_t)clock_wall_ms();
	unsigned char chance[10];
	int i;

	for (i = 9; i >= 0; i--, ms >>= 5)
		id_r[i] = digit[ms & 31];
	id_chance(chance, sizeof chance);
	for (i = 0; i < 16; i++) {
		int bit = i * 5;
		unsigned two = (unsigned)chance[bit / 8] << 8;

		if (bit / 8 + 1 < (int)sizeof chance)
			two |= chance[bit / 8 + 1];
		id_r[10 + i] = digit[(two >> (11 - bit % 8)) & 31];
	}
	id_r[ID_LEN] = '\0';
}
