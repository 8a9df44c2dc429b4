/*
 * ctl/restart.c - cttctl restart: new programs, settings or secrets come into
 * use
 *
 * Until all checks have passed, the old processes go on. Then one after the
 * other finishes its work and is started anew; requests wait in the socket.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/setup.h"
#include "store/schema.h"

enum { UNITS_MAX = 1024, UNIT = 256 };

/* The version is that of these programs, or becomes so. */
static bool migrate(struct console *con, bool allowed)
{
	int version;

	if (schema_version_of(con->db, con->mem, &version) != RC_OK) {
		failed(con);
		return false;
	}
	if (version >= schema_steps[schema_nsteps - 1].version)
		return true;
	if (allowed)
		return run_migrate(con, 0, NULL) == EXIT_SUCCESS;
	fprintf(stderr, "cttctl: the schema is at version %d, and this version "
		"needs %d. Run cttctl restart --migrate (README, UPGRADE AT "
		"NIGHT, says what each step does)\n", version,
		schema_steps[schema_nsteps - 1].version);
	return false;
}

/* The words that a command of the shell prints; NULL behind the last. */
static const char **words_of(struct arena *mem, const char *command)
{
	FILE *f = popen(command, "re");
	const char **word = arena_array(mem, UNITS_MAX + 1, sizeof *word);
	char text[UNIT];
	size_t n = 0;

	while (f && n < UNITS_MAX && fscanf(f, "%255s", text) == 1)
		word[n++] = arena_strdup(mem, text);
	if (f)
		pclose(f);
	word[n] = NULL;
	return word;
}

static bool has(const char **word, const char *what)
{
	while (*word && strcmp(*word, what))
		word++;
	return *word;
}

/* Restart a process; or end it, if /etc/default/cttd names fewer by now. */
static bool restart_one(const char *unit, bool wanted)
{
	const char *const argv[] = {"systemctl", wanted ? "restart" : "stop",
				    unit, NULL};

	if (!run_program(argv))
		return true;
	fprintf(stderr, "cttctl: %s did not %s, and the others were left "
		"alone; see journalctl -u %s\n", unit,
		wanted ? "start" : "stop", unit);
	return false;
}

/* The workers come first: they know the schema of the version before. */
static bool restart(struct arena *mem)
{
	static const char *const reload[] = {"systemctl", "daemon-reload", NULL};
	static const char *const start[] = {"systemctl", "start", "cttd.target",
					    NULL};
	const char **unit, **wanted;
	size_t n = 0;

	run_program(reload);
	wanted = words_of(mem, "systemctl show -P Wants cttd.target");
	unit = words_of(mem, "systemctl list-units --plain --no-legend "
			"--state=active,activating,failed "
			"'cttd-worker@*.service' 'cttd-pool@*.service' "
			"| cut -d ' ' -f 1 | sort -r");
	for (; unit[n]; n++)
		if (!restart_one(unit[n], has(wanted, unit[n])))
			return false;
	if (run_program(start))
		return false;
	printf("%zu processes were restarted\n", n);
	return true;
}

int run_restart(struct console *con, int argc, char **argv)
{
	static const char *const known[] = {"--user", NULL};
	bool allowed = take_flag(&argc, argv, "--migrate");
	const char *user = option(argc, argv, "--user");
	bool systemd = !access("/run/systemd/system", F_OK);

	if (!options_ok(argc, argv, known))
		return 2;
	if (!migrate(con, allowed) || !check_as(con->mem, user ? user : "ctt")) {
		fputs("cttctl: nothing was restarted; the processes go on as "
		      "they are. When the cause is removed: cttctl restart\n",
		      stderr);
		return EXIT_FAILURE;
	}
	if (!systemd)
		puts("systemd does not run here. Restart the processes as "
		     "README says.");
	return !systemd || restart(con->mem) ? EXIT_SUCCESS : EXIT_FAILURE;
}
