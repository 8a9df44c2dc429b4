#include "store/check.h"

#include <string.h>

#include "store/audit.h"

static const char *replace(struct arena *mem, const char *text,
			   const char *word, const char *by)
{
	const char *at = strstr(text, word);

	return at ? arena_printf(mem, "%.*s%s%s", (int)(at - text), text, by,
				 at + strlen(word)) : text;
}

/* An audit row is mended with its seal, or without a hash if there is no
 * key. */
static const char *mend_audit(struct arena *mem, const char *key,
			      const struct audit_breach_row *row)
{
	const struct audit a = audit_of(&row->sealed);
	const char *seal = !*key ? "NULL" :
		arena_printf(mem, "'%s'", audit_seal(mem, key, &a));

	return replace(mem, row->mend, "@SEAL@", seal);
}

static void report_breach(struct db *db, struct arena *mem, enum sql sql,
			  const struct rows *r, size_t i,
			  void (*report)(const char *breach, const char *mend))
{
	const char *key = db_conf(db)->audit_key;

	if (sql == SQL_CHECK_AUDIT) {
		const struct audit_breach_row *row = ROW(audit_breach, r, i);

		report(row->line, mend_audit(mem, key, row));
	} else {
		report(ROW(breach, r, i)->line, ROW(breach, r, i)->mend);
	}
}

enum rc store_check(struct db *db, struct arena *mem,
		    void (*report)(const char *breach, const char *mend),
		    size_t *breaches_r)
{
	*breaches_r = 0;
	for (int sql = SQL_CHECK_LINK; sql <= SQL_CHECK_OPEN; sql++) {
		struct rows r;
		enum rc rc = db_run(db, (enum sql)sql, NULL, mem, &r, 1);

		if (rc != RC_OK)
			return rc;
		for (size_t i = 0; i < r.n; i++)
			report_breach(db, mem, (enum sql)sql, &r, i, report);
		*breaches_r += r.n;
	}
	return RC_OK;
}
