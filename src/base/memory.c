/*
 * base/memory.c - a failed allocation ends the process
 *
 * That is safe, because a process may die anywhere. To continue is not: some
 * libraries mistake a failed allocation for something else, or do not check it.
 * json-c leaves out members and ends of strings, and reports success. So this
 * file replaces the allocator's functions in the whole process: they call the
 * original ones and check the result once for all callers.
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
