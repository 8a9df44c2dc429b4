#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A part of a JSON text, byte for byte. A partner's ticket has members of other
 * systems, which cttd sends back unchanged (contract section 9). A tree of
 * values would change them (numbers, repeated members).
 */
struct slice {
	const char *s; /* NULL: no slice */
	size_t n;
};

/*
 * Is the text one JSON value (RFC 8259) and nothing else? White space around it
 * does not count. Values must not nest deeper than JSON_NESTING. All functions
 * below require a part of a text that this function accepted.
 */
enum { JSON_NESTING = 256 };
bool json_is_whole(const char *s, size_t n);

/* The value without white space around it. */
struct slice json_value(const char *s, size_t n);

/* Is it an object ('{'), an array ('['), a string ('"')? */
bool json_is(struct slice value, char kind);

/* The value of an object's member. If the member is repeated, the last one
 * counts. No slice: there is no such member, or `object` is no object. */
struct slice json_member(struct slice object, const char *name);

/* Step through an array. *at is no slice at first. False: *at was the last. */
bool json_next(struct slice array, struct slice *at);

/* Is it a string with exactly this text? */
bool json_string_is(struct slice value, const char *text);

#endif
