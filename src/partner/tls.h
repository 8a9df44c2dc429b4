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

/* Does the text hold a certificate in PEM, and nothing that is broken? */
bool tls_is_ca(const char *pem);

/* Parse the CA's certificates, which passed tls_check. The caller frees the
 * store. */
X509_STORE *tls_store(const char *pem);

#endif
