#ifndef MODEL_RULES_H
#define MODEL_RULES_H

#include "base/conf.h"
#include "model/batch.h"

/*
 * The gates, one rule each (contract sections 4 to 7). Each notes its step in
 * the item's trace. False: the item is refused, and has a code and a detail.
 * Gates read only what was loaded, and change nothing else.
 */
bool gate(struct item *it, enum step step, bool pass, enum code code,
	  const char *detail); /* what each of them does in the end */
bool check_ctt_found(struct arena *mem, struct item *it);
bool check_ntt_found(struct arena *mem, struct item *it);
bool check_idle(struct arena *mem, struct item *it);
bool check_not_linked(struct arena *mem, struct item *it);
bool check_linked(struct arena *mem, struct item *it);
bool check_not_blocked(struct arena *mem, struct item *it);
/* by CTT_LINK_CLOSED; it has no step of its own: what it refuses has failed the
 * `save` step */
bool check_open(const struct conf *cf, struct arena *mem, struct item *it,
		enum step save);
bool check_activity(struct arena *mem, struct item *it);
bool check_first(struct arena *mem, struct item *it); /* of its CTT in a bulk */
bool check_not_terminal(struct arena *mem, struct item *it);
bool check_not_resolved(struct arena *mem, struct item *it); /* by ticket */
bool check_status(struct arena *mem, struct item *it);
bool check_codes(const struct conf *cf, struct arena *mem, struct item *it);
/* of CPE; sets `wanted` */
bool check_facts(struct arena *mem, struct item *it);
bool check_elements(struct arena *mem, struct item *it);
bool check_eligible(struct arena *mem, struct item *it);
bool check_current(struct arena *mem, struct item *it);

#endif
