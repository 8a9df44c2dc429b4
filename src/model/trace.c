#include "model/trace.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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

void trace_note_once(struct trace *t, enum step step, enum outcome outcome,
		     int64_t began, const char *detail)
{
	if (t->step[step].outcome == NOT_REACHED)
		trace_note(t, step, outcome, began, detail);
}

void trace_write(const struct trace *t, const enum step *order, struct buf *b,
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

static const char *member(struct json_object *o, const char *name)
{
	return json_object_get_string(json_object_object_get(o, name));
}

static int64_t wall_of(const char *text)
{
	struct tm tm = {0};
	int ms = 0;

	if (!text || sscanf(text, "%d-%d-%dT%d:%d:%d.%3dZ", &tm.tm_year,
			    &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
			    &tm.tm_sec, &ms) != 7)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (int64_t)timegm(&tm) * 1000 + ms;
}

void trace_read(struct trace *t, const char *json, struct arena *mem)
{
	struct json_object *all = json ? json_tokener_parse(json) : NULL;
	size_t n = json_object_is_type(all, json_type_array) ?
			   json_object_array_length(all) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(all, i);
		int s = word(member(o, "step"), step_name, STEP__MAX);
		int out = word(member(o, "outcome"), outcome_name,
			       OUTCOME__MAX);

		if (s == STEP__MAX || out == OUTCOME__MAX)
			continue;
		t->step[s] = (struct trace_entry){
			.outcome = (enum outcome)out,
			.at = wall_of(member(o, "at")),
			.ms = json_object_get_int64(
				json_object_object_get(o, "ms")),
			.detail = arena_strdup(mem, member(o, "detail")),
		};
	}
	json_object_put(all);
}
