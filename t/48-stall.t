# MariaDB stalls: an answer comes later than the read timeout of SQL (6 s), or
# never. The process recognises its own rows whenever they come, and goes on; or
# it says that nobody knows, and leaves them to recovery. What the caller is told
# is what becomes of it.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Test::More;
use Time::HiRes qw(sleep time);

use constant FULL => ($ENV{CTT_SWEEP} // '') eq 'full';

my @SECONDS = FULL ? (1 .. 15) : (2, 7);
my $c = Ctt->start(pool => 24, workers => 1, set => {
	CTT_PARTNER_TIMEOUT_MS => 2000 });

$c->expect(qr/event=(db_\w+|close_failed)/);

# Once, for one ticket: the statement sleeps. MEMORY, for a transaction that is
# rolled back must not bring it back.
$c->do('CREATE TABLE stall (ctt_id BIGINT UNSIGNED PRIMARY KEY, at CHAR(8),'
    . ' s INT) ENGINE=MEMORY');
sub stall_at ($at, $when, $id) {
	return "CREATE TRIGGER stall_$at $when ON operation FOR EACH ROW"
	    . " BEGIN DECLARE n INT DEFAULT (SELECT s FROM stall WHERE at ="
	    . " '$at' AND ctt_id = $id); IF n IS NOT NULL THEN"
	    . " DELETE FROM stall WHERE at = '$at' AND ctt_id = $id;"
	    . ' DO SLEEP(n); END IF; END';
}
$c->do(stall_at('save', 'AFTER INSERT', 'NEW.ctt_id'));
$c->do(stall_at('close', 'AFTER UPDATE', 'NEW.ctt_id'));

sub states ($ctt) {
	return join ' ', $c->column('SELECT state FROM operation WHERE'
	    . " ctt_id = ? AND state <> 'REFUSED' ORDER BY seq", $ctt);
}

# Somebody else holds a row.
sub hold ($table, $id, $s) {
	my $dbh = $c->connect_db('CTT_DB_MIGRATE');

	$dbh->begin_work;
	$dbh->do("SELECT id FROM $table WHERE id = $id FOR UPDATE");
	sleep $s;
	$dbh->rollback;
	return {};
}

sub wait_until_held ($table, $id) {
	$c->wait_for(10, sub { !eval { $c->dbh->do("SELECT id FROM $table"
		. " WHERE id = $id FOR UPDATE NOWAIT") } });
}

my @ASK = ([ 'POST /ticket/ctt/link', 1 ], [ 'POST /ticket/ctt/link/bulk', 2 ],
	[ 'POST /ticket/ctt/unlink', 2 ],
	[ 'POST /ticket/ctt/unlink-then-link', 1 ],
	[ 'PUT /ticket/ctt/activity-status/update/:id', 1 ]);
my @cases = map { my $at = $_;
	map { my $s = $_;
		map { { at => $at, s => $s, route => $_->[0], n => $_->[1] } }
		    @ASK } @SECONDS } qw(save close load);

for my $case (@cases) {
	my $ch = $case->{ch} = Changes::given($c, @$case{qw(route n)});
	my $ctt = $case->{ctt} = $ch->{tickets}[0]{id};

	$c->do('INSERT INTO stall VALUES (?, ?, ?)', $ctt, @$case{qw(at s)})
	    if $case->{at} ne 'load';
}
my @locks = grep { $_->{at} eq 'load' } @cases;
my @answers = $c->parallel(@cases + @locks, sub ($i) {
	return hold(ctt => @{ $locks[ $i - @cases ] }{qw(ctt s)})
	    if $i >= @cases;
	wait_until_held(ctt => $cases[$i]{ctt}) if $cases[$i]{at} eq 'load';
	return Changes::ask($c, $cases[$i]{ch});
});

ok $c->settle(30), 'all is settled';
for my $i (0 .. $#cases) {
	my ($case, $r) = ($cases[$i], $answers[$i]);
	my $name = "$case->{route} of $case->{n}, $case->{s} s at $case->{at}";
	my $done = Changes::done($c, $case->{ch});

	like $r->{status}, qr/^(200|207|422|502|503|504)$/, "$name: answered"
	    or diag $r->{raw};
	unlike $r->{raw}, qr/"code":""|"detail":null|\(null\)|already-on-target/,
	    'in words that are true';
	if ($r->{status} == 200) {
		is $done, Changes::once($case->{ch}), 'done, and told so';
	} elsif (($r->{json}{code} // '') eq 'DB_UNAVAILABLE') {
		is states($case->{ctt}), '', 'nothing was begun, and told so';
	} elsif ($r->{raw} =~ /nothing was sent to change it/) {
		like states($case->{ctt}), qr/^(ROLLED_BACK ?)+$/,
		    'nothing was done, and told so';
	} else {
		like $r->{raw}, qr/NO_ANSWER/, 'nobody knows, and told so'
		    or diag $r->{raw};
	}
}
is_deeply [ grep { /signal=/ } $c->log_lines('pool') ], [], 'no process dies';
$c->agree('after the stalls, both sides');
$c->do("DROP TRIGGER stall_$_") for qw(save close);
$c->do('DROP TABLE stall');

# ---- one locked NTT holds up its own CTTs, and nobody else's ----

{
	my ($locked, $free) = $c->given(ntt => {}, ntt => {});
	my @ctts = $c->given(map { (ctt => {}) } 1 .. 6);
	my ($r) = $c->parallel(2, sub ($i) {
		return hold(ntt => $locked, 12) if $i;
		wait_until_held(ntt => $locked);
		return $c->bulk(map { [ $ctts[$_], $_ % 2 ? $free : $locked ] }
			0 .. 5);
	});
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(success failed unknown)},
		map { $_->{outcome} } @{ $r->{json}{results} } ],
	    [ 207, 3, 0, 3, qw(unknown linked unknown linked unknown linked) ],
	    'a locked NTT: the links to the other are told' or diag $r->{raw};
	ok $c->settle(30), 'the others are settled';
	is_deeply [ map { $c->row(ntt => $_)->{ctt_count} } $locked, $free ],
	    [ 3, 3 ], 'and counted';
	$c->agree;
}

# ---- a process that dies of its own fault says so ----

SKIP: {
	skip 'the sanitizer says it', 2
	    if ($ENV{CTT_TEST_CONFIGURE} // '') =~ /asan/;
	my ($ctt, $ntt) = $c->given_ctts(1);
	my ($pid) = $c->pids('pool');

	$c->expect(qr/event=died/);
	kill 'SEGV', $pid;
	ok $c->wait_for(5, sub { grep { /event=died .*signal=SIGSEGV/ }
		$c->log_lines('pool') }), 'the log has the signal';
	ok $c->wait_for(10, sub { !grep { $_ == $pid } $c->pids('pool') }),
	    'and it is gone';
}

ok $c->quiet, 'all jobs are done';
$c->stop;
done_testing;
