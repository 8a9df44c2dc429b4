#include "model/rules.h"

#include "base/clock.h"

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

bool check_ctt_found(struct item *it, struct arena *mem)
{
	return gate(it, STEP_load_ctt, it->ctt, CODE_CTT_NOT_FOUND, it->ctt ?
		    NULL : arena_printf(mem, "There is no CTT %s.",
					ref_text(&it->ctt_ref, mem)));
}

bool check_ntt_found(struct item *it, struct arena *mem)
{
	return gate(it, STEP_load_ntt, it->ntt, CODE_NTT_NOT_FOUND, it->ntt ?
		    NULL : arena_printf(mem, "There is no NTT %s.",
					ref_text(&it->ntt_ref, mem)));
}

static int seconds_up(int64_t ms)
{
	return ms > 0 ? (int)((ms + 999) / 1000) : 1;
}

bool check_idle(struct item *it, struct arena *mem)
{
	const struct open_op *o = it->ctt->open;

	if (o)
		it->retry_after_s = seconds_up(o->next_in_ms);
	return gate(it, STEP_check_idle, !o, CODE_OPERATION_IN_PROGRESS, o ?
		    arena_printf(mem, "Operation %s (%s) is under way on CTT "
				 "%s; try again when it is settled.", o->id,
				 o->kind, it->ctt->ticket_no) : NULL);
}

bool check_not_linked(struct item *it, struct arena *mem)
{
	const struct ctt *c = it->ctt;

	return gate(it, STEP_check_not_linked, !c->ntt_id,
		    CODE_CTT_ALREADY_LINKED, c->ntt_id ?
		    arena_printf(mem, "CTT %s is linked to NTT %s already.",
				 c->ticket_no, c->ntt_ticket_no) : NULL);
}

bool check_not_blocked(struct item *it, struct arena *mem)
{
	int s = it->block_ms > 0 ? seconds_up(it->block_ms) : 0;

	if (s)
		it->retry_after_s = s;
	return gate(it, STEP_check_unlink_block, !s, CODE_UNLINK_BLOCKED, s ?
		    arena_printf(mem, "CTT %s was unlinked from NTT %s a "
				 "moment ago; the pair is blocked for %d more "
				 "seconds.", it->ctt->ticket_no,
				 it->ntt->ticket_no, s) : NULL);
}

enum op_state rules_next(enum op_state was, enum rc verdict, bool recovered)
{
	switch (verdict) {
	case RC_OK:
		/* told "failed" already: it stays until it is undone */
		return was == OP_RUNNING ? OP_SUCCEEDED : was;
	case RC_NO:
		return OP_ROLLED_BACK;
	case RC_AGAIN:
		/* nothing was sent now; an earlier try may have been */
		return recovered ? was : OP_ROLLED_BACK;
	default:
		/* whoever asked is told that it failed, so it goes back;
		 * where nobody was told, it follows the partner yet */
		return recovered ? was : OP_SETTLING;
	}
}
