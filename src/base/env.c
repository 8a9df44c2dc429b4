/*
 * base/env.c - the settings file, and the secrets beside it
 */
#include "base/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CREDENTIAL "cttd_" /* before a file's name: LoadCredential=cttd:DIR */

const char *env_file(void)
{
	const char *given = getenv("CTT_ENV_FILE");

	return given ? given : "/etc/cttd/ctt.env";
}

void env_beside(const char *name, char *path, size_t len)
{
	const char *file = env_file();
	const char *slash = strrchr(file, '/');

	if (!*file)
		file = slash = "/etc/cttd/";
	snprintf(path, len, "%.*s/%s", (int)(slash ? slash - file : 0), file,
		 name);
	if (!slash)
		snprintf(path, len, "%s", name);
}

/* ---- the settings file ---- */

static void add(char *err, size_t errlen, const char *path, int line,
		const char *what)
{
	size_t n = strlen(err);

	snprintf(err + n, errlen - n, "%s%s:%d: %s", n ? "\n" : "", path, line,
		 what);
}

static bool is_name(const char *s, size_t n)
{
	return n && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
			      "abcdefghijklmnopqrstuvwxyz") >= n &&
	       (*s < '0' || *s > '9');
}

/* Take the quotes away, in place. NULL: it is good; else what is wrong. */
static const char *unquote(char **value)
{
	char *s = *value, *end = s + strlen(s) - 1;

	if (*s != '"' && *s != '\'')
		return strpbrk(s, "\"'\\") ? "a quote or a backslash within a "
			"value: write the value without" : NULL;
	if (end == s || *end != *s)
		return "the quote has no end";
	*end = '\0';
	*value = s + 1;
	return strpbrk(*value, "\"'\\") ? "a quote or a backslash within a "
		"value: write the value without" : NULL;
}

static const char *take_line(char *s)
{
	char *end = s + strlen(s), *value;
	const char *error;

	while (end > s && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	s += strspn(s, " \t");
	if (!*s || *s == '#' || *s == ';')
		return NULL;
	value = strchr(s, '=');
	if (!value || !is_name(s, (size_t)(value - s)))
		return "not NAME=VALUE";
	*value++ = '\0';
	value += strspn(value, " \t");
	error = unquote(&value);
	if (!error)
		setenv(s, value, 0);
	return error;
}

bool env_load(const char *path, char *err, size_t errlen)
{
	FILE *f = *path ? fopen(path, "re") : NULL;
	char *line = NULL;
	size_t room = 0;
	size_t before = strlen(err);

	if (!f) {
		if (!*path || errno == ENOENT || errno == ENOTDIR)
			return true;
		snprintf(err + before, errlen - before, "%scannot read %s: "
			 "%s%s", before ? "\n" : "", path, strerror(errno),
			 geteuid() ? "; be root, or of the group ctt" : "");
		return false;
	}
	for (int n = 1; getline(&line, &room, f) > 0; n++) {
		const char *error = take_line(line);

		if (error)
			add(err, errlen, path, n, error);
	}
	free(line);
	fclose(f);
	return !err[before];
}

/* ---- credentials ---- */

bool env_is_secret(const char *path)
{
	char secrets[ENV_PATH];
	size_t n;

	env_beside("secrets/", secrets, sizeof secrets);
	n = strlen(secrets);
	return !strncmp(path, secrets, n) && !strchr(path + n, '/');
}

const char *env_path(const char *path, char *to)
{
	const char *given = getenv("CREDENTIALS_DIRECTORY");

	if (!given || !env_is_secret(path))
		return path;
	snprintf(to, ENV_PATH, "%s/" CREDENTIAL "%s", given,
		 strrchr(path, '/') + 1);
	return access(to, F_OK) ? path : to;
}

/* Copy one file, for `uid` alone. */
static bool copy(int from_dir, const char *name, int to_dir, uid_t uid)
{
	char piece[4096], to_name[300];
	int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int to = -1;
	ssize_t n = -1;

	snprintf(to_name, sizeof to_name, CREDENTIAL "%s", name);
	if (from >= 0)
		to = openat(to_dir, to_name, O_WRONLY | O_CREAT | O_EXCL |
			    O_CLOEXEC, 0400);
	while (to >= 0 && (n = read(from, piece, sizeof piece)) > 0)
		if (write(to, piece, (size_t)n) != n) {
			n = -1;
			break;
		}
	explicit_bzero(piece, sizeof piece);
	if (to >= 0 && fchown(to, uid, (gid_t)-1))
		n = -1;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return n == 0;
}

/* Call `each` for the files of a folder; a missing folder has none. */
static bool each_file(const char *path,
		      bool (*each)(int dir, const char *name, int to,
				   uid_t uid), int to, uid_t uid)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool good = true;

	if (!dir)
		return errno == ENOENT;
	while (good && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			good = each(dirfd(dir), entry->d_name, to, uid);
	closedir(dir);
	return good;
}

static bool erase(int dir, const char *name, int to, uid_t uid)
{
	(void)to;
	(void)uid;
	return !unlinkat(dir, name, 0);
}

/* In memory, as systemd has them. */
static bool make_credentials(char *path, uid_t uid)
{
	char secrets[ENV_PATH];
	int dir;
	bool good;

	env_beside("secrets", secrets, sizeof secrets);
	if (!mkdtemp(path))
		return false;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	good = dir >= 0 && each_file(secrets, copy, dir, uid) &&
	       !chown(path, uid, (gid_t)-1);
	if (dir >= 0)
		close(dir);
	return good;
}

static void remove_credentials(const char *path)
{
	each_file(path, erase, -1, 0);
	rmdir(path);
}

static int status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILURE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool env_become(const char *user, char *err, size_t errlen)
{
	char path[] = "/dev/shm/cttd-check.XXXXXX";
	const struct passwd *pw = getpwnam(user);
	pid_t pid;

	if (!pw || geteuid()) {
		snprintf(err, errlen, pw ? "--as needs root" :
			 "--as %s: there is no such user", user);
		return false;
	}
	if (!make_credentials(path, pw->pw_uid)) {
		snprintf(err, errlen, "--as %s: %s: %s", user, path,
			 strerror(errno));
		remove_credentials(path);
		return false;
	}
	pid = fork();
	if (pid > 0) {
		int status = status_of(pid);

		remove_credentials(path);
		exit(status);
	}
	setenv("CREDENTIALS_DIRECTORY", path, 1);
	if (!pid && !initgroups(user, pw->pw_gid) && !setgid(pw->pw_gid) &&
	    !setuid(pw->pw_uid))
		return true;
	snprintf(err, errlen, "--as %s: %s", user, strerror(errno));
	return false;
}
