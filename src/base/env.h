#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The files of an installation. CTT_ENV_FILE names the settings file; by
 * default it is /etc/cttd/ctt.env; empty: there is none. The folder secrets/
 * beside it holds the files that systemd passes to the services as credentials
 * (LoadCredential= in the units), so that only root can read the folder.
 */
enum { ENV_PATH = 4096 };

const char *env_file(void);

/* The path of a file beside the settings file. */
void env_beside(const char *name, char *path, size_t len);

/*
 * Set the variables that a settings file has and the environment does not. The
 * lines are those of systemd's EnvironmentFile=: NAME=VALUE, a comment behind #
 * or ;, a value with or without quotes. A line that can be read in two ways is
 * wrong: err gets a line for each. A missing file is empty.
 */
bool env_load(const char *path, char *err, size_t errlen);

/* Is it a file of the folder secrets/? */
bool env_is_secret(const char *path);

/*
 * Where a process finds a file: a file of secrets/ among its credentials, if
 * systemd gave it some; any other where it is. `to` has ENV_PATH bytes.
 */
const char *env_path(const char *path, char *to);

/*
 * Give this process the credentials that systemd would give it, and make it a
 * process of this user: a child does the work, and this function returns in the
 * child. The parent waits, removes the credentials and ends as the child did.
 * False: err says why not. Only root can do this.
 */
bool env_become(const char *user, char *err, size_t errlen);

#endif
