#ifndef WEB_JWKS_H
#define WEB_JWKS_H

#include "base/conf.h"
#include "web/keys.h"

/*
 * The provider's keys (CTT_JWT_JWKS_URL), kept up to date by a thread of their
 * own. It is the only one that waits for the network. Any number of threads may
 * use the rest at the same time.
 */
struct jwks;

/* `fixed` are the keys of CTT_JWT_KEY_FILE, which always count too; NULL:
 * there are none. RC_ERROR: err holds one line that names the setting. */
enum rc jwks_open(const struct conf *cf, unsigned algs, struct keys *fixed,
		  struct jwks **jwks_r, char *err, size_t errlen);
void jwks_close(struct jwks *jwks);

/* Start the thread. Until then only `fixed` are known. */
void jwks_start(struct jwks *jwks);

/* Fetch once, in this thread. False: err tells why it did not work. */
bool jwks_try(struct jwks *jwks, char *err, size_t errlen);

/* The keys that are known now; the caller closes them. */
struct keys *jwks_keys(struct jwks *jwks);

/*
 * A good token was signed by none of `known`: wait for newer keys, if they are
 * being fetched, or may be fetched (at most once in 30 s for this cause).
 * False: there are none.
 */
bool jwks_wait(struct jwks *jwks, const struct keys *known);

/* A set of the keys of `fixed` (or NULL) and of `fresh`. A key of `old` that is
 * in neither is kept until `keep_s` after it was last there. */
struct keys *jwks_merge(const struct keys *fixed, const struct keys *fresh,
			const struct keys *old, int64_t now_s, int64_t keep_s);

#endif
