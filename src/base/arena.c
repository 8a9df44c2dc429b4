#include "base/arena.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* With AddressSanitizer, an access beyond an allocation is found. */
#include <sanitizer/asan_interface.h>

enum { BLOCK = 32 * 1024, ALIGN = _Alignof(max_align_t) };

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(max_align_t) char data[];
};

struct defer {
	struct defer *next;
	void (*end)(void *);
	void *object;
};

struct arena {
	struct block *blocks; /* the first one is in use */
	struct defer *defers;
	atomic_uint holds; /* arenas that share it, and its opener */
};

_Noreturn void arena_exhausted(void)
{
	static const char text[] = "level=error event=out_of_memory\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);

	(void)ignored;
	_exit(70);
}

static struct block *block_new(size_t size, struct block *next)
{
	struct block *b = malloc(sizeof *b + size);

	if (!b)
		arena_exhausted();
	b->next = next;
	b->size = size;
	b->used = 0;
	ASAN_POISON_MEMORY_REGION(b->data, size);
	return b;
}

struct arena *arena_open(void)
{
	struct arena *a = calloc(1, sizeof *a);

	if (!a)
		arena_exhausted();
	a->blocks = block_new(BLOCK, NULL);
	a->holds = 1;
	return a;
}

void arena_reset(struct arena *a)
{
	while (a->defers) { /* the list is in the arena, too */
		struct defer *d = a->defers;

		a->defers = d->next;
		d->end(d->object);
	}
	while (a->blocks->next) {
		struct block *b = a->blocks;

		a->blocks = b->next;
		free(b);
	}
	a->blocks->used = 0;
	ASAN_POISON_MEMORY_REGION(a->blocks->data, a->blocks->size);
}

void arena_close(struct arena *a)
{
	if (!a || atomic_fetch_sub(&a->holds, 1) > 1)
		return;
	arena_reset(a);
	free(a->blocks);
	free(a);
}

static void release(void *arena)
{
	arena_close(arena);
}

void arena_share(struct arena *a, struct arena *by)
{
	atomic_fetch_add(&a->holds, 1);
	arena_defer(by, release, a);
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct block *b = a->blocks;
	size_t room = (size / ALIGN + 1) * ALIGN; /* a gap of a byte or more */
	void *p;

	if (size > SIZE_MAX / 2)
		arena_exhausted();
	if (b->size - b->used < room)
		b = a->blocks = block_new(room > BLOCK ? room : BLOCK, b);
	p = b->data + b->used;
	b->used += room;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return memset(p, 0, size);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		arena_exhausted();
	return arena_alloc(a, n * size);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	char small[256]; /* most texts fit: they are formatted once */
	va_list ap;
	char *p;
	int n;

	va_start(ap, format);
	n = vsnprintf(small, sizeof small, format, ap);
	va_end(ap);
	if (n < 0)
		arena_exhausted();
	p = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < sizeof small)
		return memcpy(p, small, (size_t)n + 1);
	va_start(ap, format);
	vsnprintf(p, (size_t)n + 1, format, ap);
	va_end(ap);
	return p;
}

void arena_defer(struct arena *a, void (*end)(void *), void *object)
{
	struct defer *d = arena_alloc(a, sizeof *d);

	d->next = a->defers;
	d->end = end;
	d->object = object;
	a->defers = d;
}
