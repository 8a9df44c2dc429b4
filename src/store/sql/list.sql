-- The lists, which are read page by page: web/list.c. NULL means no filter.

@macro page
DECLARE most INT DEFAULT JSON_VALUE(doc, '$.limit');
DECLARE after_id BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.after');

-- {"requestId","cttId","nttId","state","after":seq,"limit"} -> the number of
-- the request's operations in each state; a page. The operations of a request
-- come in their order; other lists begin with the latest. If a client uses one
-- request id again and again, only 20,000 operations are counted.
@macro page_of_operations(index; where; order)
SELECT <operation_listed> $operation, o.partner, o.error_code,
	$utc(o.created_at) AS created_at, $utc(o.updated_at) AS updated_at,
	o.seq AS next
FROM operation o FORCE INDEX($index)
LEFT JOIN ctt c ON c.id = o.ctt_id LEFT JOIN ntt n ON n.id = o.ntt_id
WHERE $where AND (of_ctt IS NULL OR o.ctt_id = of_ctt)
	AND (of_ntt IS NULL OR o.ntt_id = of_ntt)
	AND (in_state IS NULL OR o.state = in_state)
ORDER BY o.seq $order LIMIT most;

@statement LIST_OPERATIONS(:doc)
$takes_doc
$page
DECLARE of_request VARCHAR(64) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.requestId');
DECLARE in_state VARCHAR(16) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.state');
DECLARE of_ctt BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.cttId');
DECLARE of_ntt BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.nttId');
$snapshot
SELECT <state_count> p.state, COUNT(*) AS n
FROM (SELECT o.state FROM operation o FORCE INDEX(operation_request)
	WHERE $is_exactly(o.request_id; of_request) LIMIT 20000) p
GROUP BY p.state;
IF of_request IS NOT NULL THEN
	$page_of_operations(operation_request;
		$is_exactly(o.request_id; of_request)
		AND o.seq > COALESCE(after_id, 0); )
ELSE
	SET after_id = COALESCE(after_id, ~0);
	IF of_ctt IS NOT NULL THEN
		$page_of_operations(operation_ctt; o.ctt_id = of_ctt
			AND o.seq < after_id; DESC)
	ELSEIF of_ntt IS NOT NULL
		AND NOT (in_state <=> 'RUNNING' OR in_state <=> 'SETTLING') THEN
		$page_of_operations(operation_ntt; o.ntt_id = of_ntt
			AND o.seq < after_id; DESC)
	ELSE -- few are open
		$page_of_operations(operation_state; o.state = in_state
			AND o.seq < after_id; DESC)
	END IF;
END IF;
COMMIT;

-- {"cttId","nttId","actor","from","to","after":id,"limit"} -> a page of the
-- audit trail, the latest first. The rows of one ticket are in the order of its
-- trail. Other rows are in the order of their times, because any number of rows
-- may lie between two times.
@macro page_of_audit(index; where; order)
SELECT <audit_listed> $audit, c.id AS ctt_id, c.ticket_no AS ctt_ticket_no,
	n.id AS ntt_id, n.ticket_no AS ntt_ticket_no
FROM audit_log l FORCE INDEX($index)
LEFT JOIN ctt c ON l.entity_type = 'CTT' AND c.id = l.entity_id
LEFT JOIN ntt n ON l.entity_type = 'NTT' AND n.id = l.entity_id
WHERE $where AND (by_actor IS NULL OR $is_exactly(l.actor; by_actor))
	AND l.created_at >= from_time AND l.created_at <= to_time
ORDER BY $order LIMIT most;

@macro before_it
(l.created_at < before_time OR l.created_at = before_time AND l.id < after_id)

@statement LIST_AUDIT(:doc)
$takes_doc
$page
DECLARE of_ctt BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.cttId');
DECLARE of_ntt BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.nttId');
DECLARE by_actor VARCHAR(128) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.actor');
DECLARE from_time DATETIME(3) DEFAULT JSON_VALUE(doc, '$.from');
DECLARE to_time DATETIME(3) DEFAULT JSON_VALUE(doc, '$.to');
DECLARE before_time DATETIME(3);
SET from_time = COALESCE(from_time, '1000-01-01'),
	to_time = COALESCE(to_time, '9999-12-31'), before_time = to_time;
IF after_id IS NOT NULL THEN
	SELECT l.created_at INTO before_time FROM audit_log l
	WHERE l.id = after_id;
END IF;
SET after_id = COALESCE(after_id, ~0);
IF of_ctt IS NOT NULL OR of_ntt IS NOT NULL THEN
	$page_of_audit(audit_log_entity;
		l.entity_type = IF(of_ctt IS NULL, 'NTT', 'CTT')
		AND l.entity_id = COALESCE(of_ctt, of_ntt)
		AND l.id < after_id; l.id DESC)
ELSEIF by_actor IS NOT NULL THEN
	$page_of_audit(audit_log_actor; l.actor = by_actor AND $before_it;
		l.created_at DESC, l.id DESC)
ELSE
	$page_of_audit(audit_log_time; $before_it;
		l.created_at DESC, l.id DESC)
END IF;

-- {"id":ctt,"after":id,"limit"} -> the CTT's id; a page of the changes of its
-- equipment, the latest first.
@statement READ_CPE_HISTORY(:doc)
$takes_doc
$page
DECLARE the_id BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.id');
SELECT c.id FROM ctt c WHERE c.id = the_id;
SELECT <history_listed> h.id, h.network_element_id, e.name, h.before_json,
	h.after_json, h.actor, h.operation_id, $utc(h.created_at) AS created_at
FROM cpe_history h FORCE INDEX(cpe_history_ctt)
LEFT JOIN network_element e ON e.id = h.network_element_id
WHERE h.ctt_id = the_id AND h.id < COALESCE(after_id, ~0)
ORDER BY h.id DESC LIMIT most;

-- {"id":ntt,"after":id,"limit"} -> the NTT's id; a page of its CTTs. All lists
-- of CTTs read the open operation in the same statement; otherwise a CTT could
-- be shown as linked while its operation is still open.
@statement READ_NTT_CTTS(:doc)
$takes_doc
$page
DECLARE the_id BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.id');
SELECT n.id FROM ntt n WHERE n.id = the_id;
SELECT <ctt_listed> $ctt, o.id AS open_operation, c.id AS next
FROM ctt c FORCE INDEX(ctt_ntt)
LEFT JOIN operation o ON o.open_ctt_id = c.id
WHERE c.ntt_id = the_id AND c.id > COALESCE(after_id, 0)
ORDER BY c.id LIMIT most;

-- {"status":[...]} -> for each, in this order, the label that tickets store;
-- NULL: it is neither the code nor the label of a status.
@statement STATUS_LABELS(:doc)
$takes_doc
SELECT <status_label> x.n, MIN(v.label) AS label
FROM JSON_TABLE(doc, '$.status[*]' COLUMNS(n FOR ORDINALITY,
	word VARCHAR(128) CHARACTER SET utf8mb4 PATH '$')) x
LEFT JOIN lov v ON v.type = 'CTT_STATUS'
	AND (v.code = x.word OR v.label = x.word)
GROUP BY x.n ORDER BY x.n;

-- A page of tickets by rising id. With updatedSince: by the time of the last
-- change. The statement reads no more rows than it shows, as far as an index
-- allows:
--
-- status, linked	Indexes by status, by linked and by both have the order
--			of ids; an index by status has the order of changes.
--			With updatedSince, rows with the other `linked` are read
--			and skipped.
-- many statuses	One page is read for each; the first rows of all are
--			taken.
-- q			If fewer than 1,000 numbers begin with it (few), they
--			are found by the index of the numbers, and sorted. If
--			more do, the tickets are read in the order of the list,
--			and others are skipped. This takes long if the matching
--			tickets are far from the cursor, or if few of them also
--			have the status or the link of the filter: no index
--			has both the order of ids and that of numbers.
@macro asked_tickets
$page
DECLARE begins VARCHAR(255) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.q');
DECLARE the_number VARCHAR(64) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.ticketNo');
DECLARE status0 VARCHAR(32) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.status[0]');
DECLARE status1 VARCHAR(32) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.status[1]');
DECLARE status2 VARCHAR(32) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.status[2]');
DECLARE status3 VARCHAR(32) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.status[3]');
DECLARE status4 VARCHAR(32) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.status[4]');
DECLARE status5 VARCHAR(32) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.status[5]');
DECLARE status6 VARCHAR(32) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.status[6]');
DECLARE status7 VARCHAR(32) CHARACTER SET utf8mb4
	DEFAULT JSON_VALUE(doc, '$.status[7]');
DECLARE is_linked INT DEFAULT JSON_VALUE(doc, '$.linked');
DECLARE since DATETIME(3) DEFAULT JSON_VALUE(doc, '$.behindTime');
DECLARE behind_id BIGINT UNSIGNED DEFAULT JSON_VALUE(doc, '$.behindId');
DECLARE few INT DEFAULT 1000;
SET after_id = COALESCE(after_id, 0), behind_id = COALESCE(behind_id, 0),
	since = COALESCE(since, JSON_VALUE(doc, '$.updatedSince'));

@macro ids_by(table; index; where; order)
(SELECT t.id, t.updated_at FROM $table t FORCE INDEX($index)
	WHERE $where AND (begins IS NULL OR t.ticket_no LIKE begins)
	AND (status0 IS NULL OR t.status IN (status0, status1, status2, status3,
		status4, status5, status6, status7))
	AND (is_linked IS NULL OR t.linked = is_linked) AND t.id > after_id
	ORDER BY $order t.id LIMIT most)

@macro ids_by_status(table; index; and; order)
$ids_by($table; $index; t.status = status0 $and; $order)
UNION $ids_by($table; $index; t.status = status1 $and; $order)
UNION $ids_by($table; $index; t.status = status2 $and; $order)
UNION $ids_by($table; $index; t.status = status3 $and; $order)
UNION $ids_by($table; $index; t.status = status4 $and; $order)
UNION $ids_by($table; $index; t.status = status5 $and; $order)
UNION $ids_by($table; $index; t.status = status6 $and; $order)
UNION $ids_by($table; $index; t.status = status7 $and; $order)
ORDER BY $order id LIMIT most

@macro changed_since
(t.updated_at > since OR t.updated_at = since AND t.id > behind_id)

-- The order of the list, for rows that were found in another order.
@macro in_order(t)
IF(since IS NULL, NULL, $t.updated_at),

@macro ids_by_number(table; where)
$ids_by($table; ${table}_ticket_no; $where
	AND (since IS NULL OR $changed_since); $in_order(t))

-- The cursor of the page after this row.
@macro cursor(t)
IF(since IS NULL, $t.id, CONCAT($utc($t.updated_at), '-', $t.id)) AS next

@macro show_ctt(ids)
SELECT <ctt_listed> $ctt, o.id AS open_operation, $cursor(c)
FROM ($ids) x STRAIGHT_JOIN ctt c ON c.id = x.id
LEFT JOIN operation o ON o.open_ctt_id = c.id
ORDER BY $in_order(c) c.id;

@macro show_ntt(ids)
SELECT <ntt_listed> $ntt_shown, $cursor(n)
FROM ($ids) x STRAIGHT_JOIN ntt n ON n.id = x.id
ORDER BY $in_order(n) n.id;

@macro list(table)
$takes_doc
$asked_tickets
IF the_number IS NULL AND begins IS NOT NULL THEN
	SELECT COUNT(*) INTO few FROM (SELECT 1 FROM $table
		FORCE INDEX(${table}_ticket_no) WHERE ticket_no LIKE begins
		LIMIT 1000) x;
END IF;
IF the_number IS NOT NULL THEN
	$show_${table}($ids_by_number($table;
		$is_exactly(t.ticket_no; the_number)))
ELSEIF few < 1000 THEN
	$show_${table}($ids_by_number($table; t.ticket_no LIKE begins))
ELSEIF since IS NOT NULL AND status0 IS NOT NULL THEN
	$show_${table}($ids_by_status($table; ${table}_status_updated;
		AND $changed_since; updated_at,))
ELSEIF since IS NOT NULL THEN
	$show_${table}($ids_by($table; ${table}_updated; $changed_since;
		updated_at,))
ELSEIF status0 IS NULL AND is_linked IS NULL THEN
	$show_${table}($ids_by($table; PRIMARY; TRUE; ))
ELSEIF is_linked IS NULL THEN
	$show_${table}($ids_by_status($table; ${table}_status; ; ))
ELSEIF status0 IS NULL THEN
	$show_${table}($ids_by($table; ${table}_linked; t.linked = is_linked; ))
ELSE
	$show_${table}($ids_by_status($table; ${table}_status_linked;
		AND t.linked = is_linked; ))
END IF;

-- {"q" (a pattern),"ticketNo","status":[up to 8],"linked","updatedSince",
-- "after":id,"behindTime","behindId","limit"} -> a page.
@statement LIST_CTT(:doc)
$list(ctt)

@statement LIST_NTT(:doc)
$list(ntt)
