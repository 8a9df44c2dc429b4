#include "partner/answer.h"

#include <stdlib.h>

#include <json-c/json.h>

const char *answer_text(struct slice value, struct arena *mem)
{
	struct json_tokener *tok;
	struct json_object *o;
	const char *text = NULL;

	if (!json_is(value, '"'))
		return NULL;
	tok = json_tokener_new();
	if (!tok)
		arena_exhausted();
	o = json_tokener_parse_ex(tok, value.s, (int)value.n);
	if (o)
		text = arena_strndup(mem, json_object_get_string(o),
				     (size_t)json_object_get_string_len(o));
	json_object_put(o);
	json_tokener_free(tok);
	return text;
}

int64_t answer_int(struct slice value)
{
	return value.s && *value.s != '"' ? strtoll(value.s, NULL, 10) : 0;
}
