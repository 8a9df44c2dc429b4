/*
 * partner/nig.c - NIG: PUT cpe/{ticket}/{element}. If CTT_NIG_READ is on, also
 * GET of the same path.
 */
#include "partner/partner.h"

#include "partner/answer.h"

static void path_of(const struct call *c, struct exchange *x)
{
	x->content_type = "application/json";
	buf_str(&x->path, "/cpe");
	path_add(&x->path, c->ticket);
	path_add(&x->path, c->element_name);
}

static void nig_write(const struct conf *cf, const struct call *c,
		      struct slice ticket, struct exchange *x)
{
	(void)cf;
	(void)ticket;
	x->method = "PUT";
	path_of(c, x);
	put_open(&x->body, NULL, '{');
	put_cpe(&x->body, "current", c->cpe_from);
	put_cpe(&x->body, "new", c->cpe_to);
	put_str(&x->body, "actor", c->actor);
	put_close(&x->body, '}');
}

static void nig_read(const struct conf *cf, const struct call *c,
		     struct exchange *x)
{
	(void)cf;
	x->method = "GET";
	x->reads = true;
	path_of(c, x);
}

/* An answer with all five values is the element. Each value may be null. */
static bool nig_view(const struct call *c, struct slice answer, bool whole,
		     struct arena *mem, struct view *v)
{
	static const char *const names[] = {"manufacturer", "model",
		"ipAddress", "bandwidthMbps", "port"};
	struct slice part[5];
	const char *text[5];
	struct cpe *cpe;

	(void)c;
	(void)whole;
	for (int i = 0; i < 5; i++) {
		part[i] = json_member(answer, names[i]);
		text[i] = answer_text(part[i], mem);
		if (!part[i].s || (i != 3 && !text[i] && *part[i].s != 'n'))
			return false;
	}
	cpe = arena_alloc(mem, sizeof *cpe);
	*cpe = (struct cpe){
		.manufacturer = text[0],
		.model = text[1],
		.ip_address = text[2],
		.bandwidth_mbps = answer_int(part[3]),
		.port = text[4],
	};
	v->cpe = cpe;
	return true;
}

const struct partner partner_nig = {
	.name = "NIG",
	.code = "NIG",
	.write = nig_write,
	.read = nig_read,
	.view = nig_view,
};
