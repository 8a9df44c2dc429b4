package Api;

# Holds the answers that tests receive against openapi.json: status, media
# type, body and headers; and the requests: what was taken must be what the
# document takes, what was refused for its fields must not. Ctt.pm does it with
# every answer.
#
#	my @faults = Api::faults({ method => 'GET', path => '/ticket/lov' },
#	    { status => 200, headers => {...}, raw => $text, json => $data });
#
# JSON::Validator looks into a body, no more: its own way from a path to a
# schema passes over whatever the document does not list. Here that is a fault.
# t/06-api.t shows each kind of fault to be found.

use v5.36;

use Cpanel::JSON::XS ();
use File::Basename qw(dirname);
use JSON::Validator::Schema::OpenAPIv3 ();
use List::Util qw(first uniq);

use lib dirname(__FILE__);
use Util qw(slurp);

my $FILE = dirname(__FILE__) . '/../../openapi.json';

# What may be answered where the document has no such path, or no such method
# of a path: the names of the responses.
my %ELSEWHERE = (404 => 'NotFound', 405 => 'MethodNotAllowed',
	429 => 'RateLimited', 502 => 'NoAnswer', 503 => 'Overloaded',
	504 => 'NoAnswerInTime', default => 'Nginx');

sub text () { return slurp($FILE) }

sub validator () {
	# Perl's $ allows a newline behind it; and by default JSON::Validator
	# takes "17" for 17, and makes it so.
	state $validator = JSON::Validator::Schema::OpenAPIv3->new(
		Cpanel::JSON::XS::decode_json(
			text() =~ s/("pattern": ".*)\$"/$1\\\\z"/gr))->coerce({});
	return $validator;
}

sub document () { return validator()->data }

# What a reference refers to.
sub deref ($node) {
	while (ref $node eq 'HASH' && $node->{'$ref'}) {
		my (undef, @names) = split m{/}, $node->{'$ref'};

		$node = document();
		$node = $node->{$_} // die "$_ in @names: nothing\n" for @names;
	}
	return $node;
}

sub component ($kind, $name) {
	return { '$ref' => "#/components/$kind/$name" };
}

# Lines: "/items/3/id: Expected integer - got string."
sub body_faults ($data, $schema) {
	return map { $_->path . ': ' . $_->message }
	    validator()->validate($data, deref($schema));
}

# An array of which an item with a fault fails alone: its name, or undef.
sub each_of ($schema) {
	my $s = deref($schema);

	for my $part ($s, map { deref($_) } @{ $s->{allOf} // [] }) {
		my $p = $part->{properties} // {};
		my $name = first { deref($p->{$_})->{'x-each'} } sort keys %$p;
		return $name if $name;
	}
	return undef;
}

# The same, less those of items that fail alone; and the indices of these.
sub whole_faults ($data, $schema) {
	my $name = each_of($schema);

	return grep { !defined $name || !m{^/$name/\d} }
	    body_faults($data, $schema);
}

sub faulty_items ($data, $schema) {
	my $name = each_of($schema) // return;

	return uniq map { m{^/$name/(\d+)} } body_faults($data, $schema);
}

# Text from a path, a query or a header, which may stand for something else.
sub text_faults ($text, $schema) {
	my $any = deref($schema)->{anyOf};
	return (map { [ text_faults($text, $_) ] } @$any)[-1]->@*
	    if $any && !grep { !text_faults($text, $_) } @$any;
	return () if $any;
	my $type = deref($schema)->{type};

	return body_faults($type eq 'integer' && $text =~ /^[0-9]{1,16}$/
		? 0 + $text : $type eq 'boolean' && $text =~ /^(true|false)$/
		? Cpanel::JSON::XS::decode_json("[$text]")->[0] : "$text",
		$schema);
}

# The paths of the document: a pattern, the schemas of its segments, and what
# stands there.
sub paths () {
	state $paths = [ map {
		my $item = document()->{paths}{$_};
		my ($any) = values %$item;
		my %schema = map { $_->{name} => $_->{schema} }
		    grep { $_->{in} eq 'path' }
		    map { deref($_) } @{ $any->{parameters} };
		my @names = /\{(\w+)\}/g;
		my $pattern = s/\{\w+\}/([^\/]*)/gr;
		[ qr/^$pattern$/, [ @schema{@names} ], $item ];
	} keys %{ document()->{paths} } ];
	return @$paths;
}

# What the document has at a path: methods, or undef.
sub item_at ($path) {
	for my $known (paths()) {
		my ($pattern, $schemas, $item) = @$known;
		my @segments = $path =~ $pattern or next;

		return $item if !grep { text_faults($segments[$_],
			$schemas->[$_]) } keys @$schemas;
	}
	return undef;
}

# HEAD is answered as GET is.
sub operation ($item, $method) {
	return $item->{ $method eq 'HEAD' ? 'get' : lc $method };
}

# The response that the document has for this answer, or undef.
sub response ($item, $method, $status) {
	my $operation = $item && operation($item, $method);
	my %listed = $operation ? %{ $operation->{responses} }
	    : map { $_ => component(responses => $ELSEWHERE{$_}) }
	    grep { $_ ne ($item ? 404 : 405) } keys %ELSEWHERE;

	return deref($listed{$status} // $listed{default});
}

# Of several problems the one that the code names: its faults are told, and
# not those of all the others.
sub choose ($schema, $json) {
	my $by = $schema->{discriminator} or return $schema;
	my $value = ref $json eq 'HASH' && $json->{ $by->{propertyName} } // '';
	my $name = $by->{mapping}{$value} // "#/components/schemas/$value";

	return deref(first { $_->{'$ref'} eq $name } @{ $schema->{oneOf} })
	    // $schema;
}

sub header_faults ($response, $headers, @needed) {
	my $listed = $response->{headers};
	my @faults;

	for my $name (uniq @needed, keys %{ document()->{components}{headers} }) {
		my $value = $headers->{ lc $name };
		my $header = deref($listed->{$name});

		push @faults, "$name: comes twice" if ref $value;
		push @faults, "$name: is not listed" if defined $value && !$header;
		push @faults, "$name: is missing" if !defined $value
		    && ($header->{required} || grep { $_ eq $name } @needed);
		push @faults, map { "$name$_" } text_faults($value,
		    $header->{schema}) if defined $value && $header;
	}
	return @faults;
}

# A problem says in its body what status and headers say. One that is given
# again has the id of the request that it was first given to.
sub problem_faults ($answer) {
	my ($p, $headers) = @$answer{qw(json headers)};
	my $id = $headers->{'idempotency-replayed'} ? undef : $p->{requestId};

	return map { my ($name, $here, $there) = @$_;
		defined $here && $here ne ($there // '') ?
		    "/$name: is not that of the answer" : () }
	    [ status => $p->{status}, $answer->{status} ],
	    [ requestId => $id, $headers->{'x-request-id'} ],
	    [ retryAfter => $p->{retryAfter}, $headers->{'retry-after'} ];
}

# What is wrong with a query, and with a body, as the document has it. Where it
# has parameters for a GET it has all there are, and each comes once.
sub query_faults ($query, $operation) {
	my (%value, %no_text, %seen, @faults);
	my @known = map { deref($_) } @{ $operation->{parameters} };
	my %known = map { $_->{name} => 1 } grep { $_->{in} eq 'query' } @known;

	for my $pair (grep { length } split /&/, $query // '') {
		my ($name, $value) = split /=/, $pair, 2;
		push @faults, $known{ $name //= '' } ? () : "$name: unknown",
		    $known{$name} && $seen{$name}++ == 1 ? "$name: twice" : ();
		$value = ($value // '') =~ tr/+/ /r
		    =~ s/%([0-9a-f]{2})/chr hex $1/gier;
		$no_text{$name} = !utf8::decode($value)
		    || $value =~ /[\x{d800}-\x{dfff}]/
		    || $value =~ /[^\0-\x{10ffff}]/
		    || $pair =~ /%(?![0-9a-f]{2})/i;
		$value{$name} = $value;
	}
	for my $p (@known) {
		my $value = $p->{in} eq 'query' ? $value{ $p->{name} } : next;
		push @faults, $no_text{ $p->{name} } ? "$p->{name}: no text"
		    : defined $value
		    ? map { "$p->{name}$_" } text_faults($value, $p->{schema})
		    : $p->{required} ? "$p->{name}: missing" : ();
	}
	return @faults;
}

# The value of a JSON text. To the document, as to cttd, an integer is a number
# that is written without fraction and exponent: another one comes out as 0.5.
sub value ($text) {
	my $string = qr/"[^"\\]*+(?:\\.[^"\\]*+)*+"/s;

	return Cpanel::JSON::XS->new->utf8->allow_nonref->allow_dupkeys
	    ->allow_bignum->decode($text =~ s{($string)|(-?\d+(?:\.\d+)?
		(?:[eE][-+]?\d+)?)}{$1 // ($2 =~ m/[.eE]/ ? '0.5' : $2)}gerx);
}

# What no schema can say of a request.
my $BEYOND = qr/named\ twice | or\ one\ of | neither\ code\ nor |
    only\ one\ of\ them | next`\ of\ the\ previous | unicast | name\ one\ in | name\ what | send\ one | visible\ ASCII
    | hold\ 1\ to\ (?!500\b)/x;

# Of many, those fail for their fields that the document says, and no others.
sub item_faults ($data, $schema, $results) {
	my %failed = map { ($_->{index} => 1) }
	    grep { (($_->{error} // {})->{code} // '') eq 'VALIDATION_FAILED' }
	    @{ $results // [] };
	my %faulty = map { ($_ => 1) } faulty_items($data, $schema);

	return (map { "item $_ was taken" } grep { !$failed{$_} } keys %faulty),
	    defined each_of($schema) ? map { "item $_ was refused" }
	    grep { !$faulty{$_} } keys %failed : ();
}

sub request_faults ($request, $operation, $answer) {
	my ($json, $content) = ($answer->{json},
		$operation->{requestBody}{content});
	my $taken = $answer->{status} < 300
	    || grep { exists $json->{$_} } qw(operationId results);
	my $errors = !$taken && ($json->{code} // '') eq 'VALIDATION_FAILED'
	    && $json->{errors};
	return if !$errors && !$taken;

	my @faults = query_faults($request->{path} =~ s/^[^?]*\??//sr,
		$operation);
	if ($content && defined $request->{body}) {
		my ($data, $schema) = (value($request->{body}),
			$content->{'application/json'}{schema});
		push @faults, whole_faults($data, $schema);
		push @faults, item_faults($data, $schema, $json->{results})
		    if $json->{results};
	}
	return map { "the request was taken: $_" } @faults if $taken;
	return map { "the request was refused: $_->{field} $_->{message}" }
	    grep { !@faults && $_->{message} !~ $BEYOND } @$errors;
}

# $request: {method, path, body (text)}. What is wrong: lines, or nothing.
sub faults ($request, $answer) {
	my ($method, $status, $json) = ($request->{method},
		@$answer{qw(status json)});
	my $item = item_at($request->{path} =~ s/\?.*//sr);
	my $response = response($item, $method, $status);
	my $type = $answer->{headers}{'content-type'} // 'none';
	my $content = $response->{content}{$type}
	    or return ("the media type $type is not listed");
	my $schema = choose(deref($content->{schema}), $json);
	my @faults = header_faults($response, $answer->{headers},
	    @{ $schema->{'x-headers'} // [] });

	# TRACE and CONNECT are nginx's to refuse, which has one Allow for all.
	if (my $allow = $status == 405 && $method !~ /^(TRACE|CONNECT)$/
	    && $answer->{headers}{allow}) {
		my $methods = join ', ', sort map { uc } keys %$item,
		    $item->{get} ? 'head' : ();
		push @faults, "Allow: is not $methods" if $allow ne $methods;
	}
	if ($method eq 'HEAD') {
		push @faults, 'HEAD has a body' if length $answer->{raw};
	} elsif ($type !~ /json$/) {
		push @faults, body_faults($answer->{raw}, $schema);
	} elsif (ref $json ne 'HASH') {
		push @faults, 'the body is no JSON object';
	} else {
		push @faults, body_faults($json, $schema);
		push @faults, problem_faults($answer) if $type =~ /problem/;
		push @faults, request_faults($request, $item->{ lc $method },
			$answer) if $item && $item->{ lc $method };
	}
	return @faults;
}

1;
