# The database and memcached go away and come back; no process is started
# again for that.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(sleep time);

my $c = Ctt->start(pool => 2);
my @pool = $c->pids('pool');
my @worker = $c->pids('worker');
my ($known, $ntt) = $c->given(ctt => {}, ntt => {});
is $c->link($known, $ntt)->{status}, 200, 'all is well';

# ---- away ----

$c->token;
ok $c->stack('stop', 'db'), 'the database goes';
for my $round (1 .. 3) {
	for (
		[ 'link', sub { $c->link($known, $ntt) } ],
		[ 'bulk', sub { $c->bulk([ $known, $ntt ], [ 'C-1', $ntt ]) } ],
		[ 'by number', sub { $c->link('C-1', 'N-1') } ],
		[ 'reading', sub { $c->get("/ticket/ctt/$known") } ],
		[ 'ready', sub { $c->get('/readyz') } ],
	) {
		my ($name, $ask) = @$_;
		my $began = time;
		my $r = $ask->();
		my $took = time - $began;

		is_deeply [ $r->{status}, $r->{headers}{'content-type'} ],
		    [ 503, 'application/problem+json' ], "$name: 503";
		is $r->{json}{code}, $name eq 'ready' ? 'NOT_READY'
		    : 'DB_UNAVAILABLE', 'code';
		like $r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'try again';
		cmp_ok $took, '<', 1, 'in less than a second';
	}
}
is $c->get('/healthz')->{status}, 200, 'the process itself is healthy';
is scalar $c->heard('taas'), 1, 'no partner was asked';

# ---- back ----

ok $c->stack('start', 'db'), 'the database comes back';
for (1 .. 4) {
	my ($ctt) = $c->given(ctt => {});
	is $c->link($ctt, $ntt)->{status}, 200, 'links work';
}
ok $c->quiet, 'and jobs are delivered';

# It may also end between two requests, unseen.
ok $c->stack('restart', 'db'), 'the database is restarted';
is $c->get("/ticket/ctt/$known")->{status}, 200, 'reading sees nothing of it'
    for 1 .. 4;
ok $c->stack('restart', 'db'), 'and again';
for (1 .. 4) {
	my ($ctt) = $c->given(ctt => {});
	is $c->link($ctt, $ntt)->{status}, 200, 'nor does a link';
}
is_deeply [ sort $c->pids('pool') ], [ sort @pool ],
    'the processes of the pool are the same';
is_deeply [ $c->pids('worker') ], \@worker, 'and the worker';

# ---- killed in the middle of a link ----

my %ENDS = (
	200 => [qw(SUCCEEDED)],
	500 => [qw(REFUSED none)],
	502 => [qw(ROLLED_BACK COMPENSATED)],
	503 => [qw(REFUSED none)],
	504 => [qw(SUCCEEDED ROLLED_BACK COMPENSATED none)],
);

# A link that stands still at some point for half a second, in which the
# database is killed, and started again after so many seconds.
sub killed ($name, $away, $partner, $point = undef) {
	my ($ctt) = $c->given(ctt => {});

	$c->rule(ticket => "C-$ctt", %$partner) if %$partner;
	$point ? $c->fault($point, 'delay', ms => 500)
	    : $c->sim(PUT => '/latency', { taas => 500 });
	my ($r) = $c->parallel(2, sub ($i) {
		return $c->link($ctt, $ntt) if $i == 0;
		sleep 0.2;
		$c->stack('kill', 'db');
		sleep $away;
		$c->stack('start', 'db');
		return {};
	});
	$c->sim(PUT => '/latency', { taas => 0 });
	ok $c->settle, "killed $name: it settles";
	my ($op, @more) = $c->rows(
	    'SELECT * FROM operation WHERE ctt_id = ?', $ctt);
	my $end = $op ? $op->{state} : 'none';
	is @more, 0, 'as one operation';
	ok scalar(grep { $_ eq $end } @{ $ENDS{ $r->{status} } }),
	    "told $r->{status}, it ends: $end" or diag $r->{raw};
	is $r->{json}{operationId}, $op->{id}, 'under the id that was told'
	    if $op;
	$c->agree;
}

killed('while the partner says yes', 0, {});
# Its no is the word of a process that has lost its session, and so in doubt.
killed('while the partner says no', 0, { path => '/link$', do => 'status',
	status => 400 });
killed('while the partner says yes, and back late', 6, {});
killed("at $_", 0, {}, $_)
    for grep { /^(after-load|before-intent|after-intent|after-sync)$/ }
    $c->faults;
$c->expect(qr/close_failed/);

# Killed while a link reads its tickets, for longer than a request waits for it:
# there is no doubt that nothing was changed.
{
	my ($ctt) = $c->given(ctt => {});
	my ($r) = $c->parallel(2, sub ($i) {
		if ($i == 0) {
			sleep 0.3;
			return $c->link($ctt, $ntt);
		}
		my $other = $c->connect_db('CTT_DB_MIGRATE');
		$other->{InactiveDestroy} = 1;    # its server will be gone
		$other->begin_work;
		$other->do('SELECT id FROM ctt WHERE id = ? FOR UPDATE', undef,
		    $ctt);
		sleep 1;
		$c->stack('kill', 'db');
		sleep 10;
		$c->stack('start', 'db');
		return {};
	});
	is_deeply [ $r->{status}, $r->{json}{code} ], [ 503, 'DB_UNAVAILABLE' ],
	    'killed while tickets are read: nothing was changed';
	is $c->link($ctt, $ntt)->{status}, 200, 'so it is tried again';
}

# ---- memcached ----

{
	my ($c1, $c2) = $c->given(ctt => {}, ctt => { source => 'TMF' });

	ok $c->stack('stop', 'memcached'), 'memcached goes';
	is $c->link($c1, $ntt)->{status}, 200, 'a link does not need it';
	ok $c->stack('start', 'memcached'), 'memcached comes back';
	is $c->link($c2, $ntt)->{status}, 200, 'nor minds it';
}

ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
