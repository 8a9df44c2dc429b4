-- The health of cttd: /readyz (web/read.c), /ticket/health and /metrics
-- (web/health.c); and the row in which a worker reports (job/loop.c).

-- A write that changes nothing. It fails if the database takes no writes.
@statement PING
DELETE FROM idempotency WHERE id = 0

-- The worker :name runs, and counts as running for :for_ms more. :worked is
-- NULL if it has done nothing. Rows of workers that do not count as running any
-- more are removed; this row keeps the latest worked_at of all.
@statement BEAT(:name :for_ms :worked)
INSERT INTO worker(name, beat_at, alive_until, worked_at)
SELECT :name, UTC_TIMESTAMP(3), $in_ms(CAST(:for_ms AS SIGNED)),
	IF(:worked IS NULL, MAX(w.worked_at), UTC_TIMESTAMP(3))
FROM worker w
ON DUPLICATE KEY UPDATE beat_at = VALUE(beat_at),
	alive_until = VALUE(alive_until), worked_at = VALUE(worked_at);
DELETE FROM worker WHERE alive_until <= UTC_TIMESTAMP(3) AND name <> :name;

-- Ages in seconds that divide the open operations into groups; the last group
-- has no upper end.
@constant OPEN_AGES 10, 60, 600, 3600, 86400

@macro age_s(time)
TIMESTAMPDIFF(SECOND, $time, UTC_TIMESTAMP(3))

-- How many seconds ago it was due; NULL: it is not due yet.
@macro late_s(due)
IF($due < UTC_TIMESTAMP(3), $age_s($due), NULL)

-- At most 10,000 open operations, and 10,000 jobs in each state, are counted.
@macro some_open(columns)
(SELECT $columns FROM operation FORCE INDEX(operation_open)
	WHERE open_ctt_id IS NOT NULL LIMIT 10000) x

@macro jobs_in(state)
SELECT '$state' state, COUNT(*) n, MIN(y.id) id
FROM (SELECT id FROM job WHERE state = '$state' LIMIT 10000) y

-- Result sets: how many seconds ago the first job was due (NULL: none is due),
-- the number of running workers, the time of a worker's last report, the time
-- of a worker's last work, the time now; the open operations by state, kind and
-- the number of OPEN_AGES that they have reached; the oldest of them (an id
-- begins with its time); the jobs by state (the oldest has the lowest id, which
-- is in the index); the jobs that died last.
@statement HEALTH
SELECT <health_worker> $late_s((SELECT run_at FROM job WHERE state = 'READY'
		ORDER BY run_at LIMIT 1)) AS job_late_s,
	COALESCE(SUM(w.alive_until > UTC_TIMESTAMP(3)), 0) AS running,
	$utc(MAX(w.beat_at)) AS beat_at, $utc(MAX(w.worked_at)) AS worked_at,
	$utc(UTC_TIMESTAMP(3)) AS now
FROM worker w;
SELECT <health_open> x.state, x.kind,
	INTERVAL($age_s(x.created_at), $OPEN_AGES) AS ages, COUNT(*) AS n,
	$late_s(MIN(x.next_try_at)) AS late_s
FROM $some_open(state, kind, created_at, next_try_at)
GROUP BY x.state, x.kind, INTERVAL($age_s(x.created_at), $OPEN_AGES);
SELECT <health_oldest> o.id, o.kind, o.state, c.id AS ctt_id,
	c.ticket_no AS ctt_ticket_no, n.id AS ntt_id,
	n.ticket_no AS ntt_ticket_no, o.partner, o.tries, o.last_error,
	$age_s(o.created_at) AS age_s, $utc(o.created_at) AS created_at,
	$utc(o.next_try_at) AS next_try_at
FROM (SELECT MIN(x.id) id FROM $some_open(id)) y
STRAIGHT_JOIN operation o ON o.id = y.id
LEFT JOIN ctt c ON c.id = o.ctt_id LEFT JOIN ntt n ON n.id = o.ntt_id;
SELECT <health_jobs> x.state, x.n, $age_s(b.created_at) AS oldest_s
FROM ($jobs_in(READY) UNION ALL $jobs_in(RUNNING) UNION ALL $jobs_in(DEAD)) x
LEFT JOIN job b ON b.id = x.id
ORDER BY FIELD(x.state, 'READY', 'RUNNING', 'DEAD');
SELECT <health_dead> b.id, b.type,
	JSON_VALUE(b.payload, '$.operationId') AS operation_id, c.id AS ctt_id,
	c.ticket_no AS ctt_ticket_no, b.attempts, b.last_error,
	$utc(b.created_at) AS created_at, $utc(b.updated_at) AS died_at
FROM (SELECT id FROM job WHERE state = 'DEAD'
	ORDER BY run_at DESC, id DESC LIMIT 5) x
STRAIGHT_JOIN job b ON b.id = x.id LEFT JOIN ctt c ON c.id = b.ctt_id
ORDER BY b.run_at DESC, b.id DESC;
