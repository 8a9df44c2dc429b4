# How many instructions each kind of request takes, held against those of
# t/instructions.SUITE: nobody slows it unseen. What the processor makes of them
# and how long it waits is not seen here, but the count is the same on a busy
# machine as on an idle one.
#
# It counts all of one process between a request and the next, our code and
# the libraries'. So that the same code has the same count on another machine,
# a release is built with flags of its own, and the libraries are kept from
# choosing their code by the processor. Each Debian has other libraries and
# another compiler, so it has a file of its own. To accept new numbers:
#
#	CTT_INSTRUCTIONS=write prove -It/lib t/90-instructions.t

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Cwd qw(abs_path);
use File::Temp ();
use List::Util qw(min);
use Test::More;
use Util qw(slurp spew);

use constant {
	TOLERANCE => 0.10,
	TIMES     => 4,      # of each kind; the least counts
};

my $TOP = abs_path("$FindBin::Bin/..");
my ($SUITE) = slurp('/etc/os-release') =~ /^VERSION_CODENAME=(\w+)$/m;
my $FILE = "$FindBin::Bin/instructions." . ($SUITE // 'unknown');
my $WRITE = ($ENV{CTT_INSTRUCTIONS} // '') eq 'write';
my $tmp = File::Temp->newdir('ctt-90.XXXXXX', TMPDIR => 1);

# The programs of a release, ctt.fcgi under valgrind. It writes what it has
# counted whenever it begins to serve a request.
sub build () {
	my $src = "$tmp/src";

	system("{ make -C '$TOP' distdir distdir='$src' && cd '$src'"
	    . " && ./configure CFLAGS='-O2 -g'"
	    . " && make -j2 ctt.fcgi ctt-worker cttctl; } >'$tmp/log' 2>&1")
	    == 0 or BAIL_OUT("no release: see $tmp/log");
	mkdir "$tmp/bin";
	symlink "$src/$_", "$tmp/bin/$_" for qw(cttctl ctt-worker);
	spew("$tmp/bin/ctt.fcgi", <<"END", 0755);
#!/bin/sh
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,-SSE4_2,-SSE4_1,-SSSE3
export OPENSSL_ia32cap=0
exec valgrind -q --tool=callgrind --callgrind-out-file=$tmp/out \\
	--dump-before=request_serve $src/ctt.fcgi
END
}

my $dumps = 0;

# What was counted up to the latest dump, since the one before.
sub counted () {
	my $n = $dumps + 1;

	$n++ while -e "$tmp/out." . ($n + 1);
	$dumps = $n;
	return (slurp("$tmp/out.$n") =~ /^(?:summary|totals): (\d+)/mg)[-1];
}

if (!grep { -x "$_/valgrind" } split /:/, $ENV{PATH}) {
	plan skip_all => 'valgrind is not installed';
}
if (!$WRITE && !-e $FILE) {
	plan skip_all => "there is no $FILE";
}
build();
my $c = do {
	local $ENV{CTT_BIN} = "$tmp/bin";
	Ctt->start(pool => 1, workers => 0, set => { CTT_FAULT_FILE => '',
		CTT_LOG_FORMAT => 'json',
		CTT_PARTNER_TIMEOUT_MS => 30000, CTT_UNLINK_BLOCK_TTL => 0 });
};

# How many it takes to serve one: from its beginning to that of the next.
sub instructions ($request) {
	my $r = $request->();

	$c->get('/healthz');
	return { status => $r->{status}, n => counted() };
}

# Each kind: the status, and a sub that prepares one and returns the request.
my $ntt = $c->given(ntt => {}, work_order => { ntt_id => 2000 });
my $linked = $c->given(ctt => { linked => $ntt });
my %kind = (
	'link' => [ 200, sub {
		my $ctt = $c->given(ctt => {});
		sub { $c->link($ctt, $ntt) } } ],
	'link at TMF' => [ 200, sub {
		my $ctt = $c->given(ctt => { source => 'TMF' });
		sub { $c->link($ctt, $ntt) } } ],
	'link, refused' => [ 409, sub { sub { $c->link($linked, $ntt) } } ],
	'link of 10' => [ 200, sub {
		my @items = map { [ scalar $c->given(ctt => {}), $ntt ] }
		    1 .. 10;
		sub { $c->bulk(@items) } } ],
	'unlink' => [ 200, sub {
		my $ctt = $c->given(ctt => { linked => $ntt });
		sub { $c->unlink_from($ntt, [$ctt]) } } ],
	'resolve' => [ 200, sub {
		my $ctt = $c->given(ctt => {});
		my $activity = $c->given_activity($ctt);
		sub { $c->resolve($activity, $ctt) } } ],
	'cpe' => [ 200, sub {
		my $ctt = $c->given(ctt => {
			segment_group => 'Managed Services' });
		$c->given_element($ctt);
		sub { $c->update_cpe($ctt, { manufacturer => 'Nokia',
			model => 'G-2425G-A', ipAddress => '10.0.0.2',
			bandwidthMbps => 1000, port => '1/1/2' }) } } ],
	'read a CTT' => [ 200, sub { sub { $c->get("/ticket/ctt/$linked") } } ],
	'list 10 CTTs' => [ 200, sub {
		sub { $c->get('/ticket/ctt?limit=10') } } ],
	'no token' => [ 401, sub {
		sub { $c->get('/ticket/lov', Authorization => undef) } } ],
);
$c->given(map { (ctt => {}) } 1 .. 10);

# The first of each prepares its statements, and is not counted.
my %count;
for my $kind (sort keys %kind) {
	my ($status, $make) = @{ $kind{$kind} };
	my ($first, @r) = map { instructions($make->()) } 0 .. TIMES;

	is_deeply [ map { $_->{status} } $first, @r ],
	    [ ($status) x (1 + TIMES) ], "$kind: answered";
	$count{$kind} = min map { $_->{n} } @r;
	note "$kind: first $first->{n}, then @{[map { $_->{n} } @r]}";
}

if ($WRITE) {
	spew($FILE, join '', map { "$count{$_}\t$_\n" } sort keys %count);
}
my %known = reverse slurp($FILE) =~ /^(\d+)\t(.*)$/mg;
is_deeply [ sort keys %known ], [ sort keys %kind ], 'the kinds of the file';
for my $kind (sort keys %known) {
	my $more = $count{$kind} / $known{$kind} - 1;

	ok abs $more <= TOLERANCE, sprintf '%s: %d instructions, %+.1f %%',
	    $kind, $count{$kind}, 100 * $more;
}

$c->stop;
done_testing;
