-- Whether all is well: /readyz, /ticket/health, /metrics (web/read.c).

-- A write that changes nothing: does the database take any?
@statement PING
DELETE FROM idempotency WHERE id = 0

@macro how_many(table; where)
(SELECT COUNT(*) FROM (SELECT 1 FROM $table WHERE $where LIMIT 10000) x)

-- How many seconds ago what is due for longest was due; NULL: nothing is.
@macro late(due)
(SELECT TIMESTAMPDIFF(SECOND, MIN(x.at), UTC_TIMESTAMP(3)) FROM ($due) x
	WHERE x.at < UTC_TIMESTAMP(3))

@macro operation_late
$late(SELECT next_try_at at FROM operation WHERE open_ctt_id IS NOT NULL
	LIMIT 10000)

@macro job_late
$late(SELECT run_at at FROM job WHERE state = 'READY' ORDER BY run_at LIMIT 1)

@statement HEALTH
SELECT <health>
	$how_many(operation; state = 'RUNNING' AND open_ctt_id IS NOT NULL)
		AS operations_running,
	$how_many(operation; state = 'SETTLING' AND open_ctt_id IS NOT NULL)
		AS operations_settling,
	$how_many(job; state = 'READY') AS jobs_ready,
	$how_many(job; state = 'RUNNING') AS jobs_running,
	$how_many(job; state = 'DEAD') AS jobs_dead,
	$operation_late AS operation_late_s, $job_late AS job_late_s,
	@@GLOBAL.read_only = 0 AS is_writable

-- Gauges by their names; each state is counted no further than to 10,000.
@macro gauge(name; table; state; open)
SELECT <gauge> '$name{state="$state"}' AS name, COUNT(*) AS value
FROM (SELECT 1 FROM $table WHERE state = '$state' $open LIMIT 10000) x

@macro open_in(state)
$gauge(cttd_operations_open; operation; $state; AND open_ctt_id IS NOT NULL)

@statement METRICS
$open_in(RUNNING) UNION ALL $open_in(SETTLING)
UNION ALL $gauge(cttd_jobs; job; READY; )
UNION ALL $gauge(cttd_jobs; job; RUNNING; )
UNION ALL $gauge(cttd_jobs; job; DEAD; )
UNION ALL SELECT <gauge> 'cttd_late_seconds{of="operation"}' AS name,
	COALESCE($operation_late, 0) AS value
UNION ALL SELECT <gauge> 'cttd_late_seconds{of="job"}' AS name,
	COALESCE($job_late, 0) AS value
