# The document of the API, and what holds answers against it: that must be able
# to fail. And scripts/check-api, which must be able to fail too.

use v5.36;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use Digest::MD5 qw(md5_hex);
use File::Path qw(make_path);
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Api;
use Ctt;
use Test::More;
use Util qw(output slurp spew);

my $TOP = abs_path("$FindBin::Bin/..");
my $BIN = $ENV{CTT_BIN} // $TOP;
my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $LINK = '/ticket/ctt/link';
my $OPERATION = '/ticket/operation/{operation}';
my $doc = Api::document();

sub copy ($data) { return $JSON->decode($JSON->encode($data)) }

# ---- the document is OpenAPI, and says what it is about ----

sub openapi_faults ($data) {
	return map { "$_" }
	    @{ JSON::Validator::Schema::OpenAPIv3->new($data)->errors };
}

# Debian 13's JSON::Validator would fetch the schema of OpenAPI from the network.
my $SCHEMA = $INC{'JSON/Validator.pm'} =~ s/\.pm$/\/cache\//r
    . md5_hex(JSON::Validator::Schema::OpenAPIv3->new->specification);

SKIP: {
	skip 'JSON::Validator has no schema of OpenAPI', 2 if !-e $SCHEMA;
	is_deeply [ openapi_faults(copy($doc)) ], [],
	    'the document is OpenAPI 3.0.3';
	my $broken = copy($doc);
	$broken->{components}{schemas}{CTT}{propertees} = {};
	like join('', openapi_faults($broken)), qr/CTT/, 'a slip in it is seen';
}

# Each schema on the way from here, with its place.
sub schemas ($schema, $place, $seen) {
	$place = $schema->{'$ref'} // $place;
	$schema = Api::deref($schema);
	return if $seen->{ 0 + $schema }++;
	my %properties = %{ $schema->{properties} // {} };

	return [ $place, $schema ],
	    (map { schemas($properties{$_}, "$place/$_", $seen) }
		sort keys %properties),
	    map { schemas($_, "$place/...", $seen) }
	    (map { @{ $schema->{$_} // [] } } qw(allOf anyOf oneOf)),
	    grep { ref eq 'HASH' }
	    map { $schema->{$_} } qw(items additionalProperties);
}

# All media types of all answers: [operation, status, media type, its content].
my @contents = map { my ($path, $item) = ($_, $doc->{paths}{$_});
	map { my ($method, $operation) = ($_, $item->{$_});
		map { my $status = $_;
			my $response = Api::deref($operation->{responses}{$_});
			map { [ [ uc $method, $path ], $status, $_,
				$response->{content}{$_} ] }
			    sort keys %{ $response->{content} };
		} sort keys %{ $operation->{responses} };
	} sort keys %$item } sort keys %{ $doc->{paths} };

{
	my (@open, @loose, %seen);

	for (map { schemas($_->[3]{schema}, "$_->[0][1] $_->[1]", \%seen) }
		@contents) {
		my ($place, $s) = @$_;
		push @open, $place if ($s->{type} // '') eq 'object'
		    && !exists $s->{additionalProperties};
		push @loose, "$place: $_" for !$s->{properties} || !$s->{type}
		    ? () : grep { !$s->{properties}{$_} }
		    @{ $s->{required} // [] };
	}
	is_deeply \@open, [], 'every object in an answer is closed';
	is_deeply \@loose, [], 'what is required is described';
}

# Each problem is listed where its status is.
{
	my @astray;
	my $problems = 0;

	for (@contents) {
		my ($operation, $status, $type, $content) = @$_;
		next if $type !~ /problem/ || $status eq 'default';
		for (schemas($content->{schema}, "@$operation", {})) {
			my ($place, $schema) = @$_;
			my $statuses = ($schema->{properties} // {})->{status}
			    or next;
			next if !$schema->{properties}{requestId};
			$problems++;
			push @astray, "@$operation $status: $place"
			    if !grep { $_ == $status } @{ $statuses->{enum} };
		}
	}
	is_deeply \@astray, [], 'each problem is listed under its status';
	cmp_ok $problems, '>', 200, "there are $problems";
}

# ---- the examples ----

my %HEADERS = ('x-request-id' => 'abc', 'content-type' => 'application/json');

# An answer with what every answer has; a header that is undef is not there.
sub answer ($status, $json, %headers) {
	my %all = (%HEADERS, %headers);

	delete @all{ grep { !defined $all{$_} } keys %all };
	return { status => $status, headers => \%all, json => $json,
		raw => ref $json ? $JSON->encode($json) : $json };
}

# A request, by the path of the document.
sub request ($method, $path, $body = undef) {
	return { method => $method, path => $path =~ s/\{id\}/17/r
		    =~ s/\{operation\}/01KDYA3M9EAVX4T6T7R9ZQ2N8B/r
		    =~ s{/operation$}{/operation?requestId=x}r,
		body => $body && $JSON->encode($body) };
}

for my $path (sort keys %{ $doc->{paths} }) {
	for my $method (sort keys %{ $doc->{paths}{$path} }) {
		my $body = $doc->{paths}{$path}{$method}{requestBody} // next;
		my $content = $body->{content}{'application/json'};
		is_deeply [ Api::body_faults(@$content{qw(example schema)}) ],
		    [], "$method $path: the example of a request";
	}
}

for (@contents) {
	my ($operation, $status, $type, $content) = @$_;
	next if $type =~ /problem/ || $operation->[1] eq '/openapi.json';
	is_deeply [ Api::faults(request(@$operation),
		answer($status, copy($content->{example}),
			'content-type' => $type, location => $status == 202
			? '/ticket/operation/x' : undef)) ],
	    [], "@$operation $status: the example of an answer";
}

for my $name (sort keys %{ $doc->{components}{schemas} }) {
	my $schema = $doc->{components}{schemas}{$name};
	next if !$schema->{properties}{requestId} || !exists $schema->{title};
	is_deeply [ Api::body_faults(copy($schema->{example}), $schema) ], [],
	    "the example of a $name";
}

# ---- what does not fit is found ----

# A good answer of the document: to an operation, with a status.
sub good ($method, $path, $status) {
	my ($content) = map { $_->[3] } grep { "@{ $_->[0] } $_->[1]"
		eq "$method $path $status" } @contents;

	return answer($status, copy($content->{example}));
}

# The example of a problem, as an answer.
sub bad ($name, %headers) {
	my $p = copy($doc->{components}{schemas}{$name}{example});

	return answer($p->{status}, $p, 'content-type' =>
		'application/problem+json',
		'x-request-id' => $p->{requestId}, %headers);
}

# An answer with something done to its body, or to all of it.
sub with ($answer, $do) {
	local $_ = $answer->{json};
	$do->($answer);
	return $answer;
}

sub link_with ($do) { return with(good(POST => $LINK, 200), $do) }
sub bulk_with ($do) { return with(good(POST => "$LINK/bulk", 207), $do) }
sub linked_already ($do) { return with(bad('CTT_ALREADY_LINKED'), $do) }

my @TO_LINK = (POST => $LINK);
my @BULK = (POST => "$LINK/bulk");
my @LOV = (GET => '/ticket/lov');
my $TAKEN = { cttId => 1, nttId => 2 };

for (
	# what is good, so that the others are known for what they are
	[ 'a link', [ @TO_LINK, $TAKEN ], link_with(sub ($r) { }), undef ],
	[ 'refused', [ @TO_LINK, { cttId => 1 } ], bad('VALIDATION_FAILED'),
		undef ],
	[ 'refused for what no schema says', [ @TO_LINK, $TAKEN ],
		with(bad('VALIDATION_FAILED'), sub ($r) { $_->{errors} =
			[ { field => 'cttIds[1]', message => 'is named twice' } ] }),
		undef ],
	[ 'a bulk', [ @BULK, { items => [$TAKEN] } ],
		bulk_with(sub ($r) { }), undef ],
	[ 'a problem', \@TO_LINK, linked_already(sub ($r) { }), undef ],
	[ 'no such path', [ GET => '/nothing' ], bad('NOT_FOUND'), undef ],
	[ 'no such method', [ DELETE => $LINK ],
		bad('METHOD_NOT_ALLOWED', allow => 'POST'), undef ],
	[ 'HEAD', [ HEAD => '/ticket/lov' ], with(good(
		GET => '/ticket/lov', 200), sub ($r) {
			@$r{qw(raw json)} = ('', undef) }), undef ],
	[ 'given again', \@TO_LINK, bad('CTT_ALREADY_LINKED', 'x-request-id' =>
		'z', 'idempotency-replayed' => 'true'), undef ],

	# the status
	[ 'a status that is not listed', \@TO_LINK,
		link_with(sub ($r) { $r->{status} = 201 }),
		qr{^the media type application/json is not listed} ],
	[ 'a problem whose status is not listed', \@LOV,
		bad('CTT_ALREADY_LINKED'), qr/./ ],
	[ 'a code under another status', \@TO_LINK,
		linked_already(sub ($r) { $r->{status} = 404 }), qr/./ ],
	[ 'a code of another operation', \@TO_LINK, bad('CPE_STALE'), qr/./ ],
	[ 'a code that there is not', \@TO_LINK,
		linked_already(sub ($r) { $_->{code} = 'NOPE' }), qr/./ ],
	[ 'another status inside', \@TO_LINK,
		linked_already(sub ($r) { $_->{status} = 404 }),
		qr{^/status: Not in enum list: 409} ],
	[ 'the other one of its two', \@LOV, with(bad('NO_ANSWER'),
		sub ($r) { $_->{status} = 502 }), qr{^/status: is not that} ],
	[ 'success where there is nothing', [ GET => '/nothing' ],
		answer(200, {}), qr/not listed/ ],
	[ 'success by another method', [ PUT => $LINK ],
		good(POST => $LINK, 200), qr/not listed/ ],
	[ '404 where the path is known', [ PUT => $LINK ], bad('NOT_FOUND'),
		qr/./ ],
	[ '405 where it is not', [ PUT => '/nothing' ],
		bad('METHOD_NOT_ALLOWED', allow => 'GET'), qr/./ ],
	[ 'an id that is none', [ GET => '/ticket/ctt/0' ],
		good(GET => '/ticket/ctt/{id}', 200), qr/not listed/ ],
	[ 'a number too many', [ GET => '/ticket/ctt/9007199254740992' ],
		good(GET => '/ticket/ctt/{id}', 200), qr/not listed/ ],

	# the media type
	[ 'another media type', \@TO_LINK, link_with(sub ($r) {
		$r->{headers}{'content-type'} = 'text/json' }),
		qr{^the media type text/json is not listed} ],
	[ 'one with a parameter', \@TO_LINK, link_with(sub ($r) {
		$r->{headers}{'content-type'} .= ';charset=utf-8' }),
		qr/is not listed/ ],
	[ 'no media type', \@TO_LINK, link_with(sub ($r) {
		delete $r->{headers}{'content-type'} }), qr/none is not/ ],
	[ 'a problem that says it is none', \@TO_LINK, linked_already(sub ($r) {
		$r->{headers}{'content-type'} = 'application/json' }),
		qr/is not listed/ ],

	# the body
	[ 'a member is missing', \@TO_LINK,
		link_with(sub ($r) { delete $_->{ntt} }),
		qr{^/ntt: Missing property} ],
	[ 'one of a member is', \@TO_LINK,
		link_with(sub ($r) { delete $_->{ctt}{linkState} }),
		qr{^/ctt/linkState: Missing} ],
	[ 'one too many', \@TO_LINK, link_with(sub ($r) { $_->{x} = 1 }),
		qr{not allowed: x} ],
	[ 'one too many further in', \@TO_LINK,
		link_with(sub ($r) { $_->{ctt}{x} = 1 }), qr{^/ctt: .*: x} ],
	[ 'text for a number', \@TO_LINK,
		link_with(sub ($r) { $_->{ctt}{id} = '17' }),
		qr{^/ctt/id: Expected integer} ],
	[ 'a number for text', \@TO_LINK,
		link_with(sub ($r) { $_->{ctt}{ticketNo} = 17 }),
		qr{^/ctt/ticketNo: Expected string} ],
	[ 'a fraction', \@TO_LINK,
		link_with(sub ($r) { $_->{ntt}{cttCount} = 1.5 }),
		qr{^/ntt/cttCount: Expected integer} ],
	[ 'a number below its least', \@TO_LINK,
		link_with(sub ($r) { $_->{ntt}{cttCount} = -1 }),
		qr{^/ntt/cttCount: -1 < minimum} ],
	[ '1 for true', \@TO_LINK, link_with(sub ($r) { $_->{dryRun} = 1 }),
		qr{^/dryRun: Expected boolean} ],
	[ 'null', \@TO_LINK, link_with(sub ($r) { $_->{ctt} = undef }),
		qr{^/ctt: Expected object - got null} ],
	[ 'a word that is none of them', \@TO_LINK,
		link_with(sub ($r) { $_->{ctt}{linkState} = 'open' }),
		qr{^/ctt/linkState: Not in enum} ],
	[ 'a time that is none', [ GET => $OPERATION ],
		with(good(GET => $OPERATION, 200),
			sub ($r) { $_->{createdAt} = '2026-01-02 03:04:05' }),
		qr{^/createdAt: String does not match} ],
	[ 'an array for an object', \@TO_LINK,
		link_with(sub ($r) { $r->{json} = [] }),
		qr{^the body is no JSON object} ],
	[ 'an object for an array', \@BULK,
		bulk_with(sub ($r) { $_->{results} = {} }),
		qr{^/results: Expected array} ],
	[ 'null for a body', \@TO_LINK, link_with(sub ($r) {
		@$r{qw(raw json)} = ('null', undef) }), qr/no JSON/ ],
	[ 'half a body', \@TO_LINK, link_with(sub ($r) {
		@$r{qw(raw json)} = ('{"op', undef) }), qr/no JSON/ ],
	[ 'no body', \@TO_LINK, link_with(sub ($r) {
		@$r{qw(raw json)} = ('', undef) }), qr/no JSON/ ],
	[ 'a body of HEAD', [ HEAD => '/ticket/lov' ],
		good(GET => '/ticket/lov', 200), qr/has a body/ ],
	[ 'the last of many', \@BULK,
		bulk_with(sub ($r) { $_->{results}[1]{x} = 1 }),
		qr{^/results/1: .*: x} ],
	[ 'a failure without its error', \@BULK,
		bulk_with(sub ($r) { delete $_->{results}[1]{error} }),
		qr{^/results/1} ],
	[ 'a success with one', \@BULK,
		bulk_with(sub ($r) { $_->{results}[0]{error} =
			$_->{results}[1]{error} }), qr{^/results/0} ],
	[ 'an error without what it needs', \@BULK, bulk_with(sub ($r) {
		$_->{results}[1]{error}{code} = 'CTT_ALREADY_LINKED' }),
		qr{^/results/1/error} ],
	[ 'a problem without what it needs', \@TO_LINK,
		linked_already(sub ($r) { delete $_->{nttId} }),
		qr{^/nttId: Missing} ],
	[ 'a problem with what it does not', \@TO_LINK,
		linked_already(sub ($r) { $_->{errors} = [] }),
		qr{not allowed: errors} ],
	[ 'a problem that names no operation', \@TO_LINK,
		with(bad('CTT_NOT_FOUND'),
			sub ($r) { delete $_->{operationId} }), qr/./ ],
	[ 'text that is not of its form', [ GET => '/metrics' ],
		answer(200, "up 1\n",
			'content-type' => 'text/plain; version=0.0.4'),
		qr/does not match/ ],

	# the headers
	[ 'no request id', \@TO_LINK, link_with(sub ($r) {
		delete $r->{headers}{'x-request-id'} }),
		qr/^X-Request-Id: is missing/ ],
	[ 'an odd one', \@TO_LINK, link_with(sub ($r) {
		$r->{headers}{'x-request-id'} = 'a b' }),
		qr/^X-Request-Id\S*: String does not match/ ],
	[ 'two of them', \@TO_LINK, link_with(sub ($r) {
		$r->{headers}{'x-request-id'} = [qw(a b)] }), qr/comes twice/ ],
	[ 'another one in the problem', \@TO_LINK, linked_already(sub ($r) {
		$_->{requestId} = 'x' }), qr{^/requestId: is not that of} ],
	[ 'a header that is not listed', \@TO_LINK, link_with(sub ($r) {
		$r->{headers}{location} = '/ticket/operation/x' }),
		qr/^Location: is not listed/ ],
	[ '503 without Retry-After', \@TO_LINK, bad('DB_UNAVAILABLE'),
		qr/^Retry-After: is missing/ ],
	[ 'Retry-After that is no number', \@TO_LINK,
		bad('OVERLOADED', 'retry-after' => 'soon'),
		qr/^Retry-After\S*: Expected integer/ ],
	[ 'another in the problem', \@TO_LINK,
		bad('UNLINK_BLOCKED', 'retry-after' => 41),
		qr{^/retryAfter: is not that of} ],
	[ '401 without WWW-Authenticate', \@TO_LINK, bad('UNAUTHENTICATED'),
		qr/^WWW-Authenticate: is missing/ ],
	[ '405 without Allow', [ PUT => $LINK ], bad('METHOD_NOT_ALLOWED'),
		qr/^Allow: is missing/ ],
	[ '405 with another', [ PUT => $LINK ],
		bad('METHOD_NOT_ALLOWED', allow => 'GET'),
		qr/^Allow: is not POST/ ],
	[ '202 without Location', [ PUT =>
		'/ticket/ctt/activity-status/update/{id}' ], good(PUT =>
		'/ticket/ctt/activity-status/update/{id}', 202),
		qr/^Location: is missing/ ],

	# the request
	[ 'one that was taken', [ @TO_LINK, { cttId => 1.5, nttId => 1 } ],
		link_with(sub ($r) { }), qr{^the request was taken: /cttId} ],
	[ 'one without a field', [ @TO_LINK, { cttId => 1 } ],
		link_with(sub ($r) { }), qr{^the request was taken: /nttId} ],
	[ 'one that got past its fields', [ @TO_LINK, { cttId => 1 } ],
		linked_already(sub ($r) { }),
		qr{^the request was taken: /nttId} ],
	[ 'a query that was taken', [ GET => '/ticket/ntt?limit=201' ],
		good(GET => '/ticket/ntt', 200),
		qr{^the request was taken: limit/: 201 > maximum} ],
	[ 'one that is no UTF-8', [ GET => '/ticket/ntt?q=%e9' ],
		good(GET => '/ticket/ntt', 200),
		qr{^the request was taken: q: no text} ],
	[ 'one that is cut off', [ GET => '/ticket/ntt?q=%4' ],
		good(GET => '/ticket/ntt', 200),
		qr{^the request was taken: q: no text} ],
	[ 'one of half a surrogate', [ GET => '/ticket/ntt?q=%ed%a0%80' ],
		good(GET => '/ticket/ntt', 200),
		qr{^the request was taken: q: no text} ],
	[ 'a number in other digits', [ GET => '/ticket/ntt?limit=%ef%bc%91' ],
		good(GET => '/ticket/ntt', 200),
		qr{^the request was taken: limit/: Expected integer} ],
	[ 'a parameter that nobody knows', [ GET => '/ticket/ntt?x=%zz' ],
		good(GET => '/ticket/ntt', 200),
		qr{^the request was taken: x: unknown} ],
	[ 'one that comes twice', [ GET => '/ticket/ntt?limit=1&limit=1' ],
		good(GET => '/ticket/ntt', 200),
		qr{^the request was taken: limit: twice} ],
	[ 'a newline at an end', [ PUT =>
		'/ticket/ctt/activity-status/update/{id}', { cttId => 1,
			status => "Resolved\n" } ],
		good(PUT => '/ticket/ctt/activity-status/update/{id}', 200),
		qr{^the request was taken: /status} ],
	[ 'dryRun in a body', [ @TO_LINK, { %$TAKEN, dryRun => \1 } ],
		link_with(sub ($r) { }), qr{^the request was taken: /dryRun} ],
	[ 'an item that was taken', [ @BULK, { items => [ { cttId => 0,
		nttId => 4 }, { cttId => 17, nttId => 4 } ] } ],
		bulk_with(sub ($r) { }),
		qr{^the request was taken: item 0 was taken} ],
	[ 'one that was refused', [ @BULK, { items => [ { cttId => 18,
		nttId => 4 }, { cttId => 17, nttId => 4 } ] } ],
		bulk_with(sub ($r) { $_->{results}[1]{error} = {
			code => 'VALIDATION_FAILED', detail => 'd',
			errors => [ { field => 'f', message => 'm' } ] } }),
		qr{^the request was taken: item 1 was refused} ],
	[ 'one that failed alone', [ @BULK, { items => [ { cttId => 18,
		nttId => 4 }, { nttId => 4 } ] } ],
		bulk_with(sub ($r) { $_->{results}[1]{error} = {
			code => 'VALIDATION_FAILED', detail => 'd',
			errors => [ { field => 'f', message => 'm' } ] } }),
		undef ],
	[ 'a day that there is not', [ GET =>
		'/ticket/ntt?updatedSince=2026-02-30T00:00:00Z' ],
		good(GET => '/ticket/ntt', 200),
		qr{^the request was taken: updatedSince} ],
	[ 'what is right was refused', [ @TO_LINK, $TAKEN ],
		bad('VALIDATION_FAILED'),
		qr{^the request was refused: nttId is required} ],
	[ 'a query that is right was', [ GET => '/ticket/ntt?linked=true' ],
		with(bad('VALIDATION_FAILED'), sub ($r) { $_->{errors} =
			[ { field => 'linked', message => 'm' } ] }),
		qr{^the request was refused: linked m} ],
) {
	my ($name, $to, $answer, $want) = @$_;
	my @faults = Api::faults(request(@$to), $answer);

	$want ? like $faults[0], $want, "found: $name"
	    : is_deeply \@faults, [], "nothing wrong: $name";
}

is_deeply Api::value('["1.0",1,1.0,1e0,"\\"2.0",1e400]'),
    [ '1.0', 1, 0.5, 0.5, '"2.0', 0.5 ],
    'an integer has no fraction and no exponent';

# ---- the places that say the same ----

my %PLACE = map { $_ => slurp("$TOP/$_") } qw(README openapi.json
    src/model/code.h nginx/ctt.conf.in);
$PLACE{cttctl} = "#!/bin/sh\ncase \$1 in\n"
    . join('', map { "$_) cat <<'END'\n" . qx($BIN/cttctl $_) . "END\n;;\n" }
	qw(routes settings --version)) . "esac\n";

# What check-api says of copies of all these, with changes to some.
sub check_api (%changed) {
	my $dir = File::Temp->newdir;
	my %place = (%PLACE, %changed);
	local $ENV{CTT_BIN} = "$dir";

	make_path("$dir/src/model", "$dir/nginx");
	spew("$dir/$_", $place{$_}) for grep { $_ ne 'cttctl' } keys %place;
	spew("$dir/cttctl", $place{cttctl}, 0755);
	my ($out, $status) = output("$TOP/scripts/check-api $dir");
	return ($status, $out);
}

is_deeply [ check_api() ], [ 0, '' ], 'route table, document and tables agree';
for (
	[ 'README', qr/^\tread\tGET \/ticket\/lov\t.*\n/m, '',
		'routes: GET /ticket/lov read: is in the program, not in README' ],
	[ 'README', qr/^\tlink(?=\tPOST \/ticket\/ctt\/link\t)/m, "\tcpe",
		'routes: POST /ticket/ctt/link cpe: is in README, not in' ],
	[ 'README', qr/^(\tCTT_ALREADY_LINKED\t)409/m, '${1}404',
		'codes: CTT_ALREADY_LINKED 404: is in README, not in' ],
	[ 'README', qr/OVERLOADED \(503\)/, 'OVERLOADED (500)',
		'codes: OVERLOADED 503: is in the program, not in README' ],
	[ 'README', qr/^(\tCTT_ROLES_CPE\t+ctt-cpe),ctt-admin/m, '$1',
		'roles: cpe ctt-admin: is in the program, not in README' ],
	[ 'openapi.json', qr/"\/ticket\/lov"/, '"/ticket/lovs"',
		'routes: GET /ticket/lovs read: is in openapi.json, not in' ],
	[ 'openapi.json', qr/"x-permission": "cpe"/, '"x-permission": "link"',
		'routes: POST /ticket/ctt/cpe/update/:id cpe: is in the program' ],
	[ 'openapi.json', qr/"security": \[\],/, '',
		'routes: GET /openapi.json - open: is in the program, not in' ],
	[ 'openapi.json', qr/"CPE_STALE": \{/, '"CPE_NEW": {',
		'problems: CPE_NEW: is in the schemas, not in the responses' ],
	[ 'openapi.json', qr/("status": \{.*)404(.*\n.*\n.*"CTT_NOT_FOUND")/,
		'${1}410$2', 'codes: CTT_NOT_FOUND 410: is in openapi.json' ],
	[ 'openapi.json', qr/"title": "CTT not found"/, '"title": "No CTT"',
		'titles: CTT_NOT_FOUND No CTT: is in openapi.json, not in' ],
	[ 'openapi.json', qr/("x-roles".*?)"ctt-viewer"/s, '$1"ctt-reader"',
		'roles: read ctt-reader: is in openapi.json, not in' ],
	[ 'openapi.json', qr/"version": "/, '"version": "1',
		'version: 10.4.0: is in openapi.json, not in the program' ],
	[ 'src/model/code.h', qr/^\tC\(CPE_STALE, 409/m, "\tC(CPE_STALE, 410",
		'codes: CPE_STALE 410: is in the program, not in openapi.json' ],
	[ 'src/model/code.h', qr/^(\tC\()(CPE_STALE.*\n)/m, '$1CPE_NEW, 409, "x")'
		. " \\\n" . '$1$2',
		'codes of operations: CPE_NEW: is in the program, not in' ],
	[ 'src/model/code.h', qr/^\tC\(NOT_ATTEMPTED/m, "\tC(NOT_BEGUN",
		'codes of items: NOT_ATTEMPTED: is in openapi.json, not in' ],
	[ 'nginx/ctt.conf.in', qr/^\t503\tOVERLOADED/m, "\t503\tBUSY",
		'codes: BUSY 503: is in the program, not in openapi.json' ],
	[ 'cttctl', qr/GET \/metrics -\n/, '',
		'routes: GET /metrics - open: is in openapi.json, not in' ],
	[ 'cttctl', qr/GET \/ticket\/lov read/, 'GET /ticket/lov see',
		'permissions: see: is in the routes, not in the roles' ],
	[ 'cttctl', qr/CTT_ROLES_LINK=ctt-operator/, 'CTT_ROLES_LINK=linker',
		'roles: link linker: is in the program, not in openapi.json' ],
) {
	my ($place, $from, $to, $want) = @$_;
	my $text = $PLACE{$place};

	$text =~ s/$from/expand($to, $1, $2)/e
	    or fail("$place: $from is not there");
	my ($status, $out) = check_api($place => $text);
	ok $status == 1 && $out =~ /^\Q$want\E/m, "seen: $want" or diag $out;
}

# $1 and $2 in a replacement.
sub expand ($text, @groups) {
	return $text =~ s/\$\{?(\d)\}?/$groups[$1 - 1]/gr;
}

# ---- and it is served ----

my $c = Ctt->start(pool => 1, workers => 0);
{
	my $r = $c->get('/openapi.json', Authorization => undef);

	is $r->{status}, 200, 'the document, without a token';
	is $r->{headers}{'content-type'}, 'application/json', 'as JSON';
	ok $r->{raw} eq Api::text(), 'is the file, to the byte';
	my $length = $r->{headers}{'content-length'};
	$r = $c->request(HEAD => '/openapi.json');
	is_deeply [ $r->{status}, $r->{raw} // '',
		$r->{headers}{'content-length'} ], [ 200, '', $length ], 'HEAD has its length, and no body';
	for my $method (qw(POST PUT DELETE)) {
		$r = $c->request($method, '/openapi.json');
		is "$r->{status} $r->{headers}{allow}", '405 GET, HEAD', $method;
	}
	is $c->get('/openapi')->{status}, 404, 'and nothing beside it';
}

# What does not fit is written down, in whichever process it is met.
{
	my %wrong = (status => 200, raw => '{}', json => {},
		headers => {%HEADERS});
	my $file = $c->dir . '/api-faults';

	$c->hold({ method => 'GET', path => '/ticket/lov' },
	    { %wrong, json => { X => 1 } });
	$c->parallel(1, sub ($) { $c->hold({ method => 'GET',
		path => '/healthz' }, {%wrong}); 0 });
	my @lines = split /\n/, slurp($file);
	like $lines[0], qr{^GET /ticket/lov: 200 : /: .*: X\. \(.*06-api\.t:\d+\)$},
	    'a fault, and where it was met';
	like $lines[1], qr{^GET /healthz: 200 : /status: Missing}, 'in a child';
	unlink $file;
}
$c->stop;
done_testing;
