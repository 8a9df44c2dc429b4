#ifndef PARTNER_OAUTH_H
#define PARTNER_OAUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/conf.h"

/*
 * A bearer token by OAuth 2.0 client credentials (RFC 6749, 4.4), from the
 * partner's token endpoint (CTT_<PARTNER>_OAUTH_URL). The client's secret goes
 * there as a password (HTTP Basic).
 */

/* What is wrong with the settings of this partner's tokens; *which is the end
 * of the setting's name. NULL: nothing. */
const char *oauth_error(const struct conf *cf, enum partner_id id,
			const char **which);

struct oauth_token {
	const char *text;
	int64_t life_ms;
};

/* Fetch one, within CTT_PARTNER_TIMEOUT_MS; must_stop as in partner/fetch.h.
 * False: `why` tells why there is none, without a secret. */
bool oauth_fetch(const struct conf *cf, enum partner_id id,
		 bool (*must_stop)(void *arg), void *arg, struct arena *mem,
		 struct oauth_token *token_r, char *why, size_t size);

#endif
