# An operation that is open is driven by what its partner was told, whatever the
# tickets say by then (contract section 9); also when a ticket is gone. And what
# nobody can find out, an operator decides: cttctl operations close.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start(pool => 2, set => { CTT_PARTNER_TIMEOUT_MS => 1000,
	CTT_RETRY_BASE_MS => 300, CTT_RETRY_CAP_MS => 300,
	CTT_BREAKER_FAILURES => 1_000_000 });

sub state_of ($op) { return $c->row(operation => $op)->{state} }

sub paths ($partner, $ticket) {
	return join ' ', map { $_->{path} =~ m{/(\w+)$} ? $1 : $_->{method} }
	    grep { $_->{applied} } $c->heard($partner, ticket => $ticket);
}

# An operation that is SETTLING: the partner took it, and its answers are lost.
# Recovery is kept away until $c->no_rules.
sub given_settling ($kind, $source, %ctt) {
	my $ntt = $c->given(ntt => {});
	my $ctt = $c->given(ctt => { source => $source,
		segment_group => 'Managed Services', %ctt,
		$kind eq 'unlink' ? (linked => $ntt) : () });
	my $activity = $c->given_activity($ctt);

	$c->given_element($ctt);
	my $no = $c->row(ctt => $ctt)->{ticket_no};
	$c->rule(ticket => $no, do => 'cut');
	$c->rule(ticket => $no, key => '-sync(-\d+)?$', do => 'cut',
	    applied => 1, times => 3);
	# TMF is read before a link is written
	$c->rule(ticket => $no, method => 'GET', do => 'delay', ms => 0,
	    times => 1) if $kind =~ /link/;
	my $r = $kind eq 'link' ? $c->link($ctt, $ntt)
	    : $kind eq 'unlink' ? $c->unlink_from($ntt, [$ctt])
	    : $kind eq 'resolve' ? $c->resolve($activity, $ctt)
	    : $c->update_cpe($ctt, { manufacturer => 'ZTE', model => 'F660',
		ipAddress => '10.9.9.9', bandwidthMbps => 5, port => '1' });
	my $op = $r->{json}{operationId} // $r->{json}{results}[0]{operationId};
	is state_of($op), 'SETTLING', "$source $kind is settling"
	    or diag $r->{raw};
	return ($op, $ctt, $ntt, $no);
}

# ---- the tickets change meanwhile ----

# What changes; which kinds at which partners; what was done there in the end.
for (
	[ 'the source of the CTT', "UPDATE ctt SET source ="
		. " IF(source = 'TMF', 'TAAS', 'TMF') WHERE id = ?" ],
	[ 'the number of the NTT', "UPDATE ntt SET ticket_no ="
		. " CONCAT('new-', ticket_no) WHERE id = (SELECT MAX(ntt_id)"
		. " FROM operation WHERE ctt_id = ?)" ],
	[ 'the name of the NTT at TMF', "UPDATE ntt SET partner_ref = 'zzz'"
		. " WHERE id = (SELECT MAX(ntt_id) FROM operation"
		. " WHERE ctt_id = ?)" ],
	[ 'the CTT is not synced any more',
		'UPDATE ctt SET external_sync = 0 WHERE id = ?' ],
	[ 'the name of the CTT at its partner',
		"UPDATE ctt SET partner_ref = CONCAT('other-', id)"
		. ' WHERE id = ?' ],
) {
	my ($what, $sql) = @$_;

	for (
		[ TAAS => 'link', 'COMPENSATED', 'link unlink' ],
		[ TMF => 'link', 'COMPENSATED', 'PATCH PATCH' ],
		[ TAAS => 'unlink', 'COMPENSATED', 'unlink link' ],
		[ TMF => 'resolve', 'SUCCEEDED', 'PATCH' ],
	) {
		my ($source, $kind, $state, $paths) = @$_;
		my ($op, $ctt, $ntt, $no) = given_settling($kind, $source);
		my $other = $source eq 'TMF' ? 'taas' : 'tmf';

		$c->do($sql, $ctt);
		$c->no_rules;
		ok $c->settle, "$what: $source $kind: it settles";
		is state_of($op), $state, $state;
		is paths(lc $source, $no), $paths, 'its partner heard it all';
		is_deeply [ map { $_->{path} } grep { $_->{ticket} =~
			/^(\Q$no\E|other-$ctt)$/ } $c->heard($other) ], [],
		    'and nobody else';
		my $there = $c->sim_state->{ lc $source }{$no};
		is_deeply $source eq 'TAAS' ? $there->{ntt}
		    : $kind eq 'link' ? scalar @{
			$there->{troubleTicketRelationship} }
		    : $there->{status}, { 'TAAS link' => undef,
			'TAAS unlink' => "N-$ntt", 'TMF link' => 0,
			'TMF resolve' => 'resolved' }->{"$source $kind"},
		    'which is as the record says';
		forget($ctt, $ntt);
	}
}

# Tickets that were tampered with are at no partner.
sub forget ($ctt, $ntt) {
	$c->quiet;
	$c->do('DELETE FROM ctt WHERE id = ?', $ctt);
	$c->do('DELETE FROM ntt WHERE id = ?', $ntt);
}

# ---- a ticket is gone ----

for (
	[ ctt => TAAS => 'link', 'COMPENSATED', undef ],
	[ ntt => TAAS => 'link', 'COMPENSATED', undef ],
	[ ctt => TMF => 'link', 'COMPENSATED', '' ],
	[ ntt => TMF => 'link', 'COMPENSATED', '' ],
	[ ntt => TAAS => 'unlink', 'SUCCEEDED', undef ],
	[ ntt => TMF => 'unlink', 'SUCCEEDED', '' ],
	[ ctt => TAAS => 'resolve', 'SUCCEEDED' ],
	[ ctt => TAAS => 'cpe', 'COMPENSATED' ],
) {
	my ($gone, $source, $kind, $state, $there) = @$_;
	my ($op, $ctt, $ntt, $no) = given_settling($kind, $source,
	    $kind eq 'resolve' ? (ticket_no => "TaaS-$gone-$kind") : ());

	$c->do("DELETE FROM $gone WHERE id = ?", $gone eq 'ctt' ? $ctt : $ntt);
	$c->no_rules;
	ok $c->settle, "the $gone is deleted: $source $kind: it settles";
	is state_of($op), $state, $state;
	is $c->row(ctt => $ctt)->{ntt_id}, undef, 'linked to nothing'
	    if $gone eq 'ntt';
	my $t = $c->sim_state->{ lc $source }{$no};
	is $source eq 'TAAS' ? $t->{ntt} : join(' ', map { $_->{id} } @{
		$t->{troubleTicketRelationship} }), $there,
	    'nor at the partner' if @$_ > 4;
	is $c->one("SELECT COUNT(*) FROM audit_log WHERE operation_id = ?"
	    . " AND entity_type = 'CTT'", $op), 1, 'one audit row of the CTT';
	$c->do('DELETE FROM ctt WHERE id = ?', $ctt);
	$c->do('DELETE FROM ntt WHERE id = ?', $ntt);
}

# ---- who died with an operation in hand may have asked just before ----

{
	my ($op, $ctt, $ntt, $no) = given_settling('link', 'TAAS');
	my $age = 'SELECT TIMESTAMPDIFF(SECOND, doubted_at, updated_at)'
	    . ' FROM operation WHERE id = ?';

	# (an answer that leaves nothing in doubt, and concludes nothing)
	$c->rule(ticket => $no, do => 'status', status => 401);
	for my $owner (undef, 'who-died') {
		my $tries;
		my $given = $c->wait_for(10, sub {
			$tries = $c->row(operation => $op)->{tries};
			$c->do('UPDATE operation SET owner = ?, doubted_at ='
			    . ' updated_at - INTERVAL 1 HOUR WHERE id = ?'
			    . ' AND owner IS NULL AND tries = ?', $owner, $op,
			    $tries) > 0 });
		ok $given && $c->wait_for(10, sub {
			my $row = $c->row(operation => $op);
			$row->{tries} > $tries && !defined $row->{owner} }),
		    'it is taken up again';
		if (defined $owner) {
			cmp_ok $c->one($age, $op), '<', 600,
			    'of one that died: it is as if it had just asked';
		} else {
			cmp_ok $c->one($age, $op), '>', 3000,
			    'of one that let go of it: the time stands';
		}
	}
	$c->no_rules;
	ok $c->settle, 'it settles';
}

# ---- a row that somebody has touched ----

for (
	[ cpe => TAAS => 'intent = NULL' ], [ cpe => TAAS => "intent = '{}'" ],
	[ resolve => TMF => "intent = '[]'" ],
) {
	my ($kind, $source, $set) = @$_;
	my ($op, $ctt, $ntt) = given_settling($kind, $source);
	my @workers = $c->pids('worker');

	ok $c->wait_for(5, sub { $c->do("UPDATE operation SET $set WHERE id = ?"
		. ' AND owner IS NULL', $op) > 0 }), "$kind, $set";
	$c->no_rules;
	ok $c->wait_for(5, sub { ($c->row(operation => $op)->{last_error} // '')
		=~ /the intent is missing or damaged/ }), 'the row says so';
	is_deeply [ $c->pids('worker') ], \@workers, 'no worker dies of it';
	like $c->cttctl('operations')->{out}, qr/\Q$op\E.*damaged/,
	    'cttctl operations names it';
	my $r;
	ok $c->wait_for(5, sub { $r = $c->cttctl('operations', 'close', $op,
		'--as', 'undone', '--reason', 'x'); !$r->{status} }),
	    'it can be dropped' or diag $r->{err};
	$c->do('DELETE FROM ctt WHERE id = ?', $ctt);
}

# ---- a ticket is closed while its resolve is settling ----

for my $status (qw(Closed Cancel)) {
	my ($op, $ctt, $ntt) = given_settling('resolve', 'TMF');

	$c->do('UPDATE ctt SET status = ? WHERE id = ?', $status, $ctt);
	$c->no_rules;
	ok $c->settle, "a CTT is $status meanwhile: the resolve settles";
	is_deeply [ state_of($op), @{ $c->row(ctt => $ctt) }{qw(status
		resolved_at)} ], [ 'SUCCEEDED', $status, undef ],
	    'the status stays';
	is $c->one('SELECT COUNT(*) FROM ctt_activity WHERE operation_id = ?',
	    $op), 1, 'the activity is stored';
	like join(' ', map { $_->{detail} // '' } @{ $c->get(
		"/ticket/operation/$op")->{json}{steps} }),
	    qr/the CTT was $status meanwhile, and stays so/,
	    'and the trace says it';
}

# ---- an operator decides ----

for (
	[ link => TAAS => 'done', 'SUCCEEDED' ],
	[ link => TAAS => 'undone', 'ROLLED_BACK' ],
	[ unlink => TMF => 'done', 'SUCCEEDED' ],
	[ unlink => TMF => 'undone', 'ROLLED_BACK' ],
	[ resolve => TMF => 'done', 'SUCCEEDED' ],
	[ resolve => TMF => 'undone', 'ROLLED_BACK' ],
	[ cpe => TAAS => 'done', 'SUCCEEDED' ],
) {
	my ($kind, $source, $as, $state) = @$_;
	my ($op, $ctt, $ntt, $no) = given_settling($kind, $source);
	my $linked = ($kind eq 'link') == ($as eq 'done') ? $ntt : undef;
	my $r = $c->cttctl('operations', 'close', $op, '--as', $as, '--reason',
	    "it's \"seen\" there");

	# (if the worker has it in hand just now, it is waited for)
	is $r->{status}, 0, "$source $kind is closed as $as"
	    or diag explain $r;
	is state_of($op), $state, $state;
	is $c->row(ctt => $ctt)->{ntt_id}, $linked, 'and is so here'
	    if $kind =~ /link/;
	is $c->row(ntt => $ntt)->{ctt_count}, $linked ? 1 : 0, 'counted'
	    if $kind =~ /link/;
	is $c->row(ctt => $ctt)->{status}, $as eq 'done' ? 'Resolved' : 'Open',
	    'the status' if $kind eq 'resolve';
	my ($by) = $c->column("SELECT JSON_EXTRACT(detail,"
	    . " '\$.closedByHand') FROM audit_log WHERE operation_id = ?"
	    . " AND entity_type = 'CTT'", $op);
	is_deeply $c->json($by), { as => $as, by => scalar getpwuid($<),
		reason => "it's \"seen\" there" }, 'the audit has who and why';
	like join(' ', map { $_->{detail} // '' } @{ $c->get(
		"/ticket/operation/$op")->{json}{steps} }),
	    qr/closed by hand as $as/, 'and so has the trace';
	is $c->cttctl('check')->{out}, '', 'cttctl check is silent';
	$c->no_rules;
	$r = $c->cttctl('operations', 'close', $op, '--as', $as, '--reason',
	    'again');
	is $r->{status}, 1, 'once only';
	like $r->{err}, qr/\Q$op\E is not open/, 'and told so';
	forget($ctt, $ntt);
}

# Somebody has it in hand: for a while, or for longer than is waited for.
for my $long (0, 1) {
	my ($op, $ctt, $ntt) = given_settling('link', 'TAAS');
	my @close = ('operations', 'close', $op, '--as', 'undone', '--reason',
		'x');
	ok $c->stack('stop', 'worker'), 'the worker is away';
	$c->plant_owner;
	$c->do("UPDATE operation SET owner = 'some-body' WHERE id = ?", $op);
	my ($r) = $c->parallel($long ? 1 : 2, sub ($i) {
		return $c->cttctl(@close) unless $i;
		$c->wait_for(10, sub { grep { -s } glob $c->dir
			. '/tmp/cttctl.*.err' });
		$c->do('UPDATE operation SET owner = NULL WHERE id = ?', $op);
		return {};
	});
	is $r->{status}, $long, $long ? 'who has it for long is not waited for'
	    : 'who has it for a while is waited for' or diag explain $r;
	like $r->{err}, qr/works on \Q$op\E just now; waiting/, 'and told so';
	like $r->{err}, qr/another process still works on \Q$op\E/,
	    'as is the end' if $long;
	is state_of($op), $long ? 'SETTLING' : 'ROLLED_BACK', 'and it is so';
	$c->do('UPDATE operation SET owner = NULL WHERE id = ?', $op);
	is $c->cttctl(@close)->{status}, $long ? 0 : 1, 'then it is closed';
	$c->no_rules;
	ok $c->stack('start', 'worker'), 'the worker is back';
	forget($ctt, $ntt);
}
for (
	[ [ 'x' ], qr/--as/ ],
	[ [ 'x', '--as', 'maybe', '--reason', 'r' ], qr/--as done/ ],
	[ [ 'x', '--as', 'done' ], qr/--reason/ ],
	[ [ 'x', '--as', 'done', '--reason', '' ], qr/--reason/ ],
	[ [ 'x', '--for', 'done' ], qr/unknown option --for/ ],
) {
	my ($args, $why) = @$_;
	my $r = $c->cttctl('operations', 'close', @$args);

	is $r->{status}, 2, "close @$args: usage";
	like $r->{err}, $why, 'which names what is missing';
}

ok $c->quiet, 'all jobs are done';
$c->stop;
done_testing;
