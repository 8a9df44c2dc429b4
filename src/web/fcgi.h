#ifndef WEB_FCGI_H
#define WEB_FCGI_H

#include "app.h"
#include "web/token.h"

/*
 * Accept requests on file descriptor 0 and answer them, one at a time, until
 * SIGTERM or SIGINT; a request that is being served is finished first.
 * Returns the exit status.
 */
int fcgi_run(struct app *app, struct verifier *verifier);

#endif
