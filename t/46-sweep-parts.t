# What cttd needs is broken under each flow: MariaDB is killed at each write of
# its own, at each call of a partner, and with a packet in its hands; the
# connection to it is cut before each packet, after it, and when its answer is
# there; memcached and the queue are away.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Strace;
use Sweep;
use Test::More;
use Util qw(slurp_if);

# In memory MariaDB maps its log, and writes nothing.
my $c = Ctt->start(pool => 1, proxy => 1, disk => 1);

$c->expect(qr/event=close_failed/);

# A process of the pool that has no connection to MariaDB, or that has all that
# such a request needs.
sub begin ($ch, $warm) {
	my ($pid) = $c->pids('pool');

	$warm ? Changes::ask($c, Changes::given($c, $ch->{route}, 1))
	    : $c->proxy->drop($pid);
	return $pid;
}

# The answer to a request, in which $break->() waits for its moment.
sub meanwhile ($ch, $break) {
	my ($r) = $c->parallel(2, sub ($i) {
		return Changes::ask($c, $ch) if $i == 0;
		$break->();
		return {};
	});
	return $r;
}

# MariaDB is back as soon as it has gone, if it goes.
sub revive ($seconds) {
	$c->stack('start', 'db') if $c->wait_for($seconds, sub {
		return slurp_if('/proc/' . $c->pid('db') . '/stat')
		    !~ /\) [^Z] /;
	});
}

# ---- the packets between a process and MariaDB ----

sub packet ($ch, $warm, $n, $how) {
	my $pid = begin($ch, $warm);

	$c->proxy->arm($pid, $n, $how eq 'kill' ? "kill @{[$c->pid('db')]}" : $how);
	my $r = $how eq 'kill' ? meanwhile($ch, sub { revive(2) })
	    : Changes::ask($c, $ch);
	return ($r, $c->proxy->disarm);
}

my %packets;    # that a flow takes

for (
	[ 'connection cut before a packet', 'before' ],
	[ 'connection cut after a packet', 'sent' ],
	[ 'connection cut, answer lost', 'done' ],
	[ 'MariaDB killed with a packet', 'kill' ],
) {
	my ($kind, $how) = @$_;

	Sweep::flows($c, $kind, sub ($at, @flow) {
		for my $warm (0, 1) {
			my $most = \$packets{"@flow $warm"};
			$at->('none', sub ($ch) {
				(my $r, $$most) = packet($ch, $warm, 0, '');
				return $r;
			}) unless $$most;
			my $try = sub ($n) {
				$at->("$warm/$n", sub ($ch) {
					my ($r, undef, $fired) = packet($ch,
					    $warm, $n, $how);
					return ($r, $fired);
				});
			};
			# a start of MariaDB takes long
			my $few = $how eq 'kill' ? $warm : 1 + $warm;
			next unless Sweep::FULL || $few;
			# (a renewal of the lease is one packet more, or less)
			grep { $try->($_) } Sweep::some($few, 1 .. $$most)
			    or $try->(1);
			my $n = $$most;
			1 while Sweep::FULL && $try->(++$n);
		}
	});
}

# ---- MariaDB, in the middle of a COMMIT ----

Sweep::flows($c, 'MariaDB killed at a write', sub ($at, @) {
	Sweep::calls($at, 1, sub ($ch, @point) {
		begin($ch, 1);
		my $strace = Strace->writes($c->pid('db'), @point);
		my $r = meanwhile($ch, sub { revive(1) if @point });
		return ($r, $strace->stop, $strace);
	});
});

# ---- at the calls of partners ----

my %at_call = (
	'MariaDB killed at a call' => sub {
		kill 'KILL', $c->pid('db');
		revive(5);
	},
	'memcached killed at a call' => sub { $c->stack('kill', 'memcached') },
);

my %called;    # how often a flow calls

for my $kind (sort keys %at_call) {
	my $one = sub ($ch, $at) {
		$c->sim(PUT => '/latency', { map { $_ => 50 }
		    qw(taas tmf nig) });
		my $r = meanwhile($ch, sub {
			return unless $at && $c->wait_for(5, sub {
				@{ $c->sim(GET => '/calls') } >= $at });
			$at_call{$kind}->();
		});
		$c->stack('start', 'memcached');
		return ($r, scalar map { $c->heard($_) } qw(taas tmf nig));
	};
	Sweep::flows($c, $kind, sub ($at, @flow) {
		my $most = \$called{"@flow"};
		$at->('none', sub ($ch) {
			(my $r, $$most) = $one->($ch, 0);
			return $r;
		}) unless $$most;
		for my $n (Sweep::some(1, 1 .. $$most)) {
			$at->($n, sub ($ch) { ($one->($ch, $n))[0], 1 });
		}
	});
}

# ---- away all the time ----

Sweep::flows($c, 'memcached away', sub ($at, @) {
	$at->('all', sub ($ch) {
		$c->stack('kill', 'memcached');
		my $r = Changes::ask($c, $ch);
		$c->stack('start', 'memcached');
		is $r->{status}, 200, 'nothing fails' or diag $r->{raw};
		return ($r, 1);
	});
});
Sweep::flows($c, 'queue away', sub ($at, @) {
	$at->('all', sub ($ch) {
		my $away = $c->rule(partner => 'queue', do => 'cut');
		my $r = Changes::ask($c, $ch);
		is $r->{status}, 200, 'nothing fails' or diag $r->{raw};
		$c->wait_for(1, sub { $c->heard('queue') });
		$c->sim(DELETE => "/rules/$away");
		return ($r, 1);
	});
});

Sweep::table();
$c->stop;
done_testing;
