/*
 * ctt-worker - delivers jobs and settles open operations; any number may run
 */
#include <stdio.h>
#include <stdlib.h>

#include "app.h"
#include "base/log.h"
#include "job/loop.h"
#include "partner/partner.h"

int main(int argc, char **argv)
{
	struct conf cf;
	struct process process;
	struct app app;
	char err[CONF_ERR];
	int status;

	(void)argv;
	if (argc > 1) {
		fputs("usage: ctt-worker\n", stderr);
		return 2;
	}
	conf_load(&cf, CONF_NEED_DB | CONF_NEED_PARTNERS, err, sizeof err);
	log_setup("ctt-worker", (enum log_level)cf.log_level,
		  conf_logs_text(&cf));
	conf_log_unknown();
	partner_check(&cf, err, sizeof err);
	if (*err) {
		conf_print_errors("ctt-worker", err);
		conf_close(&cf);
		return EXIT_FAILURE;
	}
	log_deaths();
	process_open(&process, &cf, 0);
	app_open(&app, &process);
	status = process_fits(&process) ? job_loop(&app) : EXIT_FAILURE;
	app_close(&app);
	process_close(&process);
	conf_close(&cf);
	return status;
}
