#ifndef PARTNER_FETCH_H
#define PARTNER_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* One document, or the answer to one form: what a thread of its own waits for,
 * without a transport. Members that are NULL or "" are not used. */
struct fetch {
	const char *url;
	const char *ca;    /* PEM, the only CA; none: those of the system */
	const char *proxy;
	const char *form;  /* the body of a POST; none: a GET             */
	const char *user, *password;
	int64_t connect_ms, most_ms; /* the longest that it takes         */
	bool (*must_stop)(void *arg); /* asked once a second              */
	void *arg;
};

/* The body of a 200, of up to 256 KiB. No redirect is followed. False: `why`
 * tells what was wrong; if there was another answer, `body` has its body. */
bool fetch_document(const struct fetch *what, struct buf *body, char *why,
		    size_t size);

#endif
