# kill -9 at every fault point, under every flow but link (that is 40-crash.t),
# for one CTT and for five: then the worker alone, then look. Settled, agreed,
# and one set of everything. A new flow is one row.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Sweep;
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
	is_deeply [ map { Sweep::not_whole($c, $_) } @ctts ], [],
	    "$name: each operation has what goes with it";
	my %ops = map { $c->one('SELECT COUNT(*) FROM operation'
	    . ' WHERE ctt_id = ?', $_) => 1 } @ctts;
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
	. " dedupe_key FROM job WHERE type NOT IN ('sync-note-to-taas',"
	. " 'look-again')"
	. ' ORDER BY dedupe_key') ], 'every job was delivered';
is_deeply [ map { [ scalar @{ $_->{notes} } ] } grep { @{ $_->{notes} } > 1 }
	values %{ $c->sim_state->{taas} } ], [], 'and no note twice';
is $c->one("SELECT COUNT(*) FROM job WHERE state <> 'DONE'"), 0,
    'all are done';
$c->stop;
done_testing;
