#ifndef PARTNER_HANDLE_H
#define PARTNER_HANDLE_H

#include <curl/curl.h>

#include "base/arena.h"

/* Set an option of a handle. It fails only for want of memory. */
#define SET(curl, option, value)                                             \
	do {                                                                 \
		if (curl_easy_setopt(curl, option, value) != CURLE_OK)       \
			arena_exhausted();                                   \
	} while (0)

/* A new handle of libcurl with the options of all our requests: HTTP and HTTPS
 * alone, TLS 1.2 or later, no redirect, through `proxy` ("": no proxy). The
 * caller ends it. */
CURL *handle_make(const char *proxy);

#endif
