# What nginx in front does, as it ships: the headers of every answer, what is
# for the local host alone, the limits, clients that are slow on purpose, TLS, its
# own answers over HTTP/1.1 and HTTP/2, compressed answers.

use v5.36;

use Compress::Zlib ();
use Cpanel::JSON::XS ();
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use IO::Select;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Tls;
use Util qw(free_port slurp spew);

my $JSON = Cpanel::JSON::XS->new;
my $c = Ctt->start(pool => 1, workers => 0);
my $tls = Tls->new(File::Temp::tempdir(CLEANUP => 1) . '/tls');
my $LINK = '/ticket/ctt/link';
my $end = "Host: x\r\nConnection: close\r\n";

# ---- the headers of every answer ----

my %ALWAYS = (
	'x-content-type-options' => 'nosniff', 'cache-control' => 'no-store',
	'content-security-policy' => "default-src 'none'; frame-ancestors 'none'",
	'x-frame-options' => 'DENY', 'referrer-policy' => 'no-referrer',
	server => 'nginx',    # without its version
);

sub has_headers ($r, $status, $name, %more) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %want = (%ALWAYS, 'retry-after' => undef, allow => undef, %more);

	is_deeply [ $r->{status}, { map { $_ => $r->{headers}{$_} }
		keys %want } ], [ $status, \%want ], "$name: $status";
}

sub get_raw ($line, $header = '', %opt) {
	return $c->raw("$line HTTP/1.1\r\n$end$header\r\n", %opt);
}

sub whose ($token) { return "Authorization: Bearer $token\r\n" }

has_headers(get_raw('GET /healthz'), 200, 'the application');
has_headers(get_raw('GET /ticket/lov', whose($c->token)), 200, 'with a token');
has_headers(get_raw('GET /ticket/lov'), 401, 'without');
has_headers(get_raw('GET /nothing'), 404, 'nothing');
has_headers(get_raw("GET $LINK"), 405, 'a method', allow => 'POST');
has_headers(get_raw('HEAD /ticket/lov', whose($c->token)), 200, 'HEAD');
has_headers(get_raw('TRACE /ticket/lov'), 405, 'nginx: a method',
    allow => 'GET, HEAD, POST, PUT');
has_headers(get_raw("POST $LINK", "Content-Length: 3000000\r\n"), 413,
    'nginx: a body');
has_headers(get_raw('GET /' . 'x' x 40_000), 414, 'nginx: a path');
has_headers(get_raw('GET /', 'X: ' . 'x' x 8200 . "\r\n"), 431,
    'nginx: a header over 8 KiB');
has_headers(get_raw('GET /', "X: xxx\r\n" x 5000), 431,
    'nginx: many headers');
has_headers(get_raw('GET /ticket/lov', whose('x' x 4096)), 401,
    'a token of 4 KiB passes nginx');
ok $c->stack('stop', 'db'), 'no database';
has_headers(get_raw('GET /ticket/ctt', whose($c->token)), 503, 'it is away',
    'retry-after' => 1);
ok $c->stack('start', 'db'), 'it is back';

# ---- for the local host alone ----

for my $path (qw(healthz readyz metrics)) {
	is get_raw("GET /$path")->{status}, 200, "/$path here";
	for my $way ("/$path", "//$path", "/./$path", "/x/../$path",
	    "/$path?x=1", "/$path/", "http://x/$path", "/$path#x",
	    "/%" . sprintf('%x', ord $path) . substr($path, 1)) {
		my $r = get_raw("GET $way", '', from => '127.0.0.2', odd => 1);
		like $r->{status}, qr/^40[034]$/, "$way from elsewhere: not";
	}
}
is get_raw('GET /metrics', "X-Forwarded-For: 127.0.0.1\r\n"
    . "X-Real-IP: 127.0.0.1\r\n", from => '127.0.0.2')->{json}{code},
    'FORBIDDEN', 'nor by saying that one is here';
is get_raw('GET /ticket/lov', whose($c->token), from => '127.0.0.2')
    ->{status}, 200, 'the rest is for everybody';

# ---- an nginx of our own, with small limits ----

my $to;    # where it is

sub configured ($change, %value) {
	my $site = slurp("$FindBin::Bin/../nginx/ctt.conf.in");
	$to = '127.0.0.1:' . free_port();
	%value = (LISTEN => $to, SOCKET => $c->dir . '/ctt.sock',
		ACCESS_LOG => $tls->file('access.log'),
		ERROR_LOG => $tls->file('error.log'), RATE => 1000,
		CLIENT => 512, REQUESTS => 512,
		SHARE => "$FindBin::Bin/..", IDP => '',
		CONSOLE_JSON => "$FindBin::Bin/../console/config.json", %value);
	$site =~ s/\@([A-Z_]+)\@/$value{$1}/g;
	return $change->($site);
}

sub serve ($change, %value) {
	$tls->stop;
	$tls->nginx(configured($change, %value));
}

# What each of them answered.
sub answers (@sockets) {
	return map { local $/; my $text = readline($_) // '';
		{ raw => $text, status => $text =~ m{^HTTP/1.1 (\d+)} } }
	    @sockets;
}

sub connected ($from) { return $c->raw_socket(to => $to, from => $from) }

serve(sub ($site) { $site }, RATE => 1);
{
	my @sockets = map { connected('127.0.0.2') } 1 .. 10;
	print $_ "GET /ticket/lov HTTP/1.1\r\n$end\r\n" for @sockets;
	my @limited = grep { $_->{status} == 429 } answers(@sockets);

	cmp_ok scalar(@limited), '>', 0, 'too many at once: '
	    . @limited . ' of 10 are turned away';
	like $limited[0]{raw}, qr/\r\nRetry-After: 1\r\n/, 'for a second';
	like $limited[0]{raw}, qr/"code":"RATE_LIMITED"/, 'and told why';
	is get_raw('GET /ticket/lov', '', to => $to, from => '127.0.0.3')
	    ->{status}, 401, 'another caller is not';
	is get_raw('GET /healthz', '', to => $to)->{status}, 200,
	    'nor is the monitoring' for 1 .. 5;
}

# ---- clients that are slow on purpose; the pool is of one process ----

sub half_bodies ($from, $n) {
	my @sockets = map { connected($from) } 1 .. $n;

	print $_ "POST $LINK HTTP/1.1\r\n$end" . whose($c->token)
	    . "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
	    for @sockets;
	return @sockets;
}

sub lov ($from) {
	return get_raw('GET /ticket/lov', whose($c->token), to => $to,
	    from => $from);
}

# Has it been closed, within this time?
sub closed ($socket, $seconds, $say = undef) {
	my $end = time + $seconds;
	my $select = IO::Select->new($socket);
	local $SIG{PIPE} = 'IGNORE';

	while (time < $end) {
		return !sysread $socket, my $answer, 4096
		    if $select->can_read(0.2);
		return 1 if defined $say && !syswrite $socket, $say;
	}
	return 0;
}

serve(sub ($site) { $site }, CLIENT => 4, REQUESTS => 6);
{
	my @held = half_bodies('127.0.0.2', 4);
	ok $c->wait_for(10, sub { lov('127.0.0.2')->{status} == 503 }),
	    'one caller has its share';
	my $r = lov('127.0.0.2');
	is_deeply [ $r->{json}{code}, $r->{headers}{'retry-after'} ],
	    [ 'OVERLOADED', 1 ], 'and is told so';
	is lov('127.0.0.1')->{status}, 200, 'another is served';
	push @held, half_bodies('127.0.0.3', 2);
	ok $c->wait_for(10, sub { lov('127.0.0.1')->{status} == 503 }),
	    'all have theirs';
	is get_raw('GET /healthz', '', to => $to)->{status}, 200,
	    'the one process has none of that in hand';
}

serve(sub ($site) { $site =~ s/_timeout 15s/_timeout 1s/gr });
{
	my @sockets = (half_bodies('127.0.0.2', 2),
		map { connected('127.0.0.2') } 1 .. 3);
	my ($silent, $begun, $drip) = @sockets[ 2 .. 4 ];

	print $begun "GET /ticket/lov HTTP/1.1\r\nHost: x\r\nX: ";
	print $drip "GET /ticket/lov HTTP/1.1\r\nHost: x\r\nX: ";
	is lov('127.0.0.1')->{status}, 200, 'while they wait, others are served';
	ok closed($sockets[0], 20), 'half a body is not waited for';
	ok closed($silent, 20), 'nor a request that does not come';
	ok closed($begun, 20), 'nor half a header';
	ok closed($drip, 20, 'x'), 'nor one that trickles';
}

# ---- TLS, as in the sample ----

sub with_tls ($site) {
	my $port = $to =~ s/.*://r;

	$site =~ s/^\tlisten \Q$to\E;\n//m or die 'no plain listen';
	$site =~ s/^\t#(?=[a-z])/\t/mg;
	$site =~ s/listen 443 /listen $to /;
	$site =~ s/listen \[::\]:443 /listen unix:@{[$tls->file('sock')]} /;
	$site =~ s{/etc/ssl/cttd/fullchain\.pem}{$tls->file('site.crt')}e;
	$site =~ s{/etc/ssl/cttd/privkey\.pem}{$tls->file('site.key')}e;
	return $site;
}

# Status, protocol and HSTS, or the exit status of curl.
sub curl ($path, @options) {
	my $url = "https://localhost:" . $to =~ s/.*://r . $path;
	my $out = `curl -s -D - -o /dev/null --cacert @{[$tls->file('ours.crt')]} @options $url`;

	return 'curl ' . ($? >> 8) if $?;
	my ($version, $status) = $out =~ m{^HTTP/(\S+) (\d+)};
	my ($hsts) = $out =~ /^strict-transport-security: (.*?)\r$/mi;
	return "$status $version " . ($hsts // 'none');
}

$tls->ca('ours');
$tls->cert('site', ca => 'ours', name => 'localhost');
{
	my $hsts = 'max-age=63072000';
	my $conf = $tls->nginx_conf(configured(\&with_tls));
	my $said = `nginx -t -e /dev/null -c $conf 2>&1`;

	is $?, 0, 'nginx takes the sample' or diag $said;
	unlike $said, qr/warn/, 'and has nothing to say';
	serve(\&with_tls);
	for (
		[ '/healthz', '', "200 2 $hsts" ],
		[ '/ticket/lov', '--http1.1 --tls-max 1.2', "401 1.1 $hsts" ],
		[ '/ticket/lov', '--tlsv1.3', "401 2 $hsts" ],
		[ '/_problem', '', "404 2 $hsts" ],
		[ '/healthz', '--ciphers ECDHE-ECDSA-AES128-SHA --tls-max 1.2',
			'curl 35' ],
		[ '/healthz', '--ciphers DEFAULT@SECLEVEL=0 --tls-max 1.1',
			'curl 35' ],
	) {
		my ($path, $options, $want) = @$_;
		is curl($path, $options), $want, "TLS: $path $options: $want";
	}
	is get_raw('GET /healthz', '', to => $to)->{json}{code}, 'BAD_REQUEST',
	    'no HTTP without TLS';
}

# ---- its own answers are problems over HTTP/1.1 and HTTP/2 ----

# The answer, as JSON if it is a problem, with its version of HTTP.
sub curled ($version, $path, @options) {
	my $url = "https://localhost:" . $to =~ s/.*://r . $path;
	my $out = $tls->file('answer');
	my $head = `curl -s -S -D - -o $out --$version --cacert @{[
		$tls->file('ours.crt')]} @options $url 2>&1`;
	my ($got, $status) = $head =~ m{.*^HTTP/(\S+) (\d+)}ms;    # the last
	my %headers = map { /^([\w-]+): (.*?)\r?$/ ? (lc $1, $2) : () }
	    split /\n/, $head;
	-e $out or return { status => "curl: $head" };
	my $text = slurp($out);

	unlink $out;
	return { version => $got, status => $status, headers => \%headers,
		raw => $text, json => scalar eval { $c->json($text) } };
}

sub is_own ($r, $version, $status, $code) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is_deeply [ @$r{qw(version status)}, $r->{headers}{'content-type'},
		@{ $r->{json} // {} }{qw(status code requestId)} ],
	    [ $version, $status, 'application/problem+json', $status, $code,
		$r->{headers}{'x-request-id'} ],
	    "HTTP/$version: $status $code";
}

my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
my $post = "-H 'Authorization: Bearer " . $c->token . "'"
    . " -H 'Content-Type: application/json'";
my $body = $tls->file('post.json');

sub write_body ($text) { spew($body, $text) }

# What it answers by itself: a path and options of curl. HTTP/2 knows no
# Transfer-Encoding, and nginx answers nothing there to what is too long: it
# ends the connection.
my $long = '~Z' x 20_000;
my @OWN = (
	[ 400, 'BAD_REQUEST', '/%zz' ],
	[ 400, 'BAD_REQUEST', '/../..' ],
	[ 400, 'BAD_REQUEST', '/', '-H "Host: a b"' ],
	[ 400, 'BAD_REQUEST', $LINK, '-d x -H "Content-Length: -1"' ],
	[ 403, 'FORBIDDEN', '/metrics', '--interface 127.0.0.2' ],
	[ 404, 'NOT_FOUND', '/_problem' ],
	[ 405, 'METHOD_NOT_ALLOWED', '/', '-X TRACE' ],
	[ 405, 'METHOD_NOT_ALLOWED', '/', '-X CONNECT' ],
	[ 413, 'PAYLOAD_TOO_LARGE', $LINK,
		'-d x -m 20 -H "Content-Length: 3000000"' ],
	[ 414, 'URI_TOO_LONG', '/' . substr $long, 0, 9000 ],
	[ 431, 'HEADER_TOO_LARGE', '/', '-H "X: ' . substr($long, 0, 9000) . '"' ],
	[ 431, 'HEADER_TOO_LARGE', '/', map { "-H 'X$_: "
		. substr($long, 0, 7000) . "'" } 1 .. 6 ],
	[ 501, 'NOT_IMPLEMENTED', $LINK, '-d x -H "Transfer-Encoding: foo"' ],
);

sub is_cut_or_own ($r, $version, $status, $code) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is_own($r, $version, $status, $code)
	    if $version == 1.1 || $r->{status} =~ /^\d/;
	like $r->{status}, qr/^curl: /, "HTTP/2: the connection ends for $code";
	is curled('http2', '/healthz')->{status}, 200, 'and nothing else';
}

for ([ 'http1.1', '1.1' ], [ 'http2', 2 ]) {
	my ($option, $version) = @$_;

	serve(\&with_tls);
	for (@OWN) {
		my ($status, $code, $path, @options) = @$_;
		# CONNECT: 400 in nginx 1.26
		next if $version == 2
		    && ($status == 501 || "@options" =~ /CONNECT/);
		my $r = curled($option, $path, qw(-g --path-as-is), @options);

		$status =~ /^4[13][14]$/
		    ? is_cut_or_own($r, $version, $status, $code)
		    : is_own($r, $version, $status, $code);
	}
	write_body('x' x 3_000_000);
	is_own(curled($option, $LINK, $post, "--data-binary \@$body"),
	    $version, 413, 'PAYLOAD_TOO_LARGE');
	is_own(curled($option, $LINK, $post, '-H "Transfer-Encoding: chunked"',
		"--data-binary \@$body"), $version, 413, 'PAYLOAD_TOO_LARGE')
	    if $version == 1.1;
	$c->stack('stop', 'pool');
	is_own(curled($option, '/ticket/lov'), $version, 502, 'NO_ANSWER');
	$c->stack('start', 'pool');

	serve(\&with_tls, RATE => 1);
	my $r;
	$c->wait_for(20, sub {
		($r = curled($option, '/ticket/lov'))->{status} == 429 });
	is_own($r, $version, 429, 'RATE_LIMITED');
	is $r->{headers}{'retry-after'}, 1, 'for a second';

	serve(sub ($site) { with_tls($site) =~ s/read_timeout 60s/read_timeout 1s/r },
	    CLIENT => 1);
	$c->rule(do => 'delay', ms => 3000);
	write_body(qq({"cttId":$ctt,"nttId":$ntt}));
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		sleep 0.4;
		POSIX::_exit(curled($option, '/ticket/lov')->{status} != 503);
	}
	is_own(curled($option, $LINK, $post, "--data-binary \@$body"),
	    $version, 504, 'NO_ANSWER');
	waitpid $pid, 0;
	is $?, 0, 'and 503 meanwhile for one too many';
	$c->no_rules;
	ok $c->wait_for(20, sub { $c->row(ctt => $ctt)->{ntt_id} }), 'it is done';
	is $c->post('/ticket/ctt/unlink/bulk', { items => [ { cttId => $ctt,
		nttId => $ntt } ] })->{status}, 200, 'and undone';
	$c->do('UPDATE operation SET updated_at = updated_at - INTERVAL 1 DAY');
	$c->stack('restart', 'memcached');
}

# ---- compressed, if it is worth it and the client can read it ----

serve(\&with_tls);
my @many = $c->given_ctts(100);
my $to_link = pop @many;
my $bulk = $tls->file('bulk.json');
spew($bulk, $JSON->encode({ items => [ map { { cttId => 0 + $_,
	nttId => 0 + $to_link } } @many[ 0 .. 19 ] ] }));
write_body($JSON->encode({ items => [ map { { cttId => 999_000 + $_,
	nttId => 1 } } 1 .. 20 ] }));
for ([ 'http1.1', '1.1' ], [ 'http2', 2 ]) {
	my ($option, $version) = @$_;

	for (
		[ 'a list', 200, 1, '/ticket/ctt?limit=100', $post ],
		[ 'openapi.json', 200, 1, '/openapi.json' ],
		[ 'a bulk', 200, 1, "$LINK/bulk?dryRun=true", $post,
			"--data-binary \@$bulk" ],
		# nginx compresses no other status than 200, 403 and 404
		[ 'a long problem', 422, 0, "$LINK/bulk", $post,
			"--data-binary \@$body" ],
		[ 'a short answer', 200, 0, '/ticket/ctt?limit=1', $post ],
		[ 'a short problem', 401, 0, '/ticket/lov' ],
		[ 'the metrics', 200, 0, '/metrics' ],
	) {
		my ($name, $status, $is_long, $path, @options) = @$_;
		my ($plain, $small) = map { curled($option, $path,
			"-H 'Accept-Encoding: $_'", @options) } qw(identity gzip);

		is_deeply [ map { my $r = $_; $r->{status}, map {
			$r->{headers}{$_} } qw(content-encoding vary) }
			$plain, $small ], [ $status, undef,
			($is_long ? 'Accept-Encoding' : undef), $status,
			$is_long ? qw(gzip Accept-Encoding) : (undef, undef) ],
		    "HTTP/$version: $name: "
		    . ($is_long ? 'compressed' : 'as it is');
		next if !$is_long;
		my $text = Compress::Zlib::memGunzip($small->{raw}) // '';
		is length $text, length $plain->{raw}, 'the same answer';
		cmp_ok 4 * length $small->{raw}, '<', length $text,
		    length($text) . ' bytes are ' . length $small->{raw};
	}
}

# ---- browsers, from an origin that is written down and from others ----

serve(sub ($site) { $site =~
	s{^\t#("https://portal\.example")}{\t$1}mr });
for (
	[ 'https://portal.example', 'https://portal.example' ],
	[ 'https://portal.example.evil', undef ], [ 'null', undef ],
) {
	my ($origin, $allowed) = @$_;
	my $from = "Origin: $origin\r\n";
	my @names = qw(access-control-allow-origin vary);
	my @want = ($allowed, $allowed && 'Origin');
	my $r = get_raw('OPTIONS ' . $LINK, $from
	    . "Access-Control-Request-Method: POST\r\n", to => $to, odd => 1);

	is_deeply [ $r->{status}, @{ $r->{headers} }{@names,
		'access-control-allow-methods', 'access-control-allow-headers' } ],
	    [ $allowed ? 204 : 405, @want, $allowed && 'GET, HEAD, POST, PUT',
		$allowed && 'Authorization, Content-Type, Idempotency-Key,'
		. ' X-Request-Id' ], "$origin: its preflight";
	for ([ 'GET /ticket/lov', 401 ], [ "OPTIONS $LINK", 405 ]) {
		my ($line, $status) = @$_;
		$r = get_raw($line, $from, to => $to);
		is_deeply [ $r->{status}, @{ $r->{headers} }{@names} ],
		    [ $status, @want ], "$line";
	}
}
serve(sub ($site) { $site });
is get_raw("OPTIONS $LINK", "Origin: https://portal.example\r\n"
    . "Access-Control-Request-Method: POST\r\n", to => $to)->{status}, 405,
    'as it ships, there is no such origin';
$tls->stop;

$c->stop;
done_testing;
