#ifndef WEB_CLAIMS_H
#define WEB_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"

struct json_object;

/* The caller of a request, as its token names it. */
struct claims {
	char actor[129]; /* CTT_JWT_ACTOR_CLAIM */
	unsigned may;    /* a bit for each enum permission */
};

/* The seconds in which a token is valid: [from, until). */
struct validity {
	double from, until;
};

/* Made once of the settings: the errors that name a claim of theirs. */
struct claim_rules {
	const struct conf *cf;
	char no_actor[256], bad_roles[256];
};
void claim_rules_make(struct claim_rules *rules_r, const struct conf *cf);

/* Read a token's claims. NULL, or a sentence that tells what is wrong; it is a
 * constant or belongs to the rules. */
const char *claims_read(const struct claim_rules *rules,
			struct json_object *body, int64_t now_s,
			struct validity *validity_r, struct claims *claims_r);

/* Is it time for the token? NULL, or a constant sentence. */
const char *validity_error(const struct validity *v, int64_t now_s);

/* Has one of the caller's roles this permission? */
bool claims_may(const struct claims *c, enum permission what);

#endif
