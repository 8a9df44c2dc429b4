/*
 * web/keys.c - the keys that sign tokens: the kinds of keys, the file that
 * holds them, and signatures
 */
#include "web/keys.h"

#include <errno.h>
#include <jwt.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILE_MAX = 16 * 1024,
	KEYS_MAX = 2,
	SECRET_MIN = 32,     /* RFC 7518, 3.2 */
	RSA_BITS_MIN = 2048, /* RFC 7518, 3.3 */
};

/* A kind of key: the one algorithm by which it signs. */
struct key_kind {
	jwt_alg_t alg;
	/* Why it is not a public key of this kind; NULL: it is one. A kind
	 * without it is a shared secret. */
	const char *(*public_error)(EVP_PKEY *key);
};

struct key {
	const unsigned char *at; /* in keys.text */
	size_t len;
};

struct keys {
	const struct key_kind *kind;
	size_t n;
	struct key key[KEYS_MAX]; /* either will do; the first one signs */
	size_t len;
	unsigned char text[FILE_MAX + 1];
};

/* ---- the kinds ---- */

static const char *rsa_error(EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
	       EVP_PKEY_get_bits(key) >= RSA_BITS_MIN ? NULL :
	       "not an RSA key of 2048 bits or more";
}

static const char *p256_error(EVP_PKEY *key)
{
	char group[32] = "";

	EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
	return strcmp(group, "prime256v1") ? "not a key on the curve P-256" :
					     NULL;
}

static const struct key_kind kinds[] = {
	{JWT_ALG_HS256, NULL},
	{JWT_ALG_RS256, rsa_error},
	{JWT_ALG_ES256, p256_error},
};

static const struct key_kind *kind_find(const char *alg)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (!strcmp(alg, jwt_alg_str(kinds[i].alg)))
			return &kinds[i];
	return NULL;
}

static bool is_secret(const struct key_kind *kind)
{
	return !kind->public_error;
}

static const char *secret_error(const struct key *key)
{
	return key->len < SECRET_MIN ? "shorter than 32 bytes" : NULL;
}

static const char *pem_error(const struct key *pem, const struct key_kind *kind)
{
	char no_passphrase[] = "";
	BIO *bio = BIO_new_mem_buf(pem->at, (int)pem->len);
	EVP_PKEY *key = NULL;
	const char *error;

	if (bio)
		key = PEM_read_bio_PUBKEY(bio, NULL, NULL, no_passphrase);
	error = key ? kind->public_error(key) :
		      "not a public key in PEM (BEGIN PUBLIC KEY)";
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return error;
}

static const char *key_error(const struct key *key, const struct key_kind *kind)
{
	return is_secret(kind) ? secret_error(key) : pem_error(key, kind);
}

/* ---- the file ---- */

static const char *file_read(struct keys *keys, const char *path)
{
	const char *error = NULL;
	FILE *f = fopen(path, "re");

	if (!f)
		return strerror(errno);
	keys->len = fread(keys->text, 1, sizeof keys->text, f);
	if (ferror(f))
		error = strerror(errno);
	else if (keys->len > FILE_MAX)
		error = "longer than 16 KiB";
	fclose(f);
	if (keys->len && keys->text[keys->len - 1] == '\n') {
		keys->text[--keys->len] = '\0';
		if (keys->len && keys->text[keys->len - 1] == '\r')
			keys->text[--keys->len] = '\0';
	}
	if (!error && !keys->len)
		error = "empty";
	return error;
}

/* Lines of printable ASCII; a secret of other bytes is one, newlines too. */
static bool is_lines(const struct keys *keys)
{
	size_t i;

	for (i = 0; i < keys->len; i++)
		if ((keys->text[i] < 0x20 || keys->text[i] > 0x7e) &&
		    keys->text[i] != '\n')
			return false;
	return true;
}

/* Where the next key begins behind the one at `at`, or NULL. */
static const unsigned char *next_key(const struct keys *keys,
				     const unsigned char *at)
{
	static const char begin[] = "-----BEGIN";
	const char *own = strstr((const char *)at, begin), *end = NULL;

	if (is_secret(keys->kind))
		end = is_lines(keys) ? strchr((const char *)at, '\n') : NULL;
	else if (own)
		end = strstr(own + 1, begin);
	return (const unsigned char *)end;
}

/* One key, or two while keys are replaced: two lines, or two in PEM. */
static const char *keys_find(struct keys *keys)
{
	bool secret = is_secret(keys->kind);
	const unsigned char *at = keys->text, *next;
	const char *error = NULL;

	/* A public key as a secret: everybody could sign. */
	if (secret && strstr((const char *)at, "-----BEGIN"))
		return "a PEM file, but HS256 needs a shared secret";
	do {
		struct key *key = &keys->key[keys->n++];

		next = next_key(keys, at);
		key->at = at;
		key->len = (size_t)((next ? next : keys->text + keys->len) - at);
		error = key_error(key, keys->kind);
		if (next)
			at = next + (secret ? 1 : 0); /* without its newline */
	} while (!error && next && keys->n < KEYS_MAX);
	return !error && next ? "more than one other" : error;
}

enum rc keys_open(const char *alg, const char *file, struct keys **keys_r,
		  char *err, size_t errlen)
{
	struct keys *keys = calloc(1, sizeof *keys);
	const char *error;
	enum rc rc = RC_ERROR;

	if (!keys) {
		snprintf(err, errlen, "no memory for CTT_JWT_KEY_FILE");
		goto out;
	}
	keys->kind = kind_find(alg);
	if (!keys->kind) {
		snprintf(err, errlen,
			 "CTT_JWT_ALG must be HS256, RS256 or ES256");
		goto out;
	}
	error = file_read(keys, file);
	if (!error)
		error = keys_find(keys);
	if (error) {
		snprintf(err, errlen, "CTT_JWT_KEY_FILE: %s: %s%s", file,
			 keys->n > 1 ? "behind the first key: " : "", error);
		goto out;
	}
	*keys_r = keys;
	keys = NULL; /* the caller owns it now */
	rc = RC_OK;
out:
	keys_close(keys);
	return rc;
}

void keys_close(struct keys *keys)
{
	if (!keys)
		return;
	explicit_bzero(keys->text, sizeof keys->text);
	free(keys);
}

/* ---- signatures ---- */

const char *keys_alg(const struct keys *keys)
{
	return jwt_alg_str(keys->kind->alg);
}

/* A public key costs libjwt half a millisecond. */
bool keys_verify(const struct keys *keys, const char *token)
{
	bool good = false;

	for (size_t i = 0; i < keys->n && !good; i++) {
		const struct key *key = &keys->key[i];
		jwt_t *jwt = NULL;

		good = !jwt_decode(&jwt, token, key->at, (int)key->len) &&
		       jwt_get_alg(jwt) == keys->kind->alg;
		jwt_free(jwt);
	}
	ERR_clear_error(); /* or the next user of TLS would find it */
	return good;
}

char *keys_sign(const struct keys *keys, const char *claims)
{
	char *token = NULL;
	jwt_t *jwt = NULL;

	if (!jwt_new(&jwt) && !jwt_add_grants_json(jwt, claims) &&
	    !jwt_set_alg(jwt, keys->kind->alg, keys->key[0].at,
			 (int)keys->key[0].len))
		token = jwt_encode_str(jwt);
	jwt_free(jwt);
	return token;
}
