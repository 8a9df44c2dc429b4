/*
 * ctt.fcgi - one process of the pool; accepts on file descriptor 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "saga/close.h"
#include "saga/open.h"
#include "saga/tray.h"
#include "base/log.h"
#include "partner/tls.h"
#include "web/token.h"
#include "web/fcgi.h"

static int usage(void)
{
	fputs("usage: ctt.fcgi            accept requests on descriptor 0\n"
	      "       ctt.fcgi --check    check the settings and every SQL "
	      "statement\n", stderr);
	return 2;
}

/* All that is wrong is told at once. */
static bool settings_are_good(struct conf *cf, struct verifier **verifier_r)
{
	char err[CONF_ERR], line[512];

	conf_load(cf, CONF_NEED_DB | CONF_NEED_PARTNERS | CONF_NEED_JWT, err,
		  sizeof err);
	if (!tls_check(cf, line, sizeof line))
		conf_add_error(err, sizeof err, line);
	if (*cf->jwt_alg && *cf->jwt_key_file &&
	    verifier_open(cf->jwt_alg, cf->jwt_key_file, cf->jwt_issuer,
			  cf->jwt_audience, verifier_r, line,
			  sizeof line) != RC_OK)
		conf_add_error(err, sizeof err, line);
	conf_print_errors("ctt.fcgi", err);
	return !*err;
}

static bool statements_are_good(struct process *p)
{
	struct app app;
	bool good;

	app_open(&app, p);
	good = db_try_all(app_db(&app)) == RC_OK;
	app_close(&app);
	return good;
}

int main(int argc, char **argv)
{
	bool check = argc == 2 && !strcmp(argv[1], "--check");
	struct verifier *verifier = NULL;
	struct conf cf;
	struct process process;
	int status = EXIT_SUCCESS;

	if (argc > 1 && !check)
		return usage();
	log_setup("ctt.fcgi", LOG_INFO);
	if (!settings_are_good(&cf, &verifier)) {
		conf_close(&cf);
		return EXIT_FAILURE;
	}
	log_setup("ctt.fcgi", (enum log_level)cf.log_level);
	log_deaths();
	process_open(&process, &cf, check ? 0 : (unsigned)cf.threads);
	if (!check && cf.threads > 1)
		process.trays = trays_open(&process, saga_open_together,
					   saga_close_together);
	if (!check)
		status = fcgi_run(&process, verifier);
	else if (!statements_are_good(&process))
		status = EXIT_FAILURE;
	trays_close(process.trays);
	process_close(&process);
	verifier_close(verifier);
	conf_close(&cf);
	return status;
}
