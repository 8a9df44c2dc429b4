#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);

/* Milliseconds of a clock that is never set; for waiting and for deadlines. */
int64_t clock_mono_ms(void);

/* The same, of one that goes on while the machine is suspended. */
int64_t clock_boot_ms(void);

void clock_sleep_ms(int64_t ms);

/* "2026-01-02T03:04:05.678Z" (a DATETIME(3) of MariaDB takes it less the Z). */
enum { CLOCK_TEXT = 25 };
void clock_text(int64_t wall_ms, char text_r[CLOCK_TEXT]);

/* The other way round: a time of RFC 3339, in any zone, from 1900 on; what is
 * finer than milliseconds is cut off, what is before 1970 is 1970. False: it is
 * none. */
bool clock_read(const char *text, int64_t *wall_ms_r);

/* A wait that doubles with each try from `base`, is cut at `cap`, and is then
 * drawn from its upper half, so that many who wait do not come back at once. */
int64_t clock_backoff_ms(unsigned tries, int64_t base, int64_t cap);

#endif
