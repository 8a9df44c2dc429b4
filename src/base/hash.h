#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* SHA-256 and its HMAC, in hex digits. The memory is the arena's. */
const char *hash_sha256(struct arena *mem, const void *data, size_t n);
const char *hash_hmac(struct arena *mem, const char *key, const void *data,
		      size_t n);

/* The thread ends, and needs no HMAC any more: free what it keeps. */
void hash_end_thread(void);

/* FNV-1a. It distinguishes texts, but an attacker can make two alike. */
uint64_t hash_fast(const void *data, size_t n);

#endif
