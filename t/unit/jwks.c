/*
 * The provider's keys, used by many threads while they change. The provider is
 * a thread too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "web/token.h"

enum { KEYS = 3, THREADS = 6, TOKEN = 1024 };

static EVP_PKEY *key[KEYS];
static char url[64];
static struct conf cf;

/* ---- the provider ---- */

static int listener;
static pthread_t server;
static atomic_int published, fetches; /* the key of its set; requests */
static atomic_bool away;

static void make_set(int i, char *to, size_t size)
{
	unsigned char raw[32];
	char x[BASE64URL_ROOM(sizeof raw)];
	size_t n = sizeof raw;

	EVP_PKEY_get_raw_public_key(key[i], raw, &n);
	base64url_encode(raw, n, x);
	snprintf(to, size, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
		 "\"kid\":\"k%d\",\"x\":\"%s\"}]}", i, x);
}

static void answer(int fd)
{
	char text[2048], body[512];
	ssize_t n = read(fd, text, sizeof text);

	fetches++;
	clock_sleep_ms(50); /* so that many wait */
	make_set(published, body, sizeof body);
	n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: "
		     "%zu\r\nConnection: close\r\n\r\n%s", strlen(body), body);
	if (!away && write(fd, text, (size_t)n) != n)
		abort();
}

static void *serve(void *arg)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		answer(fd);
		close(fd);
	}
	return arg;
}

static int provider_start(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;

	(void)state;
	log_setup("test", LOG_ERROR, true);
	for (int i = 0; i < KEYS; i++)
		key[i] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&at, n) || listen(listener, 16) ||
	    getsockname(listener, (struct sockaddr *)&at, &n))
		return -1;
	snprintf(url, sizeof url, "http://127.0.0.1:%d/jwks",
		 ntohs(at.sin_port));
	return pthread_create(&server, NULL, serve, NULL);
}

static int provider_stop(void **state)
{
	(void)state;
	shutdown(listener, SHUT_RDWR);
	pthread_join(server, NULL);
	close(listener);
	for (int i = 0; i < KEYS; i++)
		EVP_PKEY_free(key[i]);
	return 0;
}

/* ---- tokens ---- */

static void token_make(char *header, int signer, const char *kid, int user)
{
	char head[64], body[128];
	unsigned char sign[64];
	size_t n = sizeof sign;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	char *token = header + strlen("Bearer "), *end;

	snprintf(head, sizeof head, "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", kid);
	snprintf(body, sizeof body, "{\"sub\":\"u%d\",\"exp\":4000000000}",
		 user);
	strcpy(header, "Bearer ");
	end = base64url_encode(head, strlen(head), token);
	*end++ = '.';
	end = base64url_encode(body, strlen(body), end);
	assert_int_equal(EVP_DigestSignInit(md, NULL, NULL, NULL, key[signer]),
			 1);
	assert_int_equal(EVP_DigestSign(md, sign, &n, (unsigned char *)token,
					(size_t)(end - token)), 1);
	EVP_MD_CTX_free(md);
	*end++ = '.';
	base64url_encode(sign, n, end);
}

static struct verifier *open_started(int64_t keep_s)
{
	struct verifier *v = NULL;
	char err[256] = "";

	cf = (struct conf){
		.jwt_alg = "EdDSA", .jwt_key_file = "", .jwt_jwks_url = url,
		.jwt_ca = "", .jwt_issuer = "", .jwt_audience = "",
		.jwt_jwks_keep_s = keep_s, .jwt_roles_claim = "roles",
		.jwt_actor_claim = "sub", .roles = {"", "", "", "", ""},
	};
	if (verifier_open(&cf, &v, err, sizeof err) != RC_OK)
		fail_msg("%s", err);
	verifier_start(v);
	return v;
}

static bool is_good(struct verifier *v, int signer, const char *kid, int user)
{
	char header[TOKEN];
	struct claims claims;
	const char *why;

	token_make(header, signer, kid, user);
	return token_check(v, header, time(NULL), &claims, &why);
}

/* ---- the tests ---- */

struct caller {
	pthread_t thread;
	struct verifier *v;
	int n, bad;
};

static atomic_bool enough;

/* Tokens of the latest key and of the one before. */
static void *call(void *arg)
{
	struct caller *c = arg;

	for (; !enough; c->n++) {
		int i = published;
		char kid[8];

		if (i && c->n % 2)
			i--;
		snprintf(kid, sizeof kid, "k%d", i);
		c->bad += !is_good(c->v, i, kid, c->n);
	}
	return NULL;
}

static void rotates(void **state)
{
	struct caller callers[THREADS];
	struct verifier *v;
	int bad = 0;

	(void)state;
	published = fetches = 0;
	enough = false;
	v = open_started(3600);
	for (int i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){.v = v};
		pthread_create(&callers[i].thread, NULL, call, &callers[i]);
	}
	clock_sleep_ms(500);
	published = 1;
	clock_sleep_ms(500);
	enough = true;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(callers[i].thread, NULL);
		bad += callers[i].bad;
		assert_true(callers[i].n > 10);
	}
	assert_int_equal(bad, 0);
	assert_int_equal(fetches, 2);

	/* a second change within 30 s: not yet */
	published = 2;
	assert_false(is_good(v, 2, "k2", 1));
	assert_false(is_good(v, 1, "nobody", 1));
	assert_true(is_good(v, 1, "k1", 1));
	assert_int_equal(fetches, 2);
	verifier_close(v);
}

/* A token that is no good anyway is no reason to fetch. */
static void not_worth_it(void **state)
{
	struct verifier *v;

	(void)state;
	published = fetches = 0;
	v = open_started(3600);
	assert_true(is_good(v, 0, "k0", 1));
	cf.jwt_issuer = "another";
	assert_false(is_good(v, 0, "k1", 2));
	cf.jwt_issuer = "";
	assert_int_equal(fetches, 1);
	assert_false(is_good(v, 0, "k1", 3));
	assert_int_equal(fetches, 2);
	verifier_close(v);
}

static void nothing_kept(void **state)
{
	struct verifier *v;

	(void)state;
	published = 0;
	v = open_started(0);
	assert_true(is_good(v, 0, "k0", 1));
	published = 1;
	assert_true(is_good(v, 1, "k1", 1));
	assert_false(is_good(v, 0, "k0", 1)); /* though it was proven */
	assert_false(is_good(v, 0, "k0", 2));
	verifier_close(v);
}

static void provider_away(void **state)
{
	struct verifier *v;
	int64_t began;

	(void)state;
	published = 0;
	v = open_started(3600);
	assert_true(is_good(v, 0, "k0", 1));
	away = true;
	assert_false(is_good(v, 1, "k1", 1));
	assert_true(is_good(v, 0, "k0", 2));
	verifier_close(v);

	v = open_started(3600);
	began = clock_mono_ms();
	assert_false(is_good(v, 0, "k0", 1));
	assert_true(clock_mono_ms() - began < 5000);
	away = false;
	clock_sleep_ms(2500); /* the second try is after 1 s at most */
	assert_true(is_good(v, 0, "k0", 1));
	verifier_close(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rotates),
		cmocka_unit_test(not_worth_it),
		cmocka_unit_test(nothing_kept),
		cmocka_unit_test(provider_away),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, provider_start, provider_stop);
}
