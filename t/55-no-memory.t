# An allocation fails, any of them: the process answers, or dies and is started
# again; and in the end both sides agree. Each kind of change is asked again and
# again, with the first allocation of the request failing, with the second, and
# so on until it gets through; and so with the worker's work.
#
# Many are left out, others each time; with CTT_TEST_FULL=1 none is.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Fcntl qw(O_CREAT O_RDWR);
use File::Temp ();
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);

use constant {
	MOST    => 10_000,    # allocations
	AGAIN_S => 5,         # for a process that died to be there again
};

# ---- the library that lets them fail ----

my $dir = File::Temp->newdir;
my ($library, $order) = ("$dir/no-memory.so", "$dir/order");
my ($cc) = do {
	open my $fh, '<', 'Makefile'
	    or plan skip_all => 'the Makefile names the compiler';
	map { /^CC = (.*)/ ? $1 : () } <$fh>;
};
plan skip_all => 'a sanitizer has an allocator of its own'
    if qx(ldd ./ctt.fcgi) =~ /libasan/;
system("$cc -O2 -Wall -shared -fPIC -o $library"
    . " $FindBin::Bin/preload/no-memory.c") == 0
    or BAIL_OUT('t/preload/no-memory.c does not compile');

sub give_order ($program, $nth) {
	sysopen my $fh, $order, O_RDWR | O_CREAT or die "$order: $!";
	syswrite $fh, pack('l2 Z24', $nth, 0, $program);
}

# How many allocations there were; none fails any more.
sub take_order () {
	sysopen my $fh, $order, O_RDWR or die "$order: $!";
	sysread $fh, my $text, 8;
	give_order('', 0);
	return (unpack 'l2', $text)[1];
}

give_order('', 0);
my $c = Ctt->start(pool => 1, set => { LD_PRELOAD => $library,
	CTT_NO_MEMORY => $order, CTT_UNLINK_BLOCK_TTL => 0 });
$c->expect(qr/event=out_of_memory/, qr/upstream prematurely closed/,
	qr/Connection reset by peer/);

# From 1 on, until $sub->($n) says that none failed: the last one.
sub each_of ($stride, $sub) {
	my $n = 1;

	$n += $ENV{CTT_TEST_FULL} ? 1 : 1 + int rand 2 * $stride
	    while $sub->($n) && $n < MOST;
	return $n;
}

# ---- each change ----

my $slowest = 0;

# One link; how long it takes if its process has yet to be started.
sub warm_up () {
	my ($ctt, $ntt) = $c->given_ctts(1);
	my $began = time;

	$c->link($ctt, $ntt)->{status} == 200
	    or BAIL_OUT('the pool does not come back');
	$slowest = max $slowest, time - $began;
}

# What was answered is true of the tickets.
sub is_true ($change, $status) {
	return $status == 200
	    ? Changes::done($c, $change) eq Changes::once($change)
	    : $status =~ /^50[0234]$/;
}

sub walk ($route, $name, $stride, $before) {
	my (%answers, @asked);

	my $last = each_of($stride, sub ($nth) {
		my $change = Changes::given($c, $route, 3);

		$before->();
		give_order('ctt.fcgi', $nth);
		my $r = Changes::ask($c, $change);
		push @asked, [ $nth, $change, $r ];
		$answers{ join ' ', $r->{status}, $r->{json}{code} // () }++;
		return take_order() >= $nth;
	});
	note sprintf '%s, %s: %d allocations; %s', $route, $name, $last,
	    join ', ', map { "$answers{$_} times $_" } sort keys %answers;
	is $asked[-1][2]{status}, 200, "$route, $name: at last it gets through";
	ok $c->settle, 'it is settled';
	is_deeply [ map { my ($nth, $change, $r) = @$_;
		is_true($change, $r->{status}) ? () : "$nth: $r->{raw}" }
		@asked ], [], 'all answers were true';
}

for my $route (grep { !m{unlink/bulk|bulk-update} } Changes::routes($c)) {
	walk($route, 'a new process', 140, sub { });
	walk($route, 'one that was at work', 15, \&warm_up);
	ok $c->quiet, 'all jobs are delivered';
	$c->agree($route);
}
cmp_ok $slowest, '<', AGAIN_S, 'a process that died is there again soon';

# ---- the worker: it recovers a link, and delivers its jobs ----

if ($c->faults) {
	my @stuck;
	my $last = each_of(30, sub ($nth) {
		my ($ctt, $ntt) = $c->given_ctts(1);

		give_order('ctt-worker', $nth);
		$c->fault('after-sync', 'kill');
		$c->link($ctt, $ntt);
		push @stuck, $nth unless $c->settle(AGAIN_S)
		    && $c->quiet(AGAIN_S);
		return take_order() >= $nth;
	});
	note "the worker: $last allocations";
	is_deeply \@stuck, [], 'the worker is there again, and does its work';
	$c->agree('the worker died: both sides');
}

$c->stop;
done_testing;
