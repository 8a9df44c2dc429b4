#include "config.h"

#include "base/log.h"

#include <signal.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const level_name[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
static const char *program_name = "cttd";
static enum log_level log_most = LOG_INFO;
static _Thread_local char request[80];
static bool to_journal;

int log_level_parse(const char *name)
{
	for (int i = 0; i <= LOG_DEBUG; i++)
		if (!strcmp(name, level_name[i]))
			return i;
	return -1;
}

/* systemd names the socket that it made for stderr. */
static bool is_journal(void)
{
	const char *named = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (!named || fstat(STDERR_FILENO, &st))
		return false;
	snprintf(ours, sizeof ours, "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return !strcmp(named, ours);
}

void log_setup(const char *program, enum log_level most)
{
	program_name = program;
	log_most = most;
	to_journal = is_journal();
}

const char *log_priority(enum log_level level)
{
	static const char *const priority[] = {
		[LOG_ERROR] = "<3>",
		[LOG_WARN] = "<4>",
		[LOG_INFO] = "<6>",
		[LOG_DEBUG] = "<7>",
	};

	return to_journal ? priority[level] : "";
}

void log_request(const char *request_id)
{
	if (request_id)
		snprintf(request, sizeof request, " request=%s", request_id);
	else
		request[0] = '\0';
}

/* Log with one write, so that the lines of two processes do not mix. This is a
 * signal handler, so it calls only async-signal-safe functions. */
static void on_death(int sig)
{
	static const char *const name[] = {
		[SIGSEGV] = "SIGSEGV", [SIGBUS] = "SIGBUS",
		[SIGILL] = "SIGILL", [SIGFPE] = "SIGFPE",
		[SIGABRT] = "SIGABRT",
	};

	const char *const part[] = {
		log_priority(LOG_ERROR), "program=", program_name, " level=error event=died", request,
		" signal=", name[sig], "\n",
	};
	char line[256];
	size_t len = 0;
	ssize_t ignored;

	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
		for (const char *s = part[i]; *s && len < sizeof line; s++)
			line[len++] = *s;
	ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
	raise(sig); /* SA_RESETHAND: now the signal ends the process */
}

void log_deaths(void)
{
#if !HAVE_ASAN /* its report says more */
	struct sigaction death = {
		.sa_handler = on_death,
		.sa_flags = (int)SA_RESETHAND | SA_NODEFER,
	};
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &death, NULL);
#endif
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
	char at[CLOCK_TEXT], line[2048];
	va_list ap;
	int n, m;
	ssize_t ignored;

	if (level > log_most)
		return;
	clock_text(clock_wall_ms(), at);
	n = snprintf(line, sizeof line, "%sat=%s program=%s pid=%d level=%s "
		     "event=%s%s ", log_priority(level), at, program_name, (int)getpid(),
		     level_name[level], event, request);
	va_start(ap, format);
	m = vsnprintf(line + n, sizeof line - (size_t)n, format, ap);
	va_end(ap);
	n += m < 0 ? 0 : m;
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20)
			line[i] = ' ';
	line[n++] = '\n';
	ignored = write(STDERR_FILENO, line, (size_t)n);
	(void)ignored;
}
