#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);

/* Milliseconds of a clock that nobody sets, for waits and deadlines. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void); /* microseconds */

/* The same of a clock that continues while the machine is suspended. */
int64_t clock_boot_ms(void);

void clock_sleep_ms(int64_t ms);

/* "2026-01-02T03:04:05.678Z". MariaDB accepts it without the Z. */
enum { CLOCK_TEXT = 25 };
void clock_text(int64_t wall_ms, char text_r[CLOCK_TEXT]);

/* Parse a time of RFC 3339, in any zone, from 1900 on. Digits after the
 * milliseconds are dropped. A time before 1970 becomes 1970. False: the text is
 * no such time. */
bool clock_read(const char *text, int64_t *wall_ms_r);

/* A wait that doubles with each try from `base` up to `cap`. The result is a
 * random value from its upper half, so that processes do not all try again at
 * the same time. */
int64_t clock_backoff_ms(unsigned tries, int64_t base, int64_t cap);

#endif
