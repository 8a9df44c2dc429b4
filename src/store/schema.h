#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "store/db.h"

/* The steps of sql/upgrade/, in their order, built into the program: the last
 * one's number is the version of the schema. */
struct schema_step {
	int version;
	const char *name, *text;
};

extern const struct schema_step schema_steps[];
extern const size_t schema_nsteps;

/* The version of the database's schema; 0 if it has no tables yet. */
enum rc schema_version_of(struct db *db, struct arena *mem, int *version_r);

/*
 * Is the schema too new for this program? Then *line_r says so, from `mem`; else
 * it is NULL. A process that `runs` works beside the next version, so for it
 * only a step is too new that takes something away.
 */
enum rc schema_too_new(struct db *db, struct arena *mem, bool runs,
		       const char **line_r);

/*
 * Run the steps that the database does not have yet, one migration at a time
 * over all hosts. `report` gets each step that was run. RC_NO: a step failed;
 * it can run again when the cause is removed.
 */
enum rc schema_migrate(struct db *db, struct arena *mem,
		       void (*report)(const struct schema_step *));

/* The tables (ROW(odd_table)) that have texts of another collation than ours,
 * which the server does not compare with ours. A migration changes them. */
enum rc schema_odd_tables(struct db *db, struct arena *mem, struct rows *odd_r);

/* Give another user, the one as whom `app` connects, or its role, the rights
 * that cttd needs. *user_r is its name, from `mem`. */
enum rc schema_grant(struct db *db, struct db *app, struct arena *mem,
		     const char **user_r);

#endif
