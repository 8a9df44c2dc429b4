# Ten clients do all that can be done to fifty CTTs and five NTTs, while the
# partners fail at random and processes are killed. Then it is quiet, and both
# sides agree. And: two operations on one CTT never interleave.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Storm;
use Test::More;
use Time::HiRes qw(sleep time);

my $SEED = $ENV{CTT_TEST_SEED} // time ^ $$;
my $SECONDS = $ENV{CTT_TEST_SECONDS} // 15;
my $c = Ctt->start(pool => 14, workers => 0, set => {
	CTT_PARTNER_TIMEOUT_MS => 30_000 });

sub given_ctt ($no, %columns) {
	return Storm::given_ctt($c, $no, %columns);
}

# ---- two operations on one CTT ----

# Each of these begins on CTTs that are linked to the first NTT, or, for the
# link, to none.
my %BEGIN = (
	link    => sub ($ctt, $from, $to, $a) { $c->link($ctt, $to) },
	unlink  => sub ($ctt, $from, $to, $a) { $c->unlink_from($from, [$ctt]) },
	move    => sub ($ctt, $from, $to, $a) { $c->move_to($to, [$ctt]) },
	resolve => sub ($ctt, $from, $to, $a) { $c->resolve($a, $ctt) },
	cpe     => sub ($ctt, $from, $to, $a) { $c->update_cpe($ctt, {
		manufacturer => 'ZTE', model => 'x', bandwidthMbps => 1,
		ipAddress => '10.1.1.1', port => '1' }) },
);

my @kinds = sort keys %BEGIN;
my ($from, $to) = $c->given(ntt => {}, ntt => {});
$c->token(roles => ['ctt-cpe']);
for my $first (@kinds) {
	my @ctts = map { given_ctt("TaaS-$first-$_", $first eq 'link' ? ()
		: (linked => $from)) } @kinds;
	my @activities = map { Storm::latest($c, $_) } @ctts;

	# The partner holds the first one until the second has been answered.
	my @rules = map { $c->rule(ticket => "TaaS-$first-$_", times => 1,
		do => 'hold') } @kinds;
	my @r = $c->parallel(2 * @kinds, sub ($i) {
		my $n = $i % @kinds;
		my @with = ($ctts[$n], $from, $to, $activities[$n]);
		return $BEGIN{$first}->(@with) if $i < @kinds;
		$c->wait_for(20, sub { @{ $c->sim(GET =>
			"/calls?ticket=TaaS-$first-$kinds[$n]") } });
		my $r = $BEGIN{ $kinds[$n] }->(@with);
		$c->sim(DELETE => "/rules/$rules[$n]");
		return $r;
	});
	for my $n (0 .. $#kinds) {
		my ($one, $two) = @r[ $n, $n + @kinds ];
		my $error = $two->{json}{results}
		    ? $two->{json}{results}[0]{error} : $two->{json};
		my @ops = $c->rows('SELECT * FROM operation WHERE ctt_id = ?'
		    . " AND state <> 'REFUSED'", $ctts[$n]);

		is $one->{status}, 200, "a $first";
		is $error->{code}, 'OPERATION_IN_PROGRESS',
		    "and a $kinds[$n] meanwhile";
		ok scalar(grep { $_->{id} eq ($error->{openOperationId} // '') }
			@ops), 'is told which one is under way';
		like $error->{retryAfter}, qr/^[1-9]\d*$/, 'try again';
		is @ops, $first eq 'move' ? 2 : 1, 'only the first was begun';
	}
}
$c->agree('after the pairs, both sides');
$c->stop;

$c = Ctt->start(pool => 14, workers => 2, set => {
	CTT_PARTNER_TIMEOUT_MS => 600, CTT_UNLINK_BLOCK_TTL => 1 });
($to) = $c->given(ntt => {});

# ---- deadlocks of the workers ----

{
	$c->do('CREATE TABLE trouble (is_on INT)');
	$c->do('INSERT INTO trouble VALUES (1)');
	$c->do(q{CREATE TRIGGER trouble BEFORE UPDATE ON job FOR EACH ROW
		IF OLD.state = 'RUNNING' AND (SELECT is_on FROM trouble)
		THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END IF});
	$c->expect(qr/JOB_CLOSE/);
	is $c->link(given_ctt('D-1'), $to)->{status}, 200, 'jobs';
	ok $c->wait_for(5, sub { grep { /JOB_CLOSE: 1213/ }
		$c->log_lines('worker') }), 'that meet deadlocks';
	sleep 0.5;
	$c->do('UPDATE trouble SET is_on = 0');
	ok $c->quiet(5), 'are done once there are none';
	$c->do('DROP TRIGGER trouble');
	$c->do('DROP TABLE trouble');
}

# ---- the storm ----

my $storm = Storm->new($c);

# What the partners do to the calls that come next. A no of the partner's own it
# would repeat: so only what is not sure yet is refused, by what can end a doubt
# (400 and 403 cannot). A gateway's no passes.
my @TROUBLE = (
	(map { { do => 'refuse', status => $_, key => '-sync$' } }
		404, 409, 410, 422),
	(map { { do => 'status', status => $_ } } 301, 400, 401, 403, 404, 501),
	(map { { do => 'status', status => 500, applied => $_ } } 0, 1),
	{ do => 'status', status => 429 },
	(map { { do => 'cut', applied => $_ } } 0, 1),
	{ do => 'cut', reset => 1, applied => 1 },
	(map { { do => 'delay', ms => $_ } } 50, 250, 700),
	{ do => 'hang', applied => 1 },
	{ do => 'garbage', applied => 1 },
);

sub make_trouble ($end) {
	my $kill = time + 1;

	delete $c->{sim};    # a connection of its own
	while (time < $end) {
		$c->rule(partner => Storm::any(qw(taas tmf nig queue)),
		    times => 1 + int rand 4, %{ Storm::any(@TROUBLE) });
		sleep rand 0.04;
		next if time < $kill;
		kill 'KILL', Storm::any($c->pids(Storm::any(qw(pool pool
			worker)))) // next;
		$kill = time + 1;
	}
	return { n => {}, told => [] };
}

diag "CTT_TEST_SEED=$SEED";
my (%n, @seen);

# Which kinds have not come to which state yet.
sub not_met () {
	my %states = map { $_ => 1 } $c->column("SELECT DISTINCT CONCAT(kind,"
	    . " ' ', state) FROM operation");

	return grep { !$states{$_} } map { my $kind = $_;
		map { "$kind $_" } qw(SUCCEEDED ROLLED_BACK),
		    $kind eq 'RESOLVE' ? () : 'COMPENSATED' }
	    qw(LINK UNLINK RESOLVE CPE_UPDATE);
}

# A busy machine comes to less in that time: then once more.
for my $round (0 .. 3) {
	my $end = time + $SECONDS;
	my @round = $c->parallel(11, sub ($i) {
		srand $SEED + $i + 100 * $round;
		return $i == 10 ? make_trouble($end) : $storm->client($end);
	});
	push @seen, @round;
	for my $n (map { $_->{n} } @round) {
		$n{$_} += $n->{$_} for keys %$n;
	}
	$c->no_rules;
	ok $c->settle(60), 'it settles' or diag $c->cttctl('operations')->{out};
	last if ($n{200} // 0) > 100 && !not_met();
}
note "$n{$_} times $_" for sort keys %n;
is_deeply [ grep { !/^(2|404 CTT_ACTIVITY|409|422 BULK_ALL|502|503 PART)/ } keys %n ],
    [], 'every answer is one that there is';
cmp_ok $n{200} // 0, '>', 100, 'many succeeded';

is_deeply [ Storm::untrue($c, @seen) ], [],
    'each operation ends as its caller was told';
ok $c->quiet(30), 'all jobs are delivered';
$c->agree('after the storm, both sides');
is_deeply [ not_met() ], [], 'it saw every kind in every state';
is $c->one("SELECT COUNT(*) FROM job WHERE state <> 'DONE'"), 0,
    'every job is done';
$c->stop;
done_testing;
