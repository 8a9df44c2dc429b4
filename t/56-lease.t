# Who owns an operation, and for how long: an owner of another host lives while
# its lease has not expired; one of this host is dead as soon as its process is.
# A process that was stopped for longer than its lease sends nothing and closes
# nothing that somebody else has taken over.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(slurp);

use constant LEASE_S => 5;

my $c = Ctt->start(pool => 2, workers => 1,
	set => { CTT_PARTNER_TIMEOUT_MS => 2000 });

sub state_of ($id) { return $c->row(operation => $id)->{state} }

# An operation that was saved, and its partner not asked.
sub plant ($owner, $id = "left-$owner") {
	my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS');

	$c->given(operation => { id => $id, kind => 'LINK', state => 'RUNNING',
		ctt_id => $ctt, ntt_id => $ntt, actor => 'x', request_id => 'r',
		steps => '[]', owner => $owner });
	$c->do('UPDATE ctt c JOIN ntt n ON n.id = ? SET c.ntt_id = n.id,'
	    . ' c.ntt_ticket_no = n.ticket_no WHERE c.id = ?', $ntt, $ctt);
	return ($ctt, $ntt, $id);
}

# The owner of what a process has in hand, when it is killed there.
sub killed_owner () {
	my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS');

	$c->fault('after-intent', 'kill');
	$c->link($ctt, $ntt);
	return $c->one('SELECT owner FROM operation WHERE ctt_id = ?', $ctt);
}

# ---- another host's ----

{
	$c->plant_owner('0123456789abcdef-1-1-0');
	my ($ctt, $ntt, $id) = plant('0123456789abcdef-1-1-0');
	$c->is_problem($c->link($ctt, $ntt), 409, 'OPERATION_IN_PROGRESS',
		'an owner that lives');
	sleep 1;
	is state_of($id), 'RUNNING', 'nobody takes it over';
	$c->do('UPDATE lease SET expires_at = UTC_TIMESTAMP(3)'
	    . " WHERE name LIKE '0123456789abcdef-%'");
	ok $c->settle, 'its lease expires: it is settled';
	is state_of($id), 'SUCCEEDED', 'as done';
}

# ---- this host's ----

ok $c->stack('stop', 'worker'), 'the worker is away';
my $dead = killed_owner();
like $dead, qr/^[0-9a-f]{16}-\d+-\d+-\d+$/, 'an owner that was killed';
$c->plant_owner($dead);
ok $c->stack('start', 'worker'), 'the worker comes';
ok $c->settle, 'its lease has not expired: it is taken over at once';

{
	my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS');

	ok $c->stack('stop', 'worker'), 'no worker';
	$c->fault('after-intent', 'kill');
	$c->link($ctt, $ntt);
	$c->plant_owner($c->one('SELECT owner FROM operation WHERE ctt_id = ?'
	    . " AND state = 'RUNNING'", $ctt));
	is $c->link($ctt, $ntt)->{status}, 409,
	    'the next request finishes what it finds';
	is $c->row(ctt => $ctt)->{ntt_id}, $ntt, 'and it is linked';
	ok $c->stack('start', 'worker'), 'the worker comes';
}

# A later process has its number.
{
	my ($pid) = $c->pids('pool');
	my $later = $dead =~ s/-\d+-\d+-/-$pid-1-/r;
	$c->plant_owner($later);
	my (undef, undef, $id) = plant($later);
	ok $c->settle, 'the process of that number began later: taken over';
	$c->plant_owner(my $lives = $dead =~ s/-\d+-\d+-/"-$pid-" . start_of($pid)
	    . '-'/er);
	(undef, undef, $id) = plant($lives);
	sleep 1;
	is state_of($id), 'RUNNING', 'it is the same: it lives';
	$c->do('DELETE FROM lease WHERE name = ?', $lives);
	ok $c->settle, 'and its lease is ended';
}

sub start_of ($pid) {
	open my $fh, '<', "/proc/$pid/stat" or die "$pid: $!\n";
	return (split ' ', <$fh> =~ s/.*\)//sr)[19];
}

# ---- a session that is lost loses nothing ----

{
	my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS');

	$c->sim(PUT => '/latency', { taas => 1000 });
	my ($r) = $c->parallel(2, sub ($i) {
		return $c->link($ctt, $ntt) unless $i;
		$c->wait_for(5, sub { $c->heard('taas', ticket => "C-$ctt") });
		$c->cut_sessions;
		return {};
	});
	$c->sim(PUT => '/latency', { taas => 0 });
	is $r->{status}, 200, 'the session is cut: done' or diag $r->{raw};
	is_deeply [ grep { /adopted/ && /C-$ctt/ } $c->log_lines('pool') ], [],
	    'and by nobody else';
	$c->expect(qr/event=db_(error|away)/);
}

# ---- stopped for longer than the lease ----

sub stopped () {
	return grep {
		open my $fh, '<', "/proc/$_/stat" or die "$_: $!\n";
		(split ' ', <$fh> =~ s/.*\)//sr)[0] eq 'T';
	} $c->pids('pool');
}

for (
	[ 'before-intent', [200] ],
	[ 'after-intent', [ 200, 504 ] ],
	[ 'after-sync', [200] ],
	[ 'after-close', [200] ],
) {
	my ($point, $told) = @$_;
	my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS');
	my $name = "stopped at $point";

	$c->fault($point, 'stop');
	my ($r) = $c->parallel(2, sub ($i) {
		return $c->link($ctt, $ntt) unless $i;
		$c->wait_for(10, sub { stopped() });
		sleep LEASE_S + 1;
		$c->settle;
		kill 'CONT', stopped();
		return {};
	});
	ok +(grep { $_ == $r->{status} } @$told), "$name: $r->{status}"
	    or diag $r->{raw};
	ok $c->settle, 'it is settled';
	my @keys = map { $_->{key} } $c->heard('taas', ticket => "C-$ctt");
	is_deeply \@keys, [ ($keys[0]) x ($point eq 'after-sync' ? 2 : 1) ],
	    'it was sent once by each that owned it';
	is $c->row(ctt => $ctt)->{ntt_id}, $ntt, 'it is linked'
	    if $r->{status} == 200;
}

# It wakes while another process that took the operation over calls the partner.
{
	my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS');

	$c->sim(PUT => '/latency', { taas => 1000 });
	$c->fault('after-intent', 'stop');
	my ($r) = $c->parallel(2, sub ($i) {
		return $c->link($ctt, $ntt) unless $i;
		$c->wait_for(10, sub { stopped() });
		$c->wait_for(20, sub { $c->heard('taas', ticket => "C-$ctt") });
		kill 'CONT', stopped();
		return {};
	});
	$c->sim(PUT => '/latency', { taas => 0 });
	like $r->{status}, qr/^(200|504)$/, 'woken while another calls';
	ok $c->settle, 'it is settled';
	is $c->row(ctt => $ctt)->{ntt_id}, $ntt, 'it is linked';
	is scalar $c->heard('taas', ticket => "C-$ctt"), 1, 'by one call';
	$c->agree('both sides');
}

# A process has loaded the tickets of a request with a key, and is stopped. Its
# lease expires, its sessions end, and another process is asked with the same
# key: the request is run once.
for (
	[ 'a new key', sub ($ask) {} ],
	[ 'a key that was abandoned', sub ($ask) {
			my $rule = $c->rule(partner => 'nig', do => 'status',
				status => 400);
			is $ask->()->{status}, 502, 'the partner refuses';
			$c->sim(DELETE => "/rules/$rule");
			$c->do('UPDATE operation SET idempotency_id = NULL');
			$c->do('UPDATE idempotency SET status = NULL, owner ='
			    . " '0123456789abcdef-9-9-9'") } ],
) {
	my ($name, $given) = @$_;
	my ($ctt) = $c->given_ctts(1, source => 'TMF',
		segment_group => 'Managed Services');
	$c->given_element($ctt);
	my $ask = sub { $c->post("/ticket/ctt/cpe/update/$ctt", { new => {
		manufacturer => 'ZTE', model => 'B', ipAddress => '10.0.0.9',
		bandwidthMbps => 100, port => '1' } }, 'Idempotency-Key' =>
		"slept-$ctt", Authorization => 'Bearer '
		. $c->token(roles => ['ctt-cpe'])) };
	my $stopped = sub {
		grep { slurp("/proc/$_/stat") =~ /\) T / } $c->pids('pool') };

	$given->($ask);
	$c->fault('after-load', 'stop');
	my ($first, $second) = $c->parallel(2, sub ($i) {
		return $ask->()->{status} if !$i;
		$c->wait_for(10, $stopped);
		sleep LEASE_S + 1;
		$c->cut_sessions;
		my $r;
		$c->wait_for(20, sub { ($r = $ask->())->{status} == 200 });
		kill 'CONT', $stopped->();
		return $r->{status};
	});
	is $second, 200, "$name: another process runs its request";
	like $first, qr/^(409|503|504)$/, 'the one that slept does not';
	ok $c->settle, 'it is settled';
	is $c->one("SELECT COUNT(*) FROM operation WHERE state = 'SUCCEEDED'"
		. ' AND ctt_id = ?', $ctt), 1, 'and it was done once';
}
$c->expect(qr/event=(close_failed|db_error|db_away)/);
$c->agree('in the end, both sides');
$c->stop;
done_testing;
