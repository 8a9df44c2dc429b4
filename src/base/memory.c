/*
 * base/memory.c - no memory ends the process
 *
 * That is safe, as a death anywhere is. To go on is not: of the libraries, some
 * take an allocation that failed for something else, or do not look. json-c
 * leaves members and ends of strings out of what it has read, and says that all
 * is well. So the allocator's functions are ours in all of the process, which
 * look once for everybody, and call those that would have been called.
 *
 * The linker takes this file from the library because malloc is in it.
 */
#include "config.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/arena.h"

#ifndef HAVE_ASAN

/* dlsym gives a function as an object. */
#define NEXT(name, type, ...)                                                \
	static type;                                                         \
	if (!next)                                                           \
		*(void **)(void *)&next = dlsym(RTLD_NEXT, name);            \
	void *p = next(__VA_ARGS__)

void *malloc(size_t size)
{
	NEXT("malloc", void *(*next)(size_t), size);

	if (!p)
		arena_exhausted();
	return p;
}

void *calloc(size_t n, size_t size)
{
	NEXT("calloc", void *(*next)(size_t, size_t), n, size);

	if (!p)
		arena_exhausted();
	return p;
}

void *realloc(void *old, size_t size)
{
	NEXT("realloc", void *(*next)(void *, size_t), old, size);

	if (!p && size) /* of 0 it is a free() */
		arena_exhausted();
	return p;
}

#endif
