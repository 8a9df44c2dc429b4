#ifndef MODEL_RULES_H
#define MODEL_RULES_H

#include "model/batch.h"

/*
 * The gates, one rule each (contract sections 4 to 7). Each notes its step in
 * the item's trace. False: the item is refused, and has a code and a detail.
 * Gates read only what was loaded, and change nothing else.
 */
bool check_ctt_found(struct batch *b, struct item *it);
bool check_ntt_found(struct batch *b, struct item *it);
bool check_idle(struct batch *b, struct item *it);
bool check_not_linked(struct batch *b, struct item *it);
bool check_linked(struct batch *b, struct item *it);
bool check_not_blocked(struct batch *b, struct item *it);
/* by CTT_LINK_CLOSED; it has no step of its own: what it refuses has failed the
 * `save` step */
bool check_open(struct batch *b, struct item *it, enum step save);
bool check_activity(struct batch *b, struct item *it);
bool check_first(struct batch *b, struct item *it); /* of its CTT in a bulk */
bool check_not_terminal(struct batch *b, struct item *it);
bool check_not_resolved(struct batch *b, struct item *it); /* by ticket */
bool check_status(struct batch *b, struct item *it);
bool check_codes(struct batch *b, struct item *it);
bool check_facts(struct batch *b, struct item *it); /* of CPE; sets `wanted` */
bool check_elements(struct batch *b, struct item *it);
bool check_eligible(struct batch *b, struct item *it);
bool check_current(struct batch *b, struct item *it);

#endif
