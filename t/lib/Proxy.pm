package Proxy;

# Stands between the programs and MariaDB, and breaks the connection of one
# process at one of its packets:
#
#	my $c = Ctt->start(proxy => 1);
#	$c->proxy->arm($pid, 3, 'sent');
#	...
#	my ($count, $fired) = $c->proxy->disarm;
#
# The third packet that this process sends from now on is the last one of its
# connection:
#
#	before	the server does not get it
#	sent	the server gets it, and the connection ends at once
#	done	the server gets it and answers, and the answer is lost
#
# and `kill PID` is kill -9 of the server, straight after it got it. With 0 for
# the number, packets are only counted. drop($pid) ends the connections that a
# process has.

use v5.36;

use IO::Select ();
use IO::Socket::UNIX ();
use POSIX ();
use Socket qw(SOL_SOCKET SO_PEERCRED);
use Time::HiRes qw(sleep);

# The connection that belongs to a socket, of either of its ends.
my (%conn, $all);
my %armed = (count => 0, fired => 0, pid => 0, n => 0, how => '');

sub new ($class, $path, $to) {
	my ($ours, $its) = IO::Socket->socketpair(Socket::AF_UNIX,
	    Socket::SOCK_STREAM, Socket::PF_UNSPEC) or die "socketpair: $!\n";
	my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 100)
	    // die "$path: $!\n";
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		close $ours;
		$SIG{PIPE} = 'IGNORE';
		serve($listener, $its, $to);
		POSIX::_exit(0);
	}
	$_->autoflush for $ours;
	return bless { control => $ours, path => $path }, $class;
}

sub command ($self, @words) {
	print { $self->{control} } "@words\n";
	return split ' ', readline $self->{control};
}

sub arm ($self, $pid, $n, $how = '') {
	$self->command('arm', $pid, $n, split ' ', $how);
}

sub drop ($self, $pid) { $self->command('drop', $pid) }

# How many packets there were so far, and whether it was broken.
sub seen ($self) { return $self->command('seen') }

sub disarm ($self) {
	my @seen = $self->seen;

	$self->arm(0, 0);
	return @seen;
}

# ---- the process in between ----

sub serve ($listener, $control, $to) {
	$control->autoflush;
	$all = IO::Select->new($listener, $control);
	for (;;) {
		for my $socket ($all->can_read) {
			if ($socket == $listener) {
				take(scalar $listener->accept, $to);
			} elsif ($socket == $control) {
				obey($control, readline($control) // return);
			} elsif ($conn{$socket}) {
				pass($conn{$socket}, $socket);
			}
		}
	}
}

sub obey ($control, $line) {
	my ($what, @words) = split ' ', $line;

	%armed = (count => 0, fired => 0, pid => $words[0], n => $words[1],
		how => $words[2] // '', server => $words[3])
	    if $what eq 'arm';
	if ($what eq 'drop') {
		for my $conn (values %{ { %conn } }) {
			end($conn) if $conn->{pid} == $words[0]
			    && $conn{ $conn->{client} };
		}
	}
	print $control "$armed{count} $armed{fired}\n";
}

sub take ($client, $to) {
	my $server = IO::Socket::UNIX->new(Peer => $to)
	    // return close $client;
	my ($pid) = unpack 'i', getsockopt $client, SOL_SOCKET, SO_PEERCRED;

	$conn{$client} = $conn{$server} = { client => $client,
		server => $server, pid => $pid, sent => '', mute => 0 };
	$all->add($client, $server);
}

sub end ($conn) {
	for my $socket (@$conn{qw(client server)}) {
		$all->remove($socket);
		delete $conn{$socket};
		close $socket;
	}
}

sub put ($socket, $bytes) {
	while (length $bytes) {
		my $n = syswrite($socket, $bytes) // return;
		substr $bytes, 0, $n, '';
	}
}

sub pass ($conn, $from) {
	sysread($from, my $bytes, 1 << 16) or return end($conn);
	if ($from == $conn->{server}) {
		return $conn->{mute} ? end($conn)
		    : put($conn->{client}, $bytes);
	}
	$conn->{sent} .= $bytes;
	# A packet: three bytes of length, one of its number, and so many.
	while (length $conn->{sent} >= 4) {
		my $size = 4 + unpack 'V', substr($conn->{sent}, 0, 3) . "\0";
		return if length $conn->{sent} < $size;
		my $packet = substr $conn->{sent}, 0, $size, '';
		return if break($conn, $packet);
		put($conn->{server}, $packet);
	}
}

# True if this packet is the one, and has been dealt with.
sub break ($conn, $packet) {
	return 0 if $conn->{pid} != $armed{pid}
	    || ++$armed{count} != $armed{n};
	$armed{fired} = 1;
	put($conn->{server}, $packet) if $armed{how} ne 'before';
	kill 'KILL', $armed{server} if $armed{how} eq 'kill';
	$conn->{mute} = $armed{how} eq 'done';
	end($conn) if $armed{how} =~ /^(before|sent)$/;
	return 1;
}

1;
