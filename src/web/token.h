#ifndef WEB_TOKEN_H
#define WEB_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

/* What tokens are checked by: the keys (web/keys.h), and the issuer and
 * audience that tokens must have. It remembers the tokens that were good. */
struct verifier;

/* The caller, and its roles. */
struct claims {
	char sub[129];
	size_t nroles;
	char roles[32][65];
};

/* `alg` and `key_file` as in keys_open. `issuer` and `audience` are kept, not
 * copied; NULL or "" is none. RC_ERROR: err holds one line that names the
 * setting at fault. */
enum rc verifier_open(const char *alg, const char *key_file, const char *issuer,
		      const char *audience, struct verifier **verifier_r,
		      char *err, size_t errlen);
void verifier_close(struct verifier *v);

/*
 * Judge the value of an Authorization header (NULL: there was none). Fills
 * *claims_r if it is good; else false, and *why_r is a constant sentence for
 * log and client, which tells nothing of the token.
 */
bool token_check(struct verifier *v, const char *authorization, int64_t now_s,
		 struct claims *claims_r, const char **why_r);

/* Has the caller one of these roles (a setting, with commas between them)? */
bool claims_have_role(const struct claims *c, const char *roles);

/*
 * Make an HS256 token, by the first key of the file, that token_check takes at
 * `iat`. The caller frees *token_r. RC_NO when it would be refused (err tells
 * why), RC_ERROR for a bad key file.
 */
enum rc token_sign(const char *hs256_key_file, const char *sub,
		   const char *const *roles, size_t n, int64_t iat, int64_t exp,
		   const char *issuer, const char *audience, char **token_r,
		   char *err, size_t errlen);

#endif
