#ifndef PARTNER_ANSWER_H
#define PARTNER_ANSWER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

/* The value of an answer. No slice: it is not one JSON text in UTF-8. */
struct slice answer_value(const struct buf *answer);

/* Decode a string of an answer. NULL: the value is no string, or contains a NUL
 * character. */
const char *answer_text(struct slice value, struct arena *mem);

/* Decode a whole number of an answer. 0: the value is no whole number. */
int64_t answer_int(struct slice value);

#endif
