#include "job/job.h"

#include <string.h>

#include <json-c/json.h>

#include "saga/flow.h"

bool looks_again(const struct job *job)
{
	return !strcmp(job->type, JOB_LOOK_AGAIN);
}

/* The body for the queue: the job with its payload. */
static const char *queue_body(const struct picked_job_row *job,
			      struct arena *mem)
{
	struct buf body;

	buf_init(&body, mem);
	put_open(&body, NULL, '{');
	put_raw(&body, "id", job->id);
	put_str(&body, "type", job->type);
	put_str(&body, "dedupeKey", job->dedupe_key);
	put_str(&body, "createdAt", job->created_at);
	put_raw(&body, "payload", job->payload);
	put_close(&body, '}');
	return body.s;
}

static const char *payload_text(struct json_object *payload, const char *name)
{
	const char *text = json_object_get_string(
		json_object_object_get(payload, name));

	return text ? text : "";
}

/* A note of a resolved CTT goes to TaaS, not to the queue (section 9). */
static void note_call(struct job *job, const char *payload, struct arena *mem)
{
	struct json_object *o = json_tokener_parse(payload);
	const char *ticket;
	struct buf body;

	buf_init(&body, mem);
	put_open(&body, NULL, '{');
	put_str(&body, "text", payload_text(o, "text"));
	put_str(&body, "author", payload_text(o, "author"));
	put_close(&body, '}');
	job->call.partner = PARTNER_TAAS;
	job->call.verb = VERB_NOTE;
	ticket = payload_text(o, "partnerTicket");
	job->call.ticket = arena_strdup(mem, *ticket ? ticket :
					payload_text(o, "cttTicketNo"));
	job->call.request_id = arena_strdup(mem, payload_text(o, "requestId"));
	job->call.body = body.s;
	json_object_put(o);
}

void job_read(struct job *job, const struct picked_job_row *row,
	      struct arena *mem)
{
	job->id = row->id;
	job->type = row->type;
	job->dedupe_key = row->dedupe_key;
	job->ctt_id = (uint64_t)cell_int(row->ctt_id);
	job->attempts = cell_int(row->attempts);
	job->refusals = cell_int(row->refusals);
	job->age_s = cell_int(row->age_s);
	job->call = (struct call){
		.partner = PARTNER_QUEUE,
		.verb = VERB_JOB,
		.key = job->dedupe_key,
		.request_id = arena_printf(mem, "job-%s", job->id),
		.body = queue_body(row, mem),
	};
	if (!strcmp(job->type, "sync-note-to-taas"))
		note_call(job, row->payload, mem);
}
