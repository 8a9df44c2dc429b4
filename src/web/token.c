/*
 * web/token.c - a caller's token (a JWT): parsed, verified, and its claims read
 *
 * libjwt proves the signature and no more: it lets the token choose the
 * algorithm and looks at no claim. All else is done here.
 */
#include "web/token.h"

#include <json-c/json.h>
#include <math.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/conf.h"
#include "base/text.h"
#include "web/keys.h"

enum {
	TOKEN_MAX = 4096,
	PROVEN_MAX = 64,
	ROLES_MAX = sizeof((struct claims *)0)->roles /
		    sizeof((struct claims *)0)->roles[0],
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

struct verifier {
	struct keys *keys;
	const char *issuer, *audience;
	struct proven proven[PROVEN_MAX];
};

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"abcdefghijklmnopqrstuvwxyz0123456789-_";

enum rc verifier_open(const char *alg, const char *key_file, const char *issuer,
		      const char *audience, struct verifier **verifier_r,
		      char *err, size_t errlen)
{
	struct verifier *v = calloc(1, sizeof *v);
	enum rc rc = RC_ERROR;

	if (!v) {
		snprintf(err, errlen, "no memory for CTT_JWT_KEY_FILE");
		goto out;
	}
	v->issuer = issuer ? issuer : "";
	v->audience = audience ? audience : "";
	rc = keys_open(alg, key_file, &v->keys, err, errlen);
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
	keys_close(v->keys);
	free(v);
}

/* ---- parts of a token ---- */

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
	const char *error, *digit;
	unsigned bits = 0;
	size_t len = 0, i;

	for (i = 0; *s && (digit = strchr(base64url, *s)); i++, s++) {
		bits = bits << 6 | (unsigned)(digit - base64url);
		if (i % 4)
			text[len++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	return json_read(text, len, &error);
}

static bool text_is(struct json_object *value, const char *wanted)
{
	return json_object_is_type(value, json_type_string) &&
	       !strcmp(json_object_get_string(value), wanted);
}

/* ---- the header and the claims ---- */

/* Before libjwt may see it: only our algorithm, and no extension. */
static const char *head_error(const struct verifier *v,
			      struct json_object *head)
{
	struct json_object *alg = NULL, *typ = NULL;

	if (!json_object_is_type(head, json_type_object))
		return "The token's header is not a JSON object.";
	if (json_object_object_get_ex(head, "crit", NULL))
		return "The token needs extensions (crit) that are not known.";
	json_object_object_get_ex(head, "alg", &alg);
	if (!text_is(alg, keys_alg(v->keys)))
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

static const char *time_error(const struct validity *v, int64_t now_s)
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

static const char *party_error(const struct verifier *v,
			       struct json_object *body)
{
	struct json_object *iss = NULL, *aud = NULL;
	bool has_aud = json_object_object_get_ex(body, "aud", &aud);

	json_object_object_get_ex(body, "iss", &iss);
	if (*v->issuer && !text_is(iss, v->issuer))
		return "The token is from another issuer.";
	if (*v->audience ? !audience_has(aud, v->audience) : has_aud)
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
	static const char error[] =
		"The token's roles are not an array of at most 32 short texts.";
	struct json_object *roles = NULL;
	size_t n, i;

	if (!json_object_object_get_ex(body, "roles", &roles))
		return NULL;
	if (!json_object_is_type(roles, json_type_array))
		return error;
	n = json_object_array_length(roles);
	if (n > ROLES_MAX)
		return error;
	for (i = 0; i < n; i++)
		if (!text_keep(json_object_array_get_idx(roles, i),
			       c->roles[i], sizeof c->roles[i]))
			return error;
	c->nroles = n;
	return NULL;
}

static const char *body_error(const struct verifier *v,
			      struct json_object *body, int64_t now_s,
			      struct validity *validity, struct claims *c)
{
	struct json_object *sub = NULL;
	const char *error;

	if (!json_object_is_type(body, json_type_object))
		return "The token's claims are not a JSON object.";
	if ((error = validity_read(body, validity)))
		return error;
	if ((error = time_error(validity, now_s)))
		return error;
	if ((error = party_error(v, body)))
		return error;
	json_object_object_get_ex(body, "sub", &sub);
	if (!text_keep(sub, c->sub, sizeof c->sub))
		return "The token has no sub that is a text of 1 to 128 bytes.";
	return roles_keep(body, c);
}

/* ---- the whole ---- */

static const char *token_error(struct verifier *v, const char *token,
			       int64_t now_s, struct claims *c)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	struct json_object *head, *body;
	struct proven *known;
	const char *error;

	memset(c, 0, sizeof *c);
	if (strlen(token) > TOKEN_MAX)
		return "The token is longer than 4 KiB.";
	/* What was found once stays true of the same bytes, but for the hour. */
	SHA256((const unsigned char *)token, strlen(token), hash);
	known = &v->proven[hash[0] % PROVEN_MAX];
	if (memcmp(known->hash, hash, sizeof hash) != 0) {
		if (!is_three_segments(token))
			return "The token is not a JWT of three parts.";
		head = segment_read(token);
		error = head_error(v, head);
		json_object_put(head);
		if (error)
			return error;
		if (!keys_verify(v->keys, token))
			return "The token's signature does not hold.";
		memcpy(known->hash, hash, sizeof hash);
		known->has_claims = false;
	}
	if (!known->has_claims) {
		memset(&known->claims, 0, sizeof known->claims);
		body = segment_read(strchr(token, '.') + 1);
		error = body_error(v, body, now_s, &known->validity,
				   &known->claims);
		json_object_put(body);
		if (error)
			return error;
		known->has_claims = true;
	}
	*c = known->claims;
	return time_error(&known->validity, now_s);
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

bool claims_have_role(const struct claims *c, const char *roles)
{
	for (size_t i = 0; i < c->nroles; i++)
		if (conf_list_has(roles, c->roles[i]))
			return true;
	return false;
}

/* ---- a token of our own ---- */

static void put_text(struct json_object *body, const char *name,
		     const char *value)
{
	if (*value)
		json_object_object_add(body, name,
				       json_object_new_string(value));
}

static struct json_object *body_make(const struct verifier *v,
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
	put_text(body, "iss", v->issuer);
	put_text(body, "aud", v->audience);
	return body;
}

enum rc token_sign(const char *hs256_key_file, const char *sub,
		   const char *const *roles, size_t n, int64_t iat, int64_t exp,
		   const char *issuer, const char *audience, char **token_r,
		   char *err, size_t errlen)
{
	struct json_object *body = NULL;
	struct verifier *v = NULL;
	struct claims claims;
	const char *error = "A name in it is not valid UTF-8.";
	char *token = NULL;
	enum rc rc = verifier_open("HS256", hs256_key_file, issuer, audience,
				   &v, err, errlen);

	if (rc != RC_OK)
		goto out;
	body = body_make(v, sub, roles, n, iat, exp);
	rc = RC_NO;
	token = keys_sign(v->keys, json_object_to_json_string(body));
	if (token)
		error = token_error(v, token, iat, &claims);
	if (error) {
		snprintf(err, errlen, "no token was made: %s", error);
		goto out;
	}
	*token_r = token;
	token = NULL; /* the caller owns it now */
	rc = RC_OK;
out:
	free(token);
	json_object_put(body);
	verifier_close(v);
	return rc;
}
