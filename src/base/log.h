#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * One line per event on stderr, in words `key=value`, with one write each.
 * While a request is served, every line has its id.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* `name` is error, warn, info or debug; -1 if it is none of these. */
int log_level_parse(const char *name);
void log_setup(const char *program, enum log_level most);
void log_request(const char *request_id); /* NULL: none any more */

/* `event` is one word; `format` makes more `key=value` pairs. Line breaks and
 * other control characters in what it makes become spaces. */
void log_line(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* From now on, if the process dies of its own error, it logs the signal and the
 * request that it was serving. */
void log_deaths(void);

#endif
