#ifndef WEB_KEYS_H
#define WEB_KEYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "web/alg.h"

enum { KEYS_MAX = 128 };

/* A key that signs tokens: a public key, or a secret. */
struct key {
	char *kid;      /* NULL: it has none, and may be any       */
	unsigned algs;  /* by which it may sign, and by no other   */
	EVP_PKEY *pkey; /* NULL: it is a secret                    */
	unsigned char *secret;
	size_t len;
	int64_t until; /* from then on (in seconds since 1970) it
			* does not count any more; 0: it always does */
};

void key_free(struct key *key); /* what it holds, not itself */

/*
 * A set of keys. It is filled by one thread; after that it never changes, and
 * many threads may use it. Another set takes its place (web/jwks.h). It is
 * freed when its last user has closed it.
 */
struct keys {
	atomic_uint users;
	uint64_t number; /* each set has its own */
	unsigned algs;   /* of the setting */
	size_t n;
	struct key key[KEYS_MAX];
};

struct keys *keys_new(unsigned algs);
struct keys *keys_use(struct keys *keys); /* one user more: the same set */
void keys_close(struct keys *keys);

/* Add a key, which then belongs to the set. False: the set is full, and the
 * key is freed. */
bool keys_add(struct keys *keys, struct key *key);

/* Add the same key once more, until then. */
bool keys_add_copy(struct keys *keys, const struct key *key, int64_t until);

/* Has the set this very key, under this kid? */
bool keys_have(const struct keys *keys, const struct key *key);

/*
 * Read CTT_JWT_KEY_FILE. It holds a JWK set (or one JWK); for HS256 else one
 * secret of 32 bytes or more, or several, a line of printable ASCII each; for
 * the others public keys in PEM, one after the other. A newline at its end is
 * not part of it. RC_ERROR: err holds one line that names the setting.
 */
enum rc keys_open(unsigned algs, const char *file, struct keys **keys_r,
		  char *err, size_t errlen);

enum proof {
	PROOF_GOOD,    /* one of the keys signed it                      */
	PROOF_BAD,     /* the key that it names did not sign it          */
	PROOF_NONE,    /* it names no key that is known; no key signed it */
	PROOF_UNKNOWN, /* it names a key that is not known               */
};

/* Did one of the keys sign this, by this algorithm? `kid` is NULL where the
 * token names no key. *until_r is the key's. */
enum proof keys_verify(const struct keys *keys, enum alg alg, const char *kid,
		       const struct signature *s, int64_t now_s,
		       int64_t *until_r);

/* Make a token of these claims (JSON), by the first key, which must be a
 * secret. The caller frees it. */
char *keys_sign(const struct keys *keys, const char *claims);

#endif
