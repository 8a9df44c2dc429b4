-- The chain of the audit trail. store/audit.h describes it.

-- The types of tickets that have a trail.
@statement AUDIT_TYPES
SELECT DISTINCT <audit_type> entity_type FROM audit_log

-- {"type","ticket","id"}: the rows after this row, sorted by ticket and id.
@statement AUDIT_TRAIL(:doc)
$takes_doc
DECLARE of_type VARCHAR(8) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.type');
DECLARE of_ticket BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.ticket');
DECLARE behind_id BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.id');
SELECT <trail> l.id, $sealed, CAST(l.created_at AS CHAR) AS created_at, l.hash
FROM audit_log l
WHERE l.entity_type = of_type AND (l.entity_id > of_ticket
	OR l.entity_id = of_ticket AND l.id > behind_id)
ORDER BY l.entity_id, l.id LIMIT 1000;

-- Notes that all rows after the present last one are chained. An earlier note
-- stays.
@statement AUDIT_START
INSERT IGNORE INTO audit_start(id, audit_id)
SELECT 1, COALESCE(MAX(id), 0) FROM audit_log

-- The first row that must be chained, as must all after it; NULL: none must.
@statement AUDIT_FIRST
SELECT <audit_first> MIN(x.id) AS id
FROM (SELECT audit_id + 1 id FROM audit_start
	UNION ALL (SELECT id FROM audit_log WHERE hash IS NOT NULL
		ORDER BY id LIMIT 1)) x

-- The most chained rows of one AUDIT_NEWS. A worker asks once a second; a link
-- has two rows.
@constant NEWS_MOST 10000

-- {"id":n}: reads the rows after this one -> the id of the last row that was
-- read; the chained rows among them.
--
-- An old trail is read in parts, because no index says where the chain begins.
-- A row with a lower id may still be uncommitted. The statement waits for the
-- lock of such a row, and leaves the rows of the last 2 s for later; otherwise
-- it would miss that row. A row with a time in the future was written before
-- the clock was set back. InnoDB shows a row before the row is durable. A later
-- COMMIT makes it durable, and the COMMIT of the mark is a later one.
@statement AUDIT_NEWS(:doc)
$takes_doc
DECLARE behind_id BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.id');
SELECT MAX(x.id) INTO @passed FROM (SELECT l.id FROM audit_log l
	WHERE l.id > behind_id
	AND (l.created_at < UTC_TIMESTAMP(3) - INTERVAL 2 SECOND
		OR l.created_at > UTC_TIMESTAMP(3))
	ORDER BY l.id LIMIT 100000) x;
SELECT <audit_passed> @passed AS id;
START TRANSACTION;
SELECT <audit_new> l.id, l.entity_type, l.entity_id, l.hash FROM audit_log l
WHERE l.id > behind_id AND l.id <= @passed AND l.hash IS NOT NULL
ORDER BY l.id LIMIT $NEWS_MOST LOCK IN SHARE MODE;
IF FOUND_ROWS() THEN
	INSERT INTO audit_mark(id, audit_id, marked_at)
	VALUES (1, @passed, UTC_TIMESTAMP(3))
	ON DUPLICATE KEY UPDATE audit_id = @passed,
		marked_at = UTC_TIMESTAMP(3);
END IF;
COMMIT;

-- {"head":[{"id","type","ticket","hash"}...]} -> those whose rows are missing.
@statement AUDIT_GONE(:doc)
$takes_doc
SELECT <audit_gone> x.id, x.type, x.ticket
FROM JSON_TABLE(doc, '$.head[*]' COLUMNS(
	id BIGINT UNSIGNED PATH '$.id',
	type VARCHAR(8) PATH '$.type',
	ticket BIGINT UNSIGNED PATH '$.ticket',
	hash CHAR(64) CHARACTER SET ascii PATH '$.hash')) x
LEFT JOIN audit_log l ON l.id = x.id AND l.entity_type = x.type
	AND l.entity_id = x.ticket AND l.hash = x.hash
WHERE l.id IS NULL;
