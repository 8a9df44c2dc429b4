-- Statements of cttctl: migrate, operations, jobs.

-- Waits up to 5 s for another migration. The lock is held until the connection
-- ends.
@statement MIGRATE_LOCK
SELECT <migrate_lock> GET_LOCK(CONCAT('cttd-migrate:', DATABASE()), 5) AS held

@statement SCHEMA_VERSION
SELECT <schema_version> COALESCE(MAX(version), 0) AS version FROM schema_version

-- The steps after this one.
@statement SCHEMA_LATER(:version)
SELECT <schema_later> version, name FROM schema_version
WHERE version > :version ORDER BY version

@statement HAS_SCHEMA
SELECT <has_schema> COUNT(*) AS n FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name = 'schema_version'

-- The tables that have texts of another collation than the session's, and the
-- statements that change that. MariaDB 11 gave its own to the tables that an
-- earlier version of cttd made there.
@statement ODD_TABLES
SELECT <odd_table> c.table_name, CONCAT('ALTER TABLE `', c.table_name,
	'` DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci',
	GROUP_CONCAT(', MODIFY `', c.column_name, '` ', c.column_type,
		' CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci',
		IF(c.is_nullable = 'NO', ' NOT NULL', ' NULL'),
		COALESCE(CONCAT(' DEFAULT ', c.column_default), '')
		ORDER BY c.ordinal_position SEPARATOR '')) AS statement
FROM information_schema.columns c
WHERE c.table_schema = DATABASE() AND c.character_set_name = 'utf8mb4'
	AND c.collation_name NOT IN ('utf8mb4_general_ci', 'utf8mb4_bin',
		'utf8mb4_nopad_bin')
GROUP BY c.table_name

-- The role that the session has, or else its user.
@statement CURRENT_USER
SELECT <current_user> COALESCE(CURRENT_ROLE(), CURRENT_USER()) AS name

-- {"user":"name@host"}, or the name of a role -> the statements that grant it
-- the rights that cttd needs. The user can add rows to the audit trail, but cannot change or
-- remove any.
@statement GRANTS(:doc)
$takes_doc
DECLARE to_user VARCHAR(255) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.user');
SET to_user = CONCAT(' TO ', QUOTE(SUBSTRING_INDEX(to_user, '@', 1)),
	IF(LOCATE('@', to_user), CONCAT('@',
		QUOTE(SUBSTRING_INDEX(to_user, '@', -1))), ''));
SELECT <grant> CONCAT('GRANT SELECT ON `', DATABASE(), '`.*', to_user)
	AS statement
UNION ALL
SELECT <grant> CONCAT('GRANT INSERT',
	IF(t.table_name IN ('audit_log', 'audit_start'), '', ',UPDATE,DELETE'),
	' ON `', t.table_name, '`', to_user) AS statement
FROM information_schema.tables t
WHERE t.table_schema = DATABASE() AND t.table_name <> 'schema_version';

@macro with_tickets
FROM operation o
LEFT JOIN ctt c ON c.id = o.ctt_id LEFT JOIN ntt n ON n.id = o.ntt_id

@statement ASSUMED_OPERATIONS
SELECT <assumed_operation> o.id, o.kind, o.state, c.ticket_no AS ctt_ticket_no,
	n.ticket_no AS ntt_ticket_no, o.partner,
	$utc(o.updated_at) AS updated_at, o.last_error
$with_tickets WHERE o.assumed ORDER BY o.updated_at, o.id

-- busy: a process works on it; undoing: only the inverse is still to be
-- accepted; goes_on: it is the link back of a move.
@statement OPEN_OPERATIONS
SELECT <operation_open> o.id, o.kind, o.state, c.ticket_no AS ctt_ticket_no,
	n.ticket_no AS ntt_ticket_no, o.partner, o.tries, o.last_error,
	TIMESTAMPDIFF(SECOND, o.created_at, UTC_TIMESTAMP(3)) AS age_s,
	CEIL(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), o.next_try_at)
		/ 1000000) AS next_in_s,
	NOT $abandoned(o) AS busy, o.undoing,
	JSON_EXISTS(COALESCE(o.intent, '{}'), '$.goesOn') AS goes_on
$with_tickets WHERE o.open_ctt_id IS NOT NULL ORDER BY o.created_at, o.id

-- {"id":[operation...]}, or {"all":true} -> the places, counted from 1, and the
-- states of those that are not open; the number that is due now.
@statement RETRY_OPERATIONS(:doc)
$takes_doc
SELECT <not_retried> x.n, o.state
FROM JSON_TABLE(doc, '$.id[*]' COLUMNS(n FOR ORDINALITY,
	id VARCHAR(64) CHARACTER SET ascii PATH '$')) x
LEFT JOIN operation o ON o.id = x.id
WHERE o.open_ctt_id IS NULL ORDER BY x.n;
UPDATE operation o SET o.next_try_at = UTC_TIMESTAMP(3)
WHERE o.open_ctt_id IS NOT NULL AND (JSON_EXISTS(doc, '$.all')
	OR o.id IN (SELECT x.id FROM JSON_TABLE(doc, '$.id[*]' COLUMNS(
		id VARCHAR(64) CHARACTER SET ascii PATH '$')) x));
SELECT <retried> ROW_COUNT() AS n;

@statement DEAD_JOBS
SELECT <dead_job> id, type, dedupe_key, attempts, last_error,
	$utc(created_at) AS created_at
FROM job WHERE state = 'DEAD' ORDER BY id

-- {"id":[job...]}, or {"all":true} -> the places, counted from 1, and the
-- states of those that are not DEAD; the number that is ready again.
@statement RETRY_JOBS(:doc)
$takes_doc
SELECT <not_retried> x.n, b.state
FROM JSON_TABLE(doc, '$.id[*]' COLUMNS(n FOR ORDINALITY,
	id BIGINT UNSIGNED PATH '$')) x
LEFT JOIN job b ON b.id = x.id
WHERE NOT (b.state <=> 'DEAD') ORDER BY x.n;
UPDATE job b SET b.state = 'READY', b.attempts = 0, b.refusals = 0,
	b.since = UTC_TIMESTAMP(3), b.run_at = UTC_TIMESTAMP(3),
	b.updated_at = UTC_TIMESTAMP(3)
WHERE b.state = 'DEAD' AND (JSON_EXISTS(doc, '$.all')
	OR b.id IN (SELECT x.id FROM JSON_TABLE(doc, '$.id[*]' COLUMNS(
		id BIGINT UNSIGNED PATH '$')) x));
SELECT <retried> ROW_COUNT() AS n;
