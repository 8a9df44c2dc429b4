#include "partner/answer.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "base/text.h"

struct slice answer_value(const struct buf *answer)
{
	return answer->len && text_utf8(answer->s, answer->len) &&
	       json_is_whole(answer->s, answer->len) ?
	       json_value(answer->s, answer->len) : (struct slice){0};
}

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
	if (o && !memchr(json_object_get_string(o), '\0',
			 (size_t)json_object_get_string_len(o)))
		text = arena_strdup(mem, json_object_get_string(o));
	json_object_put(o);
	json_tokener_free(tok);
	return text;
}

int64_t answer_int(struct slice value)
{
	char *end;
	int64_t n;

	if (!value.s)
		return 0;
	n = strtoll(value.s, &end, 10);
	return end == value.s + value.n ? n : 0;
}
