#include "partner/oauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/json.h"
#include "partner/answer.h"
#include "partner/fetch.h"
#include "partner/partner.h"

enum {
	TOKEN_MOST = 16 * 1024,
	LIFE_S = 300, /* if the answer does not tell */
	LIFE_MOST_S = 30 * 86400,
};

/* ---- the settings ---- */

/* The two lines of the client's file. False: it has others. */
static bool client_read(const char *file, struct arena *mem, const char **id_r,
			const char **secret_r)
{
	size_t n = strcspn(file, "\r\n");
	const char *secret = file + n;

	secret += *secret == '\r';
	secret += *secret == '\n';
	*id_r = arena_strndup(mem, file, n);
	*secret_r = secret;
	return n && *secret && file[n] && !strpbrk(secret, "\r\n");
}

/* "is set, but not CTT_TAAS_OAUTH_URL" */
static const char *named(const struct conf *cf, enum partner_id id,
			 const char *what, const char *setting)
{
	return arena_printf(cf->mem, "%s CTT_%s_%s", what, partners[id]->code,
			    setting);
}

const char *oauth_error(const struct conf *cf, enum partner_id id,
			const char **which)
{
	const char *client = cf->oauth_client[id], *name, *secret;
	bool url = *cf->oauth_url[id];

	*which = "OAUTH_CLIENT_FILE";
	if (*client && !client_read(client, cf->mem, &name, &secret))
		return "does not hold a client id in its first line and its "
		       "secret in the second";
	if (*client && !url)
		return named(cf, id, "is set, but not", "OAUTH_URL");
	if (!*client && url)
		return named(cf, id, "is needed by", "OAUTH_URL");
	*which = "OAUTH_SCOPE";
	if (*cf->oauth_scope[id] && !url)
		return named(cf, id, "is set, but not", "OAUTH_URL");
	*which = "OAUTH_URL";
	return url && *cf->token_file[id] ?
	       named(cf, id, "cannot be set together with", "TOKEN_FILE") :
	       NULL;
}

/* ---- the answer ---- */

/* The codes of RFC 6749, 5.2. Others are not told: they could be anything. */
static const char *known_error(struct slice answer)
{
	static const char *const codes[] = {"invalid_request",
		"invalid_client", "invalid_grant", "unauthorized_client",
		"unsupported_grant_type", "invalid_scope", "invalid_target",
		"server_error", "temporarily_unavailable"};
	struct slice error = json_member(answer, "error");

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (json_string_is(error, codes[i]))
			return codes[i];
	return NULL;
}

/* expires_in is a number; some have it as a text. */
static int64_t life_ms(struct slice answer, struct arena *mem)
{
	struct slice value = json_member(answer, "expires_in");
	const char *text = answer_text(value, mem);
	double s = value.s ? strtod(text ? text :
			arena_strndup(mem, value.s, value.n), NULL) : 0;

	if (!(s > 0))
		s = LIFE_S;
	return (int64_t)(s > LIFE_MOST_S ? LIFE_MOST_S : s * 1000);
}

static bool is_bearer(struct slice answer, struct arena *mem)
{
	struct slice type = json_member(answer, "token_type");
	const char *text = answer_text(type, mem);

	return !type.s || (text && !strcasecmp(text, "Bearer"));
}

/* Can it stand in a header? */
static bool is_token(const char *text)
{
	size_t n = 0;

	while (text && text[n] > ' ' && text[n] <= '~')
		n++;
	return n && !text[n] && n <= TOKEN_MOST;
}

static bool answer_read(const struct buf *body, struct oauth_token *token_r,
			char *why, size_t size)
{
	struct slice answer = answer_value(body);
	const char *text = answer.s ? answer_text(json_member(answer,
				"access_token"), body->mem) : NULL;

	if (!is_token(text) || !is_bearer(answer, body->mem)) {
		snprintf(why, size, "its answer has no bearer token");
		return false;
	}
	token_r->text = text;
	token_r->life_ms = life_ms(answer, body->mem);
	return true;
}

/* ---- the request ---- */

static const char *encoded(struct arena *mem, const char *text)
{
	struct buf to;

	buf_init(&to, mem);
	buf_str(&to, "");
	encoded_add(&to, text);
	return to.s;
}

bool oauth_fetch(const struct conf *cf, enum partner_id id,
		 bool (*must_stop)(void *arg), void *arg, struct arena *mem,
		 struct oauth_token *token_r, char *why, size_t size)
{
	const char *scope = cf->oauth_scope[id], *name, *secret, *error;
	struct fetch what = {
		.url = cf->oauth_url[id],
		.ca = cf->ca[id],
		.proxy = cf->proxy[id],
		.form = arena_printf(mem, "grant_type=client_credentials%s%s",
				     *scope ? "&scope=" : "",
				     encoded(mem, scope)),
		.connect_ms = cf->partner_timeout_ms,
		.most_ms = cf->partner_timeout_ms,
		.must_stop = must_stop,
		.arg = arg,
	};
	struct buf body;

	client_read(cf->oauth_client[id], mem, &name, &secret);
	what.user = encoded(mem, name);
	what.password = encoded(mem, secret);
	buf_init(&body, mem);
	if (fetch_document(&what, &body, why, size))
		return answer_read(&body, token_r, why, size);
	error = known_error(answer_value(&body));
	if (error)
		snprintf(why + strlen(why), size - strlen(why), ": %s", error);
	return false;
}
