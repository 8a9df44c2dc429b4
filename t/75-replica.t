# MariaDB with one replica, which takes over when the server is killed while users
# work. Semi-synchronous: no success that was told is lost. Asynchronous: what the
# replica had not received is lost here, and only the partners have it; cttctl
# reconcile shows it, and mends it there. (doc/hosts.txt says: use the first.)

use v5.36;

use DBI;
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use POSIX qw(WNOHANG setsid);
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(free_port output slurp);

use constant { CLIENTS => 3, LOAD_S => 4, EACH => 400 };

plan skip_all => 'needs root, who is also MariaDB\'s' if $> != 0;

my $replica;

END {
	my $status = $?;
	end_replica();
	$? = $status;
}

sub end_replica () {
	return if !$replica;
	kill 'TERM', $replica;
	my $until = time + 10;
	sleep 0.05 while waitpid($replica, WNOHANG) == 0 && time < $until;
	kill 'KILL', $replica and waitpid $replica, 0;
	undef $replica;
}

sub root ($socket) {
	return DBI->connect("DBI:MariaDB:mysql;mariadb_socket=$socket", 'root', '',
	    { PrintError => 0, RaiseError => 1, AutoInactiveDestroy => 1 });
}

# A replica with the data of the server, which is stopped for that.
sub start_replica ($c, $port, @options) {
	my $dir = $c->dir;

	$c->stack('stop', $_) for qw(worker pool);
	my ($at) = root("$dir/mysqld.sock")
	    ->selectrow_array('SELECT @@gtid_binlog_pos');
	$c->stack('stop', 'db');
	mkdir "$dir/tmp-r";
	is_deeply [ output("cp -a '$dir/db' '$dir/db-r'") ], [ '', 0 ], 'a copy';
	$c->stack('start', $_) for qw(db pool worker);
	my $server = root("$dir/mysqld.sock");
	$server->do("CREATE USER repl\@'127.0.0.1' IDENTIFIED BY 'repl'");
	$server->do("GRANT REPLICATION SLAVE ON *.* TO repl\@'127.0.0.1'");

	$replica = fork // die "fork: $!\n";
	if (!$replica) {
		setsid();
		open STDOUT, '>', "$dir/log/replica.log" or die;
		open STDERR, '>&', \*STDOUT or die;
		$ENV{PATH} .= ':/usr/sbin';
		exec 'mariadbd', qw(--no-defaults --user=root), "--datadir=$dir/db-r",
		    "--tmpdir=$dir/tmp-r", "--socket=$dir/r.sock",
		    "--pid-file=$dir/tmp-r/pid", qw(--skip-networking
		    --skip-name-resolve --server-id=2 --read-only=1
		    --performance-schema=0 --innodb-buffer-pool-size=64M
		    --innodb-log-file-size=48M --innodb-use-native-aio=0
		    --character-set-server=utf8mb4 --default-time-zone=+00:00
		    --innodb-autoinc-lock-mode=2 --log-bin=r --binlog-format=ROW),
		    @options or POSIX::_exit(127);
	}
	ok $c->wait_for(60, sub { eval { root("$dir/r.sock") } }), 'a replica';
	my $r = root("$dir/r.sock");
	$r->do("SET GLOBAL gtid_slave_pos = '$at'");
	$r->do("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=$port,"
	    . " MASTER_USER='repl', MASTER_PASSWORD='repl',"
	    . ' MASTER_USE_GTID=slave_pos');
	$r->do('START SLAVE');
	ok $c->wait_for(30, sub { state_of($c)->{Slave_IO_Running} eq 'Yes' }),
	    'which follows' or diag state_of($c)->{Last_IO_Error};
	ok $c->wait_for(30, sub { state_of($c)->{Gtid_IO_Pos} eq $server
		->selectrow_array('SELECT @@gtid_binlog_pos')
		&& state_of($c)->{Slave_SQL_Running} eq 'Yes' }), 'up to the end'
	    or diag state_of($c)->{Last_SQL_Error};
	return $server;
}

# From now on a COMMIT waits until the replica has it. (A server that begins like
# this waits for the replica before it takes the first connection.)
sub make_semi ($server) {
	$server->do('SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC');
	$server->do('SET GLOBAL rpl_semi_sync_master_timeout = 3600000');
	$server->do('SET GLOBAL rpl_semi_sync_master_enabled = 1');
}

sub state_of ($c) {
	return root($c->dir . '/r.sock')->selectrow_hashref('SHOW SLAVE STATUS');
}

# All that it has received is there; then it takes the writes.
sub promote ($c) {
	my $dir = $c->dir;
	my $r = root("$dir/r.sock");

	ok $c->wait_for(30, sub { (state_of($c)->{Slave_SQL_Running_State} // '')
		=~ /has read all relay log/ }), 'it has applied what it received';
	$r->do('STOP SLAVE');
	$r->do('RESET SLAVE ALL');
	$r->do('SET GLOBAL read_only = 0');
	unlink "$dir/mysqld.sock";
	symlink "$dir/r.sock", "$dir/mysqld.sock" or die "symlink: $!\n";
}

# The links that each client was told of.
sub client ($c, $mine, $ntt, $end) {
	my @told;

	for my $ctt (@$mine) {
		last if time > $end;
		push @told, $ctt if $c->link($ctt, $ntt)->{status} == 200;
		sleep 0.02;
	}
	return { told => \@told };
}

# The server is killed while users work, $before->() a second earlier. What they
# were told, and is not there.
sub fail_over ($c, $before) {
	my @ctts = $c->given_ctts(CLIENTS * EACH);
	my $ntt = pop @ctts;
	my $end = time + LOAD_S;
	my (undef, @seen) = $c->parallel(CLIENTS + 1, sub ($i) {
		return client($c, [ splice @ctts, ($i - 1) * EACH, EACH ], $ntt,
		    $end) if $i;
		sleep LOAD_S / 4;
		$before->();
		sleep LOAD_S / 4;
		$c->stack('kill', 'db');
		return {};
	});
	promote($c);
	my @told = map { @{ $_->{told} } } @seen;
	cmp_ok scalar @told, '>', 10, @told . ' links were told';
	ok $c->wait_for(20, sub { $c->link(shift @ctts, $ntt)->{status} == 200 }),
	    'the replica serves';
	ok $c->settle(60) && $c->quiet(60), 'what was begun is settled';
	my %is = map { $_ => 1 }
	    $c->column('SELECT id FROM ctt WHERE ntt_id = ?', $ntt);
	return scalar grep { !$is{$_} } @told;
}

sub start ($port) {
	return Ctt->start(pool => 3, set => { CTT_TAAS_READ => 'on',
		CTT_NIG_READ => 'on' }, mariadb => [ '--skip-networking=0',
		"--port=$port", qw(--bind-address=127.0.0.1 --server-id=1
		--log-bin=m --sync-binlog=1 --binlog-format=ROW) ]);
}

for my $semi (1, 0) {
	my $port = free_port();
	my $c = start($port);
	my $kind = $semi ? 'semi-synchronous' : 'asynchronous';
	my $server = start_replica($c, $port,
	    $semi ? '--rpl-semi-sync-slave-enabled=1' : ());

	make_semi($server) if $semi;
	my $lost = fail_over($c, sub {
		root($c->dir . '/r.sock')->do('STOP SLAVE IO_THREAD') if !$semi });
	my $r = $c->cttctl('reconcile');
	if ($semi) {
		is $lost, 0, "$kind: nothing that was told is lost";
		is $r->{status}, 0, 'and both sides agree' or diag $r->{out};
	} else {
		cmp_ok $lost, '>', 0, "$kind: $lost links that were told are lost";
		is $r->{status}, 1, 'cttctl reconcile names them';
		cmp_ok scalar(() = $r->{out} =~ /^ctt \d+: /mg), '>=', $lost,
		    'all of them' or diag $r->{out};
		is $c->cttctl('reconcile', '--mend')->{status}, 0, '--mend';
	}
	$c->agree("$kind: in the end both sides");
	$c->expect(qr/event=(db_error|db_away|close_failed)/);
	# the file of heads is ahead of a database that lost its end
	unlink $c->env('CTT_AUDIT_HEADS_FILE') if !$semi;
	$c->stop;
	end_replica();
}
done_testing;
