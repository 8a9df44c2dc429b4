# The connection to the database breaks before or behind each statement of a
# request: what has happened is found out, and nothing is done twice.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_PEERCRED);
use Test::More;
use Util qw(replace slurp_if);

my $c = Ctt->start(pool => 1, workers => 1, set => {
	CTT_UNLINK_BLOCK_TTL => 0, CTT_PARTNER_TIMEOUT_MS => 20_000 });
my $SOCKET = $c->env('CTT_DB_SOCKET');
my $CUT = $c->dir . '/cut';
my $EXECUTE = "\x17";    # of a prepared statement, in MariaDB's protocol

# ---- what stands between cttd and its database ----

# The file $CUT says "3 before": the third statement from now on does not get
# there; "3 behind": its answer does not come back; "3 gone": nor does anything
# that follows, until the file is taken away. A third word is the pid of the
# process that is meant, alone.
sub cut_now ($from, $bytes) {
	my ($n, $where, $whose) = split ' ', slurp_if($CUT) or return '';

	return '' if $whose && $whose != $from;
	return 'before' if !$n;
	return '' if substr($bytes, 4, 1) ne $EXECUTE;
	replace($CUT, join ' ', $n - 1, $where, $whose // ())
	    if $n > 1 || $where eq 'gone';
	return '' if $n > 1;
	unlink $CUT if $where ne 'gone';
	return $where;
}

sub proxy () {
	local $SIG{PIPE} = 'IGNORE';
	local $SIG{TERM} = sub { POSIX::_exit(0) };
	my $listen = IO::Socket::UNIX->new(Local => $SOCKET, Listen => 16)
	    or die "$SOCKET: $!\n";
	my $select = IO::Select->new($listen);
	my (%peer, %cut);    # cut: it is broken at the next answer
	my $test = getppid;

	while (getppid == $test) {
		for my $from ($select->can_read(1)) {
			if ($from == $listen) {
				my $client = $listen->accept;
				my $server = IO::Socket::UNIX->new(
				    Peer => "$SOCKET.real") or next;
				@peer{ $client, $server } = ($server, $client);
				$select->add($client, $server);
				(${*$client}{client}) = unpack 'i',
				    getsockopt $client, SOL_SOCKET, SO_PEERCRED;
				next;
			}
			my $to = $peer{$from} // next;
			my $n = sysread $from, my $bytes, 1 << 20;
			my $where = $n && ${*$from}{client}
			    ? cut_now(${*$from}{client}, $bytes) : '';
			$cut{$to} = 1 if $where eq 'behind';
			if ($n && $where !~ /before|gone/ && !$cut{$from}) {
				syswrite $to, $bytes;
				next;
			}
			delete @$_{ $from, $to } for \(%peer, %cut);
			$select->remove($from, $to);
			close $_ for $from, $to;
		}
	}
}

$c->dbh;    # ours goes straight there
$c->token(roles => ['ctt-admin']);
ok $c->stack('stop', 'pool'), 'the pool stops';
rename $SOCKET, "$SOCKET.real" or die "$SOCKET: $!\n";
my $proxy = fork // die "fork: $!\n";
if (!$proxy) {
	delete $c->{dbh};
	proxy();
	POSIX::_exit(0);
}
ok $c->wait_for(5, sub { -S $SOCKET }), 'the way leads through us';
ok $c->stack('start', 'pool'), 'the pool starts';

# ---- each statement of each request ----

# What is asked while the n-th statement is cut; and again, if it has a key
# by which that can be done. False: there is no such statement.
sub cut ($route, $n, $where, @key) {
	my $name = "$route, cut $where statement $n" . (@key ? ', a key' : '');
	my $ch = Changes::given($c, $route, 2);

	replace($CUT, "$n $where");
	my $r = Changes::ask($c, $ch, '', @key);
	return 0 if unlink $CUT;
	my $said = $r->{raw} =~ /"NO_ANSWER"/ ? 'NO_ANSWER'
	    : $r->{json}{code} // $r->{status};
	# Of what was stored along with others the caller may not be told; who
	# has lost the key of a request, once claimed, does not run it; and the
	# server may still take the session that was cut for alive.
	my %may = (200 => 1, NO_ANSWER => $route !~ m{ctt/link},
		DB_UNAVAILABLE => @key && $n > 1,
		IDEMPOTENCY_IN_PROGRESS => @key && $n == 1);
	ok $may{$said}, "$name: $said" or diag $r->{raw};
	unlike $r->{raw}, qr/"restored":true/, 'which is not undone';
	$c->wait_for(20, sub {    # until whoever settles it has done so
		$r = Changes::ask($c, $ch, '', @key);
		return ($r->{json}{code} // '') ne 'IDEMPOTENCY_IN_PROGRESS';
	}) if @key;
	is $r->{status}, 200, 'the same key: 200' or diag $r->{raw} if @key;
	is Changes::done($c, $ch), Changes::once($ch), 'done once';
	return 1;
}

for my $route (Changes::routes($c)) {
	for my $where (qw(before behind)) {
		for my $key (0, 1) {
			my $n = 1;
			$n++ while cut($route, $n, $where, $key
				? ('Idempotency-Key' => "$where-$n") : ());
			cmp_ok $n, '>', 3, 'each was met';
		}
	}
	$c->agree($route);
}

# ---- a bulk of two partners, of which one is busy ----

# The first item is turned away, for its partner is busy; that the statement of
# the other breaks, or has to wait for a lock, changes nothing of that.
$c->restart_pool(1, CTT_THREADS => 2);
$c->do('CREATE TABLE waits (ctt_id BIGINT UNSIGNED)');
$c->do('CREATE SEQUENCE first');    # which no ROLLBACK brings back
$c->do('CREATE TRIGGER waits BEFORE INSERT ON operation FOR EACH ROW'
    . ' IF EXISTS (SELECT * FROM waits WHERE ctt_id = NEW.ctt_id)'
    . " AND NEXTVAL(first) = 1 THEN SIGNAL SQLSTATE 'HY000'"
    . ' SET MYSQL_ERRNO = 1205; END IF');

# How to get in the way of the second: true afterwards, if it was met.
my %WAY = (
	(map { my $where = $_; ($where => sub ($ch, $n, $pid) {
		replace($CUT, "$n $where $pid");
		return sub { !unlink $CUT };
	}) } qw(before behind)),
	'by a lock' => sub ($ch, $n, $) {
		$c->do('CREATE OR REPLACE SEQUENCE first');
		$c->do('INSERT INTO waits VALUES (?)', $ch->{tickets}[1]{id});
		return sub { $n == 1 && $c->one('SELECT NEXTVAL(first)') > 1 };
	},
);

# Nobody can tell what was stored along with others, once CLOSE (3) is lost; nor
# if the session of SAVE (2) was, and recovery is quicker than its process.
sub one_is_shed ($ch, $r, $n, $name) {
	my ($shed, $other) = @{ $r->{json}{results} // [] };
	my $unknown = $n > 1 && $ch->{route} !~ m{ctt/link};

	is $r->{status}, 207, $name or diag $r->{raw};
	is_deeply [ @$shed{qw(outcome operationId)}, @{ $shed->{error} }{
		qw(code retryAfter)} ], [ 'failed', undef, 'PARTNER_BUSY', 1 ],
	    'one is turned away' or diag $r->{raw};
	$other->{outcome} = 'done' if $unknown
	    && ($other->{error}{code} // '') eq 'NO_ANSWER';
	like $other->{outcome}, qr/^(?:(?:un)?linked|moved|done)$/,
	    'the other is not' or diag $r->{raw};
	is $c->one('SELECT COUNT(*) FROM operation WHERE ctt_id = ?',
	    $ch->{tickets}[0]{id}), 0, 'of the one nothing is written';
	ok $c->wait_for(20, sub { !$c->one('SELECT COUNT(*) FROM operation'
		. " WHERE ctt_id = ? AND state IN ('RUNNING', 'SETTLING')",
		$ch->{tickets}[1]{id}) }), 'the other is settled';
	is Changes::done($c, { %$ch, tickets => [ $ch->{tickets}[1] ] }),
	    Changes::once($ch), 'and done once';
}

my @pids = $c->pids('pool');
for my $route (grep { m{link/bulk|then-link} } Changes::routes($c)) {
	for my $way (sort keys %WAY) {
		my $n = 0;
		my @seen = $c->while_busy(sub ($pid) {
			my @all;
			while (++$n) {
				my $ch = Changes::given($c, $route, 2);
				my $met = $WAY{$way}->($ch, $n, $pid);
				my $r = Changes::ask($c, $ch);
				last unless $met->();
				push @all, [ $ch, $r ];
			}
			return @all;
		});
		cmp_ok scalar @seen, '>', $way =~ /lock/ ? 0 : 2,
		    "$route, cut $way: each was met";
		one_is_shed(@{ $seen[ $_ - 1 ] }, $_, "$route, cut $way"
			. " statement $_") for 1 .. @seen;
	}
}

# The database is gone for longer than is waited for: the one is still known not
# to have been begun.
{
	my $ch = Changes::given($c, 'POST /ticket/ctt/link/bulk', 2);
	$c->expect(qr/event=close_failed/);    # of the one that waits
	my ($r) = $c->while_busy(sub ($pid) {
		replace($CUT, "2 gone $pid");
		return Changes::ask($c, $ch);
	});

	ok unlink($CUT), 'the database is gone';
	is_deeply [ $r->{status}, map { $_->{outcome}, $_->{error}{code} }
		@{ $r->{json}{results} } ], [ 207, 'failed', 'PARTNER_BUSY',
		'unknown', 'NO_ANSWER' ], 'of one alone nobody knows'
	    or diag $r->{raw};
	is $r->{json}{results}[0]{operationId}, undef,
	    'what was not begun has no operation';
}
is_deeply [ $c->pids('pool') ], \@pids, 'no process died';
$c->do('DROP TRIGGER waits');
$c->do("DROP $_") for 'TABLE waits', 'SEQUENCE first';
$c->agree('one partner was busy: both sides');

$c->stack('stop', 'pool');
kill 'TERM', $proxy;
waitpid $proxy, 0;
rename "$SOCKET.real", $SOCKET;
$c->stop;
done_testing;
