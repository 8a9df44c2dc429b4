#ifndef PARTNER_EXCERPT_H
#define PARTNER_EXCERPT_H

#include <curl/curl.h>

#include "base/arena.h"
#include "base/buf.h"

/* The begin of a partner's answer, for the operator who reads a refusal: UTF-8
 * in one line, without quotes. It is not shown if the answer repeats the token
 * or the value of one of the headers (lines of a headers file). Memory from
 * `mem`. */
const char *excerpt(const struct buf *answer, const char *token,
		    const struct curl_slist *headers, struct arena *mem);

#endif
