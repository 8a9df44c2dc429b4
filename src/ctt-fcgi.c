/*
 * ctt.fcgi - one process of the pool; accepts on file descriptor 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/log.h"
#include "partner/tls.h"
#include "web/auth.h"
#include "web/fcgi.h"

static int usage(void)
{
	fputs("usage: ctt.fcgi            accept requests on descriptor 0\n"
	      "       ctt.fcgi --check    try the settings and every SQL "
	      "statement\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	bool check = argc == 2 && !strcmp(argv[1], "--check");
	struct auth_keys *keys = NULL;
	struct conf cf;
	struct app app;
	char err[512];
	int status = EXIT_SUCCESS;

	if (argc > 1 && !check)
		return usage();
	if (!conf_load(&cf, CONF_NEED_DB | CONF_NEED_PARTNERS | CONF_NEED_JWT,
		       err, sizeof err) ||
	    !tls_check(&cf, err, sizeof err) ||
	    auth_open(cf.jwt_alg, cf.jwt_key_file, cf.jwt_issuer,
		      cf.jwt_audience, &keys, err, sizeof err) != RC_OK) {
		fprintf(stderr, "ctt.fcgi: %s\n", err);
		conf_close(&cf);
		return EXIT_FAILURE;
	}
	log_setup("ctt.fcgi", (enum log_level)cf.log_level);
	log_deaths();
	app_open(&app, &cf, !check);
	if (!check)
		status = fcgi_run(&app, keys);
	else if (db_prepare_all(app.db) != RC_OK)
		status = EXIT_FAILURE;
	app_close(&app);
	auth_close(keys);
	conf_close(&cf);
	return status;
}
