#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/db.h"

/*
 * Hold the database against what it can see of the promises of contract
 * section 10. `say` is told of each breach: the line names its row; the SQL
 * would mend it, NULL if none does. *breaches_r is how many there are.
 */
enum rc store_check(struct db *db, struct arena *mem,
		    void (*say)(const char *breach, const char *mend),
		    size_t *breaches_r);

#endif
