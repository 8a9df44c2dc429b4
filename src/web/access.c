/*
 * web/access.c - the log's line for each request, and what the metrics count
 */
#include "web/access.h"

#include "base/log.h"
#include "base/spent.h"
#include "model/tally.h"

_Static_assert((int)SPENT__MAX <= (int)TALLY_PARTS_OF_TIME, "see tally.h");

/* How the request ended, as the metrics have it. */
static unsigned end_of(const struct request *rq)
{
	switch (rq->status) {
	case 200: return TALLY_200;
	case 202: return TALLY_202;
	case 207: return TALLY_207;
	}
	if (rq->code == CODE_BULK_ALL_FAILED && rq->status == 503)
		return TALLY_SHED;
	return rq->code ? rq->code : TALLY_OTHER;
}

static void count(const struct request *rq, const int64_t *spent, int64_t us)
{
	tally_add(TALLY_REQUESTS + rq->route * TALLY_ENDS + end_of(rq), 1);
	tally_time(TALLY_REQUEST_TIMES + rq->route * TALLY_TIMES, us);
	tally_time(TALLY_QUEUE_TIMES, rq->queue_ms * 1000);
	for (unsigned i = 0; i < SPENT__MAX; i++)
		tally_add(TALLY_PARTS + i, (uint64_t)spent[i]);
}

static double ms_of(int64_t us)
{
	return (double)us / 1000;
}

void access_end(const struct request *rq, const int64_t *spent)
{
	const char *route = route_path(rq->route);
	int64_t us = 0;

	for (unsigned i = 0; i < SPENT__MAX; i++)
		us += spent[i];
	count(rq, spent, us);
	log_line(LOG_INFO, "request", "method=%s path=%s status=%d actor=%s "
		 "ms=%.1f route=%s code=%s queue_ms=%lld tray_ms=%.1f "
		 "db_ms=%.1f partner_ms=%.1f rest_ms=%.1f", rq->method,
		 rq->path, rq->status,
		 *rq->claims.actor ? rq->claims.actor : "-", ms_of(us),
		 route ? route : "-",
		 rq->code ? code_info[rq->code].name : "-",
		 (long long)rq->queue_ms, ms_of(spent[SPENT_TRAY]),
		 ms_of(spent[SPENT_DB]), ms_of(spent[SPENT_PARTNER]),
		 ms_of(spent[SPENT_REST]));
}
