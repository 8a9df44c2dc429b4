# GET /metrics asks nobody: whatever waits or is away, it answers at once, and
# any process for all of its host. Each thing that can happen is made to happen,
# and is counted, and nothing else is. promtool finds nothing to say.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64url);
use Test::More;
use Time::HiRes qw(sleep time);
use Tls;
use Util qw(output slurp spew);

use constant {
	POOL      => 3,
	AT_ONCE_S => 1,
	DAY_S     => 86_400,
};

my $tls = Tls->new(File::Temp::tempdir(CLEANUP => 1) . '/tls');
$tls->ca('ours');
$tls->cert('us', ca => 'ours', name => 'cttd', days => 30);

sub jwt (%claims) {
	return join '.', map { encode_base64url($_) } '{"alg":"none"}',
	    Cpanel::JSON::XS->new->encode(\%claims), 'x';
}

my $ENDS = time + 5 * DAY_S;
my $c = Ctt->start(pool => POOL, set => { CTT_BREAKER_FAILURES => 3,
	CTT_PARTNER_TIMEOUT_MS => 5000, CTT_JOB_ATTEMPTS => 1,
	CTT_TAAS_TOKEN_FILE => $tls->spew('taas', jwt(exp => int $ENDS)),
	CTT_TMF_TOKEN_FILE => $tls->spew('tmf', 'opaque.token'),
	CTT_NIG_TOKEN_FILE => $tls->spew('nig', jwt(sub => 'x')) });
my @NONE = (Authorization => undef);

sub raw () { return $c->get('/metrics', @NONE) }

# The samples, by their names and labels as they stand.
sub parsed ($text) {
	my %m;

	for (split /\n/, $text) {
		next if /^#/;
		my ($name, $value) = /^cttd_(.*) ([\d.]+)$/ or do {
			fail "a sample: $_";
			next;
		};
		$m{$name} = $value;
	}
	return \%m;
}

sub all () { return parsed(raw()->{raw}) }

# What became more, by how much, but for what each request and round does.
sub more ($before, $after) {
	return { map { my $n = ($after->{$_} // 0) - ($before->{$_} // 0);
		$n ? ($_ => $n) : () }
	    grep { /_total\b/ && !/request_part|route="\/metrics"/ }
	    keys %$after };
}

# ---- what is counted ----

my ($ctt, $ntt) = $c->given_ctts(1);
ok $c->wait_for(10, sub { defined all()->{database_up} }),
    'a worker has looked';

sub request_of ($method, $route, $status, $code) {
	return "requests_total{method=\"$method\",route=\"$route\","
	    . "status=\"$status\",code=\"$code\"}";
}

sub call_of ($partner, $verdict) {
	return "partner_calls_total{partner=\"$partner\",verdict=\"$verdict\"}";
}

sub ended ($kind, $state) {
	return "operations_total{kind=\"$kind\",state=\"$state\"}";
}

sub given_rule (%rule) {
	return sub { $c->rule(%rule) };
}

my $LINK = '/ticket/ctt/link';
my %DONE = ('jobs_tried_total{end="done"}' => 2);    # of a link

# What is done, and all that is counted then.
for (
	[ 'nothing', sub { }, {} ],
	[ 'a read', sub { $c->get("/ticket/ctt/$ctt") },
		{ request_of(GET => '/ticket/ctt/:id', 200, '') => 1 } ],
	[ 'two that are not there', sub { $c->get('/ticket/ctt/9') for 1, 2 },
		{ request_of(GET => '/ticket/ctt/:id', 404, 'CTT_NOT_FOUND')
		    => 2 } ],
	[ 'no path', sub { $c->get('/ticket/x') },
		{ request_of(other => 'other', 404, 'NOT_FOUND') => 1 } ],
	[ 'no token', sub { $c->get('/ticket/lov', @NONE) },
		{ request_of(GET => '/ticket/lov', 401, 'UNAUTHENTICATED') => 1,
		'unauthenticated_total{reason="There is no bearer token."}'
		    => 1 } ],
	[ 'bad ones', sub { $c->get('/ticket/lov', Authorization =>
		"Bearer $_") for 'x', 'x.y.z', 'y' },
		{ request_of(GET => '/ticket/lov', 401, 'UNAUTHENTICATED') => 3,
		'unauthenticated_total{reason="The token is not a JWT of three'
		    . ' parts."}' => 2,
		'unauthenticated_total{reason="The token\'s header is not a'
		    . ' JSON object."}' => 1 } ],
	[ 'a link', sub { $c->link($ctt, $ntt) },
		{ request_of(POST => $LINK, 200, '') => 1, %DONE,
		call_of(TAAS => 'yes') => 1, call_of(QUEUE => 'yes') => 2,
		ended(LINK => 'SUCCEEDED') => 1 } ],
	[ 'a refusal', sub { $c->link($ctt, $ntt) },
		{ request_of(POST => $LINK, 409, 'CTT_ALREADY_LINKED') => 1,
		ended(LINK => 'REFUSED') => 1 } ],
	[ 'one of two', sub { my ($new) = $c->given_ctts(1);
		$c->bulk([ $ctt, $ntt ], [ $new, $ntt ]) },
		{ request_of(POST => "$LINK/bulk", 207, '') => 1, %DONE,
		call_of(TAAS => 'yes') => 1, call_of(QUEUE => 'yes') => 2,
		ended(LINK => 'REFUSED') => 1,
		ended(LINK => 'SUCCEEDED') => 1 } ],
	[ 'a partner refuses', sub {
		my ($new) = $c->given_ctts(1, source => 'TMF');
		$c->rule(ticket => "C-$new", method => 'PATCH', do => 'refuse',
		    status => 403, times => 1);
		$c->link($new, $ntt) },
		{ request_of(POST => $LINK, 502, 'EXTERNAL_SYNC_FAILED') => 1,
		call_of(TMF => 'no') => 1, ended(LINK => 'ROLLED_BACK') => 1 } ],
	[ 'its answer is lost', sub { my ($new) = $c->given_ctts(1);
		$c->rule(ticket => "C-$new", do => 'cut', times => 3);
		$c->link($new, $ntt); $c->settle },
		{ request_of(POST => $LINK, 502, 'EXTERNAL_SYNC_FAILED') => 1,
		call_of(TAAS => 'unknown') => 1, call_of(TAAS => 'yes') => 2,
		ended(LINK => 'COMPENSATED') => 1 } ],
	[ 'the queue is not there for once', sub {
		$c->rule(partner => 'queue', ticket => 'Y', do => 'cut',
		    times => 3);
		$c->given(job => { type => 'x', dedupe_key => 'again',
			payload => '{"cttTicketNo":"Y"}' }) },
		{ call_of(QUEUE => 'unknown') => 1, call_of(QUEUE => 'yes') => 1,
		'jobs_tried_total{end="again"}' => 1,
		'jobs_tried_total{end="done"}' => 1 } ],
	[ 'a job is refused for good', sub {
		$c->rule(partner => 'queue', ticket => 'X', do => 'refuse',
		    status => 400, times => 1);
		$c->given(job => { type => 'x', dedupe_key => 'dead',
			payload => '{"cttTicketNo":"X"}' }) },
		{ call_of(QUEUE => 'no') => 1,
		'jobs_tried_total{end="dead"}' => 1 } ],
	[ 'memcached is away', sub { $c->stack('stop', 'memcached');
		$c->link($ctt, $ntt); $c->stack('start', 'memcached') },
		{ request_of(POST => $LINK, 409, 'CTT_ALREADY_LINKED') => 1,
		ended(LINK => 'REFUSED') => 1, memcached_away_total => 1 } ],
) {
	my ($name, $do, $want) = @$_;
	my $before = all();

	$do->();
	$c->wait_for(10, sub { !grep { ($before->{$_} // 0) + $want->{$_}
		> (all()->{$_} // 0) } keys %$want });
	ok $c->quiet, "$name: no job is left";
	is_deeply more($before, all()), $want, 'and this is counted';
}
$c->do("DELETE FROM job WHERE dedupe_key IN ('dead', 'again')");

# ---- histograms: each sum, and each bucket holds those below ----

{
	my $text = raw()->{raw};
	my (%bucket, %count);

	push @{ $bucket{"$1$2"} }, $3
	    while $text =~ /^(cttd_\w+)_bucket\{(.*?),?le="[^"]+"\} (\d+)$/mg;
	$count{$1 . ($2 // '')} = $3
	    while $text =~ /^(cttd_\w+)_count(?:\{(.*?)\})? (\d+)$/mg;
	is_deeply [ sort keys %bucket ], [ sort keys %count ],
	    keys(%bucket) . ' histograms';
	is_deeply [ grep { my @n = @{ $bucket{$_} };
		$n[-1] != $count{$_} || grep { $n[ $_ - 1 ] > $n[$_] } 1 .. $#n }
		sort keys %bucket ], [], 'in each the buckets rise to the count';
	my $m = parsed($text);
	cmp_ok $m->{'partner_call_duration_seconds_count{partner="TAAS"}'}, '>',
	    0, 'TaaS has some';
}
{
	my $rule = $c->rule(partner => 'taas', do => 'delay', ms => 300);
	my ($new) = $c->given_ctts(1);
	my $before = all();
	$c->link($new, $ntt);
	ok $c->quiet, 'a slow link';
	my $after = all();
	$c->sim(DELETE => "/rules/$rule");
	my %more = map { $_ => ($after->{$_} // 0) - ($before->{$_} // 0) }
	    keys %$after;
	my $route = qq(method="POST",route="$LINK",);

	is_deeply [ map { $more{"request_duration_seconds_bucket{$route"
		. "le=\"$_\"}"} } 0.25, 2.5, '+Inf' ], [ 0, 1, 1 ],
	    'it is in its buckets';
	cmp_ok $more{"request_duration_seconds_sum{" . substr($route, 0, -1) . "}"}, '>', 0.3,
	    'and in the sum';
	is $more{'partner_call_duration_seconds_bucket{partner="TAAS",le='
	    . '"0.25"}'}, 0, 'so is the call';
	cmp_ok $more{'request_part_seconds_total{part="partner"}'}, '>', 0.29,
	    'its time was spent on the partner';
	cmp_ok $more{'request_part_seconds_total{part="database"}'}, '<', 0.29,
	    'not on the database';
}

# ---- any process answers for all ----

my $LINKS;
{
	my $before = all()->{ ended(LINK => 'SUCCEEDED') };
	my @new = map { scalar $c->given_ctts(1) } 1 .. POOL;
	my $rule = $c->rule(partner => 'taas', do => 'hold');
	my $heard = sub { scalar grep { my $no = $_->{ticket};
		grep { $no eq "C-$_" } @new } $c->heard('taas') };

	# each of them takes a process, for it has one thread
	my (undef, @status) = $c->parallel(1 + POOL, sub ($i) {
		return $c->link($new[ $i - 1 ], $ntt)->{status} if $i;
		$c->wait_for(5, sub { $heard->() == POOL });
		$c->sim(DELETE => "/rules/$rule");
		return 0;
	});
	is_deeply \@status, [ (200) x POOL ], 'each process makes a link';
	$LINKS = $before + POOL;
	is all()->{ ended(LINK => 'SUCCEEDED') }, $LINKS,
	    'one of them tells of all';
	ok $c->quiet, 'and their jobs';
	my $m = all();
	is_deeply [ @$m{qw(pool_processes pool_threads pool_requests)} ],
	    [ POOL, POOL, 1 ], 'and how many they are';
	my ($pid) = $c->pids('pool');
	kill 'KILL', $pid;
	ok $c->wait_for(10, sub { my @pids = $c->pids('pool');
		@pids == POOL && !grep { $_ == $pid } @pids }),
	    'one is killed, and another comes';
	$m = all();
	is_deeply [ @$m{ 'pool_requests', ended(LINK => 'SUCCEEDED') } ],
	    [ 1, $LINKS ],
	    'what was counted still is';
	$c->restart_pool(POOL, CTT_BREAKER_FAILURES => 3);
	is all()->{ ended(LINK => 'SUCCEEDED') }, $LINKS, 'and after a restart';
}

# ---- it ends some day ----

{
	my $m = all();

	is_deeply { map { /^expires.*"(CTT_.*)"/ ? ($1 => int $m->{$_}) : () }
		keys %$m }, { CTT_TAAS_TOKEN_FILE => int $ENDS },
	    'a token that is a JWT with an exp, no other';
	my $r = $c->run('ctt.fcgi', { CTT_TAAS_CERT_FILE => $tls->file('us.crt'),
		CTT_TAAS_KEY_FILE => $tls->file('us.key'),
		CTT_TAAS_URL => 'https://localhost:1' }, '--check');
	is $r->{status}, 0, 'a certificate' or diag $r->{err};
	$c->restart_pool(1, CTT_TAAS_CERT_FILE => $tls->file('us.crt'),
	    CTT_TAAS_KEY_FILE => $tls->file('us.key'),
	    CTT_TAAS_CA_FILE => $tls->file('ours.crt'),
	    CTT_TAAS_URL => 'https://localhost:1');
	$m = all();
	my %ends = map { /^expires.*"(CTT_.*)"/ ? ($1 => $m->{$_}) : () } keys %$m;
	is_deeply [ sort keys %ends ], [ map { "CTT_TAAS_${_}_FILE" }
		qw(CA CERT TOKEN) ], 'certificates';
	cmp_ok abs($ends{CTT_TAAS_CERT_FILE} - time - 30 * DAY_S), '<', 600,
	    'ours';
	cmp_ok abs($ends{CTT_TAAS_CA_FILE} - time - 2 * DAY_S), '<', 600,
	    'the CA';
	$c->restart_pool(POOL, CTT_TAAS_CERT_FILE => '', CTT_TAAS_KEY_FILE => '',
	    CTT_TAAS_CA_FILE => '', CTT_TAAS_URL => $c->env('CTT_TAAS_URL'));
}

# ---- what is seen now and then ----

# Memcached was away; the worker looks every 3 s.
ok $c->wait_for(15, sub { all()->{memcached_up} }), 'memcached_up';
is all()->{$_}, 1, $_
    for qw(database_up database_writable workers_running);
cmp_ok all()->{$_}, '<', 10, $_
    for qw(sample_age_seconds worker_seen_seconds audit_heads_age_seconds);

# The metrics, and how long nginx waited for them: a test's own time is no
# measure on a busy machine.
sub timed () {
	my $r = raw();
	my $id = $r->{headers}{'x-request-id'};
	my $s;

	$c->wait_for(5, sub { ($s) = map { /\bapp_seconds="([\d.]+)"/ }
		grep { /request_id=\Q$id\E / } $c->log_lines('access') });
	return { s => $s, m => parsed($r->{raw}), status => $r->{status} };
}

sub at_once ($seen, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is $seen->{status}, 200, $name;
	cmp_ok $seen->{s}, '<', AT_ONCE_S, 'at once';
	return $seen->{m};
}

$c->expect(qr/event=db_away|event=db_error kind=(?:lost|no_writes)/);
for (
	[ 'the database is stopped', sub { $c->stack('stop', 'db') },
		sub { $c->stack('start', 'db') } ],
	[ 'it stands still', sub { kill 'STOP', $c->pid('db') },
		sub { kill 'CONT', $c->pid('db') } ],
) {
	my ($name, $go, $back) = @$_;

	ok $go->(), $name;
	at_once(timed(), 'the metrics are there');
	ok $c->wait_for(15, sub { !all()->{database_up} }),
	    'it is said to be away';
	my $m = at_once(timed(), 'the metrics are there');
	is_deeply [ grep { /^(?:operations_open|jobs\{|late|workers_run)/ }
		keys %$m ], [], 'and nothing that nobody knows';
	ok exists $m->{'partner_broken{partner="TMF"}'}, 'but the rest';
	ok $back->(), 'it is back';
	ok $c->wait_for(20, sub { (all()->{database_up} // 0) == 1 }), 'and up';
}
ok grep({ /^database_errors_total\{number="(?:2002|2013|2006)"/ }
	keys %{ all() }), 'errors are counted by number';

sub hold_row ($ntt, $s) {
	my $dbh = $c->connect_db('CTT_DB_MIGRATE');

	$dbh->begin_work;
	$dbh->do('SELECT 1 FROM ntt WHERE id = ? FOR UPDATE', undef, $ntt);
	sleep $s;
	$dbh->rollback;
	$dbh->disconnect;
	return {};
}

# A link that waits for its NTT, which a session holds for longer than cttd waits.
{
	my $before = all()->{database_retries_total};
	my ($new) = $c->given_ctts(1);
	my ($r, undef, $seen) = $c->parallel(3, sub ($i) {
		return hold_row($ntt, 5) if $i == 1;
		sleep 1;
		return $i ? timed()
		    : { status => $c->link($new, $ntt)->{status} };
	});
	is $r->{status}, 200, 'a row is locked: a link that waits';
	at_once($seen, 'the metrics do not');
	ok $c->settle && $c->quiet, 'settled';
	cmp_ok all()->{database_retries_total}, '>', $before,
	    'transactions that were tried again';
	ok exists all()->{'database_errors_total{number="1205"}'},
	    'a lock that was waited for';
}

# No worker: what was seen gets old, and is left out in the end.
ok $c->stack('stop', 'worker'), 'no worker';
{
	my $m = all();
	sleep 2;
	cmp_ok all()->{sample_age_seconds} - $m->{sample_age_seconds}, '>', 1.5,
	    'what was seen gets old';
	cmp_ok all()->{worker_seen_seconds}, '>', 1.5, 'so does its round';
	is all()->{workers_running}, 1, 'it is still told';
	$c->get('/ticket/health', Authorization => 'Bearer '
	    . $c->token(roles => ['ctt-admin']));
	$m = all();
	is $m->{workers_running}, 0, 'until somebody looks';
	cmp_ok $m->{sample_age_seconds}, '<', 1.5, 'just now';
}

# All but one wait for a partner.
{
	my @new = map { scalar $c->given_ctts(1) } 2 .. POOL;
	my $rule = $c->rule(partner => 'taas', do => 'hold');
	my (undef, $seen) = $c->parallel(2, sub ($i) {
		if (!$i) {
			$c->parallel(scalar @new, sub ($j) {
				$c->link($new[$j], $ntt)->{status} });
			return 1;
		}
		$c->wait_for(5, sub {
			my $now = all();
			$now->{pool_requests} == POOL && $now->{
			'partner_waiting{partner="TAAS"}'} == POOL - 1 });
		return timed();
	});
	my $m = at_once($seen, 'all others wait');
	is $m->{'partner_waiting{partner="TAAS"}'}, POOL - 1, 'for TaaS';
	$c->sim(DELETE => "/rules/$rule");
	ok $c->stack('start', 'worker'), 'a worker again';
	ok $c->settle(30) && $c->quiet(30), 'all is settled';
}

# ---- trays ----

$c->restart_pool(1, CTT_THREADS => 16);
{
	my @new = map { scalar $c->given_ctts(1) } 0 .. 7;
	my @fault = ('after-load', 'delay', ms => 4000);
	my $before = all();

	# two keep the leaders busy
	$c->fault(@fault);
	my ($waiting) = (grep { ref } $c->parallel(9, sub ($i) {
		$c->fault_again(@fault) if $i == 2;
		$c->both_fired if $i > 2;
		return $c->link($new[ $i - 1 ], $ntt)->{status} if $i;
		my $seen;
		$c->wait_for(12, sub { ($seen = all())
			->{'tray_waiting{tray="open"}'} >= 4 });
		return $seen;
	}));
	cmp_ok $waiting->{'tray_waiting{tray="open"}'}, '>=', 4,
	    'requests wait in the tray';
	my $after = all();
	is $after->{"tray_waiting{tray=\"$_\"}"}, 0, "none in the tray $_"
	    for qw(open close);
	for (qw(open close)) {
		my $labels = "tray=\"$_\"";
		is $after->{"tray_requests_sum{$labels}"}
		    - ($before->{"tray_requests_sum{$labels}"} // 0), 8,
		    "$_: each was served";
		cmp_ok $after->{"tray_requests_count{$labels}"}
		    - ($before->{"tray_requests_count{$labels}"} // 0), '<', 8,
		    'some together';
	}
	ok $c->quiet, 'all jobs are done';
}

# ---- as promtool sees it ----

SKIP: {
	skip 'promtool is not installed', 3
	    if !grep { -x "$_/promtool" } split /:/, $ENV{PATH};
	my $file = spew($c->dir . '/tmp/metrics', raw()->{raw});
	my ($said, $status) = output("promtool check metrics <$file");

	is_deeply [ $status, $said ], [ 0, '' ], 'promtool has nothing to say';
	($said, $status) = output("sed 's/_total//' $file"
	    . ' | promtool check metrics');
	isnt $status, 0, 'which it has of metrics that are not as they should';
	like $said, qr/_total/, 'it says what';
}

$c->stop;
done_testing;
