# A process of the pool is killed at each system call by which it talks to the
# outside, without a word of it in the code: see t/lib/Sweep.pm.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Strace;
use Sweep;
use Test::More;

my $c = Ctt->start(pool => 1);

# A process that has served nothing yet: it has no connection to anybody.
sub fresh () {
	my %old = map { $_ => 1 } $c->pids('pool');

	kill 'KILL', keys %old;
	$c->wait_for(5, sub { grep { !$old{$_} } $c->pids('pool') })
	    or die "there is no new process of the pool\n";
	$c->get('/healthz');
}

# What the killed process has asked of MariaDB may still be under way.
sub sessions_end (@sessions) {
	$c->wait_for(2, sub {
		!$c->one('SELECT COUNT(*) FROM information_schema.processlist'
		    . " WHERE db = 'ctt' AND id NOT IN ("
		    . join(', ', @sessions) . ')') });
}

# One request, and the death of its process at a call, if there is one.
sub one ($ch, $warm, @point) {
	fresh();
	my @sessions = $c->column('SELECT id FROM'
	    . ' information_schema.processlist');
	Changes::ask($c, Changes::given($c, $ch->{route}, 1)) if $warm;
	my $strace = Strace->talk($c->pids('pool'), @point);
	my $r = Changes::ask($c, $ch);
	$strace->until_idle;
	my $killed = $strace->stop;
	sessions_end(@sessions) if $killed;
	return ($r, $killed, $strace);
}

for my $warm (0, 1) {
	Sweep::flows($c, 'pool killed, ' . ($warm ? 'warm' : 'fresh'),
	    sub ($at, @) {
		Sweep::calls($at, 5, sub ($ch, @point) {
			one($ch, $warm, @point) });
	});
}
Sweep::table();
$c->stop;
done_testing;
