#ifndef FLOW_COMMON_H
#define FLOW_COMMON_H

#include "saga/flow.h"

/* A job with such a payload and nothing else. */
void job_plain(struct change *ch, const struct item *it, const char *type);

/* Note a step of the closing transaction. */
void note_done(struct item *it, enum step step, const char *detail);
void note_skipped(struct item *it, enum step step, const char *detail);

/* How TaaS and TMF name a CTT: contract section 9. */
const char *name_at_partner(const struct ctt *ctt);

/* The partner that is told of a CTT's new status: contract section 6. */
enum partner_id status_partner(const struct ctt *ctt);

/* Members of an intent; NULL and 0 where there is none. */
const char *intent_text(struct json_object *o, const char *name,
			struct arena *mem);
uint64_t intent_id(struct json_object *o, const char *name);

#endif
