#ifndef PARTNER_TLS_H
#define PARTNER_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/conf.h"

/*
 * Can each partner's CA, certificate and key be used? False: err holds one
 * line that names the setting at fault.
 */
bool tls_check(const struct conf *cf, char *err, size_t errlen);

#endif
