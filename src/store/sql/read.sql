-- One ticket, one operation, the list of values: web/read.c.

-- {"id":operation} -> the operation; its jobs. the_id has the column's
-- character set; otherwise the server would convert each row to compare it.
@statement READ_OPERATION(:doc)
$takes_doc
DECLARE the_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin
	DEFAULT JSON_VALUE(doc, '$.id');
$snapshot
SELECT <operation_read> $operation, o.partner, o.actor, o.request_id, o.steps,
	o.error_code, o.last_error, $utc(o.created_at) AS created_at,
	$utc(o.updated_at) AS updated_at, IF(o.open_ctt_id IS NULL, NULL,
		$utc(o.next_try_at)) AS next_try_at
FROM operation o
LEFT JOIN ctt c ON c.id = o.ctt_id LEFT JOIN ntt n ON n.id = o.ntt_id
WHERE o.id = the_id;
SELECT <job_of_operation> b.id, b.type, b.state, b.attempts, b.last_error,
	$utc(b.created_at) AS created_at, $utc(b.updated_at) AS updated_at,
	IF(b.state = 'READY', $utc(b.run_at), NULL) AS next_try_at
FROM job b
WHERE b.dedupe_key > CONCAT(the_id, ':') AND b.dedupe_key < CONCAT(the_id, ';')
ORDER BY b.id;
COMMIT;

-- {"id":ctt} -> the CTT; its open operation; its latest activity; notes;
-- network elements; recent audit rows.
@statement READ_CTT(:doc)
$takes_doc
DECLARE the_id BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.id');
$snapshot
SELECT <ctt_read> $ctt, c.title, c.external_sync, c.segment_group,
	$utc(c.resolved_at) AS resolved_at, $utc(c.created_at) AS created_at,
	$utc(c.updated_at) AS updated_at
FROM ctt c WHERE c.id = the_id;
SELECT <open_operation> o.id, o.kind, o.state, o.actor,
	$utc(o.created_at) AS created_at, $utc(o.next_try_at) AS next_try_at,
	o.last_error
FROM operation o WHERE o.open_ctt_id = the_id;
SELECT <activity> a.id, a.type, a.status, a.cause_code, a.disposition,
	a.resolution_code, a.delay_reason, a.created_by,
	$utc(a.created_at) AS created_at
FROM ctt_activity a WHERE a.ctt_id = the_id ORDER BY a.id DESC LIMIT 1;
SELECT <note> t.id, t.activity_id, t.text, t.author,
	$utc(t.created_at) AS created_at
FROM activity_note t WHERE t.ctt_id = the_id ORDER BY t.id DESC LIMIT 50;
SELECT <element> $element
FROM network_element e WHERE e.ctt_id = the_id ORDER BY e.id;
SELECT <audit> $audit FROM audit_log l
WHERE l.entity_type = 'CTT' AND l.entity_id = the_id
ORDER BY l.id DESC LIMIT 50;
COMMIT;

-- {"id":ntt} -> the NTT; its work orders; recent audit rows.
@statement READ_NTT(:doc)
$takes_doc
DECLARE the_id BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.id');
$snapshot
SELECT <ntt_read> $ntt_shown, $utc(n.created_at) AS created_at,
	$utc(n.updated_at) AS updated_at
FROM ntt n WHERE n.id = the_id;
SELECT <work_order> w.id, w.order_no, w.status FROM work_order w
WHERE w.ntt_id = the_id ORDER BY w.id;
SELECT <audit> $audit FROM audit_log l
WHERE l.entity_type = 'NTT' AND l.entity_id = the_id
ORDER BY l.id DESC LIMIT 50;
COMMIT;

@statement READ_LOV
SELECT <lov_read> type, code, label FROM lov WHERE active ORDER BY type, code
