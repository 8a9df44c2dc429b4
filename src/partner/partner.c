/*
 * partner/partner.c - functions that all partners share
 */
#include "partner/partner.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

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

bool partner_is_readable(const struct conf *cf, enum partner_id id)
{
	return partners[id]->view && cf->reads[id];
}

void path_add(struct buf *path, const char *segment)
{
	buf_str(path, "/");
	for (; *segment; segment++) {
		unsigned char c = (unsigned char)*segment;

		if (isalnum(c) || strchr("-._~", c))
			buf_add(path, segment, 1);
		else
			buf_printf(path, "%%%02X", c);
	}
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
