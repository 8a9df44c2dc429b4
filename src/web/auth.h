#ifndef WEB_AUTH_H
#define WEB_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

/* The keys that sign tokens, and the issuer and audience that tokens must
 * have. */
struct auth_keys;

/* The caller, and its roles. */
struct claims {
	char sub[129];
	size_t nroles;
	char roles[32][65];
};

/*
 * `alg` is HS256 (the key file holds a shared secret of 32 bytes or more; a
 * newline at its end is not part of it), RS256 or ES256 (a public key in
 * PEM). While keys are replaced the file holds two: two lines of printable
 * ASCII, or one PEM behind the other; either will do. `issuer` and `audience`
 * are kept, not copied; NULL or "" is none.
 * RC_FAULT: err holds one line that names the setting at fault.
 */
enum rc auth_open(const char *alg, const char *key_file, const char *issuer,
		  const char *audience, struct auth_keys **keys_r, char *err,
		  size_t errlen);
void auth_close(struct auth_keys *keys);

/*
 * Judge the value of an Authorization header (NULL: there was none). Fills
 * *claims_r if it is good; else false, and *why_r is a constant sentence for
 * log and client, which tells nothing of the token.
 */
bool auth_check(struct auth_keys *keys, const char *authorization,
		int64_t now_s, struct claims *claims_r, const char **why_r);

/*
 * Make an HS256 token, by the first key of the file, that auth_check takes at
 * `iat`. The caller frees *token_r. RC_NO when it would be refused (err tells
 * why), RC_FAULT for a bad key file.
 */
enum rc auth_sign(const char *alg_hs256_key_file, const char *sub,
		  const char *const *roles, size_t n, int64_t iat, int64_t exp,
		  const char *issuer, const char *audience, char **token_r,
		  char *err, size_t errlen);

#endif
