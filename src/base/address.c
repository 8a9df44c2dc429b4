#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/arena.h"

/* Parse an address into bytes. Returns its family; 0: it is no address. */
static int parse(const char *text, unsigned char to[16])
{
	if (inet_pton(AF_INET, text, to) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, to) == 1 ? AF_INET6 : 0;
}

static bool is_unicast_4(const unsigned char a[4])
{
	return a[0] > 0 && a[0] < 224 && a[0] != 127 && /* loopback   */
	       !(a[0] == 169 && a[1] == 254);           /* link-local */
}

static bool is_unicast_6(const unsigned char a[16])
{
	struct in6_addr six;

	memcpy(&six, a, sizeof six);
	if (IN6_IS_ADDR_V4MAPPED(&six))
		return is_unicast_4(a + 12);
	return !IN6_IS_ADDR_UNSPECIFIED(&six) && !IN6_IS_ADDR_LOOPBACK(&six) &&
	       !IN6_IS_ADDR_LINKLOCAL(&six) && !IN6_IS_ADDR_MULTICAST(&six);
}

bool address_is_unicast(const char *text)
{
	unsigned char a[16];

	switch (parse(text, a)) {
	case AF_INET:
		return is_unicast_4(a);
	case AF_INET6:
		return is_unicast_6(a);
	default:
		return false;
	}
}

const char *address_canonical(struct arena *mem, const char *text)
{
	char canonical[INET6_ADDRSTRLEN];
	unsigned char a[16];
	int family = parse(text, a);

	if (!family || !inet_ntop(family, a, canonical, sizeof canonical))
		return text;
	return arena_strdup(mem, canonical);
}

bool address_same(const char *a, const char *b)
{
	unsigned char x[16] = {0}, y[16] = {0};
	int family = parse(a, x);

	return family && parse(b, y) == family && !memcmp(x, y, sizeof x);
}
