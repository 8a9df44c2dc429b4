#include "config.h"

#include "base/log.h"

#include <signal.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static const char *const level_name[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
static const char *program_name = "cttd";
static enum log_level log_most = LOG_INFO;
static bool as_text = true;
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

void log_setup(const char *program, enum log_level most, bool text)
{
	program_name = program;
	log_most = most;
	as_text = text;
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

/* The id is written without escapes, also by a signal handler. nginx sends no
 * other characters. */
void log_request(const char *request_id)
{
	size_t n = 0;

	for (; request_id && request_id[n] && n < sizeof request - 1; n++)
		request[n] = isalnum((unsigned char)request_id[n]) ||
				     strchr("-_.", request_id[n]) ?
				     request_id[n] : '_';
	request[n] = '\0';
}

#if !HAVE_ASAN /* its report says more */
/* Log with one write, so that the lines of two processes do not mix. This is a
 * signal handler, so it calls only async-signal-safe functions. */
static void on_death(int sig)
{
	static const char *const name[] = {
		[SIGSEGV] = "SIGSEGV", [SIGBUS] = "SIGBUS",
		[SIGILL] = "SIGILL", [SIGFPE] = "SIGFPE",
		[SIGABRT] = "SIGABRT",
	};
	const char *const text[] = {
		log_priority(LOG_ERROR), "program=", program_name,
		" level=error event=died", *request ? " request=" : "", request,
		" signal=", name[sig], "\n", NULL,
	};
	const char *const json[] = {
		log_priority(LOG_ERROR), "{\"level\":\"error\",\"program\":\"",
		program_name, "\",\"event\":\"died\",\"request\":\"", request,
		"\",\"signal\":\"", name[sig], "\"}\n", NULL,
	};
	char line[256];
	size_t len = 0;
	ssize_t ignored;

	for (const char *const *part = as_text ? text : json; *part; part++)
		for (const char *s = *part; *s && len < sizeof line; s++)
			line[len++] = *s;
	ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
	raise(sig); /* SA_RESETHAND: now the signal ends the process */
}
#endif

void log_deaths(void)
{
#if !HAVE_ASAN
	struct sigaction death = {
		.sa_handler = on_death,
		.sa_flags = (int)SA_RESETHAND | SA_NODEFER,
	};
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &death, NULL);
#endif
}

/* ---- a line ---- */

enum {
	LINE_MOST = 4096,  /* a pipe takes so much at once, unmixed */
	VALUE_MOST = 1024, /* bytes of one value                    */
	TAIL = 24,         /* room for a number, and for the end     */
};

struct line {
	size_t n;
	char s[LINE_MOST];
};

static bool has_room(const struct line *l, size_t n)
{
	return l->n + n + TAIL <= sizeof l->s;
}

static void add(struct line *l, const char *s, size_t n)
{
	if (!has_room(l, n))
		return;
	memcpy(l->s + l->n, s, n);
	l->n += n;
}

static void add_str(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

static void add_number(struct line *l, long long value)
{
	char text[24], *const end = text + sizeof text, *at = end;
	unsigned long long left = value < 0 ? -(unsigned long long)value :
					      (unsigned long long)value;

	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*--at = '-';
	add(l, at, (size_t)(end - at));
}

/* With one digit behind the point. */
static void add_tenths(struct line *l, double value)
{
	long long tenths = (long long)(value * 10 + 0.5);

	add_number(l, tenths / 10);
	add(l, ".", 1);
	add_number(l, tenths % 10);
}

/* The value for people: whatever would end or begin a line is a blank. */
static void add_plain(struct line *l, const char *s, size_t n)
{
	char *to = l->s + l->n;

	add(l, s, n);
	for (; to < l->s + l->n; to++)
		if ((unsigned char)*to < ' ')
			*to = ' ';
}

static void add_escape(struct line *l, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	const char code[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	if (c == '"' || c == '\\')
		add(l, (const char[]){'\\', (char)c}, 2);
	else
		add(l, code, sizeof code);
}

/* A JSON string. Bytes that are no UTF-8 become question marks. */
static void add_string(struct line *l, const char *s, size_t n)
{
	bool utf8 = text_utf8(s, n);
	size_t from = 0;

	l->s[l->n++] = '"';
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		bool strange = c >= 0x80 && !utf8;

		if (c >= ' ' && c != '"' && c != '\\' && !strange)
			continue;
		add(l, s + from, i - from);
		if (strange)
			add(l, "?", 1);
		else
			add_escape(l, c);
		from = i + 1;
	}
	add(l, s + from, n - from);
	l->s[l->n++] = '"';
}

/* The length of a text as a value, whole characters. */
static size_t value_length(const char *s, size_t most)
{
	size_t n = strnlen(s, most < VALUE_MOST ? most : VALUE_MOST);

	if (n == VALUE_MOST)
		while (n > VALUE_MOST - 4 && (s[n] & 0xC0) == 0x80)
			n--;
	return n;
}

/* A pair of a format (log.h); its value is one conversion, or a text without
 * any. */
struct pair {
	const char *key, *value;
	size_t keylen, valuelen;
	bool quoted;
};

static const char *pair_next(const char *format, struct pair *p)
{
	p->key = format;
	p->keylen = strcspn(format, "=");
	p->value = format + p->keylen + 1;
	p->quoted = *p->value == '"';
	p->value += p->quoted;
	p->valuelen = strcspn(p->value, p->quoted ? "\"" : " ");
	format = p->value + p->valuelen + p->quoted;
	return format + strspn(format, " ");
}

static void add_key(struct line *l, const struct pair *p)
{
	add_str(l, as_text ? " " : ",\"");
	add(l, p->key, p->keylen);
	add_str(l, as_text ? "=" : "\":");
}

/* A NULL is no pair. */
static void add_text(struct line *l, const struct pair *p, const char *s,
		     size_t most)
{
	size_t n = s ? value_length(s, most) : 0;

	if (!s || !has_room(l, p->keylen + n + TAIL))
		return;
	add_key(l, p);
	if (!as_text) {
		add_string(l, s, n);
		return;
	}
	add(l, "\"", p->quoted);
	add_plain(l, s, n);
	add(l, "\"", p->quoted);
}

/* The whole number that a conversion names. */
static long long whole_arg(const char *conversion, va_list *ap)
{
	if (conversion[1] == 'z')
		return (long long)va_arg(*ap, size_t);
	if (!strncmp(conversion, "%ll", 3))
		return va_arg(*ap, long long);
	if (conversion[1] == 'l')
		return va_arg(*ap, long);
	if (conversion[1] == 'd')
		return va_arg(*ap, int);
	return va_arg(*ap, unsigned);
}

/* A number is added without quotes. */
static void add_numeral(struct line *l, const struct pair *p, va_list *ap)
{
	bool whole = strncmp(p->value, "%.1f", 4) != 0;
	double tenths = whole ? 0 : va_arg(*ap, double);
	long long number = whole ? whole_arg(p->value, ap) : 0;

	if (!has_room(l, p->keylen + 2 * TAIL))
		return;
	add_key(l, p);
	if (whole)
		add_number(l, number);
	else
		add_tenths(l, tenths);
}

static void add_pair(struct line *l, const struct pair *p, va_list *ap)
{
	int most;

	if (*p->value != '%') {
		add_text(l, p, p->value, p->valuelen);
	} else if (!strncmp(p->value, "%s", 2)) {
		add_text(l, p, va_arg(*ap, const char *), VALUE_MOST);
	} else if (!strncmp(p->value, "%.*s", 4)) {
		most = va_arg(*ap, int);
		add_text(l, p, va_arg(*ap, const char *), (size_t)most);
	} else {
		add_numeral(l, p, ap);
	}
}

static void add_head(struct line *l, enum log_level level, const char *event)
{
	char at[CLOCK_TEXT];
	const char *const text[] = {
		"at=", at, " program=", program_name, " pid=", NULL, " level=",
		level_name[level], " event=", event,
		*request ? " request=" : "", request,
	};
	const char *const json[] = {
		"{\"at\":\"", at, "\",\"program\":\"", program_name,
		"\",\"pid\":", NULL, ",\"level\":\"", level_name[level],
		"\",\"event\":\"", event,
		*request ? "\",\"request\":\"" : "", request,
	};

	clock_text(clock_wall_ms(), at);
	for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
		const char *part = as_text ? text[i] : json[i];

		if (part)
			add_str(l, part);
		else
			add_number(l, getpid());
	}
	if (!as_text)
		add(l, "\"", 1);
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
	struct line l; /* not set: it is large */
	struct pair p;
	va_list ap;
	ssize_t ignored;

	if (level > log_most)
		return;
	l.n = 0;
	add_str(&l, log_priority(level));
	add_head(&l, level, event);
	va_start(ap, format);
	while (*format) {
		format = pair_next(format, &p);
		add_pair(&l, &p, &ap);
	}
	va_end(ap);
	if (!as_text)
		l.s[l.n++] = '}';
	l.s[l.n++] = '\n';
	ignored = write(STDERR_FILENO, l.s, l.n);
	(void)ignored;
}
