#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct json_object;

/* The outermost value counts as 1, and a scalar inside counts as well. */
enum { JSON_DEPTH = 16 };

/* Strictly valid UTF-8: nothing overlong, no surrogate, at most U+10FFFF. */
bool text_utf8(const char *s, size_t n);

/* Does a control character (C0, DEL, C1) begin here, in valid UTF-8? */
bool text_is_control(const char *s);

/* How many code points valid UTF-8 holds. */
size_t text_chars(const char *s, size_t n);

/* How many bytes of white space begin here, no-break spaces included; of one
 * character. 0: something else does. */
size_t text_blank(const char *s);

/* The text without the blanks around it: itself where there are none. */
const char *text_trim(struct arena *mem, const char *s);

/* The text with CR LF and CR made LF: itself where there are none. */
const char *text_lines(struct arena *mem, const char *s);

/* Are two texts of valid UTF-8 the same but for the case of letters? */
bool text_same(const char *a, const char *b);

/*
 * Find errors that RFC 8259 or the contract forbids and json-c accepts. NULL if
 * there are none (json-c finds the others), else a constant sentence for an
 * operator.
 */
const char *json_text_error(const char *s, size_t n);

/*
 * Read one JSON text, strictly; of a repeated member the last wins. Whole
 * numbers beyond 64 bits come out at the limit of their type. *error_r is
 * NULL if all is well (the value of the text `null` is NULL too), else a
 * constant sentence as above. The caller puts the value.
 */
struct json_object *json_read(const char *s, size_t n, const char **error_r);

/*
 * The canonical text of a value: members sorted by name, no white space. Two
 * texts with the same value have the same canonical text; numbers are compared
 * as they are written (1 is not 1.0).
 */
void json_canonical(struct json_object *value, struct buf *to);

#endif
