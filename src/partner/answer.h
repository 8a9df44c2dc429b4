#ifndef PARTNER_ANSWER_H
#define PARTNER_ANSWER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"

/* A string of an answer, its escapes undone; NULL: it is none, or has a NUL in
 * it, as no text of ours has. */
const char *answer_text(struct slice value, struct arena *mem);

/* A whole number of an answer; 0: it is none. */
int64_t answer_int(struct slice value);

#endif
