# How cttd shows a partner who it is: a token from a file, which is read again
# when it changes, and tokens by OAuth 2.0 client credentials, from a real
# provider (npm's oidc-provider) and from others that are odd, slow or away.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Ctt;
use MIME::Base64 qw(decode_base64 decode_base64url);
use Oidc;
use Relay;
use Test::More;
use Time::HiRes qw(sleep time);
use Tls;
use Util qw(free_port spew);

use constant BUDGET_MS => 1500;

my $dir = File::Temp::tempdir(CLEANUP => 1);
my $c;

# The tokens that a partner heard, in their order.
sub tokens ($partner = 'taas') {
	return map { ($_->{authorization} // 'none') =~ s/^Bearer //r }
	    $c->heard($partner);
}

sub given_link () {
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});

	return $c->link($ctt, $ntt);
}

# Events of this name in the log of a part.
sub logged ($event, $part = 'pool') {
	return scalar grep { /event=$event\b/ } $c->log_lines($part);
}

# Nothing was sent to TaaS, and the caller is told why.
sub not_sent ($r, $why, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $heard = $c->heard('taas');

	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partner partnerOutcome
		partnerStatus settled)} ],
	    [ 502, 'TAAS', 'refused', undef, 1 ], "$name: nothing was sent"
	    or diag $r->{raw};
	like $r->{json}{detail}, $why, 'and it says why';
}

# ---- a file ----

{
	my $file = spew("$dir/token", "one\r\n");
	my $queue = spew("$dir/queue", 'q-one');

	$c = Ctt->start(pool => 2, set => { CTT_BREAKER_FAILURES => 1000,
		CTT_TAAS_TOKEN_FILE => $file, CTT_QUEUE_TOKEN_FILE => $queue });
	# Each process sees it: some requests.
	for (
		[ 'the first one', 'one', sub { } ],
		[ 'put in its place', 'two', sub {
			spew("$dir/new", "two\n"); rename "$dir/new", $file } ],
		[ 'written over', 'six', sub { spew($file, 'six') } ],
		[ 'empty', 'six', sub { spew($file, '') }, 'it is empty' ],
		[ 'a line alone', 'six', sub { spew($file, "\n") },
			'it is empty' ],
		[ 'away', 'six', sub { unlink $file }, 'No such file' ],
		[ 'a folder', 'six', sub { mkdir $file }, 'Is a directory' ],
		[ 'there again', 'seven', sub { rmdir $file;
			spew($file, 'seven') } ],
	) {
		my ($name, $token, $do, $error) = @$_;
		my $before = logged('token_not_read');

		$c->sim(DELETE => '/calls');
		$do->();
		is given_link()->{status}, 200, "the token's file: $name"
		    for 1 .. 8;
		is_deeply [ tokens() ], [ ($token) x 8 ], "it is $token";
		my $told = logged('token_not_read') - $before;
		next if !$error && is $told, 0, 'nothing is told';
		ok $told >= 1 && $told <= 2, "told once by each process: $told";
		like +(grep { /token_not_read/ } $c->log_lines('pool'))[-1],
		    qr/level=warn .* file=\Q$file\E error="\Q$error\E.*kept=yes/,
		    'and why';
	}
	# It is read at the start, not only at the first call.
	$c->restart_pool(1);
	is $c->get('/healthz')->{status}, 200, 'a new process';
	unlink $file;
	is given_link()->{status}, 200, 'away before the first call';
	is +(tokens())[-1], 'seven', 'it is known';
	spew($file, 'seven');
	ok $c->quiet, 'all jobs are delivered';
	spew($queue, 'q-two');
	$c->sim(DELETE => '/calls');
	given_link();
	ok $c->quiet, 'the jobs of another link';
	is_deeply { map { $_ => 1 } tokens('queue') }, { 'q-two' => 1 },
	    'the worker reads its own again';
	$c->stop;
}

# ---- a provider ----

my $idp = Oidc->start;
my $relay;    # a line to it that is slow or cut, and may be had anew
my $client = spew("$dir/client", "cttd-service\nonly for tests\n");

sub oauth (%set) {
	return (CTT_TAAS_OAUTH_URL => $idp->issuer . '/token',
		CTT_TAAS_OAUTH_CLIENT_FILE => $client,
		CTT_TAAS_OAUTH_SCOPE => 'ctt',
		CTT_PARTNER_TIMEOUT_MS => BUDGET_MS,
		CTT_BREAKER_FAILURES => 1000, %set);
}

sub fetches () { return $idp->count('POST /token') }

sub claims ($token) {
	return Cpanel::JSON::XS::decode_json(decode_base64url(
		(split /\./, $token)[1]));
}

# In a process that has served none yet, and after which nothing is left of it.
sub fresh (%set) {
	$c->restart_pool(1, %set);
	$c->sim(DELETE => '/calls');
	return fetches();
}

$c = Ctt->start(pool => 1, set => { oauth(), CTT_THREADS => 64 });
{
	my $before = fetches();
	my @ctts = $c->given(map { (ctt => {}) } 1 .. 16);
	my $ntt = $c->given(ntt => {});

	is_deeply [ map { $_->{status} } $c->parallel(16, sub ($i) {
		$c->link($ctts[$i], $ntt) }) ], [ (200) x 16 ],
	    'many threads that need a token';
	is fetches() - $before, 1, 'one fetches it for all';
	my ($token, @others) = tokens();
	is_deeply [ grep { $_ ne $token } @others ], [], 'they share it';
	is_deeply [ @{ claims($token) }{qw(client_id scope aud)} ],
	    [ 'cttd-service', 'ctt', 'cttd' ], 'and it is of this client';
	is given_link()->{status}, 200, 'later';
	is fetches() - $before, 1, 'the same one serves';
	is $c->run('ctt.fcgi', '--check')->{err}, '', '--check is content';
}

# It is renewed before it ends: each that is heard has time left.
{
	$idp->set(ttl => 4);
	my $before = fresh();
	my (@left, @waited);

	for (my $end = time + 9; time < $end;) {
		my $began = time;
		is given_link()->{status}, 200, 'a link' or last;
		push @waited, time - $began;
		push @left, claims((tokens())[-1])->{exp} - time;
		sleep 0.1;
	}
	is_deeply [ grep { $_ < 0 } @left ], [], 'no token was too old';
	my $n = fetches() - $before;
	ok $n >= 3 && $n <= 6, "a token of 4 s, for 9 s: $n were fetched";
	my %seen = map { $_ => 1 } tokens();
	is scalar(keys %seen), $n, 'and each was used';
}

# The provider is away: the token that is good goes on until it ends, then
# nothing is sent.
{
	$idp->set(ttl => 12);
	fresh();
	is given_link()->{status}, 200, 'a token of 12 s';
	$idp->stop;
	my ($began, $served, $r) = (time, 0);

	ok $c->wait_for(20, sub {
		my $tried = logged('token_not_fetched');

		$r = given_link();
		$served++ if $tried && $r->{status} == 200;
		return $r->{status} != 200;
	}), 'a token is good until it ends';
	cmp_ok time - $began, '>', 8, 'which takes its time';
	cmp_ok $served, '>', 0, 'also when it could not be renewed';
	my $heard = $c->heard('taas');
	$began = time;
	not_sent(given_link(), qr/TaaS was not called, because no token could be had \(.*onnect/,
	    'the provider is away');
	cmp_ok time - $began, '<', 1, 'without a wait';
	is scalar $c->heard('taas'), $heard, 'TaaS hears nothing';
	my $check = $c->run('ctt.fcgi', '--check');
	is $check->{status}, 1, '--check tries it';
	like $check->{err}, qr/^ctt\.fcgi: CTT_TAAS_OAUTH_URL: no token .*onnect/,
	    'and tells why';
	$idp->again;
	ok $c->wait_for(5, sub { given_link()->{status} == 200 }),
	    'it is back, and so is the token';
}

# It is slow: that counts into the call's budget.
for ([ 0.6, 200 ], [ 8, 502 ]) {
	my ($delay, $status) = @$_;

	$relay = Relay->start(to => '127.0.0.1:' . $idp->port,
		delay => $delay);
	fresh(CTT_TAAS_OAUTH_URL => $relay->url . '/token');
	my $began = time;
	my $r = given_link();
	my $took = time - $began;

	is $r->{status}, $status, "a provider that takes $delay s: $status"
	    or diag $r->{raw};
	cmp_ok $took, '>', $delay < 1 ? $delay : BUDGET_MS / 1000 - 0.1,
	    'it is waited for';
	next if $status == 200;
	cmp_ok $took, '<', 6, 'but not longer';
	not_sent($r, qr/in time|timed out/i, 'too slow');
	is scalar $c->heard('taas'), 0, 'TaaS hears nothing';
}
$relay->stop;

# ---- 401 ----

$idp->set(ttl => 600);
{
	my $before = fresh(CTT_TAAS_OAUTH_URL => $idp->issuer . '/token');

	for my $n (1, 2) {
		$c->sim(DELETE => '/calls');
		$c->rule(partner => 'taas', do => 'status', status => 401,
			times => 1);
		is given_link()->{status}, 200, 'a 401 to a token: linked';
		my @calls = $c->heard('taas');
		is scalar @calls, 2, 'by two calls';
		is $calls[0]{key}, $calls[1]{key}, 'with one key';
		isnt $calls[0]{authorization}, $calls[1]{authorization},
		    'and two tokens';
		is fetches() - $before, $n + 1, 'of which one was fetched now';
	}
	# For ever: it ends, and the provider is left in peace.
	$c->sim(DELETE => '/calls');
	$c->rule(partner => 'taas', do => 'status', status => 401);
	$before = fetches();
	for (1 .. 10) {
		my $r = given_link();
		is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
			partnerStatus settled)} ], [ 502, 'refused', 401, 1 ],
		    '401 to each token: refused' or diag $r->{raw};
	}
	cmp_ok fetches() - $before, '<=', 3, 'few are fetched for that';
	cmp_ok scalar $c->heard('taas'), '<=', 13, 'and few calls made';
	$c->no_rules;
	ok $c->wait_for(5, sub { given_link()->{status} == 200 }), 'well again';

	# A read is tried once more, too.
	$c->restart_pool(1, CTT_TAAS_OAUTH_URL => '',
		CTT_TAAS_OAUTH_CLIENT_FILE => '', CTT_TAAS_OAUTH_SCOPE => '',
		CTT_TMF_OAUTH_URL => $idp->issuer . '/token',
		CTT_TMF_OAUTH_CLIENT_FILE => $client);
	for my $method (qw(GET PATCH)) {
		my ($ctt, $ntt) = $c->given(ctt => { source => 'TMF' },
		    ntt => {});

		$c->rule(ticket => "C-$ctt", method => $method, times => 1,
			do => 'status', status => 401);
		is $c->link($ctt, $ntt)->{status}, 200, "TMF: 401 to a $method";
		is scalar $c->heard('tmf', ticket => "C-$ctt",
			method => $method), 2, 'which came twice';
	}
	$c->no_rules;
}

# After a doubt it is no proof, with or without another token.
for (
	[ 'and the next one too', 2, 0 ], [ 'and no other is to be had', 1, 1 ],
) {
	my ($name, $times, $away) = @$_;

	fresh(oauth(), CTT_TMF_OAUTH_URL => '',
		CTT_TMF_OAUTH_CLIENT_FILE => '');
	is given_link()->{status}, 200, 'a token';
	$idp->stop if $away;
	$c->rule(partner => 'taas', do => 'status', status => 401,
		times => $times);
	$c->rule(partner => 'taas', do => 'status', status => 503, times => 1,
		applied => 1);
	my $r = given_link();
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
		partnerStatus settled)} ], [ 502, 'unknown', 401, 0 ],
	    "503 after the fact, then 401, $name: not known"
	    or diag $r->{raw};
	like $r->{json}{detail}, qr/no new token could be had/, 'and why'
	    if $away;
	$idp->again if $away;
	ok $c->settle, 'it is settled';
	is $c->row(operation => $r->{json}{operationId})->{state},
	    'COMPENSATED', 'by its inverse';
	$c->agree;
}
# Without a doubt the refusal stands, if there is no other token.
{
	fresh();
	is given_link()->{status}, 200, 'a token';
	$idp->stop;
	$c->rule(partner => 'taas', do => 'status', status => 401, times => 1);
	my $r = given_link();
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
		partnerStatus settled)} ], [ 502, 'refused', 401, 1 ],
	    'a 401, and no new token: refused' or diag $r->{raw};
	like $r->{json}{detail}, qr/HTTP 401.*no new token could be had/,
	    'and why';
	$idp->again;
}

# A queue whose token cannot be had is away: that is not the job's fault.
{
	my $set = { CTT_QUEUE_OAUTH_URL => 'http://127.0.0.1:1/token',
		CTT_QUEUE_OAUTH_CLIENT_FILE => $client };
	ok $c->quiet && $c->stack('stop', 'worker'), 'no worker';
	my ($job) = $c->given(job => { type => 'notify-work-orders',
		payload => '{}', dedupe_key => 'x', state => 'READY' });
	$c->calls_of('file', sub ($) { $c->row(job => $job)->{last_error} },
	    'ctt-worker', $set);
	my $row = $c->row(job => $job);
	like $row->{last_error}, qr/no token could be had/, 'a job waits';
	is $row->{state}, 'READY', 'and is not given up';
	ok $c->stack('start', 'worker') && $c->quiet, 'until its queue is there';
}

# ---- what is sent to the provider, and what it may answer ----

{
	my $sim = $c->env('CTT_SIM_URL');
	my %good = (access_token => 'good', token_type => 'Bearer',
		expires_in => 600);
	spew("$dir/odd", "id: 1%\r\ns&c r+t=\r\n");
	my %odd = (CTT_TAAS_OAUTH_URL => "$sim/taas/token?tenant=7",
		CTT_TAAS_OAUTH_CLIENT_FILE => "$dir/odd",
		CTT_TAAS_OAUTH_SCOPE => 'a b/c&d');

	for (
		[ 'a token', \%good, 'good' ],
		[ 'in other letters', { %good, token_type => 'bearer' },
			'good' ],
		[ 'no type', { access_token => 'good', expires_in => 600 },
			'good' ],
		[ 'a time as a text', { %good, expires_in => '600' }, 'good' ],
		[ 'no time', { access_token => 'good' }, 'good' ],
		[ 'no token', { expires_in => 600 } ],
		[ 'an empty token', { %good, access_token => '' } ],
		[ 'a number for a token', { %good, access_token => 7 } ],
		[ 'a token that is two lines',
			{ %good, access_token => "a\r\nX: y" } ],
		[ 'a token that is too long',
			{ %good, access_token => 'x' x 20_000 } ],
		[ 'another type', { %good, token_type => 'mac' } ],
		[ 'no object', [] ],
		[ 'a page', undef ],
	) {
		my ($name, $answer, $token) = @$_;

		fresh(%odd);
		$c->rule(path => '/token', $answer
		    ? (do => 'status', status => 200, body => $answer)
		    : (do => 'html'));
		my $r = given_link();
		my ($asked) = $c->heard('taas');
		my @heard = grep { $_->{path} =~ /link$/ } $c->heard('taas');

		is_deeply [ map { $_->{authorization} } @heard ],
		    [ $token ? "Bearer $token" : () ], "$name: "
		    . ($token ? 'taken' : 'refused') or diag $r->{raw};
		like $r->{json}{detail}, qr/\(its answer has no bearer token\)/,
		    'and why' if !$token;
		is_deeply [ @$asked{qw(method path contentType raw)},
			decode_base64($asked->{authorization} =~ s/^Basic //r) ],
		    [ 'POST', '/taas/token?tenant=7',
			'application/x-www-form-urlencoded',
			'grant_type=client_credentials&scope=a%20b%2Fc%26d',
			'id%3A%201%25:s%26c%20r%2Bt%3D' ],
		    'the provider was asked as RFC 6749 has it';
		$c->no_rules;
	}
	for (
		[ 400, { error => 'invalid_scope' },
			'the provider answered 400: invalid_scope' ],
		[ 401, { error => 'invalid_client', error_description =>
			'no s&c r+t=' }, 'the provider answered 401:'
			. ' invalid_client' ],
		[ 400, { error => 's&c r+t=' }, 'the provider answered 400' ],
		[ 302, {}, 'the provider answered 302' ],
		[ 500, [], 'the provider answered 500' ],
	) {
		my ($status, $body, $why) = @$_;

		fresh(%odd);
		$c->rule(path => '/token', do => 'status', status => $status,
			body => $body, headers => { Location => '/taas/x' });
		not_sent(given_link(), qr/\(\Q$why\E\)/, "answers $status");
		$c->no_rules;
	}
	# A call that has used up half of its time when it needs another token.
	fresh(%odd);
	$c->rule(path => '/token', do => 'hang');
	$c->rule(path => '/token', times => 1, do => 'status', status => 200,
		body => \%good);
	$c->rule(path => '/link$', do => 'status', status => 401);
	$c->sim(PUT => '/latency', { taas => BUDGET_MS / 3 });
	my $began = time;
	my $r = given_link();
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
		partnerStatus)} ], [ 502, 'refused', 401 ],
	    'a 401, and then a provider that hangs';
	like $r->{json}{detail}, qr/HTTP 401.*did not answer in time/, 'and why';
	cmp_ok time - $began, '<', BUDGET_MS / 1000 + 0.5,
	    'waits no longer than the call may take';
	$c->sim(PUT => '/latency', { taas => 0 });
	$c->no_rules;
}

# ---- over TLS ----

{
	my $tls = Tls->new("$dir/tls");
	my $port = free_port();

	$tls->ca($_) for qw(ours theirs);
	$tls->cert('idp', ca => 'ours', name => 'localhost');
	$tls->nginx(<<"END");
	server {
		listen $port ssl;
		ssl_certificate @{[$tls->file('idp.crt')]};
		ssl_certificate_key @{[$tls->file('idp.key')]};
		location / { proxy_pass @{[$idp->issuer]}; }
	}
END
	for ([ ours => '' ], [ theirs => 'SSL' ], [ undef, 'SSL' ]) {
		my ($ca, $error) = @$_;
		my $r = $c->run('ctt.fcgi', { oauth(CTT_TAAS_OAUTH_URL =>
			"https://localhost:$port/token", CTT_TAAS_CA_FILE =>
			$ca && $tls->file("$ca.crt")) }, '--check');

		like $r->{err}, $error ? qr/OAUTH_URL: no token .*$error/
		    : qr/^\z/, 'the CA ' . ($ca // 'of the system');
	}
}

# ---- the settings ----

my $URL = $idp->issuer . '/token';

for (
	[ 'all', undef, OAUTH_URL => $URL, OAUTH_CLIENT_FILE => $client,
		OAUTH_SCOPE => 'ctt' ],
	[ 'no scope', undef, OAUTH_URL => $URL, OAUTH_CLIENT_FILE => $client ],
	[ 'a token beside it', 'OAUTH_URL', OAUTH_URL => $URL,
		OAUTH_CLIENT_FILE => $client, TOKEN_FILE => "$dir/token" ],
	[ 'no client', 'OAUTH_CLIENT_FILE', OAUTH_URL => $URL ],
	[ 'no URL', 'OAUTH_CLIENT_FILE', OAUTH_CLIENT_FILE => $client ],
	[ 'a scope alone', 'OAUTH_SCOPE', OAUTH_SCOPE => 'ctt' ],
	[ 'no such file', 'OAUTH_CLIENT_FILE', OAUTH_URL => $URL,
		OAUTH_CLIENT_FILE => '/nowhere' ],
	[ 'an id alone', 'OAUTH_CLIENT_FILE', OAUTH_URL => $URL,
		OAUTH_CLIENT_FILE => spew("$dir/id", "s3cret-id\n") ],
	[ 'an empty id', 'OAUTH_CLIENT_FILE', OAUTH_URL => $URL,
		OAUTH_CLIENT_FILE => spew("$dir/noid", "\ns3cret\n") ],
	[ 'three lines', 'OAUTH_CLIENT_FILE', OAUTH_URL => $URL,
		OAUTH_CLIENT_FILE => spew("$dir/three", "a\ns3cret\nc\n") ],
	[ 'no TLS', 'OAUTH_URL', OAUTH_URL => 'http://idp.example/token',
		OAUTH_CLIENT_FILE => $client ],
	[ 'a password', 'OAUTH_URL', OAUTH_URL => 'https://me:s3cret@x/token',
		OAUTH_CLIENT_FILE => $client ],
	[ 'an empty token', 'TOKEN_FILE', TOKEN_FILE =>
		spew("$dir/empty", "\n") ],
) {
	my ($name, $fault, %set) = @$_;

	for my $partner (qw(TAAS TMF NIG QUEUE)) {
		my $r = $c->run('ctt.fcgi', { (map { $_ => undef }
			grep { /^CTT_TAAS_OAUTH/ } keys %{{ oauth() }}),
			map { ("CTT_${partner}_$_" => $set{$_}) } keys %set },
		    '--check');
		is_deeply [ $r->{status}, $r->{err} =~ /\b(CTT_\w+): .*\n\z/,
			$r->{err} =~ /(s3cret)/ ],
		    $fault ? [ 1, "CTT_${partner}_$fault" ] : [0],
		    "$partner: $name: " . ($fault ? 'refused' : 'good')
		    or diag $r->{err};
	}
}
isnt $c->run('ctt-worker', { oauth(), CTT_TAAS_TOKEN_FILE => "$dir/token" })
    ->{status}, 0, 'the worker looks as well';
ok $c->quiet, 'all jobs are delivered';
$c->stop;
done_testing;
