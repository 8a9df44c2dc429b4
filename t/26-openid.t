# Tokens of OpenID providers: a real one (npm's oidc-provider), whose keys are
# found and followed while it changes them; and tokens as others make them.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Ctt;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(decode_base64url encode_base64url);
use Oidc;
use Test::More;
use Time::HiRes qw(sleep time);
use Tls;
use Util qw(free_port slurp spew);

my $JSON = Cpanel::JSON::XS->new->utf8->canonical;
my $LOV = '/ticket/lov';
my $c;

sub ask ($token, $path = $LOV) {
	return $c->get($path, Authorization => "Bearer $token");
}

sub status ($token) { return ask($token)->{status} }

# The status of each of several requests with the token: all processes get some.
sub statuses ($token, $n = 8) {
	my %seen = map { status($token) => 1 } 1 .. $n;
	return join ' ', sort keys %seen;
}

# ---- the whole dance, by each algorithm ----

for my $alg (qw(RS256 PS256 ES256 EdDSA)) {
	my $idp = Oidc->start(alg => $alg);

	$c = Ctt->start(pool => 1, set => { $idp->found_settings });
	my $token = $idp->token;
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	my $r = $c->post('/ticket/ctt/link', { cttId => $ctt, nttId => $ntt },
	    Authorization => "Bearer $token");

	is $r->{status}, 200, "$alg: a token by client credentials";
	is_deeply [ $c->column('SELECT DISTINCT actor FROM audit_log') ],
	    ['cttd-service'], 'the client is the actor';
	$idp->set(typ => 'at+jwt');
	is status($idp->token), 200, 'typ at+jwt';
	my ($head, $body, $sign) = split /\./, $token;
	my $other = substr($sign, 0, 1) eq 'A' ? 'B' : 'A';
	is status("$head.$body.$other" . substr $sign, 1), 401,
	    'another signature';
	my $eve = encode_base64url($JSON->encode({
		%{ $JSON->decode(decode_base64url($body)) }, sub => 'eve' }));
	is status("$head.$eve.$sign"), 401, 'another actor';
	ok $c->quiet, 'all jobs are delivered';
	$c->stop;
}

# ---- the provider changes its keys, under load ----

my $idp = Oidc->start;

$c = Ctt->start(pool => 3, set => { $idp->found_settings });

# A child that asks without a pause, with a new token each time and with an old
# one; prints all statuses but 200.
sub load ($old) {
	pipe my $in, my $out or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";

	return { pid => $pid, in => $in } if $pid;
	close $in;
	my ($go, $n) = (1, 0);
	local $SIG{USR1} = sub { $go = 0 };
	delete @$c{qw(dbh http)};
	while ($go) {
		for ([ old => $old ], [ new => $idp->token ]) {
			my ($name, $token) = @$_;
			my $r = ask($token);
			$n++;
			syswrite $out, "$name $r->{status} "
			    . ($r->{json}{detail} // '') . "\n"
			    if $r->{status} != 200;
		}
	}
	syswrite $out, "asked $n\n";
	POSIX::_exit(0);
}

sub end_load ($load) {
	kill 'USR1', $load->{pid};
	my @lines = readline $load->{in};
	waitpid $load->{pid}, 0;
	return @lines;
}

sub fetches ($idp) { return $idp->count('GET /jwks') }

{
	my $old = $idp->token;
	my @loads = map { load($old) } 1 .. 3;
	my $before = fetches($idp);

	sleep 1;
	is fetches($idp), $before, 'keys that are known are not fetched again';
	my $kid = $idp->rotate(drop => 1);
	sleep 2;
	my @lines = map { end_load($_) } @loads;
	is_deeply [ grep { !/^asked/ } @lines ], [],
	    'no 401, neither for the new key nor for the old one';
	my ($n) = sort { $a <=> $b } map { /^asked (\d+)/ ? $1 : () } @lines;
	cmp_ok $n, '>', 20, 'under load';
	cmp_ok fetches($idp) - $before, '<=', 3, 'each process fetched once';
	is statuses($old), 200, 'a token by the key that is gone goes on';
	like join('', $c->log_lines('pool')),
	    qr/event=jwks keys=2 added=1 removed=1/, 'the log tells';
}

# A second change within 30 s: no fetch. Nor for keys that nobody has.
{
	my $before = fetches($idp);

	my %head = (alg => 'RS256');
	my $known = $idp->token;
	my $body = (split /\./, $known)[1];
	my $sign = (split /\./, $known)[2];

	for (1 .. 20) {
		my $r = ask(encode_base64url($JSON->encode(
			{ %head, kid => "nobody-$_" })) . ".$body.$sign");
		is $r->{json}{detail}, 'The token is signed with a key (kid)'
		    . ' that is not known.', 'a key that nobody has'
		    if $_ == 20;
	}
	cmp_ok fetches($idp) - $before, '<=', 3, 'is asked for once in 30 s';
	is statuses($known), 200, 'the others are good meanwhile';
}

# The provider is away: what is known stays good, and a key that is not known is
# refused quickly.
{
	my $token = $idp->token;

	is statuses($token), 200, 'a token';
	$idp->stop;
	is statuses($token), 200, 'is good while the provider is away';
	ok $c->stack('restart', 'pool'), 'new processes';
	my $began = time;
	is status($token), 401, 'which know no key';
	cmp_ok time - $began, '<', 8, 'answer soon';
	like join('', $c->log_lines('pool')),
	    qr/level=warn event=jwks_not_fetched why="[^"]*onnect/,
	    'and tell why';
	my $check = $c->run('ctt.fcgi', '--check');
	is $check->{status}, 1, '--check tries it';
	like $check->{err}, qr/^ctt\.fcgi: CTT_JWT_JWKS_URL: cannot be fetched: /,
	    'and tells why';
	$idp->again;
	ok $c->wait_for(60, sub {
		eval { statuses($idp->token) eq '200' } }),
	    'it is back, and so are the keys';
	is $c->run('ctt.fcgi', '--check')->{err}, '', '--check is content';
}
# ---- over TLS ----

my $tls = Tls->new(File::Temp::tempdir(CLEANUP => 1) . '/keys');
my $port = free_port();

$tls->ca($_) for qw(ours theirs);
$tls->cert('idp', ca => 'ours', name => 'localhost');
$tls->cert('other', ca => 'ours', name => 'idp.example');
$tls->nginx(join '', map { my ($name, $to) = @$_; <<"END" }
	server {
		listen $to ssl;
		ssl_certificate @{[$tls->file("$name.crt")]};
		ssl_certificate_key @{[$tls->file("$name.key")]};
		location / { proxy_pass @{[$idp->issuer]}; }
		location /moved { return 302 @{[$idp->issuer]}/jwks; }
		location /page { return 200 '<html>'; }
		location /empty { return 200 '{"keys":[]}'; }
	}
END
    [ idp => $port ], [ other => my $other = free_port() ]);
for (
	[ 'our CA', "$port/jwks", 'ours', '' ],
	[ 'another CA', "$port/jwks", 'theirs', 'SSL' ],
	[ 'the CAs of the system', "$port/jwks", undef, 'SSL' ],
	[ 'the certificate of another host', "$other/jwks", 'ours', 'SSL' ],
	[ 'another place', "$port/moved", 'ours', 'the provider answered 302' ],
	[ 'no such page', "$port/nothing", 'ours', 'the provider answered 404' ],
	[ 'a page', "$port/page", 'ours', 'it is not a JWK set' ],
	[ 'no keys', "$port/empty", 'ours', 'it is a JWK set without a key' ],
) {
	my ($name, $at, $ca, $error) = @$_;
	my $r = $c->run('ctt.fcgi', {
		CTT_JWT_JWKS_URL => "https://localhost:$at",
		CTT_JWT_CA_FILE => $ca && $tls->file("$ca.crt") }, '--check');

	is $r->{status}, $error ? 1 : 0, "over TLS: $name";
	like $r->{err}, $error
	    ? qr/^ctt\.fcgi: CTT_JWT_JWKS_URL: cannot be fetched: .*\Q$error\E/
	    : qr/^\z/, 'it says so';
}
ok $c->quiet, 'all jobs are delivered';
$c->stop;

# ---- how others shape their tokens ----

my $secret = 'x' x 40;
my $oct = { kty => 'oct', kid => 'two', k => encode_base64url($secret) };

sub jwt ($claims, %head) {
	my $text = join '.', map { encode_base64url($JSON->encode($_)) }
	    { alg => 'HS256', kid => 'two', %head }, $claims;
	return "$text." . encode_base64url(hmac_sha256($text, $secret));
}

my %keycloak = (
	iss => 'https://sso.example/realms/net', typ => 'Bearer',
	azp => 'portal', sub => '7f0e-42', preferred_username => 'olga.k',
	name => 'Olga K.', email => 'olga@net.example', aud => [ 'cttd', 'account' ],
	realm_access => { roles => [ 'offline_access', 'ctt-operator' ] },
	resource_access => { 'ctt.portal' => { roles => ['ctt-cpe'] },
		account => { roles => ['manage-account'] } },
	scope => 'openid profile',
);
my %auth0 = (
	iss => 'https://net.eu.auth0.com/', sub => 'auth0|5f7c',
	aud => [ 'cttd', 'https://net.eu.auth0.com/userinfo' ], azp => 'aIh',
	scope => 'openid profile ctt-operator', permissions => ['ctt-operator'],
	'https://net.example/roles' => ['ctt-operator'],
	'https://net.example/name' => 'Olga K.',
);
my %entra = (
	iss => 'https://login.microsoftonline.com/7f/v2.0', ver => '2.0',
	aud => 'cttd', oid => '42', tid => '7f', sub => 'AAAABBBB', uti => 'x',
	roles => ['ctt-operator'], scp => 'ctt', name => 'Olga K.',
	preferred_username => 'olga@net.example',
);

# A token; what is set; the actor of a link, or the status and what it tells.
my @SHAPES = (
	[ 'Keycloak: roles of the realm', \%keycloak,
		{ ROLES => 'realm_access.roles', ACTOR => 'preferred_username' },
		'olga.k' ],
	[ 'Keycloak: roles of a client with a dot in its name', \%keycloak,
		{ ROLES => 'resource_access.ctt.portal.roles' }, 403 ],
	[ 'Keycloak: no such client', \%keycloak,
		{ ROLES => 'resource_access.other.roles' }, 403 ],
	[ 'Keycloak: the way leads to an object', \%keycloak,
		{ ROLES => 'resource_access.account' }, 401,
		qr/roles \(resource_access\.account\) are neither/ ],
	[ 'Keycloak: no path', \%keycloak, { ROLES => 'roles' }, 403 ],
	[ 'Auth0: a namespaced claim', \%auth0,
		{ ROLES => 'https://net.example/roles',
		ACTOR => 'https://net.example/name' }, 'Olga K.' ],
	[ 'Auth0: permissions', \%auth0, { ROLES => 'permissions' },
		'auth0|5f7c' ],
	[ 'Auth0: scope', \%auth0, { ROLES => 'scope' }, 'auth0|5f7c' ],
	[ 'Auth0: half a scope', { %auth0, scope => 'openid ctt-operators' },
		{ ROLES => 'scope' }, 403 ],
	[ 'Entra ID', \%entra, { ACTOR => 'preferred_username' },
		'olga@net.example' ],
	[ 'Entra ID: a service has no name', do { my %t = %entra;
		delete $t{preferred_username}; \%t },
		{ ACTOR => 'preferred_username' }, 401,
		qr/no preferred_username that is a text of 1 to 128 bytes/ ],
	[ 'a name, but no sub', { %entra, sub => '' }, { ACTOR => 'name' }, 401,
		qr/no sub that is a text/ ],
	[ 'for another API', { %entra, aud => 'graph' }, {}, 401,
		qr/another audience/ ],
);

# The pool, with these settings from now on.
sub reset_pool (%set) {
	my $file = $c->dir . '/ctt.env';
	my $text = slurp($file);

	$text =~ s/^\Q$_\E=.*\n//m for keys %set;
	spew($file, $text . join '', map { "$_=$set{$_}\n" } sort keys %set);
	ok $c->stack('stop', 'pool') && $c->stack('start', 'pool'),
	    'other settings';
}

$c = Ctt->start(pool => 1, set => { CTT_JWT_AUDIENCE => 'cttd',
	CTT_JWT_KEY_FILE => $tls->spew('set', $JSON->encode({ keys => [
		{ %$oct, kid => 'one', k => encode_base64url('y' x 32) },
		{ kty => 'RSA', use => 'enc', kid => 'two' }, $oct ] })) });
my $now = '';

for (@SHAPES) {
	my ($name, $claims, $set, $want, $detail) = @$_;
	my %set = (CTT_JWT_ROLES_CLAIM => $set->{ROLES} // 'roles',
		CTT_JWT_ACTOR_CLAIM => $set->{ACTOR} // 'sub');

	reset_pool(%set) if $now ne "@set{sort keys %set}";
	$now = "@set{sort keys %set}";
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	my $r = $c->post('/ticket/ctt/link', { cttId => $ctt, nttId => $ntt },
	    Authorization => 'Bearer ' . jwt({ exp => time + 60, %$claims }));

	if ($want =~ /^\d+$/) {
		is $r->{status}, $want, "$name: $want";
		like $r->{json}{detail}, $detail, 'and why' if $detail;
		next;
	}
	is $r->{status}, 200, "$name: taken" or diag $r->{raw};
	is $c->one("SELECT actor FROM audit_log WHERE entity_type = 'CTT' AND"
	    . ' entity_id = ?', $ctt), $want, "the actor is $want";
}
# Keys are chosen by kid.
is status(jwt({ exp => time + 60, %entra }, kid => $_->[0])), $_->[1],
    "kid $_->[0]: $_->[1]" for [ 'two', 200 ], [ 'one', 401 ], [ 'six', 401 ];
ok $c->quiet, 'all jobs are delivered';
$c->stop;
done_testing;
