#include "job/look.h"

#include "base/log.h"
#include "partner/partner.h"
#include "saga/reconcile.h"

static void keep_last(void *to, const char *line)
{
	const char **last = to;

	*last = line;
	log_line(LOG_WARN, "look_again", "detail=\"%s\"", line);
}

void look_again(struct app *app, struct arena *mem, uint64_t ctt_id,
		const char *request_id, struct call *call)
{
	const char *last = "the database is away";
	struct reconcile r = {
		.app = app,
		.only = PARTNER__MAX,
		.mend = true,
		.actor = "ctt-worker",
		.request_id = request_id,
		.report = keep_last,
		.to = &last,
	};
	size_t n = 0;
	enum rc rc = reconcile_one(&r, mem, ctt_id, NULL, &n);

	call->verdict = RC_OK;
	call->attempts = !r.busy; /* a busy CTT counts no attempt */
	if (r.busy)
		last = "an operation of its CTT is open";
	if (rc != RC_OK || r.busy || r.unread || r.differ > r.mended) {
		call->verdict = RC_AGAIN;
		call->why = last;
	}
}
