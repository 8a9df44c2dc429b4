/*
 * ctl/setup.c - cttctl setup: from an installed package to a service that runs
 *
 * It makes the keys, writes the settings file, makes the database and its
 * users, migrates, checks all as cttd's own user, and starts the units. Each
 * step may be repeated, and a later run changes only what its words name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "ctl/setup.h"

enum { CHANGES_MAX = 64 };

struct change {
	const char *name, *value;
};

struct plan {
	struct change change[CHANGES_MAX];
	size_t n;
	struct accounts accounts;
	const char *user, *nginx, *nginx_file;
	bool no_database, no_start, run, keys;
	char *text; /* of the settings file, changed */
};

/* ---- the words ---- */

static bool take_change(struct plan *p, struct arena *mem, const char *word)
{
	const char *is = strchr(word, '=');
	char err[640];
	struct change c;

	if (!is || strncmp(word, "CTT_", 4) || p->n == CHANGES_MAX) {
		fprintf(stderr, "cttctl: %s: not an option, nor NAME=VALUE of "
			"a setting (cttctl settings)\n", word);
		return false;
	}
	c.name = arena_strndup(mem, word, (size_t)(is - word));
	c.value = is + 1;
	if (!conf_try(c.name, c.value, err, sizeof err)) {
		fprintf(stderr, "cttctl: %s\n", err);
		return false;
	}
	if (strpbrk(c.value, "\"'\\\n")) {
		fprintf(stderr, "cttctl: %s: a value has no quotes, no "
			"backslashes and one line\n", c.name);
		return false;
	}
	p->change[p->n++] = c;
	return true;
}

/* Take NAME=VALUE out of the words; all that are wrong are told. */
static bool take_changes(struct plan *p, struct arena *mem, int *argc,
			 char **argv)
{
	bool good = true;
	int n = 0;

	for (int i = 0; i < *argc; i++) {
		if (!strncmp(argv[i], "--", 2)) {
			argv[n++] = argv[i];
			if (i + 1 < *argc)
				argv[n++] = argv[++i];
		} else {
			good &= take_change(p, mem, argv[i]);
		}
	}
	*argc = n;
	return good;
}

static bool take_words(struct plan *p, struct arena *mem, int argc, char **argv)
{
	static const char *const known[] = {
		"--hosts", "--admin", "--admin-password-file", "--user",
		"--nginx", "--nginx-file", NULL
	};
	const char *user, *file;

	p->run = take_flag(&argc, argv, "--run");
	p->keys = take_flag(&argc, argv, "--keys");
	p->no_database = take_flag(&argc, argv, "--no-database");
	p->no_start = take_flag(&argc, argv, "--no-start");
	if (!take_changes(p, mem, &argc, argv) ||
	    !options_ok(argc, argv, known))
		return false;
	p->accounts.hosts = option(argc, argv, "--hosts");
	p->accounts.admin = option(argc, argv, "--admin");
	p->accounts.admin_password_file =
		option(argc, argv, "--admin-password-file");
	user = option(argc, argv, "--user");
	p->user = user ? user : "ctt";
	p->nginx = option(argc, argv, "--nginx");
	file = option(argc, argv, "--nginx-file");
	p->nginx_file = file ? file : "/etc/nginx/conf.d/cttd.conf";
	return true;
}

/* ---- the questions ---- */

/* The value that was given by a word or an answer; NULL: none was. */
static const char *given(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->change[i].name, name))
			return p->change[i].value;
	return NULL;
}

/* In the file its lines begin with #. */
static void print_meaning(const char *text)
{
	for (; *text; text++)
		if (strncmp(text, "\n# ", 3))
			putchar(*text);
		else
			text++;
}

/* Until the answer is a good value; an empty line keeps what is there. */
static bool ask(struct plan *p, struct arena *mem, const char *name)
{
	char line[1024], err[640];
	const char *old = envfile_get(mem, p->text, name);

	for (;;) {
		printf("%s (", name);
		print_meaning(conf_meaning(name));
		printf(")\n[%s] ", old);
		fflush(stdout);
		if (!fgets(line, sizeof line, stdin))
			return false;
		line[strcspn(line, "\n")] = '\0';
		if (!*line)
			return true;
		if (conf_try(name, line, err, sizeof err) &&
		    !strpbrk(line, "\"'\\"))
			break;
		printf("%s\n", err);
	}
	if (p->n < CHANGES_MAX)
		p->change[p->n++] = (struct change){name,
						    arena_strdup(mem, line)};
	return true;
}

/* A host of MariaDB is only asked for if there is no socket. */
static bool is_open(const struct plan *p, struct arena *mem, const char *name)
{
	const char *socket = given(p, "CTT_DB_SOCKET");

	if (!strcmp(name, "CTT_DB_HOST") &&
	    *(socket ? socket : envfile_get(mem, p->text, "CTT_DB_SOCKET")))
		return false;
	return !given(p, name);
}

static bool ask_all(struct plan *p, struct arena *mem)
{
	static const char *const names[] = {
		"CTT_DB_SOCKET", "CTT_DB_HOST", "CTT_TAAS_URL", "CTT_TMF_URL",
		"CTT_NIG_URL", "CTT_QUEUE_URL", "CTT_JWT_ALG",
		"CTT_JWT_KEY_FILE", "CTT_JWT_ISSUER", "CTT_JWT_AUDIENCE",
	};

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return true;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (is_open(p, mem, names[i]) && !ask(p, mem, names[i]))
			return false;
	return true;
}

static bool is_agreed(void)
{
	char line[16];

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	fputs("Do this now? [y/N] ", stdout);
	fflush(stdout);
	return fgets(line, sizeof line, stdin) && (*line == 'y' || *line == 'Y');
}

/* ---- the steps ---- */

/* Read the new settings as the programs will. All that is wrong is told. */
static bool load(struct console *con, const struct plan *p)
{
	char path[ENV_PATH], err[CONF_ERR] = "", more[CONF_ERR];

	conf_close(&con->conf);
	conf_forget();
	env_beside("ctt.env.try", path, sizeof path);
	if (!file_replace(path, p->text, 0600, -1))
		return false;
	env_load(path, err, sizeof err);
	unlink(path);
	conf_load(&con->conf, CONF_NEED_DB | CONF_NEED_PARTNERS |
		  CONF_NEED_JWT | CONF_OWNER, more, sizeof more);
	if (*more)
		conf_add_error(err, sizeof err, more);
	if (!*err)
		return true;
	conf_print_errors("cttctl", err);
	fputs("cttctl: the settings file stays as it was. Give these to cttctl "
	      "setup as NAME=VALUE\n", stderr);
	return false;
}

static bool make_database(struct console *con, const struct plan *p)
{
	if (!p->no_database && !accounts_run(con, &p->accounts))
		return false;
	con->db = db_open(&con->conf);
	db_patience(con->db, PATIENCE_S);
	return run_migrate(con, 0, NULL) == EXIT_SUCCESS;
}

static bool start(struct console *con, const struct plan *p)
{
	if (p->nginx && !nginx_write(con->mem, p->nginx_file, p->nginx,
				     con->conf.jwt_issuer))
		return false;
	return p->no_start ||
	       (units_enable() && (!p->nginx || nginx_reload()));
}

static bool carry_out(struct console *con, const struct plan *p)
{
	return secrets_make() && load(con, p) &&
	       envfile_write(env_file(), p->text, p->user) &&
	       make_database(con, p) && check_as(con->mem, p->user) &&
	       start(con, p);
}

static void print_plan(const struct plan *p)
{
	printf("%s, and beside it the keys and passwords that are missing:\n",
	       env_file());
	for (size_t i = 0; i < p->n; i++)
		printf("\t%s=%s\n", p->change[i].name, p->change[i].value);
	if (p->no_database)
		puts("MariaDB: nothing");
	else
		printf("MariaDB, as %s: the database, its users for %s "
		       "(the SQL: cttctl setup-database)\n",
		       p->accounts.admin ? p->accounts.admin : "root",
		       p->accounts.hosts ? p->accounts.hosts : "localhost");
	printf("cttctl migrate\nctt.fcgi --check --as %s\n", p->user);
	if (p->nginx)
		printf("%s, listening on %s\n", p->nginx_file, p->nginx);
	if (!p->no_start)
		puts("systemctl enable --now cttd.target");
}

int run_setup(struct console *con, int argc, char **argv)
{
	struct plan p = {.n = 0};

	if (!take_words(&p, con->mem, argc, argv))
		return 2;
	if (p.keys)
		return secrets_make() ? EXIT_SUCCESS : EXIT_FAILURE;
	p.text = envfile_read(con->mem);
	if (!p.text || !ask_all(&p, con->mem))
		return EXIT_FAILURE;
	for (size_t i = 0; i < p.n; i++)
		p.text = envfile_set(con->mem, p.text, p.change[i].name,
				     p.change[i].value);
	if (!p.run) {
		print_plan(&p);
		if (!is_agreed()) {
			puts("Nothing was done. --run does it.");
			return EXIT_SUCCESS;
		}
	}
	return carry_out(con, &p) ? EXIT_SUCCESS : EXIT_FAILURE;
}
