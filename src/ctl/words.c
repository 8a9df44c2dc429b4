/*
 * ctl/words.c - the words of a command line, and what is printed alike
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/console.h"

int failed(struct console *con)
{
	fprintf(stderr, "%scttctl: %s\n", log_priority(LOG_ERROR),
		db_error(con->db));
	return EXIT_FAILURE;
}

/* The value of `--name VALUE` among the words, or NULL. */
const char *option(int argc, char **argv, const char *name)
{
	for (int i = 0; i + 1 < argc; i += 2)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return NULL;
}

/* Are the words pairs of these options (ends in NULL) and values? */
bool options_ok(int argc, char **argv, const char *const *known)
{
	for (int i = 0; i < argc; i += 2) {
		const char *const *k = known;

		while (*k && strcmp(*k, argv[i]))
			k++;
		if (!*k || i + 1 == argc) {
			fprintf(stderr, *k ? "cttctl: %s needs a value\n" :
				"cttctl: unknown option %s\n", argv[i]);
			return false;
		}
	}
	return true;
}

/* Take a word that has no value out of the others, wherever it stands. */
bool take_flag(int *argc, char **argv, const char *flag)
{
	for (int i = 0; i < *argc; i++) {
		if (strcmp(argv[i], flag))
			continue;
		memmove(argv + i, argv + i + 1,
			(size_t)(--*argc - i) * sizeof *argv);
		return true;
	}
	return false;
}

/* A whole number from 0 to `most`, or -1 and a line. */
int64_t number(const char *name, const char *text, int64_t most)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	if (end != text && !*end && n >= 0 && n <= most)
		return n;
	fprintf(stderr, "cttctl: %s: \"%s\" is not a whole number from 0 to "
		"%lld\n", name, text, (long long)most);
	return -1;
}

const char *span(struct arena *mem, int64_t s)
{
	static const struct {
		int64_t s;
		const char *name;
	} unit[] = {{86400, "days"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	int i = 0;

	while (s < 2 * unit[i].s && unit[i].s > 1)
		i++;
	return arena_printf(mem, "%lld %s", (long long)(s / unit[i].s),
			    unit[i].name);
}

const char *or_dash(const char *cell)
{
	return cell ? cell : "-";
}

const char *user_name(void)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *sudo = getenv("SUDO_USER");

	return sudo && *sudo ? sudo : pw ? pw->pw_name : "?";
}
