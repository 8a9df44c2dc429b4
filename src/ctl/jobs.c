/*
 * ctl/jobs.c - cttctl jobs: those that are DEAD
 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/console.h"

int run_jobs(struct console *con, int argc, char **argv)
{
	struct rows r;

	if (argc)
		return retry(con, argc, argv, SQL_RETRY_JOBS, true);
	if (db_run(con->db, SQL_DEAD_JOBS, NULL, con->mem, &r, 1) != RC_OK)
		return failed(con);
	for (size_t i = 0; i < r.n; i++) {
		const struct dead_job_row *row = ROW(dead_job, &r, i);

		printf("%s DEAD %s key=%s attempts=%s since=%s: %s\n",
		       row->id, row->type, row->dedupe_key, row->attempts,
		       row->created_at, or_dash(row->last_error));
	}
	return EXIT_SUCCESS;
}
