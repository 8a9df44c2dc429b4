# cttctl status tells an administrator, and Nagios, how all parts are: a line for
# each, what it is and for how long; and what is worst in the first line and in
# the exit status. Each part that can be ill is made ill, and no other line
# changes.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use MIME::Base64 qw(encode_base64url);
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(spew);

use constant {
	POOL    => 2,
	WELL    => 0,
	WARNING => 1,
	CRITICAL => 2,
	UNKNOWN => 3,
	MOST_LINES => 24,    # of a screen
	DAY_S => 86_400,
};

my $AGE = qr/\d+ (?:s|min|h|days)/;
my $c = Ctt->start(pool => POOL, set => { CTT_BREAKER_FAILURES => 3,
	CTT_PARTNER_TIMEOUT_MS => 1500 });

# A line is [ word, part, text ].
sub status (%env) {
	my $r = $c->run('cttctl', \%env, 'status');
	my ($first, @lines) = split /\n/, $r->{out};

	return { %$r, first => $first // '', lines => [ map {
		[ /^(\S+) +(\S+) +(.*)$/ ] } @lines ] };
}

my %WELL = (
	pool       => qr/^2 processes of this host have 0 of 2 requests under way$/,
	database   => qr/^a write takes \d+ ms$/,
	clock      => qr/^the database and this host agree$/,
	worker     => qr/^1 run; the last report was $AGE ago, the last work $AGE ago$/,
	memcached  => qr/^it answers$/,
	TaaS       => qr/^answered $AGE ago; its slower answers take \d+ ms; 0 calls are under way$/,
	TMF        => qr/^was not called since this host started$/,
	NIG        => qr/^was not called since this host started$/,
	queue      => qr/^answered $AGE ago; its slower answers take \d+ ms; 0 calls/,
	operations => qr/^none is open$/,
	jobs       => qr/^none is to be delivered$/,
	audit      => qr/^a worker of this host wrote its ends $AGE ago$/,
);
my %ORDER = map { state $n = 0; $_ => $n++ } qw(database clock pool worker memcached
    TaaS TMF NIG queue operations jobs audit expiry);

# It is well but for these parts: [ word, pattern ].
sub is_status ($name, $exit, $word, $s, %ill) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %seen;

	is $s->{status}, $exit, "$name: exit status $exit" or diag $s->{out};
	like $s->{first}, qr/^CTTD $word: \S/, 'which the first line says';
	push @{ $seen{ $_->[1] } }, $_ for @{ $s->{lines} };
	for my $part (sort { $ORDER{$a} <=> $ORDER{$b} } keys %{ { %WELL, %ill } }) {
		my @lines = @{ delete $seen{$part} // [] };
		my ($want, $text) = @{ $ill{$part} // [ OK => $WELL{$part} ] };

		ok scalar(grep { $_->[0] eq $want && $_->[2] =~ $text } @lines),
		    "$part: $want" or diag $s->{out};
		ok index($s->{first}, "$part: ") > 0 == ($want ne 'OK'),
		    'the first line has what is not well';
		is @lines, 1, 'one line' if $part ne 'expiry' && $part ne 'jobs';
	}
	is_deeply [ keys %seen ], [], 'no other line';
	cmp_ok @{ $s->{lines} } + 1, '<=', MOST_LINES, 'one screen';
	is $s->{err}, '', 'and no error';
}

# ---- all is well ----

{
	my ($ctt, $ntt) = $c->given_ctts(1);

	is $c->link($ctt, $ntt)->{status}, 200, 'a link';
	ok $c->quiet, 'and its jobs';
	ok $c->wait_for(10, sub { status()->{status} == WELL }), 'well soon';
	# the worker tells with its next report that it has worked
	$c->wait_for(10, sub { status()->{out} !~ /work never/ });
	my $s = status();
	is_status('all is well', WELL, 'OK', $s);
	is $s->{first}, 'CTTD OK: all is well', 'the first line';
}

# ---- each part ----

sub plant ($table, %columns) {
	return sub { $c->given($table => \%columns) };
}

sub ago ($s) {
	return $c->one('SELECT UTC_TIMESTAMP(3) - INTERVAL ? SECOND', $s);
}

my $no_job = sub { $c->do("DELETE FROM job WHERE dedupe_key LIKE 'st-%'") };
my ($held, $ntt) = $c->given_ctts(1);

for (
	[ 'memcached is stopped', WARNING,
		sub { $c->stack('stop', 'memcached') },
		{ memcached => [ WARNING => qr/^it is away/ ] },
		sub { $c->stack('start', 'memcached') } ],
	[ 'an operation waits', WELL, sub { $c->plant_busy(5e6,
		created_at => ago(4000), next_try_at => ago(-500)) },
		{ operations => [ OK => qr/^1 are open, the oldest for 66 min; none is late$/ ] },
		sub { $c->unplant } ],
	[ 'a late operation', WARNING, sub { $c->plant_busy(5e6,
		created_at => ago(4000), next_try_at => ago(400)) },
		{ operations => [ WARNING => qr/^1 are open, .*; due for 6 min$/ ] },
		sub { $c->unplant } ],
	[ 'a dead job', WARNING, plant('job', type => 'x', payload => '{}',
		dedupe_key => 'st-dead', state => 'DEAD'),
		{ jobs => [ WARNING => qr/^1 are DEAD: see cttctl jobs$/ ] },
		$no_job ],
	[ 'a partner is broken', CRITICAL, sub {
		$c->rule(partner => 'tmf', do => 'cut');
		$c->link(scalar($c->given_ctts(1, source => 'TMF')), $ntt)
		    for 1 .. 3 },
		{ TMF => [ CRITICAL => qr/^is only probed: \d+ failures in a row, the last $AGE ago \(without an answer\); it last answered never$/ ],
		operations => [ OK => qr/^(?:\d+ are|none is) open/ ] },
		sub { $c->no_rules;
			$WELL{TMF} = $WELL{TaaS};
			my $tmf = $c->given(ctt => { source => 'TMF' });
			$c->wait_for(10, sub {
				$c->link($tmf, $ntt)->{status} == 200 })
			    && $c->settle(30) && $c->quiet } ],
	[ 'the database takes no writes', CRITICAL, sub {
		$c->dba->do('SET GLOBAL read_only = 1') },
		{ database => [ CRITICAL => qr/^it takes no writes/ ] },
		sub { $c->dba->do('SET GLOBAL read_only = 0');
			$c->wait_for(10, sub { status()->{status} == WELL }) } ],
) {
	my ($name, $exit, $make, $ill, $mend) = @$_;
	my $word = (qw(OK WARNING CRITICAL UNKNOWN))[$exit];

	$c->expect(qr/event=db_error kind=no_writes/);
	$make->();
	$c->wait_for(10, sub { status()->{status} == $exit });
	is_status($name, $exit, $word, status(), %$ill);
	ok $mend->(), 'mended';
	ok $c->wait_for(15, sub { status()->{status} == WELL }), 'all is well';
}

# Those of a worker, which would see to them at once.
ok $c->stack('stop', 'worker'), 'no worker';
my @NONE = (worker => [ CRITICAL => qr/^no ctt-worker runs; the last report was $AGE ago$/ ]);
is_status('no worker', CRITICAL, 'CRITICAL', status(), @NONE);
$c->given(job => { type => 'x', payload => '{}', dedupe_key => 'st-late',
	run_at => ago(400), created_at => ago(8000) });
is_status('a late job', CRITICAL, 'CRITICAL', status(), @NONE,
    jobs => [ WARNING => qr/^1 are to be delivered, the oldest for 2 h; due for 6 min$/ ]);
$no_job->();
$c->rule(partner => 'taas', do => 'status', status => 503);
$c->link($held, $ntt);
is_status('a partner failed once', CRITICAL, 'CRITICAL', status(), @NONE,
    operations => [ OK => qr/^1 are open/ ],
    TaaS => [ WARNING => qr/^1 failures in a row, the last $AGE ago \(HTTP 503\); it last answered $AGE ago$/ ]);
$c->no_rules;
ok $c->stack('start', 'worker'), 'a worker again';
ok $c->settle && $c->quiet, 'which settles it';
ok $c->wait_for(15, sub { status()->{status} == WELL }), 'all is well';

# A thread and all that it may do are busy.
{
	my $rule = $c->rule(partner => 'taas', do => 'hold');
	my @new = map { scalar $c->given_ctts(1) } 1 .. POOL;
	my ($s) = $c->parallel(1 + @new, sub ($i) {
		return { status => $c->link($new[ $i - 1 ], $ntt)->{status} } if $i;
		my $s;
		$c->wait_for(1, sub { ($s = status())->{out} =~ /have 2 of 2/ });
		return $s;
	});

	$c->sim(DELETE => "/rules/$rule");
	like join("\n", map { "@$_" } @{ $s->{lines} }),
	    qr/^WARNING pool 2 processes of this host have 2 of 2 requests/m,
	    'all threads are busy';
	cmp_ok $s->{status}, '>=', WARNING, 'which is told';
	ok $c->settle(30) && $c->quiet, 'settled';
	$c->wait_for(15, sub { status()->{status} == WELL });
}

ok $c->stack('stop', 'pool'), 'no pool';
is_status('no pool', CRITICAL, 'CRITICAL', status(),
    pool => [ CRITICAL => qr/^no ctt\.fcgi runs on this host$/ ]);
ok $c->stack('start', 'pool'), 'a pool again';

$c->expect(qr/event=db_away|event=db_error kind=lost/);
ok $c->stack('stop', 'db'), 'no database';
is_status('no database', CRITICAL, 'CRITICAL', status(),
    database => [ CRITICAL => qr/^it is away/ ],
    clock => [ UNKNOWN => qr/^only the database knows its own$/ ],
    map { $_ => [ UNKNOWN => qr/^only the database knows$/ ] }
	qw(worker operations jobs));
ok $c->stack('start', 'db'), 'it is back';
ok $c->wait_for(20, sub { status()->{status} == WELL }), 'all is well';

# ---- what ends some day ----

sub token ($in_s) {
	return spew($c->dir . '/tmp/token', join '.', map {
		encode_base64url($_) } '{}',
	    sprintf('{"exp":%d}', time + $in_s), 'x');
}

for (
	[ WELL, 'OK', 40 * DAY_S + 60, qr/^CTT_NIG_TOKEN_FILE ends in 40 days$/ ],
	[ WARNING, 'WARNING', 13 * DAY_S, qr/^CTT_NIG_TOKEN_FILE ends in 1[23] days$/ ],
	[ CRITICAL, 'CRITICAL', -7300, qr/^CTT_NIG_TOKEN_FILE ended 2 h ago$/ ],
) {
	my ($exit, $word, $in_s, $text) = @$_;

	is_status("a token: $word", $exit, $word,
	    status(CTT_NIG_TOKEN_FILE => token($in_s)),
	    expiry => [ $word => $text ]);
}

# ---- it could not look ----

for (
	[ 'a wrong setting', { CTT_DB_PORT => 'x' }, ['status'] ],
	[ 'a word too many', {}, [ 'status', 'all' ] ],
) {
	my ($name, $env, $words) = @$_;

	is $c->run('cttctl', $env, @$words)->{status}, UNKNOWN, $name;
}
{
	my $dba = $c->dba;

	$c->expect(qr/event=db_error kind=refused/);
	$dba->do('RENAME TABLE worker TO worker_away');
	my $s = status();
	$dba->do('RENAME TABLE worker_away TO worker');
	is $s->{status}, UNKNOWN, 'a schema that is not ours';
	like $s->{first}, qr/^CTTD UNKNOWN: database: it refused to be looked at/,
	    'is told';
}

# Root sees what the processes of another user share.
SKIP: {
	skip 'needs root, to be somebody else', 1 if $> != 0;
	my @paths = map { $c->dir . $_ } '', '/run';
	my $shared = "$paths[1]/shared";

	chmod 0711, @paths;
	chown 65534, 65534, $shared or die "$shared: $!\n";
	my $s = status();
	chown 0, 0, $shared;
	is_status('the pool is another user\'s', WELL, 'OK', $s);
}

$c->stop;
done_testing;
