# What goes wrong some night, as a drill: a part is broken, the alert of
# doc/alerts.yml fires (promtool runs the rule on what GET /metrics says, before
# and after), cttctl status says so, what doc/runbook.txt says is done, and in the
# end nothing is lost.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Drill;
use File::Temp ();
use MIME::Base64 qw(encode_base64url);
use Test::More;
use Time::HiRes qw(sleep time);
use Tls;
use Util qw(free_port output slurp spew);

use constant { POOL => 2, DISK_MB => 24 };

my $TOP = "$FindBin::Bin/..";

plan skip_all => 'promtool is not installed' if !Drill::can_run();

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
my $tls = Tls->new("$tmp/tls");
my $nig = free_port();

$tls->ca('ca', days => 90);
$tls->cert($_, ca => 'ca', name => 'localhost', days => 90) for qw(us-good nig);
$tls->cert('nig-soon', ca => 'ca', name => 'localhost', days => 5);
$tls->cert("$_-ended", ca => 'ca', name => 'localhost', days => 0)
    for qw(us nig);

sub we_are ($cert) {
	spew($tls->file("us.$_"), slurp($tls->file("$cert.$_"))) for qw(crt key);
}

we_are('us-good');
my $c = Ctt->start(pool => POOL, nig_url => "https://localhost:$nig/nig",
	set => { CTT_THREADS => 16,
	CTT_PARTNER_TIMEOUT_MS => 400, CTT_JOB_ATTEMPTS => 2,
	CTT_NIG_TOKEN_FILE => $token, CTT_NIG_CA_FILE => $tls->file('ca.crt'),
	CTT_NIG_CERT_FILE => $tls->file('us.crt'),
	CTT_NIG_KEY_FILE => $tls->file('us.key') });
my @admin = (Authorization => 'Bearer ' . $c->token(roles => ['ctt-admin']));

my $drill = Drill->new($c, "$tmp");

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
		$drill->metric($name) == $value });
}

sub until_broken ($partner) {
	return until_ok(30, sub { $drill->metric(
		"partner_broken{partner=\"$partner\"}") == 1 });
}

sub statuses ($n, %ctt) { return map { link_one(%ctt)->{status} } 1 .. $n }

# NIG, which wants a certificate and has this one.
sub serve_nig ($cert) {
	$tls->stop;
	$tls->nginx(<<"END");
	server {
		listen 127.0.0.1:$nig ssl;
		ssl_certificate @{[$tls->file("$cert.crt")]};
		ssl_certificate_key @{[$tls->file("$cert.key")]};
		ssl_verify_client on;
		ssl_client_certificate @{[$tls->file('ca.crt')]};
		location / { proxy_pass @{[$c->env('CTT_SIM_URL')]}; }
	}
END
	return 1;
}

# An update of a new CTT's equipment, which goes to NIG: its answer.
sub tell_nig () {
	my $ctt = $c->given(ctt => { segment_group => 'Managed Services' });

	$c->given_element($ctt);
	return $c->update_cpe($ctt, { model => 'G-010' });
}

# Ours is this one; and, as cttctl restart does.
sub show_nig ($cert) {
	we_are($cert);
	return $c->stack('restart', 'pool') && $c->stack('restart', 'worker');
}

my ($old_key, $new_key) = map { "$tmp/key-$_" } 1, 2;
my $data = $c->dir . '/db';
my ($dead, $heard);

# name => [ alerts, what cttctl status says; break; what is seen then; do as the
# runbook says; what is seen in the end ]
my @DRILLS = (
	[ 'a partner hangs', ['CttdPartner'], qr/^CRITICAL  TaaS/m,
	sub { $c->rule(partner => 'taas', do => 'hold');
		statuses(1) for 1 .. 12;
		until_broken('TAAS') },
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
		until_broken('QUEUE') },
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
			->{json}{jobs}{DEAD} }) && until_ok(10, sub {
			$drill->metric('jobs{state="DEAD"}') > 0 }) },
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

	[ 'our certificate has ended', ['CttdExpiry'], qr/^CRITICAL  expiry/m,
	sub { show_nig('us-ended') },
	sub { my $r;
		until_ok(10, sub { ($r = tell_nig())->{json}{partnerStatus} });
		is_deeply [ $r->{status}, @{ $r->{json} }{qw(partner
			partnerStatus settled)} ], [ 502, 'NIG', 400, 1 ],
		'NIG refuses us, and the change is undone';
		is link_one()->{status}, 200, 'links are made';
		like $c->cttctl('status')->{out},
		qr/CTT_NIG_CERT_FILE ended/, 'cttctl status: which one' },
	sub { show_nig('us-good') },
	sub { until_ok(10, sub { tell_nig()->{status} == 200 })
		&& $c->cttctl('status')->{out} !~ /FILE ended/ } ],

	[ 'a partner\'s certificate ends soon', ['CttdExpiry'],
	qr/^WARNING   expiry +CTT_NIG_URL ends in 4 days/m,
	sub { serve_nig('nig-soon');
		until_ok(10, sub { tell_nig()->{status} == 200 }) },
	sub { is link_one()->{status}, 200, 'nothing fails' },
	sub { serve_nig('nig') },
	sub { until_ok(10, sub { tell_nig()->{status} == 200 })
		&& $c->cttctl('status')->{out} !~ /URL ends in 4 days/ } ],

	[ 'a partner\'s certificate has ended', ['CttdPartner'],
	qr/^CRITICAL  NIG/m,
	sub { $heard = $c->heard('nig');
		serve_nig('nig-ended');
		tell_nig() for 1 .. 12;
		until_broken('NIG') },
	sub { ok +(grep { /event=partner_call .*certificate has expired/ }
		$c->log_lines('pool')), 'the log says why';
		is scalar $c->heard('nig'), $heard, 'NIG has heard nothing';
		is link_one()->{status}, 200, 'links are made' },
	sub { serve_nig('nig') },
	sub { until_ok(30, sub { tell_nig()->{status} == 200 }) } ],

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
		# with holes in its files MariaDB would lose pages, not only space
		my $mb = int +(split ' ', (output('du --apparent-size -sm'
		    . " '$data'"))[0])[0];
		output("mv '$data' '$data.old' && mkdir '$data' && mount -t tmpfs"
		    . ' -o size=' . ($mb + DISK_MB) . "m none '$data'"
		    . " && cp -a --sparse=never '$data.old/.' '$data'"
		    . " && chmod 700 '$data'");
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
	$tls->stop if $tls;
	system "umount -l '$data' 2>/dev/null" if defined $data && $may_mount;
	$? = $status;
}

serve_nig('nig');
is link_one()->{status}, 200, 'a link';
ok $c->quiet, 'all is well';
until_seen(workers_running => 1);
{
	my $before = $drill->metrics;
	sleep 1;
	link_one() for 1 .. 3;
	is_deeply [ $drill->firing($before, $drill->metrics) ], [],
	    'no alert fires';
}

$drill->run(@DRILLS);
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
