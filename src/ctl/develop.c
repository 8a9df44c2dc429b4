/*
 * ctl/develop.c - cttctl token and cttctl seed: tokens and tickets to develop with
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "ctl/console.h"
#include "web/sign.h"

int run_token(struct console *con, int argc, char **argv)
{
	static const char *const known[] = {"--sub", "--roles", "--ttl", NULL};
	const char *sub = option(argc, argv, "--sub");
	const char *list = option(argc, argv, "--roles");
	const char *ttl_text = option(argc, argv, "--ttl");
	const char *roles[32];
	int64_t ttl, now = time(NULL);
	char *token, *word, *rest, err[256];
	size_t n = 0;

	if (!options_ok(argc, argv, known))
		return 2;
	if (!sub || !list)
		return WRONG_WORDS;
	ttl = number("--ttl", ttl_text ? ttl_text : "3600", 315360000);
	if (ttl < 0)
		return 2;
	if (strcmp(con->conf.jwt_alg, "HS256")) {
		fprintf(stderr, "cttctl: CTT_JWT_ALG is %s; only HS256 tokens "
			"can be made here\n", con->conf.jwt_alg);
		return EXIT_FAILURE;
	}
	rest = arena_strdup(con->mem, list);
	while ((word = strsep(&rest, ",")))
		if (*word && n < sizeof roles / sizeof roles[0])
			roles[n++] = word;
	if (token_sign(&con->conf, sub, roles, n, now, now + ttl, &token, err,
		       sizeof err) != RC_OK) {
		fprintf(stderr, "cttctl: %s\n", err);
		return EXIT_FAILURE;
	}
	puts(token);
	free(token);
	return EXIT_SUCCESS;
}

int run_seed(struct console *con, int argc, char **argv)
{
	static const char *const known[] = {"--ctts", "--ntts", NULL};
	const char *ctts = option(argc, argv, "--ctts");
	const char *ntts = option(argc, argv, "--ntts");
	int64_t nctts, nntts;
	struct rows r;
	struct buf doc;

	if (!options_ok(argc, argv, known))
		return 2;
	nctts = number("--ctts", ctts ? ctts : "100", 10000000);
	nntts = number("--ntts", ntts ? ntts : "10", 10000000);
	if (nctts < 0 || nntts < 0)
		return 2;
	buf_init(&doc, con->mem);
	put_open(&doc, NULL, '{');
	put_int(&doc, "ctts", nctts);
	put_int(&doc, "ntts", nntts);
	put_close(&doc, '}');
	if (db_run(con->db, SQL_SEED, &doc, con->mem, &r, 1) != RC_OK)
		return failed(con);
	printf("%lld CTTs, the last is %s; %lld NTTs, the last is %s\n",
	       (long long)nctts, or_dash(ROW(seeded, &r, 0)->ctt),
	       (long long)nntts, or_dash(ROW(seeded, &r, 0)->ntt));
	return EXIT_SUCCESS;
}
