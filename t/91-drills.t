# What goes wrong some night, as a drill: a part is broken, the alert of
# doc/alerts.yml fires (promtool runs the rule on what GET /metrics says, before
# and after), cttctl status says so, what doc/runbook.txt says is done, and in the
# end nothing is lost.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use File::Temp ();
use MIME::Base64 qw(encode_base64url);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(output slurp spew);
use YAML::XS ();

use constant { POOL => 2, DISK_MB => 24 };

my $TOP = "$FindBin::Bin/..";

plan skip_all => 'promtool is not installed'
    if !grep { -x "$_/promtool" } split /:/, $ENV{PATH};

# The disk that gets full is mounted where only this test sees it.
my $may_mount = $> == 0 && !system 'unshare --mount true 2>/dev/null';
if ($may_mount && !$ENV{CTT_DRILLS_MOUNT}) {
	$ENV{CTT_DRILLS_MOUNT} = 1;
	exec 'unshare', '--mount', $^X, (map { "-I$_" } @INC), $0, @ARGV;
}

my $tmp = File::Temp->newdir('ctt-91.XXXXXX', TMPDIR => 1);

sub jwt ($ends) {
	return join '.', map { encode_base64url($_) } '{}',
	    sprintf('{"exp":%d}', $ends), 'x';
}

my $token = spew("$tmp/token", jwt(time + 90 * 86_400));
my $c = Ctt->start(pool => POOL, set => { CTT_THREADS => 16,
	CTT_PARTNER_TIMEOUT_MS => 400, CTT_JOB_ATTEMPTS => 2,
	CTT_NIG_TOKEN_FILE => $token });
my @admin = (Authorization => 'Bearer ' . $c->token(roles => ['ctt-admin']));

# ---- does an alert fire? ----

sub metrics () {
	my $text = $c->get('/metrics', Authorization => undef)->{raw};
	return { at => time, of => { $text =~ /^(cttd_\S+?(?:\{.*\})?) ([\d.]+)$/mg } };
}

# What a rule reads if what happened between the two goes on: a counter rises as
# much each minute; so does an age that rose, as time does; the rest stays.
sub series ($before, $after) {
	my $minute = 60 / ($after->{at} - $before->{at});

	return map {
		my ($name, $new) = ($_, $after->{of}{$_});
		# promtool's time begins with 0
		$new -= $after->{at} if /_timestamp_seconds/;
		my $more = $new - ($before->{of}{$name} // 0);
		my $rises = /_total\b|_bucket\b|_count\b|_sum\b/ ? $more
		    : /_(?:seen|age)_seconds/ && $more > 5 ? $more * $minute : 0;
		my $labels = s/\}$/,instance="a"}/r;
		{ series => $labels =~ /\}$/ ? $labels : "$_\{instance=\"a\"}",
		    values => sprintf '%s+%sx90', $new, $rises };
	} sort keys %{ $after->{of} };
}

# The alerts that fire an hour later.
sub firing ($before, $after) {
	my @names = map { $_->{alert} } @{ YAML::XS::LoadFile(
		"$TOP/doc/alerts.yml")->{groups}[0]{rules} };

	spew("$tmp/tests.yml", YAML::XS::Dump({ evaluation_interval => '1m',
		rule_files => ["$TOP/doc/alerts.yml"], tests => [ {
		interval => '1m', input_series => [ series($before, $after) ],
		alert_rule_test => [ map { { eval_time => '60m',
			alertname => $_, exp_alerts => [] } } @names ] } ] }));
	my ($said) = output("promtool test rules $tmp/tests.yml");
	my %fires = map { $_ => 1 } $said =~ /alertname: ?(\w+)/g;
	return sort keys %fires;
}

# ---- the drills ----

# A link of a new CTT: its answer.
sub link_one (%ctt) {
	my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS', %ctt);
	return $c->link($ctt, $ntt);
}

sub until_ok ($seconds, $test) { return $c->wait_for($seconds, $test) }

# Until the worker, or who asks for the health, has seen it.
sub until_seen ($name, $value) {
	return until_ok(30, sub {
		$c->get('/ticket/health', @admin);
		(metrics()->{of}{"cttd_$name"} // -1) == $value });
}

sub statuses ($n, %ctt) { return map { link_one(%ctt)->{status} } 1 .. $n }

my ($old_key, $new_key) = map { "$tmp/key-$_" } 1, 2;
my $data = $c->dir . '/db';
my $dead;

# name => [ alerts, what cttctl status says; break; what is seen then; do as the
# runbook says; what is seen in the end ]
my @DRILLS = (
	[ 'a partner hangs', ['CttdPartner'], qr/^CRITICAL  TaaS/m,
	sub { $c->rule(partner => 'taas', do => 'hold');
		statuses(1) for 1 .. 12;
		until_ok(20, sub { (metrics()->{of}
			{'cttd_partner_broken{partner="TAAS"}'} // 0) == 1 }) },
	sub { is link_one(source => 'TMF')->{status}, 200, 'TMF goes on';
		my $r = $c->cttctl('operations');
		like $r->{out}, qr/TAAS.*tried/, 'cttctl operations: what is left' },
	sub { $c->no_rules },
	sub { until_ok(30, sub { link_one()->{status} == 200 }) } ],

	[ 'MariaDB is killed', ['CttdDatabase'], qr/^CRITICAL  database/m,
	sub { $c->stack('kill', 'db'); until_seen(database_up => 0) },
	sub { my $r = $c->link(1, 2);
		is $r->{json}{code}, 'DB_UNAVAILABLE', 'changes answer 503' },
	sub { $c->stack('start', 'db') },
	sub { until_ok(20, sub { link_one()->{status} == 200 })
		&& $c->cttctl('check')->{status} == 0 } ],

	[ 'MariaDB takes no writes', ['CttdDatabase'],
	qr/^CRITICAL  database.*no writes/m,
	sub { $c->dba->do('SET GLOBAL read_only = 1');
		until_seen(database_writable => 0) },
	sub { is $c->one('SELECT @@read_only'), 1, 'it says so';
		is $c->link(1, 2)->{json}{code}, 'DB_UNAVAILABLE',
		'changes answer 503' },
	sub { $c->dba->do('SET GLOBAL read_only = 0') },
	sub { until_ok(20, sub { link_one()->{status} == 200 }) } ],

	[ 'memcached is gone', ['CttdMemcached'], qr/^WARNING   memcached/m,
	sub { $c->stack('kill', 'memcached'); until_seen(memcached_up => 0) },
	sub { is link_one()->{status}, 200, 'nothing fails' },
	sub { $c->stack('start', 'memcached') },
	sub { until_seen(memcached_up => 1) } ],

	[ 'the queue is away', ['CttdPartner'], qr/^CRITICAL  queue/m,
	sub { $c->rule(partner => 'queue', do => 'status', status => 503);
		link_one() for 1 .. 4;
		until_ok(30, sub { (metrics()->{of}
			{'cttd_partner_broken{partner="QUEUE"}'} // 0) == 1 }) },
	sub { is link_one()->{status}, 200, 'links are made';
		cmp_ok $c->one("SELECT COUNT(*) FROM job WHERE state = 'READY'"),
		'>', 0, 'and jobs wait' },
	sub { $c->no_rules },
	sub { $c->quiet(60) } ],

	[ 'a job is DEAD', ['CttdDeadJobs'], qr/^WARNING   jobs .*DEAD/m,
	sub { $c->rule(partner => 'queue', do => 'status', status => 422,
			says => 'create-ctt-related-kci', times => 2);
		$dead = link_one()->{json}{operationId};
		until_ok(30, sub { $c->get('/ticket/health', @admin)
			->{json}{jobs}{DEAD} }) && until_ok(10, sub { (metrics()
			->{of}{'cttd_jobs{state="DEAD"}'} // 0) > 0 }) },
	sub { like $c->cttctl('jobs')->{out}, qr/DEAD .*\Q$dead\E.*422/,
		'cttctl jobs: the reason' },
	sub { !$c->cttctl('jobs', 'retry', '--all')->{status} },
	sub { $c->quiet(60) && $c->cttctl('jobs')->{out} eq '' } ],

	[ 'the worker is dead', [ 'CttdNoWorker', 'CttdWorkerHere' ],
	qr/^CRITICAL  worker/m,
	sub { $c->stack('kill', 'worker'); until_seen(workers_running => 0) },
	sub { is link_one()->{status}, 200, 'links are made';
		like $c->cttctl('status')->{out}, qr/no ctt-worker runs/,
		'cttctl status says why jobs wait' },
	sub { $c->stack('start', 'worker') },
	sub { until_seen(workers_running => 1) && $c->quiet } ],

	[ 'tokens of the key before', ['CttdTokens'], undef,
	sub { spew($old_key, slurp($c->env('CTT_JWT_KEY_FILE')));
		spew($new_key, 'n' x 40 . "\n");
		$c->restart_pool(POOL, CTT_JWT_KEY_FILE => $new_key);
		my @r = map { $c->get('/ticket/lov')->{status} } 1 .. 20;
		(grep { $_ == 401 } @r) == 20 },
	sub { ok +(grep { /event=unauthenticated/ } $c->log_lines('pool')),
		'the log says why' },
	sub { spew($new_key, 'n' x 40 . "\n" . slurp($old_key));
		$c->restart_pool(POOL, CTT_JWT_KEY_FILE => $new_key); 1 },
	sub { link_one()->{status} == 200 } ],

	[ 'a token of ours has ended', ['CttdExpiry'], qr/^CRITICAL  expiry/m,
	sub { spew($token, jwt(time - 60)); 1 },
	sub { like $c->cttctl('status')->{out},
		qr/CTT_NIG_TOKEN_FILE ended/, 'cttctl status: which one' },
	sub { spew($token, jwt(time + 90 * 86_400)) },
	sub { $c->cttctl('status')->{out} !~ /TOKEN_FILE ended/ } ],

	[ 'processes are killed', [], undef,
	sub { my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS');
		$c->rule(ticket => "C-$ctt", do => 'hold', times => 1);
		my ($r) = $c->parallel(2, sub ($i) {
			return $c->link($ctt, $ntt) if !$i;
			$c->wait_for(10, sub { $c->heard('taas',
				ticket => "C-$ctt") });
			kill 'KILL', $c->pids('pool'); return {} });
		$dead = $r->{headers}{'x-request-id'};
		$r->{status} == 502 },
	sub { $c->wait_for(20, sub { $c->get("/ticket/operation?requestId=$dead")
			->{status} == 200 });
		is scalar @{ $c->get("/ticket/operation?requestId=$dead")
			->{json}{items} }, 1, 'the request id finds what was begun' },
	sub { $c->no_rules; 1 },
	sub { $c->settle } ],
);

push @DRILLS, [ 'the disk of MariaDB is full', ['CttdErrors'], undef,
	sub { $c->stack('stop', 'db');
		my $mb = int +(split ' ', (output("du -sm '$data'"))[0])[0];
		output("mv '$data' '$data.old' && mkdir '$data' && mount -t tmpfs"
		    . ' -o size=' . ($mb + DISK_MB) . "m none '$data'"
		    . " && cp -a '$data.old/.' '$data' && chmod 700 '$data'");
		$c->stack('start', 'db');
		until_ok(20, sub { link_one()->{status} == 200 });
		my @spare = $c->given_ctts(40, source => 'TAAS');
		my $ntt = pop @spare;
		my $dbh = $c->dba;
		$dbh->do('CREATE TABLE ctt.big (a LONGBLOB)');
		output("dd if=/dev/zero of='$data/filler' bs=1M count="
		    . 2 * DISK_MB);
		for (1 .. 50) { eval { $dbh->do("INSERT INTO ctt.big VALUES"
			. " (REPEAT('x', 500000))"); 1 } or last }
		# it refuses writes, or has ended by itself
		my @failed = grep { $_->{status} >= 500 }
		    map { $c->link($_, $ntt) } @spare;
		@failed > @spare / 2 },
	sub { like +(output("df '$data'"))[0], qr/100%/, 'df says so' },
	sub { unlink "$data/filler"; $c->stack('start', 'db') },
	sub { until_ok(20, sub { link_one()->{status} == 200 })
		&& $c->dba->do('DROP TABLE ctt.big')
		&& $c->cttctl('check')->{status} == 0 } ] if $may_mount;

END {
	my $status = $?;
	system "umount -l '$data' 2>/dev/null" if defined $data && $may_mount;
	$? = $status;
}

is link_one()->{status}, 200, 'a link';
ok $c->quiet, 'all is well';
until_seen(workers_running => 1);
{
	my $before = metrics();
	sleep 1;
	link_one() for 1 .. 3;
	is_deeply [ firing($before, metrics()) ], [], 'no alert fires';
}

for (@DRILLS) {
	my ($name, $alerts, $says, $break, $seen, $mend, $well) = @$_;
	my $before = metrics();

	ok $break->(), $name;
	my $after = metrics();
	my %fires = map { $_ => 1 } firing($before, $after);
	is_deeply [ grep { !$fires{$_} } @$alerts ], [],
	    @$alerts ? "@$alerts: fires" : 'no alert is due'
	    or diag join ' ', sort keys %fires;
	like $c->cttctl('status')->{out}, $says, 'cttctl status says so' if $says;
	$seen->();
	ok $mend->(), 'what the runbook says is done';
	ok $well->(), "$name: all is well again";
	ok $c->settle(60), 'what was begun is settled';
}
ok $c->quiet(60), 'all jobs are delivered';
$c->agree('in the end both sides');
if ($may_mount) {    # back to the folder that there was
	ok $c->stack('stop', 'db'), 'the full disk is taken away';
	is_deeply [ output("rm -rf '$data.old' && cp -a '$data' '$data.old'"
	    . " && umount '$data' && rmdir '$data' && mv '$data.old' '$data'") ],
	    [ '', 0 ], 'with all that is on it';
	ok $c->stack('start', 'db'), 'and nobody misses it';
}
$c->expect(qr/event=(db_away|db_error|job_dead|close_failed|token_not_read)/,
    qr/\[alert\].*exited|sim/);
$c->stop;
done_testing;
