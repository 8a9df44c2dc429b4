/*
 * ctl/built.c - cttctl settings, routes and faults: what is built in
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "ctl/console.h"
#include "ctl/setup.h"
#include "web/request.h"

int run_settings(struct console *con, int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "--first"))
		fputs(envfile_new(con->mem), stdout);
	else if (argc)
		return WRONG_WORDS;
	else
		conf_print_sample(stdout);
	return EXIT_SUCCESS;
}

int run_routes(struct console *con, int argc, char **argv)
{
	struct buf text;

	(void)argc;
	(void)argv;
	buf_init(&text, con->mem);
	route_print(&text);
	fputs(text.s, stdout);
	return EXIT_SUCCESS;
}

int run_faults(struct console *con, int argc, char **argv)
{
	(void)con;
	(void)argc;
	(void)argv;
#if ENABLE_FAULT
	for (int i = 0; i < FAULT__MAX; i++)
		puts(fault_name[i]);
#endif
	return EXIT_SUCCESS;
}
