/*
 * fuzz/token.c - a bearer token
 *
 * The first letter is the algorithm that is set: h, r, p, e or d (HS256, RS256,
 * PS256, ES256, EdDSA), in upper case where an issuer and an audience are set too. If '='
 * follows, the rest is an Authorization header. Else it is a token's head and,
 * in the next line, its claims, and the target signs them: so they are looked
 * at whatever they are.
 */
#include "fuzz/fuzz.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/text.h"

enum { NOW = 1700000000, LEEWAY = 30, ROOM = 16 * 1024 };

static const char secret[] = "a secret of 32 bytes, only of fuzz";

static struct setting {
	char letter;
	const char *alg;
	EVP_PKEY *key; /* NULL: it is the secret */
	struct verifier *plain, *strict;
} settings[] = {
	{.letter = 'h', .alg = "HS256"},
	{.letter = 'r', .alg = "RS256"},
	{.letter = 'p', .alg = "PS256"},
	{.letter = 'e', .alg = "ES256"},
	{.letter = 'd', .alg = "EdDSA"},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

static void key_make(struct setting *s)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const char *key = secret;
	char *pem;
	size_t n = strlen(secret);

	if (s->letter != 'h') {
		s->key = s->letter == 'e' ? EVP_EC_gen("P-256") :
			 s->letter == 'd' ? EVP_PKEY_Q_keygen(NULL, NULL,
							      "ED25519") :
					    EVP_RSA_gen(2048);
		if (!s->key || !PEM_write_bio_PUBKEY(bio, s->key))
			abort();
		n = (size_t)BIO_get_mem_data(bio, &pem);
		key = pem;
	}
	s->plain = fuzz_verifier(s->alg, key, n, "", "");
	s->strict = fuzz_verifier(s->alg, key, n, "idp", "ctt");
	BIO_free(bio);
}

static struct setting *setting_of(char letter)
{
	for (int i = 0; i < SETTINGS; i++) {
		if (settings[i].letter != tolower((unsigned char)letter))
			continue;
		if (!settings[i].plain)
			key_make(&settings[i]);
		return &settings[i];
	}
	return NULL;
}

static void add_base64url(struct buf *to, const void *s, size_t n)
{
	unsigned char *text = arena_alloc(to->mem, n / 3 * 4 + 5);
	int len = EVP_EncodeBlock(text, s, (int)n);

	while (len > 0 && text[len - 1] == '=')
		len--;
	for (int i = 0; i < len; i++)
		text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	buf_add(to, text, (size_t)len);
}

static size_t sign_hmac(const char *s, size_t n, unsigned char *to)
{
	unsigned len = 0;

	if (!HMAC(EVP_sha256(), secret, (int)strlen(secret),
		  (const unsigned char *)s, n, to, &len))
		abort();
	return len;
}

static size_t sign_pkey(char letter, EVP_PKEY *key, const char *s, size_t n,
			unsigned char *to, size_t room)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	const unsigned char *at = to;
	ECDSA_SIG *pair;

	if (!EVP_DigestSignInit(md, &ctx, letter == 'd' ? NULL : EVP_sha256(),
				NULL, key) ||
	    (letter == 'p' &&
	     (!EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) ||
	      !EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
						RSA_PSS_SALTLEN_DIGEST))) ||
	    !EVP_DigestSign(md, to, &room, (const unsigned char *)s, n))
		abort();
	EVP_MD_CTX_free(md);
	if (letter != 'e')
		return room;
	pair = d2i_ECDSA_SIG(NULL, &at, (long)room);
	BN_bn2binpad(ECDSA_SIG_get0_r(pair), to, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(pair), to + 32, 32);
	ECDSA_SIG_free(pair);
	return 64;
}

/* The header with a token of this head and these claims, well signed. */
static const char *header_sign(const struct setting *s, struct arena *mem,
			       const char *head, size_t headlen,
			       const char *claims, size_t claimslen)
{
	unsigned char sign[512];
	struct buf b;
	size_t n;

	buf_init(&b, mem);
	buf_str(&b, "Bearer ");
	add_base64url(&b, head, headlen);
	buf_str(&b, ".");
	add_base64url(&b, claims, claimslen);
	n = s->key ? sign_pkey(s->letter, s->key, b.s + 7, b.len - 7, sign,
			       sizeof sign) :
		     sign_hmac(b.s + 7, b.len - 7, sign);
	buf_str(&b, ".");
	add_base64url(&b, sign, n);
	return b.s;
}

/* Is the header's token one that the secret has signed? Found out by signing
 * it again. */
static bool is_of_secret(const char *header, struct arena *mem)
{
	const char *token = strrchr(header, ' ') + 1;
	const char *dot = strrchr(token, '.');
	unsigned char sign[64];
	struct buf b;

	buf_init(&b, mem);
	add_base64url(&b, sign,
		      sign_hmac(token, (size_t)(dot - token), sign));
	/* the last letter has idle bits */
	return strlen(dot + 1) == b.len && !strncmp(dot + 1, b.s, b.len - 1);
}

static struct json_object *part_of(const char *header, int part,
				   struct arena *mem)
{
	const char *from = strrchr(header, ' ') + 1, *error;
	struct json_object *o;
	unsigned char *text;
	struct buf b;
	size_t n;

	for (; part; part--)
		from = strchr(from, '.') + 1;
	buf_init(&b, mem);
	for (; *from != '.'; from++)
		buf_str(&b, *from == '-' ? "+" : *from == '_' ? "/" :
			arena_strndup(mem, from, 1));
	n = b.len * 3 / 4;
	while (b.len % 4)
		buf_str(&b, "A");
	text = arena_alloc(mem, b.len);
	assert(EVP_DecodeBlock(text, (unsigned char *)b.s, (int)b.len) > 0);
	o = json_read((char *)text, n, &error);
	assert(!error && json_object_is_type(o, json_type_object));
	return o;
}

static bool is_text(struct json_object *o, const char *name, const char *text)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) &&
	       json_object_is_type(v, json_type_string) &&
	       (size_t)json_object_get_string_len(v) == strlen(text) &&
	       !strcmp(json_object_get_string(v), text);
}

static double number(struct json_object *o, const char *name)
{
	struct json_object *v;

	assert(json_object_object_get_ex(o, name, &v));
	assert(json_object_is_type(v, json_type_int) ||
	       json_object_is_type(v, json_type_double));
	return json_object_get_double(v);
}

/* The permissions of the roles that the token has, by default. */
static unsigned may_of(struct json_object *roles)
{
	static const char *const all[] = {"ctt-viewer", "ctt-operator",
					  "ctt-cpe", "ctt-admin"};
	static const unsigned may[] = {
		1 << MAY_READ, 1 << MAY_READ | 1 << MAY_LINK | 1 << MAY_STATUS,
		1 << MAY_READ | 1 << MAY_CPE, (1 << MAY__MAX) - 1,
	};
	unsigned found = 0;

	if (json_object_is_type(roles, json_type_string)) {
		char *text = strdup(json_object_get_string(roles));

		for (char *at = strtok(text, " "); at; at = strtok(NULL, " "))
			for (int i = 0; i < 4; i++)
				found |= strcmp(at, all[i]) ? 0 : may[i];
		free(text);
		return found;
	}
	for (size_t n = roles ? json_object_array_length(roles) : 0; n--;)
		for (int i = 0; i < 4; i++)
			if (!strcmp(all[i], json_object_get_string(
					json_object_array_get_idx(roles, n))))
				found |= may[i];
	return found;
}

static void check_claims(struct json_object *o, const struct claims *c,
			 bool strict)
{
	struct json_object *v = NULL;

	assert(number(o, "exp") + LEEWAY > NOW);
	assert(!json_object_object_get_ex(o, "nbf", NULL) ||
	       number(o, "nbf") - LEEWAY <= NOW);
	check_text(c->actor, 1, 128, "");
	assert(is_text(o, "sub", c->actor));
	assert(!strict || is_text(o, "iss", "idp"));
	assert(strict == json_object_object_get_ex(o, "aud", &v));
	if (strict && !is_text(o, "aud", "ctt")) {
		size_t n = json_object_array_length(v);

		while (n && strcmp(json_object_get_string(
				json_object_array_get_idx(v, n - 1)), "ctt"))
			n--;
		assert(n);
	}
	v = NULL;
	json_object_object_get_ex(o, "roles", &v);
	assert(c->may == may_of(v));
}

/* What is taken is signed, is of our algorithm, and says what is reported. */
static void check_taken(const struct setting *s, const char *header,
			const struct claims *c, bool strict, bool we_signed,
			struct arena *mem)
{
	struct json_object *head, *claims;

	assert(we_signed || (!s->key && is_of_secret(header, mem)));
	assert(strlen(strrchr(header, ' ') + 1) <= 8192);
	head = part_of(header, 0, mem);
	assert(is_text(head, "alg", s->alg));
	assert(!json_object_object_get_ex(head, "crit", NULL));
	claims = part_of(header, 1, mem);
	check_claims(claims, c, strict);
	json_object_put(head);
	json_object_put(claims);
}

static void run(struct setting *s, bool strict, const char *text, size_t n,
		struct arena *mem)
{
	struct verifier *v = strict ? s->strict : s->plain;
	const char *why = NULL, *why2 = NULL, *header, *eol;
	bool we_sign = !n || *text != '=';
	struct claims c, c2;
	bool good;

	if (we_sign) {
		eol = n ? memchr(text, '\n', n) : NULL;
		if (!eol || n > ROOM)
			return;
		header = header_sign(s, mem, text, (size_t)(eol - text),
				     eol + 1, n - (size_t)(eol + 1 - text));
	} else {
		header = arena_strndup(mem, text + 1, n - 1);
	}
	good = token_check(v, header, NOW, &c, &why);
	assert(good == !why);
	assert(token_check(v, header, NOW, &c2, &why2) == good);
	assert(why == why2);
	if (good) {
		assert(!memcmp(&c, &c2, sizeof c));
		check_taken(s, header, &c, strict, we_sign, mem);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct setting *s = size ? setting_of((char)data[0]) : NULL;
	struct arena *mem = arena_open();

	if (s)
		run(s, isupper(data[0]), (const char *)data + 1, size - 1, mem);
	arena_close(mem);
	return 0;
}
