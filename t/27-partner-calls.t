# What is sent to partners beside the body, and how much is read of what they
# answer: headers of a file, a base URL with a query, compressed answers.

use v5.36;

use Compress::Zlib qw(memGzip);
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Util qw(memory_kb spew);

my $dir = File::Temp::tempdir(CLEANUP => 1);
my $QUERY = 'api-version=3&key=a%2Fb';
my %HEADERS = (
	TAAS  => "X-Api-Key: taas-key: 7\n\nx-tenant:net\n",
	TMF   => "Ocp-Apim-Subscription-Key:\t tmf key \t\r\nX-Two: 2\r\n",
	NIG   => 'X-Api-Key: nig-key',
	QUEUE => "X-Api-Key: queue-key\n",
);
my %WANT = (
	taas  => { 'x-api-key' => 'taas-key: 7', 'x-tenant' => 'net' },
	tmf   => { 'ocp-apim-subscription-key' => 'tmf key', 'x-two' => '2' },
	nig   => { 'x-api-key' => 'nig-key' },
	queue => { 'x-api-key' => 'queue-key' },
);
my %CPE = (manufacturer => 'Nokia', model => 'G-010', ipAddress => '10.0.0.2',
	bandwidthMbps => 500, port => '1/1/2');

# ---- headers, and a query, in each call ----

my $c = Ctt->start(set => { CTT_BREAKER_FAILURES => 1000,
	map { ("CTT_${_}_HEADERS_FILE" =>
		spew("$dir/$_", $HEADERS{$_})) } keys %HEADERS });
my $sim = $c->env('CTT_SIM_URL');

sub given_activity ($source) {
	my ($ctt) = $c->given(ctt => { source => uc $source,
		ticket_no => "$source-" . ++state $n });

	return ($c->given_activity($ctt), $ctt);
}

sub all_calls () {
	my ($taas, $tmf, $cpe, $ntt) = $c->given(ctt => {},
	    ctt => { source => 'TMF' },
	    ctt => { segment_group => 'Managed Services' }, ntt => {});

	$c->given_element($cpe);
	is $c->link($_, $ntt)->{status}, 200, 'linked' for $taas, $tmf;
	is $c->unlink_from($ntt, [ $taas, $tmf ])->{status}, 200, 'unlinked';
	is $c->resolve(given_activity($_), remark => 'well')->{status}, 200,
	    'resolved' for qw(TaaS TMF);
	is $c->update_cpe($cpe, \%CPE)->{status}, 200, 'updated';
	ok $c->quiet, 'all jobs are delivered';
}

for (
	[ 'no query', '', '', '' ], [ 'a slash at the end', '/', '', '' ],
	[ 'an empty query', '?', '', '' ],
	[ 'a query', "?$QUERY", "?$QUERY", "&" ],
	[ 'a slash and a query', "/?$QUERY", "?$QUERY", '&' ],
) {
	my ($name, $end, $query, $more) = @$_;
	my %set = map { ("CTT_\U$_\E_URL" => "$sim/$_$end") } keys %WANT;
	my %paths;

	$more ||= '?';
	$c->restart_pool(2, %set);
	ok $c->stack('restart', 'worker'), 'the worker too';
	$c->sim(DELETE => '/calls');
	all_calls();
	for my $partner (sort keys %WANT) {
		my %odd;

		for my $call ($c->heard($partner)) {
			$paths{"$call->{method} $call->{path}"
			    =~ s{/(?:C|TaaS|TMF|ONT)-\d+}{/*}gr} = 1;
			for (keys %{ $WANT{$partner} }) {
				$odd{"$call->{path}: $_"} = 1
				    if ($call->{headers}{$_} // '')
				    ne $WANT{$partner}{$_};
			}
		}
		is_deeply \%odd, {}, "$partner: each call has the headers";
	}
	is_deeply [ sort keys %paths ], [ sort
		map({ "$_$query" } 'POST /taas/tickets/*/link',
		'POST /taas/tickets/*/unlink', 'PUT /taas/tickets/*/status',
		'POST /taas/tickets/*/notes', 'PATCH /tmf/troubleTicket/*',
		'PUT /nig/cpe/*/*', 'POST /queue/jobs'),
		map({ "GET /tmf/troubleTicket/*$query${more}fields=$_" }
		    'troubleTicketRelationship', 'status,note') ],
	    "$name: the path comes first, then all queries";
}

# ---- a partner that says them back ----

for (
	[ 'TAAS', 'taas-key: 7' ], [ 'TMF', 'tmf key' ],
) {
	my ($source, $value) = @$_;
	my ($ctt, $ntt) = $c->given(ctt => { source => $source }, ntt => {});

	$c->rule(ticket => "C-$ctt", do => 'status', status => 400,
		body => { error => "not for $value" });
	my $r = $c->link($ctt, $ntt);
	is $r->{status}, 502, "$source refuses";
	like $r->{json}{detail}, qr/repeats our token or a secret header/,
	    'and is not quoted';
	unlike join('', $r->{raw}, $c->log_lines('pool')), qr/\Q$value\E/,
	    'nowhere';
}
$c->no_rules;

# ---- headers files that are wrong ----

for (
	[ 'nothing', undef, '' ], [ 'empty lines', undef, "\n\r\n\n" ],
	[ 'an odd name', undef, "a!#\$%&'*+-.^_`|~9: x" ],
	[ 'the same name twice', undef, "X-A: s3cret\nX-A: s3cret\n" ],
	[ 'no colon', 1, 's3cret' ], [ 'no colon in line 3', 3,
		"X-A: s3cret\n\ns3cret\n" ],
	[ 'a blank before the colon', 1, 'X-A : s3cret' ],
	[ 'a blank before the name', 2, "X-A: 1\n X-B: s3cret" ],
	[ 'no name', 1, ': s3cret' ], [ 'a letter', 1, "X-\xc3\xa4: s3cret" ],
	[ 'no value', 2, "X-A: s3cret\nX-B:\n" ],
	[ 'a blank for a value', 1, "X-B:  \t\r\n" ],
	[ 'a character in the value', 1, "X-A: s3cret\x01\n" ],
	[ 'a CR in the value', 1, "X-A: s3cret\rX-B: 1\n" ],
	[ 'a letter in the value', 1, "X-A: s3cret\xc3\xa4\n" ],
	[ 'DEL in the value', 1, "X-A: s3cret\x7f\n" ],
	[ 'NUL', '', "X-A: s3cret\0\n" ],
	map({ [ "ours: $_", 2, "X-A: 1\n$_: s3cret\n" ] }
		qw(Idempotency-Key x-request-id Content-Type Accept
		Accept-Encoding AUTHORIZATION If-Match Expect Host
		Content-Length Transfer-Encoding Connection
		Proxy-Authorization)),
) {
	my ($name, $line, $text) = @$_;
	my $file = spew("$dir/wrong", $text);

	for my $partner (qw(TAAS QUEUE)) {
		my $r = $c->run('ctt.fcgi', { "CTT_${partner}_HEADERS_FILE" =>
			$file }, '--check');
		is $r->{status}, defined $line ? 1 : 0, "$partner: $name: "
		    . (defined $line ? 'refused' : 'good') or diag $r->{err};
		my $told = 'line ' . ($line // '') . ' has|cannot read';
		like $r->{err}, defined $line
		    ? qr/^ctt\.fcgi: CTT_${partner}_HEADERS_FILE: (?:$told) .*\n\z/
		    : qr/^\z/, 'the line is told';
		unlike $r->{err}, qr/s3cret/, 'and no value';
	}
}
isnt $c->run('ctt-worker', { CTT_QUEUE_HEADERS_FILE =>
	spew("$dir/wrong", 'x') })->{status}, 0, 'the worker looks as well';

# ---- compressed answers ----

$c->restart_pool(1, map { ("CTT_\U$_\E_URL" => "$sim/$_") } keys %WANT);

# Small on the line, and so long when it is read.
sub bomb ($size, $text = '{"id":"x","x":"') {
	return memGzip($text . 'x' x $size . '"}');
}

my $TOO_LONG = 5 << 20;    # above CTT_PARTNER_READ_MAX_KIB
for (
	[ 'TaaS: a yes', 'TAAS', 'POST', 60 << 10, 200 ],
	[ 'TaaS: a yes that is too long', 'TAAS', 'POST', 70 << 10, 502 ],
	[ 'TaaS: a yes that is far too long', 'TAAS', 'POST', 64 << 20, 502 ],
	[ 'TMF: a ticket that is too long', 'TMF', 'GET', $TOO_LONG, 502 ],
	[ 'TMF: one that is far too long', 'TMF', 'GET', 64 << 20, 502 ],
) {
	my ($name, $source, $method, $size, $status) = @$_;
	my ($ctt, $ntt) = $c->given(ctt => { source => $source }, ntt => {});
	my $body = bomb($size);
	my $rule = $c->rule(ticket => "C-$ctt", method => $method,
		do => 'status', status => 200, applied => 1, raw => $body,
		headers => { 'Content-Encoding' => 'gzip' });

	my $r = $c->link($ctt, $ntt);
	is $r->{status}, $status, sprintf '%s (%d KiB in %d): %d', $name,
	    $size >> 10, length($body) >> 10, $status or diag $r->{raw};
	like $r->{json}{detail}, qr/too long|not JSON|other than the ticket/,
	    'why' if $status != 200;
	$c->no_rules;
	ok $c->settle, 'settled';
}
cmp_ok memory_kb(($c->pids('pool'))[0], 'VmHWM'), '<', 300 << 10,
    'and what is too long is not kept';

# What cannot be unpacked is no yes.
for (
	[ 'broken', substr(bomb(1000), 0, -20), 'gzip' ],
	[ 'not compressed at all', '{"ok":true}', 'gzip' ],
	[ 'in another way', '{"ok":true}', 'br' ],
) {
	my ($name, $body, $how) = @$_;
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});

	$c->rule(ticket => "C-$ctt", method => 'POST', do => 'status',
		status => 200, raw => $body, times => 3,
		headers => { 'Content-Encoding' => $how });
	my $r = $c->link($ctt, $ntt);
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome)} ],
	    [ 502, 'unknown' ], "compressed, $name: not known"
	    or diag $r->{raw};
	$c->no_rules;
	ok $c->settle, 'settled';
}
is_deeply [ map { $_->{headers}{'accept-encoding'} }
	grep { ($_->{headers}{'accept-encoding'} // '') ne 'gzip' }
	map { $c->heard($_) } keys %WANT ], [], 'gzip is what we take';
$c->agree;
ok $c->quiet, 'all jobs are delivered';
$c->stop;
done_testing;
