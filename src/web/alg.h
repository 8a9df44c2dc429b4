#ifndef WEB_ALG_H
#define WEB_ALG_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

/* The algorithms of tokens' signatures (RFC 7518, 3.1; RFC 8037, 3.1). */
enum alg {
	ALG_HS256,
	ALG_RS256,
	ALG_PS256,
	ALG_ES256,
	ALG_EDDSA, /* on the curve Ed25519 */
	ALG__MAX
};

enum { SECRET_MIN = 32 }; /* of an HS256 key; RFC 7518, 3.2 */

/* A set of algorithms is a mask of these bits. */
#define ALG_BIT(alg) (1U << (alg))

/* The algorithm that has this name; ALG__MAX: none has. */
enum alg alg_find(const char *name);

/*
 * The algorithms of a setting, with commas between. 0: it names another one, or
 * HS256 beside others: a public key must never serve as a shared secret.
 */
unsigned algs_parse(const char *list);

/* The algorithms of the mask that this public key can verify. 0: *why_r is a
 * constant phrase that tells what would be right. */
unsigned algs_of_key(unsigned algs, EVP_PKEY *key, const char **why_r);

struct signature {
	const char *text; /* that was signed */
	size_t len;
	const unsigned char *bytes;
	size_t nbytes;
};

/* Did the owner of this public key sign the text, by this algorithm? The key is
 * one that algs_of_key() has passed. */
bool alg_verify(enum alg alg, EVP_PKEY *key, const struct signature *s);

/* Was the text signed with this secret (HS256)? */
bool hs256_verify(const unsigned char *secret, size_t len,
		  const struct signature *s);

enum { HS256_BYTES = 32 };
void hs256_sign(const unsigned char *secret, size_t len, const char *text,
		size_t n, unsigned char bytes_r[HS256_BYTES]);

#endif
