package Hosts;

# Several hosts on one machine, each in a network of its own: nodes of a Galera
# cluster behind HAProxy, pools, workers, memcached, and nginx in front of them,
# with the samples doc/galera.cnf, doc/haproxy.cfg and nginx/front.conf.
#
#	Hosts::enter();		# first of all: this process has its own network
#	my $h = Hosts->new(set => {...});
#	my $c = $h->{c};	# a Ctt, whose database is node a
#	$h->kill_node('a'); $h->start_node('a'); $h->cut('a'); $h->rejoin('a');
#
# Node a, b, c has the address 10.77.0.11, .12, .13; all else is at 10.77.0.1.

use v5.36;

use Cwd qw(abs_path);
use DBI ();
use Ctt;
use File::Basename qw(dirname);
use File::Temp ();
use POSIX qw(WNOHANG setsid);
use Time::HiRes qw(sleep time);
use Util qw(free_port slurp slurp_if spew);

use constant { HUB => '10.77.0.1', NODES => [qw(a b c)],
	PROVIDER => '/usr/lib/galera/libgalera_smm.so' };

my $TOP = dirname(dirname(dirname(abs_path(__FILE__))));
my %ADDRESS = (a => '10.77.0.11', b => '10.77.0.12', c => '10.77.0.13');
my $state;    # a folder: NAME.pid of what runs, a group each; and our mariadbd

# Why it cannot be; undef if it can.
sub missing () {
	return 'it needs root' if $> != 0;
	for my $program (qw(haproxy ip unshare nsenter rsync)) {
		return "$program is not installed"
		    if !grep { -x "$_/$program" } split(/:/, $ENV{PATH}),
		    '/usr/sbin';
	}
	return 'galera-4 is not installed' if !-e PROVIDER;
	return 'no network of its own is allowed'
	    if system 'unshare --net ip link add v1 type veth 2>/dev/null';
	return undef;
}

# Runs this test again, in a network of its own.
sub enter () {
	return if $ENV{CTT_HOSTS_NET};
	$ENV{CTT_HOSTS_NET} = 1;
	exec 'unshare', '--net', $^X, (map { "-I$_" } @INC), $0, @ARGV
	    or die "unshare: $!\n";
}

sub ip (@words) { system('ip', @words) == 0 or die "ip @words failed\n" }

# ---- processes ----

# In a group of its own, with a log that Ctt looks at in the end.
sub launch ($self, $name, $env, @command) {
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		setsid();
		delete @ENV{ grep { /^CTT_/ } keys %ENV } if $env;
		%ENV = (%ENV, %{ $env // {} });
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $self->{dir} . "/log/$name.log";
		open STDERR, '>&', \*STDOUT;
		POSIX::close($_) for 3 .. 63;
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	return note_pid($name, $pid);
}

# For all processes of the test: what one of them starts another may end.
sub note_pid ($name, $pid) {
	spew("$state/$name.pid", $pid);
	return $pid;
}

sub pid_of ($name) { return slurp_if("$state/$name.pid") }

sub is_gone ($pid) {
	waitpid $pid, WNOHANG;
	return slurp_if("/proc/$pid/stat") !~ /\) [^Z]/;
}

sub end ($name) {
	my $pid = pid_of($name) || return;
	my $until = time + 10;

	unlink "$state/$name.pid";
	kill 'KILL', -$pid;
	sleep 0.02 until is_gone($pid) || time > $until;
}

END {
	my $status = $?;
	if ($state && ($ENV{CTT_HOSTS_PID} // 0) == $$) {
		end(m{([^/]+)\.pid$}) for glob "$state/*.pid";
	}
	$? = $status;
}

# ---- the network ----

sub make_net ($self) {
	ip(qw(link set lo up));
	ip(qw(link add hub type bridge));
	ip(qw(addr add), HUB . '/24', qw(dev hub));
	ip(qw(link set hub up));
	for my $node (@{ NODES() }) {
		my $holder = fork // die "fork: $!\n";
		if (!$holder) {
			setsid();
			close STDOUT;
			exec qw(unshare --net sleep 3600);
		}
		note_pid("net-$node", $holder);
		ip('link', 'add', "v$node", qw(type veth peer name eth0),
		    'netns', $self->wait_net($holder));
		ip('link', 'set', "v$node", qw(master hub up));
		$self->in_net($node, qw(ip addr add), "$ADDRESS{$node}/24",
		    qw(dev eth0));
		$self->in_net($node, qw(ip link set eth0 up));
		$self->in_net($node, qw(ip link set lo up));
	}
}

# The process, once its network is another than ours.
sub wait_net ($self, $pid) {
	my $ours = readlink '/proc/self/ns/net';

	for (1 .. 500) {
		my $its = readlink "/proc/$pid/ns/net";
		return $pid if defined $its && $its ne $ours;
		sleep 0.01;
	}
	die "no network\n";
}

sub net_of ($node) { return '/proc/' . pid_of("net-$node") . '/ns/net' }

sub in_net ($self, $node, @command) {
	system('nsenter', '--net=' . net_of($node), @command) == 0
	    or die "@command failed\n";
}

sub cut ($self, $node) { ip('link', 'set', "v$node", 'down') }
sub rejoin ($self, $node) { ip('link', 'set', "v$node", 'up') }

# ---- the nodes ----

sub sample ($file, %more) {
	my $text = slurp("$TOP/$file") =~ s/10\.0\.0\./10.77.0./gr;

	$text =~ s/\Q$_\E/$more{$_}/g for keys %more;
	return $text;
}

# The options of doc/galera.cnf, for this node.
sub options ($node) {
	my $text = sample('doc/galera.cnf', 'bind_address = 10.77.0.11' =>
	    "bind_address = $ADDRESS{$node}", 'node_address = 10.77.0.11' =>
	    "node_address = $ADDRESS{$node}", 'node_name = a' =>
	    "node_name = $node", 'gcache.size=1G' => 'gcache.size=128M');

	return '--skip-networking=0', map { s/ = /=/; "--$_" }
	    grep { /^\w+ = / } split /\n/, $text;
}

# What is run as mariadbd: in the node's network; and, as Debian's service does,
# first finds out where the node was, so that it need not get everything anew.
sub write_wrapper ($self) {
	my $dir = "$state/bin";
	my ($real) = grep { -x } map { "$_/mariadbd" } '/usr/sbin',
	    split /:/, $ENV{PATH};

	mkdir $dir;
	spew("$dir/mariadbd", <<"END", 0755);
#!/bin/sh
for option; do case \$option in
--wsrep-node-name=*|--wsrep_node_name=*) node=\${option#*=} ;;
--datadir=*) data=\${option#*=} ;;
esac; done
test "\$node" || exec $real "\$@"
. "$dir/net-\$node"
if test -e "$dir/new"; then
	rm "$dir/new"
	more=--wsrep-new-cluster
elif test -e "\$data/grastate.dat"; then
	# once it has said so it may not end by itself
	nsenter --net=\$net $real "\$@" --wsrep-recover --log-error=\$data/at.err \
	    >/dev/null 2>&1 &
	for i in \$(seq 300); do
		at=\$(sed -n 's/.*WSREP: Recovered position: *//p' \$data/at.err)
		test "\$at" || ! kill -0 \$! 2>/dev/null && break
		sleep 0.1
	done
	kill -9 \$! 2>/dev/null
	wait
	rm -f "\$data/at.err"
	more=\${at:+--wsrep-start-position=\$at}
fi
exec nsenter --net=\$net $real "\$@" \$more
END
	spew("$dir/net-$_", 'net=' . net_of($_) . "\n") for @{ NODES() };
	spew("$dir/new", '');
}

# As scripts/stack starts node a.
sub launch_node ($self, $node) {
	my $dir = $self->{dir};
	my $data = $node eq 'a' ? "$dir/db" : "$dir/db-$node";
	my $socket = $self->socket_of($node);

	$self->launch("node-$node", undef, "$state/bin/mariadbd",
	    '--no-defaults', '--user=root', "--datadir=$data",
	    "--tmpdir=$dir/tmp-$node", "--socket=$socket",
	    "--pid-file=$dir/tmp-$node/mariadb.pid", qw(--skip-log-bin
	    --performance-schema=0 --innodb-buffer-pool-size=64M
	    --innodb-log-file-size=48M --character-set-server=utf8mb4
	    --default-time-zone=+00:00 --innodb-use-native-aio=0),
	    options($node));
}

sub socket_of ($self, $node) {
	return $node eq 'a' ? "$self->{dir}/mysqld.sock"
	    : "$self->{dir}/$node.sock";
}

sub root ($self, $node) {
	return DBI->connect('DBI:MariaDB:mysql;mariadb_socket='
	    . $self->socket_of($node), 'root', '', { PrintError => 0,
		RaiseError => 0, AutoInactiveDestroy => 1 });
}

# A value of the server's status; undef: it does not answer.
sub status ($self, $node, $name) {
	my $dbh = $self->root($node) // return;
	return ($dbh->selectrow_array("SHOW STATUS LIKE '$name'"))[1];
}

sub wait_ready ($self, $node, $seconds = 60) {
	return $self->{c}->wait_for($seconds, sub {
		($self->status($node, 'wsrep_ready') // '') eq 'ON'
		&& $self->status($node, 'wsrep_local_state') == 4 });
}

sub start_node ($self, $node) {
	$self->launch_node($node);
}

sub kill_node ($self, $node) { end("node-$node") }

sub make_nodes ($self) {
	for my $node (qw(b c)) {
		mkdir "$self->{dir}/$_-$node" or die for qw(db tmp);
		chown +(getpwnam 'nobody')[2], -1, "$self->{dir}/db-$node";
		$self->launch_node($node);
		$self->wait_ready($node, 90) or die "node $node: "
		    . slurp_if("$self->{dir}/log/node-$node.log");
	}
}

# cttd's users, also from the address of the proxies; and that of their check.
sub make_users ($self) {
	my $root = $self->root('a');
	my $c = $self->{c};

	$root->{RaiseError} = 1;
	for my $who (qw(CTT_DB CTT_DB_MIGRATE)) {
		chomp(my $password = slurp($c->env("${who}_PASSWORD_FILE")));
		$root->do('CREATE USER ' . $c->env("${who}_USER")
		    . "\@'10.77.0.%' IDENTIFIED BY '$password'");
	}
	$root->do("GRANT ALL ON ctt.* TO ctt_owner\@'10.77.0.%'"
	    . ' WITH GRANT OPTION');
	$root->do("CREATE USER haproxy\@'10.77.0.%'");
}

# ---- the hosts ----

sub start_proxy ($self) {
	spew("$self->{dir}/etc/haproxy.cfg", sample('doc/haproxy.cfg',
		'bind 127.0.0.1:3307' => 'bind ' . HUB . ':3307'));
	$self->launch('haproxy', undef, 'haproxy', '-db', '-f',
	    "$self->{dir}/etc/haproxy.cfg");
}

sub db_env ($self) {
	return (%{ $self->{c}{env} }, CTT_DB_SOCKET => '',
		CTT_DB_HOST => HUB, CTT_DB_PORT => 3307,
		CTT_MEMCACHED => join(',', map { HUB . ":$_" }
			@{ $self->{memcached} }));
}

# The variables that the programs of a host see.
sub env_of ($self, $host) {
	my %env = ($self->db_env,
		CTT_SHARED_FILE => "$self->{dir}/run/shared-$host",
		CTT_AUDIT_HEADS_FILE => "$self->{dir}/log/audit-heads-$host");
	return { map { $_ => $env{$_} } grep { /^CTT_/ && !/_(HTTP|SIM)_URL$/ }
		keys %env };
}

sub start_pool ($self, $host) {
	my $bin = $ENV{CTT_BIN} // $TOP;
	my $socket = "$self->{dir}/h$host.sock";

	unlink $socket;
	$self->launch("pool-$host", $self->env_of($host), '/usr/bin/env',
	    qw(spawn-fcgi -n -M 0660), '-s', $socket, qw(-b 1024 --
	    /usr/bin/multiwatch -f 2 -r 2000000000 -t 1 -s QUIT --),
	    "$bin/ctt.fcgi");
}

sub start_worker ($self, $host) {
	my $bin = $ENV{CTT_BIN} // $TOP;

	$self->launch("worker-$host", $self->env_of($host),
	    qw(/usr/bin/multiwatch -f 1 -r 2000000000 -t 1 -s QUIT --),
	    "$bin/ctt-worker");
}

# As the stack's, but for ports and sockets.
sub start_nginx ($self, $host) {
	my $dir = $self->{dir};
	my $port = $self->{port}{$host} //= free_port(HUB);

	mkdir "$dir/tmp-h$host";
	for my $file (qw(nginx.conf ctt.conf)) {
		my $text = slurp("$dir/etc/$file");
		$text =~ s{127\.0\.0\.1:\d+}{@{[HUB]}:$port}g;
		$text =~ s{\Q$dir\E/ctt\.sock}{$dir/h$host.sock}g;
		$text =~ s{\Q$dir\E/tmp/}{$dir/tmp-h$host/}g;
		$text =~ s{\Q$dir\E/log/(\w+)\.log}{$dir/log/$1-$host.log}g;
		$text =~ s{\Q$dir\E/etc/ctt\.conf}{$dir/etc/ctt-$host.conf}g;
		spew("$dir/etc/" . $file =~ s/\.conf/-$host.conf/r, $text);
	}
	$self->launch("nginx-$host", undef, '/usr/sbin/nginx', '-p', $dir, '-e',
	    "$dir/log/nginx-$host.log", '-c', "$dir/etc/nginx-$host.conf");
}

sub start_front ($self) {
	my $dir = $self->{dir};
	my $port = free_port(HUB);
	my $text = sample('nginx/front.conf', '10.77.0.4:80' => HUB . ":$port",
	    '10.77.0.5:8080' => HUB . ":$self->{port}{1}",
	    '10.77.0.6:8080' => HUB . ":$self->{port}{2}");

	mkdir "$dir/tmp-front";
	spew("$dir/etc/front.conf", "user root;\ndaemon off;\nworker_processes 1;\n"
	    . "pid $dir/tmp-front/nginx.pid;\nevents { worker_connections 1024; }\n"
	    . "http {\naccess_log off;\n" . join('', map {
		"${_}_temp_path $dir/tmp-front/$_;\n" }
		qw(client_body fastcgi proxy scgi uwsgi)) . "$text}\n");
	$self->launch('front', undef, '/usr/sbin/nginx', '-p', $dir, '-e',
	    "$dir/log/front.log", '-c', "$dir/etc/front.conf");
	$self->{c}{env}{CTT_HTTP_URL} = 'http://' . HUB . ":$port";
}

sub start_memcached ($self, $n) {
	$self->launch("memcached-$n", undef, qw(/usr/bin/memcached -u root -U 0 -m
	    16 -l), HUB, '-p', $self->{memcached}[$n]);
}

sub start_host ($self, $host) {
	$self->start_pool($host);
	$self->start_worker($host);
	$self->start_nginx($host);
}

sub kill_host ($self, $host) {
	end("$_-$host") for qw(nginx pool worker);
}

sub new ($class, %opt) {
	my $self = bless { memcached => [] }, $class;

	$ENV{CTT_HOSTS_PID} = $$;
	$ENV{PATH} .= ':/usr/sbin';
	$state = File::Temp::tempdir(CLEANUP => 1);
	$self->make_net;
	$self->write_wrapper;
	local $ENV{PATH} = "$state/bin:$ENV{PATH}";
	my $c = $self->{c} = Ctt->start(pool => 1, workers => 0,
	    mariadb => [ options('a') ], set => $opt{set} // {});
	$self->{dir} = $c->dir;
	mkdir "$self->{dir}/tmp-a";
	chown +(getpwnam 'nobody')[2], -1, "$self->{dir}/db"; # rsync's own user
	$self->make_users;
	$self->make_nodes;
	$self->start_proxy;
	push @{ $self->{memcached} }, map { free_port(HUB) } 0 .. 2;
	$self->start_memcached($_) for 0 .. 2;
	$c->wait_for(20, sub { $c->run('cttctl', { $self->db_env }, 'migrate')
		->{status} == 0 }) or die "no database behind the proxy\n";
	$self->start_host($_) for 1, 2;
	$self->start_front;
	$c->wait_for(20, sub { $c->get('/ticket/lov')->{status} == 200 })
	    or die "not ready\n";
	return $self;
}

1;
