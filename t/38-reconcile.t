# cttctl reconcile: our tickets are held against what the partners say of them,
# and --mend makes theirs the same (contract section 12). The job look-again
# does that where a call may have arrived late (section 9).

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(sleep);

my %CPE = (manufacturer => 'ZTE', model => 'F660', ipAddress => '10.9.9.9',
	bandwidthMbps => 1000, port => '1');
my %READ = (CTT_TAAS_READ => 'on', CTT_NIG_READ => 'on');
my $c = Ctt->start(pool => 2, set => { %READ,
	CTT_BREAKER_FAILURES => 1_000_000 });

# The lines that it prints of tickets, and its exit status.
sub reconcile (@args) {
	my $r = $c->cttctl('reconcile', @args);

	return [ $r->{status}, grep { /^ctt \d/ } split /\n/, $r->{out} ];
}

sub is_same ($name) {
	is_deeply reconcile(), [0], "$name: nothing differs";
}

my ($equipped, $ntt, $n2);

# ---- what differs, and is mended ----

is_same('with no ticket');
$ntt = $c->given(ntt => {});
$n2 = $c->given(ntt => {});
my %ctt;
for my $source (qw(TAAS TMF)) {
	$ctt{$source} = {
		linked => $c->given(ctt => { source => $source }),
		free => $c->given(ctt => { source => $source }),
		resolved => $c->given(ctt => { source => $source,
			$source eq 'TAAS' ? (ticket_no => 'TaaS-7') : () }),
		other => $c->given(ctt => { source => $source }) };
	my $of = $ctt{$source};
	is $c->link($of->{linked}, $ntt)->{status}, 200, "$source: linked";
	is $c->link($of->{other}, $n2)->{status}, 200, 'and another';
	is $c->resolve($c->given_activity($of->{resolved}), $of->{resolved},
	    remark => 'well')->{status}, 200, 'and one resolved';
}
$equipped = $c->given(ctt => { segment_group => 'Managed Services' });
$c->given_element($equipped);
is $c->update_cpe($equipped, \%CPE)->{status}, 200, 'and equipment';
ok $c->quiet, 'all jobs are done';
is_same('after all that');

sub name_of ($ctt) { return $c->row(ctt => $ctt)->{ticket_no} }

sub theirs ($source, $ctt, $link, @more) {
	$c->sim(PUT => "/ticket/\L$source\E/" . name_of($ctt), $source eq 'TAAS'
	    ? { ntt => $link, @more } : { troubleTicketRelationship => [
		map { { id => $_, relationshipType => 'isChild' } }
		grep { defined } $link, 'foreign' ], @more });
}

# What is wrong at the partner; the lines; how many operations mend it.
for my $source (qw(TAAS TMF)) {
	my %of = %{ $ctt{$source} };
	my $at = $source eq 'TAAS' ? 'TaaS' : 'TMF';
	my $no = "N-$ntt";

	for (
		[ 'a link is missing there', sub () { theirs($source,
			$of{linked}, undef) }, "ctt $of{linked}: "
			. name_of($of{linked}) . ": is linked to $no here, and"
			. " not at $at" ],
		[ 'a link is only there', sub () { theirs($source, $of{free},
			$no) }, "ctt $of{free}: " . name_of($of{free})
			. ": $at has it linked to $no; here it is linked to"
			. ' none' ],
		[ 'it has another one', sub () { theirs($source, $of{other},
			$no) }, "ctt $of{other}: " . name_of($of{other})
			. ": $at has it linked to $no; here it is linked to"
			. " N-$n2", "ctt $of{other}: " . name_of($of{other})
			. ": is linked to N-$n2 here, and not at $at" ],
		[ 'it is not resolved there', sub () { $c->sim(
			PUT => "/ticket/\L$source\E/" . name_of($of{resolved}),
			{ status => 'open' }) }, "ctt $of{resolved}: "
			. name_of($of{resolved}) . ': is Resolved here, and'
			. " \"open\" at $at" ],
	) {
		my ($what, $break, @lines) = @$_;
		my $before = $c->one('SELECT COUNT(*) FROM operation');
		my ($count, $jobs) = ($c->row(ntt => $ntt)->{ctt_count},
			$c->one('SELECT COUNT(*) FROM job'));

		$break->();
		is_deeply reconcile(), [ 1, @lines ], "$source: $what";
		is_deeply reconcile('--partner', $source eq 'TAAS' ? 'tmf'
			: 'taas'), [0], 'the other one is well';
		is $c->one('SELECT COUNT(*) FROM operation'), $before,
		    'only looked at';
		is_deeply reconcile('--mend'), [ 0, @lines ], 'mended';
		is $c->one('SELECT COUNT(*) FROM operation'),
		    $before + @lines, 'by an operation each';
		is $c->one("SELECT COUNT(*) FROM operation o JOIN audit_log l"
		    . ' ON l.operation_id = o.id WHERE o.mends AND o.state ='
		    . " 'SUCCEEDED' AND l.outcome = 'SUCCESS' AND"
		    . " JSON_VALUE(l.detail, '\$.mends')"),
		    $c->one('SELECT COUNT(*) FROM operation WHERE mends'),
		    'each with its audit row';
		my ($op) = $c->column('SELECT id FROM operation WHERE mends'
		    . ' ORDER BY seq DESC LIMIT 1');
		like $c->trace($op), qr/sync_partner:ok.*write_audit:ok/,
		    'and its trace';
		is_deeply [ $c->row(ntt => $ntt)->{ctt_count},
			$c->one('SELECT COUNT(*) FROM job') ], [ $count, $jobs ],
		    'no count changes, no job follows';
		is_same($what);
		is $c->cttctl('check')->{out}, '', 'cttctl check is silent';
	}
}
is_deeply [ map { $_->{id} } @{ $c->sim_state->{tmf}{
	name_of($ctt{TMF}{other}) }{troubleTicketRelationship} } ],
    [ 'foreign', "N-$n2" ], 'what TMF has of others is kept';

{
	my $e = $c->one('SELECT name FROM network_element WHERE ctt_id = ?',
	    $equipped);

	$c->sim(PUT => "/cpe/C-$equipped/$e", { %CPE, model => 'X' });
	my @line = ("ctt $equipped: C-$equipped: element $e has other CPE"
		. ' values at NIG');
	is_deeply reconcile(), [ 1, @line ], 'other CPE values';
	is_deeply reconcile('--mend', '--partner', 'nig'), [ 0, @line ],
	    'mended';
	is $c->sim_state->{nig}{"C-$equipped/$e"}{model}, 'F660', 'at NIG';
	is $c->one('SELECT COUNT(*) FROM cpe_history WHERE ctt_id = ?',
	    $equipped), 1, 'no history for that';
	is_same('the equipment');
}

# ---- one ticket, and what cannot be looked at ----

theirs('TAAS', $ctt{TAAS}{free}, "N-$ntt");
theirs('TAAS', $ctt{TAAS}{linked}, undef);
is @{ reconcile('--ticket', name_of($ctt{TAAS}{free})) }, 2, 'one ticket';
is_deeply reconcile('--ticket', name_of($ctt{TMF}{free})), [0],
    'another one is well';
for (
	[ 3, qr/no CTT nope/, '--ticket', 'nope' ],
	[ 2, qr/"foo" is not taas/, '--partner', 'foo' ],
	[ 2, qr/unknown option --now/, '--now' ],
	[ 2, qr/--ticket needs a value/, '--ticket' ],
) {
	my ($status, $why, @args) = @$_;
	my $r = $c->cttctl('reconcile', @args);

	is $r->{status}, $status, "reconcile @args: $status";
	like $r->{err}, $why, 'and why';
}
is_deeply reconcile('--mend')->[0], 0, 'all is mended';
{
	$c->rule(ticket => name_of($ctt{TMF}{free}), method => 'GET',
	    do => 'status', status => 404);
	my $r = reconcile();
	is $r->[0], 3, 'a ticket that cannot be read: it could not look';
	like $r->[1], qr/^ctt \d+: \S+ could not be compared: TMF answered/,
	    'and says which';
	$c->no_rules;
}
{
	my $off = { CTT_TAAS_READ => 'off' };
	my $r = $c->cttctl($off, 'reconcile', '--partner', 'taas');
	is $r->{status}, 3, 'a partner that cannot be read';
	like $r->{err}, qr/CTT_TAAS_READ is off/, 'is named with its setting';
}

# ---- a call that arrives late ----

# TMF has no memory of keys: an attempt that was cut may come after all is over.
{
	$c->behave('tmf', keys => \0);
	my ($ctt, $to) = $c->given(ctt => { source => 'TMF' }, ntt => {});
	my $no = "C-$ctt";
	$c->rule(ticket => $no, method => 'PATCH', times => 1, do => 'cut',
	    late => 600);
	my $r = $c->link($ctt, $to);
	is $r->{status}, 200, 'the second attempt is taken';
	my $first = $r->{json}{operationId};
	is_deeply [ map { [ $_->{type}, $_->{state} ] } $c->rows("SELECT *"
		. " FROM job WHERE dedupe_key = '$first:look-again'") ],
	    [ [ 'look-again', 'READY' ] ], 'TMF is to be looked at again';
	is $c->unlink_from($to, [$ctt])->{status}, 200,
	    'it is unlinked meanwhile';
	ok $c->wait_for(5, sub { @{ $c->sim_state->{tmf}{$no}
		{troubleTicketRelationship} } == 1 }),
	    'then the first attempt arrives: TMF has a link';
	ok $c->quiet, 'the job runs';
	is_deeply $c->sim_state->{tmf}{$no}{troubleTicketRelationship}, [],
	    'and puts it right';
	my ($op) = $c->rows('SELECT * FROM operation WHERE ctt_id = ? AND'
	    . ' mends', $ctt);
	is_deeply [ @$op{qw(kind state actor)} ],
	    [ qw(UNLINK SUCCEEDED ctt-worker) ], 'by an operation';
	is_same('the late call');
	$c->behave('tmf', keys => undef);
}

# What is as it should be is left alone.
{
	my ($ctt, $to) = $c->given(ctt => { source => 'TMF' }, ntt => {});
	$c->rule(ticket => "C-$ctt", method => 'PATCH', times => 1,
	    do => 'cut', applied => 1);
	is $c->link($ctt, $to)->{status}, 200, 'a doubt';
	ok $c->quiet, 'is looked at';
	is $c->one('SELECT COUNT(*) FROM operation WHERE ctt_id = ? AND mends',
	    $ctt), 0, 'and nothing was to be done';
}

# A partner that knows no keys, and cannot be read: it stays open until no
# attempt can arrive any more.
{
	my $off = Ctt->start(pool => 2, set => { CTT_TAAS_KEYS => 'off',
		CTT_PARTNER_LATE_S => 2 });
	my ($ctt, $to) = $off->given(ctt => {}, ntt => {});

	$off->rule(ticket => "C-$ctt", times => 1, do => 'cut');
	my $r = $off->link($ctt, $to);
	my $op = $r->{json}{operationId};
	is_deeply [ $r->{status}, $r->{json}{code} ], [ 504, 'NO_ANSWER' ],
	    'TaaS without a memory of keys: not closed yet';
	is $off->row(operation => $op)->{state}, 'RUNNING', 'but running';
	is $off->link($ctt, $to)->{json}{code}, 'OPERATION_IN_PROGRESS',
	    'nothing else begins';
	like $off->cttctl('operations')->{out}, qr/may still arrive/,
	    'cttctl operations says why';
	ok $off->settle, 'then it is closed';
	is $off->row(operation => $op)->{state}, 'SUCCEEDED', 'as done';
	is scalar $off->heard('taas', ticket => "C-$ctt"), 2,
	    'without another call';
	$off->agree;
	$off->quiet;
	$off->stop;
}

ok $c->quiet, 'all jobs are done';
$c->stop;
done_testing;
