#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/*
 * Memory of a request. It is freed all at once at the end of the request. A
 * failed allocation ends the process, which is safe at any point because of the
 * journal. So no function returns NULL.
 */
struct arena;

struct arena *arena_open(void);

/* Its memory ends when each arena that shares it has ended, too. */
void arena_close(struct arena *a);

/* Keep `a` alive until `by` is reset or closed. */
void arena_share(struct arena *a, struct arena *by);

/* Free all memory. Before that, foreign objects are ended, the last one
 * first. */
void arena_reset(struct arena *a);

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_strdup(struct arena *a, const char *s); /* NULL stays NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Call `end(object)` when the arena is reset or closed. */
void arena_defer(struct arena *a, void (*end)(void *), void *object);

/* Log that there is no memory, and end the process. */
_Noreturn void arena_exhausted(void);

#endif
