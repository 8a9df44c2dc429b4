/*
 * base/memory.c - a failed allocation ends the process
 *
 * This is safe, because a process may die at any point. To continue would not
 * be safe: some libraries do not check allocations, or report another error.
 * json-c leaves out members and ends of strings, and reports success. So this
 * file replaces the allocator's functions in the whole process. They call the
 * original functions and check the result for all callers.
 *
 * The linker takes this file from the library because malloc is in it.
 */
#include "config.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/arena.h"

#ifndef HAVE_ASAN

/* dlsym returns a function as a pointer to an object. */
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

	if (!p && size) /* a size of 0 frees */
		arena_exhausted();
	return p;
}

#endif
