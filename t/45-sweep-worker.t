# The worker is killed at each system call by which it talks to the outside,
# while it takes up what a dead process left open, and delivers the jobs.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Strace;
use Sweep;
use Test::More;

my $c = Ctt->start(pool => 1);

# A worker that has nothing in hand.
sub fresh () {
	my %old = map { $_ => 1 } $c->pids('worker');

	kill 'KILL', keys %old;
	$c->wait_for(5, sub {
		my ($pid) = grep { !$old{$_} } $c->pids('worker');
		return $pid && grep { /pid=$pid .*event=started/ }
		    $c->log_lines('worker');
	}) or die "there is no new worker\n";
}

# A request whose process dies while it waits for a partner, which has done its
# work or not, by turns; and the death of the worker at a call, if there is one.
sub one ($ch, @point) {
	state $n = 0;
	my $hang = $c->rule(do => 'hang', applied => $n++ % 2, key => '-sync$');

	fresh();
	my $strace = Strace->talk($c->pids('worker'), @point);
	my ($r, $asked) = $c->parallel(2, sub ($i) {
		return Changes::ask($c, $ch) if $i == 0;
		my $asked = $c->wait_for(5, sub {
			@{ $c->sim(GET => '/calls') } });
		$c->sim(DELETE => "/rules/$hang");
		kill 'KILL', $c->pids('pool');
		return $asked;
	});
	die "no partner was asked\n" unless $asked;
	$c->wait_for(20, sub {
		$strace->look;
		return !$c->one("SELECT (SELECT COUNT(*) FROM operation WHERE"
		    . " state IN ('RUNNING', 'SETTLING')) + (SELECT COUNT(*)"
		    . " FROM job WHERE state IN ('READY', 'RUNNING'))");
	});
	return ($r, $strace->stop, $strace);
}

Sweep::flows($c, 'worker killed', sub ($at, @) {
	Sweep::calls($at, 6, \&one);
});
Sweep::table();
$c->stop;
done_testing;
