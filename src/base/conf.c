/*
 * base/conf.c - reads all settings from the environment
 */
#include "config.h"

#include "base/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/env.h"
#include "base/log.h"
#include "base/setting.h"

static const struct setting *setting_find(const char *name)
{
	for (size_t i = 0; i < nsettings; i++)
		if (!strcmp(settings[i].name, name))
			return &settings[i];
	return NULL;
}

bool conf_try(const char *name, const char *value, char *err, size_t errlen)
{
	const struct setting *s = setting_find(name);
	struct arena *mem = arena_open();
	char why[512] = "there is no such setting";
	int64_t to = 0; /* room for any kind */
	bool good = s && (s->kind == SECRET || s->kind == WATCHED ||
			  setting_read(s, value, 0, &to, mem, why, sizeof why));

	if (!good)
		snprintf(err, errlen, "%s: %s", name, why);
	arena_close(mem);
	return good;
}

const char *conf_meaning(const char *name)
{
	const struct setting *s = setting_find(name);

	return s ? s->text : NULL;
}

void conf_forget(void)
{
	for (size_t i = 0; i < nsettings; i++)
		unsetenv(settings[i].name);
}

/* A file that is there must be writable; else its folder. */
static void try_file(const char *name, const char *path, char *err,
		     size_t errlen)
{
	const char *slash = strrchr(path, '/');
	char folder[ENV_PATH], line[640];

	if (!*path || !access(path, R_OK | W_OK))
		return;
	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1,
		 slash ? path : ".");
	if (errno == ENOENT && !access(*folder ? folder : "/", W_OK | X_OK))
		return;
	snprintf(line, sizeof line, "%s: cannot write %s: %s; let this user "
		 "write there", name, path, strerror(errno));
	conf_add_error(err, errlen, line);
}

void conf_try_files(const struct conf *cf, char *err, size_t errlen)
{
	try_file("CTT_AUDIT_HEADS_FILE", cf->audit_heads_file, err, errlen);
	try_file("CTT_SHARED_FILE", cf->shared_file, err, errlen);
}

void conf_add_error(char *err, size_t errlen, const char *line)
{
	size_t n = strlen(err);

	snprintf(err + n, errlen - n, "%s%s", n ? "\n" : "", line);
}

void conf_print_errors(const char *program, const char *err)
{
	while (*err) {
		int n = (int)strcspn(err, "\n");

		fprintf(stderr, "%s: %.*s\n", program, n, err);
		err += n + (err[n] == '\n');
	}
}

static bool is_known(const char *name, size_t n)
{
	/* variables that are no settings, of the programs and the scripts */
	static const char *const others[] = {
		"CTT_ENV_FILE", "CTT_FAULT_FILE", "CTT_HTTP_URL", "CTT_SIM_URL",
		"CTT_SQL_FILE",
		"CTT_STACK_TEMPLATE",
	};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strlen(others[i]) == n && !strncmp(others[i], name, n))
			return true;
	for (size_t i = 0; i < nsettings; i++)
		if (strlen(settings[i].name) == n &&
		    !strncmp(settings[i].name, name, n))
			return true;
	return false;
}

void conf_log_unknown(void)
{
	for (char **e = environ; *e; e++) {
		size_t n = strcspn(*e, "=");

		if (!strncmp(*e, "CTT_", 4) && !is_known(*e, n))
			log_line(LOG_WARN, "unknown_setting", "name=%.*s",
				 (int)n, *e);
	}
}

bool conf_logs_text(const struct conf *cf)
{
	return !strcmp(cf->log_format, "text");
}

bool conf_load(struct conf *cf_r, unsigned need, char *err, size_t errlen)
{
	char why[512], line[640];

	/* the memory will contain secrets: allow no core dump, and no access
	 * by other users than root */
	prctl(PR_SET_DUMPABLE, 0L);
	memset(cf_r, 0, sizeof *cf_r);
	cf_r->mem = arena_open();
	cf_r->reads[PARTNER_TMF] = true;
	*err = '\0';
	for (size_t i = 0; i < nsettings; i++) {
		const struct setting *s = &settings[i];
		const char *value = getenv(s->name);
		bool good;

		if (!value)
			value = s->value;
		if (s->need & CONF_OWNER && !(need & CONF_OWNER))
			value = "";
		good = setting_read(s, value, need, (char *)cf_r + s->offset,
				    cf_r->mem, why, sizeof why);
		if (!*value && s->need & need & ~(unsigned)CONF_OWNER) {
			snprintf(why, sizeof why, "is not set");
			good = false;
		}
		if (good)
			continue;
		snprintf(line, sizeof line, "%s: %s", s->name, why);
		conf_add_error(err, errlen, line);
	}
	return !*err;
}

void conf_close(struct conf *cf)
{
	arena_close(cf->mem);
}

void conf_print_sample(FILE *to)
{
	fputs("# Settings of cttd. A line that is commented out shows the "
	      "default.\n", to);
	for (size_t i = 0; i < nsettings; i++) {
		const struct setting *s = &settings[i];

		fprintf(to, "\n# %s", s->text);
		if (s->kind == NUMBER)
			fprintf(to, " (%lld to %lld)", (long long)s->least,
				(long long)s->most);
		if (s->kind == WORD || s->kind == WORDS)
			fprintf(to, " (of %s)", word_list[s->least]);
		fprintf(to, "\n#%s=%s\n", s->name, s->value);
	}
}
