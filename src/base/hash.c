#include "base/hash.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

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

/* HMAC prepares a key at a higher cost than it has for a short text, so each
 * thread keeps the prepared state of its last key. */
static _Thread_local EVP_MAC_CTX *mac_ctx;
static _Thread_local const char *mac_key;

void hash_end_thread(void)
{
	EVP_MAC_CTX_free(mac_ctx);
	mac_ctx = NULL;
	mac_key = NULL;
}

static EVP_MAC_CTX *mac_of(const char *key)
{
	char digest[] = "SHA256";
	const OSSL_PARAM with[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
						 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac;

	if (mac_key == key)
		return EVP_MAC_init(mac_ctx, NULL, 0, NULL) ? mac_ctx : NULL;
	mac_key = NULL;
	if (!mac_ctx) {
		hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
		mac_ctx = EVP_MAC_CTX_new(hmac);
		EVP_MAC_free(hmac); /* the context has a reference */
	}
	if (!mac_ctx || !EVP_MAC_init(mac_ctx, (const unsigned char *)key,
				      strlen(key), with))
		return NULL;
	mac_key = key;
	return mac_ctx;
}

const char *hash_hmac(struct arena *mem, const char *key, const void *data,
		      size_t n)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MAC_CTX *mac = mac_of(key);
	size_t len;

	if (!mac || !EVP_MAC_update(mac, data, n) ||
	    !EVP_MAC_final(mac, sum, &len, sizeof sum))
		arena_exhausted();
	return hex(mem, sum, len);
}

uint64_t hash_fast(const void *data, size_t n)
{
	uint64_t hash = 14695981039346656037u;

	for (const unsigned char *at = data; n--; at++)
		hash = (hash ^ *at) * 1099511628211u;
	return hash;
}
