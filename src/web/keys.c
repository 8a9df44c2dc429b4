/*
 * web/keys.c - sets of keys that sign tokens, and the file that holds one
 */
#include "web/keys.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "web/jwk.h"

enum { FILE_MAX = 256 * 1024 };

static const char too_many[] = "more than 128 keys";

/* ---- a set ---- */

struct keys *keys_new(unsigned algs)
{
	static atomic_uint_fast64_t sets;
	struct keys *keys = calloc(1, sizeof *keys);

	if (!keys)
		arena_exhausted();
	keys->users = 1;
	keys->number = ++sets;
	keys->algs = algs;
	return keys;
}

struct keys *keys_use(struct keys *keys)
{
	atomic_fetch_add(&keys->users, 1);
	return keys;
}

void key_free(struct key *key)
{
	free(key->kid);
	EVP_PKEY_free(key->pkey);
	if (key->secret)
		explicit_bzero(key->secret, key->len);
	free(key->secret);
}

void keys_close(struct keys *keys)
{
	if (!keys || atomic_fetch_sub(&keys->users, 1) > 1)
		return;
	for (size_t i = 0; i < keys->n; i++)
		key_free(&keys->key[i]);
	free(keys);
}

bool keys_add(struct keys *keys, struct key *key)
{
	if (keys->n == KEYS_MAX) {
		key_free(key);
		return false;
	}
	keys->key[keys->n++] = *key;
	return true;
}

bool keys_add_copy(struct keys *keys, const struct key *key, int64_t until)
{
	struct key copy = {.algs = key->algs, .len = key->len, .until = until};

	if ((key->kid && !(copy.kid = strdup(key->kid))) ||
	    (key->secret && !(copy.secret = malloc(key->len))))
		arena_exhausted();
	if (key->secret)
		memcpy(copy.secret, key->secret, key->len);
	if (key->pkey && EVP_PKEY_up_ref(key->pkey))
		copy.pkey = key->pkey;
	return keys_add(keys, &copy);
}

static bool is_named(const struct key *key, const char *kid)
{
	return key->kid && kid && !strcmp(key->kid, kid);
}

static bool same_key(const struct key *a, const struct key *b)
{
	if (a->kid ? !is_named(b, a->kid) : b->kid != NULL)
		return false;
	if (a->pkey)
		return b->pkey && EVP_PKEY_eq(a->pkey, b->pkey) == 1;
	return !b->pkey && a->len == b->len &&
	       !CRYPTO_memcmp(a->secret, b->secret, a->len);
}

bool keys_have(const struct keys *keys, const struct key *key)
{
	for (size_t i = 0; i < keys->n; i++)
		if (same_key(&keys->key[i], key))
			return true;
	return false;
}

/* ---- the file ---- */

/* The file's bytes; an end is put behind them. */
static const char *file_read(const char *path, char *text, size_t *len_r)
{
	const char *error = NULL;
	FILE *f = fopen(path, "re");
	size_t len;

	if (!f)
		return strerror(errno);
	len = fread(text, 1, FILE_MAX + 1, f);
	if (ferror(f))
		error = strerror(errno);
	else if (len > FILE_MAX)
		error = "longer than 256 KiB";
	fclose(f);
	if (len && text[len - 1] == '\n')
		len--;
	if (len && text[len - 1] == '\r')
		len--;
	text[len] = '\0';
	*len_r = len;
	return error || len ? error : "empty";
}

/* Lines of printable ASCII; a secret of other bytes is one, newlines too. */
static bool is_lines(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] < 0x20 || text[i] > 0x7e) && text[i] != '\n')
			return false;
	return true;
}

static const char *add_secret(struct keys *keys, const char *s, size_t len)
{
	struct key *key;

	if (len < SECRET_MIN)
		return "shorter than 32 bytes";
	if (keys->n == KEYS_MAX)
		return too_many;
	key = &keys->key[keys->n++];
	*key = (struct key){.algs = ALG_BIT(ALG_HS256), .len = len};
	key->secret = malloc(len);
	if (!key->secret)
		arena_exhausted();
	memcpy(key->secret, s, len);
	return NULL;
}

static const char *add_secrets(struct keys *keys, const char *s, size_t len)
{
	bool lines = is_lines(s, len);
	const char *end = s + len, *error = NULL;

	/* A public key as a secret: everybody could sign. */
	if (strstr(s, "-----BEGIN"))
		return "a PEM file, but HS256 needs a shared secret";
	while (!error && s <= end) {
		const char *eol = lines ? strchr(s, '\n') : NULL;

		if (!eol)
			eol = end;
		error = add_secret(keys, s, (size_t)(eol - s));
		s = eol + 1;
	}
	return error;
}

static const char *add_pem(struct keys *keys, const char *s, size_t len)
{
	char no_passphrase[] = "";
	BIO *bio = BIO_new_mem_buf(s, (int)len);
	struct key key = {0};
	const char *error = NULL;

	if (!bio)
		arena_exhausted();
	key.pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, no_passphrase);
	BIO_free(bio);
	if (!key.pkey)
		error = "not a public key in PEM (BEGIN PUBLIC KEY)";
	else
		key.algs = algs_of_key(keys->algs, key.pkey, &error);
	if (key.algs)
		return keys_add(keys, &key) ? NULL : too_many;
	key_free(&key);
	return error;
}

static const char *add_pems(struct keys *keys, const char *s)
{
	static const char begin[] = "-----BEGIN";
	const char *error = NULL, *next;

	do {
		const char *own = strstr(s, begin);

		next = own ? strstr(own + 1, begin) : NULL;
		error = add_pem(keys, s, next ? (size_t)(next - s) : strlen(s));
		s = next;
	} while (!error && s);
	return error;
}

static const char *add_keys(struct keys *keys, const char *s, size_t len)
{
	struct json_object *set = jwk_set_parse(s, len);
	const char *error;

	if (set)
		error = jwk_set_add(keys, set);
	else if (keys->algs & ALG_BIT(ALG_HS256))
		error = add_secrets(keys, s, len);
	else
		error = add_pems(keys, s);
	json_object_put(set);
	ERR_clear_error(); /* or the next user of TLS would find it */
	return error;
}

enum rc keys_open(unsigned algs, const char *file, struct keys **keys_r,
		  char *err, size_t errlen)
{
	struct keys *keys = keys_new(algs);
	char *text = malloc(FILE_MAX + 2), behind[64] = "";
	const char *error;
	size_t len = 0;

	if (!text)
		arena_exhausted();
	error = file_read(file, text, &len);
	if (!error)
		error = add_keys(keys, text, len);
	explicit_bzero(text, FILE_MAX + 2);
	free(text);
	if (error) {
		if (keys->n)
			snprintf(behind, sizeof behind, "behind key %zu: ",
				 keys->n);
		snprintf(err, errlen, "CTT_JWT_KEY_FILE: %s: %s%s", file,
			 behind, error);
		keys_close(keys);
		return RC_ERROR;
	}
	*keys_r = keys;
	return RC_OK;
}

/* ---- signatures ---- */

static bool key_verify(const struct key *key, enum alg alg,
		       const struct signature *s)
{
	return key->pkey ? alg_verify(alg, key->pkey, s) :
			   hs256_verify(key->secret, key->len, s);
}

/* May this key have signed a token that names `kid`? A key without a kid (one
 * in PEM, a secret) may be any. */
static bool may_be(const struct key *key, enum alg alg, const char *kid,
		   int64_t now_s)
{
	return key->algs & ALG_BIT(alg) &&
	       (!key->until || now_s < key->until) &&
	       (!key->kid || !kid || !strcmp(key->kid, kid));
}

enum proof keys_verify(const struct keys *keys, enum alg alg, const char *kid,
		       const struct signature *s, int64_t now_s,
		       int64_t *until_r)
{
	bool tried = false, named = false, good = false;

	for (size_t i = 0; i < keys->n && !good; i++) {
		const struct key *key = &keys->key[i];

		if (!may_be(key, alg, kid, now_s))
			continue;
		tried = true;
		named = named || is_named(key, kid);
		good = key_verify(key, alg, s);
		*until_r = key->until;
	}
	ERR_clear_error(); /* or the next user of TLS would find it */
	return good  ? PROOF_GOOD :
	       named ? PROOF_BAD :
	       tried ? PROOF_NONE : PROOF_UNKNOWN;
}

char *keys_sign(const struct keys *keys, const char *claims)
{
	static const char head[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	size_t n = strlen(claims);
	char *token = malloc(BASE64URL_ROOM(sizeof head) + BASE64URL_ROOM(n) +
			     BASE64URL_ROOM(HS256_BYTES));
	unsigned char bytes[HS256_BYTES];
	char *at;

	if (!token)
		arena_exhausted();
	at = base64url_encode(head, sizeof head - 1, token);
	*at++ = '.';
	at = base64url_encode(claims, n, at);
	hs256_sign(keys->key[0].secret, keys->key[0].len, token,
		   (size_t)(at - token), bytes);
	*at++ = '.';
	base64url_encode(bytes, sizeof bytes, at);
	return token;
}
