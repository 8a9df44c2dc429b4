#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, struct arena *mem)
{
	*b = (struct buf){.mem = mem};
}

/* Make room for n more bytes and the terminator. */
static void buf_room(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	char *s;

	if (b->cap - b->len > n)
		return;
	while (cap - b->len <= n)
		cap *= 2;
	s = arena_alloc(b->mem, cap);
	if (b->len)
		memcpy(s, b->s, b->len);
	b->s = s;
	b->cap = cap;
}

void buf_add(struct buf *b, const void *s, size_t n)
{
	buf_room(b, n);
	memcpy(b->s + b->len, s, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	char small[256]; /* most texts fit: they are formatted once */
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(small, sizeof small, format, ap);
	va_end(ap);
	if (n < 0)
		arena_exhausted();
	if ((size_t)n < sizeof small) {
		buf_add(b, small, (size_t)n);
		return;
	}
	buf_room(b, (size_t)n);
	va_start(ap, format);
	vsnprintf(b->s + b->len, (size_t)n + 1, format, ap);
	va_end(ap);
	b->len += (size_t)n;
}

static void put_key(struct buf *b, const char *key)
{
	if (b->len && b->s[b->len - 1] != '{' && b->s[b->len - 1] != '[')
		buf_add(b, ",", 1);
	if (key) {
		buf_add(b, "\"", 1);
		buf_str(b, key);
		buf_add(b, "\":", 2);
	}
}

void put_open(struct buf *b, const char *key, char bracket)
{
	put_key(b, key);
	buf_add(b, &bracket, 1);
}

void put_close(struct buf *b, char bracket)
{
	buf_add(b, &bracket, 1);
}

void put_str(struct buf *b, const char *key, const char *value)
{
	const char *from, *p;

	put_key(b, key);
	if (!value) {
		buf_add(b, "null", 4);
		return;
	}
	buf_add(b, "\"", 1);
	for (from = p = value; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, from, (size_t)(p - from));
		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else
			buf_printf(b, "\\u%04x", c);
		from = p + 1;
	}
	buf_add(b, from, (size_t)(p - from));
	buf_add(b, "\"", 1);
}

void put_int(struct buf *b, const char *key, int64_t value)
{
	char text[24], *const end = text + sizeof text, *at = end;
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*--at = '-';
	put_key(b, key);
	buf_add(b, at, (size_t)(end - at));
}

void put_id(struct buf *b, const char *key, uint64_t value)
{
	if (value)
		put_int(b, key, (int64_t)value);
	else
		put_raw(b, key, NULL);
}

void put_bool(struct buf *b, const char *key, bool value)
{
	put_raw(b, key, value ? "true" : "false");
}

void put_raw(struct buf *b, const char *key, const char *value)
{
	put_key(b, key);
	buf_str(b, value ? value : "null");
}
