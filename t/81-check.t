# cttctl check: each promise of section 10 that the database can show is broken
# by hand, found, named, and mended by the very SQL that check prints.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start(pool => 1, set => { CTT_UNLINK_BLOCK_TTL => 0 });
# Each kind's NTT is its own, so that its audit row is the last of the trail.
my ($here, $from, $there) = $c->given(ntt => {}, ntt => {}, ntt => {});
$c->given(work_order => { ntt_id => $here });
my ($linked, $freed, $resolved, $cpe, $idle, $came, $busy) = $c->given(
	ctt => {}, ctt => { linked => $from },
	ctt => { ticket_no => 'TaaS-1', linked => $there },
	ctt => { segment_group => 'Managed Services' }, ctt => {},
	ctt => { linked => $from }, ctt => {});
$c->given_activity($freed);
my $activity = $c->given_activity($resolved);
my $element = $c->given_element($cpe, model => 'HG8245');

# One success of each kind; "it's" has to be quoted in what mends.
is $_->{status}, 200, 'a success' for $c->link($linked, $here),
    $c->unlink_from($from, [$freed]),
    $c->resolve($activity, $resolved, remark => "it's done"),
    $c->update_cpe($cpe, { manufacturer => 'Nokia', model => 'G-240W',
	port => '1/1/2', ipAddress => '10.0.0.2', bandwidthMbps => 500 });
my $never = $c->given(ctt => {});
is $c->link($never, 4711)->{status}, 404,
    'and a refusal';
ok $c->quiet, 'the jobs are delivered';
ok $c->stack('stop', 'worker'), 'nobody repairs anything';
# Rows of the trail are taken away: of those that the worker has noted, too.
ok truncate($c->env('CTT_AUDIT_HEADS_FILE'), 0), 'the heads are not known';

sub op ($ctt) {
	return $c->one('SELECT id FROM operation WHERE ctt_id = ?', $ctt);
}

my %op = (link => op($linked), unlink => op($freed), resolve => op($resolved),
	cpe => op($cpe), refused => op($never));

sub open_operation ($id, $times) {
	return 'INSERT INTO operation (id, kind, state, ctt_id, ntt_id, actor,'
	    . " next_try_at, created_at) VALUES ('$id', 'LINK', 'SETTLING',"
	    . " $busy, $here, 'x', UTC_TIMESTAMP(3) $times->[0],"
	    . " UTC_TIMESTAMP(3) $times->[1])";
}

# Name, what breaks it, the row that is named; what is done by hand, where the
# SQL that is printed is none, or goes another way.
for (
	[ 'a count too high', "UPDATE ntt SET ctt_count = 3 WHERE id = $here",
		"ntt $here" ],
	[ 'a count too low', "UPDATE ntt SET ctt_count = 0 WHERE id = $here",
		"ntt $here" ],
	[ 'a link to nowhere', "UPDATE ctt SET ntt_id = 99 WHERE id = $linked",
		"ctt $linked" ],
	[ 'the number of another NTT', 'UPDATE ctt SET ntt_ticket_no ='
		. " 'N-$there' WHERE id = $linked", "ctt $linked" ],
	[ 'a number left over', 'UPDATE ctt SET ntt_ticket_no ='
		. " 'N-$there' WHERE id = $idle", "ctt $idle" ],
	[ 'a link that went away', 'UPDATE ctt SET ntt_id = NULL,'
		. " ntt_ticket_no = NULL WHERE id = $linked", "ctt $linked" ],
	[ 'a link without an operation', "UPDATE ctt SET ntt_id = $here,"
		. " ntt_ticket_no = 'N-$here' WHERE id = $idle", "ctt $idle" ],
	[ 'a link without an operation, counted', 'UPDATE ctt, ntt SET'
		. " ntt_id = $here, ntt_ticket_no = 'N-$here',"
		. " ctt_count = ctt_count + 1 WHERE ctt.id = $idle"
		. " AND ntt.id = $here", "ctt $idle" ],
	[ 'a link after an unlink', 'UPDATE ctt, ntt SET'
		. " ntt_id = $there, ntt_ticket_no = 'N-$there',"
		. " ctt_count = ctt_count + 1 WHERE ctt.id = $freed"
		. " AND ntt.id = $there", "operation $op{unlink}" ],
	[ 'a link that came, moved', 'UPDATE ctt, ntt SET'
		. " ntt_id = $here, ntt_ticket_no = 'N-$here',"
		. ' ctt_count = ctt_count + IF('
		. "ntt.id = $here, 1, -1) WHERE ctt.id = $came"
		. " AND ntt.id IN ($here, $from)", "ctt $came" ],
	(map {
		my ($kind, $type) = @$_;
		[ "no $type audit row of the $kind", 'DELETE FROM audit_log'
			. " WHERE entity_type = '$type'"
			. " AND operation_id = '$op{$kind}'",
			"operation $op{$kind}" ]
	    } [qw(link CTT)], [qw(link NTT)], [qw(unlink CTT)],
	    [qw(unlink NTT)], [qw(resolve NTT)], [qw(resolve CTT)],
	    [qw(cpe CTT)]),
	[ 'an audit row of another outcome', 'UPDATE audit_log SET'
		. " outcome = 'ROLLED_BACK' WHERE entity_type = 'CTT'"
		. " AND operation_id = '$op{cpe}'", "operation $op{cpe}",
		"UPDATE audit_log SET outcome = 'SUCCESS'" ],
	[ 'one audit row too many', 'INSERT INTO audit_log (entity_type,'
		. ' entity_id, action, outcome, actor, operation_id) VALUES'
		. " ('CTT', $linked, 'LINK', 'SUCCESS', 'again', '$op{link}')",
		"operation $op{link}",
		"DELETE FROM audit_log WHERE actor = 'again'" ],
	(map {
		my ($kind, $type) = @$_;
		[ "no job $type", "DELETE FROM job WHERE type = '$type'",
			"operation $op{$kind}: has no job $type" ]
	    } [qw(link create-ctt-related-kci)], [qw(link update-tmf-list)],
	    [qw(link notify-work-orders)], [qw(unlink update-unlinked-ctt)],
	    [qw(resolve update-resolved-ctt)], [qw(resolve sync-note-to-taas)]),
	(map { [ "no activity of the $_", 'DELETE a, n FROM ctt_activity a'
			. ' JOIN activity_note n ON n.activity_id = a.id'
			. " WHERE a.operation_id = '$op{$_}'",
			"operation $op{$_}" ],
		[ "no note of the $_", 'DELETE n FROM ctt_activity a'
			. ' JOIN activity_note n ON n.activity_id = a.id'
			. " WHERE a.operation_id = '$op{$_}'",
			"operation $op{$_}" ] } qw(unlink resolve)),
	[ 'no history', 'DELETE FROM cpe_history', "operation $op{cpe}" ],
	[ 'history twice', 'INSERT INTO cpe_history (ctt_id,'
		. ' network_element_id, before_json, after_json, actor,'
		. ' operation_id) SELECT ctt_id, network_element_id,'
		. " before_json, after_json, 'again', operation_id"
		. ' FROM cpe_history', "operation $op{cpe}",
		"DELETE FROM cpe_history WHERE actor = 'again'" ],
	(map { [ "an element's $_->[0] that is another",
		"UPDATE network_element SET $_->[0] = $_->[1]",
		"network_element $element" ],
	    [ "a copy's $_->[0] that is another",
		"UPDATE corp_data_temp SET $_->[0] = $_->[1]",
		"corp_data_temp of network_element $element" ] }
	    [ manufacturer => 'NULL' ], [ model => "'g-240w'" ],
	    [ ip_address => "'10.0.0.3'" ], [ bandwidth_mbps => 501 ],
	    [ port => "''" ]),
	[ 'no copy', 'DELETE FROM corp_data_temp',
		"corp_data_temp of network_element $element" ],
	(map { [ "a CTT that is $_->[0]", "UPDATE ctt SET $_->[1]"
		. " WHERE id = $resolved", "ctt $resolved" ] }
	    [ 'open again' => "status = 'Open'" ],
	    [ 'resolved at no time' => 'resolved_at = NULL' ],
	    [ 'resolved at another' => "resolved_at = '2001-01-01'" ]),
	[ 'a CTT whose operation gave another status', 'UPDATE operation SET'
		. " intent = JSON_SET(intent, '\$.status', 'Open')"
		. " WHERE id = '$op{resolve}'", "ctt $resolved" ],
	[ 'one that 0.4.0 resolved', 'UPDATE operation SET'
		. " intent = JSON_REMOVE(intent, '\$.status')"
		. " WHERE id = '$op{resolve}'", "ctt $resolved" ],
	(map { [ "another note of the $_", 'UPDATE activity_note n JOIN'
			. ' ctt_activity a ON n.activity_id = a.id'
			. " SET n.text = 'IT''S DONE'"
			. " WHERE a.operation_id = '$op{$_}'",
			"operation $op{$_}" ],
		[ "two notes of the $_", 'INSERT INTO activity_note (ctt_id,'
			. ' activity_id, text, author) SELECT n.ctt_id,'
			. ' n.activity_id, n.text, n.author FROM activity_note'
			. ' n JOIN ctt_activity a ON n.activity_id = a.id'
			. " WHERE a.operation_id = '$op{$_}'",
			"operation $op{$_}" ] } qw(unlink resolve)),
	(map { [ "a second job $_", 'INSERT INTO job (type, payload,'
		. " dedupe_key, state) SELECT type, payload, CONCAT(dedupe_key,"
		. " ':2'), 'DONE' FROM job WHERE type = '$_'", $_ ],
	    [ "a job $_ of another CTT", 'UPDATE job SET payload ='
		. " JSON_SET(payload, '\$.cttId', $busy) WHERE type = '$_'",
		$_ ] } 'create-ctt-related-kci', 'update-unlinked-ctt',
	    'update-resolved-ctt'),
	[ 'a job of another NTT', 'UPDATE job SET payload ='
		. " JSON_SET(payload, '\$.nttId', $there) WHERE type ="
		. " 'update-tmf-list'", 'update-tmf-list' ],
	[ 'a job of nothing', 'INSERT INTO job (type, payload, dedupe_key,'
		. " state) VALUES ('update-tmf-list',"
		. q{'{"operationId":"NONE"}','NONE:update-tmf-list','DONE')},
		'operation NONE' ],
	[ 'a job in ten years', 'INSERT INTO job (type, payload, dedupe_key,'
		. " run_at) VALUES ('x', '{}', 'x', UTC_TIMESTAMP + INTERVAL 10"
		. ' YEAR)', '(x)', "DELETE FROM job WHERE type = 'x'" ],
	[ 'an audit row of what was refused', 'INSERT INTO audit_log'
		. ' (entity_type, entity_id, action, outcome, actor,'
		. " operation_id) VALUES ('CTT', $linked, 'LINK', 'SUCCESS',"
		. " 'again', '$op{refused}')", "operation $op{refused}",
		"DELETE FROM audit_log WHERE actor = 'again'" ],
	[ 'an operation that nobody tries', open_operation(OVERDUE =>
			[ '- INTERVAL 2 MINUTE', '- INTERVAL 3 MINUTE' ]),
		'operation OVERDUE' ],
	[ 'an operation older than its retries', open_operation(OLD =>
			[ '+ INTERVAL 10 SECOND', '- INTERVAL 2 HOUR' ]),
		'operation OLD',
		"UPDATE operation SET created_at = UTC_TIMESTAMP(3)"
		. " WHERE id = 'OLD'" ],
) {
	my ($name, $break, $row, $by_hand) = @$_;

	isnt $c->do($break), '0E0', $name;
	my $r = $c->cttctl('check');
	is $r->{status}, 1, 'is found';
	like $r->{out}, qr/^(?!\t).*(?<!\w)\Q$row\E(?!\w)/m, "and $row named";
	$c->do($_) for $by_hand // map { split /(?<=;) / }
	    $r->{out} =~ /^\t(?!--)(.+)$/mg;
	my $after = $c->cttctl('check');
	is $after->{status}, 0,
	    $by_hand ? 'until it is mended' : 'what it prints mends it'
	    or diag @$after{qw(out err)};
	$c->do("DELETE FROM operation WHERE ctt_id = $busy");
}

# What was mended says what was there before.
is_deeply [ map { $c->json($_) } $c->column('SELECT payload FROM job WHERE type'
	    . " IN ('notify-work-orders', 'sync-note-to-taas') ORDER BY type") ],
    [ {	operationId => $op{link}, cttId => $linked, cttTicketNo =>
		"C-$linked", nttId => $here, nttTicketNo => "N-$here",
		actor => 'olga', requestId => $c->one('SELECT request_id FROM'
			. ' operation WHERE id = ?', $op{link}),
		workOrders => [ { id => $c->one('SELECT id FROM work_order'),
			orderNo => 'W-3000',
			status => 'Open' } ] },
	{ operationId => $op{resolve}, cttId => $resolved, cttTicketNo =>
		'TaaS-1', nttId => $there, nttTicketNo => "N-$there",
		actor => 'olga', requestId => $c->one('SELECT request_id FROM'
			. ' operation WHERE id = ?', $op{resolve}),
		text => "it's done", author => 'olga' } ], 'jobs';
is_deeply [ $c->column('SELECT text FROM activity_note ORDER BY id') ],
    [ "Unlinked from NTT N-$from", "it's done" ], 'notes';
is $c->one("SELECT COUNT(*) FROM cpe_history WHERE JSON_VALUE(before_json,"
	. " '\$.model') = 'HG8245' AND JSON_VALUE(after_json, '\$.model') ="
	. " 'G-240W'"), 1, 'history';

ok $c->stack('start', 'worker'), 'the worker starts';
ok $c->quiet, 'and delivers the jobs that were missing';
$c->stop;
done_testing;
