/*
 * cttctl - the operator's console: contract section 12
 */
#include "config.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/fault.h"
#include "base/log.h"
#include "saga/flow.h"
#include "ctl/console.h"
#include "ctl/setup.h"
#include "saga/reconcile.h"
#include "saga/recover.h"
#include "store/audit.h"
#include "store/check.h"
#include "web/sign.h"
#include "web/request.h"

enum {
	RECONCILE_PAGE = 500,  /* CTTs that are compared at once */
	NO_SETTINGS = 1 << 16, /* the command reads none itself  */
};

/* A command. argv[0..argc) are the words after its name. */
struct command {
	const char *name, *usage, *text;
	unsigned need; /* settings: enum conf_need */
	int (*run)(struct console *, int argc, char **argv);
};

static int run_check(struct console *con, int argc, char **argv);
static int run_audit(struct console *con, int argc, char **argv);
static int run_operations(struct console *con, int argc, char **argv);
static int run_jobs(struct console *con, int argc, char **argv);
static int run_reconcile(struct console *con, int argc, char **argv);
static int run_token(struct console *con, int argc, char **argv);
static int run_seed(struct console *con, int argc, char **argv);
static int run_settings(struct console *con, int argc, char **argv);
static int run_routes(struct console *con, int argc, char **argv);
static int run_faults(struct console *con, int argc, char **argv);

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

static void print_breach(const char *breach, const char *mend)
{
	const char *at = log_priority(LOG_ERROR);

	printf("%s%s\n%s\t%s\n", at, breach, at, mend ? mend : "-- no SQL "
	       "repairs this: the audit trail keeps its rows");
}

static int run_check(struct console *con, int argc, char **argv)
{
	size_t breaches;

	(void)argc;
	(void)argv;
	if (store_check(con->db, con->mem, print_breach, &breaches) != RC_OK) {
		failed(con);
		return COULD_NOT_LOOK;
	}
	return breaches ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void print_audit(const char *breach)
{
	printf("%s%s\n", log_priority(LOG_ERROR), breach);
}

static int run_audit(struct console *con, int argc, char **argv)
{
	const char *heads = con->conf.audit_heads_file;
	bool given = argc == 3 && !strcmp(argv[1], "--heads");
	size_t rows, breaches;
	enum rc rc;

	if ((argc != 1 && !given) || strcmp(argv[0], "verify"))
		return usage(stderr);
	if (given)
		heads = argv[2];
	if (!*con->conf.audit_key) {
		fprintf(stderr, "%scttctl: CTT_AUDIT_KEY_FILE: is not set; "
			"nothing can be verified without the key\n",
			log_priority(LOG_ERROR));
		return EXIT_FAILURE;
	}
	if (!given && (!*heads || access(heads, F_OK))) {
		fprintf(stderr, "%scttctl: CTT_AUDIT_HEADS_FILE: %s: without "
			"it rows that were cut off a trail, and removed from "
			"the journal of operations, are not seen\n",
			log_priority(LOG_WARN), *heads ? "is not there" : "is not set");
		heads = NULL;
	}
	rc = audit_verify(con->db, heads, print_audit, &rows, &breaches);
	if (rc == RC_NO) {
		fprintf(stderr, "cttctl: %s: %s\n", heads, strerror(errno));
		return EXIT_FAILURE;
	}
	if (rc != RC_OK)
		return failed(con);
	printf("%s%zu rows, %zu breaches\n",
	       log_priority(breaches ? LOG_ERROR : LOG_INFO), rows, breaches);
	return breaches ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Run `sql` for "retry ID..." or "retry --all". */
static int run_retry(struct console *con, int argc, char **argv, enum sql sql,
		     bool numbers)
{
	struct rows r[2]; /* what cannot be tried; the number of the rest */
	struct buf doc;

	if (argc < 2 || strcmp(argv[0], "retry"))
		return usage(stderr);
	buf_init(&doc, con->mem);
	put_open(&doc, NULL, '{');
	if (!strcmp(argv[1], "--all")) {
		put_bool(&doc, "all", true);
	} else {
		put_open(&doc, "id", '[');
		for (int i = 1; i < argc; i++) {
			if (!numbers)
				put_str(&doc, NULL, argv[i]);
			else if (number("ID", argv[i], INT64_MAX) >= 0)
				put_raw(&doc, NULL, argv[i]);
			else
				return 2;
		}
		put_close(&doc, ']');
	}
	put_close(&doc, '}');
	if (db_run(con->db, sql, &doc, con->mem, r, 2) != RC_OK)
		return failed(con);
	for (size_t i = 0; i < r[0].n; i++) {
		const struct not_retried_row *row = ROW(not_retried, &r[0], i);

		fprintf(stderr, row->state ? "cttctl: %s is %s: there is nothing "
			"to try again\n" : "cttctl: there is no %s\n",
			argv[cell_int(row->n)], row->state);
	}
	printf("%s to be tried again, by ctt-worker, now\n",
	       ROW(retried, &r[1], 0)->n);
	return r[0].n ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const char *or_dash(const char *cell)
{
	return cell ? cell : "-";
}

/* Was the caller told that the operation will be done? A kind that cannot be
 * undone is driven on, and so is the link back of a move. */
static bool is_forward(const struct operation_open_row *row)
{
	enum kind kind = kind_of(row->kind);

	return cell_int(row->goes_on) ||
	       (kind != KIND__MAX && !flows[kind]->unask);
}

/* What the caller was told, and what the operation waits for. */
static const char *waits_for(struct arena *mem,
			     const struct operation_open_row *row)
{
	const char *partner = or_dash(row->partner);
	bool settling = !strcmp(row->state, "SETTLING");

	if (!settling && cell_int(row->busy))
		return arena_printf(mem, "it is under way at %s", partner);
	if (!settling)
		return arena_printf(mem, "its process died, and the caller "
			"got no answer; it is done if %s says yes, and undone "
			"if %s says no", partner, partner);
	if (is_forward(row))
		return arena_printf(mem, "the caller was told that it goes "
			"on; it is done when %s says yes, and given up if %s "
			"says no", partner, partner);
	if (cell_int(row->undoing))
		return arena_printf(mem, "the caller was told that it failed; "
			"%s accepted it, and must still undo it", partner);
	return arena_printf(mem, "the caller was told that it failed; %s may "
		"have accepted it, and must then undo it", partner);
}

static const char *next_try(struct arena *mem,
			    const struct operation_open_row *row)
{
	enum { LATE_S = 10 };
	int64_t s = cell_int(row->next_in_s);

	if (cell_int(row->busy))
		return "being tried now";
	if (s < -LATE_S)
		return arena_printf(mem, "was to be tried %s ago: does "
			"ctt-worker run?", span(mem, -s));
	return arena_printf(mem, "tried next in %s", span(mem, s > 0 ? s : 0));
}

/* The name of the user, for the audit. */
static const char *user_name(void)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *sudo = getenv("SUDO_USER");

	return sudo && *sudo ? sudo : pw ? pw->pw_name : "?";
}

/* Close the operation. If a process is calling its partner, wait for that. */
static enum rc close_patiently(struct app *app, struct arena *mem,
			       const char *id, const struct by_hand *how)
{
	enum { PATIENCE_MS = 10000, PAUSE_MS = 100 };
	int64_t until = clock_mono_ms() + PATIENCE_MS;
	bool told = false;
	enum rc rc;

	while ((rc = saga_close_by_hand(app, mem, id, how)) == RC_AGAIN &&
	       clock_mono_ms() < until) {
		if (!told)
			fprintf(stderr, "cttctl: a process works on %s just "
				"now; waiting for it\n", id);
		told = true;
		clock_sleep_ms(PAUSE_MS);
	}
	return rc;
}

static int run_close(struct console *con, int argc, char **argv)
{
	static const char *const known[] = {"--as", "--reason", NULL};
	const char *as = option(argc - 1, argv + 1, "--as");
	const char *reason = option(argc - 1, argv + 1, "--reason");
	struct by_hand how = {.by = user_name()};
	struct process process;
	struct app app;
	enum rc rc;

	if (!argc || !options_ok(argc - 1, argv + 1, known))
		return 2;
	if (!as || !reason || !*reason ||
	    (strcmp(as, "done") && strcmp(as, "undone"))) {
		fputs("cttctl: close needs --as done or --as undone, and a "
		      "--reason\n", stderr);
		return 2;
	}
	how.done = !strcmp(as, "done");
	how.reason = reason;
	process_open(&process, &con->conf, 0);
	app_open(&app, &process);
	rc = close_patiently(&app, con->mem, argv[0], &how);
	if (rc == RC_OK)
		printf("%s is closed as %s\n", argv[0], as);
	else if (rc == RC_AGAIN)
		fprintf(stderr, "cttctl: another process still works on %s; "
			"nothing was changed. Try again, or see why with "
			"cttctl operations\n", argv[0]);
	else if (*db_error(app_db(&app)))
		fprintf(stderr, "cttctl: %s\n", db_error(app_db(&app)));
	else
		fprintf(stderr, "cttctl: %s is not open, or cannot be closed "
			"like this: see cttctl operations\n", argv[0]);
	app_close(&app);
	process_close(&process);
	return rc == RC_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_assumed(struct console *con)
{
	struct rows r;

	if (db_run(con->db, SQL_ASSUMED_OPERATIONS, NULL, con->mem, &r, 1) !=
	    RC_OK)
		return failed(con);
	for (size_t i = 0; i < r.n; i++) {
		const struct assumed_operation_row *row =
			ROW(assumed_operation, &r, i);

		printf("%s %s of CTT %s and NTT %s is %s since %s: %s could "
		       "not say what became of it (%s)\n", row->id, row->kind,
		       or_dash(row->ctt_ticket_no), or_dash(row->ntt_ticket_no),
		       row->state, row->updated_at, or_dash(row->partner),
		       or_dash(row->last_error));
	}
	return EXIT_SUCCESS;
}

/* Bury owners on this host that died. If the database is away, the next
 * statement reports it. */
static void bury_dead(struct console *con)
{
	struct leases *all = leases_open(&con->conf);
	struct lease *l = lease_open(all);

	lease_bury(l, con->mem);
	lease_close(l);
	leases_close(all);
}

static int run_operations(struct console *con, int argc, char **argv)
{
	struct rows r;

	if (argc == 1 && !strcmp(argv[0], "--assumed"))
		return run_assumed(con);
	if (argc && !strcmp(argv[0], "close"))
		return run_close(con, argc - 1, argv + 1);
	if (argc)
		return run_retry(con, argc, argv, SQL_RETRY_OPERATIONS, false);
	bury_dead(con);
	if (db_run(con->db, SQL_OPEN_OPERATIONS, NULL, con->mem, &r, 1) !=
	    RC_OK)
		return failed(con);
	for (size_t i = 0; i < r.n; i++) {
		const struct operation_open_row *row =
			ROW(operation_open, &r, i);
		int64_t tries = cell_int(row->tries);

		printf("%s %s of CTT %s", row->id, row->kind,
		       or_dash(row->ctt_ticket_no));
		if (row->ntt_ticket_no)
			printf(" and NTT %s", row->ntt_ticket_no);
		printf(", open for %s: %s",
		       span(con->mem, cell_int(row->age_s)),
		       waits_for(con->mem, row));
		if (row->last_error)
			printf(" (%s)", row->last_error);
		if (tries)
			printf("; tried again %lld time%s", (long long)tries,
			       tries == 1 ? "" : "s");
		printf("; %s\n", next_try(con->mem, row));
	}
	return EXIT_SUCCESS;
}

static int run_jobs(struct console *con, int argc, char **argv)
{
	struct rows r;

	if (argc)
		return run_retry(con, argc, argv, SQL_RETRY_JOBS, true);
	if (db_run(con->db, SQL_DEAD_JOBS, NULL, con->mem, &r, 1) != RC_OK)
		return failed(con);
	for (size_t i = 0; i < r.n; i++) {
		const struct dead_job_row *row = ROW(dead_job, &r, i);

		printf("%s DEAD %s key=%s attempts=%s since=%s: %s\n",
		       row->id, row->type, row->dedupe_key, row->attempts,
		       row->created_at, or_dash(row->last_error));
	}
	return EXIT_SUCCESS;
}

/* Print a line on a ticket. On a terminal it replaces the progress. */
static void print_difference(void *to, const char *line)
{
	(void)to;
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	puts(line);
}

static void print_progress(const struct reconcile *r)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%zu compared, %zu differ", r->looked,
			r->differ);
}

/* The partner "taas", "tmf" or "nig". PARTNER__MAX: no name is given. -1: it is
 * another name, and an error is printed. */
static int partner_option(const char *name)
{
	for (int p = 0; name && p < PARTNER_QUEUE; p++)
		if (!strcasecmp(partners[p]->code, name))
			return p;
	if (!name)
		return PARTNER__MAX;
	fprintf(stderr, "cttctl: --partner: \"%s\" is not taas, tmf or nig\n",
		name);
	return -1;
}

/* Can the partner be read? If not, an error is printed. */
static bool can_compare(const struct conf *cf, int partner)
{
	if (partner == PARTNER__MAX ||
	    partner_is_readable(cf, (enum partner_id)partner))
		return true;
	fprintf(stderr, "cttctl: CTT_%s_READ is off: it cannot be read\n",
		partners[partner]->code);
	return false;
}

/* May partners be read? If not, an error is printed. */
static bool may_compare(struct app *app)
{
	if (lease_may_call(app->lease))
		return true;
	fputs("cttctl: the database is away, or it is a copy: see cttctl "
	      "status\n", stderr);
	return false;
}

static enum rc compare_all(struct reconcile *r)
{
	struct arena *mem = arena_open();
	uint64_t after = 0;
	size_t n;
	enum rc rc;

	do {
		rc = reconcile_page(r, mem, &after, RECONCILE_PAGE, &n);
		print_progress(r);
		arena_reset(mem);
	} while (rc == RC_OK && n);
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
	arena_close(mem);
	return rc;
}

static int compare_one(struct console *con, struct reconcile *r,
		       const char *ticket, enum rc *rc_r)
{
	size_t n = 0;

	*rc_r = reconcile_one(r, con->mem, 0, ticket, &n);
	if (*rc_r != RC_OK || n)
		return r->busy ? COULD_NOT_LOOK : EXIT_SUCCESS;
	fprintf(stderr, "cttctl: there is no CTT %s\n", ticket);
	return COULD_NOT_LOOK;
}

static int run_reconcile(struct console *con, int argc, char **argv)
{
	static const char *const known[] = {"--partner", "--ticket", NULL};
	int n = argc, status = EXIT_SUCCESS;
	bool mend = take_flag(&n, argv, "--mend");
	const char *ticket = option(n, argv, "--ticket");
	int partner = partner_option(option(n, argv, "--partner"));
	struct reconcile r = {
		.mend = mend,
		.actor = user_name(),
		.request_id = arena_printf(con->mem, "reconcile-%lld",
					   (long long)time(NULL)),
		.report = print_difference,
	};
	struct process process;
	struct app app;
	enum rc rc;

	if (!options_ok(n, argv, known) || partner < 0)
		return 2;
	if (!can_compare(&con->conf, partner))
		return COULD_NOT_LOOK;
	process_open(&process, &con->conf, 0);
	app_open(&app, &process);
	r.app = &app;
	r.only = (enum partner_id)partner;
	if (!may_compare(&app))
		status = COULD_NOT_LOOK, rc = RC_OK;
	else if (ticket)
		status = compare_one(con, &r, ticket, &rc);
	else
		rc = compare_all(&r);
	if (rc != RC_OK)
		fprintf(stderr, "cttctl: %s\n", db_error(app_db(&app)));
	else
		printf("%zu compared, %zu differ, %zu mended, %zu could not be "
		       "read, %zu have an open operation\n", r.looked, r.differ,
		       r.mended, r.unread, r.busy);
	app_close(&app);
	process_close(&process);
	return rc != RC_OK ? COULD_NOT_LOOK :
	       r.differ > r.mended ? EXIT_FAILURE :
	       r.unread ? COULD_NOT_LOOK : status;
}

static int run_token(struct console *con, int argc, char **argv)
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
		return usage(stderr);
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

static int run_seed(struct console *con, int argc, char **argv)
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

static int run_settings(struct console *con, int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], "--first"))
		fputs(envfile_new(con->mem), stdout);
	else if (argc)
		return usage(stderr);
	else
		conf_print_sample(stdout);
	return EXIT_SUCCESS;
}

static int run_routes(struct console *con, int argc, char **argv)
{
	struct buf text;

	(void)argc;
	(void)argv;
	buf_init(&text, con->mem);
	route_print(&text);
	fputs(text.s, stdout);
	return EXIT_SUCCESS;
}

static int run_faults(struct console *con, int argc, char **argv)
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
	db_close(con.db);
	arena_close(con.mem);
	conf_close(&con.conf);
	return status;
}
