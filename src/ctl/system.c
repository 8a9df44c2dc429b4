/*
 * ctl/system.c - the other programs of this host, which setup runs
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/env.h"
#include "ctl/setup.h"

int run_program(const char *const *argv)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		fprintf(stderr, "cttctl: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

const char *ours(struct arena *mem, const char *in_tree, const char *installed)
{
	char self[ENV_PATH];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	const char *path;

	if (n <= 0)
		return installed;
	self[n] = '\0';
	path = arena_printf(mem, "%.*s%s", (int)(strrchr(self, '/') + 1 - self),
			    self, in_tree);
	return access(path, R_OK) ? installed : path;
}

bool check_as(struct arena *mem, const char *user)
{
	const char *program = ours(mem, "ctt.fcgi",
				   CTTD_LIBEXECDIR "/ctt.fcgi");
	const char *const argv[] = {program, "--check", "--as", user, NULL};

	printf("checking the settings, the files and every SQL statement as "
	       "%s\n", user);
	if (!run_program(argv))
		return true;
	fprintf(stderr, "cttctl: %s --check --as %s failed; nothing was "
		"started\n", program, user);
	return false;
}

/* ---- nginx ---- */

static char *whole(struct arena *mem, const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *text = NULL;

	if (f && !fstat(fileno(f), &st)) {
		text = arena_alloc(mem, (size_t)st.st_size + 1);
		text[fread(text, 1, (size_t)st.st_size, f)] = '\0';
	} else {
		fprintf(stderr, "cttctl: cannot read %s: %s\n", path,
			strerror(errno));
	}
	if (f)
		fclose(f);
	return text;
}

/* The text with `by` for each @WORD@. */
static char *fill(struct arena *mem, char *text, const char *word,
		  const char *by)
{
	char *at = text;

	while ((at = strstr(at, word))) {
		size_t before = (size_t)(at - text);

		text = arena_printf(mem, "%.*s%s%s", (int)before, text, by,
				    at + strlen(word));
		at = text + before + strlen(by);
	}
	return text;
}

/* Scheme and host of a URL. */
static const char *origin_of(struct arena *mem, const char *url)
{
	const char *host = strstr(url, "://");

	return host ? arena_strndup(mem, url, (size_t)(host + 3 - url) +
				    strcspn(host + 3, "/")) : "";
}

/* From the sample, if it is not there. */
static bool console_write(struct arena *mem, const char *path)
{
	char *sample;

	if (!access(path, F_OK))
		return true;
	sample = whole(mem, ours(mem, "console/config.json",
				 CTTD_DATADIR "/console/config.json"));
	if (!sample || !file_replace(path, sample, 0644, -1))
		return false;
	printf("wrote %s: name the OpenID provider of the console there\n",
	       path);
	return true;
}

bool nginx_write(struct arena *mem, const char *file, const char *listen,
		 const char *issuer)
{
	char console[ENV_PATH];
	const char *const value[][2] = {
		{"@LISTEN@", listen},
		{"@SOCKET@", "/run/cttd/ctt.sock"},
		{"@ACCESS_LOG@", "/var/log/nginx/ctt-access.log"},
		{"@ERROR_LOG@", "/var/log/nginx/ctt-error.log"},
		{"@RATE@", "200"},
		{"@CLIENT@", "128"},
		{"@REQUESTS@", "512"},
		{"@SHARE@", CTTD_DATADIR},
		{"@CONSOLE_JSON@", console},
		{"@IDP@", origin_of(mem, issuer)},
	};
	char *text, *head;

	if (!access(file, F_OK)) {
		printf("%s is there and stays as it is\n", file);
		return true;
	}
	env_beside("console.json", console, sizeof console);
	text = whole(mem, ours(mem, "nginx/ctt.conf.in",
			       CTTD_DATADIR "/ctt.conf.in"));
	/* without the head, which says how to fill it in */
	head = text ? strstr(text, "\n\n") : NULL;
	if (!head)
		return false;
	text = arena_printf(mem, "# nginx in front of cttd, written by cttctl "
			    "setup from %s/ctt.conf.in%s", CTTD_DATADIR, head);
	for (size_t i = 0; i < sizeof value / sizeof value[0]; i++)
		text = fill(mem, text, value[i][0], value[i][1]);
	if (!console_write(mem, console) ||
	    !file_replace(file, text, 0644, -1))
		return false;
	printf("wrote %s\n", file);
	return true;
}

bool nginx_reload(void)
{
	static const char *const test[] = {"nginx", "-q", "-t", NULL};
	static const char *const restart[] = {
		"systemctl", "reload-or-restart", "nginx.service", NULL};

	if (run_program(test)) {
		fputs("cttctl: nginx refuses its configuration (see above); "
		      "correct it and reload nginx\n", stderr);
		return false;
	}
	if (!run_program(restart))
		return true;
	fputs("cttctl: nginx was not reloaded; see systemctl status nginx\n",
	      stderr);
	return false;
}

/* ---- systemd ---- */

bool units_enable(void)
{
	static const char *const command[][8] = {
		{"systemctl", "daemon-reload", NULL},
		{"systemctl", "reset-failed", "cttd-*", NULL},
		{"systemctl", "enable", "--quiet", "cttd.target", NULL},
		{"systemctl", "start", "cttd.target", NULL},
		{"systemctl", "try-restart", "cttd-pool@*.service",
		 "cttd-worker@*.service", NULL},
	};
	static const char *const failed[] = {
		"systemctl", "--quiet", "is-failed", "cttd-pool.socket",
		"cttd-pool@1.service", "cttd-worker@1.service", NULL};

	if (access("/run/systemd/system", F_OK)) {
		puts("systemd does not run here. Start the processes as README "
		     "says.");
		return true;
	}
	for (size_t i = 0; i < sizeof command / sizeof command[0]; i++)
		if (run_program(command[i]) && i != 1) {
			fprintf(stderr, "cttctl: systemctl %s failed; see "
				"journalctl -u 'cttd*'\n", command[i][1]);
			return false;
		}
	if (!run_program(failed)) {
		fputs("cttctl: a process of cttd failed; see journalctl -u "
		      "'cttd*'\n", stderr);
		return false;
	}
	puts("cttd runs: systemctl list-dependencies cttd.target");
	return true;
}
