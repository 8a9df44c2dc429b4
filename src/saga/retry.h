#ifndef SAGA_RETRY_H
#define SAGA_RETRY_H

#include "base/clock.h"
#include "base/spent.h"
#include "model/tally.h"

/* How both transactions of the pipeline treat a database that is busy or away:
 * a deadlock is tried again at once, a lost connection for a while. */
enum {
	TX_TRIES = 5,
	TX_BASE_MS = 10,
	TX_CAP_MS = 200,
	DB_PATIENCE_MS = 5000,
};

/* Wait before a transaction is tried again; `tries` were made before. */
static inline void retry_pause(unsigned tries)
{
	enum spent before = spent_on(SPENT_DB);

	tally_add(TALLY_DB_RETRIES, 1);
	clock_sleep_ms(clock_backoff_ms(tries, TX_BASE_MS, TX_CAP_MS));
	spent_on(before);
}

#endif
