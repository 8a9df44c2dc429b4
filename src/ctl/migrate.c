/*
 * ctl/migrate.c - cttctl migrate: the schema, and the rights of cttd's user
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ctl/console.h"
#include "store/schema.h"

enum { MIGRATE_WAIT_S = 600 };

static void print_step(const struct schema_step *step)
{
	printf("migrated to %d: %s\n", step->version, step->name);
}

/* cttd's own user, who does not own the schema, gets what it needs. */
static int grant_app(struct console *con)
{
	struct conf app = con->conf;
	const char *user;
	struct db *db;
	enum rc rc;

	app.db_name = ""; /* on which it may have no right yet */
	db = db_open(&app);
	rc = schema_grant(con->db, db, con->mem, &user);
	if (rc == RC_OK)
		printf("%s has the rights that cttd needs\n", user);
	else
		fprintf(stderr, "cttctl: the rights of %s: %s\n", app.db_user,
			*db_error(db) ? db_error(db) : db_error(con->db));
	db_close(db);
	return rc == RC_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* How many steps the schema lacks; COULD_NOT_LOOK if nobody can say. */
static int print_pending(struct console *con)
{
	int version, status = EXIT_SUCCESS;

	if (schema_version_of(con->db, con->mem, &version) != RC_OK) {
		failed(con);
		return COULD_NOT_LOOK;
	}
	for (size_t i = 0; i < schema_nsteps; i++)
		if (schema_steps[i].version > version) {
			printf("missing %d: %s\n", schema_steps[i].version,
			       schema_steps[i].name);
			status = EXIT_FAILURE;
		}
	return status;
}

static void connect_as_owner(struct console *con, struct conf *owner)
{
	*owner = con->conf;
	owner->db_user = owner->migrate_user;
	owner->db_password = owner->migrate_password;
	db_close(con->db);
	con->db = db_open(owner);
	db_patience(con->db, PATIENCE_S);
}

/* The database of a later version is left alone. */
static bool is_too_new(struct console *con, enum rc *rc_r)
{
	const char *too_new;

	*rc_r = schema_too_new(con->db, con->mem, false, &too_new);
	if (too_new)
		fprintf(stderr, "cttctl: %s\n", too_new);
	return too_new;
}

static enum rc run_steps(struct console *con)
{
	int64_t until = clock_mono_ms() + MIGRATE_WAIT_S * 1000;
	enum rc rc;

	while ((rc = schema_migrate(con->db, con->mem, print_step)) ==
		       RC_AGAIN &&
	       clock_mono_ms() < until)
		fputs("cttctl: another migration is running; waiting\n",
		      stderr);
	return rc;
}

int run_migrate(struct console *con, int argc, char **argv)
{
	bool owned = *con->conf.migrate_user;
	int status = EXIT_FAILURE;
	struct conf owner;
	enum rc rc;

	if (take_flag(&argc, argv, "--pending"))
		return print_pending(con);
	if (argc) {
		fprintf(stderr, "cttctl: unknown option %s\n", argv[0]);
		return 2;
	}
	if (owned)
		connect_as_owner(con, &owner);
	if (!is_too_new(con, &rc)) {
		if (rc == RC_OK)
			rc = run_steps(con);
		status = rc != RC_OK ? failed(con) :
			 owned ? grant_app(con) : EXIT_SUCCESS;
	}
	if (status == EXIT_SUCCESS)
		printf("the schema is at version %d\n",
		       schema_steps[schema_nsteps - 1].version);
	db_close(con->db); /* before its settings go */
	con->db = NULL;
	return status;
}
