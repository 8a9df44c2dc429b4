#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/address.h"
#include "base/arena.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What one customer's equipment can have, and what an address is not. */
static const struct {
	const char *text;
	bool unicast;
} addresses[] = {
	{"1.0.0.0", true},
	{"10.0.0.1", true},
	{"100.64.0.1", true},
	{"126.255.255.255", true},
	{"128.0.0.1", true},
	{"169.253.255.255", true},
	{"169.255.0.0", true},
	{"172.16.0.1", true},
	{"192.168.255.255", true},
	{"223.255.255.255", true},
	{"2001:db8::", true},
	{"2001:DB8:0:0::1", true},
	{"fd00::1", true},
	{"fec0::1", true},
	{"::ffff:10.0.0.1", true},
	{"64:ff9b::192.0.2.33", true},
	{"0.0.0.0", false}, /* unspecified */
	{"0.1.2.3", false},
	{"::", false},
	{"127.0.0.1", false}, /* loopback */
	{"127.255.255.255", false},
	{"::1", false},
	{"0:0:0:0:0:0:0:1", false},
	{"::ffff:127.0.0.1", false},
	{"169.254.0.0", false}, /* link-local */
	{"169.254.255.255", false},
	{"fe80::1", false},
	{"FEBF:ffff::1", false},
	{"::ffff:169.254.1.1", false},
	{"224.0.0.1", false}, /* multicast, and what is kept free */
	{"239.255.255.255", false},
	{"240.0.0.1", false},
	{"255.255.255.255", false},
	{"ff02::1", false},
	{"::ffff:224.0.0.1", false},
	{"", false},
	{" 1.2.3.4", false},
	{"1.2.3", false},
	{"01.2.3.4", false},
	{"1.2.3.4/24", false},
	{"fe80::1%eth0", false},
	{"2001:db8:::1", false},
	{"[2001:db8::1]", false},
	{"localhost", false},
};

static void unicast(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++)
		if (address_is_unicast(addresses[i].text) !=
		    addresses[i].unicast)
			fail_msg("%s", addresses[i].text);
}

static const struct {
	const char *a, *b; /* b is the canonical form of a ... */
	bool same;         /* ... or another address           */
} pairs[] = {
	{"10.0.0.1", "10.0.0.1", true},
	{"2001:DB8::AbCd", "2001:db8::abcd", true},
	{"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1", true},
	{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", true},
	{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", true},
	{"64:ff9b::192.0.2.33", "64:ff9b::c000:221", true},
	{"::FFFF:a00:1", "::ffff:10.0.0.1", true},
	{"10.0.0.1", "10.0.0.2", false},
	{"10.0.0.1", "::ffff:10.0.0.1", false},
	{"2001:db8::1", "2001:db8:1::", false},
	{"10.0.0.1", "", false},
	{"x", "x", false}, /* none is no address twice */
};

static void same(void **state)
{
	struct arena *mem = arena_open();

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		if (address_same(pairs[i].a, pairs[i].b) != pairs[i].same ||
		    address_same(pairs[i].b, pairs[i].a) != pairs[i].same)
			fail_msg("%s %s", pairs[i].a, pairs[i].b);
		if (pairs[i].same)
			assert_string_equal(address_canonical(mem, pairs[i].a),
					    pairs[i].b);
	}
	assert_string_equal(address_canonical(mem, "x"), "x");
	arena_close(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unicast),
		cmocka_unit_test(same),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
