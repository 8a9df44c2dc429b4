/*
 * web/alg.c - the signatures of tokens, verified by OpenSSL
 *
 * OpenSSL does all of the cryptography. This file knows the little that JOSE
 * adds: which key an algorithm takes, the salt of PS256, and the form of an
 * ES256 signature. HACKING ("Tokens") tells why no JOSE library is used.
 */
#include "web/alg.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "base/arena.h"

enum {
	RSA_BITS_MIN = 2048, /* RFC 7518, 3.3 */
	ES256_HALF = 32,     /* RFC 7518, 3.4 */
	ES256_DER = 80,      /* at most: two INTEGERs of 33 bytes, in a list */
};

/* ---- the keys that an algorithm takes ---- */

/* With an exponent of 1 everybody could sign. */
static bool is_rsa(EVP_PKEY *key)
{
	BIGNUM *e = NULL;
	bool good = EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
		    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) &&
		    BN_is_odd(e) && !BN_is_one(e);

	BN_free(e);
	return good;
}

static bool fits_rs256(EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "RSA") && is_rsa(key);
}

static bool fits_ps256(EVP_PKEY *key)
{
	return (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) &&
	       is_rsa(key);
}

static bool fits_es256(EVP_PKEY *key)
{
	char group[32] = "";

	EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
	return EVP_PKEY_is_a(key, "EC") && !strcmp(group, "prime256v1");
}

static bool fits_eddsa(EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519");
}

/* ---- signatures ---- */

/* The salt of PS256 is as long as its hash: RFC 7518, 3.5. */
static bool set_pss(EVP_PKEY_CTX *ctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(
		       ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool verify(EVP_PKEY *key, const EVP_MD *hash, bool pss,
		   const struct signature *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *of_key = NULL; /* belongs to ctx */
	bool good;

	if (!ctx)
		arena_exhausted();
	good = EVP_DigestVerifyInit(ctx, &of_key, hash, NULL, key) == 1 &&
	       (!pss || set_pss(of_key)) &&
	       EVP_DigestVerify(ctx, s->bytes, s->nbytes,
				(const unsigned char *)s->text, s->len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

static bool verify_rs256(EVP_PKEY *key, const struct signature *s)
{
	return verify(key, EVP_sha256(), false, s);
}

static bool verify_ps256(EVP_PKEY *key, const struct signature *s)
{
	return verify(key, EVP_sha256(), true, s);
}

static bool verify_eddsa(EVP_PKEY *key, const struct signature *s)
{
	return verify(key, NULL, false, s);
}

/* JOSE writes the two numbers one after the other; OpenSSL wants them in
 * DER. */
static int es256_to_der(const unsigned char *bytes, unsigned char *der)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(bytes, ES256_HALF, NULL);
	BIGNUM *s = BN_bin2bn(bytes + ES256_HALF, ES256_HALF, NULL);
	int n;

	if (!pair || !r || !s)
		arena_exhausted();
	ECDSA_SIG_set0(pair, r, s);
	n = i2d_ECDSA_SIG(pair, &der);
	ECDSA_SIG_free(pair);
	return n;
}

static bool verify_es256(EVP_PKEY *key, const struct signature *s)
{
	struct signature in_der = *s;
	unsigned char der[ES256_DER];
	int n;

	if (s->nbytes != 2 * ES256_HALF)
		return false;
	n = es256_to_der(s->bytes, der);
	in_der.bytes = der;
	in_der.nbytes = (size_t)n;
	return n > 0 && verify(key, EVP_sha256(), false, &in_der);
}

/* ---- the table ---- */

static const struct scheme {
	const char *name;
	/* NULL: the key is a shared secret */
	bool (*fits)(EVP_PKEY *key);
	const char *misfit; /* of a key that does not fit */
	bool (*verify)(EVP_PKEY *key, const struct signature *s);
} schemes[ALG__MAX] = {
	[ALG_HS256] = {"HS256", NULL, NULL, NULL},
	[ALG_RS256] = {"RS256", fits_rs256,
		       "not an RSA key of 2048 bits or more", verify_rs256},
	[ALG_PS256] = {"PS256", fits_ps256,
		       "not an RSA key of 2048 bits or more", verify_ps256},
	[ALG_ES256] = {"ES256", fits_es256, "not a key on the curve P-256",
		       verify_es256},
	[ALG_EDDSA] = {"EdDSA", fits_eddsa, "not a key on the curve Ed25519",
		       verify_eddsa},
};

static unsigned find(const char *name, size_t n)
{
	unsigned alg = 0;

	while (alg < ALG__MAX && (strlen(schemes[alg].name) != n ||
				  strncmp(schemes[alg].name, name, n) != 0))
		alg++;
	return alg;
}

enum alg alg_find(const char *name)
{
	return find(name, strlen(name));
}

unsigned algs_parse(const char *list)
{
	unsigned algs = 0, alg;

	for (;; list++) {
		list += strspn(list, " ");
		alg = find(list, strcspn(list, ", "));
		if (alg == ALG__MAX)
			return 0;
		algs |= ALG_BIT(alg);
		list += strcspn(list, ", ");
		list += strspn(list, " ");
		if (*list != ',')
			break;
	}
	return *list || (algs & ALG_BIT(ALG_HS256) &&
			 algs != ALG_BIT(ALG_HS256)) ? 0 : algs;
}

unsigned algs_of_key(unsigned algs, EVP_PKEY *key, const char **why_r)
{
	unsigned fit = 0;

	for (unsigned alg = 0; alg < ALG__MAX; alg++) {
		const struct scheme *scheme = &schemes[alg];

		if (!(algs & ALG_BIT(alg)) || !scheme->fits)
			continue;
		if (scheme->fits(key))
			fit |= ALG_BIT(alg);
		else
			*why_r = algs == ALG_BIT(alg) ? scheme->misfit :
				 "not a key for any algorithm of CTT_JWT_ALG";
	}
	return fit;
}

bool alg_verify(enum alg alg, EVP_PKEY *key, const struct signature *s)
{
	return schemes[alg].verify(key, s);
}

/* ---- secrets ---- */

void hs256_sign(const unsigned char *secret, size_t len, const char *text,
		size_t n, unsigned char bytes_r[HS256_BYTES])
{
	if (!HMAC(EVP_sha256(), secret, (int)len, (const unsigned char *)text,
		  n, bytes_r, NULL))
		arena_exhausted();
}

bool hs256_verify(const unsigned char *secret, size_t len,
		  const struct signature *s)
{
	unsigned char right[HS256_BYTES];

	hs256_sign(secret, len, s->text, s->len, right);
	return s->nbytes == sizeof right &&
	       !CRYPTO_memcmp(right, s->bytes, sizeof right);
}
