#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/*
 * Memory that lives as long as a request; nothing is freed before its end. A
 * failed allocation ends the process (the journal of operations makes a death
 * at any instruction safe), so no function here returns NULL.
 */
struct arena;

struct arena *arena_open(void);
/* Its memory ends when each arena that shares it has ended, too. */
void arena_close(struct arena *a);

/* Keep `a` alive until `by` is reset or closed. */
void arena_share(struct arena *a, struct arena *by);

/* Forget all that was allocated; foreign objects are ended first, last
 * first. */
void arena_reset(struct arena *a);

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_strdup(struct arena *a, const char *s); /* NULL stays NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Have `end(object)` called when the arena is reset or closed. */
void arena_defer(struct arena *a, void (*end)(void *), void *object);

/* Say that memory is out, and end the process. */
_Noreturn void arena_exhausted(void);

#endif
