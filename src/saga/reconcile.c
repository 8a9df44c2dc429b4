#include "saga/reconcile.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "partner/partner.h"
#include "saga/recover.h"
#include "saga/saga.h"
#include "saga/step.h"

/* One ticket at one partner: our values, and the call that reads it. */
struct look {
	struct ctt ctt;
	struct ntt ntt;         /* the CTT's NTT here; id 0: it has none   */
	bool links, status;     /* compare these                           */
	struct network_element *element; /* NIG: compare this one          */
	const char *resolve_intent, *remark; /* of the last resolve        */
	struct call call;
};

struct work {
	struct reconcile *r;
	struct arena *mem;
	struct look *looks;
	size_t n;
	struct batch mends;
};

static bool is_wanted(const struct reconcile *r, enum partner_id p)
{
	return (r->only == PARTNER__MAX || r->only == p) &&
	       partner_is_readable(r->app->conf, p);
}

static struct look *look_new(struct work *w, enum partner_id p)
{
	struct look *l = &w->looks[w->n];

	if (!is_wanted(w->r, p))
		return NULL;
	w->n++;
	l->call.partner = p;
	l->call.verb = VERB_LOOK;
	l->call.key = l->call.request_id = w->r->request_id;
	l->call.relationship = w->r->app->conf->tmf_relationship;
	return l;
}

static const char *or_no(const char *ref, const char *no)
{
	return ref ? ref : no;
}

/* Look at the partner that has the CTT. If another partner was told of its
 * resolve, look at that one, too. */
static void add_ctt(struct work *w, const struct compared_ctt_row *row)
{
	enum partner_id has = strcmp(row->source, "TAAS") ? PARTNER_TMF :
							    PARTNER_TAAS;
	enum partner_id told = row->partner ? partner_of(row->partner) :
					      PARTNER__MAX;

	if (row->open_operation) {
		w->r->busy++;
		return;
	}
	for (enum partner_id p = PARTNER_TAAS; p <= PARTNER_TMF; p++) {
		struct look *l = p == has || p == told ? look_new(w, p) : NULL;

		if (!l)
			continue;
		l->ctt.id = cell_id(row->id);
		l->ctt.ticket_no = row->ticket_no;
		l->ctt.status = row->status;
		l->ntt.id = cell_id(row->ntt_id);
		l->ntt.ticket_no = row->ntt_ticket_no;
		l->ntt.partner_ref = row->ntt_partner_ref;
		l->resolve_intent = row->intent;
		l->remark = row->remark;
		l->links = p == has;
		l->status = p == told &&
			    !strcasecmp(l->ctt.status, "Resolved");
		l->call.ticket = or_no(row->partner_ref, l->ctt.ticket_no);
	}
}

static void add_element(struct work *w, const struct compared_element_row *row)
{
	struct look *l = look_new(w, PARTNER_NIG);

	if (!l)
		return;
	l->ctt.id = cell_id(row->ctt_id);
	l->ctt.ticket_no = row->ticket_no;
	l->element = store_element(&row->element, w->mem);
	l->call.ticket = l->ctt.ticket_no;
	l->call.element_name = l->element->name;
}

static void read_all(struct work *w)
{
	struct call **calls = arena_array(w->mem, w->n, sizeof *calls);

	for (size_t i = 0; i < w->n; i++)
		calls[i] = &w->looks[i].call;
	partner_call(app_http(w->r->app), w->mem, calls, w->n,
		     (size_t)w->r->app->conf->sync_concurrency, INT64_MAX, NULL,
		     NULL);
}

/* ---- the differences, and the operations that mend them ---- */

static void report_on(const struct work *w, const struct look *l,
		      const char *what)
{
	w->r->report(w->r->to, arena_printf(w->mem, "ctt %llu: %s: %s",
		   (unsigned long long)l->ctt.id, l->ctt.ticket_no, what));
}

static struct item *differs(struct work *w, const struct look *l,
			    enum kind kind, const char *what)
{
	struct item *it = arena_alloc(w->mem, sizeof *it);

	w->r->differ++;
	report_on(w, l, what);
	it->index = w->mends.n;
	it->kind = kind;
	it->want.mends = true;
	it->want.ctt.id = l->ctt.id;
	it->want.actor = w->r->actor;
	it->want.request_id = w->r->request_id;
	item_name(w->mem, it);
	batch_add(&w->mends, it);
	return it;
}

static const char *name_of(const struct look *l)
{
	return partners[l->call.partner]->name;
}

/* The partner's name of the NTT to which the CTT is linked here, or NULL. */
static const char *ours(const struct look *l)
{
	return !l->ntt.id ? NULL : l->call.partner == PARTNER_TMF ?
		or_no(l->ntt.partner_ref, l->ntt.ticket_no) : l->ntt.ticket_no;
}

/* Find the links that only the partner has. At TMF, a link to a ticket that is
 * no NTT of ours belongs to another system. */
static void compare_theirs(struct work *w, const struct look *l,
			   const struct rows *ntts)
{
	const struct view *v = &l->call.view;
	const char *our = ours(l);

	for (size_t i = 0; i < v->nntts; i++) {
		struct item *it;
		uint64_t id = 0;

		if (our && !strcmp(v->ntts[i], our))
			continue;
		for (size_t n = 0; n < ntts->n; n++)
			if (!strcmp(ROW(ntt_named, ntts, n)->name, v->ntts[i]))
				id = cell_id(ROW(ntt_named, ntts, n)->id);
		if (!id && l->call.partner == PARTNER_TMF)
			continue;
		it = differs(w, l, OP_UNLINK, arena_printf(w->mem, "%s has it "
			"linked to %s; here it is linked to %s", name_of(l),
			v->ntts[i], our ? l->ntt.ticket_no : "none"));
		it->want.ntt.id = id;
		it->want.ntt.no = v->ntts[i];
	}
}

static void compare_links(struct work *w, const struct look *l,
			  const struct rows *ntts)
{
	const struct view *v = &l->call.view;
	const char *our = ours(l);
	bool found = !our;

	compare_theirs(w, l, ntts);
	for (size_t i = 0; i < v->nntts; i++)
		found = found || !strcmp(v->ntts[i], our);
	if (!found)
		differs(w, l, OP_LINK, arena_printf(w->mem, "is linked to %s "
			"here, and not at %s", l->ntt.ticket_no, name_of(l)))
			->want.ntt.id = l->ntt.id;
}

static void compare_status(struct work *w, const struct look *l)
{
	const char *status = l->call.view.status;
	struct item *it;

	if (status && !strcasecmp(status, "resolved"))
		return;
	it = differs(w, l, OP_RESOLVE, arena_printf(w->mem, "is Resolved here, "
		"and \"%s\" at %s", status ? status : "", name_of(l)));
	it->want.remark = l->remark;
	it->journal.intent = l->resolve_intent;
}

static void compare_cpe(struct work *w, const struct look *l)
{
	const struct network_element *e = l->element;
	struct item *it;

	if (same_cpe(&e->cpe, l->call.view.cpe))
		return;
	it = differs(w, l, OP_CPE_UPDATE, arena_printf(w->mem, "element %s has "
		"other CPE values at NIG", e->name));
	it->cpe = arena_alloc(w->mem, sizeof *it->cpe);
	it->cpe->element_id = e->id;
	it->cpe->wanted = e->cpe;
}

static void compare(struct work *w, const struct look *l,
		    const struct rows *ntts)
{
	w->r->looked++;
	if (l->call.verdict != RC_OK) {
		w->r->unread++;
		report_on(w, l, arena_printf(w->mem,
			  "could not be compared: %s", l->call.why));
		return;
	}
	if (l->links && l->call.view.has_links)
		compare_links(w, l, ntts);
	if (l->status)
		compare_status(w, l);
	if (l->element)
		compare_cpe(w, l);
}

/* Find the ids of the NTTs that the partners' tickets name. */
static enum rc find_ntts(struct work *w, struct rows *ntts)
{
	struct buf doc;
	bool any = false;

	buf_init(&doc, w->mem);
	put_open(&doc, NULL, '{');
	put_open(&doc, "name", '[');
	for (size_t i = 0; i < w->n; i++) {
		const struct view *v = &w->looks[i].call.view;

		for (size_t n = 0; n < v->nntts; n++)
			put_str(&doc, NULL, v->ntts[n]);
		any = any || v->nntts;
	}
	put_close(&doc, ']');
	put_close(&doc, '}');
	*ntts = (struct rows){0};
	return any ? db_run(app_db(w->r->app), SQL_NTTS_NAMED, &doc, w->mem, ntts,
			    1) : RC_OK;
}

/* Change the partners' tickets to match ours, through the pipeline. */
static void mend(struct work *w)
{
	struct batch *b = &w->mends;

	b->terms->deadline = INT64_MAX;
	batch_each (b, it)
		if (it->journal.intent)
			saga_recall(it, w->mem);
	saga_run(w->r->app, &flow_mend, b);
	batch_each (b, it) {
		const char *why = it->detail ? it->detail : it->journal.why;

		if (it->state == OP_SUCCEEDED && !it->code) {
			w->r->mended++;
			continue;
		}
		w->r->report(w->r->to, arena_printf(w->mem, "ctt %llu: was not "
			"mended: %s", (unsigned long long)it->want.ctt.id,
			why ? why : ""));
	}
}

static enum rc reconcile(struct reconcile *r, struct arena *mem,
			 const struct buf *doc, struct rows *ctts)
{
	struct work w = {.r = r, .mem = mem};
	struct rows sets[2], ntts; /* CTTs; elements */
	enum rc rc = db_run(app_db(r->app), SQL_RECONCILE, doc, mem, sets, 2);

	*ctts = sets[0];
	if (rc != RC_OK || !sets[0].n)
		return rc;
	w.looks = arena_array(mem, sets[0].n * 2 + sets[1].n + 1,
			      sizeof *w.looks);
	for (size_t i = 0; i < sets[0].n; i++)
		add_ctt(&w, ROW(compared_ctt, &sets[0], i));
	for (size_t i = 0; i < sets[1].n; i++)
		add_element(&w, ROW(compared_element, &sets[1], i));
	read_all(&w);
	rc = find_ntts(&w, &ntts);
	if (rc != RC_OK)
		return rc;
	w.mends = batch_empty(mem, w.n * 2 + ntts.n + 1);
	for (size_t i = 0; i < w.n; i++)
		compare(&w, &w.looks[i], &ntts);
	if (r->mend && w.mends.n)
		mend(&w);
	return RC_OK;
}

enum rc reconcile_page(struct reconcile *r, struct arena *mem,
		       uint64_t *after, size_t limit, size_t *n_r)
{
	struct rows ctts;
	struct buf doc;
	enum rc rc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_id(&doc, "after", *after);
	put_int(&doc, "limit", (int64_t)limit);
	put_close(&doc, '}');
	rc = reconcile(r, mem, &doc, &ctts);
	*n_r = rc == RC_OK ? ctts.n : 0;
	if (*n_r)
		*after = cell_id(ROW(compared_ctt, &ctts, ctts.n - 1)->id);
	return rc;
}

enum rc reconcile_one(struct reconcile *r, struct arena *mem, uint64_t id,
		      const char *ticket_no, size_t *n_r)
{
	struct rows ctts;
	struct buf doc;
	enum rc rc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	if (id)
		put_id(&doc, "id", id);
	else
		put_str(&doc, "ticketNo", ticket_no);
	put_int(&doc, "limit", 1);
	put_close(&doc, '}');
	rc = reconcile(r, mem, &doc, &ctts);
	*n_r = rc == RC_OK ? ctts.n : 0;
	return rc;
}
