#ifndef WEB_RECORDS_H
#define WEB_RECORDS_H

#include <stddef.h>

/*
 * The records of FastCGI by which a request begins: BEGIN_REQUEST, and PARAMS up
 * to an empty one. libfcgi allocates whatever length a parameter says that it
 * has; so they are looked at before it reads them. These are the first n bytes of
 * a connection, RECORDS_MOST at most.
 */
enum { RECORDS_MOST = 128 * 1024 };

enum records {
	RECORDS_PART,  /* so far all is well; there is more to come      */
	RECORDS_WHOLE, /* each parameter is as long as it says           */
	RECORDS_BAD
};

enum records records_look(const unsigned char *s, size_t n);

#endif
