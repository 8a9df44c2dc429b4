#include "model/rules.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/conf.h"

static bool gate(struct item *it, enum step step, bool pass, enum code code,
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

bool check_ctt_found(struct batch *b, struct item *it)
{
	return gate(it, STEP_load_ctt, it->ctt, CODE_CTT_NOT_FOUND, it->ctt ?
		    NULL : arena_printf(b->mem, "There is no CTT %s.",
					ref_text(&it->ctt_ref, b->mem)));
}

bool check_ntt_found(struct batch *b, struct item *it)
{
	return gate(it, STEP_load_ntt, it->ntt, CODE_NTT_NOT_FOUND, it->ntt ?
		    NULL : arena_printf(b->mem, "There is no NTT %s.",
					ref_text(&it->ntt_ref, b->mem)));
}

static int seconds_up(int64_t ms)
{
	return ms > 0 ? (int)((ms + 999) / 1000) : 1;
}

bool check_idle(struct batch *b, struct item *it)
{
	const struct open_op *o = it->ctt->open;

	if (o)
		it->retry_after_s = seconds_up(o->next_in_ms);
	return gate(it, STEP_check_idle, !o, CODE_OPERATION_IN_PROGRESS, o ?
		    arena_printf(b->mem, "Operation %s (%s) is under way on CTT "
				 "%s; try again when it is settled.", o->id,
				 o->kind, it->ctt->ticket_no) : NULL);
}

bool check_not_linked(struct batch *b, struct item *it)
{
	const struct ctt *c = it->ctt;

	return gate(it, STEP_check_not_linked, !c->ntt_id,
		    CODE_CTT_ALREADY_LINKED, c->ntt_id ?
		    arena_printf(b->mem, "CTT %s is linked to NTT %s already.",
				 c->ticket_no, c->ntt_ticket_no) : NULL);
}

bool check_not_blocked(struct batch *b, struct item *it)
{
	int s = it->block_ms > 0 ? seconds_up(it->block_ms) : 0;

	if (s)
		it->retry_after_s = s;
	return gate(it, STEP_check_unlink_block, !s, CODE_UNLINK_BLOCKED, s ?
		    arena_printf(b->mem, "CTT %s was unlinked from NTT %s a "
				 "moment ago; the pair is blocked for %d more "
				 "seconds.", it->ctt->ticket_no,
				 it->ntt->ticket_no, s) : NULL);
}

/* The pair's NTT is found here as well: an unlink's trace has no step for it. */
bool check_linked(struct batch *b, struct item *it)
{
	const struct ctt *c = it->ctt;

	if (!it->ntt)
		return gate(it, STEP_check_linked, false, CODE_NTT_NOT_FOUND,
			    arena_printf(b->mem, "There is no NTT %s.",
					 ref_text(&it->ntt_ref, b->mem)));
	/* while an operation is under way nobody can say: check_idle's turn */
	return gate(it, STEP_check_linked, c->open || c->ntt_id == it->ntt->id,
		    CODE_CTT_NOT_LINKED_TO_NTT, arena_printf(b->mem,
		    "CTT %s is not linked to NTT %s; it is linked to %s.",
		    c->ticket_no, it->ntt->ticket_no,
		    c->ntt_id ? c->ntt_ticket_no : "none"));
}

bool check_activity(struct batch *b, struct item *it)
{
	const struct activity *a = it->ctt ? it->ctt->activity : NULL;
	uint64_t wanted = it->resolve->activity_id;
	const char *no = ref_text(&it->ctt_ref, b->mem);

	if (!wanted && !it->ctt)
		return gate(it, STEP_load_activity, false, CODE_CTT_NOT_FOUND,
			    arena_printf(b->mem, "There is no CTT %s.", no));
	if (!wanted && it->after && it->after->state == OP_SUCCEEDED)
		return gate(it, STEP_load_activity, false,
			    CODE_CTT_ACTIVITY_NOT_FOUND, arena_printf(b->mem,
			    "CTT %s comes twice in this request; it was "
			    "resolved by item %zu.", no, it->after->index));
	if (!wanted)
		return gate(it, STEP_load_activity, a,
			    CODE_CTT_ACTIVITY_NOT_FOUND, arena_printf(b->mem,
			    "CTT %s has no activity.", no));
	return gate(it, STEP_load_activity, a && a->id == wanted,
		    CODE_CTT_ACTIVITY_NOT_FOUND, arena_printf(b->mem,
		    "Activity %llu is not the latest activity of CTT %s; "
		    "reload the ticket.", (unsigned long long)wanted, no));
}

bool check_not_terminal(struct batch *b, struct item *it)
{
	const char *status = it->ctt->status;

	return gate(it, STEP_check_not_terminal, !status_is_terminal(status),
		    CODE_CTT_STATUS_TERMINAL,
		    arena_printf(b->mem, "CTT %s is %s; its status cannot be "
				 "updated.", it->ctt->ticket_no, status));
}

static const struct lov *lov_find(const struct batch *b, const char *type,
				  const char *code)
{
	for (size_t i = 0; i < b->nlov; i++)
		if (!strcmp(b->lov[i].type, type) &&
		    !strcmp(b->lov[i].code, code))
			return &b->lov[i];
	return NULL;
}

/* A status is found by its code or its label, in any case. */
bool check_status(struct batch *b, struct item *it)
{
	const char *status = it->resolve->status;
	bool resolved = !status;

	for (size_t i = 0; !resolved && i < b->nlov; i++) {
		const struct lov *l = &b->lov[i];

		resolved = !strcmp(l->type, "CTT_STATUS") &&
			   (!strcasecmp(l->code, status) ||
			    !strcasecmp(l->label, status)) &&
			   !strcasecmp(l->label, "Resolved");
	}
	return gate(it, STEP_check_status, resolved,
		    CODE_ONLY_RESOLVED_ALLOWED, resolved ? NULL :
		    arena_printf(b->mem, "The status \"%s\" cannot be set "
				 "here; only Resolved can.", status));
}

static void code_wrong(struct buf *errors, int which, const char *message)
{
	put_open(errors, NULL, '{');
	put_str(errors, "field", resolve_code_name[which]);
	put_str(errors, "message", message);
	put_close(errors, '}');
}

bool check_codes(struct batch *b, struct item *it)
{
	static const char *const type[CODES_MAX] = {
		[CODE_CAUSE] = "CAUSE_CODE",
		[CODE_DISPOSITION] = "DISPOSITION",
		[CODE_RESOLUTION] = "RESOLUTION_CODE",
		[CODE_DELAY] = "DELAY_REASON",
	};
	struct buf errors;

	buf_init(&errors, b->mem);
	put_open(&errors, NULL, '[');
	for (int i = 0; i < CODES_MAX; i++) {
		const char *code = it->resolve->code[i];

		if (code && !lov_find(b, type[i], code))
			code_wrong(&errors, i, arena_printf(b->mem, "%s is no "
				   "active %s", code, type[i]));
		else if (!code && conf_list_has(b->codes_required,
						resolve_code_name[i]))
			code_wrong(&errors, i, "is required");
	}
	put_close(&errors, ']');
	it->resolve->errors = errors.len > 2 ? errors.s : NULL;
	return gate(it, STEP_check_codes, !it->resolve->errors,
		    CODE_RESOLUTION_CODE_INVALID, "Codes that resolve the CTT "
		    "are missing or not allowed; `errors` names each.");
}

/* The element that is meant: the one that is named, or the only FTTH one. */
bool check_elements(struct batch *b, struct item *it)
{
	struct cpe_update *u = it->cpe;
	const char *no = it->ctt->ticket_no;
	int ftth = 0;

	u->element = NULL;
	for (struct network_element *e = it->ctt->elements; e; e = e->next) {
		bool is_ftth = !strcmp(e->access_type, "FTTH");

		ftth += is_ftth;
		if (u->element_id ? e->id == u->element_id :
		    is_ftth || !u->element)
			u->element = e;
	}
	if (!u->element_id && ftth > 1) {
		it->errors_field = "networkElementId";
		return gate(it, STEP_load_network_elements, false,
			    CODE_VALIDATION_FAILED, arena_printf(b->mem,
			    "CTT %s has %d FTTH network elements; name one in "
			    "networkElementId.", no, ftth));
	}
	return gate(it, STEP_load_network_elements, u->element,
		    CODE_NETWORK_ELEMENT_NOT_FOUND, !u->element_id ?
		    arena_printf(b->mem, "CTT %s has no network element.", no) :
		    arena_printf(b->mem, "CTT %s has no network element %llu.",
				 no, (unsigned long long)u->element_id));
}

bool check_eligible(struct batch *b, struct item *it)
{
	const struct network_element *e = it->cpe->element;

	return gate(it, STEP_check_eligible,
		    !strcmp(it->ctt->segment_group, "Managed Services") &&
		    !strcmp(e->access_type, "FTTH"), CODE_CPE_NOT_ELIGIBLE,
		    arena_printf(b->mem, "Only Managed Services CTTs on FTTH "
				 "can be updated; CTT %s is \"%s\" on %s.",
				 it->ctt->ticket_no, it->ctt->segment_group,
				 e->access_type));
}

bool check_current(struct batch *b, struct item *it)
{
	const struct cpe *seen = &it->cpe->current;
	const struct cpe *stored = &it->cpe->element->cpe;
	bool equal = same_cpe(seen, stored);

	return gate(it, STEP_check_current, !it->cpe->has_current || equal,
		    CODE_CPE_STALE, arena_printf(b->mem, "The CPE data of CTT "
		    "%s was changed since it was read; `stored` has it.",
		    it->ctt->ticket_no));
}
