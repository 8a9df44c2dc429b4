#ifndef PARTNER_ENDS_H
#define PARTNER_ENDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"

/* A file of the settings that ends some day: a certificate, or a token that is
 * a JWT with an exp. */
struct ending {
	char setting[32];
	int64_t at_s; /* since 1970 */
};

enum { ENDINGS_MOST = 3 * PARTNER__MAX + 3 };

/* All of them, as this process has read them. Of several certificates in a file
 * the first to end counts. */
size_t endings_find(const struct conf *cf, struct ending r[ENDINGS_MOST]);

#endif
