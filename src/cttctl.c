/*
 * cttctl - the operator's console: contract section 12. The commands are in
 * src/ctl.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/log.h"
#include "ctl/console.h"

enum { NO_SETTINGS = 1 << 16 }; /* the command reads none itself */

/* A command. argv[0..argc) are the words after its name. */
struct command {
	const char *name, *usage, *text;
	unsigned need; /* settings: enum conf_need */
	int (*run)(struct console *, int argc, char **argv);
};

static const struct command commands[] = {
{"setup", "[NAME=VALUE ...] [--hosts H,...] [--nginx ADDRESS]\n"
 "      [--no-database] [--no-start] [--run] ...", "write the settings file, "
 "make the keys, the database and its users, and\n      start cttd; without "
 "--run only say so (all options: cttctl(8))", NO_SETTINGS, run_setup},
{"setup-database", "[--hosts H,...] [--admin USER]\n"
 "      [--admin-password-file FILE] [--run]", "print, or run, the SQL that "
 "makes the database and its users", CONF_NEED_DB | CONF_OWNER,
 run_setup_database},
{"migrate", "[--pending]", "create the schema, or bring it up to this version; "
 "or list\n      the steps that it lacks, and exit with 1 if there are any",
 CONF_NEED_DB | CONF_OWNER, run_migrate},
{"restart", "[--migrate]", "after a change of programs, settings or secrets: "
 "check, migrate if\n      allowed, and restart one process after the other",
 CONF_NEED_DB | CONF_OWNER, run_restart},
{"adopt", "", "make a restored copy the database of this installation: until then\n"
 "      no partner is called", CONF_NEED_DB | CONF_NEED_PARTNERS, run_adopt},
{"status", "", "the state of all parts in one screen; exit 0 if all is well, 1 for a\n"
 "      warning, 2 if it is critical, 3 if it could not look", CONF_NEED_DB,
 run_status},
{"check", "", "compare the database with every promise; print each breach and\n"
 "      the SQL that would repair it; exit 1 if there is one, 3 if it could "
 "not check", CONF_NEED_DB, run_check},
{"audit", "verify [--heads FILE]", "find audit rows that were changed, "
 "removed, swapped or cut off", CONF_NEED_DB, run_audit},
{"operations", "[retry ID... | retry --all | --assumed |\n"
 "      close ID --as done|undone --reason TEXT]", "list open operations, why "
 "they are open and when they are tried next;\n      try them now; list those "
 "closed without proof; or close one by hand", CONF_NEED_DB, run_operations},
{"reconcile", "[--partner taas|tmf|nig] [--ticket NO] [--mend]", "compare our "
 "tickets with the partners'; print each that differs, exit 1;\n"
 "      --mend makes the partners' match ours", CONF_NEED_DB |
 CONF_NEED_PARTNERS, run_reconcile},
{"jobs", "[retry ID... | retry --all]", "list the jobs that are DEAD; or make "
 "them ready again", CONF_NEED_DB, run_jobs},
{"token", "--sub NAME --roles A,B [--ttl S]", "print a token signed with the "
 "HS256 key, for development", CONF_NEED_JWT, run_token},
{"seed", "[--ctts N] [--ntts N]", "add sample tickets", CONF_NEED_DB,
 run_seed},
{"settings", "[--first]", "print a settings file with every setting and its "
 "default; or the\n      one that setup begins with", NO_SETTINGS, run_settings},
{"routes", "", "print every method, path and permission", NO_SETTINGS,
 run_routes},
{"faults", "", "print the fault points of this build; a release has none",
 NO_SETTINGS, run_faults},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int usage(FILE *to)
{
	fputs("usage: cttctl COMMAND\n\n", to);
	for (int i = 0; i < COMMANDS; i++)
		fprintf(to, "  %s%s%s\n      %s\n", commands[i].name,
			*commands[i].usage ? " " : "", commands[i].usage,
			commands[i].text);
	fputs("  --version, --help\n", to);
	return to == stdout ? EXIT_SUCCESS : 2;
}

/* The exit status of a command that cannot even begin. Nagios reads that of
 * status. */
static int cannot(const struct command *c, int otherwise)
{
	return c && c->run == run_status ? COULD_NOT_LOOK : otherwise;
}

static const struct command *command_find(const char *name)
{
	for (int i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* From the environment, and what is not there from the settings file. */
static bool read_settings(struct conf *cf, unsigned need)
{
	char err[CONF_ERR] = "", more[CONF_ERR];

	if (need & NO_SETTINGS) {
		*cf = (struct conf){.mem = arena_open()};
		return true;
	}
	env_load(env_file(), err, sizeof err);
	/* who has all settings in the environment needs no file */
	if (!conf_load(cf, need, more, sizeof more))
		conf_add_error(err, sizeof err, more);
	else if (geteuid())
		err[0] = '\0';
	conf_log_unknown();
	conf_print_errors("cttctl", err);
	return !*err;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct console con = {.db = NULL};
	int status;

	if (argc < 2)
		return usage(stderr);
	if (!strcmp(argv[1], "--help"))
		return usage(stdout);
	if (!strcmp(argv[1], "--version")) {
		puts(PACKAGE_STRING);
		return EXIT_SUCCESS;
	}
	command = command_find(argv[1]);
	if (!command || (!*command->usage && argc > 2))
		return cannot(command, usage(stderr));
	log_setup("cttctl", LOG_WARN, true);
	if (!read_settings(&con.conf, command->need)) {
		conf_close(&con.conf);
		return cannot(command, EXIT_FAILURE);
	}
	log_setup("cttctl", LOG_ERROR, true);
	con.mem = arena_open();
	if (!(command->need & NO_SETTINGS)) {
		con.db = db_open(&con.conf);
		db_patience(con.db, PATIENCE_S);
	}
	status = command->run(&con, argc - 2, argv + 2);
	if (status == WRONG_WORDS)
		status = usage(stderr);
	db_close(con.db);
	arena_close(con.mem);
	conf_close(&con.conf);
	return status;
}
