# A storm of jobs: ten thousand of them and four workers, of which one is killed
# every 200 ms; one job is poison. Each is delivered at least once, under one
# key; the poison is DEAD, and holds nobody up; and no worker starves.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use List::Util qw(sum0);
use Test::More;
use Time::HiRes qw(sleep time);

use constant {
	JOBS     => 10_000,
	WORKERS  => 4,
	ATTEMPTS => 3,
	KILL_S   => 0.2,
	LIMIT_S  => 120,
	SENDS_MS => 100,    # what the queue takes for a job: or it is over
			    # before the killing has begun
	FAIR     => 0.4,    # of a worker's fourth
};

my $c = Ctt->start(pool => 1, workers => WORKERS, set => {
	CTT_JOB_ATTEMPTS => ATTEMPTS, CTT_LOG_LEVEL => 'debug' });

# Jobs as a link writes them; $name and a number make their keys.
sub given_jobs ($c, $name, $n) {
	$c->do(q{INSERT INTO job (type, payload, dedupe_key)
		SELECT 'update-tmf-list', JSON_OBJECT('operationId',
			CONCAT(?, seq), 'cttId', seq, 'cttTicketNo',
			CONCAT(?, seq), 'nttId', 1, 'nttTicketNo', 'N-1',
			'actor', 'olga', 'requestId', ?),
			CONCAT(?, seq, ':update-tmf-list')
		FROM seq_1_to_100000 WHERE seq <= ?}, ($name) x 4, $n);
}

# They are of no operation, and cttctl check would say so.
sub end ($c) {
	$c->do("DELETE FROM job WHERE dedupe_key REGEXP '^(storm|calm|held)-'");
	$c->stop;
}

sub left ($c) {
	return $c->one("SELECT COUNT(*) FROM job"
	    . " WHERE state IN ('READY', 'RUNNING')");
}

# Which process of the worker delivered each job, in their order.
sub deliveries () {
	return map { /pid=(\d+) .*event=partner_call .*verdict=yes/ ? $1 : () }
	    $c->log_lines('worker');
}

sub counts (@pids) {
	my %n;
	$n{$_}++ for @pids;
	return %n;
}

# ---- with a kill every 200 ms ----

{
	my $poison = 'storm-' . JOBS / 2;
	my ($kills, $began) = (0, time);

	$c->rule(partner => 'queue', ticket => $poison, do => 'refuse',
	    status => 422);
	$c->sim(PUT => '/latency', { queue => SENDS_MS });
	given_jobs($c, 'storm-', JOBS);
	while (left($c) && time < $began + LIMIT_S) {
		sleep KILL_S;
		my @pids = $c->pids('worker');
		$kills += kill 'KILL', $pids[ rand @pids ] if @pids;
	}
	note sprintf '%d jobs and %d kills in %.1f s', JOBS, $kills,
	    time - $began;
	is left($c), 0, JOBS . " jobs are gone, with $kills kills";
	cmp_ok $kills, '>=', 10, 'which are some';

	my %states = map { @$_{qw(state n)} } $c->rows('SELECT state,'
	    . ' COUNT(*) n FROM job GROUP BY state');
	is_deeply \%states, { DONE => JOBS - 1, DEAD => 1 },
	    'all are done, but for one';
	is_deeply [ $c->rows('SELECT dedupe_key, refusals, last_error LIKE'
	    . " '%422%' why FROM job WHERE state = 'DEAD'") ],
	    [ { dedupe_key => "$poison:update-tmf-list",
		refusals => ATTEMPTS, why => 1 } ],
	    'the poison is DEAD, and says why';

	my (%bodies, %times);
	for my $call ($c->heard('queue')) {
		$times{ $call->{key} }++;
		$bodies{ $call->{key} }{ Cpanel::JSON::XS->new->canonical
			->encode($call->{body}) } = 1;
	}
	note sprintf '%d calls', sum0(values %times);
	my %want = map { $_ => 1 } $c->column('SELECT dedupe_key FROM job');
	is_deeply [ grep { !$times{$_} } keys %want ], [], 'each was sent';
	is_deeply [ grep { !$want{$_} } keys %times ], [], 'under its key';
	is_deeply [ grep { keys %{ $bodies{$_} } != 1 } keys %bodies ], [],
	    'with one body, however often';
	my $effects = $c->sim_state->{effects};
	is scalar(grep { $_ == 1 } values %$effects), JOBS - 1,
	    'and had one effect';
	$c->no_rules;
	$c->sim(PUT => '/latency', { queue => 20 });
}

# ---- with none: each of the four has its part ----

{
	my $before = () = deliveries();

	given_jobs($c, 'calm-', JOBS / 2);
	ok $c->quiet(LIMIT_S), 'more jobs, in peace';
	my @by = deliveries();
	my %n = counts(splice @by, $before);
	note "worker $_: $n{$_} jobs" for sort keys %n;
	is sum0(values %n), JOBS / 2, 'each is delivered once';
	is keys %n, WORKERS, 'every worker delivers';
	is_deeply [ grep { $_ < FAIR * JOBS / 2 / WORKERS } values %n ], [],
	    'its fair part';
}

end($c);

# ---- one worker, and operations whose partner hangs ----

{
	my ($jobs, $page, $ops) = (2000, 128, 20);
	my $d = Ctt->start(pool => 1, set => { CTT_PARTNER_TIMEOUT_MS => 1000,
		CTT_BREAKER_FAILURES => 1000 });
	my @ctts = $d->given_ctts($ops);
	my $ntt = pop @ctts;

	$d->rule(partner => 'taas', do => 'hang');
	$d->bulk(map { [ $_, $ntt ] } @ctts);
	$d->sim(DELETE => '/calls');
	given_jobs($d, 'held-', $jobs);
	ok $d->quiet(LIMIT_S), 'a partner hangs: the jobs are delivered';
	is $d->one("SELECT COUNT(*) FROM operation WHERE state = 'SETTLING'"),
	    $ops, 'while operations wait for it';
	my $rounds = $d->heard('taas') / $ops;
	note "$rounds times asked for them";
	cmp_ok $rounds, '<', $jobs / $page / 2, 'in turn, by time';
	$d->no_rules;
	ok $d->settle, 'they are settled';
	$d->agree;
	end($d);
}

done_testing;
