#ifndef WEB_FETCH_H
#define WEB_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { FETCH_MS = 3000 }; /* the longest that it takes */

struct fetch {
	const char *url;
	const char *ca; /* PEM, the only CA; "": those of the system */
	bool (*must_stop)(void *arg); /* asked once a second */
	void *arg;
};

/* GET a document of up to 256 KiB: the body of a 200. No redirect is followed,
 * and no proxy is used. False: `why` tells what was wrong. */
bool fetch_document(const struct fetch *what, struct buf *body, char *why,
		    size_t size);

#endif
