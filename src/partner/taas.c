/*
 * partner/taas.c - TaaS: POST tickets/{ticket}/link, /unlink, /notes; PUT
 * .../status. If CTT_TAAS_READ is on, also GET tickets/{ticket}.
 */
#include "partner/partner.h"

#include "partner/answer.h"

static const char *taas_status(enum verb verb);

static void link_body(const struct call *c, struct buf *body)
{
	put_open(body, NULL, '{');
	put_str(body, "nttTicketNo", c->ntt);
	put_str(body, "remark", c->remark);
	put_str(body, "actor", c->actor);
	put_close(body, '}');
}

static void status_body(const struct call *c, struct buf *body)
{
	const struct activity *a = &c->resolve->stored;

	put_open(body, NULL, '{');
	put_str(body, "status", taas_status(c->verb));
	put_str(body, "activityType", a->type);
	for (int i = 0; i < RESOLVE_CODES; i++)
		put_str(body, resolve_code_name[i], a->code[i]);
	put_str(body, "actor", c->actor);
	put_close(body, '}');
}

static void note_body(const struct call *c, struct buf *body)
{
	buf_str(body, c->body);
}

/* How TaaS is told each verb: METHOD tickets/{ticket}/PATH. */
static const struct told {
	const char *method, *path;
	void (*put_body)(const struct call *c, struct buf *body);
	const char *status; /* the ticket's new status, or NULL */
} told[VERB__MAX] = {
	[VERB_LINK] = {"POST", "link", link_body, NULL},
	[VERB_UNLINK] = {"POST", "unlink", link_body, NULL},
	[VERB_RESOLVE] = {"PUT", "status", status_body, "Resolved"},
	[VERB_NOTE] = {"POST", "notes", note_body, NULL},
};

static const char *taas_status(enum verb verb)
{
	return told[verb].status;
}

static void taas_write(const struct conf *cf, const struct call *c,
		       struct slice ticket, struct exchange *x)
{
	const struct told *t = &told[c->verb];

	(void)cf;
	(void)ticket;
	x->method = t->method;
	x->content_type = "application/json";
	buf_str(&x->path, "/tickets");
	path_add(&x->path, c->ticket);
	path_add(&x->path, t->path);
	t->put_body(c, &x->body);
}

static void taas_read(const struct conf *cf, const struct call *c,
		      struct exchange *x)
{
	(void)cf;
	x->method = "GET";
	x->reads = true;
	x->content_type = "application/json";
	buf_str(&x->path, "/tickets");
	path_add(&x->path, c->ticket);
}

static bool taas_view(const struct call *c, struct slice answer, bool whole,
		      struct arena *mem, struct view *v)
{
	struct slice ntt = json_member(answer, "nttTicketNo");
	const char *no = answer_text(ntt, mem);

	(void)whole;
	if (!json_string_is(json_member(answer, "ticketNo"), c->ticket))
		return false;
	v->has_links = no || json_is(ntt, 'n');
	if (no) {
		v->ntts = arena_array(mem, 1, sizeof *v->ntts);
		v->ntts[v->nntts++] = no;
	}
	v->status = answer_text(json_member(answer, "status"), mem);
	return true;
}

const struct partner partner_taas = {
	.name = "TaaS",
	.code = "TAAS",
	.write = taas_write,
	.read = taas_read,
	.view = taas_view,
	.status = taas_status,
};
