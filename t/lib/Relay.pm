package Relay;

# Stands between cttd and others on TCP, as an egress proxy or as a slow line:
#
#	my $proxy = Relay->start;		# HTTP, with CONNECT
#	my $slow = Relay->start(to => 'localhost:8443', delay => 1.5);
#	my $wire = Relay->start(to => "localhost:$port", keep => 1);
#	$wire->bytes				# all that went over it
#	$proxy->url				# http://127.0.0.1:PORT
#	$proxy->lines				# what it was asked: request lines
#	$proxy->stop
#
# With `to` it passes bytes on to there; the first ones of a client wait `delay`
# seconds, so TCP is quick and a TLS handshake is slow. Without, it is a proxy;
# `answer` is what it answers every request with, instead of doing it.

use v5.36;

use File::Basename qw(dirname);
use File::Temp ();
use IO::Select ();
use IO::Socket::IP ();
use POSIX ();
use Time::HiRes qw(sleep);

use lib dirname(__FILE__);
use Util qw(slurp);

sub start ($class, %opt) {
	my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1',
		Listen => 200) or die "relay: $!\n";
	my $log = File::Temp->new;
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		setpgrp;
		$SIG{CHLD} = 'IGNORE';
		serve($listener, $log, %opt);
	}
	return bless { pid => $pid, owner => $$, log => $log,
		port => $listener->sockport }, $class;
}

sub port ($self) { return $self->{port} }
sub url ($self) { return "http://127.0.0.1:$self->{port}" }
sub lines ($self) { return split /\n/, slurp($self->{log}->filename) }

sub bytes ($self) { return slurp($self->{log}->filename) }

sub stop ($self) {
	my $pid = delete $self->{pid} // return;

	local $?;
	kill 'KILL', -$pid, $pid;
	waitpid $pid, 0;
}

sub DESTROY ($self) { $self->stop if $self->{owner} == $$ }

# ---- the process in between ----

sub serve ($listener, $log, %opt) {
	for (;;) {
		my $client = $listener->accept or next;
		my $pid = fork // next;

		next if $pid;
		close $listener;
		eval { take($client, $log, %opt) };
		POSIX::_exit(0);
	}
}

sub take ($client, $log, %opt) {
	return pass($client, connect_to($opt{to}), $opt{delay} // 0,
		$opt{keep} && $log) if $opt{to};
	my $head = '';

	while ($head !~ /\r\n\r\n/) {
		sysread $client, $head, 1 << 16, length $head or return;
	}
	my ($line) = $head =~ /^(.*)\r/;
	syswrite $log, "$line\n";
	return put($client, $opt{answer}) if $opt{answer};
	if ($line =~ /^CONNECT (\S+) /) {
		my $server = connect_to($1);
		put($client, "HTTP/1.1 200 Go\r\n\r\n");
		return pass($client, $server);
	}
	$head =~ s{^(\S+) http://([^/\s]+)}{$1 } or return;
	my $server = connect_to($2);
	$head =~ s/\r\n/\r\nConnection: close\r\n/;
	put($server, $head);
	return pass($client, $server);
}

sub connect_to ($where) {
	return IO::Socket::IP->new(PeerAddr => $where) // die "$where: $!\n";
}

sub put ($socket, $bytes) {
	while (length $bytes) {
		my $n = syswrite($socket, $bytes) // die "relay: $!\n";
		substr $bytes, 0, $n, '';
	}
}

sub pass ($client, $server, $delay = 0, $log = undef) {
	my $all = IO::Select->new($client, $server);

	for (;;) {
		for my $from ($all->can_read) {
			if ($from == $client && $delay) {
				sleep $delay;
				$delay = 0;
			}
			sysread $from, my $bytes, 1 << 16 or return;
			syswrite $log, $bytes if $log;
			put($from == $client ? $server : $client, $bytes);
		}
	}
}

1;
