# The log as programs read it, which is the default: each line of each process is
# one JSON object. Each request has one line with its route, its code and its
# actor, and with the parts of its time, so that this line says why it was slow.
# (The other tests read the text for people.)

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use List::Util qw(sum);
use Test::More;
use Time::HiRes qw(sleep);
use Util qw(slurp spew);

use constant {
	SLOW_MS => 600,    # what holds a request up
	PARTS   => [qw(tray_ms db_ms partner_ms rest_ms)],
};

my $JSON = Cpanel::JSON::XS->new->utf8;
my $c = Ctt->start(pool => 1, set => { CTT_LOG_FORMAT => 'json',
	CTT_THREADS => 8, CTT_DB_CONNECTIONS => 1, CTT_TYPING_ERROR => 'x-5eCr3t',
	CTT_PARTNER_TIMEOUT_MS => 3000, CTT_BREAKER_FAILURES => 1000 });

# The lines of a part, without those of multiwatch and spawn-fcgi.
sub lines ($part) {
	return map { eval { $JSON->decode($_) } // {} }
	    grep { /^\{/ } $c->log_lines($part);
}

# The line of the request that was answered so.
sub line_of ($r) {
	my $id = $r->{headers}{'x-request-id'};
	my @lines;

	$c->wait_for(5, sub { @lines = grep { $_->{event} eq 'request'
		&& $_->{request} eq $id } lines('pool') });
	is @lines, 1, 'it has one line';
	return $lines[0] // {};
}

sub bearer (%who) { return (Authorization => 'Bearer ' . $c->token(%who)) }

# ---- each request: its method, route, status, code, actor ----

my ($ctt, $ntt) = $c->given_ctts(1);
my $linked = $c->given(ctt => { linked => $ntt });
my $link = { cttId => $linked, nttId => $ntt };
for (
	[ 'a list', '/ticket/ctt', 200, '-', 'olga', GET => '/ticket/ctt?q=N' ],
	[ 'a ticket', '/ticket/ctt/:id', 200, '-', 'olga',
		GET => "/ticket/ctt/$ctt" ],
	[ 'HEAD', '/ticket/ctt/:id', 200, '-', 'olga',
		HEAD => "/ticket/ctt/$ctt" ],
	[ 'none', '/ticket/ctt/:id', 404, 'CTT_NOT_FOUND', 'olga',
		GET => '/ticket/ctt/9' ],
	[ 'no route', '-', 404, 'NOT_FOUND', '-', GET => '/ticket/nothing' ],
	[ 'no method', '-', 405, 'METHOD_NOT_ALLOWED', '-',
		POST => '/ticket/lov', {} ],
	[ 'no token', '/ticket/lov', 401, 'UNAUTHENTICATED', '-',
		GET => '/ticket/lov', undef, Authorization => undef ],
	[ 'a bad one', '/ticket/lov', 401, 'UNAUTHENTICATED', '-',
		GET => '/ticket/lov', undef, Authorization => 'Bearer x.y.z' ],
	[ 'no right', '/ticket/health', 403, 'FORBIDDEN', 'olga',
		GET => '/ticket/health' ],
	[ 'an actor', '/ticket/lov', 200, '-', q(J"ö\\a x),
		GET => '/ticket/lov', undef,
		bearer(sub => q(J"ö\\a x)) ],
	[ 'a refusal', '/ticket/ctt/link', 409, 'CTT_ALREADY_LINKED', 'olga',
		POST => '/ticket/ctt/link', $link, 'Idempotency-Key' => 'k' ],
	[ 'the same again', '/ticket/ctt/link', 409, 'CTT_ALREADY_LINKED',
		'olga', POST => '/ticket/ctt/link', $link,
		'Idempotency-Key' => 'k' ],
	[ 'some of many', '/ticket/ctt/link/bulk', 207, '-', 'olga',
		POST => '/ticket/ctt/link/bulk', { items => [ $link,
			{ cttId => $ctt, nttId => $ntt } ] } ],
	[ 'none of many', '/ticket/ctt/link/bulk', 422, 'BULK_ALL_FAILED',
		'olga', POST => '/ticket/ctt/link/bulk', { items => [$link] } ],
	[ 'metrics', '/metrics', 200, '-', '-', GET => '/metrics' ],
) {
	my ($name, $route, $status, $code, $actor, @request) = @$_;
	my $r = $c->request(@request);
	my $line = line_of($r);

	is_deeply [ @$line{qw(method path route status code actor level
		program)} ], [ $request[0], $request[1] =~ s/\?.*//r, $route,
		$status, $code, utf8($actor), 'info', 'ctt.fcgi' ],
	    "$name: $status $code" or diag explain $line;
	cmp_ok abs($line->{ms} - sum @$line{ @{ +PARTS } }), '<', 0.5,
	    'its time is the sum of the parts';
	like $line->{at}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/, 'when';
	like $line->{pid}, qr/^\d+$/, 'by which process';
}

# The names of this file are bytes.
sub utf8 ($text) {
	utf8::decode(my $copy = $text);
	return $copy;
}

# ---- why it was slow ----

# This part of its time is the longest. (On a busy machine no part is short.)
sub slow ($name, $r, $part) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $line = line_of($r);
	my %is = (map { $_ => $line->{$_} } 'queue_ms', @{ +PARTS });

	my ($most) = sort { $is{$b} <=> $is{$a} } keys %is;

	is $most, $part, "$name: $part" or diag explain $line;
	cmp_ok $is{$part}, '>', SLOW_MS / 2, 'so long it was';
}

# Do cttd's sessions wait for a table?
sub table_is_waited_for () {
	my $dbh = $c->connect_db('CTT_DB');
	my $n = $dbh->selectrow_array('SELECT COUNT(*) FROM'
	    . " information_schema.processlist WHERE state LIKE 'Waiting for t%'");

	$dbh->disconnect;
	return $n;
}

# Holds a table until a while after somebody waits for it.
sub hold_table () {
	my $dbh = $c->connect_db('CTT_DB_MIGRATE');

	$dbh->do('LOCK TABLES lov WRITE');
	spew($c->dir . '/tmp/locked', '');
	$c->wait_for(5, \&table_is_waited_for);
	sleep SLOW_MS / 1000;
	$dbh->disconnect;
	unlink $c->dir . '/tmp/locked';
	return {};
}

# The answers to these, each of which begins when its $when->() is true.
sub one_by_one (@steps) {
	return $c->parallel(scalar @steps, sub ($i) {
		my ($when, $do) = @{ $steps[$i] };
		$c->wait_for(5, $when);
		my $r = $do->();
		return { headers => $r->{headers} };
	});
}

my $locked = sub { -e $c->dir . '/tmp/locked' };
my @table = ([ sub { 1 }, \&hold_table ],
	[ $locked, sub { $c->get('/ticket/lov') } ]);
slow('a table is locked', (one_by_one(@table))[1], 'db_ms');
slow('another has the connection', (one_by_one(@table,
	[ \&table_is_waited_for, sub { $c->get("/ticket/ctt/$ctt") } ]))[2],
    'tray_ms');

{
	my $rule = $c->rule(partner => 'taas', do => 'delay', ms => SLOW_MS);
	my ($mine) = $c->given_ctts(1);

	slow('TaaS is slow', $c->link($mine, $ntt), 'partner_ms');
	$c->sim(DELETE => "/rules/$rule");
}

# One thread: while it waits for TaaS, the next request waits in the queue.
$c->restart_pool(1, CTT_THREADS => 1);
{
	my $rule = $c->rule(partner => 'taas', do => 'delay', ms => SLOW_MS);
	my ($mine) = $c->given_ctts(1);

	slow('the thread is busy', (one_by_one([ sub { 1 },
			sub { $c->link($mine, $ntt) } ],
		[ sub { $c->heard('taas', ticket => "C-$mine") },
			sub { $c->get("/ticket/ctt/$ctt") } ]))[1], 'queue_ms');
	$c->sim(DELETE => "/rules/$rule");
}

# ---- who is told what ----

{
	my @unknown = map { grep { ($_->{event} // '') eq 'unknown_setting' }
		lines($_) } qw(pool worker);

	is_deeply [ map { $_->{name} } @unknown ],
	    [ ('CTT_TYPING_ERROR') x 3 ], 'a name that is no setting, by each'
	    . ' process that started';
	my $check = $c->run('ctt.fcgi', '--check');
	like $check->{err}, qr/^at=.* event=unknown_setting name=CTT_TYPING_E/m,
	    'who checks the settings is a person';
	$check = $c->run('ctt.fcgi', { CTT_LOG_FORMAT => 'xml' }, '--check');
	is $check->{status}, 1, 'a format that does not exist';
	like $check->{err}, qr/^ctt\.fcgi: CTT_LOG_FORMAT: "xml" is not one of/m,
	    'is told';
}

SKIP: {
	skip 'the sanitizer says it', 1
	    if ($ENV{CTT_TEST_CONFIGURE} // '') =~ /asan/;
	my ($pid) = $c->pids('pool');

	$c->expect(qr/"event":"died"/);
	kill 'SEGV', $pid;
	ok $c->wait_for(5, sub { grep { ($_->{event} // '') eq 'died'
		&& $_->{signal} eq 'SIGSEGV' } lines('pool') }),
	    'the last line of a process that dies';
	ok $c->wait_for(10, sub { !grep { $_ == $pid } $c->pids('pool') }),
	    'it is gone';
}

# ---- all lines ----

ok $c->quiet, 'all jobs are done';
for my $part (qw(pool worker)) {
	my @lines = $c->log_lines($part);
	my @json = grep { /^\{/ } @lines;

	cmp_ok @json, '>=', 2, "the $part: " . @json . ' lines';
	is_deeply [ grep { !eval { $JSON->decode($_) } } @json ], [],
	    'each is JSON';
	is_deeply [ grep { !/^\{/ && /(?:event|level|program)\b/ } @lines ], [],
	    'and no line of ours is anything else';
	is_deeply [ grep { my $l = $JSON->decode($_);
		grep { !defined $l->{$_} } qw(program level event) } @json ], [],
	    'with what each line has';
	unlike join('', @lines), qr/x-5eCr3t/, 'and nothing secret';
}

# Each format of the source is made of pairs, for only those become members.
my $PAIR = qr/\w+=(?:"[^"]*"|[^ "%]+|%(?:\.\*)?s|%(?:ll|l|z)?[du]|%\.1f)/;
my $formats = 0;
for my $file (split /\n/, qx{grep -rl 'log_line(' $FindBin::Bin/../src}) {
	my $text = slurp($file);

	next if $file =~ m{/base/log\.[ch]$};
	while ($text =~ /\blog_line\(.*?"\w+",\s*((?:"(?:[^"\\]|\\.)*"\s*)+)/sg) {
		my $format = join '', map { s/\\"/"/gr } $1 =~ /"((?:[^"\\]|\\.)*)"/g;

		$formats++;
		like $format, qr/^$PAIR(?: $PAIR)*$/,
		    ($file =~ s{.*/src/}{}r) . ": $format";
	}
}
cmp_ok $formats, '>=', 30, "$formats formats";

$c->stop;
done_testing;
