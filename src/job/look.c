#include "job/look.h"

#include "base/log.h"
#include "partner/partner.h"
#include "saga/reconcile.h"

static void tell(void *to, const char *line)
{
	const char **last = to;

	*last = line;
	log_line(LOG_WARN, "look_again", "%s", line);
}

/* Is a CTT without an open operation to be seen? One that has one is looked at
 * when that is closed; one that is gone, never. */
static bool is_busy(struct app *app, struct arena *mem, uint64_t ctt_id)
{
	struct rows r;
	struct buf doc;

	buf_init(&doc, mem);
	put_open(&doc, NULL, '{');
	put_id(&doc, "id", ctt_id);
	put_close(&doc, '}');
	return db_run(app->db, SQL_OPEN_OF_CTT, &doc, mem, &r, 1) != RC_OK ||
	       r.n;
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
		.tell = tell,
		.to = &last,
	};
	size_t n = 0;
	enum rc rc = reconcile_one(&r, mem, ctt_id, NULL, &n);
	bool busy = rc == RC_OK && !n && is_busy(app, mem, ctt_id);

	call->verdict = RC_OK;
	call->attempts = !busy; /* that it waits counts no attempt */
	if (busy)
		last = "an operation of its CTT is open";
	if (rc != RC_OK || busy || r.unread || r.differ > r.mended) {
		call->verdict = RC_AGAIN;
		call->why = last;
	}
}
