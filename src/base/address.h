#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>

struct arena;

/*
 * Is it an IPv4 or IPv6 address that a customer's equipment can have? It must
 * be unicast, and neither loopback nor link-local. An IPv4 address in the form
 * of IPv6 (::ffff:10.0.0.1) is judged as IPv4, and keeps its form.
 */
bool address_is_unicast(const char *text);

/* The canonical form of an address (RFC 5952). Another text stays as it is. */
const char *address_canonical(struct arena *mem, const char *text);

/* Are these two texts the same address? */
bool address_same(const char *a, const char *b);

#endif
