-- The statements that write the changes of a batch. SAVE ends the transaction
-- that LOAD began. CLOSE is a transaction of its own. store/change.c fills
-- their parameters.
--
-- A @table lists the columns of one kind of change, with their types. :op has
-- all its rows as JSON, an array of values for each, and :op.rows their number.
-- A single item (:single) is the commonest case, so it has a form without JSON,
-- which is faster (doc/performance.txt): in that form :op.state is a parameter.
-- A number after the name is the most rows that a single item has (:job1.type to
-- :job3.type). A table "as JSON" has only the JSON form. A + marks a column that
-- the table in the database does not have. Long texts come last in a row,
-- because MariaDB reads the row from its beginning for each column, and what is
-- also read without them is a table of its own (trail).
--
-- Locks are taken in this order everywhere: operation, ctt (ids rising), ntt
-- (ids rising). A hot NTT's row is locked as late as possible.

-- New journal rows. Only open operations have an owner.
@table new
id              VARCHAR(64) CHARACTER SET ascii
kind            VARCHAR(16)
state           VARCHAR(16)
ctt_id          BIGINT UNSIGNED
ntt_id          BIGINT UNSIGNED
partner         VARCHAR(8)
actor           VARCHAR(128)
request_id      VARCHAR(64)
remark          TEXT
error_code      VARCHAR(64)
owner           VARCHAR(64)
idempotency_id  BIGINT UNSIGNED
item_index      INT UNSIGNED
mends           BOOLEAN
intent          JSON
partner_call    JSON
steps           JSON

-- Idempotency keys whose requests are saved: `held` ones are claimed already.
@table key as JSON
id              BIGINT UNSIGNED
actor           VARCHAR(128)
path            VARCHAR(128) CHARACTER SET ascii
idem_key        VARCHAR(128) CHARACTER SET ascii
body_hash       CHAR(64) CHARACTER SET ascii
owner           VARCHAR(64) CHARACTER SET ascii
+held           BOOLEAN

-- New links of CTTs; NULL removes the link.
@table link
id              BIGINT UNSIGNED
ntt_id          BIGINT UNSIGNED
ntt_ticket_no   VARCHAR(64)

-- New states of operations, and the histories of their steps. An operation must
-- still be in the state `was` and belong to this owner. All are updated or none.
@table op
id              VARCHAR(64) CHARACTER SET ascii
was             VARCHAR(16)
owner           VARCHAR(64) CHARACTER SET ascii
state           VARCHAR(16)
error_code      VARCHAR(64)
tries           INT UNSIGNED
next_ms         BIGINT
why             TEXT
doubt_ms        BIGINT
accepted        BOOLEAN
refusals        INT UNSIGNED
bodies          INT UNSIGNED
body_hash       BIGINT UNSIGNED
assumed         BOOLEAN
steps           JSON

-- New statuses of CTTs, and the step of the trace that tells of them.
@table status as JSON
id              BIGINT UNSIGNED
operation_id    VARCHAR(64) CHARACTER SET ascii
status          VARCHAR(32)
step            VARCHAR(32)

@table activity as JSON
ctt_id          BIGINT UNSIGNED
type            VARCHAR(64)
status          VARCHAR(32)
cause_code      VARCHAR(64)
disposition     VARCHAR(64)
resolution_code VARCHAR(64)
delay_reason    VARCHAR(64)
actor           VARCHAR(128)
operation_id    VARCHAR(64) CHARACTER SET ascii

@table note as JSON
operation_id    VARCHAR(64) CHARACTER SET ascii
text            TEXT

-- Network elements, with all five values before and after, named as in the API.
@table element_change as JSON
id              BIGINT UNSIGNED
ctt_id          BIGINT UNSIGNED
before_json     JSON
after_json      JSON
actor           VARCHAR(128)
operation_id    VARCHAR(64) CHARACTER SET ascii

-- Jobs. A job is due in delay_ms. It has an owner from the beginning, so that its
-- row does not grow when a worker takes it (sql/upgrade/015-job-open.sql).
@table job 3
type            VARCHAR(64)
dedupe_key      VARCHAR(128)
owner           VARCHAR(64) CHARACTER SET ascii
+delay_ms       BIGINT
payload         JSON

-- The tickets that get audit rows.
@table trail as JSON
n FOR ORDINALITY
entity_id       BIGINT UNSIGNED
entity_type     VARCHAR(8)

-- Audit rows; the rows of one ticket are adjacent. The first of them has the
-- number of its `trail`: it follows the last row of its ticket in the database
-- (store/audit.h). MariaDB 11.8 does not join a seal that is ASCII to a hash in a
-- variable.
@table audit_row 2
+trail          INT UNSIGNED
entity_id       BIGINT UNSIGNED
entity_type     VARCHAR(8)
action          VARCHAR(16)
outcome         VARCHAR(16)
actor           VARCHAR(128)
request_id      VARCHAR(64)
operation_id    VARCHAR(64)
+seal           CHAR(64)
detail          JSON

-- Changes of the NTTs' counts.
@table count
id              BIGINT UNSIGNED
+by             INT

@macro insert_operations
IF :new.rows AND :single THEN
	INSERT INTO operation($new.columns, next_try_at, created_at, updated_at)
	VALUES ($new.params, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3),
		UTC_TIMESTAMP(3));
ELSEIF :new.rows THEN
	INSERT INTO operation($new.columns, next_try_at, created_at, updated_at)
	SELECT $new.values, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3)
	FROM $new.json x;
END IF;

@macro update_links
IF :link.rows AND :single THEN
	UPDATE ctt c SET c.ntt_id = :link.ntt_id,
		c.ntt_ticket_no = :link.ntt_ticket_no,
		c.updated_at = UTC_TIMESTAMP(3)
	WHERE c.id = CAST(:link.id AS UNSIGNED);
ELSEIF :link.rows THEN
	UPDATE $link.json x STRAIGHT_JOIN ctt c ON c.id = x.id
	SET c.ntt_id = x.ntt_id, c.ntt_ticket_no = x.ntt_ticket_no,
		c.updated_at = UTC_TIMESTAMP(3);
END IF;

@macro set_operation(of)
error_code = $of.error_code, steps = $of.steps,
	tries = $of.tries, next_try_at = $in_ms($of.next_ms),
	last_error = LEFT($of.why, 255), owner = NULL,
	doubted_at = $in_ms(-$of.doubt_ms), accepted = $of.accepted,
	refusals = $of.refusals, bodies = $of.bodies,
	body_hash = $of.body_hash, assumed = $of.assumed,
	updated_at = UTC_TIMESTAMP(3)

-- -> @held: how many operations this process still owned.
--
-- Several operations are inserted, which updates them, because they are there:
-- an UPDATE of a join would write their steps to a temporary table on disk. The
-- state is set first, so it is compared with the one before. An operation that
-- is not there is inserted, and not counted; then CLOSE rolls back.
@macro update_operations
IF :single THEN
	UPDATE operation SET state = :op.state, $set_operation(:op)
	WHERE id = :op.id AND state = :op.was AND owner = :op.owner;
	SET @held = ROW_COUNT();
ELSE
	SET @held = 0;
	INSERT INTO operation(id, kind, actor, state)
	SELECT x.id, '', '', x.state FROM $op.json x
	ON DUPLICATE KEY UPDATE state = IF(operation.state = x.was
			AND operation.owner = x.owner AND (@held := @held + 1),
			x.state, operation.state),
		$set_operation(x);
END IF;

-- A CTT that was closed or cancelled meanwhile keeps its status, and the trace
-- says so.
@macro update_statuses
IF :status.rows THEN
	UPDATE $status.json x
	STRAIGHT_JOIN operation o ON o.id = x.operation_id
	STRAIGHT_JOIN ctt c ON c.id = x.id
	SET o.steps = JSON_ARRAY_APPEND(o.steps,
		CONCAT(SUBSTRING_INDEX(JSON_UNQUOTE(
			JSON_SEARCH(o.steps, 'one', x.step)), ']', 1),
			']'),
		CONCAT('the CTT was ', c.status, ' meanwhile, and stays so'))
	WHERE c.status IN ('Closed', 'Cancel');
	UPDATE $status.json(id status) x STRAIGHT_JOIN ctt c ON c.id = x.id
	SET c.status = x.status,
		c.resolved_at = IF(x.status = 'Resolved', UTC_TIMESTAMP(3),
			NULL),
		c.updated_at = UTC_TIMESTAMP(3)
	WHERE c.status NOT IN ('Closed', 'Cancel');
END IF;

@macro insert_activities
IF :activity.rows THEN
	INSERT INTO ctt_activity(ctt_id, type, status, cause_code, disposition,
		resolution_code, delay_reason, created_by, created_at,
		operation_id)
	SELECT x.ctt_id, x.type, x.status, x.cause_code, x.disposition,
		x.resolution_code, x.delay_reason, x.actor, UTC_TIMESTAMP(3),
		x.operation_id
	FROM $activity.json x;
END IF;
IF :note.rows THEN
	INSERT INTO activity_note(ctt_id, activity_id, text, author, created_at)
	SELECT a.ctt_id, a.id, x.text, a.created_by, UTC_TIMESTAMP(3)
	FROM $note.json x
	STRAIGHT_JOIN $activity_of(x.operation_id);
END IF;

-- The equipment, its copy for reporting, and its history.
@macro elements
JSON_TABLE(:element_change, '$[*]' COLUMNS(
	id BIGINT UNSIGNED PATH '$[0]',
	ctt_id BIGINT UNSIGNED PATH '$[1]',
	manufacturer VARCHAR(64) PATH '$[3].manufacturer',
	model VARCHAR(64) PATH '$[3].model',
	ip_address VARCHAR(45) PATH '$[3].ipAddress',
	bandwidth_mbps INT UNSIGNED PATH '$[3].bandwidthMbps',
	port VARCHAR(32) PATH '$[3].port')) x

@macro update_elements
IF :element_change.rows THEN
	UPDATE $elements STRAIGHT_JOIN network_element e ON e.id = x.id
	SET e.manufacturer = x.manufacturer, e.model = x.model,
		e.ip_address = x.ip_address,
		e.bandwidth_mbps = x.bandwidth_mbps, e.port = x.port,
		e.updated_at = UTC_TIMESTAMP(3);
	INSERT INTO corp_data_temp(ctt_id, network_element_id, manufacturer,
		model, ip_address, bandwidth_mbps, port, updated_at)
	SELECT x.ctt_id, x.id, x.manufacturer, x.model, x.ip_address,
		x.bandwidth_mbps, x.port, UTC_TIMESTAMP(3)
	FROM $elements
	ON DUPLICATE KEY UPDATE ctt_id = x.ctt_id,
		manufacturer = x.manufacturer, model = x.model,
		ip_address = x.ip_address, bandwidth_mbps = x.bandwidth_mbps,
		port = x.port, updated_at = UTC_TIMESTAMP(3);
	INSERT INTO cpe_history(ctt_id, network_element_id, before_json,
		after_json, actor, operation_id, created_at)
	SELECT x.ctt_id, x.id, x.before_json, x.after_json, x.actor,
		x.operation_id, UTC_TIMESTAMP(3)
	FROM $element_change.json x;
END IF;

@macro into_job
INSERT INTO job($job.columns, run_at, since, created_at, updated_at)

@macro job_row(cells; delay_ms)
$cells, $in_ms($delay_ms), UTC_TIMESTAMP(3), UTC_TIMESTAMP(3),
	UTC_TIMESTAMP(3)

@macro nth_job(job)
($job_row($${job}.params; :$job.delay_ms))

@macro insert_jobs
IF :single AND :job.rows = 3 THEN
	$into_job VALUES $nth_job(job1), $nth_job(job2), $nth_job(job3);
ELSEIF :single AND :job.rows = 2 THEN
	$into_job VALUES $nth_job(job1), $nth_job(job2);
ELSEIF :single AND :job.rows = 1 THEN
	$into_job VALUES $nth_job(job1);
ELSEIF :job.rows THEN
	$into_job SELECT $job_row($job.values; x.delay_ms) FROM $job.json x;
END IF;

-- The NTT's row is locked late, because every link of a mass outage waits for
-- it. It is locked before the audit rows are added: its lock also protects the
-- end of the NTT's trail. (A change by 0 only takes this lock.)
@macro counted(by)
GREATEST(0, CAST(n.ctt_count AS SIGNED) + $by),
	n.updated_at = IF($by, UTC_TIMESTAMP(3), n.updated_at)

@macro update_counts
IF :count.rows AND :single THEN
	UPDATE ntt n SET n.ctt_count = @count := $counted(CAST(:count.by AS
		SIGNED)) WHERE n.id = CAST(:count.id AS UNSIGNED);
ELSEIF :count.rows THEN
	SET STATEMENT innodb_lock_wait_timeout = 1 FOR
	UPDATE $count.json x STRAIGHT_JOIN ntt n ON n.id = x.id
	SET n.ctt_count = $counted(x.`by`);
END IF;

@macro last_hash(type; id)
COALESCE((SELECT p.hash FROM audit_log p WHERE p.entity_type = $type
	AND p.entity_id = $id ORDER BY p.id DESC LIMIT 1), '')

@macro hash(before; seal)
SHA2(CONCAT($before, $seal, UTC_TIMESTAMP(3)), 256)

@macro into_audit
INSERT INTO audit_log($audit_row.columns, created_at, hash)

-- The rows of one ticket are chained (store/audit.h). The last hashes are read
-- first, into 64 characters for each ticket, because an INSERT that reads its own
-- table uses a temporary table on disk. The rows of a single item belong to two
-- tickets.
@macro insert_audits
IF :single AND :audit_row.rows = 2 THEN
	SELECT $last_hash(:audit_row1.entity_type;
			CAST(:audit_row1.entity_id AS UNSIGNED)),
		$last_hash(:audit_row2.entity_type;
			CAST(:audit_row2.entity_id AS UNSIGNED))
	INTO @last, @hash;
	$into_audit VALUES
	($audit_row1.params, UTC_TIMESTAMP(3), $hash(@last; :audit_row1.seal)),
	($audit_row2.params, UTC_TIMESTAMP(3), $hash(@hash; :audit_row2.seal));
ELSEIF :single AND :audit_row.rows = 1 THEN
	SELECT $last_hash(:audit_row1.entity_type;
		CAST(:audit_row1.entity_id AS UNSIGNED)) INTO @last;
	$into_audit VALUES
	($audit_row1.params, UTC_TIMESTAMP(3), $hash(@last; :audit_row1.seal));
ELSEIF :audit_row.rows THEN
	SELECT GROUP_CONCAT(RPAD($last_hash(x.entity_type; x.entity_id), 64, ' ')
		ORDER BY x.n SEPARATOR ''), ''
	INTO @last, @hash FROM $trail.json x;
	$into_audit
	SELECT $audit_row.values, UTC_TIMESTAMP(3), @hash := $hash(IF(x.trail,
		RTRIM(SUBSTR(@last, 64 * x.trail - 63, 64)), @hash); x.seal)
	FROM $audit_row.json x;
END IF;

@macro claim_keys
INSERT IGNORE INTO idempotency($key.columns, created_at)
SELECT $key.values, UTC_TIMESTAMP(3) FROM $key.json x WHERE NOT x.held;
SELECT COUNT(*) INTO @claimed FROM $key.json(id owner) x
STRAIGHT_JOIN idempotency i ON i.id = x.id WHERE i.owner = x.owner FOR UPDATE;

-- Ends the first transaction, and claims the keys in it. If another request has
-- one of them, or has taken it over, nothing is saved -> the ids of those.
@statement SAVE(change)
IF :key.rows THEN
	$claim_keys
END IF;
IF :key.rows AND @claimed <> :key.rows THEN
	SELECT <lost_key> x.id FROM $key.json(id owner) x
	LEFT JOIN idempotency i ON i.id = x.id AND i.owner = x.owner
	WHERE i.id IS NULL;
	ROLLBACK;
ELSE
	$update_links
	$insert_operations
	COMMIT;
END IF;

-- The second transaction. If an operation has changed its state or its owner,
-- nothing is done -> won is 0. Otherwise -> won is 1, with the new count of
-- each NTT in :count. CLOSE does what most links need; CLOSE_ALL also makes all
-- other changes.
@macro close(changes; answers)
START TRANSACTION;
$update_operations
IF @held <> :op.rows THEN
	ROLLBACK;
	SELECT <closed> 0 AS won, NULL AS ntt_id, NULL AS ctt_count;
ELSE
	$changes
	$insert_jobs
	$update_counts
	$insert_audits
	COMMIT;
	IF :single THEN
		SELECT <closed> 1 AS won, :count.id AS ntt_id,
			@count AS ctt_count;
	ELSE
		SELECT <closed> 1 AS won, NULL AS ntt_id, NULL AS ctt_count
		UNION ALL SELECT <closed> 1 AS won, n.id AS ntt_id, n.ctt_count
		FROM $count.json(id) x STRAIGHT_JOIN ntt n ON n.id = x.id;
	END IF;
	$answers
END IF;

@statement CLOSE(change) ends in rows
$close(; )

-- -> the ids of the stored activities, notes and history rows, and the present
-- elements of the CTTs. A kind of row that was not written has no result set.
@macro what_was_stored
IF :activity.rows THEN
	SELECT <stored_activity> x.operation_id, a.id, t.id AS note_id, c.status
	FROM $activity.json(operation_id) x
	STRAIGHT_JOIN $activity_of(x.operation_id)
	LEFT JOIN ctt c ON c.id = a.ctt_id
	LEFT JOIN activity_note t ON t.ctt_id = a.ctt_id
		AND t.activity_id = a.id;
END IF;
IF :element_change.rows THEN
	SELECT <stored_history> x.operation_id, h.id
	FROM $element_change.json(ctt_id operation_id) x
	STRAIGHT_JOIN cpe_history h ON h.ctt_id = x.ctt_id
		AND h.operation_id = x.operation_id;
	SELECT <stored_element> e.ctt_id, $element
	FROM $element_change.json(ctt_id) x
	STRAIGHT_JOIN network_element e ON e.ctt_id = x.ctt_id;
END IF;

@statement CLOSE_ALL(change)
$close($update_links $update_statuses $insert_operations $insert_activities
	$update_elements; $what_was_stored)
