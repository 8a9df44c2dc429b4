# Drills with the wall clock, as in t/91-drills.t: it is set forward and back
# while a call is under way, jobs wait and an operation is not settled. All
# processes of the stack see it, by libfaketime; the clocks that nobody sets go
# on. Prometheus keeps the right time.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Drill;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(replace slurp);

use constant {
	JUMP => 7200,    # seconds; more than a token of an hour lives
	CACHE => 1,      # for which libfaketime believes what it has read
};

my ($lib) = glob '/usr/lib/*/faketime/libfaketimeMT.so.1';
my $bin = $ENV{CTT_BIN} // "$FindBin::Bin/..";

plan skip_all => 'promtool is not installed' if !Drill::can_run();
plan skip_all => 'libfaketime is not installed' if !$lib;
plan skip_all => 'a sanitizer has to be loaded first'
    if slurp("$bin/ctt.fcgi") =~ /__[at]san_init/;

my $tmp = File::Temp->newdir('ctt-94.XXXXXX', TMPDIR => 1);

# ---- the clocks ----

# What they are ahead, in seconds; all processes know it soon.
sub set_clocks ($host, $database = $host) {
	replace("$tmp/host", sprintf "%+d\n", $host);
	replace("$tmp/database", sprintf "%+d\n", $database);
	sleep 2 * CACHE;
}

# libfaketime has some memory that its processes share, named after the first of
# them, which removes it at its end: so that one stays.
my $keeper;

sub load_faketime () {
	%ENV = (%ENV, LD_PRELOAD => $lib, FAKETIME_CACHE_DURATION => CACHE,
		FAKETIME_DONT_FAKE_MONOTONIC => 1,
		FAKETIME_TIMESTAMP_FILE => "$tmp/host");
	$keeper = fork // die "fork: $!\n";
	exec 'sleep', 900 or POSIX::_exit(127) if !$keeper;
	$ENV{FAKETIME_SHARED} = "/faketime_sem_$keeper /faketime_shm_$keeper";
	for (1 .. 1000) {
		last if 2 == grep { -e } shared();
		sleep 0.02;
	}
}

sub shared () {
	return map { "/dev/shm/$_$keeper" } 'sem.faketime_sem_', 'faketime_shm_';
}

END {
	my $status = $?;
	if ($keeper) {
		kill 'TERM', $keeper;
		waitpid $keeper, 0;
		unlink shared();
	}
	$? = $status;
}

set_clocks(0);
load_faketime();
my $c = Ctt->start(pool => 2, set => { CTT_THREADS => 16,
	CTT_PARTNER_TIMEOUT_MS => 20_000, CTT_UNLINK_BLOCK_TTL => 2 });
my $drill = Drill->new($c, "$tmp");
my @admin = (Authorization => 'Bearer ' . $c->token(roles => ['ctt-admin']));

# MariaDB has a clock of its own from now on.
{
	local $ENV{FAKETIME_TIMESTAMP_FILE} = "$tmp/database";
	ok $c->stack('restart', 'db'), 'the database has its own clock';
}

# ---- what happens ----

# A link of a new CTT: its answer.
sub link_one () {
	my ($ctt, $ntt) = $c->given_ctts(1);
	return $c->link($ctt, $ntt);
}

# Both clocks, as the metrics have them: how far they are ahead of ours.
sub ahead () {
	my $m = $drill->metrics;
	return map { sprintf '%.0f', ($m->{of}{
		"cttd_clock_timestamp_seconds{of=\"$_\"}"} // 0) - $m->{at} }
	    qw(host database);
}

sub are_near ($seconds) {
	return 2 == grep { abs($_ - $seconds) < 60 } ahead();
}

# A link whose call is under way while the clocks are set: its answer.
sub link_across ($seconds) {
	my ($ctt, $ntt) = $c->given_ctts(1);
	my $rule = $c->rule(ticket => "C-$ctt", do => 'hold', times => 1);
	my ($r) = $c->parallel(2, sub ($i) {
		return $c->link($ctt, $ntt) if !$i;
		$c->wait_for(10, sub { $c->heard('taas', ticket => "C-$ctt") });
		set_clocks($seconds);
		$c->sim(DELETE => "/rules/$rule");
		return {} });

	is $r->{status}, 200, 'a link whose call was under way is made'
	    or diag $r->{raw};
	is scalar $c->heard('taas', ticket => "C-$ctt", applied => 1), 1,
	    'once';
}

# Jobs that wait for the queue; an operation whose outcome is not known; a pair
# that is blocked.
my (@pair, $unsettled);

sub leave_open () {
	my ($ctt, $ntt) = $c->given_ctts(1);
	my $r;

	@pair = $c->given_ctts(1);
	is $c->link(@pair)->{status}, 200, 'a link';
	is $c->unlink_from($pair[1], [ $pair[0] ])->{status}, 200, 'an unlink';
	$c->rule(partner => 'queue', do => 'status', status => 503);
	$c->rule(ticket => "C-$ctt", do => 'cut');
	$r = $c->link($ctt, $ntt);
	$unsettled = $r->{json}{operationId};
	is_deeply [ $r->{status}, $r->{json}{settled} ], [ 502, 0 ],
	    'a link whose outcome is not known';
	is link_one()->{status}, 200, 'a link whose jobs wait';
}

# Without waiting for the wrong time to come.
sub goes_on () {
	$c->no_rules;
	ok $c->quiet(30), 'the jobs are delivered';
	ok $c->settle(30), 'the operation is settled';
	like $c->row(operation => $unsettled)->{state},
	    qr/^(?:ROLLED_BACK|COMPENSATED)$/, 'undone';
	ok $c->wait_for(10, sub { $c->link(@pair)->{status} == 200 }),
	    'the pair is blocked no more';
}

my $old = $c->token;    # ends in an hour

sub new_token () {
	$c->{tokens} = {};
	return $c->token;
}

my @DRILLS = (
	[ 'the clocks are two hours ahead', ['CttdClock'], qr/^OK        clock/m,
	sub { link_across(JUMP);
		$c->wait_for(10, sub { are_near(JUMP) }) },
	sub { my $r = $c->get('/ticket/lov', Authorization => "Bearer $old");
		is_deeply [ @$r{qw(status)}, $r->{json}{detail} ],
		[ 401, 'The token has expired.' ], 'tokens have expired';
		new_token();
		leave_open() },
	sub { set_clocks(0); $c->wait_for(10, sub { are_near(0) }) },
	sub { goes_on();
		ok +(grep { /event=clock_back/ } $c->log_lines('worker')),
		'the worker has seen it';
		$c->get('/ticket/lov', Authorization => "Bearer $old")
		    ->{status} == 200 } ],

	[ 'the clocks are two hours behind', ['CttdClock'],
	qr/^OK        clock/m,
	sub { leave_open();
		link_across(-JUMP);
		$c->wait_for(10, sub { are_near(-JUMP) }) },
	sub { goes_on();
		new_token();
		is link_one()->{status}, 200, 'links are made' },
	sub { link_across(0); $c->wait_for(10, sub { are_near(0) }) },
	sub { new_token(); link_one()->{status} == 200 && $c->quiet(30) } ],

	[ 'the database\'s clock is behind', ['CttdClock'],
	qr/^CRITICAL  clock +the database's is (?:2 h|119 min) behind this host's/m,
	sub { leave_open();
		set_clocks(0, -JUMP);
		$c->wait_for(20, sub { my @ahead = ahead();
			abs($ahead[0]) < 60 && abs($ahead[1] + JUMP) < 60 }) },
	\&goes_on,
	sub { set_clocks(0); $c->wait_for(20, sub { are_near(0) }) },
	sub { link_one()->{status} == 200 && $c->quiet(30)
		&& $c->cttctl('status')->{out} =~ /^OK        clock/m } ],
);

is link_one()->{status}, 200, 'a link';
ok $c->quiet, 'all is well';
ok $c->wait_for(20, sub { are_near(0) }), 'the clocks are right';
{
	my $before = $drill->metrics;
	sleep 1;
	is_deeply [ $drill->firing($before, $drill->metrics) ], [],
	    'no alert fires';
}
for (@DRILLS) {
	$drill->run($_);
	my $before = $drill->metrics;
	sleep 1;
	is_deeply [ grep { $_ eq 'CttdClock' }
		$drill->firing($before, $drill->metrics) ], [],
	    'the alert fires no more';
}
$c->agree('in the end both sides');
$c->expect(qr/event=(db_away|db_error|close_failed)/);
$c->stop;
done_testing;
