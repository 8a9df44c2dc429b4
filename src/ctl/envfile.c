/*
 * ctl/envfile.c - the text of the settings file
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/env.h"
#include "ctl/setup.h"

enum { FILE_MOST = 1024 * 1024 };

/* What setup begins with; FILE: a path beside the settings file. */
static const struct first {
	const char *name, *value;
	bool file;
} first[] = {
	{"CTT_DB_SOCKET", "/run/mysqld/mysqld.sock", false},
	{"CTT_DB_PASSWORD_FILE", "secrets/db-password", true},
	{"CTT_DB_MIGRATE_USER", "ctt_owner", false},
	{"CTT_DB_MIGRATE_PASSWORD_FILE", "db-owner-password", true},
	{"CTT_JWT_KEY_FILE", "secrets/jwt-key", true},
	{"CTT_AUDIT_KEY_FILE", "secrets/audit-key", true},
	{"CTT_AUDIT_HEADS_FILE", "/var/lib/cttd/audit-heads", false},
};

/* The line that sets the name, or that shows its default; NULL: none does. */
static const char *line_of(const char *text, const char *name,
			   bool commented)
{
	size_t n = strlen(name);

	for (const char *at = text; *at;) {
		const char *s = at;

		if (!commented || *s++ == '#')
			if (!strncmp(s, name, n) && s[n] == '=')
				return at;
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	return NULL;
}

const char *envfile_get(struct arena *mem, const char *text, const char *name)
{
	const char *at = line_of(text, name, false);

	if (!at)
		return "";
	at += strlen(name) + 1;
	return arena_strndup(mem, at, strcspn(at, "\n"));
}

char *envfile_set(struct arena *mem, const char *text, const char *name,
		  const char *value)
{
	const char *at = line_of(text, name, false), *rest;
	size_t n = strlen(text);

	if (!at)
		at = line_of(text, name, true);
	if (!at)
		return arena_printf(mem, "%s%s%s=%s\n", text,
				    !n || text[n - 1] == '\n' ? "" : "\n",
				    name, value);
	rest = at + strcspn(at, "\n");
	return arena_printf(mem, "%.*s%s=%s%s", (int)(at - text), text, name,
			    value, *rest ? rest : "\n");
}

char *envfile_new(struct arena *mem)
{
	char *text = NULL, *set, path[ENV_PATH];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		arena_exhausted();
	conf_print_sample(f);
	fclose(f);
	set = arena_strdup(mem, text);
	free(text);
	for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
		if (first[i].file)
			env_beside(first[i].value, path, sizeof path);
		set = envfile_set(mem, set, first[i].name,
				  first[i].file ? path : first[i].value);
	}
	return set;
}

char *envfile_read(struct arena *mem)
{
	const char *path = env_file();
	FILE *f = fopen(path, "re");
	struct stat st;
	char *text;
	size_t n;

	if (!f && errno == ENOENT)
		return envfile_new(mem);
	if (!f || fstat(fileno(f), &st) || st.st_size > FILE_MOST) {
		fprintf(stderr, "cttctl: cannot read %s: %s\n", path,
			strerror(f && st.st_size > FILE_MOST ? EFBIG : errno));
		if (f)
			fclose(f);
		return NULL;
	}
	text = arena_alloc(mem, (size_t)st.st_size + 1);
	n = fread(text, 1, (size_t)st.st_size, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

bool file_replace(const char *path, const char *text, unsigned mode, int gid)
{
	char new[ENV_PATH + 8];
	size_t n = strlen(text);
	bool good;
	int fd;

	snprintf(new, sizeof new, "%s.new", path);
	unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	good = fd >= 0 && write(fd, text, n) == (ssize_t)n &&
	       (gid < 0 || !fchown(fd, (uid_t)-1, (gid_t)gid)) &&
	       !fchmod(fd, mode) && !fsync(fd) && !rename(new, path);
	if (!good)
		fprintf(stderr, "cttctl: cannot write %s: %s\n", path,
			strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!good)
		unlink(new);
	return good;
}

bool envfile_write(const char *path, const char *text, const char *user)
{
	const struct passwd *pw = getpwnam(user);

	if (pw)
		return file_replace(path, text, 0640, (int)pw->pw_gid);
	fprintf(stderr, "cttctl: there is no user %s: adduser --system --group "
		"--no-create-home %s\n", user, user);
	return false;
}
