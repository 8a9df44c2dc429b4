package Generate;

# Requests made out of openapi.json, most of them wrong. The document has a
# good request for each operation, its example; from that are made
#
#	one wrong thing at a time: each field, parameter, header and part of
#	a request, by each of the kinds below;
#	and at random: several at once, or a body that was damaged.
#
#	for my $recipe (Generate::recipes($seed, $n)) {
#		my $r = Generate::request($recipe, $base);
#		print $socket Generate::bytes($r, $token);
#	}
#
# $base is {path, body} of a good request for $recipe->{operation}. A request
# has `want`: the statuses that it may be refused with, undef where it stays
# right, or depends on what is stored; and `fields`, those that `errors` has
# to name. What is wrong in a field or a parameter the document itself says.

use v5.36;

use Cpanel::JSON::XS ();
use Encode qw(encode_utf8);
use List::Util qw(shuffle);

use Api ();

my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;

sub json ($data) { return $JSON->encode($data) }
sub text (@strings) { return map { json($_) } @strings }

# ---- what a field is given ----

my @SQL = ("' OR '1'='1", q("; DROP TABLE ctt; --), "1; SELECT SLEEP(9)", "\\",
	"\\'", "%", "_", "x' UNION SELECT * FROM lov -- ", "*/", "`ctt`",
	"0x31", "C-1'||'", '$[*]', "NULL", "\\0", "C-1\\");
my @PATHS = ('../../../etc/passwd', '..%2f..', 'C-1%00', '/', '//', '.', '..',
	'C-1/link', 'C-1?x=1#y', 'C:\\x', 'file:///etc/passwd', "C-1;x");
my @FORMAT = ('%s%n%s%n%x', '${jndi:ldap://x}', '{{7*7}}', '$(id)', '`id`',
	'<script>alert(1)</script>', '"}', '{"cttId":1}', '&quot;', '&#0;',
	'a' x 40 . '%99999999d');
my @UNICODE = ("\x{feff}x", "\x{202e}x", "\x{ffff}", "\x{10ffff}", "e\x{301}",
	"\x{ff11}\x{ff17}", "\x{df}", "\x{200b}", "\x{1f600}", "x\x{301}" x 32,
	"\x{fdfa}" x 64, "\x{2028}", "\x{130}", "C-1\x{a0}");

# Each kind: JSON texts, or what makes one of the good text and of how deep in
# the body it stands.
my %VALUES = (
	null => ['null'],
	boolean => [qw(true false)],
	array => [ '[]', '[null]', '[[]]', sub ($good, $) { "[$good]" } ],
	object => [ '{}', '{"id":1}', '{"$ne":null}',
		sub ($good, $) { qq({"x":$good}) } ],
	integer => [qw(1 7 255)],
	'number in quotes' => [ text('7', ' 7', '7 ', '007', '+7', '0x7', '7.0',
			'1e1', '9' x 64) ],
	zero => [ '0', '-0' ],
	negative => [qw(-1 -17 -2147483649 -9007199254740991
		-9223372036854775808 -9223372036854775809)],
	fraction => [ qw(1.5 1.0 0.1 1e0 -0.0 17.0000000000000001),
		'1.' . '0' x 400 . '1' ],
	huge => [ qw(9007199254740992 9223372036854775807 9223372036854775808
		18446744073709551615 18446744073709551616
		18446744073709551633 123456789012345678901234567890),
		'9' x 400, '9' x 5000 ],
	exponent => [qw(1e400 -1e400 1e-400 1E+2 1e99999999999 17e0)],
	limit => [qw(9007199254740991 400000 400001 4294967295 4294967296
		2147483648)],
	empty => [ text('', ' ', "\t", "\x{a0}") ],
	long => [ text((map { 'x' x $_ } 32, 33, 64, 65, 255, 256, 2000, 2001,
			70_000), (map { "\x{1f600}" x $_ } 64, 65, 2000, 2001)),
		'"' . '\ud83d\ude00' x 65 . '"' ],
	control => [ text(map { "a${_}b" } "\x01", "\b", "\x0b", "\r", "\x1b",
			"\x1f", "\x7f", "\x{80}", "\x{85}", "\x{9f}") ],
	lines => [ text("a\nb", "a\tb", "\n", "x\r\nX-Evil: 1") ],
	unicode => [ text(@UNICODE) ],
	'almost the same' => [ map { my $end = $_;
		sub ($good, $) { $good =~ /^"/ ? $good =~ s/"\z/$end"/r
		    : qq("$good$end") } } '', ' ', '\u0301', '\u00a0', '\u200d',
		'\/', "'" ],
	SQL => [ text(@SQL) ],
	'path trick' => [ text(@PATHS) ],
	format => [ text(@FORMAT) ],
	'too many' => [ (map { my $n = $_; sub ($good, $) {
			$good =~ /^\[(.*)\]\z/s ? '[' . join(',', ($1) x $n) . ']'
			: '[' . join(',', 1 .. $n) . ']' } } 2, 500, 501) ],
	'unknown members' => [ map { my $member = $_;
		sub ($good, $) { $good =~ /^\{./ ? $good =~ s/^\{/{$member,/r
		    : "{$member}" } } '"__proto__":{}', '"":null',
		'"' . 'x' x 9000 . '":1', join(',', map { qq("x$_":1) } 1 .. 2000),
		'"\ud83d\ude00":"x"' ],
	'16 deep' => [ sub ($, $level) {
		'[' x (16 - $level) . ']' x (16 - $level) } ],
);

# The same, where the body is JSON no more.
my %MALFORMED = (
	'half a surrogate' => [ map { qq("$_") } '\ud800', '\udc00', '\ud800a',
		'\ud800\ud800', 'x\udfff', "\xed\xa0\x80" ],
	NUL => [ '"\u0000"', qq("a\0b"), "\0", qq("\0") ],
	'raw control' => [ map { qq("a${_}b") } "\t", "\n", "\r", "\x01",
		"\x1f" ],
	'invalid UTF-8' => [ map { qq("$_") } "\xff", "\xc3", "\xc0\x80",
		"\xe0\x80\xaf", "\xf4\x90\x80\x80", "\x80", "\xf0\x9f\x98" ],
	'no number' => [ qw(01 +1 .5 1. 0x11 NaN Infinity -Infinity - 1e 1e+
		-01 1_000 --1 1.e1) ],
	'no JSON' => [ qw(tru nul True nil undefined 'x' "x "\x" "\u12" } ] : ),
		',', '1 2', '"a" "b"', '{', '[', '{"a"}', '{"a":}', '[1,]',
		'{"a":1,}', '/**/1', '"\\' ],
	deep => [ map { my $n = $_; sub ($, $level) {
		my $deep = $n + 17 - $level;
		'[' x $deep . ']' x $deep } } 0, 1, 100, 100_000 ],
	'deep objects' => [ map { '{"a":' x $_ . '1' . '}' x $_ } 17, 20_000 ],
);

# ---- what the operations are, and their fields ----

sub operations () {
	my $paths = Api::document()->{paths};

	return map { my $path = $_;
		map {
			my $o = $paths->{$path}{$_};
			my $json = ($o->{requestBody} // {})->{content}
			    {'application/json'};
			{ name => "\U$_\E $path", method => uc, path => $path,
				document => $o, example => $json->{example},
				schema => $json->{schema},
				closed => !$o->{security}
				    || @{ $o->{security} } > 0 };
		} sort keys %{ $paths->{$path} };
	} sort keys %$paths;
}

# A schema with all that `allOf` adds to it.
sub whole ($schema) {
	my $s = Api::deref($schema);
	my @parts = (map({ whole($_) } @{ $s->{allOf} // [] }), $s);

	return { %$s, properties =>
		    { map { %{ $_->{properties} // {} } } @parts } };
}

# Every place in a body: the keys and indices that lead there.
sub places ($schema, $value, @at) {
	my $s = whole($schema);
	my $n = ref $value eq 'ARRAY' ? @$value : 0;
	my $p = $s->{properties};

	return \@at,
	    (map { places($p->{$_}, ref $value eq 'HASH' ? $value->{$_} : undef,
		@at, $_) } sort keys %$p),
	    map { places($s->{items}, $value->[$_], @at, $_) } 0 .. $n - 1;
}

sub name_of (@at) {
	return join('.', @at) =~ s/\.(\d+)/[$1]/gr;
}

# ---- changes of a body: of its data, each at a place ----

my $SLOT = 'VALUE-GOES-HERE-';

sub parent_of ($body, @at) {
	my $node = $$body;

	for my $key (@at[ 0 .. $#at - 1 ]) {
		$node = ref $node eq 'HASH' ? $node->{$key}
		    : ref $node eq 'ARRAY' ? $node->[$key] : return;
	}
	return ref $node && $node;
}

sub value_at ($body, @at) {
	my $node = $body;

	$node = ref $node eq 'HASH' ? $node->{$_}
	    : ref $node eq 'ARRAY' ? $node->[$_] : undef for @at;
	return $node;
}

sub put ($body, $at, $value) {
	return $$body = $value if !@$at;
	my $node = parent_of($body, @$at) or return;

	ref $node eq 'HASH' ? $node->{ $at->[-1] } = $value
	    : ($node->[ $at->[-1] ] = $value);
}

sub remove ($body, $at) {
	my $node = parent_of($body, @$at) or return;

	ref $node eq 'HASH' ? delete $node->{ $at->[-1] }
	    : splice @$node, $at->[-1], 1;
}

# The text of a body with these changes: [place, JSON text or undef: absent].
sub body_text ($body, @changes) {
	my $copy = $JSON->decode(json($body));
	my @texts;

	for my $change (@changes) {
		my ($at, $value) = @$change;

		if (defined $value) {
			my $good = json(value_at($body, @$at) // 'x');
			push @texts, ref $value
			    ? $value->($good, scalar @$at) : $value;
			put(\$copy, $at, $SLOT . $#texts);
		} else {
			remove(\$copy, $at);
		}
	}
	return json($copy) =~ s/"$SLOT(\d+)"/$texts[$1]/gr;
}

# A member twice: of the two the last counts.
sub twice ($at, $first, $second) {
	my $name = json($at->[-1]);

	return [ $at, sub ($good, $) {
		my ($a, $b) = map { $_ // $good } $first, $second;
		"$a,$name:$b" } ];
}

# ---- other parts of a request ----

my @METHODS = qw(GET POST PUT DELETE PATCH HEAD OPTIONS TRACE CONNECT PROPFIND
	get POSTT G-T);

my @TYPES = (undef, 'text/plain', 'text/json', 'application/jsonx', '',
	'application/merge-patch+json', 'application/x-www-form-urlencoded',
	'multipart/form-data; boundary=x', 'application', '*/*', '/', ';',
	"application/json\xff", ' ', 'x' x 4000, 'application/json, text/plain');

# In a path that has no id in it these are other paths, or none.
my @DETOURS = (sub { "$_[0]/" }, sub { "/$_[0]" }, sub { "$_[0]/." },
	sub { "/.$_[0]" }, sub { "/x/..$_[0]" }, sub { "$_[0]/../../metrics" },
	sub { uc $_[0] }, sub { $_[0] =~ s{(.)$}{sprintf '%%%02x', ord $1}er },
	sub { $_[0] =~ s{/}{%2f}r }, sub { "$_[0]%00" }, sub { "$_[0]%0a" },
	sub { "$_[0];x=1" }, sub { "$_[0].json" }, sub { "$_[0]#x" },
	sub { $_[0] =~ s{/}{\\}gr }, sub { "$_[0]%" }, sub { "$_[0]%zz" },
	sub { "$_[0]\xff" }, sub { "$_[0]%c0%ae" }, sub { $_[0] . 'x' x 6000 },
	sub { $_[0] . '/x' x 3000 }, sub { $_[0] =~ s{^/}{}r });

my @IDS = (qw(0 -1 1.0 1e2 0x11 a 00000000000000000 9007199254740992 '
	18446744073709551617 99999999999999999999 %31 1%00 %00 1%0a %ff .. .
	17; +17 %2017 1/ / %d9%a1), '', '1,2', "\xd9\xa1", '1' x 17, 'x' x 65,
	"1'--", '1%20OR%201=1', 'x' x 5000);

my @TOKENS = (undef, '', 'Bearer', 'Bearer ', 'Basic b2xnYTp4', 'Bearer x.y.z',
	'Bearer ..', 'Bearer ' . 'A' x 6000, "Bearer \xff\xfe",
	'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ.',
	sub ($t) { substr $t, 0, -1 }, sub ($t) { $t . 'x' },
	sub ($t) { $t =~ s/\./../r }, sub ($t) { $t =~ s/^Bearer //r },
	sub ($t) { "$t $t" }, sub ($t) { $t =~ tr/a-z/b-za/r });

my @KEYS = ('', ' ', 'x' x 128, 'x' x 129, 'a b', "\xc3\xa9", "\x7f", "a\tb",
	@SQL[ 0 .. 4 ], @PATHS[ 0 .. 3 ], '~', 'x' x 4000);

# Of a query; undef: the parameter alone, without a value.
my @PARAMETERS = ((map { s/([^A-Za-z0-9])/sprintf '%%%02x', ord $1/ger }
	'', '0', '1', '-1', '200', '201', '1.5', '1e2', '1e400', '+5', ' 5',
	'9007199254740991', '9007199254740992', '18446744073709551617',
	'9' x 400, 'true', 'false', 'TRUE', 'True', '1true', 'null', '[]',
	(map { 'x' x $_ } 32, 33, 64, 65, 2000), "a\nb", "\x01", "\x7f",
	(map { encode_utf8("\x{e9}" x $_) } 32, 33, 64, 65),
	(map { encode_utf8($_) } @UNICODE), @SQL, @PATHS, @FORMAT),
	undef, '%00', 'a%00b', '%', '%4', '%zz', '%ff', '%c0%80', '%ed%a0%80',
	'tru%65', '%74rue', '+', '=', '==true', '?', "\xff", '%u0031');

# Bodies as a whole: not JSON, or not an object.
my @BODIES = ('', ' ', '{', '}', '{}}', '{} {}', '[', "\xef\xbb\xbf{}", "{}\0",
	"\0", '// x', '{}/**/', 'x=1&y=2', "\x1f\x8b\x08\0", "{\0}\0",
	'"', '[' x 100_000,
	"--x\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--x--", '{"a":1',
	'<?xml version="1.0"?><a/>');

# How a request goes over the wire: the name, what it may be answered, and the
# bytes of it, made of the usual head and the body. undef: it stays right; an
# empty list: there need not be an answer.
my $HEAD_FAULT = [ 400, 431 ];
my @WIRE = (
	[ 'chunked', undef, sub ($h, $b) { chunked($h, $b =~ /(.{1,9})/gs) } ],
	[ 'chunked, with extensions', undef, sub ($h, $b) {
		chunked($h, $b) =~ s/\r\n\r\n(\w+)/\r\n\r\n000$1;x=y/r } ],
	[ 'chunked, with a trailer', undef, sub ($h, $b) {
		chunked($h, $b) =~ s/\r\n\z/X-Tail: 1\r\n\r\n/r } ],
	[ 'chunks without a size', [400], sub ($h, $b) {
		chunked($h, $b) =~ s/\r\n\r\n\w+/\r\n\r\nzz/r } ],
	[ 'a chunk of a negative size', [400], sub ($h, $b) {
		chunked($h, $b) =~ s/\r\n\r\n\w+/\r\n\r\n-5/r } ],
	[ 'a chunk of 2^64', [ 400, 413 ], sub ($h, $b) {
		chunked($h, $b) =~ s/\r\n\r\n\w+/\r\n\r\nfffffffffffffffff/r } ],
	[ 'a chunk of 2^63 - 1', [ 400, 413 ], sub ($h, $b) {
		chunked($h, $b) =~ s/\r\n\r\n\w+/\r\n\r\n7fffffffffffffff/r } ],
	[ 'a chunk that is longer than it says', [400], sub ($h, $b) {
		chunked($h, $b) =~ s/\r\n\r\n\w+/\r\n\r\n1/r } ],
	[ 'chunks that end too early', [], sub ($h, $b) {
		substr chunked($h, $b), 0, -7 } ],
	[ 'another transfer encoding', [ 400, 501 ], sub ($h, $b) {
		head($h, 'Transfer-Encoding: gzip') . $b } ],
	[ 'chunked and a length', [400], sub ($h, $b) {
		chunked($h, $b) =~ s/\r\n/\r\nContent-Length: 3\r\n/r } ],
	[ 'two lengths', [400], sub ($h, $b) {
		sized($h, $b, 'Content-Length: 3') } ],
	[ 'a negative length', [400], sub ($h, $b) {
		head($h, 'Content-Length: -1') . $b } ],
	[ 'a length that is no number', [400], sub ($h, $b) {
		head($h, 'Content-Length: 1x') . $b } ],
	[ 'a length of 2^64', [400], sub ($h, $b) {
		head($h, 'Content-Length: 18446744073709551616') . $b } ],
	[ 'a length of 3 MB', [413], sub ($h, $b) {
		head($h, 'Content-Length: 3000000') . $b } ],
	[ 'a body that ends too early', [], sub ($h, $b) {
		substr sized($h, $b), 0, -1 } ],
	[ 'a body that never comes', [], sub ($h, $b) {
		head($h, 'Content-Length: ' . length $b) } ],
	[ 'half of a head', [], sub ($h, $b) { substr $h, 0, length($h) / 2 } ],
	[ 'a header of 33,000 bytes', $HEAD_FAULT, sub ($h, $b) {
		sized($h, $b, 'X: ' . 'x' x 33_000) } ],
	[ 'a header of 7,000 bytes', undef, sub ($h, $b) {
		sized($h, $b, 'X: ' . 'x' x 7_000) } ],
	[ 'headers of 60,000 bytes', $HEAD_FAULT, sub ($h, $b) {
		sized($h, $b, map { "X-$_: " . 'x' x 1000 } 1 .. 60) } ],
	[ '300 headers', undef, sub ($h, $b) {
		sized($h, $b, map { "X-$_: x" } 1 .. 300) } ],
	[ 'a NUL in a header', [400], sub ($h, $b) {
		sized($h, $b, "X: a\0b") } ],
	[ 'no colon in a header', undef, sub ($h, $b) {
		sized($h, $b, 'nonsense') } ],
	[ 'a space in a header\'s name', undef, sub ($h, $b) {
		sized($h, $b, 'X Y: 1') } ],
	[ 'a header on two lines', undef, sub ($h, $b) {
		sized($h, $b, "X: 1\r\n 2") } ],
	[ 'headers that FastCGI has too', undef, sub ($h, $b) {
		sized($h, $b, 'Proxy: http://127.0.0.1:1', 'Content_Type: x',
			'Ctt-Received: 1', 'Ctt-Request-Id: x',
			'Https: on', 'Script-Name: x', 'Request-Method: GET') } ],
	[ 'bare line feeds', undef, sub ($h, $b) {
		sized($h, '') =~ s/\r//gr =~ s/Length: 0/'Length: ' . length $b/er
		    . $b } ],
	[ 'no Host', [400], sub ($h, $b) {
		sized($h =~ s/Host: x\r\n//r, $b) } ],
	[ 'two Hosts', [400], sub ($h, $b) { sized($h, $b, 'Host: y') } ],
	[ 'a Host with a NUL', [400], sub ($h, $b) {
		sized($h =~ s/Host: x/Host: x\0/r, $b) } ],
	[ 'HTTP/1.0', undef, sub ($h, $b) {
		sized($h =~ s{HTTP/1.1}{HTTP/1.0}r, $b) } ],
	[ 'HTTP/3.0', [ 400, 505 ], sub ($h, $b) {
		sized($h =~ s{HTTP/1.1}{HTTP/3.0}r, $b) } ],
	[ 'HTTP/1.x', [400], sub ($h, $b) {
		sized($h =~ s{HTTP/1.1}{HTTP/1.x}r, $b) } ],
	[ 'a space in the path', [400], sub ($h, $b) {
		sized($h =~ s{ HTTP}{ x HTTP}r, $b) } ],
	[ 'Expect: 100-continue', undef, sub ($h, $b) {
		sized($h, $b, 'Expect: 100-continue') } ],
	[ 'an absolute path', undef, sub ($h, $b) {
		sized($h =~ s{ /}{ http://x/}r, $b) } ],
);

sub head ($head, @more) {
	return join('', $head, map { "$_\r\n" } @more) . "\r\n";
}

sub sized ($head, $body, @more) {
	return head($head, 'Content-Length: ' . length $body, @more) . $body;
}

sub chunked ($head, @pieces) {
	return head($head, 'Transfer-Encoding: chunked')
	    . join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
	    (grep { length } @pieces), '';
}

# ---- the recipes ----

sub recipe ($operation, $kind, $name, $make, %more) {
	return { operation => $operation, kind => $kind, make => $make,
		name => "$operation->{name}: $name", %more };
}

# An entry for a list of ways, of which a short run takes one.
sub of_body ($o, $kind, @ways) {
	return [ map { my ($name, @changes) = @$_;
		recipe($o, $kind, "$name: $kind", sub ($base) {
			return (body => body_text($base->{body}, @changes));
		}, $MALFORMED{$kind} ? (want => [400]) : ()) } @ways ];
}

sub of_fields ($o) {
	my @entries;

	for my $at (places($o->{schema}, $o->{example})) {
		my $name = name_of(@$at) || 'the body';
		my %values = (%VALUES, %MALFORMED);

		for my $kind (sort keys %values) {
			push @entries, of_body($o, $kind,
			    map { [ $name, [ $at, $_ ] ] } @{ $values{$kind} });
		}
		next if !@$at;
		push @entries, of_body($o, 'absent', [ $name, [ $at ] ]);
		push @entries, of_body($o, 'twice', map { [ $name, $_ ] }
			twice($at, '[0]', undef), twice($at, undef, '[0]'),
			twice($at, '-1', '""'), twice($at, 'null', undef))
		    if $at->[-1] !~ /^\d+$/;
	}
	return @entries;
}

# Recipes that change one part of the request; of each 5 a short run takes one.
sub of_part ($o, $kind, @ways) {
	return map { [ of_few($o, $kind, @$_) ] }
	    map { [ grep { $_ } @ways[ $_ * 5 .. $_ * 5 + 4 ] ] }
	    0 .. $#ways / 5;
}

sub of_few ($o, $kind, @ways) {
	return map { my ($name, $want, @change) = @$_;
		recipe($o, $kind, "$kind: $name", ref $change[0] eq 'CODE'
			? $change[0] : sub ($) { @change },
		    $want ? (want => $want) : ()) } @ways;
}

sub shown ($text) {
	return !defined $text ? 'none' : ref $text ? 'changed'
	    : "'" . (substr $text, 0, 40) =~ s/[^ -~]/?/gr . "'";
}

# Everything around the body, and the body as a whole.
sub of_request ($o) {
	my $item = Api::document()->{paths}{ $o->{path} };
	my @entries = (
		of_part($o, 'method', map { [ $_, [ 400, 405 ],
			method => $_ ] }
		    grep { !Api::operation($item, $_) || !/^[A-Z]+$/ } @METHODS),
		of_part($o, 'path', map { my $detour = $_;
			[ shown($detour->($o->{path})), [ 400, 404 ],
				sub ($base) { (path => $detour->($base->{path})) }
			] } @DETOURS),
		of_part($o, 'wire', map { [ $_->[0], $_->[1],
			wire => $_->[2] ] } grep { defined $o->{example}
			|| $_->[0] !~ /chunk|length|body/ } @WIRE),
		of_part($o, 'X-Request-Id', map { [ shown($_), undef,
			headers => [ [ 'X-Request-Id', $_ ] ] ] } @KEYS));

	push @entries, of_part($o, 'token', map { [ shown($_), [401],
		token => $_ ] } @TOKENS) if $o->{closed};
	push @entries, of_part($o, 'id in the path', map { my $id = $_;
		[ shown($id), undef, sub ($) {
			(path => $o->{path} =~ s/\{\w+\}/$id/r) } ] } @IDS)
	    if $o->{path} =~ /\{/;
	for my $p (map { Api::deref($_) } @{ $o->{document}{parameters} }) {
		push @entries, of_part($o, "query $p->{name}", map { [ shown($_),
			undef, query => $p->{name}
			. (defined $_ ? "=$_" : '') ] } @PARAMETERS)
		    if $p->{in} eq 'query';
		push @entries, of_part($o, 'Idempotency-Key', map { [ shown($_),
			undef, headers => [ [ $p->{name}, $_ ] ] ] } @KEYS)
		    if $p->{name} eq 'Idempotency-Key';
	}
	push @entries, of_part($o, 'any query', map { [ shown($_), undef,
		query => $_ ] } 'x', '&', '=', 'a=b' x 1500, '%00', "\xff", '?',
		'a[]=1&a[]=2', join '&', map { "x$_=1" } 1 .. 900);
	return @entries if !defined $o->{example};
	push @entries,
	    of_part($o, 'media type', map { [ shown($_), [415],
		    type => $_ ] } @TYPES),
	    of_part($o, 'whole body', map { [ shown($_), [400],
		    body => $_ ] } @BODIES),
	    of_part($o, 'size', [ '1 MiB + 1', [413], sub ($base) {
			(body => padded($base, (1 << 20) + 1)) } ],
		[ '2 MiB', [413], sub ($base) {
			(body => padded($base, 2 << 20)) } ],
		[ '1 MiB', undef, sub ($base) {
			(body => padded($base, 1 << 20)) } ]);
	return @entries;
}

sub padded ($base, $size) {
	my $text = json($base->{body});

	return ' ' x ($size - length $text) . $text;
}

# ---- at random ----

sub one_of (@list) { return $list[ rand @list ] }

sub random_text () {
	my $n = 1 + int rand(rand() < .9 ? 70 : 2100);

	return json(join '', map { my $from = one_of(0x20, 0x20, 0x20, 0xa0,
		0x300, 0x4e00, 0x1f300); chr($from + int rand 0x5f) } 1 .. $n);
}

sub random_number () {
	return one_of('', '-') . (1 + int rand 9) . join '',
	    map { int rand 10 } 1 .. rand one_of(3, 12, 20, 40);
}

sub random_value () {
	return rand() < .3 ? random_text() : rand() < .3 ? random_number()
	    : one_of(@{ $VALUES{ one_of(sort keys %VALUES) } });
}

sub random_fields ($o) {
	my @places = grep { @$_ } places($o->{schema}, $o->{example});
	my @at = (shuffle @places)[ 0 .. int rand 4 ];
	my @changes = map { [ $_, rand() < .1 ? undef : random_value() ] }
	    grep { $_ } @at;

	return sub ($base) { (body => body_text($base->{body}, @changes)) };
}

sub damaged ($text, @damages) {
	for (@damages) {
		my ($where, $length, $with) = @$_;
		substr $text, $where * length $text, $length, $with;
	}
	return $text;
}

sub random_damage () {
	my @damages = map { [ rand, int rand 3, rand() < .3 ? '' : join '',
		map { chr int rand one_of(128, 256) } 0 .. rand 3 ] }
	    0 .. rand 3;

	return sub ($base) {
		return (body => damaged(json($base->{body}), @damages)) };
}

sub random_query ($o) {
	my @names = map { $_->{name} } grep { $_->{in} eq 'query' }
	    map { Api::deref($_) } @{ $o->{document}{parameters} };
	my $query = join '&', map { one_of(@names, 'x') . '='
	    . (one_of(@PARAMETERS) // '') } 0 .. rand 4;

	return sub ($) { (query => $query) };
}

sub random_recipe ($o, $i) {
	my ($kind, $make) = !defined $o->{example}
	    ? ('random query', random_query($o))
	    : rand() < .7 ? ('random fields', random_fields($o))
	    : ('random damage', random_damage());
	my $cut = 1 + int rand 40;
	my $wire = defined $o->{example} && rand() < .2 ? sub ($h, $b) {
		chunked($h, $b =~ /(.{1,$cut})/gs) } : undef;

	return recipe($o, $kind, "$kind $i", sub ($base) {
		return ($make->($base), $wire ? (wire => $wire) : ()) });
}

# $n recipes, the same ones for the same seed: each operation, field and kind
# once; all ways of a kind, if they fit in; the rest is random.
sub recipes ($seed, $n) {
	srand $seed;
	my @operations = operations();
	my @entries = map { my $o = $_;
		((defined $o->{example} ? of_fields($o) : ()), of_request($o)) }
	    @operations;
	my @first = map { splice @$_, rand @$_, 1 } @entries;
	my @rest = shuffle map { @$_ } @entries;
	my @open = grep { defined $_->{example}
		|| "@{ $_->{document}{parameters} // [] }" && $_->{closed} }
	    @operations;

	push @first, @rest[ 0 .. ($n - @first < @rest ? $n - @first
		: @rest) - 1 ] if @first < $n;
	push @first, map { random_recipe($open[ $_ % @open ], $_) }
	    @first + 1 .. $n;
	return @first;
}

# ---- a request, and what is to be expected of it ----

# The names of what the document finds wrong; what is in something that is
# wrong itself is not looked at.
sub names_in (@faults) {
	my %names = map { m{^/([^:]*):} ? (name_of(split m{/}, $1) => 1)
		: /^([\w-]+)/a ? ($1 => 1) : () }
	    grep { !m{: /anyOf/[1-9]} } @faults;    # the first will do

	return [] if !%names;
	return [''] if $names{''};
	return [ grep { my $name = $_;
		!grep { $name ne $_ && $name =~ /^\Q$_\E[.\[]/ } keys %names
	} sort keys %names ];
}

sub faults_in ($o, $r, $data) {
	my @parameters = map { Api::deref($_) }
	    @{ $o->{document}{parameters} };
	my ($key) = grep { $_->{name} eq 'Idempotency-Key' } @parameters;

	return Api::query_faults($r->{query}, $o->{document}),
	    (map { my ($name, $value) = @$_;
		    $key && $name eq $key->{name} ? map { "$name$_" }
			Api::text_faults($value =~ s/^ +| +$//gr,
			    $key->{schema}) : () } @{ $r->{headers} }),
	    $data ? Api::whole_faults($data->[0], $o->{schema}) : ();
}

sub request ($recipe, $base) {
	my $o = $recipe->{operation};
	my $has_body = defined $o->{example};
	my %r = (%$recipe{qw(name kind want)}, method => $o->{method},
		path => $base->{path}, query => $base->{query} // '',
		type => $has_body ? 'application/json' : undef,
		body => $has_body ? json($base->{body}) : '', headers => [],
		token => sub ($good) { $good }, wire => \&sized,
		$recipe->{make}->($base));

	return \%r if $r{want};
	$r{want} = [ 400, 404 ] if !Api::item_at($r{path});
	my $data = $has_body && eval { [ Api::value($r{body}) ] };
	$r{want} //= [400] if $has_body && !$data;
	return \%r if $r{want};
	$r{fields} = names_in(faults_in($o, \%r, $data));
	$r{want} = [422] if @{ $r{fields} };
	return \%r;
}

# The request as it is sent.
sub bytes ($r, $token) {
	my $authorization = ref $r->{token} ? $r->{token}->($token)
	    : $r->{token};
	my $target = join '?', $r->{path}, grep { length } $r->{query};

	return $r->{wire}->(join('', map { "$_\r\n" }
		"$r->{method} $target HTTP/1.1", 'Host: x',
		(map { "$_->[0]: $_->[1]" } grep { defined $_->[1] }
			[ Authorization => $authorization ],
			[ 'Content-Type' => $r->{type} ],
			@{ $r->{headers} })), $r->{body});
}

1;
