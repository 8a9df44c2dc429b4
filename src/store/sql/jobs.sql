-- The jobs (job/outbox.c), and the removal of old rows (job/retention.c).

-- Jobs of workers that died are READY again.
@statement JOB_FREE
UPDATE job SET state = 'READY', owner = NULL
WHERE state = 'RUNNING' AND $abandoned(job)

-- The clock was set back: what was to wait for longer than :most_ms, as nothing
-- does, waits for so long from now on.
@statement CLOCK_BACK(:most_ms)
UPDATE job b SET b.run_at = $in_ms(CAST(:most_ms AS SIGNED))
WHERE b.state = 'READY' AND b.run_at > $in_ms((CAST(:most_ms AS SIGNED) + 1000));
UPDATE operation o SET o.next_try_at = $in_ms(CAST(:most_ms AS SIGNED)),
	o.doubted_at = LEAST(o.doubted_at, UTC_TIMESTAMP(3))
WHERE o.open_ctt_id IS NOT NULL
	AND o.next_try_at > $in_ms((CAST(:most_ms AS SIGNED) + 1000));

-- The most chains that are taken at a time.
@constant PICK_MOST 128

@macro job(due)
b.id, b.ctt_id, b.type, b.payload, b.dedupe_key, b.attempts, b.refusals,
	TIMESTAMPDIFF(SECOND, b.since, UTC_TIMESTAMP(3)) AS age_s,
	$utc(b.created_at) AS created_at, $due AS due

-- Begins a transaction and locks jobs that are due. Jobs of one CTT make a chain
-- in the order of their ids: only the first that is neither DONE nor DEAD is
-- found here. A job look-again belongs to no chain.
@statement JOB_PICK
START TRANSACTION;
SELECT <picked_job> $job(1) FROM job b
WHERE b.state = 'READY' AND b.run_at <= UTC_TIMESTAMP(3)
	AND (b.type = 'look-again' OR NOT EXISTS(SELECT 1
		FROM job e FORCE INDEX (job_ctt)
		WHERE e.ctt_id = b.ctt_id AND e.state IN ('READY', 'RUNNING')
		AND e.id < b.id AND e.type <> 'look-again'))
ORDER BY b.run_at, b.id LIMIT $PICK_MOST FOR UPDATE SKIP LOCKED;

-- [id...] of picked jobs: locks the jobs that wait for them in their chains. A
-- job that is not due holds up the rest of its chain. Of too many the last ids
-- are left out, so each chain loses only its end. No other worker keeps one of
-- these rows locked, because it would need the first job of the chain.
@statement JOB_FOLLOW(:doc)
SELECT <picked_job> $job((b.state = 'READY' AND b.run_at <= UTC_TIMESTAMP(3)))
FROM $ids(:doc) STRAIGHT_JOIN job h ON h.id = x.id
STRAIGHT_JOIN job b FORCE INDEX (job_ctt) ON b.ctt_id = h.ctt_id
	AND b.state IN ('READY', 'RUNNING') AND b.id > h.id
WHERE h.type <> 'look-again' AND b.type <> 'look-again'
ORDER BY b.id LIMIT 384 FOR UPDATE

-- {"id":[id...],"owner":name}: the picked jobs belong to this owner.
@statement JOB_TAKE(:doc)
$takes_doc
UPDATE JSON_TABLE(doc, '$.id[*]' COLUMNS(id BIGINT UNSIGNED PATH '$')) x
STRAIGHT_JOIN job b ON b.id = x.id
SET b.state = 'RUNNING', b.owner = JSON_VALUE(doc, '$.owner'),
	b.updated_at = UTC_TIMESTAMP(3);
COMMIT;

-- {"job":[{"id","state","next_ms","why","asked","refused"}],"owner":name}:
-- stores the outcome of the jobs. asked: the receiver was called, so this is an
-- attempt. Another worker may have jobs of this owner, if its lease expired -> how
-- many were stored.
@statement JOB_CLOSE(:doc) ends in rows
$takes_doc
UPDATE JSON_TABLE(doc, '$.job[*]' COLUMNS(
	id BIGINT UNSIGNED PATH '$.id',
	state VARCHAR(16) PATH '$.state',
	next_ms BIGINT PATH '$.next_ms',
	asked INT PATH '$.asked',
	refused INT PATH '$.refused',
	why TEXT PATH '$.why')) x
STRAIGHT_JOIN job b ON b.id = x.id
SET b.state = x.state, b.owner = NULL, b.attempts = b.attempts + x.asked,
	b.refusals = b.refusals + x.refused, b.run_at = $in_ms(x.next_ms),
	b.last_error = LEFT(x.why, 255), b.updated_at = UTC_TIMESTAMP(3)
WHERE b.state = 'RUNNING' AND b.owner = JSON_VALUE(doc, '$.owner');
SELECT <closed_jobs> ROW_COUNT() AS n;

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
