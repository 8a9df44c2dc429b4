-- The jobs (job/outbox.c), and the removal of old rows (job/retention.c).

-- Jobs of workers that died are READY again.
@statement JOB_FREE
UPDATE job SET state = 'READY'
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

-- The most jobs that are picked at a time.
@constant PICK_MOST 384

-- Begins a transaction and locks jobs that are due.
@statement JOB_PICK
START TRANSACTION;
SELECT <picked_job> b.id, b.ctt_id, b.open_ctt_id, b.type, b.payload,
	b.dedupe_key, b.attempts, b.refusals,
	TIMESTAMPDIFF(SECOND, b.since, UTC_TIMESTAMP(3)) AS age_s,
	$utc(b.created_at) AS created_at
FROM job b WHERE b.state = 'READY' AND b.run_at <= UTC_TIMESTAMP(3)
ORDER BY b.run_at, b.id LIMIT $PICK_MOST FOR UPDATE SKIP LOCKED;

-- {"ctt":[id...],"last":job} -> the jobs of these CTTs that are neither DONE nor
-- DEAD, as far as the last one. They make a chain for each CTT, in the order of
-- their ids. Of too many the last ids are left out, so each chain loses only its
-- end.
@statement JOB_CHAINS(:doc)
$takes_doc
SELECT <open_job> e.open_ctt_id, e.id
FROM JSON_TABLE(doc, '$.ctt[*]' COLUMNS(id BIGINT UNSIGNED PATH '$')) x
STRAIGHT_JOIN job e FORCE INDEX (job_open) ON e.open_ctt_id = x.id
WHERE e.id <= JSON_VALUE(doc, '$.last')
ORDER BY e.id LIMIT 4096;

-- {"id":[id...],"owner":name,"wait":[[id,behind]...]}: the picked jobs belong to
-- this owner. Those that wait behind another job of their CTT are due when that
-- one is, or soon, if it is under way: so no pick finds only such. When that one
-- is due is read without a lock, because another worker may have locked it.
@statement JOB_TAKE(:doc)
$takes_doc
DECLARE due LONGTEXT CHARACTER SET utf8mb4;
IF JSON_LENGTH(doc, '$.wait') THEN
	SELECT JSON_ARRAYAGG(JSON_ARRAY(x.id, h.run_at)) INTO due
	FROM JSON_TABLE(doc, '$.wait[*]' COLUMNS(
		id BIGINT UNSIGNED PATH '$[0]',
		behind BIGINT UNSIGNED PATH '$[1]')) x
	STRAIGHT_JOIN job h ON h.id = x.behind;
	UPDATE JSON_TABLE(due, '$[*]' COLUMNS(
		id BIGINT UNSIGNED PATH '$[0]',
		run_at DATETIME(3) PATH '$[1]')) x
	STRAIGHT_JOIN job b ON b.id = x.id
	SET b.run_at = GREATEST(x.run_at, $in_ms(200));
END IF;
UPDATE JSON_TABLE(doc, '$.id[*]' COLUMNS(id BIGINT UNSIGNED PATH '$')) x
STRAIGHT_JOIN job b ON b.id = x.id
SET b.state = 'RUNNING', b.owner = JSON_VALUE(doc, '$.owner'),
	b.updated_at = UTC_TIMESTAMP(3);
COMMIT;

-- {"done":[id...],"job":[{"id","state","next_ms","why","asked","refused"}],
-- "owner":name}: stores the outcome of the jobs; most are done. asked: the
-- receiver was called, so this is an attempt. Another worker may have jobs of
-- this owner, if its lease expired -> how many were stored.
@statement JOB_CLOSE(:doc) ends in rows
$takes_doc
DECLARE n INT DEFAULT 0;
START TRANSACTION;
UPDATE JSON_TABLE(doc, '$.done[*]' COLUMNS(id BIGINT UNSIGNED PATH '$')) x
STRAIGHT_JOIN job b ON b.id = x.id
SET b.state = 'DONE', b.attempts = b.attempts + 1, b.last_error = NULL,
	b.run_at = UTC_TIMESTAMP(3), b.updated_at = UTC_TIMESTAMP(3)
WHERE b.state = 'RUNNING' AND b.owner = JSON_VALUE(doc, '$.owner');
SET n = ROW_COUNT();
IF JSON_LENGTH(doc, '$.job') THEN
	UPDATE JSON_TABLE(doc, '$.job[*]' COLUMNS(
		id BIGINT UNSIGNED PATH '$.id',
		state VARCHAR(16) PATH '$.state',
		next_ms BIGINT PATH '$.next_ms',
		asked INT PATH '$.asked',
		refused INT PATH '$.refused',
		why TEXT PATH '$.why')) x
	STRAIGHT_JOIN job b ON b.id = x.id
	SET b.state = x.state, b.attempts = b.attempts + x.asked,
		b.refusals = b.refusals + x.refused,
		b.run_at = $in_ms(x.next_ms),
		b.last_error = LEFT(x.why, 255),
		b.updated_at = UTC_TIMESTAMP(3)
	WHERE b.state = 'RUNNING' AND b.owner = JSON_VALUE(doc, '$.owner');
	SET n = n + ROW_COUNT();
END IF;
COMMIT;
SELECT <closed_jobs> n AS n;

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
