/*
 * ctl/secrets.c - keys and passwords that are made once
 *
 * The services get what is in secrets/ from systemd (LoadCredential=). The
 * password of the schema's owner is not there: only cttctl migrate reads it.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "ctl/setup.h"

enum { PASSWORD_BYTES = 16, KEY_BYTES = 32 };

static const struct secret {
	const char *name; /* beside the settings file */
	unsigned bytes;
} secrets[] = {
	{"secrets/db-password", PASSWORD_BYTES},
	{"secrets/jwt-key", KEY_BYTES},
	{"secrets/audit-key", KEY_BYTES},
	{"db-owner-password", PASSWORD_BYTES},
};

static bool write_secret(int fd, unsigned bytes)
{
	unsigned char random[KEY_BYTES];
	char text[2 * KEY_BYTES + 2];
	size_t n = 0;
	bool good = RAND_bytes(random, (int)bytes) == 1;

	for (unsigned i = 0; i < bytes; i++)
		n += (size_t)sprintf(text + n, "%02x", random[i]);
	text[n++] = '\n';
	good = good && write(fd, text, n) == (ssize_t)n && !fsync(fd);
	explicit_bzero(random, sizeof random);
	explicit_bzero(text, sizeof text);
	return good;
}

/* Under another name first, so that a crash leaves no half of a key. */
static bool make(const struct secret *s)
{
	char path[ENV_PATH], new[ENV_PATH + 8];
	bool good;
	int fd;

	env_beside(s->name, path, sizeof path);
	if (!access(path, F_OK))
		return true;
	snprintf(new, sizeof new, "%s.new", path);
	unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	good = fd >= 0 && write_secret(fd, s->bytes);
	if (fd >= 0)
		close(fd);
	/* link, not rename: another setup may have been first */
	good = good && (!link(new, path) || errno == EEXIST);
	if (good)
		printf("made %s\n", path);
	else
		fprintf(stderr, "cttctl: cannot make %s: %s\n", path,
			strerror(errno));
	unlink(new);
	return good;
}

bool secrets_make(void)
{
	char folder[ENV_PATH];

	env_beside("secrets", folder, sizeof folder);
	if (mkdir(folder, 0700) && errno != EEXIST) {
		fprintf(stderr, "cttctl: cannot make %s: %s%s\n", folder,
			strerror(errno), errno == ENOENT ?
			"; make the folder above it, mode 0751" : "");
		return false;
	}
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
		if (!make(&secrets[i]))
			return false;
	return true;
}
