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
$c->given_element($cpe, model => 'HG8245');

# One success of each kind; "it's" has to be quoted in what mends.
is $_->{status}, 200, 'a success' for $c->link($linked, $here),
    $c->unlink_from($from, [$freed]),
    $c->resolve($activity, $resolved, remark => "it's done"),
    $c->update_cpe($cpe, { manufacturer => 'Nokia', model => 'G-240W',
	port => '1/1/2', ipAddress => '10.0.0.2', bandwidthMbps => 500 });
ok $c->quiet, 'the jobs are delivered';
ok $c->stack('stop', 'worker'), 'nobody repairs anything';

sub op ($ctt) {
	return $c->one('SELECT id FROM operation WHERE ctt_id = ?', $ctt);
}

my %op = (link => op($linked), unlink => op($freed), resolve => op($resolved),
	cpe => op($cpe));

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
	like $r->{out}, qr/^(?!\t).*\b\Q$row\E\b/m, "and $row named";
	$c->do($_) for $by_hand // map { split /(?<=;) / }
	    $r->{out} =~ /^\t(?!--)(.+)$/mg;
	is_deeply [ @{ $c->cttctl('check') }{qw(status out)} ], [ 0, '' ],
	    $by_hand ? 'until it is mended' : 'what it prints mends it';
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
