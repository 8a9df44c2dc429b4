/*
 * t/preload/no-memory.c - lets an allocation fail, for t/55-no-memory.t
 *
 * Preloaded into the programs of a stack. CTT_NO_MEMORY names a file that the
 * test and the programs share: which program, and the how manyth of its
 * allocations is to fail. In ctt.fcgi only those of requests count, between
 * accept and finish.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fcgiapp.h>

/* As the test packs it. */
struct order {
	atomic_int nth;   /* 0: none fails */
	atomic_int count; /* so far        */
	char program[24];
};

static struct order *order;
static bool in_request;

/* glibc's own, below the names that we take */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CTT_NO_MEMORY");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED :
		   mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED)
		return;
	order = at;
	in_request = strcmp(program_invocation_short_name, "ctt.fcgi");
}

static bool fails(void)
{
	int nth = order && in_request ? atomic_load(&order->nth) : 0;

	if (!nth || strcmp(order->program, program_invocation_short_name) ||
	    atomic_fetch_add(&order->count, 1) + 1 != nth)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	if (size && n > (size_t)-1 / size) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, n * size);
}

void *memalign(size_t align, size_t size)
{
	return fails() ? NULL : __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

int posix_memalign(void **p_r, size_t align, size_t size)
{
	void *p = memalign(align, size);

	if (!p)
		return ENOMEM;
	*p_r = p;
	return 0;
}

int FCGX_Accept_r(FCGX_Request *request)
{
	static int (*real)(FCGX_Request *);
	int rc;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "FCGX_Accept_r");
	rc = real(request);
	in_request = rc >= 0;
	return rc;
}

void FCGX_Finish_r(FCGX_Request *request)
{
	static void (*real)(FCGX_Request *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "FCGX_Finish_r");
	real(request);
	in_request = false;
}
