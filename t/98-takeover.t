# Processes take over from one another: under load one of the pool and one of the
# workers stand still, again and again, for longer than their leases, and go on.
# Then each operation has ended as its caller was told, and both sides agree.
# CTT_TEST_SECONDS=300 makes it long.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Storm;
use Test::More;
use Time::HiRes qw(sleep time);

use constant {
	CLIENTS => 12,
	STILL_S => 6,     # a lease ends after 5
	TAKEN   => 2,     # operations that others took over: at least
	ROUNDS  => 4,     # on a busy machine less happens in each
};

my $SEED = $ENV{CTT_TEST_SEED} // time ^ $$;
my $SECONDS = $ENV{CTT_TEST_SECONDS} // 20;
my $c = Ctt->start(pool => 3, workers => 2, set => { CTT_THREADS => 8,
	CTT_PARTNER_TIMEOUT_MS => 600, CTT_UNLINK_BLOCK_TTL => 1 });
my $storm = Storm->new($c);

sub stand_still ($part, $end) {
	while (time < $end) {
		my $pid = Storm::any($c->pids($part));

		kill 'STOP', $pid;
		sleep STILL_S + rand 2;
		kill 'CONT', $pid;
		sleep rand 1;
	}
	return { n => {}, told => [] };
}

# Doubts, and calls that are under way when their process stops.
sub make_doubts ($end) {
	delete $c->{sim};    # a connection of its own
	while (time < $end) {
		$c->rule(partner => Storm::any(qw(taas tmf nig)), times => 2,
		    %{ Storm::any({ do => 'cut', applied => 1 },
			{ do => 'cut', applied => 0 },
			{ do => 'delay', ms => 300 }) });
		sleep rand 0.2;
	}
	return { n => {}, told => [] };
}

# The operations that another process than the first ended.
sub taken () {
	return scalar grep { /event=(?:recovered|operation_adopted)/ }
	    map { $c->log_lines($_) } qw(pool worker);
}

diag "CTT_TEST_SEED=$SEED";
my (%n, @seen);
$c->expect(qr/upstream timed out/);
for my $round (1 .. ROUNDS) {
	my $end = time + $SECONDS;
	my @round = $c->parallel(CLIENTS + 3, sub ($i) {
		srand $SEED + $i + 100 * $round;
		return $i < CLIENTS ? $storm->client($end)
		    : $i == CLIENTS ? make_doubts($end)
		    : stand_still($i == CLIENTS + 1 ? 'pool' : 'worker', $end);
	});

	push @seen, @round;
	for my $n (map { $_->{n} } @round) {
		$n{$_} += $n->{$_} for keys %$n;
	}
	$c->no_rules;
	ok $c->settle(60), "round $round: it settles"
	    or diag $c->cttctl('operations')->{out};
	last if ($n{200} // 0) > 50 && taken() >= TAKEN;
}
note "$n{$_} times $_" for sort keys %n;
is_deeply [ grep { !/^(2|404 CTT_ACTIVITY|409|422 BULK_ALL|50[234] )/ }
	keys %n ], [], 'every answer is one that there is';
cmp_ok $n{200} // 0, '>', 50, 'many succeeded';
cmp_ok taken(), '>=', TAKEN, taken() . ' were taken over';
is_deeply [ Storm::untrue($c, @seen) ], [],
    'each operation ended as its caller was told';
ok $c->quiet(60), 'all jobs are delivered';
is $c->one("SELECT COUNT(*) FROM job WHERE state <> 'DONE'"), 0,
    'and none is dead';
$c->agree('both sides');
$c->stop;
done_testing;
