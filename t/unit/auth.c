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
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "web/alg.h"
#include "web/sign.h"
#include "web/token.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SECRET "an HMAC secret of over 32 bytes, as it should be"
#define OTHER "an HMAC secret that was never configured in here"
#define BINARY "one secret,\n of bytes like \x01 and a newline in it"

enum { NOW = 1000000 };

enum key { HS, RS, PS, ES, ED, KEY__MAX };

enum signer {
	SIGN_OWN,        /* as the case's key needs it        */
	SIGN_OTHER,      /* the same, with a key of a stranger */
	SIGN_PUBLIC_PEM, /* HS256 with the public key as secret */
	SIGN_SECRET,     /* HS256 with the secret             */
	SIGN_BINARY,     /* HS256 with another one            */
	SIGN_NOTHING,    /* an empty signature                */
	SIGN_ZEROS,      /* 64 zero bytes                     */
};

static const char *const alg_of[KEY__MAX] = {"HS256", "RS256", "PS256", "ES256",
					     "EdDSA"};
static char folder[] = "/tmp/ctt-auth-XXXXXX";
static EVP_PKEY *own[KEY__MAX], *other[KEY__MAX];
static char pem[4096];  /* of the public RSA key */
static char path[512];  /* the last that path_to() made */
static char token[16384]; /* the last that token_make() made */

static const char *path_to(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void file_put(const char *name, const char *text, size_t n)
{
	FILE *f = fopen(path_to(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

/* One key, or two, or three. */
static void pems_put(const char *name, EVP_PKEY *key, EVP_PKEY *second,
		     EVP_PKEY *third)
{
	FILE *f = fopen(path_to(name), "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_PUBKEY(f, key), 1);
	if (second) {
		fputs("the next one:\n", f);
		assert_int_equal(PEM_write_PUBKEY(f, second), 1);
	}
	if (third)
		assert_int_equal(PEM_write_PUBKEY(f, third), 1);
	fclose(f);
}

static void pem_put(const char *name, EVP_PKEY *key)
{
	pems_put(name, key, NULL, NULL);
}

static int keys_make(void **state)
{
	EVP_PKEY *small = EVP_RSA_gen(1024), *p384 = EVP_EC_gen("P-384");
	EVP_PKEY_CTX *pss_make = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS",
							    NULL);
	EVP_PKEY *pss = NULL;
	enum key key;
	FILE *f;
	int i;

	(void)state;
	assert_non_null(mkdtemp(folder));
	file_put("HS256", SECRET "\n", sizeof SECRET);
	file_put("short", SECRET, 31);
	file_put("least", SECRET, 32);
	file_put("newline", SECRET "\n", 31);
	file_put("empty", "", 0);
	file_put("blank", "\n", 1);
	file_put("two", SECRET "\n" OTHER "\n", sizeof SECRET + sizeof OTHER);
	file_put("two-other", OTHER "\n" SECRET, sizeof OTHER + sizeof SECRET - 1);
	file_put("second-short", SECRET "\nshort\n", sizeof SECRET + 6);
	file_put("second-blank", SECRET "\n\n", sizeof SECRET + 1);
	file_put("three", SECRET "\n" OTHER "\n" SECRET,
		 2 * sizeof SECRET + sizeof OTHER - 1);
	file_put("binary", BINARY "\n", sizeof BINARY);
	memset(pem, 'k', sizeof pem);
	f = fopen(path_to("huge"), "w");
	assert_non_null(f);
	for (i = 0; i < 65; i++)
		assert_int_equal(fwrite(pem, 1, sizeof pem, f), sizeof pem);
	fclose(f);

	own[RS] = EVP_RSA_gen(2048);
	own[PS] = EVP_RSA_gen(2048);
	own[ES] = EVP_EC_gen("P-256");
	own[ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	other[RS] = EVP_RSA_gen(2048);
	other[PS] = EVP_RSA_gen(2048);
	other[ES] = EVP_EC_gen("P-256");
	other[ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	for (key = RS; key < KEY__MAX; key++)
		pem_put(alg_of[key], own[key]);
	pems_put("two-RS256", own[RS], other[RS], NULL);
	pems_put("two-ES256", other[ES], own[ES], NULL);
	pems_put("three-RS256", own[RS], other[RS], own[RS]);
	pems_put("mixed", own[RS], own[ES], NULL);
	pem_put("small", small);
	pem_put("p384", p384);
	assert_int_equal(EVP_PKEY_keygen_init(pss_make), 1);
	assert_int_equal(EVP_PKEY_generate(pss_make, &pss), 1);
	pem_put("pss", pss);
	f = fopen(path_to("private"), "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, own[RS], NULL, NULL, 0, NULL,
					      NULL), 1);
	fclose(f);
	pem_put("and-private", own[RS]);
	f = fopen(path_to("and-private"), "a");
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, own[RS], NULL, NULL, 0, NULL,
					      NULL), 1);
	fclose(f);
	f = fopen(path_to("RS256"), "r");
	assert_non_null(f);
	pem[fread(pem, 1, sizeof pem - 1, f)] = '\0';
	fclose(f);
	pem[strlen(pem) - 1] = '\0';
	EVP_PKEY_free(small);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(pss);
	EVP_PKEY_CTX_free(pss_make);
	return 0;
}

static int keys_forget(void **state)
{
	static const char *const files[] = {
		"HS256", "RS256", "PS256", "ES256", "EdDSA", "short", "least",
		"newline",
		"empty", "blank", "huge", "small", "p384", "pss", "private",
		"two", "two-other", "second-short", "second-blank", "three",
		"binary", "two-RS256", "two-ES256", "three-RS256", "mixed",
		"and-private",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(files); i++)
		unlink(path_to(files[i]));
	for (i = 0; i < KEY__MAX; i++) {
		EVP_PKEY_free(own[i]);
		EVP_PKEY_free(other[i]);
	}
	return rmdir(folder);
}

static void add_base64url(char *to, const unsigned char *s, size_t n)
{
	char *at = to + strlen(to);
	int len = EVP_EncodeBlock((unsigned char *)at, s, (int)n);

	for (; len > 0 && at[len - 1] == '='; len--)
		at[len - 1] = '\0';
	for (; *at; at++)
		*at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
}

static size_t sign_hmac(const char *secret, unsigned char *to)
{
	unsigned n;

	assert_non_null(HMAC(EVP_sha256(), secret, (int)strlen(secret),
			     (unsigned char *)token, strlen(token), to, &n));
	return n;
}

static size_t sign_pkey(enum key kind, EVP_PKEY *key, unsigned char *to,
			size_t size)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;

	assert_int_equal(EVP_DigestSignInit(md, &ctx, kind == ED ? NULL :
					    EVP_sha256(), NULL, key), 1);
	if (kind == PS) {
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(md, to, &size, (unsigned char *)token,
					strlen(token)), 1);
	EVP_MD_CTX_free(md);
	if (kind == ES) {
		const unsigned char *at = to;
		ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)size);

		BN_bn2binpad(ECDSA_SIG_get0_r(pair), to, 32);
		BN_bn2binpad(ECDSA_SIG_get0_s(pair), to + 32, 32);
		ECDSA_SIG_free(pair);
		size = 64;
	}
	return size;
}

/* Fill `token`; web/sign.c has no part in it. */
static void token_make(enum key key, enum signer signer, const char *head,
		       const char *body)
{
	unsigned char sign[512] = "";
	size_t n = 0;

	token[0] = '\0';
	add_base64url(token, (const unsigned char *)head, strlen(head));
	strcat(token, ".");
	add_base64url(token, (const unsigned char *)body, strlen(body));
	if (signer == SIGN_PUBLIC_PEM)
		n = sign_hmac(pem, sign);
	else if (signer == SIGN_BINARY)
		n = sign_hmac(BINARY, sign);
	else if (signer == SIGN_SECRET || (signer == SIGN_OWN && key == HS))
		n = sign_hmac(SECRET, sign);
	else if (signer == SIGN_OTHER && key == HS)
		n = sign_hmac(OTHER, sign);
	else if (signer == SIGN_OWN || signer == SIGN_OTHER)
		n = sign_pkey(key, signer == SIGN_OWN ? own[key] : other[key],
			      sign, sizeof sign);
	else if (signer == SIGN_ZEROS)
		n = 64;
	strcat(token, ".");
	add_base64url(token, sign, n);
}

/* The settings, as they are by default. */
static struct conf *conf_make(const char *alg, const char *file,
			      const char *issuer, const char *audience)
{
	static struct conf all[4];
	static unsigned last;
	struct conf *cf = &all[last++ % COUNT(all)];

	*cf = (struct conf){
		.jwt_alg = alg, .jwt_key_file = file, .jwt_jwks_url = "",
		.jwt_ca = "", .jwt_issuer = issuer ? issuer : "",
		.jwt_audience = audience ? audience : "",
		.jwt_roles_claim = "roles", .jwt_actor_claim = "sub",
		.roles = {
			[MAY_READ] = "ctt-viewer,ctt-admin",
			[MAY_LINK] = "linker", [MAY_STATUS] = "ctt-admin",
			[MAY_CPE] = "ctt-cpe,ctt-admin",
			[MAY_ADMIN] = "ctt-admin",
		},
	};
	return cf;
}

static struct verifier *open_file(enum key key, const char *file,
				   const char *issuer, const char *audience)
{
	struct verifier *v = NULL;
	char err[256] = "";

	if (verifier_open(conf_make(alg_of[key], path_to(file), issuer,
				    audience), &v, err, sizeof err) != RC_OK)
		fail_msg("%s", err);
	return v;
}

static struct verifier *open_for(enum key key, const char *issuer,
				  const char *audience)
{
	return open_file(key, alg_of[key], issuer, audience);
}

struct open_case {
	const char *alg, *file;
	const char *err; /* NULL: it opens */
};

static const struct open_case openings[] = {
	{"HS256", "HS256", NULL},
	{"HS256", "least", NULL},
	{"RS256", "RS256", NULL},
	{"ES256", "ES256", NULL},
	{"", "HS256", "CTT_JWT_ALG must"},
	{"none", "HS256", "CTT_JWT_ALG must"},
	{"hs256", "HS256", "CTT_JWT_ALG must"},
	{"HS512", "HS256", "CTT_JWT_ALG must"},
	{"HS256,RS256", "RS256", "CTT_JWT_ALG must"},
	{"RS256,", "RS256", "CTT_JWT_ALG must"},
	{"RS256 PS256", "RS256", "CTT_JWT_ALG must"},
	{"RS256, ES256", "mixed", NULL},
	{"PS256,EdDSA", "mixed", "behind key 1: not a key for any algorithm"},
	{"PS256", "RS256", NULL},
	{"PS256", "pss", NULL},
	{"PS256", "ES256", "not an RSA key"},
	{"EdDSA", "EdDSA", NULL},
	{"EdDSA", "ES256", "not a key on the curve Ed25519"},
	{"ES256", "EdDSA", "not a key on the curve P-256"},
	{"HS256", "absent", "No such file"},
	{"HS256", ".", "Is a directory"},
	{"HS256", "empty", "empty"},
	{"HS256", "blank", "empty"},
	{"HS256", "short", "32 bytes"},
	{"HS256", "newline", "32 bytes"},
	{"HS256", "huge", "256 KiB"},
	{"HS256", "RS256", "a PEM file"},
	{"HS256", "private", "a PEM file"},
	{"RS256", "HS256", "not a public key"},
	{"RS256", "empty", "empty"},
	{"RS256", "private", "not a public key"},
	{"RS256", "ES256", "not an RSA key"},
	{"RS256", "small", "not an RSA key"},
	{"RS256", "pss", "not an RSA key"},
	{"ES256", "HS256", "not a public key"},
	{"ES256", "RS256", "not a key on the curve"},
	{"ES256", "p384", "not a key on the curve"},
	{"HS256", "two", NULL},
	{"HS256", "binary", NULL},
	{"RS256", "two-RS256", NULL},
	{"ES256", "two-ES256", NULL},
	{"HS256", "second-short", "behind key 1: shorter"},
	{"HS256", "second-blank", "behind key 1: shorter"},
	{"HS256", "three", NULL},
	{"HS256", "two-RS256", "a PEM file"},
	{"RS256", "two", "not a public key"},
	{"RS256", "three-RS256", NULL},
	{"RS256", "mixed", "behind key 1: not an RSA key"},
	{"ES256", "mixed", "not a key on the curve"},
	{"RS256", "and-private", "behind key 1: not a public key"},
};

static void opens(void **state)
{
	size_t i;

	(void)state;
	verifier_close(NULL);
	for (i = 0; i < COUNT(openings); i++) {
		const struct open_case *t = &openings[i];
		struct verifier *v = NULL;
		char err[256] = "";
		enum rc rc = verifier_open(conf_make(t->alg, path_to(t->file),
						     NULL, NULL), &v, err,
					   sizeof err);

		verifier_close(v);
		if (!t->err && rc == RC_OK)
			continue;
		if (!t->err || rc != RC_ERROR || v ||
		    !strstr(err, t->err) || strncmp(err, "CTT_JWT_", 8) != 0 ||
		    strchr(err, '\n'))
			fail_msg("%s with %s: %d, %s", t->alg, t->file, rc,
				 err);
	}
}

#define HEAD(alg) "{\"alg\":\"" alg "\",\"typ\":\"JWT\"}"
#define BODY(more) "{\"sub\":\"anna\",\"exp\":1000060" more "}"
#define TEN "0123456789"
#define R10 "\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\","
#define SIXTY TEN TEN TEN TEN TEN TEN

#define BAD_ALG "the algorithm in use"
#define BAD_SIGN "signature does not hold"
#define BAD_EXP "no exp that is a number"
#define BAD_SUB "no sub that is a text"
#define BAD_CLAIMS "claims are not"
#define BAD_ROLES "roles (roles) are neither an array"
#define BAD_ISS "another issuer"
#define BAD_AUD "another audience"

/* Check `token`: good where `why` is NULL, else refused with it. Closes. */
static void expect(const char *name, struct verifier *v, const char *why)
{
	char header[16500];
	struct claims claims;
	const char *came = NULL;
	bool good;

	snprintf(header, sizeof header, "Bearer %s", token);
	good = token_check(v, header, NOW, &claims, &came);
	if (token_check(v, header, NOW, &claims, &came) != good)
		fail_msg("%s: another answer the second time", name);
	if (good != !came || good != !why || (why && !strstr(came, why)))
		fail_msg("%s: %s", name, came ? came : "taken");
	verifier_close(v);
}

static const struct {
	const char *name;
	enum key key;
	enum signer signer;
	const char *head;
	const char *why; /* NULL: it is good */
} signatures[] = {
	{"HS256", HS, SIGN_OWN, HEAD("HS256"), NULL},
	{"RS256", RS, SIGN_OWN, HEAD("RS256"), NULL},
	{"PS256", PS, SIGN_OWN, HEAD("PS256"), NULL},
	{"ES256", ES, SIGN_OWN, HEAD("ES256"), NULL},
	{"EdDSA", ED, SIGN_OWN, HEAD("EdDSA"), NULL},
	{"no typ", HS, SIGN_OWN, "{\"alg\":\"HS256\",\"kid\":\"1\"}", NULL},

	/* the algorithm */
	{"none, unsigned", HS, SIGN_NOTHING, HEAD("none"), "three parts"},
	{"none, signed", HS, SIGN_OWN, HEAD("none"), BAD_ALG},
	{"none under RS256", RS, SIGN_ZEROS, HEAD("none"), BAD_ALG},
	{"the public key as secret", RS, SIGN_PUBLIC_PEM, HEAD("HS256"),
	 BAD_ALG},
	{"the public key as secret, RS256 claimed", RS, SIGN_PUBLIC_PEM,
	 HEAD("RS256"), BAD_SIGN},
	{"HS512 under HS256", HS, SIGN_OWN, HEAD("HS512"), BAD_ALG},
	{"HS256 under ES256", ES, SIGN_SECRET, HEAD("HS256"), BAD_ALG},
	{"RS256 under ES256", ES, SIGN_OWN, HEAD("RS256"), BAD_ALG},
	{"ES256 under HS256", HS, SIGN_OWN, HEAD("ES256"), BAD_ALG},
	{"lower case", HS, SIGN_OWN, HEAD("hs256"), BAD_ALG},
	{"two algs, ours first", HS, SIGN_OWN,
	 "{\"alg\":\"HS256\",\"alg\":\"none\"}", BAD_ALG},
	{"two algs, ours last", HS, SIGN_ZEROS,
	 "{\"alg\":\"none\",\"alg\":\"HS256\"}", BAD_SIGN},
	{"no alg", HS, SIGN_OWN, "{\"typ\":\"JWT\"}", BAD_ALG},
	{"alg a number", HS, SIGN_OWN, "{\"alg\":256}", BAD_ALG},
	{"alg null", HS, SIGN_OWN, "{\"alg\":null}", BAD_ALG},
	{"crit", HS, SIGN_OWN, "{\"alg\":\"HS256\",\"crit\":[\"x\"],\"x\":1}",
	 "crit"},
	{"crit null", HS, SIGN_OWN, "{\"alg\":\"HS256\",\"crit\":null}",
	 "crit"},
	{"typ of an access token", HS, SIGN_OWN,
	 "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", NULL},
	{"typ of an access token, whole", HS, SIGN_OWN,
	 "{\"alg\":\"HS256\",\"typ\":\"application/AT+JWT\"}", NULL},
	{"typ of another token", HS, SIGN_OWN,
	 "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", "neither JWT nor"},
	{"kid a number", HS, SIGN_OWN, "{\"alg\":\"HS256\",\"kid\":1}", "kid"},
	{"typ null", HS, SIGN_OWN, "{\"alg\":\"HS256\",\"typ\":null}", "typ"},
	{"typ in lower case", HS, SIGN_OWN,
	 "{\"alg\":\"HS256\",\"typ\":\"jwt\"}", NULL},
	{"header an array", HS, SIGN_OWN, "[\"HS256\"]", "header"},
	{"header null", HS, SIGN_OWN, "null", "header"},
	{"header no JSON", HS, SIGN_OWN, "{alg:HS256}", "header"},

	/* the signature */
	{"wrong secret", HS, SIGN_OTHER, HEAD("HS256"), BAD_SIGN},
	{"wrong RSA key", RS, SIGN_OTHER, HEAD("RS256"), BAD_SIGN},
	{"wrong EC key", ES, SIGN_OTHER, HEAD("ES256"), BAD_SIGN},
	{"HS256, zeros", HS, SIGN_ZEROS, HEAD("HS256"), BAD_SIGN},
	{"RS256, zeros", RS, SIGN_ZEROS, HEAD("RS256"), BAD_SIGN},
	{"wrong PS key", PS, SIGN_OTHER, HEAD("PS256"), BAD_SIGN},
	{"wrong Ed key", ED, SIGN_OTHER, HEAD("EdDSA"), BAD_SIGN},
	{"EdDSA, zeros", ED, SIGN_ZEROS, HEAD("EdDSA"), BAD_SIGN},
	{"RS256 under PS256", PS, SIGN_OWN, HEAD("RS256"), BAD_ALG},
	{"ES256, r = s = 0", ES, SIGN_ZEROS, HEAD("ES256"), BAD_SIGN},
	{"no signature", ES, SIGN_NOTHING, HEAD("ES256"), "three parts"},
};

static void signatures_run(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(signatures); i++) {
		token_make(signatures[i].key, signatures[i].signer,
			   signatures[i].head, BODY(""));
		expect(signatures[i].name,
		       open_for(signatures[i].key, NULL, NULL),
		       signatures[i].why);
	}
}

/* While keys are replaced, a token by either is good, and by no third. */
static const struct {
	const char *file;
	enum key key;
	enum signer signer;
	const char *head;
	const char *why; /* NULL: it is good */
} replaced[] = {
	{"two", HS, SIGN_OWN, HEAD("HS256"), NULL},
	{"two", HS, SIGN_OTHER, HEAD("HS256"), NULL},
	{"two", HS, SIGN_BINARY, HEAD("HS256"), BAD_SIGN},
	{"binary", HS, SIGN_BINARY, HEAD("HS256"), NULL},
	{"binary", HS, SIGN_OWN, HEAD("HS256"), BAD_SIGN},
	{"two-RS256", RS, SIGN_OWN, HEAD("RS256"), NULL},
	{"two-RS256", RS, SIGN_OTHER, HEAD("RS256"), NULL},
	{"two-RS256", RS, SIGN_ZEROS, HEAD("RS256"), BAD_SIGN},
	{"two-RS256", RS, SIGN_PUBLIC_PEM, HEAD("HS256"), BAD_ALG},
	{"two-RS256", RS, SIGN_PUBLIC_PEM, HEAD("RS256"), BAD_SIGN},
	{"two-ES256", ES, SIGN_OWN, HEAD("ES256"), NULL},
	{"two-ES256", ES, SIGN_OTHER, HEAD("ES256"), NULL},
	{"two-ES256", ES, SIGN_ZEROS, HEAD("ES256"), BAD_SIGN},
	{"RS256", RS, SIGN_OTHER, HEAD("RS256"), BAD_SIGN},
};

static void replaced_run(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(replaced); i++) {
		token_make(replaced[i].key, replaced[i].signer,
			   replaced[i].head, BODY(""));
		expect(replaced[i].file,
		       open_file(replaced[i].key, replaced[i].file, NULL, NULL),
		       replaced[i].why);
	}
}

static const struct {
	const char *name, *body;
	const char *why; /* NULL: it is good */
} bodies[] = {
	/* exp, nbf */
	{"claims an array", "[]", "claims"},
	{"claims no JSON", "{", BAD_CLAIMS},
	{"no exp", "{\"sub\":\"anna\"}", BAD_EXP},
	{"exp a string", "{\"sub\":\"anna\",\"exp\":\"1000060\"}", BAD_EXP},
	{"exp null", "{\"sub\":\"anna\",\"exp\":null}", BAD_EXP},
	{"exp true", "{\"sub\":\"anna\",\"exp\":true}", BAD_EXP},
	{"expired", "{\"sub\":\"anna\",\"exp\":999999}", "expired"},
	{"expires now", "{\"sub\":\"anna\",\"exp\":1000000}", "expired"},
	{"a second left", "{\"sub\":\"anna\",\"exp\":1000001}", NULL},
	{"half a second left", "{\"sub\":\"anna\",\"exp\":1000000.5}", NULL},
	{"half a second ago", "{\"sub\":\"anna\",\"exp\":999999.5}", "expired"},
	{"exp 1E9", "{\"sub\":\"anna\",\"exp\":1E9}", NULL},
	{"exp negative", "{\"sub\":\"anna\",\"exp\":-1000060}", "expired"},
	{"nbf now", BODY(",\"nbf\":1000000"), NULL},
	{"not yet", BODY(",\"nbf\":1000001"), "not valid yet"},
	{"not yet, by half", BODY(",\"nbf\":1000000.5"), "not valid yet"},
	{"nbf a string", BODY(",\"nbf\":\"0\""), "nbf is not a number"},
	{"nbf null", BODY(",\"nbf\":null"), "nbf is not a number"},

	/* sub */
	{"no sub", "{\"exp\":1000060}", BAD_SUB},
	{"sub a number", "{\"sub\":1,\"exp\":1000060}", BAD_SUB},
	{"sub empty", "{\"sub\":\"\",\"exp\":1000060}", BAD_SUB},
	{"sub of 128", "{\"sub\":\"" SIXTY SIXTY "12345678\",\"exp\":1000060}",
	 NULL},
	{"sub of 129", "{\"sub\":\"" SIXTY SIXTY "123456789\",\"exp\":1000060}",
	 BAD_SUB},
	{"sub in UTF-8", "{\"sub\":\"J\xc3\xbcrgen\\u00a0\",\"exp\":1000060}",
	 NULL},
	{"sub of two lines", "{\"sub\":\"a\\nb\",\"exp\":1000060}", BAD_SUB},
	{"sub with DEL", "{\"sub\":\"a\\u007f\",\"exp\":1000060}", BAD_SUB},
	{"sub with U+0085", "{\"sub\":\"a\\u0085b\",\"exp\":1000060}", BAD_SUB},
	{"sub with NUL", "{\"sub\":\"anna\\u0000x\",\"exp\":1000060}",
	 BAD_CLAIMS},

	/* roles */
	{"no roles", BODY(",\"roles\":[]"), NULL},
	{"32 roles", BODY(",\"roles\":[" R10 R10 R10 "\"31\",\"32\"]"), NULL},
	{"33 roles", BODY(",\"roles\":[" R10 R10 R10 "\"31\",\"32\",\"33\"]"),
	 NULL},
	{"a role of 64", BODY(",\"roles\":[\"" SIXTY "1234\"]"), NULL},
	{"a role of 65", BODY(",\"roles\":[\"" SIXTY "12345\"]"), NULL},
	{"an empty role", BODY(",\"roles\":[\"\"]"), NULL},
	{"roles a string", BODY(",\"roles\":\"ctt-admin\""), NULL},
	{"roles an object", BODY(",\"roles\":{\"ctt-admin\":true}"), BAD_ROLES},
	{"roles null", BODY(",\"roles\":null"), BAD_ROLES},
	{"a role no string", BODY(",\"roles\":[\"ctt-viewer\",1]"), BAD_ROLES},
	{"a role in an array", BODY(",\"roles\":[[\"ctt-admin\"]]"), BAD_ROLES},
};

static void bodies_run(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bodies); i++) {
		token_make(HS, SIGN_OWN, HEAD("HS256"), bodies[i].body);
		expect(bodies[i].name, open_for(HS, NULL, NULL),
		       bodies[i].why);
	}
}

static const struct {
	const char *name, *body;
	const char *why; /* NULL: it is good */
	const char *issuer, *audience;
} parties[] = {
	{"iss not asked for", BODY(",\"iss\":\"x\""), NULL, "", NULL},
	{"iss right", BODY(",\"iss\":\"idp\""), NULL, "idp", NULL},
	{"iss wrong", BODY(",\"iss\":\"idp2\""), BAD_ISS, "idp", NULL},
	{"iss missing", BODY(""), BAD_ISS, "idp", NULL},
	{"iss an array", BODY(",\"iss\":[\"idp\"]"), BAD_ISS, "idp", NULL},
	{"aud right", BODY(",\"aud\":\"ctt\""), NULL, NULL, "ctt"},
	{"aud among others", BODY(",\"aud\":[\"x\",\"ctt\"]"), NULL, NULL,
	 "ctt"},
	{"aud wrong", BODY(",\"aud\":\"CTT\""), BAD_AUD, NULL, "ctt"},
	{"aud not among others", BODY(",\"aud\":[\"x\",[\"ctt\"],1]"), BAD_AUD,
	 NULL, "ctt"},
	{"aud of nobody", BODY(",\"aud\":[]"), BAD_AUD, NULL, "ctt"},
	{"aud missing", BODY(""), BAD_AUD, NULL, "ctt"},
	{"aud not configured", BODY(",\"aud\":\"ctt\""), BAD_AUD, NULL, NULL},
	{"aud null, not configured", BODY(",\"aud\":null"), BAD_AUD, NULL, ""},
};

static void parties_run(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(parties); i++) {
		token_make(HS, SIGN_OWN, HEAD("HS256"), parties[i].body);
		expect(parties[i].name,
		       open_for(HS, parties[i].issuer, parties[i].audience),
		       parties[i].why);
	}
}

/* Each %s stands for a good token. */
static const struct {
	const char *header;
	bool good;
} headers[] = {
	{"Bearer %s", true},
	{"bearer %s", true},
	{"BEARER   %s", true},
	{"", false},
	{"Bearer", false},
	{"Bearer ", false},
	{"Bearer%s", false},
	{"Basic %s", false},
	{"%s", false},
	{"Bearer\t%s", false},
	{"Bearer %s ", false},
	{"Bearer %s, Bearer %s", false},
	{"Bearer %s %s", false},
	{"Bearer Bearer %s", false},
	{"Bearer %s.", false},
	{"Bearer %s.%s", false},
	{"Bearer .%s", false},
	{"Bearer %s=", false},
	{"Bearer %s\n", false},
	{"Bearer \"%s\"", false},
	{"Bearer garbage", false},
	{"Bearer a.b.c", false},
	{"Bearer aaaa.bbbb.cccc", false},
	{"Bearer ..", false},
	{"Bearer ...", false},
	{"Bearer ####.####.####", false},
	{"Bearer \xff\xfe.\x80.\xc0", false},
};

static void headers_run(void **state)
{
	struct verifier *v = open_for(HS, NULL, NULL);
	struct claims claims;
	const char *why = NULL;
	size_t i;

	(void)state;
	assert_false(token_check(v, NULL, NOW, &claims, &why));
	assert_non_null(why);
	token_make(HS, SIGN_OWN, HEAD("HS256"), BODY(""));
	for (i = 0; i < COUNT(headers); i++) {
		char header[16500] = "";
		const char *from = headers[i].header;

		for (; *from; from++) {
			if (*from != '%') {
				strncat(header, from, 1);
				continue;
			}
			strcat(header, token);
			from++;
		}
		if (token_check(v, header, NOW, &claims, &why) !=
			    headers[i].good ||
		    !why != headers[i].good)
			fail_msg("%s", headers[i].header);
	}
	verifier_close(v);
}

/* Pad a token, well signed, to a length. */
static bool check_of_length(struct verifier *v, size_t length)
{
	char body[16384], header[16500];
	struct claims claims;
	const char *why = NULL;
	int pad = 0;

	do {
		snprintf(body, sizeof body, BODY(",\"x\":\"%0*d\""), ++pad, 0);
		token_make(HS, SIGN_OWN, HEAD("HS256"), body);
	} while (strlen(token) < length);
	assert_int_equal(strlen(token), length);
	snprintf(header, sizeof header, "Bearer %s", token);
	if (token_check(v, header, NOW, &claims, &why))
		return true;
	assert_non_null(strstr(why, "8 KiB"));
	return false;
}

static void lengths(void **state)
{
	struct verifier *v = open_for(HS, NULL, NULL);

	(void)state;
	assert_true(check_of_length(v, 4096));
	assert_true(check_of_length(v, 8192));
	assert_false(check_of_length(v, 8193));
	assert_false(check_of_length(v, 10241));
	verifier_close(v);
}

/* One letter of a good token is another: never taken, wherever it is. */
static void tampered(void **state)
{
	enum key key;

	(void)state;
	for (key = HS; key < KEY__MAX; key++) {
		struct verifier *v = open_for(key, NULL, NULL);
		struct claims claims;
		const char *why;
		char head[64], header[16500];
		size_t i, n;

		snprintf(head, sizeof head, HEAD("%s"), alg_of[key]);
		token_make(key, SIGN_OWN, head, BODY(",\"roles\":[\"x\"]"));
		n = (size_t)snprintf(header, sizeof header, "Bearer %s", token);
		assert_true(token_check(v, header, NOW, &claims, &why));
		for (i = 7; i < n - 1; i++) { /* the last has idle bits */
			char was = header[i];

			header[i] = was == 'A' ? 'B' : 'A';
			if (token_check(v, header, NOW, &claims, &why))
				fail_msg("%s: at %zu", alg_of[key], i);
			header[i] = was;
		}
		verifier_close(v);
	}
}

/* A remembered signature does not keep a token alive, nor another's. */
static void remembered(void **state)
{
	struct verifier *v = open_for(HS, NULL, NULL);
	struct claims claims;
	const char *why = NULL;
	char header[16500], body[128], sub[16];
	int i, n;

	(void)state;
	for (i = 0; i < 600; i++) {
		n = i % 300; /* more than are remembered, twice */
		snprintf(sub, sizeof sub, "anna%d", n);
		snprintf(body, sizeof body,
			 "{\"sub\":\"%s\",\"nbf\":%d,\"exp\":%d}", sub, NOW,
			 NOW + 10);
		token_make(HS, SIGN_OWN, HEAD("HS256"), body);
		snprintf(header, sizeof header, "Bearer %s", token);
		assert_true(token_check(v, header, NOW, &claims, &why));
		assert_string_equal(claims.actor, sub);
		assert_false(token_check(v, header, NOW - 1, &claims, &why));
		assert_non_null(strstr(why, "not valid yet"));
		assert_false(token_check(v, header, NOW + 10, &claims, &why));
		assert_non_null(strstr(why, "expired"));
	}
	verifier_close(v);
}

static void claims_kept(void **state)
{
	struct verifier *v = open_for(ES, NULL, NULL);
	struct claims claims;
	const char *why;
	char header[16500];

	(void)state;
	token_make(ES, SIGN_OWN, HEAD("ES256"),
		   BODY(",\"roles\":[\"ctt-viewer\",\"ctt-cpe\"]"));
	snprintf(header, sizeof header, "Bearer %s", token);
	assert_true(token_check(v, header, NOW, &claims, &why));
	assert_string_equal(claims.actor, "anna");
	assert_int_equal(claims.may, 1 << MAY_READ | 1 << MAY_CPE);

	token_make(ES, SIGN_OWN, HEAD("ES256"), BODY(""));
	snprintf(header, sizeof header, "Bearer %s", token);
	assert_true(token_check(v, header, NOW, &claims, &why));
	assert_int_equal(claims.may, 0); /* nothing stays of the last */
	verifier_close(v);
}

static void signs(void **state)
{
	static const char *const roles[] = {"ctt-viewer", "a\"b", "linker"};
	struct verifier *v = open_for(HS, "idp", "ctt");
	struct claims claims;
	const char *why = NULL;
	char header[16500], err[256] = "", *made = NULL;

	(void)state;
	assert_int_equal(token_sign(conf_make("HS256", path_to("HS256"), "idp",
					      "ctt"), "bert", roles, 3, NOW,
				    NOW + 60, &made, err, sizeof err), RC_OK);
	snprintf(header, sizeof header, "Bearer %s", made);
	free(made);
	assert_true(token_check(v, header, NOW + 59, &claims, &why));
	assert_string_equal(claims.actor, "bert");
	assert_int_equal(claims.may, 1 << MAY_READ | 1 << MAY_LINK);
	assert_false(token_check(v, header, NOW + 60, &claims, &why));
	verifier_close(v);

	v = open_for(HS, NULL, NULL);
	assert_int_equal(token_sign(conf_make("HS256", path_to("HS256"), NULL,
					      NULL), "bert", NULL, 0, NOW,
				    NOW + 60, &made, err, sizeof err), RC_OK);
	snprintf(header, sizeof header, "Bearer %s", made);
	free(made);
	assert_true(token_check(v, header, NOW, &claims, &why));
	verifier_close(v);
}

/* Of two keys the first one signs. */
static void signs_by_first(void **state)
{
	static const struct {
		const char *file, *why;
	} cases[] = {{"two", NULL}, {"two-other", BAD_SIGN}};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		char err[256] = "", *made = NULL;

		assert_int_equal(token_sign(conf_make("HS256",
						path_to(cases[i].file), NULL,
						NULL), "bert", NULL, 0, NOW,
					    NOW + 60, &made, err, sizeof err),
				 RC_OK);
		snprintf(token, sizeof token, "%s", made);
		free(made);
		expect(cases[i].file, open_for(HS, NULL, NULL), cases[i].why);
	}
}

static const struct {
	const char *file, *sub, *role;
	int64_t exp;
	enum rc rc;
	const char *err;
} sign_refusals[] = {
	{"HS256", "", "r", NOW + 60, RC_NO, BAD_SUB},
	{"HS256", "a\nb", "r", NOW + 60, RC_NO, BAD_SUB},
	{"HS256", "\xff", "r", NOW + 60, RC_NO, "UTF-8"},
	{"HS256", "a", "\xff", NOW + 60, RC_NO, "UTF-8"},
	{"HS256", "a", "r", NOW, RC_NO, "expired"},
	{"absent", "a", "r", NOW + 60, RC_ERROR, "CTT_JWT_KEY_FILE"},
	{"short", "a", "r", NOW + 60, RC_ERROR, "CTT_JWT_KEY_FILE"},
	{"RS256", "a", "r", NOW + 60, RC_ERROR, "CTT_JWT_KEY_FILE"},
};

static void signs_not(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(sign_refusals); i++) {
		char err[256] = "", *made = NULL;
		enum rc rc = token_sign(conf_make("HS256",
					path_to(sign_refusals[i].file), NULL,
					NULL), sign_refusals[i].sub,
					&sign_refusals[i].role, 1, NOW,
					sign_refusals[i].exp, &made, err,
					sizeof err);

		if (rc != sign_refusals[i].rc || made ||
		    !strstr(err, sign_refusals[i].err))
			fail_msg("refusal %zu: %d, %s", i, rc, err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens),
		cmocka_unit_test(signatures_run),
		cmocka_unit_test(replaced_run),
		cmocka_unit_test(bodies_run),
		cmocka_unit_test(parties_run),
		cmocka_unit_test(headers_run),
		cmocka_unit_test(lengths),
		cmocka_unit_test(tampered),
		cmocka_unit_test(remembered),
		cmocka_unit_test(claims_kept),
		cmocka_unit_test(signs),
		cmocka_unit_test(signs_by_first),
		cmocka_unit_test(signs_not),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, keys_make, keys_forget);
}
