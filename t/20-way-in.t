# The way in: what is checked before any business rule, in which order, and
# how a refusal looks. None of it needs the database.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use IO::Select;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(slurp spew);

my $c = Ctt->start(pool => 2);
my $NOBODY = Ctt::NOBODY;
my $LINK = '/ticket/ctt/link';
my %viewer = (Authorization => 'Bearer '
	. $c->token(sub => 'vera', roles => ['ctt-viewer']));
my %nobody = (Authorization => undef);
my %text = ('Content-Type' => 'text/plain');
my $huge = '{"cttId":' . ' ' x (1 << 20);

# A request that is refused is refused alike with and without a database.
sub is_problem ($r, $status, $code, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $p = $r->{json} // {};
	my $id = $r->{headers}{'x-request-id'} // 'none';

	is_deeply [ $r->{status}, @$p{qw(status code requestId)},
		$r->{headers}{'content-type'},
		grep { !length($p->{$_} // '') } qw(type title detail) ],
	    [ $status, $status, $code, $id, 'application/problem+json' ],
	    "$name: $status $code" or diag $r->{raw};
}

# Each request also fails every check behind the one that it is there for.
my @ORDER = (
	[ 'path', DELETE => '/ticket/nothing', $huge, { %nobody, %text },
		404, 'NOT_FOUND' ],
	[ 'an id in the path', DELETE => '/ticket/ctt/0', $huge,
		{ %nobody, %text }, 404, 'NOT_FOUND' ],
	[ 'method', PUT => $LINK, $huge, { %nobody, %text },
		405, 'METHOD_NOT_ALLOWED' ],
	[ 'authentication', POST => $LINK, $huge, { %nobody, %text },
		401, 'UNAUTHENTICATED' ],
	[ 'permission', POST => $LINK, $huge, { %viewer, %text },
		403, 'FORBIDDEN' ],
	[ 'size', POST => $LINK, $huge, {%text}, 413, 'PAYLOAD_TOO_LARGE' ],
	[ 'media type', POST => $LINK, '{', {%text},
		415, 'UNSUPPORTED_MEDIA_TYPE' ],
	[ 'JSON', POST => $LINK, '{"cttId":0', {}, 400, 'MALFORMED_JSON' ],
	[ 'fields', POST => $LINK, '{"cttId":0}', {},
		422, 'VALIDATION_FAILED' ],
	[ 'bulk: permission', POST => "$LINK/bulk", '{', {%viewer},
		403, 'FORBIDDEN' ],
	[ 'bulk: fields', POST => "$LINK/bulk", '{}', {},
		422, 'VALIDATION_FAILED' ],
	[ 'reading: authentication', GET => '/ticket/ctt/1', undef, {%nobody},
		401, 'UNAUTHENTICATED' ],
	[ 'reading: a parameter', GET => '/ticket/ctt?limit=0', undef, {},
		422, 'VALIDATION_FAILED' ],
);

my @METHODS = (
	[ PUT => $LINK, 'POST' ], [ GET => "$LINK/bulk", 'POST' ],
	[ HEAD => $LINK, 'POST' ], [ POST => '/ticket/ctt', 'GET, HEAD' ],
	[ DELETE => '/ticket/ctt/1', 'GET, HEAD' ],
	[ PATCH => '/ticket/lov', 'GET, HEAD' ],
	[ POST => '/healthz', 'GET, HEAD' ],
	[ OPTIONS => '/ticket/operation/x', 'GET, HEAD' ],
);

my @TYPES = (
	[ undef, 415 ], [ 'text/json', 415 ], [ 'application/jsonx', 415 ],
	[ 'application/merge-patch+json', 415 ], [ 'application/json', 422 ],
	[ 'Application/JSON;charset=utf-8', 422 ],
	[ 'application/json ; x=y', 422 ],
);

# What is not JSON. Put into a member that nobody reads, or as the whole body.
my @MALFORMED = (
	'', ' ', '{', '{}}', '{} {}', 'nul', "{'x':1}", '{x:1}', '{"x":1,}',
	'{,}', '[1,]', '{"x" 1}', '{"x":01}', '{"x":+1}', '{"x":.5}',
	'{"x":1.}', '{"x":1e}', '{"x":-}', '{"x":0x1}', '{"x":NaN}',
	'{"x":Infinity}', '{"x":-Infinity}', '{"x":True}', '{"x":nil}',
	'{"x":1}/* */', '// x', "\xef\xbb\xbf{}", "{}\f", "{}\0", "\0{}",
	'{"x":"\\u0000"}', "{\"x\":\"a\0b\"}", "{\"a\\u0000b\":1}",
	"{\"x\":\"a\tb\"}", "{\"x\":\"a\nb\"}", '{"x":"\\x"}', '{"x":"\\u12"}',
	'{"x":"\\ud800"}', '{"x":"\\ud800a"}', '{"x":"\\udc00"}',
	'{"x":"\\udc00\\ud800"}', '{"x":"\\ud800\\ud800"}',
	"{\"x\":\"\xff\"}", "{\"x\":\"\xc3\"}", "{\"x\":\"\xc0\x80\"}",
	"{\"x\":\"\xe0\x80\xaf\"}", "{\"x\":\"\xed\xa0\x80\"}",
	"{\"x\":\"\xf4\x90\x80\x80\"}", "{\"\xff\":1}",
	'{"x":' . '[' x 16 . ']' x 16 . '}', '[' x 100_000,
	'{"x":"', '{"x":tru', '"', '{"x"',
);

my @WELL_FORMED = (
	' {} ', "\t\r\n{}\n", '{"x":{}}', '{"x":-0.0e-0}', '{"x":1E+400}',
	'{"x":"\\ud83d\\ude00"}', "{\"x\":\"\xf0\x9f\x98\x80\"}",
	'{"x":"\\u001f"}', '{"x":' . '[' x 15 . ']' x 15 . '}',
	'{"x":12345678901234567890123456789}', 'null', '7', '"x"', '[{}]',
);

# Parameters that nobody knows, or that come twice, by the names that are told;
# a change needs a body that is right, or its faults are told with these.
my @QUERIES = (
	[ POST => "$LINK?dryrun=true", 'dryrun' ],
	[ POST => "$LINK?dry_run=true", 'dry_run' ],
	[ POST => "$LINK?dry%52un=true", 'dry%52un' ],
	[ POST => "$LINK?dryRun=true&dryRun=false", 'dryRun' ],
	[ POST => "$LINK?dryRun=true&x=1&x=2&dryRun=true&dryRun=true", 'x', 'dryRun' ],
	[ POST => "$LINK?dryRun=1", 'dryRun' ],
	[ POST => "$LINK?dryRun=TRUE", 'dryRun' ],
	[ POST => "$LINK?dryRun=", 'dryRun' ],
	[ POST => "$LINK?dryRun", 'dryRun' ],
	[ POST => "$LINK?limit=1", 'limit' ],
	[ POST => "$LINK/bulk?x", 'x' ],
	[ GET => '/ticket/ctt?staus=Open', 'staus' ],
	[ GET => '/ticket/ctt?limit=1&limit=1&dryRun=true', 'limit', 'dryRun' ],
	[ GET => '/ticket/ctt?x=1&limit=0&linked=maybe', 'x', 'limit',
		'linked' ],
	[ GET => '/ticket/ctt?=1', '' ],
	[ GET => '/ticket/ctt?%ff=1&' . 'x' x 70 . '&"', '%ff', 'x' x 64, '"' ],
	[ GET => '/ticket/ctt/1?x', 'x' ], [ GET => '/ticket/ntt/1?q=x', 'q' ],
	[ GET => '/ticket/ntt/1/ctts?status=Open', 'status' ],
	[ GET => '/ticket/lov?limit=1', 'limit' ],
	[ GET => '/ticket/operation?requestid=x', 'requestid', 'requestId' ],
	[ GET => '/ticket/operation/x?limit=1', 'limit' ],
	[ GET => '/openapi.json?x', 'x' ], [ GET => '/healthz?x', 'x' ],
);

sub refusals () {
	for (@ORDER) {
		my ($name, $method, $path, $body, $headers, @want) = @$_;
		my $r = $c->request($method, $path, $body, %$headers);

		is_problem($r, @want, $name);
		is $r->{headers}{'www-authenticate'},
		    $r->{status} == 401 ? 'Bearer' : undef, 'WWW-Authenticate';
	}
	for (@QUERIES) {
		my ($method, $path, @fields) = @$_;
		my $r = $c->request($method, $path, $method eq 'GET' ? undef
			: $path =~ /bulk/ ? { items => [ { cttId => 1,
				nttId => 1 } ] } : { cttId => 1, nttId => 1 });

		is_problem($r, 422, 'VALIDATION_FAILED', $path);
		is_deeply [ sort map { $_->{field} } @{ $r->{json}{errors} } ],
		    [ sort @fields ], "names @fields";
	}
	for my $body ({ cttId => 1, nttId => 1, dryRun => \1 }, { cttId => 1,
		nttId => 1, dryRun => undef }) {
		my $r = $c->post($LINK, $body);

		is_problem($r, 422, 'VALIDATION_FAILED', 'dryRun in a body');
		is $r->{json}{errors}[0]{field}, 'dryRun', 'is named';
	}
	for my $encoding (qw(gzip GZIP deflate x)) {
		is_problem($c->post($LINK, '{}', 'Content-Encoding' =>
			$encoding), 415, 'UNSUPPORTED_MEDIA_TYPE', $encoding);
	}
	is $c->post($LINK, '{}', 'Content-Encoding' => 'identity')->{status},
	    422, 'as it is';
	for (@METHODS) {
		my ($method, $path, $allow) = @$_;
		my $r = $c->request($method, $path);

		$method eq 'HEAD' ? is $r->{status}, 405, "HEAD $path"
		    : is_problem($r, 405, 'METHOD_NOT_ALLOWED',
			"$method $path");
		is $r->{headers}{allow}, $allow, 'says what it takes';
	}
	for (@TYPES) {
		my ($type, $status) = @$_;

		is $c->post($LINK, '{}', 'Content-Type' => $type)->{status},
		    $status, 'type ' . ($type // 'missing') . ": $status";
	}
	for my $body (@MALFORMED) {
		is_problem($c->post($LINK, $body), 400, 'MALFORMED_JSON',
		    substr $body =~ s/[^ -~]/?/gr, 0, 30);
	}
	for my $body (@WELL_FORMED) {
		is $c->post($LINK, $body)->{status}, 422,
		    'JSON: ' . $body =~ s/[^ -~]/?/gr;
	}
	is_deeply [ map { $_->{field} } @{ $c->post("$LINK?x=1",
		{ remark => 1, dryRun => 1 }, 'Idempotency-Key' => 'a b')
		->{json}{errors} } ], [ 'x', 'dryRun', 'Idempotency-Key',
		'cttId', 'nttId', 'remark' ], 'all that is wrong at once';
}

refusals();
is $c->one('SELECT COUNT(*) FROM operation'), 0, 'nothing was journalled';

ok $c->stack('stop', 'db'), 'and all of it without a database';
refusals();
is_problem($c->link(1, 1), 503, 'DB_UNAVAILABLE', 'what is right needs it');
ok $c->stack('start', 'db'), 'which comes back';

{
	my $r = $c->post($LINK, '{"cttId":0,"nttId":"x","cttId":'
	    . "$NOBODY,\"ntt\\u0049d\":1}");
	is_problem($r, 404, 'CTT_NOT_FOUND', 'of a repeated member the last');
	$r = $c->post($LINK, '{"cttId":' . ' ' x ((1 << 20) - 20) . '0}');
	is $r->{status}, 422, 'just under 1 MiB';
}

# ---- HEAD, and the status line ----

{
	my $token = 'Authorization: Bearer ' . $c->token . "\r\n";
	my $ctt = $c->given(ctt => {});

	for (
		[ '/ticket/ctt', 200 ], [ "/ticket/ctt/$ctt", 200 ],
		[ '/ticket/ntt', 200 ], [ '/ticket/lov', 200 ],
		[ '/openapi.json', 200 ], [ '/healthz', 200 ],
		[ '/readyz', 200 ], [ "/ticket/ctt/$NOBODY", 404 ],
		[ '/nothing', 404 ], [ '/ticket/ctt?limit=0', 422 ],
		[ $LINK, 405 ],
	) {
		my ($path, $status) = @$_;
		my ($get, $head) = map { $c->raw("$_ $path HTTP/1.1\r\n"
			. "Host: x\r\nConnection: close\r\n"
			. "X-Request-Id: x\r\n$token\r\n") } qw(GET HEAD);
		$get = $head if $status == 405;    # HEAD too, where GET is

		is_deeply [ $head->{status}, $head->{raw},
			@{ $head->{headers} }{qw(content-length content-type)} ],
		    [ $status, '', @{ $get->{headers} }{qw(content-length
			content-type)} ], "HEAD $path: as GET, without its body";
		cmp_ok $head->{headers}{'content-length'}, '>', 0, 'of a length';
	}
	for (
		[ 'GET /healthz', '', '200 OK' ],
		[ 'GET /nothing', '', '404 Not Found' ],
		[ 'GET /ticket/lov', '', '401 Unauthorized' ],
		[ 'GET /ticket/ctt?x=1', $token, '422 Unprocessable Content' ],
	) {
		my ($line, $header, $want) = @$_;
		my $socket = $c->raw_socket;

		print $socket "$line HTTP/1.1\r\nHost: x\r\n"
		    . "Connection: close\r\n$header\r\n";
		is readline($socket), "HTTP/1.1 $want\r\n", "$line: $want";
	}
}

# ---- who is not who they say ----

for (
	[ undef, qr/^Bearer$/ ],
	[ 'Bearer x', qr/^Bearer error="invalid_token", error_description="[^"]+\."$/ ],
	[ 'Basic x', qr/^Bearer$/ ],
) {
	my ($header, $want) = @$_;
	like $c->get('/ticket/lov', Authorization => $header)
	    ->{headers}{'www-authenticate'}, $want, $header // 'no token';
}

# ---- one of many with wrong fields fails alone ----

sub outcomes ($r) {
	return [ $r->{status}, map { $_->{error}
		? [ $_->{error}{code}, map { $_->{field} }
			@{ $_->{error}{errors} // [] } ] : $_->{outcome} }
		@{ $r->{json}{results} } ];
}

{
	my @ctts = $c->given((map { (ctt => {}) } 1 .. 3), ntt => {});
	my $ntt = pop @ctts;
	my @bad = ({}, 1, { cttId => '', nttId => $ntt, remark => [],
		dryRun => \1 });
	my @faults = ([ 'VALIDATION_FAILED', 'cttId', 'nttId' ],
		[ 'VALIDATION_FAILED', '' ],
		[ 'VALIDATION_FAILED', 'dryRun', 'cttId', 'remark' ]);

	for (
		[ [ @bad, { cttId => $ctts[0], nttId => $ntt } ],
			[ 207, @faults, 'linked' ] ],
		[ \@bad, [ 422, @faults ] ],
	) {
		my ($items, $want) = @$_;
		my $r = $c->post("$LINK/bulk", { items => $items });

		is_deeply outcomes($r), $want, 'each fails for itself';
		is $r->{json}{failed}, 3, 'and is counted';
		is $r->{json}{results}[0]{operationId}, undef, 'unbegun';
	}
	is_deeply outcomes($c->post("$LINK/bulk?dryRun=true", { items => [
		$bad[0], { cttId => $ctts[1], nttId => $ntt } ] })),
	    [ 200, $faults[0], 'linked' ], 'in a dry run too';
	for my $items (undef, [], {}, [ (1) x 501 ]) {
		is_problem($c->post("$LINK/bulk", { items => $items }), 422,
		    'VALIDATION_FAILED', 'what is no list of 1 to 500');
	}
	my $r = $c->move_to($ntt, [ 0, $ctts[1], [], '  ' ]);
	is_deeply outcomes($r), [ 207, [ 'VALIDATION_FAILED', 'cttIds[0]' ],
		'linked', map { [ 'VALIDATION_FAILED', "cttIds[$_]" ] } 2, 3 ],
	    'in a move';
	is_deeply outcomes($c->move_to($ntt, [0])), [ 422,
		[ 'VALIDATION_FAILED', 'cttIds[0]' ] ], 'that has no other';
	is $c->move_to('N-none', [ 0, $ctts[1] ])->{json}{code},
	    'NTT_NOT_FOUND', 'or no target';
	$r = $c->unlink_from($ntt, [ 0, $ctts[1], {} ]);
	is_problem($r, 422, 'VALIDATION_FAILED', 'an unlink is all or none');
	is_deeply [ map { $_->{field} } @{ $r->{json}{errors} } ],
	    [ 'cttIds[0]', 'cttIds[2]' ], 'it names each';
	my $again = sub { $c->post("$LINK/bulk", { items => [ @bad,
		{ cttId => $ctts[2], nttId => $ntt } ] },
		'Idempotency-Key' => 'faulty') };
	my @twice = map { $again->() } 1, 2;
	is_deeply outcomes($twice[1]), [ 207, @faults, 'linked' ],
	    'with a key, again';
	is $twice[1]{raw}, $twice[0]{raw}, 'to the byte';
}

# ---- numbers that were pasted ----

{
	my ($ctt, $ntt) = $c->given(ctt => { ticket_no => 'C 1' }, ntt =>
	    { ticket_no => 'N-1' });
	my @blanks = (' ', "\t", "\r\n", map { chr } 0xa0, 0x1680, 0x2007,
		0x202f, 0x3000, 0xfeff);

	for my $blank (@blanks) {
		my $r = $c->post("$LINK?dryRun=true", { cttId => $blank x 2
			. "C 1$blank", nttId => "N-1$blank" });
		is $r->{json}{ctt}{id}, $ctt, sprintf 'a number between U+%04X',
		    ord $blank;
	}
	for my $no (' ', "\x{a0}" x 3, "C\t1", "C 1\0", "C 1\x{7f}", 'x' x 65) {
		is $c->link($no, 'N-1')->{json}{errors}[0]{field} // 'cttId',
		    'cttId', 'what is no number';
	}
	is $c->link(' ' x 90 . 'x' x 64, 'N-1')->{json}{code}, 'CTT_NOT_FOUND',
	    'blanks are not counted';
	is $c->link("C\x{a0}1", 'N-1')->{json}{code}, 'CTT_NOT_FOUND',
	    'nor dropped inside';
	is_deeply outcomes($c->unlink_from('N-1', [ $ctt, 'C 1 ' ])),
	    [ 422, [ 'NOT_ATTEMPTED' ], [ 'VALIDATION_FAILED', 'cttIds[1]' ] ],
	    'named twice, all the same';
}

# ---- remarks ----

{
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	my $remark = sub ($own, $common) {
		my $r = $c->post("$LINK/bulk?dryRun=true", { items => [ {
			cttId => $ctt, nttId => $ntt, defined $own
			? (remark => $own) : () } ],
			defined $common ? (remark => $common) : () });
		return $r->{json}{results}[0]{error}
		    ? $r->{json}{results}[0]{error}{errors}[0]{field}
		    : $r->{json}{results}[0]{remark};
	};

	for (
		[ 'mine', 'all', 'mine' ], [ undef, 'all', 'all' ],
		[ '', 'all', 'all' ], [ " \n\t\x{a0}\x{3000}", 'all', 'all' ],
		[ ' ', " \r\n", undef ], [ undef, undef, undef ],
		[ " a\r\nb\rc\n ", undef, " a\nb\nc\n " ],
		[ "\r\n" x 2000 . 'x', undef, 'remark' ],
		[ "\r\n" x 1999 . 'x', undef, "\n" x 1999 . 'x' ],
		[ "a\x0b", undef, 'remark' ], [ "\x{85}", undef, 'remark' ],
	) {
		my ($own, $common, $want) = @$_;
		is $remark->($own, $common), $want, 'a remark: '
		    . substr(($own // 'none') =~ s/[^ -~]/?/gr, 0, 9) . ', '
		    . ($common // 'none') =~ s/[^ -~]/?/gr;
	}
	my $r = $c->link($ctt, $ntt, remark => "\x{a0}\n");
	is $c->row(operation => $r->{json}{operationId})->{remark}, undef,
	    'one of blanks is none';
	is_deeply [ $c->heard('taas') ]->[-1]{body}{remark}, undef,
	    'for the partner too';
}

# ---- the request's id ----

for (
	[ 'abc', 1 ], [ 'A-z_0.9', 1 ], [ 'x' x 64, 1 ], [ 'x' x 65, 0 ],
	[ 'a b', 0 ], [ 'a/b', 0 ], [ '"', 0 ], [ '', 0 ],
) {
	my ($id, $kept) = @$_;
	my $r = $c->post($LINK, '{', 'X-Request-Id' => $id);
	my $got = $r->{headers}{'x-request-id'};

	is $got eq $id, !!$kept, "id '$id' is " . ($kept ? 'kept' : 'replaced');
	like $got, qr/^[A-Za-z0-9._-]{1,64}$/, 'and one as it should be';
	is $r->{json}{requestId}, $got, 'in the problem too';
}
isnt $c->get('/healthz')->{headers}{'x-request-id'},
    $c->get('/healthz')->{headers}{'x-request-id'}, 'each has another';

# ---- nginx's own answers ----

my $end = "Host: x\r\nConnection: close\r\n";
for (
	[ 'a body over its limit', "POST $LINK HTTP/1.1\r\n${end}"
		. "Content-Length: 3000000\r\n\r\n", 413, 'PAYLOAD_TOO_LARGE' ],
	[ 'a long path', 'GET /' . 'x' x 40_000 . " HTTP/1.1\r\n$end\r\n",
		414, 'URI_TOO_LONG' ],
	[ 'a long header', "GET / HTTP/1.1\r\n${end}X: " . 'x' x 40_000
		. "\r\n\r\n", 431, 'HEADER_TOO_LARGE' ],
	[ 'no host', "GET / HTTP/1.1\r\n\r\n", 400, 'BAD_REQUEST' ],
	[ 'no HTTP', "GET / FTP/1.1\r\n$end\r\n", 400, 'BAD_REQUEST' ],
	[ 'its own page', "GET /_problem HTTP/1.1\r\n$end\r\n",
		404, 'NOT_FOUND' ],
) {
	my ($name, $bytes, @want) = @$_;
	is_problem($c->raw($bytes), @want, "nginx: $name");
}

# Whoever sends half a body, or keeps a connection open, holds no process.
{
	my $head = "Host: x\r\nContent-Type: application/json\r\n"
		. 'Authorization: Bearer ' . $c->token . "\r\n";
	my @idle = map { IO::Socket::INET->new(PeerAddr =>
		$c->env('CTT_HTTP_URL') =~ s{^http://}{}r) } 1 .. 8;

	my $began = time;

	for my $i (0 .. $#idle) {
		print { $idle[$i] } "POST $LINK HTTP/1.1\r\n$head"
		    . ($i % 2 ? "Content-Length: 100\r\n\r\n{"
			: "Content-Length: 2\r\n\r\n{}");
		readline $idle[$i] unless $i % 2;
	}
	is $c->get('/ticket/lov')->{status}, 200, 'eight who idle' for 1 .. 4;
	cmp_ok time - $began, '<', 5, 'hold up nobody';
}

# One client that asks too often is told so; in the conf of tests, that is more
# often than it can.
{
	my $conf = $c->dir . '/etc/ctt.conf';
	my $text = slurp($conf);
	$text =~ s/rate=\d+r/rate=1r/;
	$text =~ s/burst=\d+ nodelay/nodelay/;
	spew($conf, $text);
	kill 'HUP', $c->pid('nginx');

	my $r;
	ok $c->wait_for(10, sub {
		($r = $c->get('/ticket/lov'))->{status} == 429;
	}), 'more than one request a second';
	is_problem($r, 429, 'RATE_LIMITED', 'nginx: a client that hurries');
	is $r->{headers}{'retry-after'}, 1, 'come again';
	is $c->get('/healthz')->{status}, 200, 'monitoring is not limited'
	    for 1 .. 3;
}
ok $c->stack('restart', 'nginx'), 'nginx is as it was';

ok $c->stack('stop', 'pool'), 'the pool goes';
{
	my $r = $c->post($LINK, {}, 'X-Request-Id' => 'gone-1');
	is_problem($r, 502, 'NO_ANSWER', 'nobody there');
	like $r->{json}{detail}, qr{/ticket/operation\?requestId=gone-1$},
	    'says where to look';
}
ok $c->stack('start', 'pool'), 'the pool comes back';
is $c->get('/healthz')->{status}, 200, 'and answers';

# ---- what the caller has given up on is never started ----

sub record ($type, $content) {
	return pack('CCnnCC', 1, $type, 1, length $content, 0, 0) . $content;
}

# A POST as nginx would pass it on, received so many seconds ago; what is done
# before its body comes.
sub fastcgi_post ($path, $body, $waited, $meanwhile = sub { }) {
	my %param = (REQUEST_METHOD => 'POST', REQUEST_URI => $path,
		CONTENT_TYPE => 'application/json',
		CONTENT_LENGTH => length $body, CTT_REQUEST_ID => 'late',
		HTTP_AUTHORIZATION => 'Bearer ' . $c->token,
		CTT_RECEIVED => sprintf '%.3f', time - $waited);
	my $socket = IO::Socket::UNIX->new($c->dir . '/ctt.sock')
	    or die "the pool: $!";

	print $socket record(1, pack 'nCx5', 1, 0),
	    record(4, join '', map { pack('NN', length($_) | 1 << 31,
		length($param{$_}) | 1 << 31) . $_ . $param{$_} } keys %param),
	    record(4, '');
	$meanwhile->();
	print $socket record(5, $body), record(5, '');
	my $out = '';
	while (read $socket, my $head, 8) {
		my (undef, $type, undef, $length, $pad) = unpack 'CCnnC', $head;
		read $socket, my $content, $length + $pad;
		$out .= substr $content, 0, $length if $type == 6;
	}
	my $r = $c->parse($out);
	$r->{headers}{'x-request-id'} = 'late';    # nginx would
	return $c->hold({ method => 'POST', path => $path, body => $body }, $r);
}

{
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	my $body = qq({"cttId":$ctt,"nttId":$ntt});

	my $r = fastcgi_post($LINK, $body, 25.5);
	is $r->{json}{code}, 'DEADLINE_PASSED', 'after 25 s in the queue';
	is $r->{status}, 503, 'is refused';
	like $r->{headers}{'retry-after'}, qr/^\d+$/, 'try again';
	is $c->one('SELECT COUNT(*) FROM operation WHERE ctt_id = ?', $ctt), 0,
	    'nothing was begun';
	$r = fastcgi_post($LINK, $body, 24);
	is $r->{json}{ctt}{linkState}, 'linked', 'after 24 s it is done';
	$r = fastcgi_post($LINK, $body, -60);
	is $r->{json}{code}, 'CTT_ALREADY_LINKED', 'by a clock that is ahead';

	my @pids = $c->pids('pool');
	$r = fastcgi_post($LINK, $body, 0, sub {
		sleep 0.3;    # now one of them reads
		kill 'TERM', @pids;
	});
	is $r->{json}{code}, 'CTT_ALREADY_LINKED', 'who is to stop first'
	    . ' finishes what it reads';
	ok $c->wait_for(10, sub { my %now = map { $_ => 1 } $c->pids('pool');
		keys %now == @pids && !grep { $now{$_} } @pids }),
	    'and stops then';
}

# ---- what is no request to FastCGI ----

# Whoever may connect to the pool's socket is let go of; no process dies of it, or
# waits for what does not come.
{
	my @pids = $c->pids('pool');
	my $begin = record(1, pack 'nCx5', 1, 0);
	my $param = sub ($name, $value, @said) {
		return pack('NN', map { $_ | 1 << 31 } @said ? @said
			: (length $name, length $value)) . $name . $value;
	};
	my $get = join '', map { $param->(@$_) } [ REQUEST_METHOD => 'GET' ],
	    [ REQUEST_URI => '/healthz' ], [ CTT_REQUEST_ID => 'raw' ];
	my $rest = record(4, '') . record(5, '');
	my $whole = $begin . record(4, $get) . $rest;
	my $answer = sub (@pieces) {
		my $socket = IO::Socket::UNIX->new($c->dir . '/ctt.sock')
		    or die "the pool: $!";
		local $SIG{PIPE} = 'IGNORE';
		syswrite($socket, $_) // last for @pieces;
		my $read = '';
		while (IO::Select->new($socket)->can_read(10)) {
			sysread $socket, $read, 65536, length $read
			    or return $read;
		}
		return "$read and no end";
	};

	like $answer->($whole), qr/Status: 200/, 'a request';
	like $answer->(split //, $whole), qr/Status: 200/, 'byte by byte';
	for (
		[ 'a name of 2 GiB', $begin . record(4, $get
			. $param->('x', 'y', 0x7fffffff, 1)) . $rest ],
		[ 'a value of 1 GiB', $begin . record(4, $get
			. $param->('x', 'y', 1, 0x40000000)) . $rest ],
		[ 'both of 2 GiB', $begin . record(4, $get . $param->('x', 'y',
			0x7fffffff, 0x7fffffff)) . $rest ],
		[ 'parameters without an end', $begin
			. record(4, 'x' x 65_000) x 3 ],
		[ 'management', pack('CCnnCC', 1, 9, 0, 0, 0, 0) . $whole ],
		[ 'HTTP', "GET /healthz HTTP/1.1\r\n\r\n" ],
	) {
		is $answer->($_->[1]), '', "$_->[0]: no answer";
	}
	my @idle = map { my $socket = IO::Socket::UNIX->new($c->dir
		. '/ctt.sock') or die "the pool: $!"; print $socket $begin;
		$socket } @pids;
	is $c->get('/healthz')->{status}, 200,
	    'half a beginning for each process: another is served all the same';
	is_deeply [ $c->pids('pool') ], \@pids, 'no process has died';
	ok scalar(grep { /event=not_fastcgi/ } $c->log_lines('pool')),
	    'and the log has it';
}

ok $c->quiet, 'all jobs are delivered';
$c->stop;

# A partner is not asked when there is no time left for its answer.
$c = Ctt->start(pool => 1, workers => 0,
    set => { CTT_PARTNER_TIMEOUT_MS => 28_000, CTT_SYNC_CONCURRENCY => 1 });
{
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	my $r = fastcgi_post($LINK, qq({"cttId":$ctt,"nttId":$ntt}), 24);

	is $r->{json}{code}, 'DEADLINE_PASSED',
	    'a request of which the time is over';
	is $c->one('SELECT COUNT(*) FROM operation'), 0, 'begins nothing';
	is scalar $c->heard('taas'), 0, 'asks no partner any more';

	# Two seconds are left, and each call takes one.
	my @ctts = $c->given(map { (ctt => {}) } 1 .. 6);
	$c->sim(PUT => '/latency', { taas => 1000 });
	$r = fastcgi_post("$LINK/bulk", sprintf('{"items":[%s]}', join ',',
		map { qq({"cttId":$_,"nttId":$ntt}) } @ctts), 20);
	my @done = grep { $_->{outcome} eq 'linked' }
	    @{ $r->{json}{results} };
	cmp_ok scalar @done, '>', 0, 'a bulk, whose time ends: some are linked';
	cmp_ok scalar @done, '<', 6, 'the others are not';
	is scalar $c->heard('taas'), @done, 'their partner is not called';
	$c->agree;
}
$c->stop;
done_testing;
