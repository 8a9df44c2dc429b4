# kill -9 at every fault point, for a batch of 1 and of 5: then the worker
# alone, then look. Settled, agreed, counted, and one set of everything.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Sweep;
use Test::More;

my $c = Ctt->start(pool => 4, set => { CTT_PARTNER_TIMEOUT_MS => 400 });
my @points = $c->faults;
my %fired;

plan skip_all => 'this build has no fault points' unless @points;

# What leads to a point: a plain link; and one whose outcome nobody knows, so
# that recovery has to ask and to undo. Jobs are delivered in the first.
my %SCENE = (
	plain    => undef,
	doubtful => { do => 'cut', applied => 1, times => 3 },
);

# n links to one NTT, of both partners, in one request.
sub links ($n, $ctts, $ntt) {
	return $n == 1 ? $c->link($ctts->[0], $ntt)
	    : $c->bulk(map { [ $_, $ntt ] } @$ctts);
}

# How the operation of this CTT ended; nothing if there is none.
sub state_of ($ctt) {
	my ($state, @more) = $c->column('SELECT state FROM operation'
	    . ' WHERE ctt_id = ?', $ctt);

	is_deeply [ @more, Sweep::not_whole($c, $ctt) ], [],
	    'one at most, with what goes with it';
	$state //= '';
	is defined $c->row(ctt => $ctt)->{ntt_id}, $state eq 'SUCCEEDED',
	    'it is linked if that says so';
	return $state;
}

sub sweep ($point, $n, $scene) {
	my $name = "$point, $scene, $n";
	my @ctts = $c->given((map { (ctt => { source => $_ % 2 ? 'TAAS'
		: 'TMF' }) } 1 .. $n), ntt => {});
	my $ntt = pop @ctts;

	$c->rule(ticket => "C-$_", %{ $SCENE{$scene} },
		method => { TAAS => 'POST', TMF => 'PATCH' }
		->{ $c->row(ctt => $_)->{source} })
	    for $SCENE{$scene} ? @ctts : ();
	$c->fault($point, 'kill');
	my $r = links($n, \@ctts, $ntt);

	if ($r->{status} != 200) {
		is $r->{json}{code}, 'NO_ANSWER', "$name: no answer"
		    if $scene eq 'plain';
		my @found = @{ $c->get('/ticket/operation?requestId='
			. $r->{headers}{'x-request-id'})->{json}{items} };
		ok @found == 0 || @found == $n, 'the journal says what became';
	}
	ok $c->settle, 'it settles by itself';
	ok $c->quiet, 'and the jobs are delivered';
	$fired{$point}++ if $c->fault_fired;
	my %state = map { state_of($_) => 1 } @ctts;
	is keys %state, 1, 'all the same way';
	ok $state{SUCCEEDED} || $state{''},
	    'forward, where nobody was told that it failed'
	    if $scene eq 'plain';
	$c->agree($name);
}

for my $point (@points) {
	for my $n (1, 5) {
		sweep($point, $n, $_) for sort keys %SCENE;
	}
}
is_deeply [ grep { !$fired{$_} } @points ], [], 'every point was met';

# A job is delivered at least once, under one key.
{
	my $queue = $c->sim_state->{queue};

	is_deeply [ sort keys %$queue ],
	    [ sort $c->column("SELECT dedupe_key FROM job"
		. " WHERE type <> 'look-again'") ],
	    'every job was delivered';
	is $c->one("SELECT COUNT(*) FROM job WHERE state <> 'DONE'"), 0,
	    'and is done';
}

# ---- other ends ----

# A process that is stopped in the middle, as by a machine that stands still,
# finds on waking that its work was done by others, or goes on.
{
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});

	$c->fault('after-sync', 'delay', ms => 1000);
	is $c->link($ctt, $ntt)->{status}, 200,
	    'who only slept is not taken for dead';
	$c->fault('before-intent', 'fail');
	my ($c2) = $c->given(ctt => {});
	is $c->link($c2, $ntt)->{json}{code}, 'DB_SAVE_FAILED',
	    'a save that fails';
	ok $c->fault_fired, 'at its point';
	$c->agree;
}

# What a crash left says nobody, if TMF has lost the ticket since: it stays open,
# until TMF finds it, or an operator closes it.
for (
	[ 404, sub ($op) { $c->no_rules }, 'SUCCEEDED' ],
	[ 410, sub ($op) { is $c->cttctl('operations', 'close', $op, '--as',
		'undone', '--reason', 'TMF has lost the ticket')->{status}, 0,
		'closed by hand' }, 'ROLLED_BACK' ],
) {
	my ($status, $then, $end) = @$_;
	my ($ctt, $ntt) = $c->given(ctt => { source => 'TMF' }, ntt => {});

	$c->rule(ticket => "C-$ctt", method => 'GET', do => 'status',
		status => $status);
	$c->fault('after-intent', 'kill');
	is $c->link($ctt, $ntt)->{json}{code}, 'NO_ANSWER', 'no answer';
	my $op = $c->one('SELECT id FROM operation WHERE ctt_id = ?', $ctt);
	ok $c->wait_for(20, sub { $c->row(operation => $op)->{tries} > 8 }),
	    'it is asked again';
	like $c->cttctl('operations')->{out}, qr/^\Q$op\E .*HTTP $status/,
	    'and is open, as an operator is told';
	$then->($op);
	ok $c->settle, 'it is settled';
	is_deeply [ $c->row(ctt => $ctt)->{ntt_id}, $c->column('SELECT state'
		. ' FROM operation WHERE ctt_id = ?', $ctt) ],
	    [ $end eq 'SUCCEEDED' ? $ntt : undef, $end ],
	    "a ticket that TMF answers with $status";
	$c->no_rules;
	$c->agree;
}

# What dies is back within 5 s.
for my $part (qw(pool worker)) {
	my %old = map { $_ => 1 } $c->pids($part);

	kill 'KILL', keys %old;
	ok $c->wait_for(5, sub {
		my @now = $c->pids($part);
		return @now == keys %old && !grep { $old{$_} } @now;
	}), "all of the $part is killed, and there again";
}
is $c->get('/ticket/lov')->{status}, 200, 'and answers';

$c->stop;
done_testing;
