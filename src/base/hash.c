#include "base/hash.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

static const char *hex(struct arena *mem, const unsigned char *sum, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	char *text = arena_alloc(mem, 2 * n + 1);

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digit[sum[i] >> 4];
		text[2 * i + 1] = digit[sum[i] & 15];
	}
	return text;
}

const char *hash_sha256(struct arena *mem, const void *data, size_t n)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len;

	if (!EVP_Digest(data, n, sum, &len, EVP_sha256(), NULL))
		arena_exhausted();
	return hex(mem, sum, len);
}

const char *hash_hmac(struct arena *mem, const char *key, const void *data,
		      size_t n)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len;

	if (!HMAC(EVP_sha256(), key, (int)strlen(key), data, n, sum, &len))
		arena_exhausted();
	return hex(mem, sum, len);
}
