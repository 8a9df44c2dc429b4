#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/*
 * A text that grows, and functions that append JSON to it. `s` ends in NUL as
 * soon as something was added. The memory is the arena's.
 */
struct buf {
	struct arena *mem;
	char *s;
	size_t len, cap;
};

void buf_init(struct buf *b, struct arena *mem);
void buf_add(struct buf *b, const void *s, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Each call writes one JSON value: a member if there is a `key`, an element if
 * `key` is NULL. Keys are not escaped. The comma before the value is added if
 * it is needed. A NULL string and an id of 0 become null.
 */
void put_open(struct buf *b, const char *key, char bracket); /* '{' or '[' */
void put_close(struct buf *b, char bracket);                 /* '}' or ']' */
void put_str(struct buf *b, const char *key, const char *value);
void put_int(struct buf *b, const char *key, int64_t value);
void put_id(struct buf *b, const char *key, uint64_t value);
void put_bool(struct buf *b, const char *key, bool value);
/* `value` is JSON. NULL becomes null. */
void put_raw(struct buf *b, const char *key, const char *value);

#endif
