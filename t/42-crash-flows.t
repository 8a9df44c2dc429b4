# kill -9 at every fault point, under every flow but link (that is 40-crash.t),
# for one CTT and for five: then the worker alone, then look. Settled, agreed,
# and one set of everything. A new flow is one row.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start(pool => 4, set => { CTT_PARTNER_TIMEOUT_MS => 300 });
my @points = $c->faults;
my %fired;

plan skip_all => 'this build has no fault points' unless @points;

# How many tickets it takes; a CTT, the i-th of those that share an NTT; the
# request; the call of a partner that may be lost.
my %FLOW = (
	unlink => [ [ 1, 5 ], sub ($ntt, $i) {
			my $ctt = $c->given(ctt => { linked => $ntt,
				source => $i % 2 ? 'TMF' : 'TAAS' });
			$c->given_activity($ctt);
			$ctt },
		sub ($ntt, @ctts) { $c->unlink_from($ntt, \@ctts) } ],
	move => [ [ 1, 5 ], sub ($ntt, $i) {
			scalar $c->given(ctt => { linked => $ntt,
				source => $i % 2 ? 'TMF' : 'TAAS' }) },
		sub ($, @ctts) {
			$c->move_to(scalar $c->given(ntt => {}), \@ctts) } ],
	resolve => [ [ 1, 5 ], sub ($ntt, $i) {
			state $n = 0;
			my $ctt = $c->given(ctt => { linked => $ntt,
				ticket_no => ($i % 2 ? 'X-' : 'TaaS-') . ++$n });
			$c->given_activity($ctt);
			$ctt },
		sub ($, @ctts) { @ctts > 1
			? $c->post('/ticket/ctt/bulk-resolve-by-ticket-id',
				{ ticketIds => \@ctts, remark => 'well',
					$c->codes })
			: $c->resolve($c->one('SELECT MAX(id) FROM ctt_activity'
				. ' WHERE ctt_id = ?', @ctts), @ctts) } ],
	cpe => [ [1], sub ($ntt, $) {
			my $ctt = $c->given(ctt => {
				segment_group => 'Managed Services' });
			$c->given_element($ctt);
			$ctt },
		sub ($, $ctt) { $c->update_cpe($ctt, { model => 'new',
			manufacturer => 'ZTE', ipAddress => '10.9.9.9',
			bandwidthMbps => 500, port => '2' }) } ],
);

# What leads to a point: all is well; and an outcome that nobody knows, so that
# recovery has to ask, and to undo or to go on.
my %SCENE = (
	plain    => undef,
	doubtful => { do => 'cut', applied => 1, times => 3 },
);

# What a success of each kind leaves: rows of the NTT's audit, activities, rows
# of history, jobs.
my %SET = (LINK => [ 1, 0, 0, 2 ], UNLINK => [ 1, 1, 0, 1 ],
	RESOLVE => [ 1, 1, 0, 1 ], CPE_UPDATE => [ 0, 0, 1, 0 ]);

# In the end each operation of this CTT is closed, with what goes with its
# state, once. Returns how many there are.
sub is_whole ($ctt, $name) {
	my @ops = $c->rows('SELECT * FROM operation WHERE ctt_id = ?'
	    . ' ORDER BY id', $ctt);
	my $active = $c->one('SELECT COUNT(*) FROM ctt_activity WHERE type ='
	    . " 'Created' AND ctt_id = ?", $ctt);

	for my $op (@ops) {
		my $success = $op->{state} eq 'SUCCEEDED';
		my $outcome = $success ? 'SUCCESS' : $op->{state};
		my ($ntts, $activities, $histories, $jobs) =
		    $success ? @{ $SET{ $op->{kind} } }
		    : ($op->{kind} =~ /LINK/ ? 1 : 0, 0, 0, 0);
		my ($on_ctt, @on_ntt) = grep { / $op->{kind} $outcome$/ }
		    @{ $c->audits($op->{id}) };
		my @jobs = grep { !/note/ } keys %{ $c->jobs($op->{id}) };

		is_deeply [ $on_ctt =~ /^CTT $ctt /, scalar @on_ntt,
			(map { $c->one("SELECT COUNT(*) FROM $_ WHERE"
			    . ' operation_id = ?', $op->{id}) }
			    qw(ctt_activity cpe_history)), scalar @jobs ],
		    [ 1, $ntts, $active ? $activities : 0, $histories, $jobs ],
		    "$name: $op->{kind} $op->{state}";
	}
	return scalar @ops;
}

sub sweep ($flow, $point, $n, $scene) {
	my (undef, $make, $ask) = @{ $FLOW{$flow} };
	my $name = "$flow, $point, $scene, $n";
	my $ntt = $c->given(ntt => {});
	my @ctts = map { $make->($ntt, $_) } 1 .. $n;

	for my $no ($SCENE{$scene} ? map { $c->row(ctt => $_)->{ticket_no} }
		@ctts : ()) {
		$c->rule(ticket => $no, key => '-sync$', %{ $SCENE{$scene} });
	}
	$c->fault($point, 'kill');
	my $r = $ask->($ntt, @ctts);
	is $r->{json}{code} // $r->{status}, $r->{status} >= 300 ? 'NO_ANSWER'
	    : $r->{status}, "$name: all or no answer" if $scene eq 'plain';
	ok $c->settle, 'it settles by itself';
	ok $c->quiet, 'and the jobs are delivered';
	$fired{$point}++ if $c->fault_fired;
	my %ops = map { is_whole($_, $name) => 1 } @ctts;
	ok keys %ops == 1 || $flow eq 'move', 'all of them began, or none';
	$c->agree($name);
	$c->no_rules if $SCENE{$scene};
}

for my $flow (sort keys %FLOW) {
	for my $point (@points) {
		for my $n (@{ $FLOW{$flow}[0] }) {
			sweep($flow, $point, $n, $_) for sort keys %SCENE;
		}
	}
}
is_deeply [ grep { !$fired{$_} } @points ], [], 'every point was met';

is_deeply [ sort keys %{ $c->sim_state->{queue} } ], [ $c->column('SELECT'
	. " dedupe_key FROM job WHERE type <> 'sync-note-to-taas'"
	. ' ORDER BY dedupe_key') ], 'every job was delivered';
is_deeply [ map { [ scalar @{ $_->{notes} } ] } grep { @{ $_->{notes} } > 1 }
	values %{ $c->sim_state->{taas} } ], [], 'and no note twice';
is $c->one("SELECT COUNT(*) FROM job WHERE state <> 'DONE'"), 0,
    'all are done';
$c->stop;
done_testing;
