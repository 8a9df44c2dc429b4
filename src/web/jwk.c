/*
 * web/jwk.c - keys that are written as JSON (JWK: RFC 7517, RFC 7518, RFC 8037)
 */
#include "web/jwk.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/text.h"

enum {
	NUMBER_MAX = 2048, /* bytes of an RSA modulus, as OpenSSL has it */
	COORDINATE = 32,   /* bytes, on P-256 and on Ed25519 */
};

/* The bytes of a member. */
struct number {
	size_t n;
	unsigned char bytes[NUMBER_MAX];
};

static bool text_is(struct json_object *jwk, const char *name, const char *text)
{
	const char *value = json_text_of(jwk, name);

	return value && !strcmp(value, text);
}

static bool number_read(struct json_object *jwk, const char *name,
			struct number *number_r)
{
	const char *text = json_text_of(jwk, name);
	size_t n = text ? strlen(text) : 0;

	return n && n / 4 * 3 + 3 <= NUMBER_MAX &&
	       base64url_decode(text, n, number_r->bytes, &number_r->n);
}

/* ---- public keys ---- */

static EVP_PKEY *pkey_make(const char *type, OSSL_PARAM_BLD *members)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(members);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!params || !ctx)
		arena_exhausted();
	if (EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *rsa_read(struct json_object *jwk)
{
	OSSL_PARAM_BLD *members = OSSL_PARAM_BLD_new();
	BIGNUM *bn_n = NULL, *bn_e = NULL;
	struct number n, e;
	EVP_PKEY *key = NULL;

	if (!members)
		arena_exhausted();
	if (number_read(jwk, "n", &n) && number_read(jwk, "e", &e)) {
		bn_n = BN_bin2bn(n.bytes, (int)n.n, NULL);
		bn_e = BN_bin2bn(e.bytes, (int)e.n, NULL);
		OSSL_PARAM_BLD_push_BN(members, OSSL_PKEY_PARAM_RSA_N, bn_n);
		OSSL_PARAM_BLD_push_BN(members, OSSL_PKEY_PARAM_RSA_E, bn_e);
		key = pkey_make("RSA", members);
	}
	OSSL_PARAM_BLD_free(members);
	BN_free(bn_n);
	BN_free(bn_e);
	return key;
}

/* OpenSSL refuses a point that is not on the curve. */
static EVP_PKEY *p256_read(struct json_object *jwk)
{
	OSSL_PARAM_BLD *members = OSSL_PARAM_BLD_new();
	unsigned char point[1 + 2 * COORDINATE] = {
		POINT_CONVERSION_UNCOMPRESSED};
	struct number x, y;
	EVP_PKEY *key = NULL;

	if (!members)
		arena_exhausted();
	if (number_read(jwk, "x", &x) && x.n == COORDINATE &&
	    number_read(jwk, "y", &y) && y.n == COORDINATE) {
		memcpy(point + 1, x.bytes, COORDINATE);
		memcpy(point + 1 + COORDINATE, y.bytes, COORDINATE);
		OSSL_PARAM_BLD_push_utf8_string(members,
			OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
		OSSL_PARAM_BLD_push_octet_string(members,
			OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point);
		key = pkey_make("EC", members);
	}
	OSSL_PARAM_BLD_free(members);
	return key;
}

static EVP_PKEY *ed25519_read(struct json_object *jwk)
{
	struct number x;

	return number_read(jwk, "x", &x) && x.n == COORDINATE ?
	       EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.bytes,
					   x.n) : NULL;
}

/* ---- one JWK ---- */

static const struct form {
	const char *kty, *crv; /* crv is NULL where there is no such member */
	unsigned algs;
	EVP_PKEY *(*read)(struct json_object *jwk); /* NULL: it is a secret */
} forms[] = {
	{"RSA", NULL, ALG_BIT(ALG_RS256) | ALG_BIT(ALG_PS256), rsa_read},
	{"EC", "P-256", ALG_BIT(ALG_ES256), p256_read},
	{"OKP", "Ed25519", ALG_BIT(ALG_EDDSA), ed25519_read},
	{"oct", NULL, ALG_BIT(ALG_HS256), NULL},
};

static const struct form *form_of(struct json_object *jwk)
{
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (text_is(jwk, "kty", forms[i].kty) &&
		    (!forms[i].crv || text_is(jwk, "crv", forms[i].crv)))
			return &forms[i];
	return NULL;
}

/* Where the key says what it is for, that has to be signatures. */
static bool is_for_signatures(struct json_object *jwk)
{
	struct json_object *ops = NULL;

	if (json_object_object_get_ex(jwk, "use", NULL) &&
	    !text_is(jwk, "use", "sig"))
		return false;
	if (!json_object_object_get_ex(jwk, "key_ops", &ops))
		return true;
	if (!json_object_is_type(ops, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(ops); i++) {
		struct json_object *op = json_object_array_get_idx(ops, i);

		if (json_object_is_type(op, json_type_string) &&
		    !strcmp(json_object_get_string(op), "verify"))
			return true;
	}
	return false;
}

/* The algorithms for which it is: of those that its kind can do, its `alg`, or
 * all. */
static unsigned algs_of(struct json_object *jwk, const struct form *form)
{
	unsigned algs = form->algs;
	const char *alg = json_text_of(jwk, "alg");

	if (json_object_object_get_ex(jwk, "alg", NULL))
		algs &= alg ? ALG_BIT(alg_find(alg)) : 0;
	return algs;
}

static const char *public_read(struct json_object *jwk, const struct form *form,
			       unsigned algs, struct key *key)
{
	const char *error = "a JWK that is not a valid public key";

	if (json_object_object_get_ex(jwk, "d", NULL))
		return "a JWK with a private key, which belongs nowhere but "
		       "where tokens are signed";
	key->pkey = form->read(jwk);
	if (key->pkey)
		key->algs = algs_of_key(algs, key->pkey, &error);
	return key->algs ? NULL : error;
}

static const char *secret_read(struct json_object *jwk, unsigned algs,
			       struct key *key)
{
	const char *text = json_text_of(jwk, "k");
	size_t n = text ? strlen(text) : 0;

	key->algs = algs;
	key->secret = malloc(n + 1);
	if (!key->secret)
		arena_exhausted();
	if (!n || !base64url_decode(text, n, key->secret, &key->len))
		return "a JWK whose secret (k) is not base64url";
	return key->len < SECRET_MIN ? "shorter than 32 bytes" : NULL;
}

/* Fill the key. NULL, or what is wrong. A key that is not for us is left
 * without algorithms. */
static const char *jwk_read(struct json_object *jwk, unsigned algs,
			    struct key *key)
{
	const struct form *form = form_of(jwk);
	const char *kid = json_text_of(jwk, "kid");

	if (!json_object_is_type(jwk, json_type_object))
		return "a JWK set with something that is not a JWK";
	if (!form || !is_for_signatures(jwk))
		return NULL;
	algs &= algs_of(jwk, form);
	if (!algs)
		return NULL;
	if (json_object_object_get_ex(jwk, "kid", NULL) && !kid)
		return "a JWK whose kid is not a text";
	if (kid && !(key->kid = strdup(kid)))
		arena_exhausted();
	return form->read ? public_read(jwk, form, algs, key) :
			    secret_read(jwk, algs, key);
}

/* ---- a set ---- */

struct json_object *jwk_set_parse(const char *s, size_t n)
{
	const char *error;
	struct json_object *value, *set = NULL, *keys = NULL;

	if (s[strspn(s, " \t\r\n")] != '{')
		return NULL;
	value = json_read(s, n, &error);
	if (json_object_object_get_ex(value, "keys", &keys) &&
	    json_object_is_type(keys, json_type_array))
		set = json_object_get(keys);
	else if (json_text_of(value, "kty")) {
		set = json_object_new_array();
		json_object_array_add(set, json_object_get(value));
	}
	json_object_put(value);
	return set;
}

/* Add one JWK, unless it is not for us. */
static const char *jwk_add(struct keys *keys, struct json_object *jwk)
{
	struct key key = {0};
	const char *error = jwk_read(jwk, keys->algs, &key);

	if (!error && key.algs)
		return keys_add(keys, &key) ? NULL : "more than 128 keys";
	key_free(&key);
	return error;
}

const char *jwk_set_add(struct keys *keys, struct json_object *set)
{
	const char *error, *first = NULL;
	size_t before = keys->n;

	for (size_t i = 0; i < json_object_array_length(set); i++) {
		error = jwk_add(keys, json_object_array_get_idx(set, i));
		if (!first)
			first = error;
	}
	ERR_clear_error(); /* or the next user of TLS would find it */
	return first || keys->n > before ? first :
	       "a JWK set without a key for the algorithm of CTT_JWT_ALG";
}
