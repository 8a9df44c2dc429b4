#ifndef PARTNER_ENDS_H
#define PARTNER_ENDS_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/conf.h"

/* What ends some day: a certificate of the settings, a token that is a JWT with
 * an exp (CTT_..._FILE), or the certificate that a partner showed last
 * (CTT_..._URL). */
struct ending {
	char setting[32];
	int64_t at_s; /* since 1970 */
};

enum { ENDINGS_MOST = 4 * PARTNER__MAX + 3 };

/* All of them, as this process has read them. Of several certificates in a file
 * the first to end counts. */
size_t endings_find(const struct conf *cf, struct ending r[ENDINGS_MOST]);

/* Seconds since 1970; 0: it does not say. */
int64_t ending_of_cert(const X509 *cert);

#endif
