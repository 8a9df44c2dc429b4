#ifndef WEB_RECORDS_H
#define WEB_RECORDS_H

#include <stddef.h>

/*
 * The FastCGI records with which a request begins: BEGIN_REQUEST, then PARAMS
 * up to an empty one. libfcgi allocates any length that a parameter announces,
 * so records_look checks the lengths first. It gets the first n bytes of a
 * connection, at most RECORDS_MOST.
 */
enum { RECORDS_MOST = 128 * 1024 };

enum records {
	RECORDS_PART,  /* so far all is well; there is more to come      */
	RECORDS_WHOLE, /* each parameter is as long as it says           */
	RECORDS_BAD
};

enum records records_look(const unsigned char *s, size_t n);

#endif
