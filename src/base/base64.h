#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/*
 * base64url without padding (RFC 4648, 5; RFC 7515, 2).
 */

/* Room for the text of n bytes, with its end. */
#define BASE64URL_ROOM(n) ((n) / 3 * 4 + 5)

/* Decode n characters to `to`, which has room for n * 3 / 4 bytes. False:
 * another character is among them, or no text has this length. */
bool base64url_decode(const char *s, size_t n, void *to, size_t *len_r);

/* Encode n bytes; `to` has BASE64URL_ROOM(n). Returns the end of the text. */
char *base64url_encode(const void *bytes, size_t n, char *to);

#endif
