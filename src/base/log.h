#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * The log: one line for each event on stderr, with one write. A line consists
 * of `key=value` pairs. While a request is served, each line has its id.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* `name` is error, warn, info or debug. -1: it is another word. */
int log_level_parse(const char *name);
void log_setup(const char *program, enum log_level most);

/* Before a line for the journal of systemd, which takes its priority from it;
 * "" if stderr is not the journal. */
const char *log_priority(enum log_level level);

void log_request(const char *request_id); /* NULL: the request ended */

/* `event` is one word. `format` adds `key=value` pairs; control characters in
 * them, such as line breaks, become spaces. */
void log_line(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* From now on, if a crash ends the process, it logs the signal and the present
 * request. */
void log_deaths(void);

#endif
