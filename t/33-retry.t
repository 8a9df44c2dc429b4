# When what is open is tried again: later each time, not all at once, never at
# full speed; what an operator is told of it, and has tried now.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use List::Util qw(max min uniq);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(cpu_s);

# ---- waits grow, up to a cap, and differ ----

use constant { BASE_MS => 80, CAP_MS => 640, MANY => 40, HEAP => 2000 };

my $c = Ctt->start(workers => 2, set => { CTT_RETRY_BASE_MS => BASE_MS,
	CTT_RETRY_CAP_MS => CAP_MS, CTT_BREAKER_FAILURES => 1_000_000 });

# Waits that were seen, {how often it was tried => {"row wait" => ms}}, until
# each of MANY rows was tried so often.
sub watch ($often, $sql) {
	my %seen;

	ok $c->wait_for(20, sub {
		for ($c->rows($sql)) {
			my ($id, $tries, $ms) = @$_{qw(id tries ms)};
			$seen{$tries}{"$id $ms"} = $ms;
		}
		return values %{ $seen{$often} // {} } >= MANY;
	}), "$often tries";
	return \%seen;
}

# Each wait is at least half of what doubles, and at most the whole.
sub waits_well ($name, $seen, $doublings) {
	for my $tries (sort { $a <=> $b } keys %$seen) {
		my @ms = values %{ $seen->{$tries} };
		my $full = min(CAP_MS, BASE_MS << $doublings->($tries));

		next if @ms < MANY / 2;    # they were seen by chance
		cmp_ok min(@ms), '>=', $full / 2, "$name $tries: not too soon";
		cmp_ok max(@ms), '<=', $full, 'nor too late';
		cmp_ok scalar uniq(@ms), '>', 8, 'nor all at the same moment';
	}
}

my @ctts = $c->given_ctts(MANY);
my $ntt = pop @ctts;
$c->rule(partner => 'taas', do => 'cut');
is $c->bulk(map { [ $_, $ntt ] } @ctts)->{status}, 422, MANY . ' in doubt';
waits_well('operations', watch(6, "SELECT id, tries, TIMESTAMPDIFF(MICROSECOND,"
	. " updated_at, next_try_at) DIV 1000 ms FROM operation"
	. " WHERE state = 'SETTLING' AND owner IS NULL"),
    sub ($tries) { $tries ? $tries - 1 : 0 });

# Within a call: three attempts, and a wait before each but the first.
{
	my (%at, @gaps);

	push @{ $at{ $_->{ticket} } }, $_->{at} for $c->heard('taas');
	for my $at (values %at) {
		push @{ $gaps[$_] }, $at->[$_] - $at->[ $_ - 1 ] for 1, 2;
	}
	cmp_ok min(@{ $gaps[1] }), '>=', 0.045, 'a second attempt is not at once';
	cmp_ok min(@{ $gaps[2] }), '>=', 0.095, 'the third later still';
	cmp_ok max(map { POSIX::floor(1000 * $_) } @{ $gaps[$_] })
	    - min(map { POSIX::floor(1000 * $_) } @{ $gaps[$_] }), '>', 15,
	    'each with a wait of its own' for 1, 2;
}

# At the cap each of them is asked three times in half of it, at the most.
{
	$c->sim(DELETE => '/calls');
	my $began = time;
	sleep 2;
	my $calls = $c->heard('taas');
	my $seconds = time - $began;

	note sprintf '%.0f calls per second', $calls / $seconds;
	cmp_ok $calls, '<=', MANY * 3 * (1 + $seconds * 1000 / (CAP_MS / 2)),
	    'a partner that is dead is not stormed';
	cmp_ok $calls, '>', 0, 'nor forgotten';
}
$c->no_rules;
ok $c->settle, 'it is well: settled';

# Jobs likewise.
$c->rule(partner => 'queue', do => 'cut');
is $c->bulk(map { [ $_, $ntt ] } @ctts)->{status}, 200, 'jobs';
waits_well('jobs', watch(6, "SELECT id, attempts tries, TIMESTAMPDIFF("
	. "MICROSECOND, updated_at, run_at) DIV 1000 ms FROM job"
	. " WHERE state = 'READY' AND attempts > 0"),
    sub ($attempts) { $attempts - 1 });
$c->no_rules;
ok $c->quiet, 'delivered';
$c->agree;
$c->stop;

# ---- nothing spins: a heap of work, and no partner ----

# What the worker has used up so far.
my %USED = (
	time       => sub () { time },
	attempts   => sub () { $c->one('SELECT SUM(attempts) FROM job') },
	statements => sub () { ($c->dbh->selectrow_array(
		"SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'"))[1] },
	cpu        => sub () { cpu_s($c->pids('worker')) },
);

sub used ($what) { return $USED{$what}->() }

$c = Ctt->start(workers => 1, queue_url => 'http://127.0.0.1:1',
    set => { CTT_RETRY_BASE_MS => 500, CTT_RETRY_CAP_MS => 30_000,
	CTT_PARTNER_TIMEOUT_MS => 500 });
{
	my @ctts = $c->given_ctts(MANY);
	my $ntt = pop @ctts;

	$c->rule(partner => 'taas', do => 'cut');
	$c->bulk(map { [ $_, $ntt ] } @ctts);
	$c->do("INSERT INTO job (type, payload, dedupe_key) SELECT"
	    . " 'update-tmf-list', '{}', CONCAT('heap:', seq)"
	    . ' FROM seq_1_to_' . HEAP);
	# (a round in which the queue was not asked counts no attempt)
	ok $c->wait_for(40, sub { !$c->one('SELECT COUNT(*) FROM job WHERE'
		. ' TIMESTAMPDIFF(MICROSECOND, updated_at, run_at) < 2000000') }),
	    'a heap of jobs, and no queue: they wait longer and longer';
	$c->sim(DELETE => '/calls');
	my %used = map { ($_ => -used($_)) } qw(time cpu attempts statements);
	sleep 4;
	$used{$_} += used($_) for keys %used;
	my ($seconds, $cpu, $attempts, $statements)
	    = @used{qw(time cpu attempts statements)};

	note sprintf '%.1f %% of a CPU, %.1f attempts of a job, %.0f statements'
	    . ' per second, %d calls', 100 * $cpu / $seconds, $attempts / HEAP,
	    $statements / $seconds, scalar $c->heard('taas');
	cmp_ok $attempts, '<', 1.8 * HEAP, 'they are not picked up all the time';
	cmp_ok $cpu, '<', 0.25 * $seconds, 'the worker is at rest';
	cmp_ok $statements, '<', 150 * $seconds, 'the database too';
	cmp_ok scalar $c->heard('taas'), '<', 30, 'and the partners';
	$c->do("DELETE FROM job WHERE dedupe_key LIKE 'heap:%'");
	$c->no_rules;
	$c->cttctl('operations', 'retry', '--all');
	ok $c->settle, 'settled';
}
$c->stop;

# ---- what an operator is told ----

$c = Ctt->start(pool => 2, set => { CTT_PARTNER_TIMEOUT_MS => 1500,
	CTT_RETRY_BASE_MS => 60_000, CTT_RETRY_CAP_MS => 3_600_000 });
my $LONG = qr/tried next in \d+ s$/;
my ($PAIR, $ALONE) = map { qr/$_, open for \d+ s: / }
    qr/of CTT [CX]-\d+ and NTT N-\d+/, qr/of CTT [CX]-\d+/;

sub operations (@words) { return $c->cttctl('operations', @words) }

# The last operation of a CTT.
sub op_of ($ctt) {
	return $c->one('SELECT id FROM operation WHERE ctt_id = ? ORDER BY'
	    . ' seq DESC LIMIT 1', $ctt);
}

sub state_of ($id) {
	return $c->one('SELECT state FROM operation WHERE id = ?', $id);
}

sub doubtful () {
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	$c->rule(ticket => "C-$ctt", do => 'cut');
	$c->link($ctt, $ntt);
	return op_of($ctt);
}

sub forward () {
	my $ctt = $c->given(ctt => { ticket_no => 'X-1' });
	my $activity = $c->given_activity($ctt);
	$c->rule(ticket => 'X-1', do => 'status', status => 503);
	$c->resolve($activity, $ctt);
	return op_of($ctt);
}

sub undoing () {
	my $ntt = $c->given(ntt => {});
	my $ctt = $c->given(ctt => { linked => $ntt });
	$c->rule(ticket => "C-$ctt", key => '-undo$', do => 'status',
	    status => 500);
	$c->rule(ticket => "C-$ctt", key => '-sync$', times => 3, do => 'cut',
	    applied => 1);
	$c->unlink_from($ntt, [$ctt]);
	my $op = op_of($ctt);
	operations('retry', $op);
	ok $c->wait_for(5, sub { $c->one('SELECT undoing AND owner IS NULL'
		. ' FROM operation WHERE id = ?', $op) }), 'an undo that fails';
	return $op;
}

sub going_back () {
	my ($from, $to) = $c->given(ntt => {}, ntt => {});
	my $ctt = $c->given(ctt => { linked => $from });
	$c->rule(ticket => "C-$ctt", says => "N-$from", path => '/link$',
	    do => 'cut');
	$c->rule(ticket => "C-$ctt", says => "N-$to", do => 'status',
	    status => 400);
	$c->move_to($to, [$ctt]);
	return op_of($ctt);
}

# From here on no worker runs.
sub abandoned () {
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});

	ok $c->stack('stop', 'worker'), 'the worker stops';
	$c->rule(ticket => "C-$ctt", do => 'hang');
	$c->parallel(2, sub ($i) {
		return $c->link($ctt, $ntt)->{status} if $i;
		$c->wait_for(5, sub { $c->heard('taas', ticket => "C-$ctt") });
		kill 'KILL', $c->pids('pool');
	});
	return op_of($ctt);
}

sub under_way () {
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	$c->plant_busy($ctt, ntt_id => $ntt, partner => 'TAAS');
	return "busy-$ctt";
}

sub overdue () {
	my $ctt = $c->given(ctt => {});
	$c->given(operation => { id => "late-$ctt", kind => 'CPE_UPDATE',
		state => 'SETTLING', ctt_id => $ctt, partner => 'NIG',
		actor => 'x', tries => 1, last_error => 'NIG was cut off' });
	$c->do('UPDATE operation SET next_try_at = UTC_TIMESTAMP(3)'
	    . ' - INTERVAL 10 MINUTE, created_at = UTC_TIMESTAMP(3)'
	    . " - INTERVAL 3 DAY WHERE id = 'late-$ctt'");
	return "late-$ctt";
}

my @KINDS = (
	[ 'in doubt', \&doubtful, qr/LINK ${PAIR}the caller was told that it
		failed; TAAS may have accepted it, and must then undo it
		\(TaaS did not answer the call \(.*\)\); $LONG/ ],
	[ 'driven on', \&forward, qr/RESOLVE ${ALONE}the caller was told that
		it goes on; it is done when TMF says yes, and given up if TMF
		says no \(TMF answered the call with HTTP 503\); $LONG/ ],
	[ 'being undone', \&undoing, qr/UNLINK ${PAIR}the caller was told that
		it failed; TAAS accepted it, and must still undo it \(TaaS
		answered the call with HTTP 500\); tried again 1 time;
		$LONG/ ],
	[ 'on the way back', \&going_back, qr/LINK ${PAIR}the caller was told
		that it goes on; it is done when TAAS says yes, and given up if
		TAAS says no \(TaaS did not answer the call \(.*\)\); $LONG/ ],
	[ 'abandoned', \&abandoned, qr/LINK ${PAIR}its process died, and the
		caller got no answer; it is done if TAAS says yes, and undone
		if TAAS says no; tried next in 0 s$/ ],
	[ 'under way', \&under_way, qr/LINK ${PAIR}it is under way at TAAS;
		being tried now$/ ],
	[ 'overdue', \&overdue, qr/CPE_UPDATE of CTT C-\d+, open for 3 days:
		the caller was told that it failed; NIG may have accepted it,
		and must then undo it \(NIG was cut off\); tried again 1 time;
		was to be tried 10 min ago: does ctt-worker run\?$/ ],
);
my %op = map { $_->[0] => $_->[1]->() } @KINDS;
{
	my %lines = map { split / /, $_, 2 } split /\n/, operations()->{out};

	for (@KINDS) {
		my ($kind, undef, $text) = @$_;
		$text =~ s/\n\s+/ /g;
		like $lines{ $op{$kind} }, qr/^$text/, "$kind: in plain words";
	}
	is scalar keys %lines, @KINDS, 'and there is nothing else';
}

# ---- and tries now, however long it would wait ----

$c->unplant;
$c->no_rules;
ok $c->stack('start', 'worker'), 'the worker starts';
ok $c->wait_for(5, sub { state_of($op{abandoned}) eq 'SUCCEEDED' }),
    'what is abandoned it takes up at once';
{
	my $r = operations('retry', $op{'in doubt'});

	is_deeply [ @$r{qw(status out err)} ], [ 0,
		"1 to be tried again, by ctt-worker, now\n", '' ], 'retry one';
	ok $c->wait_for(5, sub { state_of($op{'in doubt'}) eq 'COMPENSATED' }),
	    'is now';
	is state_of($op{$_}), 'SETTLING', "and $_ has time" for 'driven on', 'being undone',
	    'on the way back';

	$r = operations('retry', $op{'driven on'}, 'NONE', $op{'in doubt'});
	is_deeply [ @$r{qw(status out)} ], [ 1,
		"1 to be tried again, by ctt-worker, now\n" ],
	    'some that are open, and some that are not';
	is $r->{err}, "cttctl: there is no NONE\ncttctl: $op{'in doubt'} is"
	    . " COMPENSATED: there is nothing to try again\n", 'are named';
	ok $c->wait_for(5, sub { state_of($op{'driven on'}) eq 'SUCCEEDED' }),
	    'what can be tried is';

	is operations('retry', '--all')->{out},
	    "2 to be tried again, by ctt-worker, now\n", 'retry all';
	ok $c->settle(5), 'are settled';
	is operations()->{out}, '', 'and nothing is open';
}

# A partner that was broken, and is well: who says "now" does not wait for more
# than its next probe.
{
	my @ctts = $c->given_ctts(15);
	my $ntt = pop @ctts;
	my $broken = sub { $c->get('/metrics')->{raw} =~
		/^cttd_partner_broken\{partner="TAAS"\} 1/m };

	$c->rule(partner => 'taas', do => 'cut');
	$c->bulk(map { [ $_, $ntt ] } @ctts);
	ok $broken->(), 'a partner that is only probed';
	operations('retry', '--all');
	ok $c->wait_for(5, sub { operations()->{out} =~ /only probed/ }),
	    'is not asked of all of them';
	$c->no_rules;
	my $began = time;
	is operations('retry', '--all')->{status}, 0, 'it is well: retry all';
	ok $c->settle(8), 'all are settled';
	note sprintf 'in %.1f s', time - $began;
}
$c->agree;
$c->stop;

done_testing;
