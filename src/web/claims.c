/*
 * web/claims.c - the claims of a token: time, issuer, audience, actor, roles
 */
#include "web/claims.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { ROLE_MAX = 255 }; /* bytes of a role in a text of roles */

void claim_rules_make(struct claim_rules *rules_r, const struct conf *cf)
{
	rules_r->cf = cf;
	snprintf(rules_r->no_actor, sizeof rules_r->no_actor, "The token has "
		 "no %s that is a text of 1 to 128 bytes.",
		 cf->jwt_actor_claim);
	snprintf(rules_r->bad_roles, sizeof rules_r->bad_roles, "The token's "
		 "roles (%s) are neither an array of texts nor a text.",
		 cf->jwt_roles_claim);
}

static bool text_is(struct json_object *value, const char *wanted)
{
	return json_object_is_type(value, json_type_string) &&
	       !strcmp(json_object_get_string(value), wanted);
}

/* ---- time ---- */

static bool is_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) ||
	       json_object_is_type(value, json_type_double);
}

/* Clocks differ: both ends are later, and earlier, by the leeway. */
static const char *validity_read(struct json_object *body, int64_t leeway_s,
				 struct validity *v)
{
	struct json_object *exp = NULL, *nbf = NULL;

	json_object_object_get_ex(body, "exp", &exp);
	if (!is_number(exp))
		return "The token has no exp that is a number.";
	v->until = json_object_get_double(exp) + (double)leeway_s;
	v->from = -HUGE_VAL;
	if (!json_object_object_get_ex(body, "nbf", &nbf))
		return NULL;
	if (!is_number(nbf))
		return "The token's nbf is not a number.";
	v->from = json_object_get_double(nbf) - (double)leeway_s;
	return NULL;
}

const char *validity_error(const struct validity *v, int64_t now_s)
{
	if (!((double)now_s < v->until))
		return "The token has expired.";
	if (!((double)now_s >= v->from))
		return "The token is not valid yet.";
	return NULL;
}

/* ---- issuer and audience ---- */

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

static const char *party_error(const struct conf *cf, struct json_object *body)
{
	struct json_object *iss = NULL, *aud = NULL;
	bool has_aud = json_object_object_get_ex(body, "aud", &aud);

	json_object_object_get_ex(body, "iss", &iss);
	if (*cf->jwt_issuer && !text_is(iss, cf->jwt_issuer))
		return "The token is from another issuer.";
	if (*cf->jwt_audience ? !audience_has(aud, cf->jwt_audience) : has_aud)
		return "The token is for another audience.";
	return NULL;
}

/* ---- actor ---- */

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

/* Find the claim of this name as it stands; else by the way that its dots tell.
 * Names on the way may have dots too. */
static bool claim_find(struct json_object *object, const char *name,
		       struct json_object **value_r)
{
	bool found = false;

	if (!json_object_is_type(object, json_type_object))
		return false;
	if (json_object_object_get_ex(object, name, value_r))
		return true;
	for (const char *dot = strchr(name, '.'); dot && !found;
	     dot = strchr(dot + 1, '.')) {
		char first[CLAIM_MAX + 1] = "";
		struct json_object *inner = NULL;

		memcpy(first, name, (size_t)(dot - name));
		found = json_object_object_get_ex(object, first, &inner) &&
			claim_find(inner, dot + 1, value_r);
	}
	return found;
}

static bool actor_keep(const struct conf *cf, struct json_object *body,
		       struct claims *c)
{
	struct json_object *actor = NULL;

	return claim_find(body, cf->jwt_actor_claim, &actor) &&
	       text_keep(actor, c->actor, sizeof c->actor);
}

static bool has_sub(struct json_object *body)
{
	struct json_object *sub = NULL;

	return json_object_object_get_ex(body, "sub", &sub) &&
	       json_object_is_type(sub, json_type_string) &&
	       json_object_get_string_len(sub) > 0;
}

/* ---- roles ---- */

/* A role that no setting names gives nothing. */
static void role_count(const struct conf *cf, const char *role,
		       struct claims *c)
{
	for (unsigned what = 0; what < MAY__MAX; what++)
		if (conf_list_has(cf->roles[what], role))
			c->may |= 1U << what;
}

/* Count the words of a text, which have blanks between (as in `scope`). */
static void words_count(const struct conf *cf, const char *text,
			struct claims *c)
{
	char role[ROLE_MAX + 1];

	while (*(text += strspn(text, " "))) {
		size_t n = strcspn(text, " ");

		if (n < sizeof role) {
			memcpy(role, text, n);
			role[n] = '\0';
			role_count(cf, role, c);
		}
		text += n;
	}
}

static bool array_count(const struct conf *cf, struct json_object *roles,
			struct claims *c)
{
	for (size_t i = 0; i < json_object_array_length(roles); i++) {
		struct json_object *role = json_object_array_get_idx(roles, i);

		if (!json_object_is_type(role, json_type_string))
			return false;
		role_count(cf, json_object_get_string(role), c);
	}
	return true;
}

static const char *roles_read(const struct claim_rules *rules,
			      struct json_object *body, struct claims *c)
{
	const struct conf *cf = rules->cf;
	struct json_object *roles = NULL;

	if (!claim_find(body, cf->jwt_roles_claim, &roles))
		return NULL;
	if (json_object_is_type(roles, json_type_string))
		words_count(cf, json_object_get_string(roles), c);
	else if (!json_object_is_type(roles, json_type_array) ||
		 !array_count(cf, roles, c))
		return rules->bad_roles;
	return NULL;
}

bool claims_may(const struct claims *c, enum permission what)
{
	return c->may >> what & 1;
}

/* ---- the whole ---- */

const char *claims_read(const struct claim_rules *rules,
			struct json_object *body, int64_t now_s,
			struct validity *validity_r, struct claims *claims_r)
{
	const struct conf *cf = rules->cf;
	const char *error;

	if (!json_object_is_type(body, json_type_object))
		return "The token's claims are not a JSON object.";
	if ((error = validity_read(body, cf->jwt_leeway_s, validity_r)))
		return error;
	if ((error = validity_error(validity_r, now_s)))
		return error;
	if ((error = party_error(cf, body)))
		return error;
	if (!actor_keep(cf, body, claims_r))
		return rules->no_actor;
	if (!has_sub(body))
		return "The token has no sub that is a text.";
	return roles_read(rules, body, claims_r);
}
