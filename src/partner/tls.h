#ifndef PARTNER_TLS_H
#define PARTNER_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#include "base/conf.h"

/*
 * Can each partner's CA, certificate and key be used? False: err holds one
 * line that names the setting that is wrong.
 */
bool tls_check(const struct conf *cf, char *err, size_t errlen);

/* The CA's certificates, to be kept; the caller frees it. They passed
 * tls_check. */
X509_STORE *tls_store(const char *pem);

#endif
