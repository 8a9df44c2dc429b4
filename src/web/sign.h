#ifndef WEB_SIGN_H
#define WEB_SIGN_H

#include "base/conf.h"
#include "base/rc.h"

/*
 * Make an HS256 token, by the first key of CTT_JWT_KEY_FILE, that token_check
 * takes at `iat`. The caller frees *token_r. RC_NO when it would be refused
 * (err tells why), RC_ERROR for a bad key file.
 */
enum rc token_sign(const struct conf *cf, const char *sub,
		   const char *const *roles, size_t n, int64_t iat, int64_t exp,
		   char **token_r, char *err, size_t errlen);

#endif
