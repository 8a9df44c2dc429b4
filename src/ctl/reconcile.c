/*
 * ctl/reconcile.c - cttctl reconcile: our tickets beside the partners'
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "ctl/console.h"
#include "saga/reconcile.h"

enum { RECONCILE_PAGE = 500 }; /* CTTs that are compared at once */

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

int run_reconcile(struct console *con, int argc, char **argv)
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
