#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/db.h"

/*
 * Compare the database with those promises of contract section 10 that can be
 * seen in it. `report` gets each breach: a line that names the row, and the SQL
 * that would repair it, or NULL. *breaches_r is how many there are.
 */
enum rc store_check(struct db *db, struct arena *mem,
		    void (*report)(const char *breach, const char *mend),
		    size_t *breaches_r);

#endif
