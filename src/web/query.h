#ifndef WEB_QUERY_H
#define WEB_QUERY_H

#include <stdbool.h>

#include "base/arena.h"

/*
 * The value of a parameter in a query string, decoded (%XX, and + for a
 * space), or NULL if it is not there. *ok_r is false if it is there but is no
 * valid UTF-8 text without NUL. Of a repeated one the last wins.
 */
const char *query_get(const char *query, const char *name, struct arena *mem,
		      bool *ok_r);

/*
 * The name of the next parameter, *len_r bytes as they were sent, and *rest_r
 * behind it; NULL at the end of the query.
 */
const char *query_name(const char **rest_r, size_t *len_r);

#endif
