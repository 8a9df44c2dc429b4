# GET /ticket/health says how cttd is: each part that can be ill, made ill, is
# shown so, and all else as it was. It answers whatever is away, and soon.
# Whoever asks for it leaves the numbers to /metrics, which says the same.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(sleep);
use Util qw(slurp);

my $SCHEMAS = Cpanel::JSON::XS::decode_json(
	slurp("$FindBin::Bin/../openapi.json"))->{components}{schemas};

use constant {
	POOL      => 4,
	FAILURES  => 3,
	AT_ONCE_S => 1,
	STALLED_S => 4,    # with a database that says nothing
	AGES      => [ 10, 60, 600, 3600, 86_400, undef ],
};

my $c = Ctt->start(pool => POOL, workers => 1, set => {
	CTT_PARTNER_TIMEOUT_MS => 2000, CTT_BREAKER_FAILURES => FAILURES });
my @ADMIN = (Authorization => 'Bearer '
	. $c->token(roles => ['ctt-admin']));
my @NONE = (Authorization => undef);
my $TIME = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

sub health () { return $c->get('/ticket/health', @ADMIN)->{json} }

# The metrics, by their names.
sub metrics ($r = $c->get('/metrics', @NONE)) {
	return { $r->{raw} =~ /^(cttd_\S+) (\d+)$/mg };
}

sub ago ($s) {
	return $c->one('SELECT UTC_TIMESTAMP(3) - INTERVAL ? SECOND', $s);
}

# How long nginx waited for this answer: a test's own time is no measure on a
# busy machine.
sub seconds ($r) {
	my $id = $r->{headers}{'x-request-id'};
	my $s;

	$c->wait_for(5, sub { ($s) = map { /\bapp_seconds="([\d.]+)"/ }
		grep { /request_id=\Q$id\E / } $c->log_lines('access') });
	return $s;
}

# The answer, which came no later.
sub within ($most, $name, $path) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $r = $c->get($path, $path =~ /metrics/ ? @NONE : @ADMIN);

	is $r->{status}, 200, "$name: $path";
	cmp_ok seconds($r), '<', $most, 'in time';
	return $r;
}

# ---- who may ask, and how ----

for (
	[ 'no token',     401, 'UNAUTHENTICATED', '', @NONE ],
	[ 'no good one',  401, 'UNAUTHENTICATED', '',
		Authorization => 'Bearer x.y.z' ],
	(map { [ $_, 403, 'FORBIDDEN', '', Authorization => 'Bearer '
		. $c->token(roles => [$_]) ] }
		qw(ctt-viewer ctt-operator ctt-cpe)),
	[ 'a parameter',  422, 'VALIDATION_FAILED', '?limit=5', @ADMIN ],
	[ 'a parameter, and no right', 403, 'FORBIDDEN', '?limit=5' ],
) {
	my ($name, $status, $code, $query, @headers) = @$_;
	my $r = $c->get("/ticket/health$query", @headers);

	$c->is_problem($r, $status, $code, $name);
	is $r->{json}{errors}[0]{field}, 'limit', 'it is named'
	    if $status == 422;
}
{
	my $r = $c->post('/ticket/health', {}, @ADMIN);

	$c->is_problem($r, 405, 'METHOD_NOT_ALLOWED', 'POST');
	$r = $c->request('HEAD', '/ticket/health', undef, @ADMIN);
	is_deeply [ $r->{status}, $r->{raw} // '' ], [ 200, '' ], 'HEAD';
	cmp_ok $r->{headers}{'content-length'}, '>', 100, 'has the length';
}

# ---- all is well ----

sub states (%n) { return { RUNNING => 0, SETTLING => 0, %n } }

# The operations that are open, of which there are none but these: of a kind,
# in a state, with an age in seconds.
sub operations (@open) {
	my %want = (%{ states() }, oldest => undef,
		kinds => { map { $_ => states() } @{ $SCHEMAS->{Kind}{enum} } },
		ages => [ map { { belowS => $_, %{ states() } } } @{ +AGES } ]);

	for (@open) {
		my ($kind, $state, $age) = @$_;
		my ($in) = grep { $age < ($_->{belowS} // 9e9) }
		    @{ $want{ages} };

		$_->{$state}++ for \%want, $want{kinds}{$kind}, $in;
	}
	return \%want;
}

my $LIMIT = 256;    # calls of the whole pool
my %WELL = (database => { up => 1, writable => 1 }, memcached => { up => 1 },
	operations => operations(),
	jobs => { READY => 0, RUNNING => 0, DEAD => 0, oldestS => undef,
		dead => [] },
	worker => { running => 1, operationLateS => undef, jobLateS => undef });

# The parts, without what differs from moment to moment; that is only held to be
# as it should be.
sub parts ($seen) {
	my %parts = map { $_ => { %{ $seen->{$_} } } } keys %WELL;
	my %vary = (database => 'ms', memcached => 'away');

	for (sort keys %vary) {
		my $n = delete $parts{$_}{ $vary{$_} };
		like $n // '', qr/^\d+$/, "$_: $vary{$_}"
		    if $parts{$_}{writable} // $parts{$_}{up};
	}
	for (qw(beatAt workedAt)) {
		my $at = delete $parts{worker}{$_};
		like $at, $TIME, "worker: $_" if defined $at;
	}
	return \%parts;
}

# Only these parts are not as they are when all is well.
sub differs ($name, $seen, %want) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is_deeply(parts($seen), { %WELL, %want }, $name)
	    || diag explain $seen;
}

{
	ok $c->wait_for(10, sub { health()->{worker}{beatAt} }),
	    'the worker is heard';
	my $seen = health();

	differs('all is well', $seen);
	is_deeply $seen->{partners}{NIG}, { broken => 0, failures => 0,
		waiting => 0, limit => $LIMIT, usualMs => undef,
		answeredAt => undef, lastFailure => undef },
	    'a partner that nobody has asked';
	is $seen->{worker}{workedAt}, undef, 'nor has the worker done anything';

	my ($ctt, $ntt) = $c->given_ctts(1);
	is $c->link($ctt, $ntt)->{status}, 200, 'a link';
	ok $c->quiet, 'and its jobs';
	ok $c->wait_for(10, sub { health()->{worker}{workedAt} }),
	    'the worker has worked';
	$seen = health();
	differs('all is well again', $seen);
	for (qw(TAAS QUEUE)) {
		my $p = $seen->{partners}{$_};
		like $p->{usualMs}, qr/^\d+$/, "$_: what it takes";
		like $p->{answeredAt}, $TIME, "$_: when it answered";
		is $p->{lastFailure}, undef, "$_ never failed";
	}
}

# ---- partners ----

sub works ($ctt, $ntt) {
	$c->wait_for(10, sub { $c->link($ctt, $ntt)->{status} == 200 });
}

for ([ 'refuses nothing, and fails', 503, do => 'status', status => 503 ],
    [ 'closes', undef, do => 'cut' ], [ 'hangs', undef, do => 'hang' ]) {
	my ($name, $status, %rule) = @$_;

	my ($ctt, $ntt) = $c->given_ctts(1);

	$c->rule(partner => 'taas', %rule);
	is $c->link($ctt, $ntt)->{status}, 502, "TaaS $name";
	my $one = health()->{partners}{TAAS}{lastFailure};
	is $one->{status}, $status, 'it is told with what';
	like $one->{at}, $TIME, 'and when';
	$c->no_rules;

	ok works($c->given_ctts(1)) && $c->settle && $c->quiet,
	    'it is well again';
	my $well = health()->{partners}{TAAS};
	is_deeply [ @$well{qw(broken failures)} ], [ 0, 0 ],
	    'shown as well';
	like $well->{lastFailure}{at}, $TIME, 'what was is still known';
}

{
	$c->rule(partner => 'taas', do => 'status', status => 503);
	my @pairs = map { [ $c->given_ctts(1) ] } 1 .. FAILURES;
	$c->link(@$_) for @pairs;
	my $r = $c->wait_for(10, sub { health()->{partners}{TAAS}{broken} });
	ok $r, 'a partner that keeps failing is broken';
	my $all = health()->{partners};
	cmp_ok $all->{TAAS}{failures}, '>=', FAILURES, 'so often it failed';
	is_deeply [ map { $all->{$_}{broken} } qw(TMF NIG QUEUE) ], [ 0, 0, 0 ],
	    'no other is';
	my $m = metrics();
	is_deeply [ @$m{ map { "cttd_partner_broken{partner=\"$_\"}" }
		qw(TAAS TMF NIG QUEUE) } ], [ 1, 0, 0, 0 ],
	    'say the metrics';
	is health()->{database}{up}, 1, 'and the rest goes on';
	$c->no_rules;
	ok $c->settle && $c->quiet, 'it is back';
	ok $c->wait_for(10, sub { !health()->{partners}{TAAS}{broken} }),
	    'and shown so';
}

# All processes but one wait for it: a call for the health does not.
{
	my @pairs = map { [ $c->given_ctts(1) ] } 1 .. POOL - 1;

	$c->rule(partner => 'taas', do => 'hang');
	my ($seen) = $c->parallel(1 + @pairs, sub ($i) {
		return $c->link(@{ $pairs[ $i - 1 ] })->{json} if $i;
		$c->wait_for(10, sub {
			metrics()->{'cttd_partner_waiting{partner="TAAS"}'} });
		my $r = $c->get('/ticket/health', @ADMIN);
		return { %{ $r->{json}{partners}{TAAS} }, s => seconds($r) };
	});
	cmp_ok $seen->{s}, '<', AT_ONCE_S, 'a partner hangs: answered at once';
	cmp_ok $seen->{waiting}, '>=', 1, "$seen->{waiting} wait for it";
	$c->no_rules;
	ok $c->settle && $c->quiet, 'it is back';
	is health()->{partners}{TAAS}{waiting}, 0, 'nobody waits';
}
ok $c->wait_for(10, sub { !health()->{partners}{TAAS}{broken} }), 'all well';

# ---- operations and jobs that wait ----

ok $c->stack('stop', 'worker'), 'no worker';
differs('a worker that was stopped', health(),
    worker => { %{ $WELL{worker} }, running => 0 });

# The ages are far enough from their bounds for a slow machine.
my @OPEN = ([ LINK => 'RUNNING', 0 ], [ LINK => 'SETTLING', 30 ],
	[ UNLINK => 'SETTLING', 300 ], [ RESOLVE => 'SETTLING', 2000 ],
	[ CPE_UPDATE => 'RUNNING', 7000 ], [ LINK => 'SETTLING', 200_000 ]);
{
	my ($ctt, $ntt) = $c->given_ctts(1);
	my $id = 5_000_000;

	for (@OPEN) {
		my ($kind, $state, $age) = @$_;
		my $of = $age == $OPEN[-1][2] ? $ctt : $id++;

		# later ones behind earlier ones, as ids are
		$c->given(operation => { id => sprintf('open-%06d',
			999_999 - $age), kind => $kind,
			state => $state, actor => 'x', ctt_id => $of,
			ntt_id => $ntt, partner => 'TAAS', tries => 3,
			last_error => 'TaaS answered 503',
			created_at => ago($age), next_try_at => ago(-500) });
	}
	$c->given(operation => { id => 'closed', kind => 'LINK', ctt_id => 6e6,
		state => 'SUCCEEDED', actor => 'x', created_at => ago(9e5) });
	my $seen = health();
	my $oldest = delete $seen->{operations}{oldest};

	differs('open operations', { %$seen, operations => {
		%{ $seen->{operations} }, oldest => undef } },
	    operations => operations(@OPEN),
	    worker => { %{ $WELL{worker} }, running => 0 });
	is_deeply { map { $_ => $oldest->{$_} } grep { !/At$|^ageS$/ }
		keys %$oldest }, { operationId => 'open-799999',
		kind => 'LINK', state => 'SETTLING',
		ctt => { id => $ctt, ticketNo => "C-$ctt" },
		ntt => { id => $ntt, ticketNo => "N-$ntt" },
		partner => 'TAAS', tries => 3,
		lastError => 'TaaS answered 503' }, 'the oldest';
	cmp_ok abs($oldest->{ageS} - 200_030), '<=', 30, 'its age';
	my $m = metrics();
	is_deeply [ @$m{ map { "cttd_operations_open{state=\"$_\"}" }
		qw(RUNNING SETTLING) } ], [ 2, 4 ], 'say the metrics';
	$c->unplant;
}

{
	my ($ctt) = $c->given_ctts(1);
	my @jobs = map { { type => 'update-tmf-list', dedupe_key => "job-$_",
		payload => qq({"operationId":"op-$_","cttId":$ctt}),
		attempts => 8, last_error => "refused $_", state => 'DEAD',
		created_at => ago(1000 - $_), updated_at => ago(500 - $_),
		run_at => ago(500 - $_) } } 1 .. 7;

	$c->given(map { (job => $_) } @jobs,
		{ type => 'x', dedupe_key => 'late', payload => '{}',
			run_at => ago(90), created_at => ago(300) },
		{ type => 'x', dedupe_key => 'later', payload => '{}',
			run_at => ago(-500), created_at => ago(40) },
		{ type => 'x', dedupe_key => 'bare', payload => '{}',
			state => 'DEAD', run_at => ago(-9) });
	$c->given(operation => { id => 'late', kind => 'LINK', actor => 'x',
		state => 'SETTLING', ctt_id => 5e6, next_try_at => ago(70) });
	my $seen = health();
	my ($jobs, $worker) = @$seen{qw(jobs worker)};

	is_deeply [ @$jobs{qw(READY RUNNING DEAD)} ], [ 2, 0, 8 ], 'jobs';
	cmp_ok abs($jobs->{oldestS} - 310), '<=', 10, 'the age of the oldest';
	is_deeply [ map { $_->{operationId} } @{ $jobs->{dead} } ],
	    [ undef, map { "op-$_" } 7, 6, 5, 4 ], 'the latest that are dead';
	my %last = %{ $jobs->{dead}[1] };
	like delete $last{id}, qr/^\d+$/, 'one of them: id';
	like delete $last{$_}, $TIME, $_ for qw(createdAt diedAt);
	is_deeply \%last, { type => 'update-tmf-list', operationId => 'op-7',
		ctt => { id => $ctt, ticketNo => "C-$ctt" }, attempts => 8,
		lastError => 'refused 7' }, 'and the rest';
	is $jobs->{dead}[0]{ctt}, undef, 'one of no CTT';
	is_deeply [ map { int $_ / 20 } $worker->{operationLateS} - 60,
		$worker->{jobLateS} - 80 ], [ 0, 0 ], 'what waits for a worker';

	my $m = metrics();
	is_deeply [ @$m{ map { "cttd_jobs{state=\"$_\"}" }
		qw(READY RUNNING DEAD) } ], [ 2, 0, 8 ], 'say the metrics';
	is_deeply [ map { int(($_ - 60) / 50) } @$m{ map {
		"cttd_late_seconds{of=\"$_\"}" } qw(operation job) } ],
	    [ 0, 0 ], 'and how late';
	is $m->{cttd_workers_running}, 0, 'and that no worker runs';
	$c->unplant;
	$c->do("DELETE FROM job WHERE dedupe_key REGEXP '^(job-|late|bare)'");
}

# ---- the worker ----

ok $c->stack('start', 'worker'), 'a worker again';
ok $c->wait_for(10, sub { health()->{worker}{running} == 1 }), 'it is heard';
{
	my ($pid) = $c->pids('worker');
	my $beat = health()->{worker}{beatAt};

	ok $c->wait_for(10, sub { health()->{worker}{beatAt} gt $beat }),
	    'again and again';
	kill 'STOP', $pid;
	ok $c->wait_for(30, sub { !health()->{worker}{running} }),
	    'a worker that stands still does not run';
	like health()->{worker}{beatAt}, $TIME, 'when it did is known';
	kill 'CONT', $pid;
	ok $c->wait_for(10, sub { health()->{worker}{running} == 1 }),
	    'it goes on';

	my $name = $c->one('SELECT name FROM worker');
	kill 'KILL', $pid;    # another is started in its place
	ok $c->wait_for(30, sub { !$c->one('SELECT COUNT(*) FROM worker'
		. ' WHERE name = ?', $name) }),
	    'one that was killed is forgotten by the next';
	is health()->{worker}{running}, 1, 'which runs';
	like health()->{worker}{workedAt}, $TIME, 'but for when it worked';
}

# ---- the database, and memcached ----

ok $c->stack('stop', 'memcached'), 'memcached goes';
{
	my $seen = within(AT_ONCE_S, 'no memcached', '/ticket/health')->{json};

	is $seen->{memcached}{up}, 0, 'it is told';
	is $seen->{database}{up}, 1, 'and the rest';
}
ok $c->stack('start', 'memcached'), 'it comes back';
ok $c->wait_for(10, sub { health()->{memcached}{up} }), 'and is seen';

# What is not known without the database.
my %UNKNOWN = (
	operations => { RUNNING => undef, SETTLING => undef, kinds => undef,
		ages => undef, oldest => undef },
	jobs => { READY => undef, RUNNING => undef, DEAD => undef,
		oldestS => undef, dead => undef },
	worker => { running => undef, operationLateS => undef,
		jobLateS => undef });

$c->expect(qr/event=db_away|event=db_error kind=(?:lost|no_writes)/);
for (
	[ 'is stopped', AT_ONCE_S, sub { $c->stack('stop', 'db') },
		sub { $c->stack('start', 'db') } ],
	[ 'stands still', STALLED_S, sub { kill 'STOP', $c->pid('db') },
		sub { kill 'CONT', $c->pid('db') } ],
) {
	my ($name, $s, $go, $back) = @$_;

	ok $go->(), "the database $name";
	my $r = within($s, $name, '/ticket/health');
	is $r->{headers}{'retry-after'}, undef, 'as no failure';
	my $seen = $r->{json};
	is delete $seen->{database}{ms}, undef, 'nobody knows how fast it is';
	differs('it is away', $seen, %UNKNOWN,
	    database => { up => 0, writable => 0 });
	is $seen->{partners}{TAAS}{limit}, $LIMIT, 'the partners are known';
	my $m = metrics(within($s, $name, '/metrics'));
	is_deeply [ @$m{qw(cttd_database_up cttd_database_writable
		cttd_memcached_up)} ], [ 0, 0, 1 ], 'the metrics say so';
	ok !grep({ /^cttd_(?:operations_open|jobs\{|late|workers)/ }
		keys %$m),
	    'and nothing that they do not know';
	ok exists $m->{'cttd_partner_broken{partner="TMF"}'}, 'but the rest';
	ok $back->(), 'it is back';
	ok $c->wait_for(20, sub { my $h = health();
		$h->{database}{up} && $h->{worker}{running} }), 'and seen';
}

{
	my $dba = $c->dba;

	$dba->do('SET GLOBAL read_only = 1');
	differs('a database that takes no writes', health(),
	    database => { up => 1, writable => 0 });
	is metrics()->{cttd_database_writable}, 0, 'say the metrics';
	$dba->do('SET GLOBAL read_only = 0');
	is health()->{database}{writable}, 1, 'it takes them again';
}

# One that is there, and too slow to count.
{
	my $dbh = $c->connect_db('CTT_DB_MIGRATE');

	$dbh->do('LOCK TABLES job WRITE');
	my $r = within(STALLED_S, 'a table is locked', '/ticket/health');
	my $m = metrics(within(STALLED_S, 'a table is locked', '/metrics'));
	$dbh->do('UNLOCK TABLES');
	differs('it is up, and does not say', $r->{json}, %UNKNOWN);
	is_deeply [ @$m{qw(cttd_database_up cttd_jobs)} ], [ 1, undef ],
	    'nor do the metrics';
	ok $c->wait_for(20, sub { health()->{worker}{running} }),
	    'then it does';
}

# A schema that lacks a step is a fault of the set-up, not the database's being
# away.
{
	my $dba = $c->dba;

	$dba->do('RENAME TABLE worker TO worker_away');
	$c->expect(qr/event=db_error kind=refused/);
	my $r = $c->get('/ticket/health', @ADMIN);
	is $r->{status}, 500, 'a table is missing';
	$dba->do('RENAME TABLE worker_away TO worker');
	is $c->get('/ticket/health', @ADMIN)->{status}, 200, 'it is there';
}

differs('in the end all is well', health());
$c->stop;
done_testing;
