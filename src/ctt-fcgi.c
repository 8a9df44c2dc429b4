/*
 * ctt.fcgi - one process of the pool; accepts on file descriptor 0
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/env.h"
#include "base/log.h"
#include "partner/partner.h"
#include "partner/token.h"
#include "saga/close.h"
#include "saga/open.h"
#include "saga/tray.h"
#include "store/schema.h"
#include "web/token.h"
#include "web/fcgi.h"

static int usage(void)
{
	fputs("usage: ctt.fcgi            accept requests on descriptor 0\n"
	      "       ctt.fcgi --check [--as USER]\n"
	      "                           check the settings, the files and "
	      "every SQL\n"
	      "                           statement, as this user\n", stderr);
	return 2;
}

/* All that is wrong is told at once. `err` has what was wrong before. */
static bool settings_are_good(struct conf *cf, struct verifier **verifier_r,
			      bool check, const char *before)
{
	char err[CONF_ERR], line[512];

	conf_load(cf, CONF_NEED_DB | CONF_NEED_PARTNERS | CONF_NEED_JWT, err,
		  sizeof err);
	/* who checks is a person */
	log_setup("ctt.fcgi", (enum log_level)cf->log_level,
		  check || conf_logs_text(cf));
	conf_log_unknown();
	if (*before)
		conf_add_error(err, sizeof err, before);
	if (check)
		conf_try_files(cf, err, sizeof err);
	partner_check(cf, err, sizeof err);
	if (*cf->jwt_alg &&
	    verifier_open(cf, verifier_r, line, sizeof line) != RC_OK)
		conf_add_error(err, sizeof err, line);
	conf_print_errors("ctt.fcgi", err);
	return !*err;
}

/* The server refuses to compare texts of two collations, but only when a
 * statement meets them. */
static bool tables_are_good(struct db *db, char *err, size_t errlen)
{
	struct arena *mem = arena_open();
	struct rows odd;
	enum rc rc = schema_odd_tables(db, mem, &odd);
	char line[128];

	for (size_t i = 0; rc == RC_OK && i < odd.n; i++) {
		snprintf(line, sizeof line, "the texts of the table %s have a "
			 "wrong collation: cttctl migrate changes that",
			 ROW(odd_table, &odd, i)->table_name);
		conf_add_error(err, errlen, line);
	}
	arena_close(mem);
	return rc == RC_OK;
}

/* Who gives tokens and their keys may be away when the pool starts, but not while
 * it is set up. */
static int check_all(struct process *p, struct verifier *verifier)
{
	char err[CONF_ERR] = "", line[640];
	struct arena *mem = arena_open();
	const char *too_new;
	struct app app;
	bool good;

	app_open(&app, p);
	good = db_try_all(app_db(&app)) == RC_OK;
	good &= tables_are_good(app_db(&app), err, sizeof err);
	good = good &&
	       schema_too_new(app_db(&app), mem, false, &too_new) == RC_OK;
	if (good && too_new)
		conf_add_error(err, sizeof err, too_new);
	arena_close(mem);
	app_close(&app);
	if (!verifier_try(verifier, line, sizeof line))
		conf_add_error(err, sizeof err, line);
	tokens_try(p->conf, err, sizeof err);
	conf_print_errors("ctt.fcgi", err);
	return good && !*err ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct process *p, struct verifier *verifier)
{
	int status;

	if (!process_fits(p))
		return EXIT_FAILURE;
	if (p->conf->threads > 1)
		p->tray = tray_open(p, saga_open_together,
				    saga_close_together);
	verifier_start(verifier);
	status = fcgi_run(p, verifier);
	tray_close(p->tray);
	return status;
}

/* "--check", "--check --as USER"; false: neither. */
static bool read_options(int argc, char **argv, bool *check_r,
			 const char **user_r)
{
	*check_r = argc > 1 && !strcmp(argv[1], "--check");
	*user_r = argc == 4 && !strcmp(argv[2], "--as") ? argv[3] : NULL;
	return argc == 1 || (*check_r && (argc == 2 || *user_r));
}

int main(int argc, char **argv)
{
	struct verifier *verifier = NULL;
	char before[CONF_ERR] = "";
	const char *user;
	struct conf cf;
	struct process process;
	int status = EXIT_SUCCESS;
	bool check;

	if (!read_options(argc, argv, &check, &user))
		return usage();
	if (check)
		env_load(env_file(), before, sizeof before);
	if (user && !env_become(user, before, sizeof before)) {
		conf_print_errors("ctt.fcgi", before);
		return EXIT_FAILURE;
	}
	if (!settings_are_good(&cf, &verifier, check, before)) {
		verifier_close(verifier);
		conf_close(&cf);
		return EXIT_FAILURE;
	}
	log_deaths();
	mallopt(M_ARENA_MAX, 2); /* each heap keeps what was freed in it */
	process_open(&process, &cf, check ? 0 : (unsigned)cf.threads);
	status = check ? check_all(&process, verifier) :
			 run(&process, verifier);
	verifier_close(verifier);
	process_close(&process);
	conf_close(&cf);
	return status;
}
