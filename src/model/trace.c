#include "model/trace.h"

#include <string.h>

#include <json-c/json.h>

#include "base/clock.h"

const char *const step_name[STEP__MAX] = {
#define S(name) [STEP_##name] = #name,
	STEPS(S)
#undef S
};

static const char *const outcome_name[OUTCOME__MAX] = {
	[NOT_REACHED] = "",
	[STEP_OK] = "ok",
	[STEP_FAILED] = "failed",
	[STEP_SKIPPED] = "skipped",
	[STEP_UNKNOWN] = "unknown",
};

void trace_note(struct trace *t, enum step step, enum outcome outcome,
		int64_t began, const char *detail)
{
	int64_t now = clock_wall_ms();

	t->step[step] = (struct trace_entry){
		.outcome = outcome,
		.at = now,
		.ms = now > began ? now - began : 0,
		.detail = detail,
	};
}

void trace_write(const struct trace *t, const enum step *order, struct buf *b,
		 const char *key)
{
	put_open(b, key, '[');
	for (; *order != STEP__MAX; order++) {
		const struct trace_entry *e = &t->step[*order];

		if (e->outcome == NOT_REACHED)
			continue;
		put_open(b, NULL, '[');
		put_str(b, NULL, step_name[*order]);
		put_str(b, NULL, outcome_name[e->outcome]);
		put_int(b, NULL, e->at);
		put_int(b, NULL, e->ms);
		if (e->detail)
			put_str(b, NULL, e->detail);
		put_close(b, ']');
	}
	put_close(b, ']');
}

void trace_show(const struct trace *t, const enum step *order, struct buf *b,
		const char *key)
{
	char at[CLOCK_TEXT];

	put_open(b, key, '[');
	for (; *order != STEP__MAX; order++) {
		const struct trace_entry *e = &t->step[*order];

		if (e->outcome == NOT_REACHED)
			continue;
		clock_text(e->at, at);
		put_open(b, NULL, '{');
		put_str(b, "step", step_name[*order]);
		put_str(b, "outcome", outcome_name[e->outcome]);
		put_str(b, "at", at);
		put_int(b, "ms", e->ms);
		put_str(b, "detail", e->detail);
		put_close(b, '}');
	}
	put_close(b, ']');
}

static int word(const char *text, const char *const *names, int n)
{
	for (int i = 0; text && i < n; i++)
		if (!strcmp(text, names[i]))
			return i;
	return n;
}

static const char *text_at(struct json_object *o, size_t i)
{
	return json_object_get_string(json_object_array_get_idx(o, i));
}

static int64_t number_at(struct json_object *o, size_t i)
{
	return json_object_get_int64(json_object_array_get_idx(o, i));
}

void trace_read(struct trace *t, const char *json, struct arena *mem)
{
	struct json_object *all = json ? json_tokener_parse(json) : NULL;
	size_t n = json_object_is_type(all, json_type_array) ?
			   json_object_array_length(all) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(all, i);
		int s, out;

		if (!json_object_is_type(o, json_type_array))
			continue;
		s = word(text_at(o, 0), step_name, STEP__MAX);
		out = word(text_at(o, 1), outcome_name, OUTCOME__MAX);
		if (s == STEP__MAX || out == OUTCOME__MAX)
			continue;
		t->step[s] = (struct trace_entry){
			.outcome = (enum outcome)out,
			.at = number_at(o, 2),
			.ms = number_at(o, 3),
			.detail = arena_strdup(mem, text_at(o, 4)),
		};
	}
	json_object_put(all);
}
