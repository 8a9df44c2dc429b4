#ifndef CTL_SETUP_H
#define CTL_SETUP_H

#include <stdbool.h>

#include "ctl/console.h"

/* ---- secrets.c: the files that are made once ---- */

/* Make the keys and passwords that are missing beside the settings file. None
 * is ever overwritten. */
bool secrets_make(void);

/* ---- envfile.c: the text of the settings file ---- */

/* The text of the settings file; of a new one, if there is none. NULL: a line
 * says why not. */
char *envfile_read(struct arena *mem);

/* The text of a new one, with the values that setup begins with. */
char *envfile_new(struct arena *mem);

/* The text with this setting: in its line, or in the line of its default. */
char *envfile_set(struct arena *mem, const char *text, const char *name,
		  const char *value);

/* The value that the text sets; "" if it does not. */
const char *envfile_get(struct arena *mem, const char *text, const char *name);

/* Put the text in place of the file, with mode 0640 and the group of `user`. */
bool envfile_write(const char *path, const char *text, const char *user);

/* Write a whole file, in place of one that is there. */
bool file_replace(const char *path, const char *text, unsigned mode, int gid);

/* ---- accounts.c: the users of the database ---- */

/* Who makes them, and for which hosts. */
struct accounts {
	const char *hosts; /* with commas between; NULL: localhost */
	const char *admin; /* a user of MariaDB; NULL: root        */
	const char *admin_password_file; /* NULL: it has none      */
};

/* Print the SQL, or run it. False: a line says why not. */
bool accounts_print(struct console *con, const struct accounts *a);
bool accounts_run(struct console *con, const struct accounts *a);

/* ---- system.c: the other programs of this host ---- */

/* Run a program to its end; its exit status. */
int run_program(const char *const *argv);

/* A file of the build tree that this program was built in, or else where it is
 * installed. */
const char *ours(struct arena *mem, const char *in_tree, const char *installed);

/* ctt.fcgi --check, as this user. */
bool check_as(struct arena *mem, const char *user);

/* Write the site file for nginx, and the console's settings. A file that is
 * there stays. */
bool nginx_write(struct arena *mem, const char *file, const char *listen,
		 const char *issuer);
bool nginx_reload(void);

/* Start cttd now and whenever the host starts. */
bool units_enable(void);

#endif
