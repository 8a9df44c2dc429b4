#ifndef PARTNER_CALL_H
#define PARTNER_CALL_H

#include "model/verdict.h"
#include "partner/partner.h"

/* Take back the result of an earlier call that was made with this struct, but
 * for c->past. The call begins now. */
void call_clear(struct call *c);

/* The call has ended. Decide its verdict by what is known of the step,
 * including this attempt. `why`: as in struct call. */
void call_conclude(struct call *c, enum said said, const char *why);

/* Log and count a call that was made, and its c->ms. */
void call_log(const struct call *c);

#endif
