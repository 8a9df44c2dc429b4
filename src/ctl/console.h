#ifndef CTL_CONSOLE_H
#define CTL_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/conf.h"
#include "store/db.h"

/* What a command of cttctl has; the words behind its name are argv[0..argc). */
struct console {
	struct conf conf;
	struct arena *mem;
	struct db *db;
};

enum {
	PATIENCE_S = 3600,  /* of a statement on whole tables */
	COULD_NOT_LOOK = 3, /* exit status: contract section 12 */
};

int run_migrate(struct console *con, int argc, char **argv);
int run_restart(struct console *con, int argc, char **argv);
int run_status(struct console *con, int argc, char **argv);
int run_setup(struct console *con, int argc, char **argv);
int run_adopt(struct console *con, int argc, char **argv);
int run_setup_database(struct console *con, int argc, char **argv);

/* Print why the database failed; EXIT_FAILURE. */
int failed(struct console *con);

/* The value of `--name VALUE` among the words, or NULL. */
const char *option(int argc, char **argv, const char *name);

/* Are the words pairs of these options (ends in NULL) and values? */
bool options_ok(int argc, char **argv, const char *const *known);

/* Take a word that has no value out of the others, wherever it stands. */
bool take_flag(int *argc, char **argv, const char *flag);

/* A time in seconds: "90 s", "25 min", "40 h", "9 days" */
const char *span(struct arena *mem, int64_t s);

/* A whole number from 0 to `most`, or -1 and a line. */
int64_t number(const char *name, const char *text, int64_t most);

#endif
