# What is secret stays so: passwords, keys and tokens are in no log, whatever
# is logged, in no answer, whatever goes wrong, on no command line, in no
# environment and in no core dump.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64url);
use Test::More;
use Time::HiRes qw(sleep);
use Tls;
use Util qw(slurp);

my $tls = Tls->new(File::Temp::tempdir(CLEANUP => 1) . '/tls');
my @PARTNERS = qw(TAAS TMF NIG QUEUE);
my %secret;    # what it is => the text

$tls->ca('ours');
$tls->cert('us', ca => 'ours', name => 'cttd');
$secret{"$_ token"} = "\L$_\E-token-5eCr3t" for @PARTNERS;
$secret{"$_ header"} = "\L$_\E-header-5eCr3t" for @PARTNERS;
$secret{'client secret'} = 'client-5eCr3t-of-ours';
$secret{'fetched token'} = 'fetched-token-5eCr3t';
my $client = $tls->spew('client', "cttd\n$secret{'client secret'}\n");
my $c = Ctt->start(pool => 2, set => { CTT_LOG_LEVEL => 'debug',
	CTT_LOG_FORMAT => 'json',
	CTT_PARTNER_TIMEOUT_MS => 500, CTT_BREAKER_FAILURES => 1000,
	(map { ("CTT_${_}_TOKEN_FILE" => $tls->spew("$_.token",
		$secret{"$_ token"} . "\n"),
		"CTT_${_}_HEADERS_FILE" => $tls->spew("$_.headers",
		qq(X-Api-Key: $secret{"$_ header"}\n))) } @PARTNERS) });

for (qw(DB_PASSWORD DB_MIGRATE_PASSWORD JWT_KEY AUDIT_KEY)) {
	chomp($secret{$_} = slurp($c->env("CTT_${_}_FILE")));
}
# A line of the client key's body.
($secret{'client key'}) = slurp($tls->file('us.key')) =~ /^([^-\n]{40})/m;

# ---- everything that can be answered ----

my $said = '';    # all answers, headers too

sub hear ($r) {
	$said .= join "\n", $r->{raw}, %{ $r->{headers} }, '';
	return $r;
}

sub token ($alg, %claims) {
	my $text = join '.', map {
		encode_base64url(Cpanel::JSON::XS->new->encode($_)) }
	    { alg => $alg, typ => 'JWT' },
	    { sub => 'kim', exp => time + 60, roles => ['ctt-viewer'], %claims };
	my $token = "$text." . encode_base64url(
	    hmac_sha256($text, $secret{JWT_KEY}));
	$secret{"token $alg @{[%claims]}"} = $token;
	return "Bearer $token";
}

for (
	[ 200, token('HS256') ], [ 401, token('HS256', exp => 1) ],
	[ 401, token('HS256', nbf => time + 60) ], [ 401, token('none') ],
	[ 401, token('RS256') ], [ 401, token('HS256', aud => 'x') ],
	[ 401, token('HS256', roles => 7) ], [ 401, token('HS256') . 'x' ],
	[ 403, token('HS256', roles => []) ],
	[ 401, token('HS256', typ => 'x', exp => 2) ],
	[ 401, token('HS256') =~ s/Bearer/Basic/r ],
) {
	my ($status, $authorization) = @$_;
	is hear($c->get('/ticket/lov', Authorization => $authorization))
	    ->{status}, $status, "a token that is answered $status";
}
$secret{'token of the operator'} = $c->token;

# Requests that nginx itself refuses, token and all.
for (
	[ 431, "Authorization: Bearer $secret{'token HS256 '}" . 'x' x 40_000 ],
	[ 400, "Authorization : Bearer $secret{'token HS256 '}\r\n"
		. 'Content-Length: x' ],
	[ 400, "Content-Length: 1\r\nContent-Length: 2\r\n"
		. "Authorization: Bearer $secret{'token HS256 '}" ],
) {
	my ($status, $header) = @$_;
	my $r = hear($c->raw("GET /ticket/lov HTTP/1.1\r\nHost: x\r\n"
	    . "Connection: close\r\n$header\r\n\r\n"));
	is $r->{status}, $status, "nginx refuses it: $status";
}

# A partner that says our token back to us; other trouble; no database.
{
	my @ctts = $c->given(map { (ctt => { source => $_ }) }
	    qw(TAAS TMF TAAS TMF TAAS TAAS));
	my ($ntt) = $c->given(ntt => {});

	for my $i (0, 1) {
		my $partner = $PARTNERS[$i];
		$c->rule(ticket => "C-$ctts[$i]", do => 'status', status => 401,
		    body => { error => 'what token is that',
			header => $i ? $secret{"$partner header"}
			    : "Bearer $secret{\"$partner token\"}" });
	}
	$c->rule(ticket => "C-$ctts[2]", do => 'status', status => 500);
	$c->rule(ticket => "C-$ctts[3]", do => 'cut');
	is hear($c->link($_, $ntt))->{status}, 502, 'trouble with a partner'
	    for @ctts[ 0 .. 3 ];
	like $said, qr/repeats our token/, 'who repeats it is not quoted';
	is hear($c->link($ctts[4], $ntt))->{status}, 200, 'none';
	$c->no_rules;
	ok $c->settle, 'settled';

	hear($c->get("/ticket/ctt/$_")) for @ctts;
	hear($c->get($_)) for qw(/healthz /readyz /metrics /ticket/ctt);
	hear($c->get('/ticket/health', Authorization => 'Bearer '
		. $c->token(roles => ['ctt-admin'])));
	hear($c->get("/ticket/operation/$_"))
	    for $c->column('SELECT id FROM operation');

	ok $c->stack('stop', 'db'), 'the database goes';
	is hear($c->link($ctts[5], $ntt))->{status}, 503, 'told so';
	ok $c->stack('start', 'db'), 'and comes back';
	is $c->link($ctts[5], $ntt)->{status}, 200, 'all is well again';
}
ok $c->quiet, 'all jobs are delivered';

# A token endpoint that says the client's secret back to us, and one that gives a
# token, which the partner says back. A file that becomes unreadable.
$c->restart_pool(1, CTT_TAAS_TOKEN_FILE => '', CTT_TAAS_OAUTH_URL =>
	$c->env('CTT_SIM_URL') . '/taas/token?key=x',
	CTT_TAAS_OAUTH_CLIENT_FILE => $client);
for (
	[ 401, { error => $secret{'client secret'},
		error_description => $secret{'client secret'} } ],
	[ 200, { access_token => "$secret{'client secret'} is no token" } ],
	[ 200, { access_token => $secret{'fetched token'} } ],
) {
	my ($status, $body) = @$_;
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});

	$c->rule(path => '/token', do => 'status', status => $status,
		body => $body);
	$c->rule(ticket => "C-$ctt", do => 'status', status => 401,
		body => { bad => $secret{'fetched token'} });
	is hear($c->link($ctt, $ntt))->{status}, 502, 'trouble with a token';
	hear($c->get('/ticket/operation/' . $c->one('SELECT MAX(id) FROM'
		. ' operation WHERE ctt_id = ?', $ctt)));
	hear($c->get($_)) for qw(/metrics);
	$c->no_rules;
	sleep 2.5;    # the next one may be fetched
}
{
	my ($ctt, $ntt) = $c->given(ctt => { source => 'TMF' }, ntt => {});

	unlink $tls->file('TMF.token');
	is hear($c->link($ctt, $ntt))->{status}, 200, 'no file any more';
	$tls->spew('TMF.token', $secret{'TMF token'});
}

# ---- where they must not be ----

sub missing_in ($name, $text) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is_deeply [ grep { index($text, $secret{$_}) >= 0 }
	    sort keys %secret ], [], "no secret in $name";
}

ok length $secret{$_} >= 16, "there is a $_" for sort keys %secret;
missing_in('an answer', $said);
for my $part (qw(pool worker)) {
	for my $pid ($c->pids($part)) {
		missing_in("the $_ of the $part", slurp("/proc/$pid/$_"))
		    for qw(cmdline environ);
	}
}
for my $program (
	[ 'cttctl', 'settings' ], [ 'cttctl', 'check' ],
	[ 'cttctl', { CTT_DB_PASSWORD_FILE => $tls->file('us.crt') }, 'check' ],
	[ 'cttctl', { CTT_JWT_ALG => 'RS256' }, 'token', '--sub', 'x',
		'--roles', 'x' ],
	[ 'ctt.fcgi', { CTT_JWT_ALG => 'RS256' }, '--check' ],
	[ 'ctt.fcgi', { CTT_TAAS_URL => 'https://x', CTT_TAAS_CERT_FILE =>
		$tls->file('us.key'), CTT_TAAS_KEY_FILE =>
		$tls->file('us.key') }, '--check' ],
	[ 'ctt.fcgi', { CTT_AUDIT_KEY_FILE => $tls->file('TAAS.token') },
		'--check' ],
	[ 'ctt.fcgi', { CTT_TAAS_HEADERS_FILE => $tls->file('TAAS.token') },
		'--check' ],
	[ 'ctt.fcgi', { CTT_TAAS_OAUTH_CLIENT_FILE =>
		$tls->file('TAAS.token') }, '--check' ],
	[ 'ctt.fcgi', { CTT_TAAS_TOKEN_FILE => undef, CTT_TAAS_OAUTH_URL =>
		$c->env('CTT_SIM_URL') . '/taas/none',
		CTT_TAAS_OAUTH_CLIENT_FILE => $client }, '--check' ],
	[ 'ctt.fcgi', { CTT_TAAS_PROXY =>
		"http://me:$secret{'client secret'}\@x:1" }, '--check' ],
) {
	my $r = $c->run(@$program);
	missing_in("what $program->[0] prints", "$r->{out}$r->{err}");
}

# ---- who could look ----

is +(stat $c->dir . '/ctt.sock')[2] & 07777, 0660,
    'the socket is for the web server alone';

SKIP: {
	skip 'needs root, to make a file of somebody else', 2 if $> != 0;
	my $file = $tls->spew('shared', '');
	my %set = (CTT_SHARED_FILE => $file);

	unlike $c->run('ctt.fcgi', \%set, '--check')->{err},
	    qr/^ctt\.fcgi:|level=(?!debug)/m,
	    'what is shared is in a file of ours';
	chown 65534, -1, $file or die "$file: $!";
	like $c->run('ctt.fcgi', \%set, '--check')->{err},
	    qr/event=not_shared .*not permitted/, 'or it is not shared';
}

# strace: before the first secret is read, there is no core dump any more.
for ([ 'ctt.fcgi', '--check' ], [ 'cttctl', 'check' ], ['ctt-worker']) {
	my ($program, @args) = @$_;
	my $all = $c->calls_of('prctl,openat', sub ($text) {
		$text =~ /db-password/ }, $program, {}, @args);
	my @calls = map { /PR_SET_DUMPABLE, (SUID_DUMP_DISABLE|0)\b/ ? 'closed'
		: m{"[^"]*(-password|-key|\.token)"} ? 'read' : () }
	    split /\n/, $all;
	cmp_ok scalar(@calls), '>', 1, "$program reads a secret";
	is $calls[0], 'closed', 'once it can leave no core dump';
}

# ---- the logs, of all parts ----

ok $c->stack('stop', $_), "the $_ stops" for qw(worker pool nginx);
for my $log (glob $c->dir . '/log/*') {
	missing_in($log =~ s{.*/}{}r, slurp($log));
}
like slurp($c->dir . '/log/pool.log'), qr/"level":"debug"/, 'all was logged';
$c->stop;
done_testing;
