#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789-_";

/* The value of a digit; -1: it is none. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(const char *s, size_t n, void *to, size_t *len_r)
{
	unsigned char *out = to;
	unsigned bits = 0;
	size_t len = 0;

	if (n % 4 == 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		int value = value_of(s[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (unsigned)value;
		if (i % 4)
			out[len++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	*len_r = len;
	return true;
}

char *base64url_encode(const void *bytes, size_t n, char *to)
{
	const unsigned char *in = bytes;
	unsigned bits = 0;
	int held = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | in[i];
		for (held += 8; held >= 6; held -= 6)
			*to++ = digits[bits >> (held - 6) & 63];
	}
	if (held)
		*to++ = digits[bits << (6 - held) & 63];
	*to = '\0';
	return to;
}
