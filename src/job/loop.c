#include "config.h"

#include "job/loop.h"

#include <stdlib.h>
#include <sys/select.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "job/outbox.h"
#include "saga/saga.h"

enum {
	POLL_MS = 100,  /* with nothing to do; a new job waits no longer */
	AWAY_MS = 1000, /* with no database                              */
	PURGE_MS = 60000, /* between forgettings of old idempotency keys */
};

static enum rc settle_due(struct app *app, struct arena *mem, size_t *n_r)
{
	const char **ids;
	size_t n;
	enum rc rc = store_due(app->db, mem, &ids, &n);

	*n_r = 0;
	if (rc == RC_OK && n)
		*n_r = saga_recover(app, mem, ids, n, INT64_MAX);
	return rc;
}

int job_loop(struct app *app)
{
	struct arena *mem = arena_open();
	int64_t purged = 0;
	sigset_t waiting;

	stop_setup(&waiting);
	log_line(LOG_INFO, "started", "version=%s", PACKAGE_VERSION);
	while (!stop_asked()) {
		struct timespec wait = {0};
		size_t jobs = 0, settled = 0;
		enum rc rc = settle_due(app, mem, &settled);

		if (rc != RC_FAULT)
			rc = outbox_run(app, mem, &jobs);
		if (rc == RC_OK && clock_mono_ms() > purged + PURGE_MS) {
			rc = db_run(app->db, SQL_KEY_PURGE, NULL, mem, NULL, 0);
			purged = clock_mono_ms();
		}
		arena_reset(mem);
		if (rc == RC_FAULT)
			wait.tv_sec = AWAY_MS / 1000;
		else if (!jobs && !settled)
			wait.tv_nsec = POLL_MS * 1000000L;
		pselect(0, NULL, NULL, NULL, &wait, &waiting);
	}
	arena_close(mem);
	log_line(LOG_INFO, "stopped", "cause=signal");
	return EXIT_SUCCESS;
}
