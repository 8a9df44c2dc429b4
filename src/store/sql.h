#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Every statement that cttd runs on its tables. The texts, with their
 * parameters and results, are in src/store/sql. scripts/embed-statements makes
 * C of them: enum sql has the statements' names, struct x_row the columns of
 * SELECT <x>, P_... and CELL_... the places of parameters.
 */
#include "store/statements.h"

struct sql_statement {
	const char *name, *text;
	const char *const *params; /* the names behind : in the text */
	unsigned nparams;
	bool ends_in_rows; /* and nothing that could fail comes after them */
};

extern const struct sql_statement sql_statements[SQL__MAX];

/* A table of change.sql, among its parameters. */
struct change_columns {
	unsigned param;    /* all rows as JSON; the next: how many there are */
	unsigned first, n; /* cells of the first row, if rows have their own */
	unsigned most;     /* how many rows can have; 0: all rows are JSON   */
};

extern const struct change_columns change_tables[CHANGE__MAX];

enum { SQL_MARKS_MAX = 192 }; /* of parameters in one text */

/* A text as it is prepared: with a question mark for each parameter, whose
 * place is in `mark`. The caller frees it. NULL: the statement does not have
 * the parameter *unknown_r; the caller frees that. */
char *sql_plain(enum sql sql, unsigned char *mark, char **unknown_r);

/*
 * MariaDB parses a block (BEGIN NOT ATOMIC) when it is prepared, but checks its
 * tables and columns only when it runs. So that they can be checked before,
 * `take` gets each statement within a plain text: conditions and values as a
 * SELECT, variables as parameters. A text that is not a block is passed whole.
 * False: `take` returned false for one of them; it was called for all.
 */
bool sql_each_part(const char *plain, bool (*take)(void *to, const char *part),
		   void *to);

#endif
