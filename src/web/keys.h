#ifndef WEB_KEYS_H
#define WEB_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/rc.h"

/* The keys that sign tokens, all of one kind: the setting CTT_JWT_ALG says
 * which. */
struct keys;

/*
 * `alg` is HS256 (the file holds a shared secret of 32 bytes or more; a newline
 * at its end is not part of it), RS256 or ES256 (a public key in PEM). While
 * keys are replaced the file holds two: two lines of printable ASCII, or one
 * PEM behind the other; either will do.
 * RC_ERROR: err holds one line that names the setting at fault.
 */
enum rc keys_open(const char *alg, const char *file, struct keys **keys_r,
		  char *err, size_t errlen);
void keys_close(struct keys *keys);

/* The only algorithm by which these keys sign, as a token's header names it. */
const char *keys_alg(const struct keys *keys);

/* Did one of the keys sign the token? Nothing else of the token is checked. */
bool keys_verify(const struct keys *keys, const char *token);

/* Make a token of these claims (JSON), by the first key, which must be a
 * secret. The caller frees it. NULL: they are not valid JSON. */
char *keys_sign(const struct keys *keys, const char *claims);

#endif
