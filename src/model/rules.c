#include "model/rules.h"

#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/text.h"

bool gate(struct item *it, enum step step, bool pass, enum code code,
	  const char *detail)
{
	trace_note(&it->trace, step, pass ? STEP_OK : STEP_FAILED,
		   clock_wall_ms(), pass ? NULL : detail);
	if (!pass)
		item_refuse(it, code, detail);
	return pass;
}

static const char *ref_text(const struct ref *ref, struct arena *mem)
{
	if (ref->no)
		return ref->no;
	return arena_printf(mem, "%llu", (unsigned long long)ref->id);
}

bool check_ctt_found(struct arena *mem, struct item *it)
{
	return gate(it, STEP_load_ctt, it->ctt, CODE_CTT_NOT_FOUND, it->ctt ?
		    NULL : arena_printf(mem, "There is no CTT %s.",
					ref_text(&it->want.ctt, mem)));
}

bool check_ntt_found(struct arena *mem, struct item *it)
{
	return gate(it, STEP_load_ntt, it->ntt, CODE_NTT_NOT_FOUND, it->ntt ?
		    NULL : arena_printf(mem, "There is no NTT %s.",
					ref_text(&it->want.ntt, mem)));
}

static int seconds_up(int64_t ms)
{
	return ms > 0 ? (int)((ms + 999) / 1000) : 1;
}

bool check_idle(struct arena *mem, struct item *it)
{
	const struct open_op *o = it->ctt->open;

	if (o)
		it->error.retry_after_s = seconds_up(o->next_in_ms);
	return gate(it, STEP_check_idle, !o, CODE_OPERATION_IN_PROGRESS, o ?
		    arena_printf(mem, "Operation %s (%s) is under way on CTT "
				 "%s; try again when it is settled.", o->id,
				 o->kind, it->ctt->ticket_no) : NULL);
}

bool check_not_linked(struct arena *mem, struct item *it)
{
	const struct ctt *c = it->ctt;

	return gate(it, STEP_check_not_linked, !c->ntt_id,
		    CODE_CTT_ALREADY_LINKED, c->ntt_id ?
		    arena_printf(mem, "CTT %s is linked to NTT %s already.",
				 c->ticket_no, c->ntt_ticket_no) : NULL);
}

bool check_not_blocked(struct arena *mem, struct item *it)
{
	int s = it->block_ms > 0 ? seconds_up(it->block_ms) : 0;

	if (s)
		it->error.retry_after_s = s;
	return gate(it, STEP_check_unlink_block, !s, CODE_UNLINK_BLOCKED, s ?
		    arena_printf(mem, "CTT %s was unlinked from NTT %s a "
				 "moment ago; the pair is blocked for %d more "
				 "seconds.", it->ctt->ticket_no,
				 it->ntt->ticket_no, s) : NULL);
}

/* This gate also checks that the NTT exists, because an unlink's trace has no
 * step for that. */
bool check_linked(struct arena *mem, struct item *it)
{
	const struct ctt *c = it->ctt;

	if (!it->ntt)
		return gate(it, STEP_check_linked, false, CODE_NTT_NOT_FOUND,
			    arena_printf(mem, "There is no NTT %s.",
					 ref_text(&it->want.ntt, mem)));
	/* while an operation is open, nobody knows: check_idle refuses */
	return gate(it, STEP_check_linked, c->open || c->ntt_id == it->ntt->id,
		    CODE_CTT_NOT_LINKED_TO_NTT, arena_printf(mem,
		    "CTT %s is not linked to NTT %s; it is linked to %s.",
		    c->ticket_no, it->ntt->ticket_no,
		    c->ntt_id ? c->ntt_ticket_no : "none"));
}

bool check_activity(struct arena *mem, struct item *it)
{
	const struct activity *a = it->ctt ? it->ctt->activity : NULL;
	uint64_t wanted = it->resolve->activity_id;
	const char *no = ref_text(&it->want.ctt, mem);

	if (!wanted && !it->ctt)
		return gate(it, STEP_load_activity, false, CODE_CTT_NOT_FOUND,
			    arena_printf(mem, "There is no CTT %s.", no));
	if (!wanted)
		return gate(it, STEP_load_activity, a,
			    CODE_CTT_ACTIVITY_NOT_FOUND, arena_printf(mem,
			    "CTT %s has no activity.", no));
	return gate(it, STEP_load_activity, a && a->id == wanted,
		    CODE_CTT_ACTIVITY_NOT_FOUND, arena_printf(mem,
		    "Activity %llu is not the latest activity of CTT %s; "
		    "reload the ticket.", (unsigned long long)wanted, no));
}

/* The CTT must not come earlier in the same request, whatever became of it. */
bool check_first(struct arena *mem, struct item *it)
{
	return gate(it, STEP_load_activity, !it->previous, CODE_DUPLICATE_ITEM,
		    it->previous ? arena_printf(mem, "CTT %s comes twice in "
				"this request; see item %zu.",
				ref_text(&it->want.ctt, mem),
				it->previous->index) : NULL);
}

bool check_not_terminal(struct arena *mem, struct item *it)
{
	const char *status = it->ctt->status;

	return gate(it, STEP_check_not_terminal, !status_is_terminal(status),
		    CODE_CTT_STATUS_TERMINAL,
		    arena_printf(mem, "CTT %s is %s; its status cannot be "
				 "updated.", it->ctt->ticket_no, status));
}

/* A caller that names an activity may correct its codes. One that names a
 * ticket resolves it, which can be done only once. */
bool check_not_resolved(struct arena *mem, struct item *it)
{
	return gate(it, STEP_check_not_terminal, it->resolve->activity_id ||
		    strcasecmp(it->ctt->status, "Resolved"),
		    CODE_CTT_ALREADY_RESOLVED,
		    arena_printf(mem, "CTT %s is resolved already.",
				 it->ctt->ticket_no));
}

bool check_open(const struct conf *cf, struct arena *mem, struct item *it,
		enum step save)
{
	const struct ntt *to = it->ntt;
	bool ctt = status_is_terminal(it->ctt->status);
	bool ntt = to->status && status_is_terminal(to->status);

	if (strcmp(cf->link_closed, "refuse") || (!ctt && !ntt))
		return true;
	return ctt ? gate(it, save, false, CODE_CTT_STATUS_TERMINAL,
			  arena_printf(mem, "CTT %s is %s; it cannot be "
				       "linked.", it->ctt->ticket_no,
				       it->ctt->status)) :
		     gate(it, save, false, CODE_NTT_STATUS_TERMINAL,
			  arena_printf(mem, "NTT %s is %s; nothing can be "
				       "linked to it.", to->ticket_no,
				       to->status));
}

/* Find a value by its code; or else by its code or label in any letter case. */
static const struct lov *lov_find(const struct lov *l, const char *type,
				  const char *name)
{
	const struct lov *found = NULL;

	for (; l && l->type; l++) {
		if (strcmp(l->type, type))
			continue;
		if (!strcmp(l->code, name))
			return l;
		if (text_same(l->code, name) ||
		    (!found && text_same(l->label, name)))
			found = l;
	}
	return found;
}

bool check_status(struct arena *mem, struct item *it)
{
	const char *status = it->resolve->status;
	const struct lov *l = status ?
		lov_find(it->lov, "CTT_STATUS", status) : NULL;
	bool resolved = !status || (l && (text_same(l->code, "Resolved") ||
					  text_same(l->label, "Resolved")));

	return gate(it, STEP_check_status, resolved,
		    CODE_ONLY_RESOLVED_ALLOWED, resolved ? NULL :
		    arena_printf(mem, "The status \"%s\" cannot be set "
				 "here; only Resolved can.", status));
}

static void code_wrong(struct buf *errors, int which, const char *message)
{
	put_open(errors, NULL, '{');
	put_str(errors, "field", resolve_code_name[which]);
	put_str(errors, "message", message);
	put_close(errors, '}');
}

bool check_codes(const struct conf *cf, struct arena *mem, struct item *it)
{
	static const char *const type[RESOLVE_CODES] = {
		[RESOLVE_CAUSE] = "CAUSE_CODE",
		[RESOLVE_DISPOSITION] = "DISPOSITION",
		[RESOLVE_RESOLUTION] = "RESOLUTION_CODE",
		[RESOLVE_DELAY] = "DELAY_REASON",
	};
	struct buf errors;

	buf_init(&errors, mem);
	put_open(&errors, NULL, '[');
	for (int i = 0; i < RESOLVE_CODES; i++) {
		const char *code = it->resolve->code[i];
		const struct lov *l = code ?
			lov_find(it->lov, type[i], code) : NULL;

		if (l) /* the code is what is stored and sent */
			it->resolve->code[i] = l->code;
		else if (code)
			code_wrong(&errors, i, arena_printf(mem, "%s is no "
				   "active %s", code, type[i]));
		else if (conf_list_has(cf->resolution_required,
				       resolve_code_name[i]))
			code_wrong(&errors, i, "is required");
	}
	put_close(&errors, ']');
	it->resolve->errors = errors.len > 2 ? errors.s : NULL;
	return gate(it, STEP_check_codes, !it->resolve->errors,
		    CODE_RESOLUTION_CODE_INVALID, "Codes that resolve the CTT "
		    "are missing or not allowed; `errors` names each.");
}

/* Find the element: the one that is named, or the only FTTH one. Returns how
 * many FTTH elements the CTT has. */
static int pick_element(struct item *it)
{
	struct cpe_update *u = it->cpe;
	int ftth = 0;

	u->element = NULL;
	for (struct network_element *e = it->ctt->elements; e; e = e->next) {
		bool is_ftth = !strcmp(e->access_type, "FTTH");

		ftth += is_ftth;
		if (u->element_id ? e->id == u->element_id :
		    is_ftth || !u->element)
			u->element = e;
	}
	return ftth;
}

static const char *text_or_empty(const char *s)
{
	return s ? s : "";
}

/* Are two texts of a CPE the same? NULL is empty; blanks around a text are
 * ignored; addresses are compared by value. */
static bool same_text(struct arena *mem, int which, const char *x,
		      const char *y)
{
	const char *a = text_trim(mem, text_or_empty(x));
	const char *b = text_trim(mem, text_or_empty(y));

	return !strcmp(a, b) || (which == CPE_ADDRESS && address_same(a, b));
}

/* Why a text cannot be set; NULL: it can. */
static const char *text_error(struct arena *mem, int which, const char *s)
{
	if (which == CPE_ADDRESS)
		return s && address_is_unicast(s) ? NULL : "must be an IPv4 "
			"or IPv6 address of one host, not a loopback or "
			"link-local one";
	for (const char *at = text_or_empty(s); *at; at++)
		if (text_is_control(at))
			s = NULL;
	return *text_or_empty(s) ? NULL : arena_printf(mem, "must be text of "
		"1 to %zu printable characters", cpe_text[which].most);
}

static void fact_wrong(struct buf *errors, const char *name,
		       const char *message)
{
	put_open(errors, NULL, '{');
	put_str(errors, "field", arena_printf(errors->mem, "new.%s", name));
	put_str(errors, "message", message);
	put_close(errors, '}');
}

/* Set one text of what will be stored. A text that is stored already is always
 * allowed. */
static void want_text(struct arena *mem, struct cpe_update *u, int which,
		      struct buf *errors)
{
	const char **to = cpe_text_at(&u->wanted, which);
	const char *asked = *cpe_text_at(&u->asked, which), *why;

	if (!(u->given & 1U << which) || same_text(mem, which, asked, *to))
		return;
	why = text_error(mem, which, asked);
	if (why)
		fact_wrong(errors, cpe_text[which].name, why);
	else
		*to = which == CPE_ADDRESS ? address_canonical(mem, asked) :
					     asked;
}

bool check_facts(struct arena *mem, struct item *it)
{
	struct cpe_update *u = it->cpe;
	int64_t bandwidth = u->asked.bandwidth_mbps;
	struct buf errors;

	pick_element(it);
	u->wanted = u->element ? u->element->cpe : (struct cpe){0};
	buf_init(&errors, mem);
	put_open(&errors, NULL, '[');
	for (int i = 0; i < CPE_TEXTS; i++)
		want_text(mem, u, i, &errors);
	if (u->given & 1U << CPE_BANDWIDTH &&
	    bandwidth != u->wanted.bandwidth_mbps) {
		u->wanted.bandwidth_mbps = bandwidth;
		if (bandwidth < 1 || bandwidth > BANDWIDTH_MAX)
			fact_wrong(&errors, "bandwidthMbps", arena_printf(
				mem, "must be a whole number from 1 to %d",
				BANDWIDTH_MAX));
	}
	put_close(&errors, ']');
	it->error.list = errors.len > 2 ? errors.s : NULL;
	return !it->error.list || gate(it, STEP_load_network_elements, false,
		CODE_VALIDATION_FAILED, "Some fields are missing or wrong; "
		"`errors` names each.");
}

bool check_elements(struct arena *mem, struct item *it)
{
	struct cpe_update *u = it->cpe;
	const char *no = it->ctt->ticket_no;
	int ftth = pick_element(it);

	if (!u->element_id && ftth > 1) {
		it->error.field = "networkElementId";
		return gate(it, STEP_load_network_elements, false,
			    CODE_VALIDATION_FAILED, arena_printf(mem,
			    "CTT %s has %d FTTH network elements; name one in "
			    "networkElementId.", no, ftth));
	}
	return gate(it, STEP_load_network_elements, u->element,
		    CODE_NETWORK_ELEMENT_NOT_FOUND, !u->element_id ?
		    arena_printf(mem, "CTT %s has no network element.", no) :
		    arena_printf(mem, "CTT %s has no network element %llu.",
				 no, (unsigned long long)u->element_id));
}

bool check_eligible(struct arena *mem, struct item *it)
{
	const struct network_element *e = it->cpe->element;

	return gate(it, STEP_check_eligible,
		    !strcmp(it->ctt->segment_group, "Managed Services") &&
		    !strcmp(e->access_type, "FTTH"), CODE_CPE_NOT_ELIGIBLE,
		    arena_printf(mem, "Only Managed Services CTTs on FTTH "
				 "can be updated; CTT %s is \"%s\" on %s.",
				 it->ctt->ticket_no, it->ctt->segment_group,
				 e->access_type));
}

bool check_current(struct arena *mem, struct item *it)
{
	struct cpe *seen = &it->cpe->current, *stored = &it->cpe->element->cpe;
	bool equal = seen->bandwidth_mbps == stored->bandwidth_mbps;

	for (int i = 0; i < CPE_TEXTS; i++)
		equal = equal && same_text(mem, i, *cpe_text_at(seen, i),
					   *cpe_text_at(stored, i));
	return gate(it, STEP_check_current, !it->cpe->has_current || equal,
		    CODE_CPE_STALE, arena_printf(mem, "The CPE data of CTT "
		    "%s was changed since it was read; `stored` has it.",
		    it->ctt->ticket_no));
}
