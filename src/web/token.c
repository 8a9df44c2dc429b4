/*
 * web/token.c - a caller's token (a JWT): parsed, and its signature verified
 */
#include "web/token.h"

#include <json-c/json.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/text.h"
#include "web/jwks.h"
#include "web/keys.h"

enum {
	TOKEN_MAX = 8192, /* as long as nginx lets a header be */
	PROVEN_MAX = 64,
};

/* A token that was good, by its hash. It has to be proven again if there are
 * other keys. */
struct proven {
	unsigned char hash[SHA256_DIGEST_LENGTH];
	uint64_t keys; /* the number of the set */
	struct validity validity;
	struct claims claims;
};

struct verifier {
	struct claim_rules rules;
	unsigned algs;
	struct keys *keys; /* of CTT_JWT_KEY_FILE, or NULL */
	struct jwks *jwks; /* NULL: there is no URL         */
	pthread_mutex_t lock; /* for what is proven */
	struct proven proven[PROVEN_MAX];
};

/* ---- open, close ---- */

static enum rc open_keys(struct verifier *v, const struct conf *cf, char *err,
			 size_t errlen)
{
	enum rc rc = RC_OK;

	v->algs = algs_parse(cf->jwt_alg);
	if (!v->algs) {
		snprintf(err, errlen, "CTT_JWT_ALG must be HS256, or one or "
			 "more of RS256, PS256, ES256 and EdDSA");
		return RC_ERROR;
	}
	if (!*cf->jwt_key_file && !*cf->jwt_jwks_url) {
		snprintf(err, errlen, "CTT_JWT_KEY_FILE: is not set, nor is "
			 "CTT_JWT_JWKS_URL");
		return RC_ERROR;
	}
	if (*cf->jwt_key_file)
		rc = keys_open(v->algs, cf->jwt_key_file, &v->keys, err,
			       errlen);
	if (rc == RC_OK && *cf->jwt_jwks_url)
		rc = jwks_open(cf, v->algs, v->keys, &v->jwks, err, errlen);
	return rc;
}

enum rc verifier_open(const struct conf *cf, struct verifier **verifier_r,
		      char *err, size_t errlen)
{
	struct verifier *v = calloc(1, sizeof *v);
	enum rc rc;

	if (!v)
		arena_exhausted();
	pthread_mutex_init(&v->lock, NULL);
	claim_rules_make(&v->rules, cf);
	rc = open_keys(v, cf, err, errlen);
	if (rc != RC_OK)
		goto out;
	*verifier_r = v;
	v = NULL; /* the caller owns it now */
out:
	verifier_close(v);
	return rc;
}

void verifier_close(struct verifier *v)
{
	if (!v)
		return;
	jwks_close(v->jwks);
	keys_close(v->keys);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

void verifier_start(struct verifier *v)
{
	if (v->jwks)
		jwks_start(v->jwks);
}

bool verifier_try(struct verifier *v, char *err, size_t errlen)
{
	return !v->jwks || jwks_try(v->jwks, err, errlen);
}

static struct keys *keys_now(struct verifier *v)
{
	return v->jwks ? jwks_keys(v->jwks) : keys_use(v->keys);
}

/* ---- the parts of a token ---- */

/* A token of three parts, in base64url. */
struct parts {
	const char *token;
	const char *body, *sign;
	size_t headlen, bodylen, signlen;
	/* of the head */
	enum alg alg;
	struct json_object *head; /* where kid is */
	const char *kid;          /* NULL: there is none */
};

static bool parts_find(const char *token, struct parts *p)
{
	const char *dot = strchr(token, '.');
	const char *second = dot ? strchr(dot + 1, '.') : NULL;

	if (!second)
		return false;
	*p = (struct parts){
		.token = token, .headlen = (size_t)(dot - token),
		.body = dot + 1, .bodylen = (size_t)(second - dot - 1),
		.sign = second + 1, .signlen = strlen(second + 1),
	};
	return p->headlen && p->bodylen && p->signlen;
}

/* Read a part's JSON; NULL where there is none. The caller puts it. */
static struct json_object *part_read(const char *s, size_t n)
{
	char text[TOKEN_MAX];
	const char *error;
	size_t len;

	return base64url_decode(s, n, text, &len) ?
	       json_read(text, len, &error) : NULL;
}

/* The kinds of tokens that are access tokens; others (such as logout+jwt) are
 * signed by the same keys, for other ends. */
static bool is_access_token(struct json_object *head)
{
	const char *typ = json_text_of(head, "typ");

	if (!json_object_object_get_ex(head, "typ", NULL))
		return true;
	return typ && (!strcasecmp(typ, "JWT") || !strcasecmp(typ, "at+jwt") ||
		       !strcasecmp(typ, "application/at+jwt"));
}

static const char *head_error(const struct verifier *v, struct parts *p)
{
	const char *alg = json_text_of(p->head, "alg");

	if (!json_object_is_type(p->head, json_type_object))
		return "The token's header is not a JSON object.";
	if (json_object_object_get_ex(p->head, "crit", NULL))
		return "The token needs extensions (crit) that are not known.";
	p->alg = alg ? alg_find(alg) : ALG__MAX;
	if (!(v->algs & ALG_BIT(p->alg)))
		return "The token is not signed with the algorithm in use.";
	if (!is_access_token(p->head))
		return "The token's typ is neither JWT nor at+jwt.";
	p->kid = json_text_of(p->head, "kid");
	if (!p->kid && json_object_object_get_ex(p->head, "kid", NULL))
		return "The token's kid is not a text.";
	return NULL;
}

/* ---- the signature ---- */

static const char *sign_error(enum proof proof)
{
	return proof == PROOF_GOOD ? NULL :
	       proof == PROOF_UNKNOWN ?
	       "The token is signed with a key (kid) that is not known." :
	       "The token's signature does not hold.";
}

static const char *body_error(const struct verifier *v, const struct parts *p,
			      int64_t now_s, struct proven *found)
{
	struct json_object *body = part_read(p->body, p->bodylen);
	const char *error = claims_read(&v->rules, body, now_s,
					&found->validity, &found->claims);

	json_object_put(body);
	return error;
}

/* May newer keys prove the token? A token that is no good anyway is not worth a
 * fetch, for those are few. */
static bool is_worth_it(const struct verifier *v, const struct parts *p,
			enum proof proof, int64_t now_s)
{
	struct proven ignored = {0};

	return v->jwks && (proof == PROOF_UNKNOWN || proof == PROOF_NONE) &&
	       !body_error(v, p, now_s, &ignored);
}

/* Verify it by the keys that are known, or by newer ones. There are two fetches
 * to wait for at most: one that was under way, and one for this key. *keys
 * becomes the set that was used in the end. */
static const char *sign_check(struct verifier *v, const struct parts *p,
			      int64_t now_s, struct keys **keys,
			      int64_t *until_r)
{
	unsigned char bytes[TOKEN_MAX];
	struct signature s = {.text = p->token, .bytes = bytes,
			      .len = p->headlen + 1 + p->bodylen};
	enum proof proof;

	if (!base64url_decode(p->sign, p->signlen, bytes, &s.nbytes))
		return "The token is not a JWT of three parts.";
	proof = keys_verify(*keys, p->alg, p->kid, &s, now_s, until_r);
	for (int i = 0; i < 2 && is_worth_it(v, p, proof, now_s) &&
			jwks_wait(v->jwks, *keys); i++) {
		keys_close(*keys);
		*keys = keys_now(v);
		proof = keys_verify(*keys, p->alg, p->kid, &s, now_s, until_r);
	}
	return sign_error(proof);
}

/* ---- what is proven ---- */

static struct proven *place_of(struct verifier *v, const unsigned char *hash)
{
	return &v->proven[hash[0] % PROVEN_MAX];
}

static bool proven_find(struct verifier *v, const unsigned char *hash,
			uint64_t keys, struct proven *proven_r)
{
	const struct proven *known = place_of(v, hash);
	bool found;

	pthread_mutex_lock(&v->lock);
	found = known->keys == keys &&
		!memcmp(known->hash, hash, sizeof known->hash);
	if (found)
		*proven_r = *known;
	pthread_mutex_unlock(&v->lock);
	return found;
}

static void proven_keep(struct verifier *v, const struct proven *proven)
{
	pthread_mutex_lock(&v->lock);
	*place_of(v, proven->hash) = *proven;
	pthread_mutex_unlock(&v->lock);
}

/* ---- the whole ---- */

static const char *parts_check(struct verifier *v, struct parts *p,
			       int64_t now_s, struct keys **keys,
			       struct proven *found)
{
	const char *error = head_error(v, p);
	int64_t until = 0;

	if (!error)
		error = sign_check(v, p, now_s, keys, &until);
	if (!error)
		error = body_error(v, p, now_s, found);
	if (until && (double)until < found->validity.until)
		found->validity.until = (double)until;
	return error;
}

/* A token that nobody has proven yet. */
static const char *token_prove(struct verifier *v, const char *token,
			       int64_t now_s, struct keys **keys,
			       struct proven *found)
{
	const char *error;
	struct parts p;

	if (!parts_find(token, &p))
		return "The token is not a JWT of three parts.";
	p.head = part_read(token, p.headlen);
	error = parts_check(v, &p, now_s, keys, found);
	json_object_put(p.head);
	if (error)
		return error;
	found->keys = (*keys)->number;
	proven_keep(v, found);
	return NULL;
}

static const char *token_error(struct verifier *v, const char *token,
			       int64_t now_s, struct claims *c)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct proven found = {0};
	const char *error = NULL;
	struct keys *keys;

	memset(c, 0, sizeof *c);
	if (strlen(token) > TOKEN_MAX)
		return "The token is longer than 8 KiB.";
	/* What was found once stays true of the same bytes, for its time. */
	SHA256((const unsigned char *)token, strlen(token), hash);
	keys = keys_now(v);
	if (!proven_find(v, hash, keys->number, &found)) {
		memcpy(found.hash, hash, sizeof hash);
		error = token_prove(v, token, now_s, &keys, &found);
	}
	keys_close(keys);
	if (!error)
		error = validity_error(&found.validity, now_s);
	if (!error)
		*c = found.claims;
	return error;
}

bool token_check(struct verifier *v, const char *authorization, int64_t now_s,
		 struct claims *claims_r, const char **why_r)
{
	const char *token = authorization;

	if (!token || strncasecmp(token, "Bearer ", 7) != 0) {
		*why_r = "There is no bearer token.";
		return false;
	}
	for (token += 7; *token == ' '; token++)
		;
	*why_r = token_error(v, token, now_s, claims_r);
	return !*why_r;
}
