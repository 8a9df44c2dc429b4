#ifndef PARTNER_HEADERS_H
#define PARTNER_HEADERS_H

#include "base/conf.h"

/*
 * The headers of CTT_<PARTNER>_HEADERS_FILE, which every call to the partner
 * has: a line `Name: value` for each. A value is ASCII. Empty lines do not
 * count.
 */
struct header {
	const char *name, *value; /* not terminated */
	int name_len, value_len;
};

/* What is wrong with this partner's; *which is the end of the setting's name.
 * NULL: nothing. It names the line, and no value. */
const char *headers_error(const struct conf *cf, enum partner_id id,
			  const char **which);

/* The header in the line at *at, which moves to the next line. The text passed
 * headers_error. False: that was the last one. */
bool headers_next(const char **at, struct header *header_r);

#endif
