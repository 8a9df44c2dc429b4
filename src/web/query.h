#ifndef WEB_QUERY_H
#define WEB_QUERY_H

#include <stdbool.h>

#include "base/arena.h"

#include "web/reply.h"

/*
 * Add an error for each parameter that is not in `known` (words with blanks
 * between them), and for each that comes twice. Names are compared as they are
 * written, because no reader decodes a percent-encoded name.
 */
void query_check(const char *query, const char *known, struct errors *f);

/*
 * The value of a parameter in a query string, decoded (%XX, and + for a
 * space), or NULL if it is not there. *ok_r is false if it is there but is no
 * valid UTF-8 text without NUL. Of a repeated one the last wins.
 */
const char *query_get(const char *query, const char *name, struct arena *mem,
		      bool *ok_r);

#endif
