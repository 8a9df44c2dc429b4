#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Parts of a JSON text, byte for byte. A partner's ticket has members that are
 * not ours and must go back unchanged (contract section 9). A tree of values
 * would not keep them (numbers, repeated members).
 */
struct slice {
	const char *s; /* NULL: there is none */
	size_t n;
};

/*
 * Is the text one JSON value (RFC 8259) and nothing else? White space around
 * it does not count. Values nest no deeper than JSON_NESTING. Every function
 * below wants a part of a text that passed here.
 */
enum { JSON_NESTING = 256 };
bool json_is_whole(const char *s, size_t n);

/* The value without white space around it. */
struct slice json_value(const char *s, size_t n);

/* Is it an object ('{'), an array ('['), a string ('"')? */
bool json_is(struct slice value, char kind);

/* The value of an object's member, of a repeated one the last; no slice if
 * there is none, or `object` is not an object. */
struct slice json_member(struct slice object, const char *name);

/* Step through an array: *at is empty at first. False: it was the last. */
bool json_next(struct slice array, struct slice *at);

/* Is it a string of exactly this text? */
bool json_string_is(struct slice value, const char *text);

#endif
