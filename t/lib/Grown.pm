package Grown;

# A database that has been in use for long: what there is for each CTT is the
# same whatever their number, so that only the size of the tables differs.

use v5.36;

use constant {
	CTTS_PER_NTT   => 100,
	AUDITS_PER_CTT => 5,
};

# How many NTTs go with so many CTTs.
sub ntts ($ctts) { return $ctts / CTTS_PER_NTT }

# The statements that make it of that many CTTs of cttctl seed, the only ones:
# the younger half of TMF's are linked, by an operation each, with its jobs;
# and for each CTT there are five audit rows, older than the operations'.
sub statements ($ctts) {
	my $ntts = ntts($ctts);
	my $op = "CONCAT('0-grown-', c.id)";
	my $audits = AUDITS_PER_CTT * $ctts;

	return (
	    "UPDATE ctt c JOIN ntt n ON n.id = 1 + c.id % $ntts"
	    . ' SET c.ntt_id = n.id, c.ntt_ticket_no = n.ticket_no'
	    . " WHERE c.source = 'TMF' AND c.id > $ctts / 2",
	    'UPDATE ntt n SET ctt_count ='
	    . ' (SELECT COUNT(*) FROM ctt WHERE ntt_id = n.id)',
	    'INSERT INTO operation(id, kind, state, ctt_id, ntt_id, partner,'
	    . " actor, request_id) SELECT $op, 'LINK', 'SUCCEEDED', c.id,"
	    . " c.ntt_id, 'TMF', 'grown', $op FROM ctt c"
	    . ' WHERE c.ntt_id IS NOT NULL',
	    'INSERT INTO job(type, payload, dedupe_key, state) SELECT t.type,'
	    . " '{}', CONCAT($op, ':', t.type), 'DONE' FROM ctt c,"
	    . " (SELECT 'create-ctt-related-kci' type UNION SELECT"
	    . " 'update-tmf-list' UNION SELECT 'notify-work-orders') t"
	    . ' WHERE c.ntt_id IS NOT NULL',
	    # in parts, or the undo log of millions of rows would be one
	    (map { 'INSERT INTO audit_log(entity_type, entity_id, action,'
		. ' outcome, actor, request_id, operation_id, detail) SELECT'
		. " IF(seq % 2, 'CTT', 'NTT'), IF(seq % 2,"
		. " 1 + seq DIV 2 % $ctts, 1 + seq DIV 2 % $ntts), 'LINK',"
		. " 'SUCCESS', 'grown', '', CONCAT('0-old-', seq DIV 2), '{}'"
		. " FROM seq_1_to_$audits WHERE seq % 10 = $_" } 0 .. 9),
	    'INSERT INTO audit_log(entity_type, entity_id, action, outcome,'
	    . ' actor, operation_id) SELECT e.type, IF(e.type ='
	    . " 'CTT', o.ctt_id, o.ntt_id), 'LINK', 'SUCCESS', o.actor, o.id"
	    . " FROM operation o, (SELECT 'CTT' type UNION SELECT 'NTT') e",
	    # which were there before the trail was chained
	    'REPLACE INTO audit_start SELECT 1, MAX(id) FROM audit_log',
	    'ANALYZE TABLE ctt, ntt, operation, job, audit_log, ctt_activity,'
	    . ' work_order, network_element, activity_note, cpe_history');
}

1;
