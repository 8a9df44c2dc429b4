#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>

struct arena;

/*
 * Addresses of IPv4 and IPv6, as one customer's equipment can have them:
 * unicast, and none that is of this host or this link alone. (An IPv4 address
 * that is written as one of IPv6, ::ffff:10.0.0.1, is judged as what it is, and
 * stays as it is written.)
 */
bool address_is_unicast(const char *text);

/* The one form that an address has in texts (RFC 5952); itself if it is none. */
const char *address_canonical(struct arena *mem, const char *text);

/* Are these two the same address, however it is written? */
bool address_same(const char *a, const char *b);

#endif
