#ifndef WEB_OPENAPI_H
#define WEB_OPENAPI_H

/* The text of openapi.json, built into the program. */
extern const char openapi_json[];

#endif
