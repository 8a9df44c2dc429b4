#include "web/auth.h"

#include <errno.h>
#include <json-c/json.h>
#include <jwt.h>
#include <math.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/*
 * libjwt proves the signature and no more: it lets the token choose the
 * algorithm and looks at no claim. All else is done here.
 */

enum {
	TOKEN_MAX = 4096,
	KEY_MAX = 16 * 1024, /* the file */
	KEYS_MAX = 2,
	SECRET_MIN = 32,     /* RFC 7518, 3.2 */
	RSA_BITS_MIN = 2048, /* RFC 7518, 3.3 */
	PROVEN_MAX = 64,
	ROLES_MAX = sizeof((struct claims *)0)->roles /
		    sizeof((struct claims *)0)->roles[0],
};

struct key {
	const unsigned char *at; /* in auth_keys.text */
	size_t len;
};

/* The seconds in which a token is valid: [from, until). */
struct validity {
	double from, until;
};

/* A token whose signature held, by its hash; and what is in it, if its claims
 * were good at some time. */
struct proven {
	unsigned char hash[SHA256_DIGEST_LENGTH];
	bool has_claims;
	struct validity validity;
	struct claims claims;
};

struct auth_keys {
	jwt_alg_t alg;
	const char *issuer, *audience;
	size_t nkeys;
	struct key keys[KEYS_MAX]; /* either will do; the first one signs */
	size_t len;
	unsigned char text[KEY_MAX + 1];
	struct proven proven[PROVEN_MAX];
};

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"abcdefghijklmnopqrstuvwxyz0123456789-_";

static jwt_alg_t alg_find(const char *name)
{
	static const jwt_alg_t known[] = {JWT_ALG_HS256, JWT_ALG_RS256,
					  JWT_ALG_ES256};
	size_t i;

	for (i = 0; i < sizeof known / sizeof known[0]; i++)
		if (!strcmp(name, jwt_alg_str(known[i])))
			return known[i];
	return JWT_ALG_INVAL;
}

static const char *file_read(struct auth_keys *keys, const char *path)
{
	const char *fault = NULL;
	FILE *f = fopen(path, "re");

	if (!f)
		return strerror(errno);
	keys->len = fread(keys->text, 1, sizeof keys->text, f);
	if (ferror(f))
		fault = strerror(errno);
	else if (keys->len > KEY_MAX)
		fault = "longer than 16 KiB";
	fclose(f);
	if (keys->len && keys->text[keys->len - 1] == '\n') {
		keys->text[--keys->len] = '\0';
		if (keys->len && keys->text[keys->len - 1] == '\r')
			keys->text[--keys->len] = '\0';
	}
	if (!fault && !keys->len)
		fault = "empty";
	return fault;
}

static const char *secret_fault(const struct key *key)
{
	return key->len < SECRET_MIN ? "shorter than 32 bytes" : NULL;
}

static const char *public_fault(const struct key *pem, jwt_alg_t alg)
{
	char no_passphrase[] = "", group[32] = "";
	const char *fault = NULL;
	BIO *bio = BIO_new_mem_buf(pem->at, (int)pem->len);
	EVP_PKEY *key = NULL;

	if (bio)
		key = PEM_read_bio_PUBKEY(bio, NULL, NULL, no_passphrase);
	if (!key) {
		fault = "not a public key in PEM (BEGIN PUBLIC KEY)";
	} else if (alg == JWT_ALG_RS256) {
		if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
		    EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
			fault = "not an RSA key of 2048 bits or more";
	} else {
		EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
		if (strcmp(group, "prime256v1") != 0)
			fault = "not a key on the curve P-256";
	}
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return fault;
}

/* Lines of printable ASCII; a secret of other bytes is one, newlines too. */
static bool is_lines(const struct auth_keys *keys)
{
	size_t i;

	for (i = 0; i < keys->len; i++)
		if ((keys->text[i] < 0x20 || keys->text[i] > 0x7e) &&
		    keys->text[i] != '\n')
			return false;
	return true;
}

/* Where the next key begins behind the one at `at`, or NULL. */
static const unsigned char *next_key(const struct auth_keys *keys,
				     const unsigned char *at)
{
	static const char begin[] = "-----BEGIN";
	const char *own = strstr((const char *)at, begin), *end = NULL;

	if (keys->alg == JWT_ALG_HS256)
		end = is_lines(keys) ? strchr((const char *)at, '\n') : NULL;
	else if (own)
		end = strstr(own + 1, begin);
	return (const unsigned char *)end;
}

/* One key, or two while keys are replaced: two lines, or two in PEM. */
static const char *keys_find(struct auth_keys *keys)
{
	bool secret = keys->alg == JWT_ALG_HS256;
	const unsigned char *at = keys->text, *next;
	const char *fault = NULL;

	/* A public key as a secret: everybody could sign. */
	if (secret && strstr((const char *)at, "-----BEGIN"))
		return "a PEM file, but HS256 needs a shared secret";
	do {
		struct key *key = &keys->keys[keys->nkeys++];

		next = next_key(keys, at);
		key->at = at;
		key->len = (size_t)((next ? next : keys->text + keys->len) - at);
		fault = secret ? secret_fault(key) :
				 public_fault(key, keys->alg);
		if (next)
			at = next + (secret ? 1 : 0); /* without its newline */
	} while (!fault && next && keys->nkeys < KEYS_MAX);
	return !fault && next ? "more than one other" : fault;
}

enum rc auth_open(const char *alg, const char *key_file, const char *issuer,
		  const char *audience, struct auth_keys **keys_r, char *err,
		  size_t errlen)
{
	struct auth_keys *keys = calloc(1, sizeof *keys);
	const char *fault;
	enum rc rc = RC_FAULT;

	if (!keys) {
		snprintf(err, errlen, "no memory for CTT_JWT_KEY_FILE");
		goto out;
	}
	keys->alg = alg_find(alg);
	keys->issuer = issuer ? issuer : "";
	keys->audience = audience ? audience : "";
	if (keys->alg == JWT_ALG_INVAL) {
		snprintf(err, errlen,
			 "CTT_JWT_ALG must be HS256, RS256 or ES256");
		goto out;
	}
	fault = file_read(keys, key_file);
	if (!fault)
		fault = keys_find(keys);
	if (fault) {
		snprintf(err, errlen, "CTT_JWT_KEY_FILE: %s: %s%s", key_file,
			 keys->nkeys > 1 ? "behind the first key: " : "",
			 fault);
		goto out;
	}
	*keys_r = keys;
	keys = NULL; /* the caller owns it now */
	rc = RC_OK;
out:
	auth_close(keys);
	return rc;
}

void auth_close(struct auth_keys *keys)
{
	if (!keys)
		return;
	explicit_bzero(keys->text, sizeof keys->text);
	free(keys);
}

static bool is_three_segments(const char *token)
{
	int i;

	for (i = 0; i < 3; i++) {
		size_t n = strspn(token, base64url);

		if (n == 0 || n % 4 == 1 || token[n] != ".."[i])
			return false;
		token += n + 1;
	}
	return true;
}

/* Read a segment's JSON; NULL where there is none. The caller puts it. */
static struct json_object *segment_read(const char *s)
{
	char text[TOKEN_MAX];
	const char *fault, *digit;
	unsigned bits = 0;
	size_t len = 0, i;

	for (i = 0; *s && (digit = strchr(base64url, *s)); i++, s++) {
		bits = bits << 6 | (unsigned)(digit - base64url);
		if (i % 4)
			text[len++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	return json_read(text, len, &fault);
}

static bool text_is(struct json_object *value, const char *wanted)
{
	return json_object_is_type(value, json_type_string) &&
	       !strcmp(json_object_get_string(value), wanted);
}

/* Before libjwt may see it: only our algorithm, and no extension. */
static const char *head_fault(const struct auth_keys *keys,
			      struct json_object *head)
{
	struct json_object *alg = NULL, *typ = NULL;

	if (!json_object_is_type(head, json_type_object))
		return "The token's header is not a JSON object.";
	if (json_object_object_get_ex(head, "crit", NULL))
		return "The token needs extensions (crit) that are not known.";
	json_object_object_get_ex(head, "alg", &alg);
	if (!text_is(alg, jwt_alg_str(keys->alg)))
		return "The token is not signed with the algorithm in use.";
	if (json_object_object_get_ex(head, "typ", &typ) &&
	    (!json_object_is_type(typ, json_type_string) ||
	     strcasecmp(json_object_get_string(typ), "JWT") != 0))
		return "The token's typ is not JWT."; /* libjwt insists */
	return NULL;
}

static bool is_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) ||
	       json_object_is_type(value, json_type_double);
}

static const char *validity_read(struct json_object *body, struct validity *v)
{
	struct json_object *exp = NULL, *nbf = NULL;

	json_object_object_get_ex(body, "exp", &exp);
	if (!is_number(exp))
		return "The token has no exp that is a number.";
	v->until = json_object_get_double(exp);
	v->from = -HUGE_VAL;
	if (!json_object_object_get_ex(body, "nbf", &nbf))
		return NULL;
	if (!is_number(nbf))
		return "The token's nbf is not a number.";
	v->from = json_object_get_double(nbf);
	return NULL;
}

static const char *time_fault(const struct validity *v, int64_t now_s)
{
	if (!((double)now_s < v->until))
		return "The token has expired.";
	if (!((double)now_s >= v->from))
		return "The token is not valid yet.";
	return NULL;
}

static bool audience_has(struct json_object *aud, const char *wanted)
{
	size_t i;

	if (!json_object_is_type(aud, json_type_array))
		return text_is(aud, wanted);
	for (i = 0; i < json_object_array_length(aud); i++)
		if (text_is(json_object_array_get_idx(aud, i), wanted))
			return true;
	return false;
}

static const char *party_fault(const struct auth_keys *keys,
			       struct json_object *body)
{
	struct json_object *iss = NULL, *aud = NULL;
	bool has_aud = json_object_object_get_ex(body, "aud", &aud);

	json_object_object_get_ex(body, "iss", &iss);
	if (*keys->issuer && !text_is(iss, keys->issuer))
		return "The token is from another issuer.";
	if (*keys->audience ? !audience_has(aud, keys->audience) : has_aud)
		return "The token is for another audience.";
	return NULL;
}

/* Copy a text of 1 to size - 1 bytes that has no control characters. */
static bool text_keep(struct json_object *value, char *to, size_t size)
{
	const char *s;
	size_t n, i;

	if (!json_object_is_type(value, json_type_string))
		return false;
	s = json_object_get_string(value);
	n = (size_t)json_object_get_string_len(value);
	if (n < 1 || n >= size)
		return false;
	for (i = 0; i < n; i++)
		if (text_is_control(s + i))
			return false;
	memcpy(to, s, n + 1);
	return true;
}

static const char *roles_keep(struct json_object *body, struct claims *c)
{
	static const char fault[] =
		"The token's roles are not an array of at most 32 short texts.";
	struct json_object *roles = NULL;
	size_t n, i;

	if (!json_object_object_get_ex(body, "roles", &roles))
		return NULL;
	if (!json_object_is_type(roles, json_type_array))
		return fault;
	n = json_object_array_length(roles);
	if (n > ROLES_MAX)
		return fault;
	for (i = 0; i < n; i++)
		if (!text_keep(json_object_array_get_idx(roles, i),
			       c->roles[i], sizeof c->roles[i]))
			return fault;
	c->nroles = n;
	return NULL;
}

static const char *body_fault(const struct auth_keys *keys,
			      struct json_object *body, int64_t now_s,
			      struct validity *v, struct claims *c)
{
	struct json_object *sub = NULL;
	const char *fault;

	if (!json_object_is_type(body, json_type_object))
		return "The token's claims are not a JSON object.";
	if ((fault = validity_read(body, v)))
		return fault;
	if ((fault = time_fault(v, now_s)))
		return fault;
	if ((fault = party_fault(keys, body)))
		return fault;
	json_object_object_get_ex(body, "sub", &sub);
	if (!text_keep(sub, c->sub, sizeof c->sub))
		return "The token has no sub that is a text of 1 to 128 bytes.";
	return roles_keep(body, c);
}

/* Does the signature hold? A public key costs libjwt half a millisecond. */
static bool is_signed(const struct auth_keys *keys, const char *token)
{
	bool good = false;
	size_t i;

	for (i = 0; i < keys->nkeys && !good; i++) {
		const struct key *key = &keys->keys[i];
		jwt_t *jwt = NULL;

		good = !jwt_decode(&jwt, token, key->at, (int)key->len) &&
		       jwt_get_alg(jwt) == keys->alg;
		jwt_free(jwt);
	}
	ERR_clear_error(); /* or the next user of TLS would find it */
	return good;
}

static const char *token_fault(struct auth_keys *keys, const char *token,
			       int64_t now_s, struct claims *c)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct json_object *head, *body;
	struct proven *known;
	const char *fault;

	memset(c, 0, sizeof *c);
	if (strlen(token) > TOKEN_MAX)
		return "The token is longer than 4 KiB.";
	/* What was found once stays true of the same bytes, but for the hour. */
	SHA256((const unsigned char *)token, strlen(token), hash);
	known = &keys->proven[hash[0] % PROVEN_MAX];
	if (memcmp(known->hash, hash, sizeof hash) != 0) {
		if (!is_three_segments(token))
			return "The token is not a JWT of three parts.";
		head = segment_read(token);
		fault = head_fault(keys, head);
		json_object_put(head);
		if (fault)
			return fault;
		if (!is_signed(keys, token))
			return "The token's signature does not hold.";
		memcpy(known->hash, hash, sizeof hash);
		known->has_claims = false;
	}
	if (!known->has_claims) {
		memset(&known->claims, 0, sizeof known->claims);
		body = segment_read(strchr(token, '.') + 1);
		fault = body_fault(keys, body, now_s, &known->validity,
				   &known->claims);
		json_object_put(body);
		if (fault)
			return fault;
		known->has_claims = true;
	}
	*c = known->claims;
	return time_fault(&known->validity, now_s);
}

bool auth_check(struct auth_keys *keys, const char *authorization,
		int64_t now_s, struct claims *claims_r, const char **why_r)
{
	const char *token = authorization;

	if (!token || strncasecmp(token, "Bearer ", 7) != 0) {
		*why_r = "There is no bearer token.";
		return false;
	}
	for (token += 7; *token == ' '; token++)
		;
	*why_r = token_fault(keys, token, now_s, claims_r);
	return !*why_r;
}

static void put_text(struct json_object *body, const char *name,
		     const char *value)
{
	if (*value)
		json_object_object_add(body, name,
				       json_object_new_string(value));
}

static struct json_object *body_make(const struct auth_keys *keys,
				     const char *sub, const char *const *roles,
				     size_t n, int64_t iat, int64_t exp)
{
	struct json_object *body = json_object_new_object();
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_object_array_add(array, json_object_new_string(roles[i]));
	put_text(body, "sub", sub);
	json_object_object_add(body, "roles", array);
	json_object_object_add(body, "iat", json_object_new_int64(iat));
	json_object_object_add(body, "exp", json_object_new_int64(exp));
	put_text(body, "iss", keys->issuer);
	put_text(body, "aud", keys->audience);
	return body;
}

enum rc auth_sign(const char *alg_hs256_key_file, const char *sub,
		  const char *const *roles, size_t n, int64_t iat, int64_t exp,
		  const char *issuer, const char *audience, char **token_r,
		  char *err, size_t errlen)
{
	struct json_object *body = NULL;
	struct auth_keys *keys = NULL;
	struct claims claims;
	const char *fault = "A name in it is not valid UTF-8.";
	char *token = NULL;
	jwt_t *jwt = NULL;
	enum rc rc = auth_open("HS256", alg_hs256_key_file, issuer, audience,
			       &keys, err, errlen);

	if (rc != RC_OK)
		goto out;
	body = body_make(keys, sub, roles, n, iat, exp);
	rc = RC_NO;
	if (!jwt_new(&jwt) &&
	    !jwt_add_grants_json(jwt, json_object_to_json_string(body)) &&
	    !jwt_set_alg(jwt, keys->alg, keys->keys[0].at,
			 (int)keys->keys[0].len) &&
	    (token = jwt_encode_str(jwt)))
		fault = token_fault(keys, token, iat, &claims);
	if (fault) {
		snprintf(err, errlen, "no token was made: %s", fault);
		goto out;
	}
	*token_r = token;
	token = NULL; /* the caller owns it now */
	rc = RC_OK;
out:
	free(token);
	jwt_free(jwt);
	json_object_put(body);
	auth_close(keys);
	return rc;
}
