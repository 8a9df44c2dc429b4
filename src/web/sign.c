/*
 * web/sign.c - a token of our own, for development
 */
#include "web/sign.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "web/keys.h"
#include "web/token.h"

static void put_text(struct json_object *body, const char *name,
		     const char *value)
{
	if (*value)
		json_object_object_add(body, name,
				       json_object_new_string(value));
}

static struct json_object *body_make(const struct conf *cf, const char *sub,
				     const char *const *roles, size_t n,
				     int64_t iat, int64_t exp)
{
	struct json_object *body = json_object_new_object();
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(array, json_object_new_string(roles[i]));
	put_text(body, "sub", sub);
	put_text(body, cf->jwt_actor_claim, sub);
	json_object_object_add(body, cf->jwt_roles_claim, array);
	json_object_object_add(body, "iat", json_object_new_int64(iat));
	json_object_object_add(body, "exp", json_object_new_int64(exp));
	put_text(body, "iss", cf->jwt_issuer);
	put_text(body, "aud", cf->jwt_audience);
	return body;
}

/* RC_NO: token_check would refuse it. */
static enum rc check(struct verifier *v, const char *token, int64_t now_s,
		     char *err, size_t errlen)
{
	size_t n = strlen("Bearer ") + strlen(token) + 1;
	char *header = malloc(n);
	struct claims claims;
	const char *why;
	bool good;

	if (!header)
		arena_exhausted();
	snprintf(header, n, "Bearer %s", token);
	good = token_check(v, header, now_s, &claims, &why);
	if (!good)
		snprintf(err, errlen, "no token was made: %s", why);
	free(header);
	return good ? RC_OK : RC_NO;
}

static enum rc sign(const struct keys *keys, struct json_object *body,
		    char **token_r, char *err, size_t errlen)
{
	const char *claims = json_object_to_json_string(body);

	if (!text_utf8(claims, strlen(claims))) {
		snprintf(err, errlen, "no token was made: a name in it is not "
			 "valid UTF-8");
		return RC_NO;
	}
	*token_r = keys_sign(keys, claims);
	return RC_OK;
}

enum rc token_sign(const struct conf *cf, const char *sub,
		   const char *const *roles, size_t n, int64_t iat, int64_t exp,
		   char **token_r, char *err, size_t errlen)
{
	struct conf ours = *cf;
	struct json_object *body = NULL;
	struct verifier *v = NULL;
	struct keys *keys = NULL;
	char *token = NULL;
	enum rc rc;

	ours.jwt_alg = "HS256";
	ours.jwt_jwks_url = "";
	ours.jwt_leeway_s = 0; /* it has to be valid now */
	rc = verifier_open(&ours, &v, err, errlen);
	if (rc == RC_OK)
		rc = keys_open(ALG_BIT(ALG_HS256), cf->jwt_key_file, &keys, err,
			       errlen);
	if (rc != RC_OK)
		goto out;
	body = body_make(&ours, sub, roles, n, iat, exp);
	rc = sign(keys, body, &token, err, errlen);
	if (rc == RC_OK)
		rc = check(v, token, iat, err, errlen);
	if (rc != RC_OK)
		goto out;
	*token_r = token;
	token = NULL; /* the caller owns it now */
out:
	free(token);
	json_object_put(body);
	keys_close(keys);
	verifier_close(v);
	return rc;
}
