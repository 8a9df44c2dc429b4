# Requests that come together share their transactions (contract section 10.9),
# and nothing else: whatever is wrong with one of them, the others do not notice.
# Five requests of different kinds and callers meet in the tray before the first
# transaction, of which one is broken in each way that there is.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS qw(encode_json);
use Ctt;
use Test::More;
use POSIX ();
use Time::HiRes qw(sleep time);
use Util qw(spew);

use constant {
	THREADS   => 32,
	GATHER_MS => 800,    # while the others come
	WAIT_S    => 1.5,    # for a row that is locked
};

my $c = Ctt->start(pool => 1, workers => 1, set => { CTT_THREADS => THREADS,
	CTT_UNLINK_BLOCK_TTL => 0, CTT_LOG_LEVEL => 'debug',
	CTT_PARTNER_TIMEOUT_MS => 2000, CTT_BREAKER_FAILURES => 1000 });
my %OF = map { my $who = $_; $who => { Authorization => 'Bearer '
	. $c->token(sub => $who, roles => ['ctt-admin']) } }
    qw(ann bob cleo dan eve first);

# ---- requests ----

# One of each kind with tickets of its own: its CTT, and what sends it.
my $no = 0;
my %MAKE = (
	link => sub ($who) {
		my ($ctt, $ntt) = fresh();
		return { ctt => $ctt, ntt => $ntt, send => sub (%h) {
			$c->post('/ticket/ctt/link', { cttId => $ctt,
				nttId => $ntt }, %{ $OF{$who} }, %h) } };
	},
	unlink => sub ($who) {
		my ($ctt, $ntt) = fresh(linked => 1);
		return { ctt => $ctt, ntt => $ntt, send => sub (%h) {
			$c->post('/ticket/ctt/unlink/bulk', { items => [
				{ cttId => $ctt, nttId => $ntt } ] },
			    %{ $OF{$who} }, %h) } };
	},
	move => sub ($who) {
		my ($ctt, $ntt) = fresh(linked => 1);
		my $to = $c->given(ntt => {});
		return { ctt => $ctt, ntt => $ntt, send => sub (%h) {
			$c->post('/ticket/ctt/unlink-then-link',
			    { ticketNo => $to, cttIds => [$ctt] },
			    %{ $OF{$who} }, %h) } };
	},
	resolve => sub ($who) {
		my ($ctt, $ntt) = fresh();
		my $activity = $c->given_activity($ctt);
		return { ctt => $ctt, ntt => $ntt, send => sub (%h) {
			$c->put("/ticket/ctt/activity-status/update/$activity",
			    { cttId => $ctt, status => 'Resolved', $c->codes },
			    %{ $OF{$who} }, %h) } };
	},
	cpe => sub ($who) {
		my ($ctt, $ntt) = fresh();
		$c->given_element($ctt);
		return { ctt => $ctt, ntt => $ntt, send => sub (%h) {
			$c->post("/ticket/ctt/cpe/update/$ctt", { new => {
				manufacturer => 'ZTE', model => 'A',
				ipAddress => '10.0.0.9', bandwidthMbps => 100,
				port => '1' } }, %{ $OF{$who} }, %h) } };
	},
);

sub fresh (%opt) {
	my $ntt = $c->given(ntt => {});

	return ($c->given(ctt => { segment_group => 'Managed Services',
		ticket_no => 'TaaS-C' . ++$no,
		$opt{linked} ? (linked => $ntt) : () }), $ntt);
}

my @KINDS = qw(link unlink move resolve cpe);
my @WHO = qw(ann bob cleo dan eve);

sub five () { return map { $MAKE{ $KINDS[$_] }->($WHO[$_]) } 0 .. 4 }

# How often a statement ran in the pool.
sub times_run ($sql) {
	return scalar grep { /event=db .*\bsql=$sql / } $c->log_lines('pool');
}

# The answers to these, which meet in the tray: two requests of their own keep
# its leaders busy until all have come. $meanwhile->() runs while they wait.
sub gather ($meanwhile, @send) {
	my @first = map { $MAKE{link}->('first') } 1, 2;
	my @fault = ('after-load', 'delay', ms => GATHER_MS);

	unlink $c->dir . '/again';
	$c->fault(@fault);
	my ($one, $two, @answers) = $c->parallel(2 + @send, sub ($i) {
		if ($i < 2) {
			$c->fault_again(@fault) if $i == 1;
			my $r = $first[$i]{send}->();
			return { status => $r->{status} };
		}
		$c->both_fired;
		$meanwhile->() if $i == 2;
		my $began = time;
		my $r = $send[ $i - 2 ]->();
		return { status => $r->{status}, json => $r->{json},
			s => time - $began };
	});
	return ([ map { $_->{status} } $one, $two ], @answers);
}

sub together (@send) {
	my ($own, @answers) = gather(sub { }, @send);

	is_deeply $own, [ 200, 200 ], 'the first two are done';
	return @answers;
}

sub is_good ($r) {
	return $r->{status} == 200 && ($r->{json}{failed} // 0) == 0;
}

sub in_order ($name) {
	ok $c->settle && $c->quiet, "$name: all is settled";
	$c->agree($name);
}

# ---- all is well ----

{
	my $saves = times_run('SAVE');
	my $loads = times_run('LOAD_ALL_TOGETHER');
	my @five = five();
	my @r = together(map { $_->{send} } @five);

	is_deeply [ grep { !is_good($_) } @r ], [], 'five kinds: all are done';
	is times_run('LOAD_ALL_TOGETHER') - $loads, 1,
	    'they were loaded by one statement';
	# and one for each of the first
	is times_run('SAVE') - $saves, 3, 'and begun by one transaction';
	is_deeply [ map { $c->one('SELECT actor FROM operation WHERE ctt_id = ?'
		. ' ORDER BY seq LIMIT 1', $_->{ctt}) } @five ], \@WHO,
	    'each for its own caller';
	in_order('five kinds');
}

# ---- one of them is broken ----

# [name, what breaks it, what it is answered, what mends it]; each kind is broken
# in two of these ways.
my @BROKEN = (
	[ 'there is no such CTT', sub ($it) {
		$c->do('DELETE FROM network_element WHERE ctt_id = ?',
		    $it->{ctt});
		$c->do('DELETE FROM ctt_activity WHERE ctt_id = ?', $it->{ctt});
		$c->do('UPDATE ntt SET ctt_count = 0 WHERE id = ?', $it->{ntt});
		$c->do('DELETE FROM ctt WHERE id = ?', $it->{ctt}); },
		qr/CTT_NOT_FOUND|CTT_ACTIVITY_NOT_FOUND/ ],
	[ 'an operation is open', sub ($it) { $c->plant_busy($it->{ctt}) },
		qr/OPERATION_IN_PROGRESS/, sub { $c->unplant } ],
	[ 'its partner says no', sub ($it) {
		$c->rule(ticket => $c->row(ctt => $it->{ctt})->{ticket_no},
		    do => 'status', status => 400);
		$c->rule(partner => 'nig', do => 'status', status => 400)
		    if $it->{kind} eq 'cpe'; },
		qr/EXTERNAL_\w+_FAILED/, sub { $c->no_rules } ],
	[ 'its partner hangs', sub ($it) {
		$c->rule(ticket => $c->row(ctt => $it->{ctt})->{ticket_no},
		    do => 'hang');
		$c->rule(partner => 'nig', do => 'hang')
		    if $it->{kind} eq 'cpe'; },
		qr/EXTERNAL_\w+_FAILED|RESOLVE_PENDING|SETTLING|NO_ANSWER/,
		sub { $c->no_rules } ],
	[ 'the database refuses it', sub ($it) {
		$c->dba->do('CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON'
			. ' operation FOR EACH ROW IF NEW.ctt_id = '
			. $it->{ctt} . ' AND NEW.state = "RUNNING" THEN SIGNAL'
			. ' SQLSTATE "45000" SET MESSAGE_TEXT = "no"; END IF'); },
		qr/DB_SAVE_FAILED/,
		sub { $c->dba->do('DROP TRIGGER refuse') } ],
);
$c->expect(qr/event=db_error .*kind=refused/);

for my $n (keys @BROKEN) {
	my ($name, $break, $answer, $mend) = @{ $BROKEN[$n] };

	for my $place (map { $_ % 5 } $n, $n + 2) {
		my @five = five();
		my $what = "$KINDS[$place]: $name";

		$five[$place]{kind} = $KINDS[$place];
		$break->($five[$place]);
		my @r = together(map { $_->{send} } @five);
		my ($bad) = splice @r, $place, 1;
		is_deeply [ grep { !is_good($_) } @r ], [],
		    "$what: the others are done";
		like encode_json($bad->{json}), $answer,
		    'and it is told what is wrong';
		$mend->() if $mend;
	}
	in_order($name);
}

# ---- a row is locked ----

for my $place (0, 3) {
	my @five = five();
	my $locked = $c->dir . '/locked';
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		my $lock = $c->connect_db('CTT_DB_MIGRATE');
		$lock->begin_work;
		$lock->do('SELECT 1 FROM ctt WHERE id = ? FOR UPDATE', undef,
		    $five[$place]{ctt});
		spew($locked, '');
		sleep GATHER_MS / 1000 + WAIT_S + 0.5;
		$lock->rollback;
		POSIX::_exit(0);
	}
	$c->wait_for(10, sub { -e $locked });
	my @r = together(map { $_->{send} } @five);
	waitpid $pid, 0;
	unlink $locked;
	my ($late) = splice @r, $place, 1;
	is_deeply [ grep { !is_good($_) } @r ], [],
	    "$KINDS[$place]: its CTT is locked: the others are done";
	ok is_good($late), 'it is too, later';
	cmp_ok $late->{s}, '>', $_->{s}, 'than another' for @r;
}
in_order('a row was locked');

# ---- two for one CTT ----

{
	my @links = map { $MAKE{link}->('ann') } 1 .. 3;
	my $other = $c->given(ntt => {});
	my @r = together((map { $_->{send} } @links), sub {
		$c->link($links[0]{ctt}, $other) });

	is_deeply [ map { is_good($_) } @r[ 1, 2 ] ], [ 1, 1 ],
	    'two requests for one CTT: strangers are done';
	is_deeply [ sort map { $_->{status} } @r[ 0, 3 ] ], [ 200, 409 ],
	    'and one of the two';
	in_order('one CTT twice');
}

# ---- a key ----

{
	my @links = map { $MAKE{link}->('ann') } 1 .. 4;
	my @again = map { my $send = $links[$_]{send}; my $key = "company-$_";
		sub { $send->('Idempotency-Key' => $key) } } 0 .. 3;

	is_deeply [ map { $_->{status} } together(@again) ],
	    [ (200) x 4 ], 'requests with keys';
	is_deeply [ map { $_->()->{status} } @again ], [ (200) x 4 ],
	    'are answered once more';
	is $c->one('SELECT COUNT(*) FROM operation WHERE ctt_id IN (?, ?, ?, ?)',
	    map { $_->{ctt} } @links), 4, 'and were done once';
}

# ---- a large bulk closes as its calls end ----

{
	$c->restart_pool(1, CTT_THREADS => THREADS,
	    CTT_PARTNER_TIMEOUT_MS => 6000);
	my @ctts = $c->given_ctts(150, source => 'TAAS');
	my $ntt = pop @ctts;
	my $beside = $MAKE{link}->('ann');
	my $closes = times_run('CLOSE');

	$c->rule(ticket => $c->row(ctt => $ctts[-1])->{ticket_no}, do => 'hang');
	my ($bulk, $link, $done) = $c->parallel(3, sub ($i) {
		if (!$i) {
			my $r = $c->bulk(map { [ $_, $ntt ] } @ctts);
			return { status => $r->{status},
				success => $r->{json}{success} };
		}
		sleep 0.3;
		return $beside->{send}->()->{status} if $i == 1;
		my $n;
		$c->wait_for(10, sub {
			$n = { map { @$_{qw(state n)} } $c->rows('SELECT state,'
				. ' COUNT(*) AS n FROM operation WHERE ntt_id = ?'
				. ' GROUP BY state', $ntt) };
			return ($n->{SUCCEEDED} // 0) >= 128;
		});
		return [ @$n{qw(SUCCEEDED RUNNING)} ];
	});
	$c->no_rules;
	is_deeply $bulk, { status => 207, success => @ctts - 1 },
	    'a bulk, of which one hangs: the others are done';
	is $link, 200, 'and so is a link beside it';
	cmp_ok $done->[0], '>=', 128, 'most were closed';
	cmp_ok $done->[1], '>', 0, 'while it hung';
	cmp_ok times_run('CLOSE') - $closes, '<=', 8, 'in few transactions';
	in_order('a large bulk');
	$c->restart_pool(1, CTT_THREADS => THREADS,
	    CTT_PARTNER_TIMEOUT_MS => 2000);
}

# ---- one gives up what it has, while another goes on ----

{
	my ($bad, $good) = map { $MAKE{link}->('ann') } 1, 2;
	my $ticket = $c->row(ctt => $good->{ctt})->{ticket_no};
	my $hold = $c->rule(ticket => $ticket, do => 'hold');

	$c->expect(qr/event=close_failed/);
	$c->dba->do('CREATE OR REPLACE TRIGGER refuse BEFORE UPDATE ON operation'
	    . " FOR EACH ROW IF NEW.ctt_id = $bad->{ctt} AND NEW.owner IS NULL"
	    . ' THEN SIGNAL SQLSTATE "45000" SET MESSAGE_TEXT = "no"; END IF');
	my ($going, $given_up) = $c->parallel(2, sub ($i) {
		return $good->{send}->()->{status} if !$i;
		$c->wait_for(5, sub { $c->heard('taas', ticket => $ticket) });
		my $status = $bad->{send}->()->{status};
		sleep 1;    # in which the worker would take over
		$c->sim(DELETE => "/rules/$hold");
		return $status;
	});
	is $given_up, 504, 'the database refuses to close one: it is given up';
	is $going, 200, 'another one goes on';
	is_deeply [ grep { /event=operation / && /\bctt=\Q$ticket\E / }
		$c->log_lines('worker') ], [], 'in the hands of its process';
	$c->dba->do('DROP TRIGGER refuse');
	in_order('one was given up');
}

# ---- connections are few ----

# Unlinks use memcached at both ends, and a key uses the database behind that.
{
	$c->restart_pool(1, CTT_THREADS => THREADS, CTT_DB_CONNECTIONS => 1);
	my @unlinks = map { $MAKE{unlink}->('ann') } 1 .. 40;
	my @status = $c->parallel(8, sub ($i) {
		[ map { $unlinks[$_]{send}->('Idempotency-Key' => "few-$_")
			->{status} } grep { $_ % 8 == $i } 0 .. $#unlinks ] });

	is_deeply [ grep { $_ != 200 } map { @$_ } @status ], [],
	    'one connection for all: each is done';

	# A request that waits for a lock has the connection.
	my ($ctt, $ntt) = $c->given_ctts(1);
	my $dbh = $c->dbh;
	$dbh->begin_work;
	$dbh->do('SELECT 1 FROM ctt WHERE id = ? FOR UPDATE', undef, $ctt);
	my (undef, $answers) = $c->parallel(2, sub ($i) {
		return $c->link($ctt, $ntt)->{status} if !$i;
		sleep 0.3;
		my $began = time;
		my @is = map { $c->get($_, Authorization => undef)->{status} }
		    qw(/readyz /metrics);
		return [ @is, time - $began < 2.5 ? 1 : 0 ];
	});
	$dbh->rollback;
	is_deeply $answers, [ 200, 200, 1 ],
	    'it waits for a lock: /readyz and /metrics answer at once';
	$c->restart_pool(1, CTT_THREADS => THREADS, CTT_DB_CONNECTIONS => 16);
	in_order('few connections');
}

# ---- one process serves all while it has idle threads ----

{
	$c->restart_pool(2, CTT_THREADS => THREADS);
	my ($ntt) = $c->given(ntt => {});
	# Eight links at a time -> the number that each process served.
	my $serve = sub {
		my @ctts = map { scalar $c->given_ctts(1) } 1 .. 24;
		my $lines = () = $c->log_lines('pool');
		my %by;

		$c->parallel(8, sub ($i) {
			$c->link($_, $ntt) for @ctts[ $i * 3 .. $i * 3 + 2 ] });
		my @new = $c->log_lines('pool');
		/pid=(\d+) .*event=request / && $by{$1}++
		    for @new[ $lines .. $#new ];
		return \%by;
	};
	my @first = $serve->();
	my ($busy) = keys %{ $first[0] };
	is_deeply \@first, [ { $busy => 24 } ], 'of two processes one serves';
	kill 'STOP', $busy;
	my ($other) = grep { $_ != $busy } $c->pids('pool');
	is_deeply $serve->(), { $other => 24 },
	    'while it stands still, the other one does';
	kill 'CONT', $busy;
	is_deeply $serve->(), { $busy => 24 }, 'and then again the first';
	$c->restart_pool(1, CTT_THREADS => THREADS);
	in_order('two processes');
}

# ---- the process dies with all of them ----

$c->expect(qr/upstream prematurely closed/, qr/Connection (reset|refused)/);
for my $point (qw(before-intent after-intent after-sync after-close)) {
	my @five = five();
	my (undef, @r) = gather(sub {
		sleep 0.2;
		$c->fault($point, 'kill', skip => $point =~ /before|after-intent/
		    ? 2 : 0);
	}, map { $_->{send} } @five);

	ok $c->wait_for(20, sub { $c->pids('pool') == 1 }),
	    "$point: it dies, and another one comes";
	$c->fault_fired;
	in_order($point);
	my $told = 0;
	for my $i (0 .. 4) {
		my $kind = $c->one('SELECT GROUP_CONCAT(state) FROM operation'
			. ' WHERE ctt_id = ?', $five[$i]{ctt}) // '';
		next if !is_good($r[$i]);
		$told++ if $kind !~ /SUCCEEDED/;
	}
	is $told, 0, 'nobody was told a success that is none';
}

$c->stop;
done_testing;
