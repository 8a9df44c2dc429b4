-- The tickets of a batch, and the rows that the gates check: store/load.c.

-- {"ctt":[number...],"ntt":[number...]} -> two result sets of ids and numbers,
-- of CTTs and of NTTs. The collation finds more than the given numbers: the
-- caller must compare them.
@statement TICKET_IDS(:doc)
$takes_doc
SELECT <ticket_id> c.id, c.ticket_no
FROM JSON_TABLE(doc, '$.ctt[*]' COLUMNS(no VARCHAR(64) PATH '$')) x
STRAIGHT_JOIN ctt c ON c.ticket_no = x.no;
SELECT <ticket_id> n.id, n.ticket_no
FROM JSON_TABLE(doc, '$.ntt[*]' COLUMNS(no VARCHAR(64) PATH '$')) x
STRAIGHT_JOIN ntt n ON n.ticket_no = x.no;

-- Each LOAD begins the transaction and locks the CTTs. It returns one result
-- set, because each result set costs a packet: a UNION whose first column names
-- the part. The parts have different columns; scripts/embed-statements adds the
-- NULLs that make them equally long. :ctts [ctt...] and :ntts [ntt...] have
-- rising ids; :pairs is [[ctt,ntt]...]. For a batch of one item, :ctt and :ntt
-- are its ids, and the other parameters are not read.
@params load
:ctts :ntts :pairs :block_s :ctt :ntt

@macro the_ctts
$ids(:ctts) STRAIGHT_JOIN ctt c ON c.id = x.id

@macro the_pairs
JSON_TABLE(:pairs, '$[*]' COLUMNS(c BIGINT UNSIGNED PATH '$[0]',
	n BIGINT UNSIGNED PATH '$[1]')) x
STRAIGHT_JOIN operation o ON o.ctt_id = x.c AND o.ntt_id = x.n WHERE

-- The first part, because it may wait for another transaction. The parts are
-- read in turn (READ COMMITTED), so the later parts see what that transaction
-- committed.
@macro locked_ctts(from; wait)
(SELECT <load.ctt> $ctt, c.external_sync, c.segment_group, c.partner_ref
	FROM $from FOR UPDATE $wait)

@macro open_operations(from)
UNION ALL SELECT <load.open> o.open_ctt_id AS ctt_id, o.id, o.kind, o.state,
	$abandoned(o) AS orphan, o.owner,
	TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), o.next_try_at) DIV 1000
		AS next_in_ms
	FROM $from

-- One row for each work order of an NTT. The same NTT may be found twice.
@macro ntts(from; where)
UNION ALL SELECT <load.ntt> $ntt, w.id AS order_id, w.order_no,
	w.status AS order_status, n.partner_ref, n.status
	FROM $from LEFT JOIN work_order w ON w.ntt_id = n.id $where

-- The links and unlinks of a pair in the last :block_s seconds. One that is
-- further in the future was stored before the clock was set back.
@macro pairs(from)
UNION ALL SELECT <load.pair> o.ctt_id, o.ntt_id, o.kind, o.seq,
	TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3),
		o.updated_at + INTERVAL :block_s SECOND) DIV 1000 AS left_ms
	FROM $from o.kind IN ('LINK', 'UNLINK') AND o.state = 'SUCCEEDED'
	AND NOT o.mends
	AND o.updated_at > UTC_TIMESTAMP(3) - INTERVAL :block_s SECOND
	AND o.updated_at <= UTC_TIMESTAMP(3) + INTERVAL :block_s SECOND

-- The latest activity of each CTT.
@macro activities
UNION ALL SELECT <load.activity> a.ctt_id, a.id, a.type, a.status,
	a.cause_code, a.disposition, a.resolution_code, a.delay_reason
	FROM $ids(:ctts) STRAIGHT_JOIN ctt_activity a ON a.id =
		(SELECT MAX(b.id) FROM ctt_activity b WHERE b.ctt_id = x.id)

@macro one_item(wait)
START TRANSACTION;
$locked_ctts(ctt c WHERE c.id = CAST(:ctt AS UNSIGNED); $wait)
$open_operations(operation o WHERE o.open_ctt_id = CAST(:ctt AS UNSIGNED))
$ntts(ntt n; WHERE n.id = CAST(:ntt AS UNSIGNED))
$pairs(operation o WHERE o.ctt_id = CAST(:ctt AS UNSIGNED)
	AND o.ntt_id = CAST(:ntt AS UNSIGNED) AND)

@macro tickets(more; wait)
START TRANSACTION;
$locked_ctts($the_ctts; $wait)
$open_operations($ids(:ctts) STRAIGHT_JOIN operation o
	ON o.open_ctt_id = x.id)
$ntts($ids(:ntts) STRAIGHT_JOIN ntt n ON n.id = x.id; )
$more
$pairs($the_pairs)

@statement LOAD(load) ends in rows
IF :ctt AND :ntt THEN
	$one_item();
ELSE
	$tickets(; );
END IF;

-- Also the NTTs to which the CTTs are linked.
@statement LOAD_ACTIVITIES(load) ends in rows
$tickets($ntts($the_ctts JOIN ntt n ON n.id = c.ntt_id; ); ) $activities;

@macro codes
UNION ALL SELECT <load.lov> type, code, label FROM lov WHERE active

@statement LOAD_LOV(load) ends in rows
$tickets(; ) $activities $codes;

@macro elements_of_ctts
UNION ALL SELECT <load.element> e.ctt_id, $element FROM $ids(:ctts)
	STRAIGHT_JOIN network_element e ON e.ctt_id = x.id

@statement LOAD_ELEMENTS(load) ends in rows
$tickets(; ) $activities $elements_of_ctts;

-- The same for items of several requests. They do not wait for a row that is
-- locked: the item is then without its CTT.
@statement LOAD_TOGETHER(load) ends in rows
IF :ctt AND :ntt THEN
	$one_item(SKIP LOCKED);
ELSE
	$tickets(; SKIP LOCKED);
END IF;

-- For items of different kinds: all that any of them needs.
@statement LOAD_ALL_TOGETHER(load) ends in rows
$tickets($ntts($the_ctts JOIN ntt n ON n.id = c.ntt_id; ); SKIP LOCKED)
$activities $codes $elements_of_ctts;
