#include "flow/common.h"

#include <string.h>

#include <json-c/json.h>

#include "base/clock.h"

void job_plain(struct change *ch, const struct item *it, const char *type)
{
	struct buf doc = change_payload(ch, it);

	put_close(&doc, '}');
	change_job(ch, it, type, &doc, 0);
}

void note_done(struct item *it, enum step step, const char *detail)
{
	trace_note(&it->trace, step, STEP_OK, clock_wall_ms(), detail);
}

void note_skipped(struct item *it, enum step step, const char *detail)
{
	trace_note(&it->trace, step, STEP_SKIPPED, clock_wall_ms(), detail);
}

const char *intent_text(struct json_object *o, const char *name,
			struct arena *mem)
{
	return arena_strdup(mem, json_object_get_string(
				    json_object_object_get(o, name)));
}

uint64_t intent_id(struct json_object *o, const char *name)
{
	return (uint64_t)json_object_get_int64(json_object_object_get(o, name));
}

const char *name_at_partner(const struct ctt *ctt)
{
	return ctt->partner_ref ? ctt->partner_ref : ctt->ticket_no;
}

enum partner_id status_partner(const struct ctt *ctt)
{
	return strstr(ctt->ticket_no, "TaaS") ? PARTNER_TAAS : PARTNER_TMF;
}
