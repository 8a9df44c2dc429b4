#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct json_object;

/* The outermost value counts as 1, and a scalar inside counts as well. */
enum { JSON_DEPTH = 16 };

/* Is it valid UTF-8: nothing overlong, no surrogate, at most U+10FFFF? */
bool text_utf8(const char *s, size_t n);

/* Does valid UTF-8 begin with a control character (C0, DEL, C1) here? */
bool text_is_control(const char *s);

/* The number of code points of valid UTF-8. */
size_t text_chars(const char *s, size_t n);

/* The length in bytes of the white space character here; no-break spaces count.
 * 0: it is another character. */
size_t text_blank(const char *s);

/* The text without white space around it. A text without any is not copied. */
const char *text_trim(struct arena *mem, const char *s);

/* The text with LF for each CR LF and CR. A text without any is not copied. */
const char *text_lines(struct arena *mem, const char *s);

/* Are two texts of valid UTF-8 the same, if letter case does not count? */
bool text_same(const char *a, const char *b);

/*
 * Find errors in a JSON text that json-c would accept. Returns a constant
 * sentence for an operator. NULL: there is no such error.
 */
const char *json_text_error(const char *s, size_t n);

/*
 * Parse one JSON text strictly. If a member is repeated, the last one counts. A
 * whole number beyond 64 bits becomes the limit of its type. *error_r is NULL,
 * or a constant sentence as above. (The value of the text `null` is NULL, too.)
 * The caller puts the value.
 */
struct json_object *json_read(const char *s, size_t n, const char **error_r);

/* The text of an object's member. NULL: it has no such member, or the member is
 * no string. */
const char *json_text_of(struct json_object *o, const char *name);

/*
 * The canonical text of a value: members sorted by name, no white space. Texts
 * with the same value have the same canonical text. Numbers stay as they are
 * written (1 is not 1.0).
 */
void json_canonical(struct json_object *value, struct buf *to);

#endif
