#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/*
 * The log: one line for each event on stderr, with one write. A line is a JSON
 * object; or, for people, `key=value` pairs (CTT_LOG_FORMAT). While a request is
 * served, each line has its id.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* `name` is error, warn, info or debug. -1: it is another word. */
int log_level_parse(const char *name);
void log_setup(const char *program, enum log_level most, bool text);

/* Before a line for the journal of systemd, which takes its priority from it;
 * "" if stderr is not the journal. */
const char *log_priority(enum log_level level);

void log_request(const char *request_id); /* NULL: the request ended */

/*
 * `event` is one word. `format` is a list of key=value or key="value" with one
 * blank between them. A value is a text, or one of the conversions %s %.*s %d
 * %u %ld %lld %zu and %.1f. A NULL leaves its pair out. JSON has numbers as
 * numbers, and the quotes of the format are for people: they enclose a value
 * with blanks.
 */
void log_line(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* From now on, if a crash ends the process, it logs the signal and the present
 * request. */
void log_deaths(void);

#endif
