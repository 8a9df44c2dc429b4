-- The jobs (job/outbox.c), and the removal of old rows (job/retention.c).

-- Begins a transaction and locks jobs that are due. Jobs of a worker that died
-- are READY again. A job waits until the earlier jobs of its CTT are DONE or
-- DEAD; only a job look-again does not wait, and no job waits for it.
@statement JOB_PICK
START TRANSACTION;
UPDATE job SET state = 'READY', owner = NULL
WHERE state = 'RUNNING' AND $abandoned(job);
SELECT <picked_job> b.id, b.type, b.payload, b.dedupe_key, b.attempts,
	b.refusals, TIMESTAMPDIFF(SECOND, b.since, UTC_TIMESTAMP(3)) AS age_s,
	$utc(b.created_at) AS created_at
FROM job b
WHERE b.state = 'READY' AND b.run_at <= UTC_TIMESTAMP(3)
	AND (b.type = 'look-again' OR NOT EXISTS(SELECT 1
		FROM job e FORCE INDEX (job_ctt)
		WHERE e.ctt_id = b.ctt_id AND e.state IN ('READY', 'RUNNING')
		AND e.id < b.id AND e.type <> 'look-again'))
ORDER BY b.run_at, b.id LIMIT 128 FOR UPDATE SKIP LOCKED;

-- {"id":[id...],"owner":name}: the picked jobs belong to this owner.
@statement JOB_TAKE(:doc)
$takes_doc
UPDATE JSON_TABLE(doc, '$.id[*]' COLUMNS(id BIGINT UNSIGNED PATH '$')) x
STRAIGHT_JOIN job b ON b.id = x.id
SET b.state = 'RUNNING', b.owner = JSON_VALUE(doc, '$.owner'),
	b.attempts = b.attempts + 1, b.updated_at = UTC_TIMESTAMP(3);
COMMIT;

-- {"job":[{"id","state","next_ms","why","refused","unasked"}],"owner":name}:
-- stores the outcome of the jobs. unasked: the receiver was not called, so this
-- is no attempt.
@statement JOB_CLOSE(:doc)
$takes_doc
UPDATE JSON_TABLE(doc, '$.job[*]' COLUMNS(
	id BIGINT UNSIGNED PATH '$.id',
	state VARCHAR(16) PATH '$.state',
	next_ms BIGINT PATH '$.next_ms',
	refused INT PATH '$.refused',
	unasked INT PATH '$.unasked',
	why TEXT PATH '$.why')) x
STRAIGHT_JOIN job b ON b.id = x.id
SET b.state = x.state, b.owner = NULL, b.refusals = b.refusals + x.refused,
	b.attempts = b.attempts - x.unasked, b.run_at = $in_ms(x.next_ms),
	b.last_error = LEFT(x.why, 255), b.updated_at = UTC_TIMESTAMP(3)
WHERE b.state = 'RUNNING' AND b.owner = JSON_VALUE(doc, '$.owner');

-- The most rows that one REMOVE_... removes. Each is locked until the COMMIT.
@constant REMOVE_MOST 500

@macro too_old
UTC_TIMESTAMP(3) - INTERVAL CAST(:days AS UNSIGNED) DAY

-- Removes rows that are older than :days -> the number of rows. Operations, or
-- the jobs of operations, before removed_before may be missing.
@macro remove(what; delete)
START TRANSACTION;
$delete;
SET @gone = ROW_COUNT();
IF @gone THEN
	INSERT INTO retention(what, removed_before) VALUES ('$what', $too_old)
	ON DUPLICATE KEY UPDATE
		removed_before = GREATEST(removed_before,
			VALUE(removed_before));
END IF;
COMMIT;
SELECT <removed> @gone AS n;

-- In a DONE job, run_at is the time at which it was done (JOB_CLOSE). run_at
-- has an index.
@statement REMOVE_JOBS(:days)
$remove(job; DELETE FROM job WHERE state = 'DONE' AND run_at < $too_old
	ORDER BY run_at, id LIMIT $REMOVE_MOST)

-- Only the oldest rows are read: if they are not old enough, no row is.
@statement REMOVE_REFUSED(:days)
$remove(refused; DELETE o FROM (SELECT r.id, r.created_at
		FROM operation r FORCE INDEX(operation_state)
		WHERE r.state = 'REFUSED' ORDER BY r.seq LIMIT $REMOVE_MOST) x
	STRAIGHT_JOIN operation o ON o.id = x.id
	WHERE x.created_at < $too_old)
