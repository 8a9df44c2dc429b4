# A pool at one node of a Galera cluster, and a worker at another, which stands
# for another host: it sees of the pool's processes only their leases. What
# lives is not taken over; what died, or slept, is, once its lease has expired;
# and both sides agree.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use DBI;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(free_port slurp);

use constant {
	PROVIDER => '/usr/lib/galera/libgalera_smm.so',
	LEASE_S  => 5,
	POOL     => 8,
	LINKS    => 40,
};

plan skip_all => 'it needs galera-4, and the right to unshare' if !-e PROVIDER
    || system 'unshare --pid --fork --kill-child true 2>/dev/null';

my ($worker, @children);
my %port = map { ($_ => free_port()) } qw(a a_ist b b_ist b_sst);

sub wsrep ($node, $others) {
	return ('--wsrep-on=ON', '--wsrep-provider=' . PROVIDER,
		'--binlog-format=ROW', '--wsrep-node-address=127.0.0.1',
		'--wsrep-sst-method=rsync', "--wsrep-node-name=$node",
		"--wsrep-cluster-address=gcomm://$others",
		'--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:'
		. "$port{$node};ist.recv_addr=127.0.0.1:" . $port{"${node}_ist"});
}

my $c = Ctt->start(pool => POOL, workers => 0, mariadb => [ wsrep('a', '') ],
	set => { CTT_PARTNER_TIMEOUT_MS => 3000 });
my $dir = $c->dir;

# ---- the second node ----

sub launch ($log, @command) {
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		open STDOUT, '>>', "$dir/log/$log" or die;
		open STDERR, '>&', \*STDOUT or die;
		exec @command or die "$command[0]: $!\n";
	}
	push @children, $pid;
	return $pid;
}

# A node that waits for the other one's data does not heed TERM.
sub end_child ($pid) {
	my $until = time + 10;

	kill TERM => $pid;
	sleep 0.1 while waitpid($pid, WNOHANG) == 0 && time < $until;
	kill KILL => $pid and waitpid $pid, 0;
}

END {
	my $status = $?;
	for (reverse @children) {
		kill KILL => $_ if $_ == ($worker // 0);
		end_child($_);
	}
	$? = $status;
}

mkdir "$dir/$_" or die for qw(db-b tmp-b);
chown +(getpwnam 'nobody')[2], -1, "$dir/db-b" if $> == 0; # rsync's own user
my $node = launch('db-b.log', 'mariadbd', '--no-defaults',
	$> == 0 ? '--user=root' : (), "--datadir=$dir/db-b",
	"--tmpdir=$dir/tmp-b", "--socket=$dir/b.sock",
	"--pid-file=$dir/tmp-b/mariadb.pid", qw(--skip-networking
	--skip-name-resolve --skip-log-bin --performance-schema=0
	--innodb-buffer-pool-size=64M --innodb-log-file-size=48M
	--innodb-autoinc-lock-mode=2 --character-set-server=utf8mb4
	--default-time-zone=+00:00 --innodb-use-native-aio=0),
	"--wsrep-sst-receive-address=127.0.0.1:$port{b_sst}",
	wsrep('b', "127.0.0.1:$port{a}"));
chomp(my $password = slurp($c->env('CTT_DB_MIGRATE_PASSWORD_FILE')));

sub node_b () {
	return DBI->connect('DBI:MariaDB:' . $c->env('CTT_DB_NAME')
	    . ";mariadb_socket=$dir/b.sock", $c->env('CTT_DB_MIGRATE_USER'),
	    $password, { PrintError => 0, RaiseError => 0 });
}

# While it joins, the first node may take no writes.
$c->wait_for(90, sub {
	my $b = node_b() or return;
	return ($b->selectrow_array("SHOW STATUS LIKE 'wsrep_ready'"))[1] eq 'ON'
	    && ($b->selectrow_array("SHOW STATUS LIKE 'wsrep_cluster_size'"))[1]
	    == 2;
}) or die "the second node has not joined:\n" . slurp("$dir/log/db-b.log");

sub worker () {
	my %env = (%{ $c->{env} }, CTT_DB_SOCKET => "$dir/b.sock");
	return launch('worker-b.log', 'env',
		(map { "$_=$env{$_}" } grep { /^CTT_/ } keys %env),
		qw(unshare --pid --fork --kill-child), "$FindBin::Bin/../ctt-worker");
}

$worker = worker();

# The operations that recovery at the other node has closed.
sub recovered () {
	return grep { /event=operation / } split /\n/,
	    slurp("$dir/log/worker-b.log");
}

# ---- what lives ----

{
	my @ctts = $c->given_ctts(LINKS, source => 'TAAS');
	my $ntt = pop @ctts;

	$c->sim(PUT => '/latency', { taas => 1500 });
	my @r = $c->parallel(POOL, sub ($i) {
		return [ map { $c->link($ctts[$_], $ntt) }
		    grep { $_ % POOL == $i } 0 .. $#ctts ];
	});
	my %told;
	$told{ $_->{status} }++ for map { @$_ } @r;
	is_deeply \%told, { 200 => LINKS }, 'slow calls: all are linked'
	    or diag explain \%told;
	is_deeply [ recovered() ], [], 'nobody took one over';
	is $c->one('SELECT ctt_count FROM ntt WHERE id = ?', $ntt), LINKS,
	    'all are counted';
	$c->sim(PUT => '/latency', { taas => 0 });
	ok $c->quiet, 'the worker at the other node delivers the jobs';
}

# ---- what died ----

for my $point (qw(after-intent after-sync)) {
	my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS');

	$c->fault($point, 'kill');
	my $began = time;
	$c->link($ctt, $ntt);
	ok $c->settle, "killed $point: it is settled";
	my $s = time - $began;
	is $c->row(ctt => $ctt)->{ntt_id}, $ntt, 'as linked';
	note sprintf 'killed %s: settled in %.1f s', $point, $s;
}

# the line comes after the commit, which this node may show before
ok $c->wait_for(5, sub { recovered() >= 2 }), 'by the worker at the other node';
is scalar recovered(), 2, 'once each';

# ---- what slept ----

for my $point (qw(after-intent after-sync)) {
	my ($ctt, $ntt) = $c->given_ctts(1, source => 'TAAS');
	my $stopped = sub () {
		grep { slurp("/proc/$_/stat") =~ /\) T / } $c->pids('pool') };

	$c->fault($point, 'stop');
	my ($r) = $c->parallel(2, sub ($i) {
		return $c->link($ctt, $ntt) unless $i;
		$c->wait_for(10, sub { $stopped->() });
		sleep LEASE_S + 1;
		$c->settle;
		kill 'CONT', $stopped->();
		return {};
	});
	like $r->{status}, qr/^(200|504)$/, "asleep $point: $r->{status}"
	    or diag $r->{raw};
	my %keys = map { $_->{key} => 1 }
	    $c->heard('taas', ticket => "C-$ctt");
	is scalar keys %keys, 1, 'nothing was sent under two keys';
	is $c->row(ctt => $ctt)->{ntt_id}, $ntt, 'it is linked';
}

ok $c->quiet, 'all jobs are delivered';
kill 'KILL', $worker;    # unshare, and with it the worker
waitpid $worker, 0;
$c->expect(qr/event=(close_failed|db_error|db_away)/);
$c->agree('in the end, both sides');
$c->stop;
done_testing;
