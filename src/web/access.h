#ifndef WEB_ACCESS_H
#define WEB_ACCESS_H

#include "web/request.h"

/*
 * A request was answered: its line in the log, and its part of the metrics.
 * `spent`: spent_end. One line tells why it was slow: it has the time in the
 * queue (queue_ms), and of the time of the process (ms) the parts.
 */
void access_end(const struct request *rq, const int64_t *spent);

#endif
