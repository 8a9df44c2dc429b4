/*
 * partner/partner.c - functions that all partners share
 */
#include "partner/partner.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "partner/headers.h"
#include "partner/oauth.h"
#include "partner/tls.h"

const struct partner *const partners[PARTNER__MAX] = {
	[PARTNER_TAAS] = &partner_taas,
	[PARTNER_TMF] = &partner_tmf,
	[PARTNER_NIG] = &partner_nig,
	[PARTNER_QUEUE] = &partner_queue,
};

const char *const verb_shows[VERB__MAX][2] = {
#define V(name, seen, not_done, done) [VERB_##name] = {not_done, done},
	VERBS(V)
#undef V
};

enum partner_id partner_of(const char *code)
{
	int id = 0;

	while (id < PARTNER__MAX && (!code || strcmp(partners[id]->code, code)))
		id++;
	return (enum partner_id)id;
}

/* What finds errors in a partner's settings. If one whose name begins with `of`
 * is wrong already, its error would only follow from that. */
static const struct {
	const char *(*error)(const struct conf *cf, enum partner_id id,
			     const char **which);
	const char *of;
} checks[] = {{tls_error, "CA_FILE"}, {oauth_error, "OAUTH_"},
	      {headers_error, "HEADERS_FILE"}};

void partner_check(const struct conf *cf, char *err, size_t errlen)
{
	enum { CHECKS = sizeof checks / sizeof checks[0] };
	char line[512];

	for (int i = 0; i < PARTNER__MAX * CHECKS; i++) {
		enum partner_id id = (enum partner_id)(i / CHECKS);
		const char *which, *what, *code = partners[id]->code;

		snprintf(line, sizeof line, "CTT_%s_%s", code,
			 checks[i % CHECKS].of);
		what = strstr(err, line) ? NULL :
		       checks[i % CHECKS].error(cf, id, &which);
		if (!what)
			continue;
		snprintf(line, sizeof line, "CTT_%s_%s: %s", code, which, what);
		conf_add_error(err, errlen, line);
	}
}

bool partner_is_readable(const struct conf *cf, enum partner_id id)
{
	return partners[id]->view && cf->reads[id];
}

void encoded_add(struct buf *to, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c))
			buf_add(to, text, 1);
		else
			buf_printf(to, "%%%02X", c);
	}
}

void path_add(struct buf *path, const char *segment)
{
	buf_str(path, "/");
	encoded_add(path, segment);
}

bool path_takes(const char *segment)
{
	return *segment && strcmp(segment, ".") && strcmp(segment, "..");
}

static bool is_among(const char *name, const struct view *v)
{
	for (size_t i = 0; i < v->nntts; i++)
		if (!strcmp(v->ntts[i], name))
			return true;
	return false;
}

static enum seen seen_if(bool done)
{
	return done ? SEEN_DONE : SEEN_NOT_DONE;
}

static enum seen seen_link(const struct call *c, const struct view *v)
{
	return v->has_links ? seen_if(is_among(c->ntt, v)) : NOT_SEEN;
}

static enum seen seen_unlink(const struct call *c, const struct view *v)
{
	return v->has_links ? seen_if(!is_among(c->ntt, v)) : NOT_SEEN;
}

static enum seen seen_status(const struct call *c, const struct view *v)
{
	return v->status ? seen_if(!strcasecmp(v->status,
			   partners[c->partner]->status(c->verb))) : NOT_SEEN;
}

static enum seen seen_cpe(const struct call *c, const struct view *v)
{
	return v->cpe ? seen_if(same_cpe(v->cpe, c->cpe_to)) : NOT_SEEN;
}

static enum seen seen_nothing(const struct call *c, const struct view *v)
{
	(void)c;
	(void)v;
	return NOT_SEEN;
}

enum seen partner_seen(const struct call *c, const struct view *v)
{
	static enum seen (*const seen_of[VERB__MAX])(const struct call *c,
						     const struct view *v) = {
#define V(name, seen, ...) [VERB_##name] = seen_##seen,
		VERBS(V)
#undef V
	};

	return seen_of[c->verb](c, v);
}
