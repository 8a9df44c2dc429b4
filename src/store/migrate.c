#include "store/schema.h"

#include <string.h>

/* The statements of a step end in ";" at the end of a line; run one by one. */
static enum rc run_step(struct db *db, struct arena *mem,
			const struct schema_step *step)
{
	const char *from = step->text, *end;
	enum rc rc = RC_OK;

	while (rc == RC_OK && (end = strstr(from, ";\n"))) {
		rc = db_text(db, arena_strndup(mem, from,
					       (size_t)(end - from)));
		from = end + 2;
	}
	return rc;
}

static enum rc version_of(struct db *db, struct arena *mem, int *version_r)
{
	struct rows r;
	enum rc rc = db_run(db, SQL_SCHEMA_VERSION, NULL, mem, &r, 1);

	if (rc == RC_OK)
		*version_r = (int)cell_int(ROW(schema_version, &r, 0)->version);
	return rc;
}

enum rc schema_version_of(struct db *db, struct arena *mem, int *version_r)
{
	struct rows r;
	enum rc rc = db_run(db, SQL_HAS_SCHEMA, NULL, mem, &r, 1);

	*version_r = 0;
	if (rc != RC_OK || !cell_int(ROW(has_schema, &r, 0)->n))
		return rc;
	return version_of(db, mem, version_r);
}

enum rc schema_odd_tables(struct db *db, struct arena *mem, struct rows *odd_r)
{
	return db_run(db, SQL_ODD_TABLES, NULL, mem, odd_r, 1);
}

static enum rc mend_odd_tables(struct db *db, struct arena *mem)
{
	struct rows odd;
	enum rc rc = schema_odd_tables(db, mem, &odd);

	for (size_t i = 0; rc == RC_OK && i < odd.n; i++)
		rc = db_text(db, ROW(odd_table, &odd, i)->statement);
	return rc;
}

/* A step that takes away what earlier programs need: see HACKING. */
static bool takes_away(const char *name)
{
	return strstr(name, "-contract-");
}

enum rc schema_too_new(struct db *db, struct arena *mem, bool runs,
		       const char **line_r)
{
	int ours = schema_steps[schema_nsteps - 1].version, version = ours + 1;
	struct buf param;
	struct rows r = {0};
	enum rc rc = runs ? RC_OK : schema_version_of(db, mem, &version);

	*line_r = NULL;
	buf_init(&param, mem);
	put_int(&param, NULL, ours);
	if (rc == RC_OK && version > ours)
		rc = db_run(db, SQL_SCHEMA_LATER, &param, mem, &r, 1);
	for (size_t i = 0; rc == RC_OK && !*line_r && i < r.n; i++) {
		const struct schema_later_row *row = ROW(schema_later, &r, i);

		if (!runs || takes_away(row->name))
			*line_r = arena_printf(mem, "the schema has step %s "
				"(%s) of a later version, and this version "
				"knows steps up to %d: install the later one",
				row->version, row->name, ours);
	}
	return rc;
}

static enum rc migrate_locked(struct db *db, struct arena *mem,
			      void (*report)(const struct schema_step *))
{
	int version = 0;
	enum rc rc = db_text(db, "CREATE TABLE IF NOT EXISTS schema_version ("
			     "version INT NOT NULL PRIMARY KEY,"
			     "name VARCHAR(64) NOT NULL,"
			     "applied_at DATETIME(3) NOT NULL DEFAULT"
			     " (UTC_TIMESTAMP(3))) ENGINE=InnoDB"
			     " DEFAULT CHARSET=utf8mb4");

	if (rc == RC_OK)
		rc = version_of(db, mem, &version);
	for (size_t i = 0; rc == RC_OK && i < schema_nsteps; i++) {
		const struct schema_step *step = &schema_steps[i];

		if (step->version <= version)
			continue;
		rc = run_step(db, mem, step);
		if (rc == RC_OK)
			rc = db_text(db, arena_printf(mem, "INSERT INTO "
				"schema_version(version,name) VALUES(%d,'%s')",
				step->version, step->name));
		if (rc == RC_OK)
			report(step);
	}
	return rc == RC_OK ? mend_odd_tables(db, mem) : rc;
}

enum rc schema_migrate(struct db *db, struct arena *mem,
		       void (*report)(const struct schema_step *))
{
	struct rows r;
	enum rc rc = db_run(db, SQL_MIGRATE_LOCK, NULL, mem, &r, 1);

	if (rc == RC_OK && cell_int(ROW(migrate_lock, &r, 0)->held) != 1)
		rc = RC_AGAIN; /* another migration does not come to its end */
	if (rc == RC_OK)
		rc = migrate_locked(db, mem, report);
	db_drop(db); /* and the lock goes with the connection */
	return rc;
}

enum rc schema_grant(struct db *db, struct db *app, struct arena *mem,
		     const char **user_r)
{
	struct rows r;
	struct buf doc;
	enum rc rc = db_run(app, SQL_CURRENT_USER, NULL, mem, &r, 1);

	if (rc != RC_OK)
		return rc;
	*user_r = ROW(current_user, &r, 0)->name;
	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_str(&doc, "user", *user_r);
	put_close(&doc, '}');
	rc = db_run(db, SQL_GRANTS, &doc, mem, &r, 1);
	for (size_t i = 0; rc == RC_OK && i < r.n; i++)
		rc = db_text(db, ROW(grant, &r, i)->statement);
	return rc;
}
