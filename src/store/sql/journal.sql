-- The journal of operations, for recovery (store/journal.c), and the tickets
-- that reconcile compares with the partners' (saga/reconcile.c).

-- Operations by their ids. They are locked in the order of the ids in the JSON.
@macro operations_named
JSON_TABLE(doc, '$.op[*]' COLUMNS(
	id VARCHAR(64) CHARACTER SET ascii PATH '$.id')) x
STRAIGHT_JOIN operation o ON o.id = x.id

-- {"op":[{"id"}...]} -> those that exist. Waits for a transaction that is
-- writing one of them.
@statement OP_PEEK(:doc)
$takes_doc
START TRANSACTION;
SELECT <peeked> o.id, o.state, o.steps, o.error_code, o.owner
FROM $operations_named FOR UPDATE;
COMMIT;

-- The open operations that are due and that no process works on.
@statement OP_DUE
SELECT <due> o.id FROM operation o
WHERE o.open_ctt_id IS NOT NULL AND o.next_try_at <= UTC_TIMESTAMP(3)
	AND $is_ours(o) AND $abandoned(o)
ORDER BY o.next_try_at LIMIT 200

-- {"op":[{"id"}...],"owner":name}: takes over the abandoned operations -> all
-- open operations of this owner. The former owner died or lost its lease, and
-- may have called the partner just before: the operation is in doubt from now
-- on. So is an operation of an earlier version, which stored no call.
@statement OP_CLAIM(:doc)
$takes_doc
START TRANSACTION;
UPDATE $operations_named
SET o.doubted_at = IF(o.owner IS NULL AND o.partner_call IS NOT NULL,
		o.doubted_at, UTC_TIMESTAMP(3)),
	o.owner = JSON_VALUE(doc, '$.owner')
WHERE o.state IN ('RUNNING', 'SETTLING') AND $is_ours(o) AND $abandoned(o);
COMMIT;
$journalled
FROM $operations_named
WHERE o.owner = JSON_VALUE(doc, '$.owner')
	AND o.state IN ('RUNNING', 'SETTLING');

-- {"op":[{"id"}...],"owner":name}: from now on the inverse is sent, and the
-- call itself never again -> the operations that belong to this owner. It may
-- send the inverse only of these.
@statement OP_UNDOING(:doc)
$takes_doc
START TRANSACTION;
UPDATE $operations_named
SET o.undoing = 1, o.accepted = 0, o.refusals = 0, o.bodies = 0,
	o.body_hash = NULL
WHERE o.state = 'SETTLING' AND o.owner = JSON_VALUE(doc, '$.owner')
	AND NOT o.undoing;
COMMIT;
SELECT <undone> o.id FROM $operations_named
WHERE o.undoing AND o.owner = JSON_VALUE(doc, '$.owner');

-- {"op":[{"id"}...],"next_ms","why","owner"}: releases these operations, to be
-- tried again in next_ms.
@statement OP_DEFER(:doc)
$takes_doc
UPDATE $operations_named
SET o.owner = NULL, o.tries = o.tries + 1,
	o.last_error = JSON_VALUE(doc, '$.why'),
	o.next_try_at = $in_ms(JSON_VALUE(doc, '$.next_ms'))
WHERE o.open_ctt_id IS NOT NULL AND o.owner = JSON_VALUE(doc, '$.owner');

@macro compared_ctts
FROM (SELECT k.id FROM ctt k WHERE (the_id IS NULL OR k.id = the_id)
	AND (the_number IS NULL OR k.ticket_no = the_number)
	AND k.id > after_id ORDER BY k.id LIMIT most) x
STRAIGHT_JOIN ctt c ON c.id = x.id

-- {"after","limit"}, or {"id"} or {"ticketNo"} for one CTT -> CTTs by rising
-- id, each with its NTT, its last successful resolve and its open operation;
-- then, for the CTTs without an open operation, all elements that were ever
-- changed.
@statement RECONCILE(:doc)
$takes_doc
DECLARE most INT DEFAULT JSON_VALUE(doc, '$.limit');
DECLARE after_id BIGINT UNSIGNED DEFAULT
	COALESCE(JSON_VALUE(doc, '$.after'), 0);
DECLARE the_id BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.id');
DECLARE the_number VARCHAR(64) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.ticketNo');
SELECT <compared_ctt> c.id, c.ticket_no, c.source, c.partner_ref, c.status,
	n.id AS ntt_id, n.ticket_no AS ntt_ticket_no,
	n.partner_ref AS ntt_partner_ref, r.partner, r.intent, r.remark,
	o.id AS open_operation
$compared_ctts
LEFT JOIN ntt n ON n.id = c.ntt_id
LEFT JOIN operation o ON o.open_ctt_id = c.id
LEFT JOIN operation r ON r.ctt_id = c.id AND r.seq = (SELECT MAX(p.seq)
	FROM operation p WHERE p.ctt_id = c.id AND p.kind = 'RESOLVE'
	AND p.state = 'SUCCEEDED')
ORDER BY c.id;
SELECT <compared_element> c.id AS ctt_id, c.ticket_no, $element
$compared_ctts
JOIN network_element e ON e.ctt_id = c.id
WHERE NOT EXISTS(SELECT 1 FROM operation o WHERE o.open_ctt_id = c.id)
	AND EXISTS(SELECT 1 FROM cpe_history h WHERE h.ctt_id = c.id
		AND h.network_element_id = e.id)
ORDER BY e.id;

-- {"name":[...]}, a partner's names of NTTs -> the NTTs that exist.
@statement NTTS_NAMED(:doc)
$takes_doc
SELECT <ntt_named> x.name, n.id
FROM JSON_TABLE(doc, '$.name[*]' COLUMNS(name VARCHAR(255) PATH '$')) x
STRAIGHT_JOIN ntt n ON n.ticket_no = x.name WHERE n.partner_ref IS NULL
UNION SELECT <ntt_named> x.name, n.id
FROM JSON_TABLE(doc, '$.name[*]' COLUMNS(name VARCHAR(255) PATH '$')) x
STRAIGHT_JOIN ntt n ON n.partner_ref = x.name;
