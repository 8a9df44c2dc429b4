#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/*
 * Text that grows, and a writer of JSON onto it. `s` is always terminated
 * once something was added. The memory is the arena's.
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
 * JSON. Each call writes one value, as a member when `key` is given (keys are
 * our own words, and not escaped), as an element when it is NULL. The comma
 * before it comes by itself. A NULL string, and an id of 0, become null.
 */
void put_open(struct buf *b, const char *key, char bracket); /* '{' or '[' */
void put_close(struct buf *b, char bracket);                 /* '}' or ']' */
void put_str(struct buf *b, const char *key, const char *value);
void put_int(struct buf *b, const char *key, int64_t value);
void put_id(struct buf *b, const char *key, uint64_t value);
void put_bool(struct buf *b, const char *key, bool value);
/* `value` is JSON already; NULL becomes null. */
void put_raw(struct buf *b, const char *key, const char *value);

#endif
