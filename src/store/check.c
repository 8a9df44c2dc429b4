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
			      const struct rows *r, size_t i)
{
	const struct audit a = audit_read(r, i, 2);
	const char *seal = !*key ? "NULL" :
		arena_printf(mem, "'%s'", audit_seal(mem, key, &a));

	return replace(mem, rows_text(r, i, 1), "@SEAL@", seal);
}

enum rc store_check(struct db *db, struct arena *mem,
		    void (*say)(const char *breach, const char *mend),
		    size_t *breaches_r)
{
	const char *key = db_conf(db)->audit_key;

	*breaches_r = 0;
	for (int sql = SQL_CHECK_LINK; sql <= SQL_CHECK_OPEN; sql++) {
		struct rows r;
		enum rc rc = db_run(db, (enum sql)sql, NULL, mem, &r, 1);

		if (rc != RC_OK)
			return rc;
		for (size_t i = 0; i < r.n; i++)
			say(rows_text(&r, i, 0), sql == SQL_CHECK_AUDIT ?
			    mend_audit(mem, key, &r, i) : rows_text(&r, i, 1));
		*breaches_r += r.n;
	}
	return RC_OK;
}
