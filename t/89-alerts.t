# What watches cttd: each alert of doc/alerts.yml fires when it should, not
# sooner and not for anything else, and doc/runbook.txt says what to do then.
# Each query of the dashboard has an answer from a real Prometheus that reads a
# real cttd. README names each metric.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Ctt;
use HTTP::Tiny ();
use MIME::Base64 qw(encode_base64url);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(free_port output slurp spew);
use YAML::XS ();

my $TOP = "$FindBin::Bin/..";
my $JSON = Cpanel::JSON::XS->new->utf8->canonical;

plan skip_all => 'promtool and prometheus are not installed'
    if grep { my $program = $_;
	!grep { -x "$_/$program" } split /:/, $ENV{PATH} }
    qw(promtool prometheus);

my $tmp = File::Temp->newdir('ctt-89.XXXXXX', TMPDIR => 1);
my ($group) = @{ YAML::XS::LoadFile("$TOP/doc/alerts.yml")->{groups} };
my %alert = map { $_->{alert} => $_ } @{ $group->{rules} };

# ---- the rules, as promtool runs them ----

sub series ($name, $values, %labels) {
	my $labels = join ',', map { qq($_="$labels{$_}") } sort keys %labels;

	return { series => "$name\{$labels}", values => $values };
}

# A value for an hour; one that rises by so much each minute.
sub is_always ($value) { return "$value+0x60" }
sub rises ($by) { return "0+${by}x60" }

my %I = (instance => 'a');
my %J = (%I, job => 'cttd');

# The requests of a minute, by status.
sub requests (%n) {
	return map { series('cttd_requests_total', rises($n{$_}), %I,
		status => $_, code => $_ == 200 ? '' : 'X', route => '/r') }
	    keys %n;
}

# Those in the queue: so many of a minute were quick, of 100.
sub queue ($quick) {
	return map { series('cttd_queue_duration_seconds_bucket', rises($_->[1]),
		%I, le => $_->[0]) }
	    [ 0.5 => $quick ], [ 1 => $quick ], [ 2.5 => 100 ], [ '+Inf' => 100 ];
}

sub unauthenticated ($reason, $n) {
	return series('cttd_unauthenticated_total', rises($n), %I,
	    reason => $reason);
}

# A partner's calls under way, of 100 that may be.
sub calls ($n) {
	return series('cttd_partner_waiting', is_always($n), %I, partner => 'TMF'),
	    series('cttd_partner_limit', is_always(100), %I, partner => 'TMF');
}

sub one ($name, $value, %labels) {
	return series("cttd_$name", is_always($value), %I, %labels);
}

my $TMF = { %I, partner => 'TMF' };
my $BAD = 'The token\'s signature does not hold.';

# The alert; what makes it fire, and with which labels; what does not.
my %FIRES = (
	CttdAway => [ [ series('up', is_always(0), %J) ], {%J},
		[ series('up', is_always(1), %J),
		series('up', is_always(0), %I, job => 'other') ] ],
	CttdDatabase => [ [ one(database_up => 0) ], {%I},
		[ one(database_up => 1), one(database_writable => 1) ] ],
	CttdNoWorker => [ [ one(workers_running => 0) ], {%I},
		[ one(workers_running => 1) ] ],
	CttdWorkerHere => [ [ one(worker_seen_seconds => 130) ], {%I},
		[ one(worker_seen_seconds => 110),
		one(sample_age_seconds => 110) ] ],
	CttdPartner => [ [ one(partner_broken => 1, partner => 'TMF') ], $TMF,
		[ one(partner_broken => 0, partner => 'TMF') ] ],
	CttdPartnerSlow => [ [ calls(85) ], $TMF, [ calls(75) ] ],
	CttdErrors => [ [ requests(200 => 90, 502 => 10) ], {%I},
		[ requests(200 => 96, 404 => 50, 502 => 4) ] ],
	CttdQueue => [ [ queue(80) ], {%I}, [ queue(95) ] ],
	CttdThreads => [ [ one(pool_requests => 8), one(pool_threads => 8) ],
		{%I}, [ one(pool_requests => 7), one(pool_threads => 8) ] ],
	CttdLate => [ [ one(late_seconds => 301, of => 'job') ],
		{ %I, of => 'job' }, [ one(late_seconds => 299, of => 'job') ] ],
	CttdOldOperation => [ [ one(operation_oldest_seconds => 3700) ], {%I},
		[ one(operation_oldest_seconds => 3500) ] ],
	CttdAssumed => [ [ series('cttd_operations_assumed_total', '0x20 1x40',
		%I) ], {%I}, [ one(operations_assumed_total => 7) ] ],
	CttdDeadJobs => [ [ one(jobs => 1, state => 'DEAD') ],
		{ %I, state => 'DEAD' }, [ one(jobs => 0, state => 'DEAD'),
		one(jobs => 9, state => 'READY') ] ],
	CttdTokens => [ [ unauthenticated($BAD, 10) ], { %I, reason => $BAD },
		[ unauthenticated($BAD, 5),
		unauthenticated('The token has expired.', 100) ] ],
	CttdDatabaseErrors => [ [ series('cttd_database_retries_total',
		rises(360), %I) ], {%I}, [ series('cttd_database_retries_total',
		rises(240), %I) ] ],
	CttdMemcached => [ [ one(memcached_up => 0) ], {%I},
		[ one(memcached_up => 1) ] ],
	CttdAuditHeads => [ [ one(audit_heads_age_seconds => 610) ], {%I},
		[ one(audit_heads_age_seconds => 590) ] ],
	CttdClock => [ [ series('cttd_clock_timestamp_seconds', '11+60x60', %I,
		of => 'host') ], { %I, of => 'host' },
		[ series('cttd_clock_timestamp_seconds', '9+60x60', %I,
		of => 'host'), series('cttd_clock_timestamp_seconds',
		'-9+60x60', %I, of => 'database') ] ],
	CttdExpiry => [ [ one(expires_timestamp_seconds => 86_400 * 13,
		setting => 'S') ], { %I, setting => 'S' },
		[ one(expires_timestamp_seconds => 86_400 * 15,
		setting => 'S') ] ],
);
# Another way to the same alert.
my @MORE = (
	[ CttdDatabase => [ one(database_writable => 0) ], {%I} ],
	[ CttdWorkerHere => [ one(sample_age_seconds => 130) ], {%I} ],
	[ CttdClock => [ series('cttd_clock_timestamp_seconds', '-3600+60x60',
		%I, of => 'database') ], { %I, of => 'database' } ],
);

sub minutes ($duration) { return ($duration // '0m') =~ /^(\d+)m$/ ? $1 : die }

# The annotations of an alert with these labels.
sub annotations ($alert, $labels) {
	return { map { $_ => $alert->{annotations}{$_}
		=~ s/\{\{ \$labels\.(\w+) \}\}/$labels->{$1} \/\/ ''/ger }
	    keys %{ $alert->{annotations} } };
}

# A rate needs time before it is what it will be.
use constant WARM => 10;

sub rule_test ($name, $input, $labels, @when) {
	return { interval => '1m', input_series => $input, alert_rule_test => [
		map { my ($minute, $fires) = @$_;
			{ eval_time => "${minute}m", alertname => $name,
			exp_alerts => $fires ? [ { exp_labels => { %$labels,
				%{ $alert{$name}{labels} } },
				exp_annotations => annotations($alert{$name},
				    $labels) } ] : [] } } @when ] };
}

sub promtool (@tests) {
	local $YAML::XS::Boolean = 'JSON::PP';
	spew("$tmp/tests.yml", YAML::XS::Dump({ evaluation_interval => '1m',
		rule_files => ["$TOP/doc/alerts.yml"], tests => \@tests }));
	return output("promtool test rules $tmp/tests.yml");
}

is_deeply [ sort keys %FIRES ], [ sort keys %alert ], 'each alert is tried';
for my $name (sort keys %FIRES) {
	my ($input, $labels, $quiet) = @{ $FIRES{$name} };
	my $for = minutes($alert{$name}{for});
	my $late = $for + WARM + ($name eq 'CttdAssumed' ? 15 : 0);
	my ($said, $status) = promtool(
	    rule_test($name, $input, $labels, [ $late => 1 ],
		$for ? [ $for - 1 => 0 ] : ()));

	is $status, 0, "$name fires" or diag $said;
	($said, $status) = promtool(rule_test($name, $quiet, {},
		[ 30 => 0 ], [ 59 => 0 ]));
	is $status, 0, 'and not for less' or diag $said;
}
for (@MORE) {
	my ($name, $input, $labels) = @$_;
	my ($said, $status) = promtool(rule_test($name, $input, $labels,
		[ WARM + minutes($alert{$name}{for}), 1 ]));

	is $status, 0, "$name fires also for $input->[0]{series}" or diag $said;
}
{
	my (undef, $status) = promtool(rule_test(CttdAway =>
		[ series('up', is_always(1), %J) ], {%J}, [ 30 => 1 ]));
	isnt $status, 0, 'an alert that should fire and does not is seen';
	my ($said, $good) = output("promtool check rules $TOP/doc/alerts.yml");
	is $good, 0, 'promtool check rules' or diag $said;
}

# ---- the runbook ----

{
	my $runbook = slurp("$TOP/doc/runbook.txt");
	my %says = $runbook =~ /^(Cttd\w+)\n\n(.*?)(?=^\S|\z)/msg;

	is_deeply [ sort keys %says ], [ sort keys %alert ],
	    'a paragraph of the runbook for each alert';
	is_deeply [ grep { my $text = $says{$_};
		grep { $text !~ /^\t$_\t+\S/m } 'It means', 'Look at', 'Do' }
		sort keys %says ], [], 'what it means, to look at, and to do';
	my ($help) = output(($ENV{CTT_BIN} // $TOP) . '/cttctl --help');
	my %command = map { $_ => 1 } $help =~ /^  (\w+)/mg;
	my @named = $runbook =~ /\bcttctl\s+(\w+)/g;
	is_deeply [ grep { !$command{$_} } @named ], [],
	    @named . ' commands, which cttctl has';
	my ($settings) = output(($ENV{CTT_BIN} // $TOP) . '/cttctl settings');
	is_deeply [ grep { $settings !~ /^#$_=/m } $runbook =~ /\b(CTT_\w+)/g ],
	    [], 'and settings that there are';
}

# ---- a real Prometheus ----

my $token = spew("$tmp/token", join '.', map { encode_base64url($_) } '{}',
	sprintf('{"exp":%d}', time + 5 * 86_400), 'x');
my $c = Ctt->start(pool => 1, set => { CTT_THREADS => 8,
	CTT_NIG_TOKEN_FILE => $token, CTT_JOB_ATTEMPTS => 1 });
my $port = free_port();
my $http = HTTP::Tiny->new(timeout => 10);

spew("$tmp/prometheus.yml", <<"END");
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$TOP/doc/alerts.yml]
scrape_configs:
- job_name: cttd
  static_configs: [{targets: ["@{[$c->env('CTT_HTTP_URL') =~ s{^http://}{}r]}"]}]
END
my $pid = fork // die "fork: $!\n";
if (!$pid) {
	open STDOUT, '>', "$tmp/log";
	open STDERR, '>&', \*STDOUT;
	exec 'prometheus', "--config.file=$tmp/prometheus.yml",
	    "--storage.tsdb.path=$tmp/data", "--web.listen-address=127.0.0.1:$port",
	    '--log.level=warn' or POSIX::_exit(127);
}
END {
	my $status = $?;
	kill 'TERM', $pid if $pid;
	$? = $status;
}

sub api ($path, %query) {
	my $r = $http->get("http://127.0.0.1:$port/api/v1/$path?"
	    . $http->www_form_urlencode(\%query));

	return eval { $JSON->decode($r->{content}) } // { status => $r->{content} };
}

# All that the dashboard shows happens.
sub happen () {
	my ($ctt, $ntt) = $c->given_ctts(1);

	$c->link($ctt, $ntt);
	$c->link($ctt, $ntt);
	$c->get('/ticket/lov', Authorization => 'Bearer x');
	$c->cut_sessions;
	$c->get("/ticket/ctt/$ctt");
}

$c->expect(qr/event=db_error kind=lost/);
$c->given(job => { type => 'x', payload => '{}', dedupe_key => 'dead',
	state => 'DEAD' });
ok $c->wait_for(20, sub { happen();
	my $up = api('query', query => 'up');
	($up->{data}{result}[0]{value}[1] // 0) == 1 }), 'Prometheus reads cttd'
    or diag slurp("$tmp/log");

my $dashboard = $JSON->decode(slurp("$TOP/doc/dashboard.json"));
my @targets = map { my $panel = $_;
	map { [ $panel->{title}, $_->{expr}
		=~ s/\$host/.*/gr =~ s/\$__rate_interval/20s/gr ] }
	    @{ $panel->{targets} // [] } } @{ $dashboard->{panels} };
cmp_ok @targets, '>=', 30, @targets . ' queries of the dashboard';

# What does not have an answer (yet).
sub without_answer () {
	return grep { my $r = api('query', query => $_->[1]);
		$r->{status} ne 'success' || !@{ $r->{data}{result} } } @targets;
}

$c->wait_for(20, sub { happen(); !without_answer() });
is_deeply [ map { "@$_" } without_answer() ], [], 'each has an answer';
is_deeply [ grep { my ($name, $query) = @$_;
	$query !~ /^(?:\w+\(|\()?.*cttd_/ } @targets ], [],
    'and asks for cttd';

{
	my $rules = api('rules')->{data}{groups}[0]{rules};
	is_deeply [ map { $_->{name} } grep { $_->{health} ne 'ok' } @$rules ],
	    [], 'all rules can be run';
	my @firing = map { $_->{labels}{alertname} } grep {
		$_->{state} eq 'firing' } @{ api('alerts')->{data}{alerts} };
	is_deeply [ sort @firing ], [ 'CttdDeadJobs', 'CttdExpiry' ],
	    'a dead job and a token that ends soon: these alerts fire';
	ok !$c->cttctl('jobs', 'retry', '--all')->{status},
	    'what the runbook says of the job';
	ok $c->wait_for(20, sub { !grep { $_->{labels}{alertname}
		eq 'CttdDeadJobs' } @{ api('alerts')->{data}{alerts} } }),
	    'and it fires no more';
}

# ---- the metrics of README, of the rules and of the dashboard ----

my %there = $c->get('/metrics', Authorization => undef)->{raw}
    =~ /^# TYPE (\w+) (\w+)$/mg;

sub readme () {
	my ($table) = slurp("$TOP/README")
	    =~ /^(\tcttd_build_info.*?)\n\n/ms or return;
	my ($base, @names);

	for (split /\n/, $table) {
		my ($left) = /^\t((?:cttd)?_[a-z_, ]+?),?(?:\t|$)/ or next;
		for (split /, */, $left) {
			push @names, /^_/ ? "$base$_" : $_;
			$base = s/_[a-z]+$//r if !/^_/;
		}
	}
	return @names;
}

is_deeply [ sort +readme() ], [ sort keys %there ],
    'README names each metric, and no other';
my %used = map { s/_(?:bucket|sum|count)$//r => 1 } map { /\b(cttd_\w+)/g }
    (map { $_->{expr} } values %alert), map { $_->[1] } @targets;
is_deeply [ grep { !$there{$_} } sort keys %used ], [],
    'alerts and dashboard use no other';
is_deeply [ grep { !$used{$_} } sort keys %there ], [],
    'and use each of them';

kill 'TERM', $pid;
waitpid $pid, 0;
$pid = 0;
$c->stop;
done_testing;
