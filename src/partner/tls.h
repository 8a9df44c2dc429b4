#ifndef PARTNER_TLS_H
#define PARTNER_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#include "base/conf.h"

/* What is wrong with this partner's CA, certificate or key; *which is the end
 * of the setting's name. NULL: nothing. */
const char *tls_error(const struct conf *cf, enum partner_id id,
		      const char **which);

/* Does the text hold a certificate in PEM, and nothing that is broken? */
bool tls_is_ca(const char *pem);

/* Parse the CA's certificates, which passed tls_is_ca. The caller frees the
 * store. */
X509_STORE *tls_store(const char *pem);

#endif
