package Strace;

# Looks at the system calls by which a process talks to the outside, or by which
# MariaDB writes, and kills it at one of them:
#
#	my $s = Strace->talk($pid, sendto => 3);
#	my $s = Strace->writes($pid, fdatasync => 1);
#	...
#	my $killed = $s->stop;
#	my %calls = $s->counts;
#
# It is killed on the way into its third sendto (the third of any of its
# threads): that one does not happen, and all before it have. What a death after
# a call leaves is what a death before the next one does.
#
#	my $s = Strace->slow($pid, $file, 5);
#
# holds it up for five seconds on the way into each write to a file.

use v5.36;

use POSIX ();

# With the waiting. Not all of them are calls on each kind of machine.
my @TALK = qw(accept accept4 connect sendto sendmsg recvfrom recvmsg read write
	readv writev poll ppoll shutdown close);
my @WRITES = qw(pwrite64 pwritev fsync fdatasync);
my $IDLE = 'epoll_pwait';

sub talk ($class, @who) { return $class->attach([ @TALK, $IDLE ], @who) }
sub writes ($class, @who) { return $class->attach(\@WRITES, @who) }

sub slow ($class, $pid, $file, $seconds) {
	my $self = $class->run($pid, '-P', $file, '-e',
	    'trace=?pwrite64,?pwritev', '-e',
	    "inject=?pwrite64,?pwritev:delay_enter=$seconds" . '000000');

	$self->{waits} = 1;
	return $self;
}

sub attach ($class, $set, $pid, $call = undef, $n = undef) {
	my $calls = join ',', map { "?$_" } @$set;

	return $class->run($pid, '-e', "trace=$calls", defined $call
	    ? ('-e', "inject=$call:signal=KILL:when=$n") : ());
}

sub run ($class, $pid, @how) {
	my $strace = open my $fh, '-|' // die "fork: $!\n";

	if (!$strace) {
		open STDERR, '>&', \*STDOUT;
		no warnings 'exec';
		exec 'strace', '-f', '-s', 0, @how, '-p', $pid
		    or POSIX::_exit(127);
	}
	my $self = bless { fh => $fh, pid => $strace, text => '' }, $class;
	$self->read until $self->{ended} || $self->{text} =~ /attached.*\n/;
	die "strace: $self->{text}" if $self->{ended};
	return $self;
}

sub read ($self) {
	sysread $self->{fh}, $self->{text}, 1 << 16, length $self->{text}
	    or $self->{ended} = 1;
}

# Takes what is there, for strace stands still when nobody reads.
sub look ($self) {
	vec(my $bits = '', fileno $self->{fh}, 1) = 1;
	$self->read while !$self->{ended} && select(my $ready = $bits, undef,
	    undef, 0);
}

# Until a process of the pool is dead, or waits for its next request.
sub until_idle ($self) {
	$self->read until $self->{ended}
	    || $self->{text} =~ /^accept.*^$IDLE\(/ms;
}

# Lets the process go on by itself; true if it was killed.
sub stop ($self) {
	kill $self->{waits} ? 'KILL' : 'INT', $self->{pid}
	    unless $self->{ended};
	$self->read until $self->{ended};
	close $self->{fh};
	return scalar $self->{text} =~ /\+\+\+ killed by SIGKILL/;
}

# How often there was each call, in the thread that made the most of it.
sub counts ($self) {
	my (%n, %most);

	while ($self->{text} =~ /^(\[pid +\d+\] )?(\w+)\(/mg) {
		my ($thread, $call) = ($1 // '', $2);
		my $n = ++$n{"$thread$call"};
		$most{$call} = $n if $n > ($most{$call} // 0);
	}
	delete $most{$IDLE};
	return %most;
}

1;
