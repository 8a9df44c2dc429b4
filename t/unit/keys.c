#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/base64.h"
#include "web/jwk.h"
#include "web/jwks.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PUBLIC_ALGS                                                          \
	(ALG_BIT(ALG_RS256) | ALG_BIT(ALG_PS256) | ALG_BIT(ALG_ES256) |      \
	 ALG_BIT(ALG_EDDSA))

/* RFC 7515, A.2 (n), A.3 (x, y); RFC 8037, A.2. */
#define RSA_N                                                                \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-" \
	"Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG" \
	"6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9" \
	"e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT" \
	"6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDT" \
	"W9gb54h4FRWyuXpoQ"
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RSA "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\""
#define EC                                                                   \
	"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""
#define ED "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\""
#define OCT                                                                  \
	"\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE\""

enum { NOW = 1000000, HOUR = 3600 };

static const struct {
	const char *jwk;
	unsigned asked, algs; /* 0: it is passed over, or wrong */
	const char *why;      /* NULL: it is not wrong          */
} jwks[] = {
	{RSA, PUBLIC_ALGS, ALG_BIT(ALG_RS256) | ALG_BIT(ALG_PS256), NULL},
	{RSA ",\"alg\":\"RS256\"", PUBLIC_ALGS, ALG_BIT(ALG_RS256), NULL},
	{RSA ",\"alg\":\"PS256\"", PUBLIC_ALGS, ALG_BIT(ALG_PS256), NULL},
	{RSA, ALG_BIT(ALG_PS256), ALG_BIT(ALG_PS256), NULL},
	{RSA ",\"use\":\"sig\",\"x5c\":[\"MII\"]", ALG_BIT(ALG_RS256),
	 ALG_BIT(ALG_RS256), NULL},
	{RSA ",\"key_ops\":[\"verify\"]", ALG_BIT(ALG_RS256),
	 ALG_BIT(ALG_RS256), NULL},
	{EC, PUBLIC_ALGS, ALG_BIT(ALG_ES256), NULL},
	{ED ",\"alg\":\"EdDSA\"", PUBLIC_ALGS, ALG_BIT(ALG_EDDSA), NULL},
	{OCT, ALG_BIT(ALG_HS256), ALG_BIT(ALG_HS256), NULL},

	/* not for us */
	{RSA ",\"use\":\"enc\"", PUBLIC_ALGS, 0, NULL},
	{RSA ",\"use\":7", PUBLIC_ALGS, 0, NULL},
	{RSA ",\"key_ops\":[\"encrypt\"]", PUBLIC_ALGS, 0, NULL},
	{RSA ",\"key_ops\":\"verify\"", PUBLIC_ALGS, 0, NULL},
	{RSA ",\"alg\":\"RSA-OAEP\"", PUBLIC_ALGS, 0, NULL},
	{RSA ",\"alg\":\"none\"", PUBLIC_ALGS, 0, NULL},
	{RSA ",\"alg\":null", PUBLIC_ALGS, 0, NULL},
	{RSA ",\"alg\":\"HS256\"", PUBLIC_ALGS, 0, NULL},
	{RSA ",\"alg\":\"ES256\"", PUBLIC_ALGS, 0, NULL},
	{RSA, ALG_BIT(ALG_ES256), 0, NULL},
	{RSA, ALG_BIT(ALG_HS256), 0, NULL},
	{OCT, PUBLIC_ALGS, 0, NULL},
	{OCT ",\"alg\":\"RS256\"", ALG_BIT(ALG_HS256), 0, NULL},
	{"\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"",
	 PUBLIC_ALGS, 0, NULL},
	{"\"kty\":\"new\"", PUBLIC_ALGS, 0, NULL},
	{"\"kid\":\"x\"", PUBLIC_ALGS, 0, NULL},

	/* wrong */
	{RSA ",\"d\":\"AQ\"", PUBLIC_ALGS, 0, "private key"},
	{RSA ",\"kid\":7", PUBLIC_ALGS, 0, "kid is not a text"},
	{"\"kty\":\"RSA\",\"n\":\"" RSA_N "\"", PUBLIC_ALGS, 0, "not a valid"},
	{"\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_N "=\"", PUBLIC_ALGS, 0,
	 "not a valid"},
	{"\"kty\":\"RSA\",\"e\":\"AQ\",\"n\":\"" RSA_N "\"",
	 ALG_BIT(ALG_RS256), 0, "not an RSA key"},
	{"\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" EC_X "\"",
	 ALG_BIT(ALG_RS256), 0, "not an RSA key of 2048"},
	{"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_X
	 "\"", PUBLIC_ALGS, 0, "not a valid"},
	{"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"AA\"",
	 PUBLIC_ALGS, 0, "not a valid"},
	{"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"", PUBLIC_ALGS, 0,
	 "not a valid"},
	{"\"kty\":\"oct\",\"k\":\"AAAA\"", ALG_BIT(ALG_HS256), 0, "32 bytes"},
	{"\"kty\":\"oct\",\"k\":\"+\"", ALG_BIT(ALG_HS256), 0, "base64url"},
	{"\"kty\":\"oct\"", ALG_BIT(ALG_HS256), 0, "base64url"},
};

/* The keys of a set with this inside; *why_r is what was told of them. */
static struct keys *read_set(unsigned algs, const char *inside,
			     const char **why_r)
{
	struct keys *keys = keys_new(algs);
	char text[8192];
	struct json_object *set;
	int n = snprintf(text, sizeof text, "{\"keys\":[%s]}", inside);

	set = jwk_set_parse(text, (size_t)n);
	assert_non_null(set);
	*why_r = jwk_set_add(keys, set);
	json_object_put(set);
	return keys;
}

static void reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(jwks); i++) {
		char inside[4096];
		const char *why;
		struct keys *keys;

		snprintf(inside, sizeof inside, "{%s}", jwks[i].jwk);
		keys = read_set(jwks[i].asked, inside, &why);
		if (!why != !!jwks[i].algs ||
		    (keys->n ? keys->key[0].algs : 0) != jwks[i].algs ||
		    (why && !strstr(why, jwks[i].why ? jwks[i].why :
				    "without a key for the algorithm")))
			fail_msg("%s: %s", jwks[i].jwk, why ? why : "taken");
		keys_close(keys);
	}
}

/* One that is wrong does not take the others along. */
static void sets(void **state)
{
	static const char *const none[] = {
		"", "[]", "x", "{", "{}", "{\"keys\":{}}", "{\"keys\":[]} x",
		"\"keys\"", "{\"keys\":null}",
	};
	const char *why;
	struct keys *keys;
	struct json_object *one;

	(void)state;
	keys = read_set(PUBLIC_ALGS, "{" RSA ",\"d\":\"AQ\"}, 7, {" EC
			",\"kid\":\"b\"}, {" ED "}", &why);
	assert_int_equal(keys->n, 2);
	assert_string_equal(keys->key[0].kid, "b");
	assert_null(keys->key[1].kid);
	assert_non_null(strstr(why, "private"));
	keys_close(keys);
	for (size_t i = 0; i < COUNT(none); i++)
		assert_null(jwk_set_parse(none[i], strlen(none[i])));
	one = jwk_set_parse(" {" EC "}", strlen(" {" EC "}"));
	assert_int_equal(json_object_array_length(one), 1);
	json_object_put(one);
}

/* ---- which key may have signed ---- */

static struct signature sign(EVP_PKEY *key, bool pss, unsigned char *to)
{
	static const char text[] = "a.b";
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	size_t n = 512;

	assert_int_equal(EVP_DigestSignInit(md, &ctx, EVP_sha256(), NULL, key),
			 1);
	if (pss)
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
	if (pss)
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST);
	assert_int_equal(EVP_DigestSign(md, to, &n, (unsigned char *)text, 3),
			 1);
	EVP_MD_CTX_free(md);
	return (struct signature){.text = text, .len = 3, .bytes = to,
				  .nbytes = n};
}

static void add(struct keys *keys, const char *kid, EVP_PKEY *pkey,
		unsigned algs, int64_t until)
{
	struct key key = {.kid = (char *)(uintptr_t)kid, .pkey = pkey,
			  .algs = algs};

	assert_true(keys_add_copy(keys, &key, until));
}

static void chooses(void **state)
{
	EVP_PKEY *a = EVP_RSA_gen(2048), *b = EVP_RSA_gen(2048);
	EVP_PKEY *c = EVP_RSA_gen(2048);
	struct keys *keys = keys_new(PUBLIC_ALGS);
	unsigned char by_a[512], by_b[512], by_c[512], pss_a[512];
	struct signature sa = sign(a, false, by_a), sb = sign(b, false, by_b);
	struct signature sc = sign(c, false, by_c), pa = sign(a, true, pss_a);
	const struct {
		const struct signature *s;
		enum alg alg;
		const char *kid;
		enum proof proof;
	} cases[] = {
		{&sa, ALG_RS256, "a", PROOF_GOOD},
		{&sb, ALG_RS256, "b", PROOF_GOOD},
		{&sa, ALG_RS256, NULL, PROOF_GOOD},
		{&sb, ALG_RS256, NULL, PROOF_GOOD},
		{&sa, ALG_RS256, "b", PROOF_BAD},
		{&sb, ALG_RS256, "a", PROOF_BAD},
		{&sc, ALG_RS256, "a", PROOF_BAD},
		{&sa, ALG_RS256, "x", PROOF_UNKNOWN},
		{&sc, ALG_RS256, NULL, PROOF_NONE},
		{&pa, ALG_PS256, "a", PROOF_UNKNOWN}, /* a is for RS256 */
		{&pa, ALG_RS256, "a", PROOF_BAD},
		{&sb, ALG_PS256, "b", PROOF_BAD},
		{&sa, ALG_HS256, "a", PROOF_UNKNOWN},
		{&sa, ALG_ES256, "a", PROOF_UNKNOWN},
		{&sc, ALG_RS256, "old", PROOF_UNKNOWN}, /* until now */
	};
	int64_t until;

	(void)state;
	add(keys, "a", a, ALG_BIT(ALG_RS256), 0);
	add(keys, "b", b, ALG_BIT(ALG_RS256) | ALG_BIT(ALG_PS256), NOW + 1);
	add(keys, "old", c, ALG_BIT(ALG_RS256), NOW);
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum proof proof = keys_verify(keys, cases[i].alg, cases[i].kid,
					       cases[i].s, NOW, &until);

		if (proof != cases[i].proof)
			fail_msg("case %zu: %d", i, proof);
	}
	assert_int_equal(keys_verify(keys, ALG_RS256, "b", &sb, NOW, &until),
			 PROOF_GOOD);
	assert_int_equal(until, NOW + 1);
	/* a key without a name may be any */
	add(keys, NULL, c, ALG_BIT(ALG_RS256), 0);
	assert_int_equal(keys_verify(keys, ALG_RS256, "x", &sc, NOW, &until),
			 PROOF_GOOD);
	assert_int_equal(keys_verify(keys, ALG_RS256, "a", &sc, NOW, &until),
			 PROOF_GOOD);
	keys_close(keys);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	EVP_PKEY_free(c);
}

/* ---- another set takes the place of one ---- */

/* "a b:1000" for a key a, and a key b until 1000 s after NOW. */
static void assert_keys(const struct keys *keys, const char *wanted)
{
	char text[256] = "";

	for (size_t i = 0; i < keys->n; i++) {
		const struct key *key = &keys->key[i];
		size_t n = strlen(text);

		snprintf(text + n, sizeof text - n, key->until ? "%s%s:%lld" :
			 "%s%s", n ? " " : "", key->kid,
			 (long long)(key->until - NOW));
	}
	assert_string_equal(text, wanted);
}

static void merges(void **state)
{
	EVP_PKEY *pkey[3] = {EVP_EC_gen("P-256"), EVP_EC_gen("P-256"),
			     EVP_EC_gen("P-256")};
	struct keys *fixed = keys_new(PUBLIC_ALGS);
	struct keys *first = keys_new(PUBLIC_ALGS);
	struct keys *second = keys_new(PUBLIC_ALGS);
	struct keys *none = keys_new(PUBLIC_ALGS), *known, *next;

	(void)state;
	add(fixed, "file", pkey[0], ALG_BIT(ALG_ES256), 0);
	add(first, "a", pkey[1], ALG_BIT(ALG_ES256), 0);
	add(second, "b", pkey[2], ALG_BIT(ALG_ES256), 0);

	known = jwks_merge(fixed, first, fixed, NOW, HOUR);
	assert_keys(known, "file a");
	next = jwks_merge(fixed, second, known, NOW, HOUR);
	assert_keys(next, "file b a:3600");
	assert_true(next->number > known->number);
	keys_close(known);
	/* the time of its end does not move */
	known = jwks_merge(fixed, second, next, NOW + 100, HOUR);
	assert_keys(known, "file b a:3600");
	keys_close(next);
	/* it comes back */
	next = jwks_merge(fixed, first, known, NOW + 200, HOUR);
	assert_keys(next, "file a b:3800");
	keys_close(next);
	/* its time is over */
	next = jwks_merge(fixed, second, known, NOW + HOUR, HOUR);
	assert_keys(next, "file b");
	keys_close(next);
	/* nothing is kept */
	next = jwks_merge(NULL, second, first, NOW, 0);
	assert_keys(next, "b");
	keys_close(next);
	keys_close(known);

	/* another key under the same kid is another key */
	add(none, "a", pkey[2], ALG_BIT(ALG_ES256), 0);
	next = jwks_merge(NULL, none, first, NOW, HOUR);
	assert_keys(next, "a a:3600");
	keys_close(next);
	keys_close(fixed);
	keys_close(first);
	keys_close(second);
	keys_close(none);
	for (size_t i = 0; i < COUNT(pkey); i++)
		EVP_PKEY_free(pkey[i]);
}

/* ---- base64url ---- */

static void base64url(void **state)
{
	static const struct {
		const char *text;
		const char *bytes; /* NULL: it is none */
	} cases[] = {
		{"", ""}, {"Zg", "f"}, {"Zm8", "fo"}, {"Zm9v", "foo"},
		{"Zm9vYg", "foob"}, {"-_-_", "\xfb\xff\xbf"}, {"Z", NULL},
		{"Zm9vY", NULL}, {"Zg==", NULL}, {"+/+/", NULL},
		{"Zm 9", NULL}, {"Zm\xc3\xb6", NULL},
	};
	char text[BASE64URL_ROOM(8)];
	unsigned char bytes[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool good = base64url_decode(cases[i].text,
					     strlen(cases[i].text), bytes, &n);

		if (good != !!cases[i].bytes)
			fail_msg("\"%s\"", cases[i].text);
		if (!good)
			continue;
		assert_int_equal(n, strlen(cases[i].bytes));
		assert_memory_equal(bytes, cases[i].bytes, n);
		assert_ptr_equal(base64url_encode(bytes, n, text),
				 text + strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(sets),
		cmocka_unit_test(chooses),
		cmocka_unit_test(merges),
		cmocka_unit_test(base64url),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
