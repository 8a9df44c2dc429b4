#ifndef WEB_FCGI_H
#define WEB_FCGI_H

#include "app.h"
#include "web/token.h"

/*
 * Accept requests on file descriptor 0 and answer them, CTT_THREADS at a time,
 * until SIGTERM or SIGINT; all requests that are being served are finished
 * first. Returns the exit status.
 */
int fcgi_run(struct process *p, struct verifier *verifier);

#endif
