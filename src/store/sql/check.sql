-- The promises of contract section 10 that can be seen in the database. Each
-- statement returns a row for each breach: a line, and the SQL that would
-- repair it, or NULL (store/check.c, cttctl check). They run in the order of
-- this file.

@statement CHECK_LINK
SELECT <breach> CONCAT('ctt ', c.id, ': ', IF(c.ntt_id IS NULL,
	CONCAT('names NTT ', c.ntt_ticket_no, ' but has no ntt_id'),
	IF(n.id IS NULL,
		CONCAT('is linked to ntt ', c.ntt_id, ', which does not exist'),
		CONCAT('ntt_ticket_no is ', COALESCE(c.ntt_ticket_no, 'NULL'),
			', that of ntt ', n.id, ' is ', n.ticket_no)))) AS line,
	CONCAT('UPDATE ctt c LEFT JOIN ntt n ON n.id=c.ntt_id
		SET c.ntt_id=n.id,c.ntt_ticket_no=n.ticket_no WHERE c.id=',
		c.id, ';') AS mend
FROM ctt c LEFT JOIN ntt n ON n.id = c.ntt_id
WHERE NOT (c.ntt_ticket_no <=> n.ticket_no)
	OR (c.ntt_id IS NOT NULL AND n.id IS NULL)

-- The value that ntt n's count should have. A link is counted when its
-- operation is closed, although the link is saved before. An unlinked CTT is
-- counted until the operation of the unlink is closed. q: one quote, or two
-- inside of a text.
@macro linked(q)
((SELECT COUNT(*) FROM ctt c LEFT JOIN operation o ON o.open_ctt_id=c.id
	AND o.kind=${q}LINK$q AND NOT o.mends AND o.ntt_id=n.id
	WHERE c.ntt_id=n.id AND o.id IS NULL)+
(SELECT COUNT(*) FROM operation o JOIN ctt c ON c.id=o.open_ctt_id
	WHERE o.kind=${q}UNLINK$q AND o.ntt_id=n.id AND NOT o.mends
	AND o.open_ctt_id IS NOT NULL AND c.ntt_id IS NULL))

@statement CHECK_LINK_OPERATION
SELECT <breach> CONCAT('ctt ', u.id, ': is linked to ',
	COALESCE(CONCAT('ntt ', u.ntt_id), 'none'), ', but ', IF(u.op IS NULL,
		CONCAT('no operation did that, and it came linked to ',
			COALESCE(CONCAT('ntt ', u.said), 'none')),
		CONCAT('its last settled operation ', u.op, ' says ',
			COALESCE(CONCAT('ntt ', u.said), 'none')))) AS line,
	CONCAT('UPDATE ctt c LEFT JOIN ntt n ON n.id=',
		COALESCE(u.said, 'NULL'), ' SET c.ntt_id=n.id,
		c.ntt_ticket_no=n.ticket_no WHERE c.id=', u.id,
		'; UPDATE ntt n SET n.ctt_count=$linked('') WHERE n.id IN(',
		CONCAT_WS(',', u.ntt_id, u.said), ');') AS mend
FROM (SELECT c.id, c.ntt_id, o.id op, IF(o.id IS NULL, c.came_ntt_id,
		IF(o.kind = 'LINK', o.ntt_id, NULL)) said
	FROM ctt c LEFT JOIN operation o ON o.ctt_id = c.id AND o.seq = (
		SELECT MAX(p.seq) FROM operation p WHERE p.ctt_id = c.id
		AND p.kind IN ('LINK', 'UNLINK') AND p.state = 'SUCCEEDED'
		AND NOT p.mends)
	WHERE NOT EXISTS(SELECT 1 FROM operation q WHERE q.open_ctt_id = c.id)
	) u
WHERE NOT (u.ntt_id <=> u.said)

@statement CHECK_COUNT
SELECT <breach> CONCAT('ntt ', u.id, ': ctt_count is ', u.ctt_count,
		', linked CTTs are ', u.linked) AS line,
	CONCAT('UPDATE ntt n SET n.ctt_count=$linked('') WHERE n.id=', u.id,
		';') AS mend
FROM (SELECT n.id, n.ctt_count, $linked(') linked FROM ntt n) u
WHERE u.ctt_count <> u.linked

-- A missing audit row. The SQL has @SEAL@ in the place of the seal; the other
-- columns are the values from which the seal is made. A resolution is also in
-- the trail of the NTT to which the CTT was linked. The index is forced,
-- because the index by type would read half of the table for each row.
@statement CHECK_AUDIT
SELECT <audit_breach> CONCAT('operation ', l.operation_id, ': is ', l.state,
		', and has no ', l.entity_type, ' audit row that says so')
		AS line,
	CONCAT('INSERT INTO audit_log(entity_type,entity_id,action,outcome,
		actor,request_id,operation_id,detail,created_at,hash) SELECT ',
		QUOTE(l.entity_type), ',', l.entity_id, ',o.kind,',
		QUOTE(l.outcome),
		',o.actor,o.request_id,o.id,', QUOTE(l.detail),
		',UTC_TIMESTAMP(3),
		SHA2(CONCAT(COALESCE((SELECT p.hash FROM audit_log p WHERE
		p.entity_type=', QUOTE(l.entity_type), ' AND p.entity_id=',
		l.entity_id,
		' ORDER BY p.id DESC LIMIT 1),''''),@SEAL@,UTC_TIMESTAMP(3)),
		256) FROM operation o WHERE o.id=', QUOTE(l.operation_id),
		';') AS mend,
	$sealed
FROM (SELECT o.id operation_id, o.state, o.kind action, o.actor,
		o.request_id, e.type entity_type, '{"mended":true}' detail,
		IF(o.state = 'SUCCEEDED', 'SUCCESS', o.state) outcome,
		IF(e.type = 'CTT', o.ctt_id, COALESCE(o.ntt_id, n.id))
			entity_id
	FROM operation o
	JOIN (SELECT 'CTT' type UNION ALL SELECT 'NTT') e
	LEFT JOIN audit_log r FORCE INDEX(audit_log_operation)
		ON e.type = 'NTT' AND o.kind = 'RESOLVE'
		AND o.state = 'SUCCEEDED' AND r.operation_id = o.id
		AND r.entity_type = 'CTT'
	LEFT JOIN ntt n ON n.ticket_no = JSON_VALUE(r.detail, '$.nttTicketNo')
	LEFT JOIN audit_log l FORCE INDEX(audit_log_operation)
		ON l.operation_id = o.id AND l.entity_type = e.type
		AND l.outcome = IF(o.state = 'SUCCEEDED', 'SUCCESS', o.state)
	WHERE o.state IN ('SUCCEEDED', 'ROLLED_BACK', 'COMPENSATED')
		AND (e.type = 'CTT' OR NOT o.mends
			AND (o.kind IN ('LINK', 'UNLINK') OR n.id IS NOT NULL))
		AND l.id IS NULL) l

-- A closed operation has at most one audit row for each side. An operation that
-- a gate refused has none.
@statement CHECK_AUDIT_ONCE
SELECT <breach> CONCAT('operation ', l.operation_id, ': ', IF(o.id IS NULL, '',
		CONCAT('is ', o.state, ' and ')), 'has ', COUNT(*), ' ',
		l.entity_type, ' audit rows') AS line,
	NULL AS mend
FROM audit_log l LEFT JOIN operation o ON o.id = l.operation_id
WHERE l.operation_id <> '' GROUP BY l.operation_id, l.entity_type
HAVING COUNT(*) > MAX(COALESCE(o.state IN ('SUCCEEDED', 'ROLLED_BACK',
	'COMPENSATED'), 1))

-- The text that link_settle notes in the trace if the NTT has no work orders.
@constant NO_WORK_ORDERS "the NTT has no work orders to notify"

-- A missing job. Jobs that were old enough to be removed are not missed.
@statement CHECK_JOB
SELECT <breach> CONCAT('operation ', o.id, ': has no job ', t.type) AS line,
	CONCAT('INSERT INTO job(type,payload,dedupe_key,run_at,since,
		created_at,updated_at) SELECT ', QUOTE(t.type),
		',JSON_OBJECT(''operationId'',o.id,''cttId'',c.id,
		''cttTicketNo'',c.ticket_no,''nttId'',n.id,
		''nttTicketNo'',n.ticket_no,''actor'',o.actor,
		''requestId'',o.request_id', t.more,
		'),CONCAT(o.id,'':', t.type,
		'''),UTC_TIMESTAMP(3),UTC_TIMESTAMP(3),UTC_TIMESTAMP(3),
		UTC_TIMESTAMP(3) FROM operation o JOIN ctt c ON c.id=o.ctt_id
		LEFT JOIN ntt n ON n.id=COALESCE(o.ntt_id,c.ntt_id)
		WHERE o.id=', QUOTE(o.id), ';') AS mend
FROM operation o JOIN (
	SELECT 'LINK' kind, 'create-ctt-related-kci' type, '' more
	UNION ALL SELECT 'LINK', 'update-tmf-list', ''
	UNION ALL SELECT 'LINK', 'notify-work-orders', ',''workOrders'',
		COALESCE((SELECT JSON_ARRAYAGG(JSON_OBJECT(''id'',w.id,
		''orderNo'',w.order_no,''status'',w.status)) FROM work_order w
		WHERE w.ntt_id=n.id),JSON_ARRAY())'
	UNION ALL SELECT 'UNLINK', 'update-unlinked-ctt', ''
	UNION ALL SELECT 'RESOLVE', 'update-resolved-ctt', ''
	UNION ALL SELECT 'RESOLVE', 'sync-note-to-taas',
		',''text'',o.remark,''author'',o.actor'
	) t ON t.kind = o.kind
LEFT JOIN job b ON b.dedupe_key = CONCAT(o.id, ':', t.type)
WHERE o.state = 'SUCCEEDED' AND NOT o.mends AND b.id IS NULL
	AND o.updated_at >= COALESCE((SELECT r.removed_before FROM retention r
		WHERE r.what = 'job'), 0)
	AND (t.type <> 'sync-note-to-taas'
		OR o.partner = 'TAAS' AND o.remark IS NOT NULL)
	AND (t.type <> 'notify-work-orders'
		OR o.steps NOT LIKE '%$NO_WORK_ORDERS%')

-- Among the jobs of known types, a job is the only one of its type for its
-- operation, and names the operation's tickets.
@statement CHECK_JOB_FITS
SELECT <breach> CONCAT('job ', u.job, ' (', u.type, ' of operation ',
	u.operation, '): ', IF(u.id IS NULL, 'there is no such operation',
		IF(u.state <> 'SUCCEEDED', CONCAT('that is ', u.state),
			IF(u.second, 'is a second one', 'is of another ticket'))
		)) AS line,
	IF(u.id IS NULL OR u.state <> 'SUCCEEDED' OR u.second,
		CONCAT('DELETE FROM job WHERE id=', u.job, ';'),
		CONCAT('UPDATE job b JOIN operation o ON o.id=', QUOTE(u.id),
			' JOIN ctt c ON c.id=o.ctt_id
			LEFT JOIN ntt n ON n.id=o.ntt_id
			SET b.payload=JSON_SET(b.payload,''$.cttId'',c.id,
			''$.cttTicketNo'',c.ticket_no,''$.nttId'',COALESCE(n.id,
			JSON_VALUE(b.payload,''$.nttId'')),''$.nttTicketNo'',
			COALESCE(n.ticket_no,JSON_VALUE(b.payload,
			''$.nttTicketNo''))) WHERE b.id=', u.job, ';')) AS mend
FROM (SELECT b.id job, b.type, b.operation, o.id, o.state,
		b.dedupe_key <> CONCAT(o.id, ':', b.type) second,
		NOT (b.ctt_id <=> o.ctt_id)
		OR NOT (COALESCE(o.ntt_id, b.ntt_id) <=> b.ntt_id) other
	FROM (SELECT id, type, dedupe_key,
		CONVERT(JSON_VALUE(payload, '$.operationId') USING ascii)
			operation,
		CAST(JSON_VALUE(payload, '$.cttId') AS UNSIGNED) ctt_id,
		CAST(JSON_VALUE(payload, '$.nttId') AS UNSIGNED) ntt_id
		FROM job WHERE type IN ('create-ctt-related-kci',
			'update-tmf-list', 'notify-work-orders',
			'update-unlinked-ctt', 'update-resolved-ctt',
			'sync-note-to-taas')) b
	LEFT JOIN operation o ON o.id = b.operation COLLATE ascii_bin
	WHERE b.operation IS NOT NULL) u
WHERE u.id IS NULL OR u.state <> 'SUCCEEDED' OR u.second OR u.other

-- A job waits an hour at most (the limit of CTT_RETRY_CAP_MS).
@statement CHECK_JOB_LATE
SELECT <breach> CONCAT('job ', b.id, ' (', b.type, '): is to be delivered in ',
		TIMESTAMPDIFF(DAY, UTC_TIMESTAMP(3), b.run_at), ' days')
		AS line,
	CONCAT('UPDATE job SET run_at=UTC_TIMESTAMP(3) WHERE id=', b.id, ';')
		AS mend
FROM job b
WHERE b.state = 'READY' AND b.run_at > UTC_TIMESTAMP(3) + INTERVAL 1 DAY

-- The status that a successful operation gives to its CTT, which the intent
-- names; or NULL. In 0.4.0 and before, the intent of a RESOLVE did not name it.
@macro given_status(o)
COALESCE(JSON_VALUE($o.intent, '$.status'),
	IF($o.kind = 'RESOLVE', 'Resolved', NULL))

-- The SQL that adds the missing note to the activity of operation o.
@macro mend_note
CONCAT('INSERT INTO activity_note(ctt_id,activity_id,text,author,created_at)
	SELECT a.ctt_id,a.id,IF(o.kind=''UNLINK'',
	CONCAT_WS('': '',CONCAT(''Unlinked from NTT '',n.ticket_no),o.remark),
	o.remark),o.actor,UTC_TIMESTAMP(3) FROM operation o
	JOIN ctt_activity a ON a.operation_id=o.id
	LEFT JOIN ntt n ON n.id=o.ntt_id WHERE o.id=', QUOTE(o.id),
	' AND(o.kind=''UNLINK'' OR o.remark IS NOT NULL);')

-- An operation that gives a status has one activity. An unlink has one if the
-- CTT had an activity before.
@statement CHECK_ACTIVITY
SELECT <breach> CONCAT('operation ', o.id, ': has ', COUNT(a.id), ' activities')
		AS line,
	IF(COUNT(a.id), NULL, CONCAT('INSERT INTO ctt_activity(ctt_id,type,
		status,cause_code,disposition,resolution_code,delay_reason,
		created_by,created_at,operation_id) SELECT c.id,',
		IF(o.kind = 'UNLINK',
			'''Follow Up'',c.status,NULL,NULL,NULL,NULL',
			CONCAT('JSON_VALUE(o.intent,''$.type''),',
			QUOTE($given_status(o)), ',
			JSON_VALUE(o.intent,''$.causeCode''),
			JSON_VALUE(o.intent,''$.disposition''),
			JSON_VALUE(o.intent,''$.resolutionCode''),
			JSON_VALUE(o.intent,''$.delayReason'')')),
		',o.actor,UTC_TIMESTAMP(3),o.id FROM operation o
		JOIN ctt c ON c.id=o.ctt_id WHERE o.id=', QUOTE(o.id), '; ',
		$mend_note)) AS mend
FROM operation o LEFT JOIN $activity_of(o.id)
WHERE o.state = 'SUCCEEDED' AND NOT o.mends
	AND ($given_status(o) IS NOT NULL OR o.kind = 'UNLINK'
	AND o.steps LIKE '%["follow_up","ok",%')
GROUP BY o.id HAVING COUNT(a.id) <> 1

-- A CTT has the status that the last operation gave to it, until another
-- program adds an activity or closes the CTT. Only a resolved one has a time.
@statement CHECK_STATUS
SELECT <breach> CONCAT('ctt ', u.id, ': is ', u.status, ', resolved at ',
		COALESCE(u.resolved_at, 'no time'), ', and operation ', u.op,
		IF(u.at IS NULL, CONCAT(' made it ', u.given),
			CONCAT(' resolved it at ', u.at))) AS line,
	CONCAT('UPDATE ctt c JOIN operation o ON o.id=', QUOTE(u.op),
		' SET c.status=', QUOTE(u.given), ',c.resolved_at=',
		IF(u.at IS NULL, 'NULL', 'o.updated_at'),
		' WHERE c.id=', u.id, ';') AS mend
FROM (SELECT c.id, c.status, c.resolved_at, o.id op, a.id activity,
		$given_status(o) given,
		IF($given_status(o) = 'Resolved', o.updated_at, NULL) at
	FROM ctt c
	JOIN operation o ON o.ctt_id = c.id AND o.seq = (SELECT MAX(p.seq)
		FROM operation p WHERE p.ctt_id = c.id
		AND $given_status(p) IS NOT NULL
		AND p.state = 'SUCCEEDED' AND NOT p.mends)
	JOIN $activity_of(o.id)
	WHERE c.status NOT IN ('Closed', 'Cancel')) u
WHERE (LOWER(u.status) <> LOWER(u.given)
	OR (u.resolved_at IS NULL) <> (u.at IS NULL)
	OR ABS(TIMESTAMPDIFF(SECOND, u.at, u.resolved_at)) > 60)
	AND NOT EXISTS(SELECT 1 FROM ctt_activity b WHERE b.ctt_id = u.id
		AND b.id > u.activity AND b.operation_id IS NULL)

-- An activity that cttd made has exactly one note with the expected text.
@statement CHECK_NOTE
SELECT <breach> CONCAT('operation ', u.op, ': its activity ', u.activity,
		' has ', COUNT(t.id), ' notes that say "', u.text, '"') AS line,
	IF(COUNT(t.id), CONCAT('DELETE FROM activity_note WHERE activity_id=',
		u.activity, ' AND id>', MIN(t.id), ' AND BINARY text=BINARY ',
		QUOTE(u.text), ';'),
	COALESCE((SELECT CONCAT('UPDATE activity_note SET text=', QUOTE(u.text),
			' WHERE id=', MAX(w.id), ';')
		FROM activity_note w WHERE w.ctt_id = u.ctt_id
		AND w.activity_id = u.activity AND w.author = u.actor), u.mend))
		AS mend
FROM (SELECT o.id op, o.actor, a.id activity, a.ctt_id,
		IF(o.kind = 'UNLINK', CONCAT_WS(': ',
			CONCAT('Unlinked from NTT ', COALESCE(JSON_VALUE(
				o.partner_call, '$.nttTicketNo'), n.ticket_no)),
			o.remark), o.remark) text, $mend_note mend
	FROM operation o JOIN $activity_of(o.id)
	LEFT JOIN ntt n ON n.id = o.ntt_id
	WHERE o.state = 'SUCCEEDED' AND NOT o.mends AND (o.kind = 'UNLINK'
		OR $given_status(o) IS NOT NULL AND o.remark IS NOT NULL)) u
LEFT JOIN activity_note t ON t.ctt_id = u.ctt_id
	AND t.activity_id = u.activity AND BINARY t.text = BINARY u.text
GROUP BY u.activity HAVING COUNT(t.id) <> 1

@statement CHECK_HISTORY
SELECT <breach> CONCAT('operation ', o.id, ': has ', COUNT(h.id),
		' rows of CPE history') AS line,
	IF(COUNT(h.id), NULL, CONCAT('INSERT INTO cpe_history(ctt_id,
		network_element_id,before_json,after_json,actor,operation_id,
		created_at) SELECT o.ctt_id,
		JSON_VALUE(o.intent,''$.networkElementId''),
		JSON_QUERY(o.intent,''$.before''),
		JSON_QUERY(o.intent,''$.after''),o.actor,o.id,UTC_TIMESTAMP(3)
		FROM operation o WHERE o.id=', QUOTE(o.id), ';')) AS mend
FROM operation o LEFT JOIN cpe_history h
	ON h.ctt_id = o.ctt_id AND h.operation_id = o.id
WHERE o.kind = 'CPE_UPDATE' AND o.state = 'SUCCEEDED' AND NOT o.mends
GROUP BY o.id HAVING COUNT(h.id) <> 1

-- An element and its copy for reporting are as the last operation left them.
@macro is_after(t)
($t.manufacturer <=> JSON_VALUE(o.intent, '$.after.manufacturer')
		COLLATE utf8mb4_bin
	AND $t.model <=> JSON_VALUE(o.intent, '$.after.model')
		COLLATE utf8mb4_bin
	AND $t.ip_address <=> JSON_VALUE(o.intent, '$.after.ipAddress')
	AND $t.bandwidth_mbps <=> JSON_VALUE(o.intent, '$.after.bandwidthMbps')
	AND $t.port <=> JSON_VALUE(o.intent, '$.after.port')
		COLLATE utf8mb4_bin)

@macro after(member)
JSON_VALUE(o.intent,''$.after.$member'')

@macro last_cpe
FROM (SELECT JSON_VALUE(p.intent, '$.networkElementId') element,
		MAX(p.seq) seq
	FROM operation p WHERE p.kind = 'CPE_UPDATE' AND p.state = 'SUCCEEDED'
		AND NOT p.mends GROUP BY element) u
JOIN operation o ON o.seq = u.seq
JOIN network_element e ON e.id = CAST(u.element AS UNSIGNED)

@statement CHECK_ELEMENT
SELECT <breach> CONCAT('network_element ', e.id,
		': differs from what operation ', o.id, ' made of it') AS line,
	CONCAT('UPDATE network_element e JOIN operation o ON o.id=',
		QUOTE(o.id), ' SET e.manufacturer=$after(manufacturer),
		e.model=$after(model),e.ip_address=$after(ipAddress),
		e.bandwidth_mbps=$after(bandwidthMbps),e.port=$after(port)
		WHERE e.id=', e.id, ';') AS mend
$last_cpe WHERE NOT $is_after(e)

@statement CHECK_COPY
SELECT <breach> CONCAT('corp_data_temp of network_element ', e.id,
		IF(t.id IS NULL, ': is missing', ': differs'),
		' since operation ', o.id) AS line,
	CONCAT('REPLACE INTO corp_data_temp(ctt_id,network_element_id,
		manufacturer,model,ip_address,bandwidth_mbps,port,updated_at)
		SELECT o.ctt_id,', e.id, ',$after(manufacturer),$after(model),
		$after(ipAddress),$after(bandwidthMbps),$after(port),
		UTC_TIMESTAMP(3) FROM operation o WHERE o.id=', QUOTE(o.id),
		';') AS mend
$last_cpe
LEFT JOIN corp_data_temp t ON t.network_element_id = e.id
WHERE t.id IS NULL OR t.ctt_id <> o.ctt_id OR NOT $is_after(t)

-- An open operation that no process tries, or that is open for an hour: longer
-- than a partner should be away.
@statement CHECK_OPEN
SELECT <breach> CONCAT('operation ', o.id, ': is ', o.state,
	IF(o.next_try_at < UTC_TIMESTAMP(3) - INTERVAL 60 SECOND,
		CONCAT(', and was due ', TIMESTAMPDIFF(SECOND, o.next_try_at,
			UTC_TIMESTAMP(3)), ' s ago'),
		CONCAT(' for ', TIMESTAMPDIFF(SECOND, o.created_at,
			UTC_TIMESTAMP(3)), ' s, after ', o.tries, ' tries')))
		AS line,
	CONCAT('UPDATE operation SET owner=NULL,next_try_at=UTC_TIMESTAMP(3)
		WHERE id=', QUOTE(o.id), ';') AS mend
FROM operation o
WHERE o.open_ctt_id IS NOT NULL
	AND (o.next_try_at < UTC_TIMESTAMP(3) - INTERVAL 60 SECOND
		AND $abandoned(o)
		OR o.created_at < UTC_TIMESTAMP(3) - INTERVAL 1 HOUR)
