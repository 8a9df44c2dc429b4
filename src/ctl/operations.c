/*
 * ctl/operations.c - cttctl operations: why one is open, and its end by hand
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/clock.h"
#include "ctl/console.h"
#include "saga/flow.h"
#include "saga/recover.h"

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

int run_operations(struct console *con, int argc, char **argv)
{
	struct rows r;

	if (argc == 1 && !strcmp(argv[0], "--assumed"))
		return run_assumed(con);
	if (argc && !strcmp(argv[0], "close"))
		return run_close(con, argc - 1, argv + 1);
	if (argc)
		return retry(con, argc, argv, SQL_RETRY_OPERATIONS, false);
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
