#include "job/retention.h"

#include "base/clock.h"
#include "base/log.h"

enum {
	LOOK_MS = 60000, /* pause if nothing is left to remove */
	SHARE = 10,      /* a step pauses for so many times its duration */
};

static enum rc remove_some(struct app *app, struct arena *mem, enum sql sql,
			   int64_t days, int64_t *n_r)
{
	struct buf param;
	struct rows r;
	enum rc rc;

	*n_r = 0;
	if (!days)
		return RC_OK; /* the rows are never removed */
	buf_init(&param, mem);
	put_int(&param, NULL, days);
	rc = db_run(app_db(app), sql, &param, mem, &r, 1);
	if (rc == RC_OK)
		*n_r = cell_int(ROW(removed, &r, 0)->n);
	return rc;
}

enum rc retention_step(struct app *app, struct arena *mem, int64_t *next_r)
{
	int64_t began = clock_mono_ms(), took, jobs, refused = 0;
	enum rc rc;

	if (began < *next_r)
		return RC_OK;
	rc = remove_some(app, mem, SQL_REMOVE_JOBS, app->conf->keep_jobs_days,
			 &jobs);
	if (rc == RC_OK)
		rc = remove_some(app, mem, SQL_REMOVE_REFUSED,
				 app->conf->keep_refused_days, &refused);
	took = clock_mono_ms() - began;
	*next_r = began + took +
		  (jobs < REMOVE_MOST && refused < REMOVE_MOST ?
		   LOOK_MS : took * SHARE);
	if (jobs || refused)
		log_line(LOG_DEBUG, "removed", "jobs=%lld refused=%lld ms=%lld",
			 (long long)jobs, (long long)refused, (long long)took);
	return rc;
}
