#ifndef WEB_TOKEN_H
#define WEB_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/rc.h"
#include "web/claims.h"

/*
 * What tokens are checked by: the settings CTT_JWT_* and CTT_ROLES_*, and the
 * keys. It remembers the tokens that were good. Many threads may use it at the
 * same time.
 */
struct verifier;

/* `cf` is kept, not copied. RC_ERROR: err holds one line that names the setting
 * at fault. */
enum rc verifier_open(const struct conf *cf, struct verifier **verifier_r,
		      char *err, size_t errlen);
void verifier_close(struct verifier *v);

/* Fetch the keys of CTT_JWT_JWKS_URL from now on, if it is set. */
void verifier_start(struct verifier *v);

/* Fetch them once. False: err tells why that does not work. */
bool verifier_try(struct verifier *v, char *err, size_t errlen);

/*
 * Judge the value of an Authorization header (NULL: there was none). Fills
 * *claims_r if it is good; else false, and *why_r is a sentence for log and
 * client, which tells nothing of the token and lives as long as the verifier.
 * It waits for the network only if the token is good but for its key, which is
 * not known and may be fetched.
 */
bool token_check(struct verifier *v, const char *authorization, int64_t now_s,
		 struct claims *claims_r, const char **why_r);

#endif
