# The connection to the database breaks before or behind each statement of a
# request: what has happened is found out, and nothing is done twice.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use IO::Select;
use IO::Socket::UNIX;
use Test::More;

my $c = Ctt->start(pool => 1, workers => 1, set => {
	CTT_UNLINK_BLOCK_TTL => 0 });
my $SOCKET = $c->env('CTT_DB_SOCKET');
my $CUT = $c->dir . '/cut';
my $EXECUTE = "\x17";    # of a prepared statement, in MariaDB's protocol

# ---- what stands between cttd and its database ----

sub slurp ($file) {
	open my $fh, '<', $file or return '';
	return readline($fh) // '';
}

sub spew ($file, $text) {
	open my $fh, '>', "$file.new" or die "$file: $!\n";
	print $fh $text;
	close $fh;
	rename "$file.new", $file;
}

# The file $CUT says "3 before": the third statement from now on does not get
# there; "3 behind": its answer does not come back.
sub cut_now () {
	my ($n, $where) = split ' ', slurp($CUT) or return '';

	spew($CUT, $n - 1 . " $where") if $n > 1;
	return '' if $n > 1;
	unlink $CUT;
	return $where;
}

sub proxy () {
	local $SIG{PIPE} = 'IGNORE';
	local $SIG{TERM} = sub { POSIX::_exit(0) };
	my $listen = IO::Socket::UNIX->new(Local => $SOCKET, Listen => 16)
	    or die "$SOCKET: $!\n";
	my $select = IO::Select->new($listen);
	my (%peer, %cut);    # cut: it is broken at the next answer

	while (my @ready = $select->can_read) {
		for my $from (@ready) {
			if ($from == $listen) {
				my $client = $listen->accept;
				my $server = IO::Socket::UNIX->new(
				    Peer => "$SOCKET.real") or next;
				@peer{ $client, $server } = ($server, $client);
				$select->add($client, $server);
				${*$client}{client} = 1;
				next;
			}
			my $to = $peer{$from} // next;
			my $n = sysread $from, my $bytes, 1 << 20;
			my $where = $n && ${*$from}{client}
			    && substr($bytes, 4, 1) eq $EXECUTE
			    ? cut_now() : '';
			$cut{$to} = 1 if $where eq 'behind';
			if ($n && $where ne 'before' && !$cut{$from}) {
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

	spew($CUT, "$n $where");
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

$c->stack('stop', 'pool');
kill 'TERM', $proxy;
waitpid $proxy, 0;
rename "$SOCKET.real", $SOCKET;
$c->stop;
done_testing;
