# Jobs: delivered by the worker at least once, under one key, retried with
# backoff; and in the end DEAD, for an operator to see, but never dropped.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(sleep);

my $token = File::Temp->new;
print $token "s3cret\n";
$token->flush;
my $c = Ctt->start(workers => 3, set => { CTT_JOB_ATTEMPTS => 3,
	CTT_PARTNER_TIMEOUT_MS => 3000,
	map { ("CTT_${_}_TOKEN_FILE" => "$token") } qw(QUEUE TAAS) });

sub linked (%ctt) {
	my ($ctt, $ntt) = $c->given(ctt => \%ctt, ntt => {});
	my $r = $c->link($ctt, $ntt);

	is $r->{status}, 200, 'a link';
	return ("C-$ctt", $r->{json}{operationId});
}

sub jobs_of ($op) {
	return $c->rows('SELECT * FROM job WHERE dedupe_key LIKE ?'
	    . ' ORDER BY type', "$op:%");
}

# How often it was tried: by its row, by the queue.
sub asked_for ($job) {
	return ($job->{attempts},
	    scalar $c->heard('queue', key => $job->{dedupe_key}));
}

# ---- delivered ----

{
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	$c->given(work_order => { ntt_id => $ntt }) for 1, 2;
	my $op = $c->link($ctt, $ntt)->{json}{operationId};
	ok $c->quiet, 'the jobs of a link are delivered';

	my @jobs = jobs_of($op);
	my %heard = map { $_->{body}{type} => $_ }
	    $c->heard('queue', ticket => "C-$ctt");
	is scalar keys %heard, 3, 'three of them';
	for my $job (@jobs) {
		my $call = $heard{ $job->{type} };

		is_deeply [ @$job{qw(state attempts last_error)} ],
		    [ 'DONE', 1, undef ], "$job->{type}: done, at once";
		is_deeply [ @$call{qw(method path contentType key
			authorization)} ],
		    [ 'POST', '/queue/jobs', 'application/json',
			$job->{dedupe_key}, 'Bearer s3cret' ], 'the call';
		like delete $call->{body}{createdAt},
		    qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'since when';
		is_deeply $call->{body}, { id => $job->{id},
			type => $job->{type},
			dedupeKey => $job->{dedupe_key},
			payload => $c->json($job->{payload}) }, 'the body';
	}
	is(($c->heard('taas'))[0]{authorization}, 'Bearer s3cret',
	    'a partner\'s token goes with its calls');
}

# ---- many, and three workers: still each of them once ----

{
	my @ctts = $c->given_ctts(120);
	my $ntt = pop @ctts;
	$c->sim(DELETE => '/calls');
	is $c->bulk(map { [ $_, $ntt ] } @ctts)->{status}, 200, '120 links';
	ok $c->quiet, 'are delivered';
	my %times;
	$times{ $_->{key} }++ for $c->heard('queue');
	is scalar keys %times, 240, 'all their jobs';
	is_deeply [ grep { $times{$_} != 1 } keys %times ], [], 'once each';
}

# ---- a job that is locked, or not yet committed, holds up no other ----

{
	my $other = $c->connect_db('CTT_DB_MIGRATE');

	$other->begin_work;
	$other->do("INSERT INTO job (type, payload, dedupe_key, run_at) VALUES"
	    . " ('x', '{}', 'x', '2020-01-01')");
	my ($no, $op) = linked();
	ok $c->quiet(10), 'the jobs of a link are delivered';
	$other->rollback;
	is_deeply [ map { $_->{state} } jobs_of($op) ], [ 'DONE', 'DONE' ],
	    'though another is locked';
}

# ---- a dead queue costs nothing but time ----

for (
	[ 'cuts', { do => 'cut' } ],
	[ 'is broken', { do => 'status', status => 503 } ],
	[ 'is overrun', { do => 'status', status => 429 } ],
	map { [ "answers $_", { do => 'status', status => $_ } ] }
	    401, 403, 407,
) {
	my ($name, $rule) = @$_;

	$c->rule(partner => 'queue', %$rule);
	my ($no, $op) = linked();
	ok $c->wait_for(10, sub { (jobs_of($op))[0]{attempts} > 3 }),
	    "the queue $name: the first job is tried again and again";
	is_deeply [ asked_for((jobs_of($op))[1]) ], [ 0, 0 ],
	    'the second waits until it is done';
	is_deeply [ grep { $_->{state} eq 'DEAD' } jobs_of($op) ], [],
	    'it is not their fault';
	ok +(jobs_of($op))[0]{last_error}, 'the row says why';
	$c->no_rules;
	ok $c->quiet, 'later they are delivered';
	my $effects = $c->sim_state->{effects};
	is_deeply [ map { $effects->{ $_->{dedupe_key} } } jobs_of($op) ],
	    [ 1, 1 ], 'once, in effect';
	is_deeply [ map { $_->{last_error} } jobs_of($op) ], [ undef, undef ],
	    'and the rows forget it';
}

# ---- a round in which the queue is not asked is no attempt ----

{
	$c->rule(partner => 'queue', do => 'cut');
	my ($no, $op) = linked();
	my ($was, $is);

	# Two rounds behind one another: it was kept back, and nobody was asked.
	ok $c->wait_for(20, sub {
		($was, $is) = ($is, (jobs_of($op))[0]);
		$is->{heard} = $c->heard('queue');
		return $was && $is->{updated_at} gt $was->{updated_at}
		    && $is->{heard} == $was->{heard}
		    && !grep { ($_->{last_error} // '') !~ /only probed/ }
			$was, $is;
	}), 'the queue keeps failing, and is not asked';
	is $is->{attempts}, $was->{attempts}, 'that counts no attempt';
	$c->no_rules;
	ok $c->quiet, 'later they are delivered';
}

# ---- refused: DEAD, seen, revived ----

{
	$c->rule(partner => 'queue', do => 'status', status => 400,
	    body => { error => 'no such type' });
	my ($no, $op) = linked();
	ok $c->quiet, 'a job that is refused is not tried for ever';
	my ($first, $second) = jobs_of($op);
	is_deeply [ map { @$_{qw(state attempts)} } $first, $second ],
	    [ 'DEAD', 3, 'DEAD', 3 ], 'it is DEAD, but there';
	is scalar $c->heard('queue', ticket => $no), 6,
	    'after so many attempts';

	my $list = $c->cttctl('jobs');
	is $list->{status}, 0, 'cttctl jobs';
	for my $job ($first, $second) {
		like $list->{out}, qr/^$job->{id}\b.*\b$job->{type}\b.*
			\Q$job->{dedupe_key}\E.*HTTP\ 400.*no\ such\ type/mx,
		    "shows $job->{type}, and why";
	}

	$c->no_rules;
	is $c->cttctl('jobs', 'retry', 4711)->{status}, 1, 'no such job';
	is $c->cttctl('jobs', 'retry', 'x')->{status}, 2, 'no job\'s id';
	is $c->cttctl('jobs', 'retry')->{status}, 2, 'nothing to retry';
	is $c->cttctl('jobs', 'retry', $first->{id})->{status}, 0,
	    'one is tried again';
	ok $c->quiet, 'and delivered';
	is_deeply [ map { $_->{state} } jobs_of($op) ], [ 'DONE', 'DEAD' ],
	    'only that one';
	is $c->cttctl('jobs', 'retry', '--all')->{status}, 0, 'all the others';
	ok $c->quiet, 'are delivered as well';
	is_deeply [ map { $_->{state} } jobs_of($op) ], [ 'DONE', 'DONE' ],
	    'and done';
	is $c->cttctl('jobs')->{out}, '', 'none is DEAD any more';
	is scalar $c->heard('queue', ticket => $no), 8, 'with one call each';
}

# ---- jobs of one CTT come in their order ----

{
	my ($ctt, $ntt) = $c->given_ctts(1);

	$c->rule(partner => 'queue', ticket => "C-$ctt", says => 'kci',
	    times => 2, do => 'status', status => 503);
	is $c->link($ctt, $ntt)->{status}, 200, 'a link, whose first job fails';
	is $c->unlink_from($ntt, [$ctt])->{status}, 200, 'and an unlink';
	my ($other) = linked();
	ok $c->wait_for(10, sub { $c->heard('queue', ticket => $other) == 2 }),
	    'another CTT does not wait';
	ok $c->quiet, 'all are delivered';
	is_deeply [ map { $_->{body}{type} } grep { $_->{status} < 300 }
		$c->heard('queue', ticket => "C-$ctt") ],
	    [ qw(create-ctt-related-kci update-tmf-list
		update-unlinked-ctt) ], 'in the order of what was done';
}

# ---- a chain: jobs of one CTT that wait when a worker comes ----

# Adds them by hand; $jobs[N] is the SQL of run_at. Their keys are NAME-0...
sub chain ($name, $ctt, @run_at) {
	$c->do("INSERT INTO job (type, payload, dedupe_key, run_at) VALUES"
	    . " ('update-tmf-list', JSON_OBJECT('cttId', ?), ?, $run_at[$_])",
	    $ctt, "$name-$_") for 0 .. $#run_at;
}

sub states ($name) {
	return map { "$_->{state} $_->{attempts}" } $c->rows('SELECT * FROM job'
	    . ' WHERE dedupe_key LIKE ? ORDER BY id', "$name-%");
}

sub keys_heard ($name) {
	return grep { /^$name-/ } map { $_->{key} // '' } $c->heard('queue');
}

my ($NOW, $LATER) = ('UTC_TIMESTAMP(3)', 'UTC_TIMESTAMP(3) + INTERVAL 1 HOUR');

{
	$c->stack('stop', 'worker');
	chain('long', 8001, ($NOW) x 20);
	chain('fails', 8002, ($NOW) x 4);
	$c->rule(partner => 'queue', key => 'fails-1', do => 'status',
	    status => 503);
	$c->stack('start', 'worker');
	ok $c->wait_for(10, sub { (keys_heard('long')) >= 20
	    && (states('fails'))[1] =~ /READY [2-9]/ }), 'chains are delivered';
	is_deeply [ keys_heard('long') ], [ map { "long-$_" } 0 .. 19 ],
	    'a long one in its order, each job once';
	is_deeply [ map { s/RUNNING/READY/r } (states('fails'))[ 0, 2, 3 ] ],
	    [ 'DONE 1', 'READY 0', 'READY 0' ],
	    'a job that fails holds up those behind it, which are not tried';
	# (a worker that begins brings near what is an hour away: t/94-clock.t)
	chain('future', 8003, $NOW, $NOW, $LATER, $NOW);
	chain('only-future', 8004, $LATER, $NOW);
	ok $c->wait_for(10, sub { (keys_heard('future')) >= 2
	    && (states('future'))[1] =~ /DONE/ }), 'two of four';
	is_deeply [ states('future') ],
	    [ 'DONE 1', 'DONE 1', 'READY 0', 'READY 0' ],
	    'so does one whose time has not come';
	is_deeply [ states('only-future') ], [ 'READY 0', 'READY 0' ],
	    'also if it is the first';
	$c->no_rules;
	$c->do("UPDATE job SET run_at = $NOW WHERE run_at > $NOW");
	ok $c->quiet, 'later they are delivered';
	is_deeply [ grep { $_ ne 'fails-1' } keys_heard('fails') ],
	    [ map { "fails-$_" } 0, 2, 3 ], 'in their order';
	is_deeply [ map { keys_heard($_) } 'future', 'only-future' ],
	    [ (map { "future-$_" } 0 .. 3), map { "only-future-$_" } 0, 1 ],
	    'all of them';
}

# More than three workers look at: due, but behind one that is not.
{
	chain('blocked', 8006, $LATER);
	$c->do("INSERT INTO job (type, payload, dedupe_key, run_at) SELECT"
	    . " 'update-tmf-list', JSON_OBJECT('cttId', 8006), CONCAT("
	    . "'blocked-', seq), $NOW - INTERVAL 1 MINUTE FROM seq_1_to_1500");
	chain('behind', 8007, $NOW);
	ok $c->wait_for(10, sub { (states('behind'))[0] eq 'DONE 1' }),
	    'many jobs that wait for another hold up nobody';
	is_deeply [ keys_heard('blocked') ], [], 'and are not tried';
	$c->do("UPDATE job SET run_at = $NOW WHERE dedupe_key = 'blocked-0'");
	$c->do("UPDATE job SET run_at = $NOW WHERE ctt_id = 8006 AND id > ?"
	    . ' ORDER BY id LIMIT 20', $c->one('SELECT id FROM job WHERE'
	    . " dedupe_key = 'blocked-0'"));
	ok $c->wait_for(20, sub { keys_heard('blocked') >= 21 }), 'later they are';
	is_deeply [ (keys_heard('blocked'))[0 .. 20] ],
	    [ map { "blocked-$_" } 0 .. 20 ], 'in their order';
	$c->do("DELETE FROM job WHERE ctt_id IN (8006, 8007)");
}

# Asked to stop, a worker gives back the rest of a chain.
{
	$c->stack('stop', 'worker');
	$c->sim(PUT => '/latency', { queue => 150 });
	chain('stop', 8005, ($NOW) x 8);
	$c->stack('start', 'worker');
	ok $c->wait_for(5, sub { keys_heard('stop') == 1 }),
	    'the first job of a chain is under way';
	ok $c->stack('stop', 'worker'), 'the workers stop';
	like join(',', states('stop')), qr/^(DONE 1,){1,4}(READY 0,)+READY 0$/,
	    'they finish it, and give back the others';
	$c->sim(PUT => '/latency', { queue => 0 });
	$c->stack('start', 'worker');
	ok $c->quiet, 'which are delivered later';
	is_deeply [ keys_heard('stop') ], [ map { "stop-$_" } 0 .. 7 ],
	    'once each';
	$c->do("DELETE FROM job WHERE ctt_id BETWEEN 8001 AND 8005");
}

# ---- a worker that dies with jobs in hand ----

{
	$c->sim(PUT => '/latency', { queue => 700 });
	my ($no, $op) = linked();
	ok $c->wait_for(5, sub { $c->heard('queue', ticket => $no) == 1 }),
	    'a job is under way';
	my ($now, $next) = jobs_of($op);
	is $now->{state}, 'RUNNING', 'and says so';
	is_deeply [ asked_for($next) ], [ 0, 0 ], 'the next of its CTT waits';
	kill 'KILL', $c->pids('worker');
	$c->sim(PUT => '/latency', { queue => 0 });
	ok $c->quiet, 'the workers are killed: others deliver them';
	my @keys = map { $_->{key} } $c->heard('queue', ticket => $no);
	my ($first, $second) = map { $_->{dedupe_key} } jobs_of($op);
	is_deeply \@keys, [ $first, $first, $second ],
	    'a second time, with the same key, and then the next';
	my $effects = $c->sim_state->{effects};
	is_deeply [ map { $effects->{$_} } @keys ], [ 1, 1, 1 ],
	    'which has one effect';
}

# ---- a key is one line of the header, whatever is in it ----

{
	my $key = "odd\r\nX-Request-Id: forged\n";

	$c->do("INSERT INTO job (type, payload, dedupe_key) VALUES"
	    . " ('update-tmf-list', '{}', ?)", $key);
	ok $c->quiet, 'a job with line breaks in its key is delivered';
	my ($call) = $c->heard('queue', key => 'odd%0D%0AX-Request-Id: forged'
	    . '%0A');
	like $call->{requestId}, qr/^job-\d+$/, 'in one line';
	$c->do('DELETE FROM job WHERE dedupe_key = ?', $key);
}

# ---- a worker that has lost its jobs to another says nothing of them ----

{
	$c->sim(PUT => '/latency', { queue => 1500 });
	my $rule = $c->rule(partner => 'queue', do => 'status', status => 400);
	my ($no, $op) = linked();
	ok $c->wait_for(5, sub { $c->heard('queue', ticket => $no) == 1 }),
	    'a job is under way, and will be refused';
	$c->sim(DELETE => "/rules/$rule");
	my ($owner) = map { $_->{owner} } jobs_of($op);
	my ($pid) = $owner =~ /^[^-]+-(\d+)-/;
	kill 'STOP', $pid;
	is $c->do('DELETE FROM lease WHERE name = ?', $owner), 1,
	    'the worker stands still, and its lease is lost';
	$c->sim(PUT => '/latency', { queue => 0 });
	ok $c->quiet, 'others deliver them';
	ok $c->wait_for(10, sub { $c->heard('queue', ticket => $no,
		status => 400) == 1 }), 'the first is refused then';
	kill 'CONT', $pid;
	ok $c->wait_for(10, sub { grep { /pid=$pid .*event=partner_call
	    .*status=400/x } $c->log_lines('worker') }), 'so the worker hears';
	ok $c->stack('stop', 'worker') && $c->stack('start', 'worker'),
	    'and ends';
	is_deeply [ map { @$_{qw(state attempts refusals)} } jobs_of($op) ],
	    [ DONE => 1, 0, DONE => 1, 0 ], 'theirs is the last word';
}

# ---- a worker that is asked to stop ----

{
	$c->sim(PUT => '/latency', { queue => 500 });
	my ($no, $op) = linked();
	ok $c->wait_for(5, sub { $c->heard('queue', ticket => $no) == 2 }),
	    'jobs are under way';
	ok $c->stack('stop', 'worker'), 'the workers stop';
	is_deeply [ map { @$_{qw(state attempts)} } jobs_of($op) ],
	    [ 'DONE', 1, 'DONE', 1 ], 'but finish what they have in hand';
	$c->sim(PUT => '/latency', { queue => 0 });
	my ($no2, $op2) = linked();
	ok $c->stack('start', 'worker'), 'they start';
	ok $c->quiet, 'and deliver what has come meanwhile';
}

$c->agree;
$c->stop;
done_testing;
