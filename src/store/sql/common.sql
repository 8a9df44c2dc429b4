-- Macros and constants that the files of this folder share. HACKING, "The SQL",
-- explains them; scripts/embed-statements makes C of them.

-- A time in the form of the API.
@macro utc(time)
CONCAT(LEFT(DATE_FORMAT($time, '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')

-- The time in ms milliseconds.
@macro in_ms(ms)
TIMESTAMPADD(MICROSECOND, $ms * 1000, UTC_TIMESTAMP(3))

-- The row's owner is dead (store/lease.h). The owners of release 0.3 and before
-- have no "-" in their names, and live while they hold a lock of that name.
@macro abandoned(row)
($row.owner IS NULL OR IF(LOCATE('-', $row.owner),
	NOT EXISTS(SELECT 1 FROM lease le WHERE le.name = $row.owner
		AND le.expires_at > UTC_TIMESTAMP(3)),
	IS_FREE_LOCK(CONCAT('cttd:', $row.owner)) = 1))

-- This version leaves operations of unknown kinds to the later version that
-- made them.
@macro is_ours(o)
$o.kind IN ($KINDS)

@names KINDS K src/model/batch.h

-- The ids of a JSON array, as rows in the order of the array. With
-- STRAIGHT_JOIN this is also the order in which rows are locked.
@macro ids(doc)
JSON_TABLE($doc, '$[*]' COLUMNS(id BIGINT UNSIGNED PATH '$')) x

-- The parameter of statements that take one JSON object. MariaDB copies a
-- variable's value into each statement of the block that uses the variable.
-- That is cheap for a short text and too expensive for the changes of a batch
-- (change.sql).
@macro takes_doc
DECLARE doc LONGTEXT CHARACTER SET utf8mb4 DEFAULT :doc;

-- The activity of an operation. The index is forced: most activities have no
-- operation, so MariaDB 11.8 would rather read the whole table.
@macro activity_of(id)
ctt_activity a FORCE INDEX(ctt_activity_operation) ON a.operation_id = $id

-- A column's collation also treats other texts as equal. The index finds all of
-- them; the comparison of bytes keeps only the same text.
@macro is_exactly(column; text)
$column = $text AND BINARY $column = BINARY $text

-- All reads until COMMIT see the same moment.
@macro snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;

-- Columns that several statements have in common.

@row ctt
c.id, c.ticket_no, c.status, c.source, c.ntt_id, c.ntt_ticket_no

@row ntt
n.id, n.ticket_no, n.ctt_count

@row element
e.id, e.name, e.access_type, e.manufacturer, e.model, e.ip_address,
e.bandwidth_mbps, e.port, $utc(e.updated_at) AS updated_at

@row audit
l.id, l.action, l.outcome, l.actor, l.request_id, l.operation_id, l.detail,
$utc(l.created_at) AS created_at

@row operation
o.id, o.kind, o.state, o.ctt_id, c.ticket_no AS ctt_ticket_no, o.ntt_id,
n.ticket_no AS ntt_ticket_no

-- What the journal has of an operation, for recovery and for the answer to an
-- idempotency key. store/journal.c reads it (read_operation): a column that is
-- added here is added there.
@macro journalled
SELECT <journalled> o.id, o.kind, o.state, o.ctt_id, o.ntt_id, o.actor,
	o.request_id, o.remark, o.intent, o.steps, o.undoing, o.tries,
	o.error_code, o.item_index, o.idempotency_id, o.partner_call,
	TIMESTAMPDIFF(MICROSECOND, o.doubted_at, UTC_TIMESTAMP(3)) DIV 1000
		AS doubt_ms,
	o.accepted, o.refusals, o.bodies, o.body_hash, o.mends, o.partner

@row ntt_shown
$ntt, n.title, n.status

-- The values from which an audit row's seal is made (store/audit.h).
@row sealed
l.entity_type, l.entity_id, l.action, l.outcome, l.actor, l.request_id,
l.operation_id, l.detail
