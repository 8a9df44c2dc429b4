#ifndef MODEL_RULES_H
#define MODEL_RULES_H

#include "model/batch.h"

/*
 * The gates, one rule each (contract sections 4 to 7). Each notes its step in
 * the item's trace; false: the item is refused, and knows why. They look at
 * what was loaded and touch nothing else. `mem` is where sentences are made.
 */
bool check_ctt_found(struct item *it, struct arena *mem);
bool check_ntt_found(struct item *it, struct arena *mem);
bool check_idle(struct item *it, struct arena *mem);
bool check_not_linked(struct item *it, struct arena *mem);
bool check_not_blocked(struct item *it, struct arena *mem);

/*
 * Where an open operation goes, when its partner has spoken (section 10.1).
 * `recovered`: by the recovery, long after; nobody is told any more.
 * Its own state: it stays where it is.
 */
enum op_state rules_next(enum op_state was, enum rc verdict, bool recovered);

#endif
