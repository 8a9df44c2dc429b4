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

enum seen partner_seen(const struct call *c, const struct view *v)
{
	bool shows, done;

	switch (c->verb) {
	case VERB_LINK:
	case VERB_UNLINK:
		shows = v->has_links;
		done = shows &&
		       is_among(c->ntt, v) == (c->verb == VERB_LINK);
		break;
	case VERB_RESOLVE:
		shows = v->status;
		done = shows && !strcasecmp(v->status, "resolved");
		break;
	case VERB_CPE:
		shows = v->cpe;
		done = shows && same_cpe(v->cpe, c->cpe_to);
		break;
	default:
		return NOT_SEEN;
	}
	return !shows ? NOT_SEEN : done ? SEEN_DONE : SEEN_NOT_DONE;
}
