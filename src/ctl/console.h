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
	WRONG_WORDS = -1,   /* cttctl prints its usage; 2       */
};

/* The commands return the exit status. */
int run_migrate(struct console *con, int argc, char **argv);
int run_restart(struct console *con, int argc, char **argv);
int run_status(struct console *con, int argc, char **argv);
int run_setup(struct console *con, int argc, char **argv);
int run_adopt(struct console *con, int argc, char **argv);
int run_setup_database(struct console *con, int argc, char **argv);
int run_check(struct console *con, int argc, char **argv);
int run_audit(struct console *con, int argc, char **argv);
int run_operations(struct console *con, int argc, char **argv);
int run_jobs(struct console *con, int argc, char **argv);
int run_reconcile(struct console *con, int argc, char **argv);
int run_token(struct console *con, int argc, char **argv);
int run_seed(struct console *con, int argc, char **argv);
int run_settings(struct console *con, int argc, char **argv);
int run_routes(struct console *con, int argc, char **argv);
int run_faults(struct console *con, int argc, char **argv);

/* Run `sql` for "retry ID..." or "retry --all". `numbers`: the ids are. */
int retry(struct console *con, int argc, char **argv, enum sql sql,
	  bool numbers);

/* Print why the database failed; EXIT_FAILURE. */
int failed(struct console *con);

/* The value of `--name VALUE` among the words, or NULL. */
const char *option(int argc, char **argv, const char *name);

/* Are the words pairs of these options (ends in NULL) and values? */
bool options_ok(int argc, char **argv, const char *const *known);

/* Take a word that has no value out of the others, wherever it stands. */
bool take_flag(int *argc, char **argv, const char *flag);

/* The text, or "-" for NULL. */
const char *or_dash(const char *cell);

/* The name of the user, for the audit. */
const char *user_name(void);

/* A time in seconds: "90 s", "25 min", "40 h", "9 days" */
const char *span(struct arena *mem, int64_t s);

/* A whole number from 0 to `most`, or -1 and a line. */
int64_t number(const char *name, const char *text, int64_t most);

#endif
