#ifndef WEB_JWK_H
#define WEB_JWK_H

#include <json-c/json.h>

#include "web/keys.h"

/*
 * JWK sets (RFC 7517). A key of a set is taken if it is for signatures, and for
 * an algorithm of the setting. Others are passed over: sets have keys for
 * encryption, and of kinds that are not known here.
 */

/* The set of this text; one JWK is a set of one. NULL: the text is neither.
 * The caller puts it. */
struct json_object *jwk_set_parse(const char *s, size_t n);

/* Add a set's keys: each that is right. NULL, or a constant phrase: what is
 * wrong with the first that is not, or that no key is for us. */
const char *jwk_set_add(struct keys *keys, struct json_object *set);

#endif
