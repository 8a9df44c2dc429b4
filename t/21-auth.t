# Who may do what: tokens, good and bad, and the roles against the routes.

use v5.36;

use Digest::SHA qw(hmac_sha256 hmac_sha384);
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use File::Temp ();
use MIME::Base64 qw(encode_base64url);
use Test::More;
use Tls;
use Util qw(slurp);

my $c = Ctt->start(pool => 2, set => { CTT_ROLES_LINK => 'linker, ctt-admin' });
my $LINK = '/ticket/ctt/link';

chomp(my $key = slurp($c->env('CTT_JWT_KEY_FILE')));

# ---- tokens, made by hand ----

sub jwt ($head, $claims, $sign = sub ($t) { hmac_sha256($t, $key) }) {
	my $text = join '.', map { encode_base64url(ref $_
		? Cpanel::JSON::XS->new->utf8->encode($_) : $_) } $head, $claims;
	return "$text." . encode_base64url($sign->($text));
}

my %head = (alg => 'HS256', typ => 'JWT');
my %good = (sub => 'kim', exp => time + 600, roles => ['ctt-viewer']);

# The good claims with some changed; undef takes one away.
sub with (%change) {
	my %claims = (%good, %change);
	delete @claims{ grep { !defined $claims{$_} } keys %claims };
	return jwt(\%head, \%claims);
}

my $good = with();
my ($h, $b, $s) = split /\./, $good;

for (
	[ 'a good one', "Bearer $good", 200 ],
	[ 'the scheme in capitals', "BEARER  $good", 200 ],
	[ 'with no typ', 'Bearer ' . jwt({ alg => 'HS256' }, \%good), 200 ],
	[ 'with nbf and iat', 'Bearer ' . with(nbf => time - 1, iat => time), 200 ],
	[ 'with any issuer', 'Bearer ' . with(iss => 'x'), 200 ],
	[ 'exp as a fraction', 'Bearer ' . with(exp => time + 60.5), 200 ],
	[ 'an access token (RFC 9068)', 'Bearer '
		. jwt({ alg => 'HS256', typ => 'at+jwt' }, \%good), 200 ],
	[ 'a key that has no other name', 'Bearer '
		. jwt({ %head, kid => 'x' }, \%good), 200 ],
	[ 'of 4,165 bytes and more', 'Bearer ' . with(x => 'x' x 3100), 200 ],
	[ 'as long as a header may be', 'Bearer ' . with(x => 'x' x 5950), 200 ],
	[ '200 roles', 'Bearer '
		. with(roles => [ (map { "r$_" } 1 .. 199), 'ctt-viewer' ]), 200 ],
	[ 'a long role beside', 'Bearer '
		. with(roles => [ 'x' x 500, '', 'ctt-viewer' ]), 200 ],
	[ 'roles as text', 'Bearer ' . with(roles => 'x ctt-viewer'), 200 ],
	[ 'a clock that is behind', 'Bearer ' . with(exp => time - 20), 200 ],
	[ 'a clock that is ahead', 'Bearer ' . with(nbf => time + 20), 200 ],

	[ 'none', undef, 401 ],
	[ 'empty', '', 401 ],
	[ 'another scheme', "Basic $good", 401 ],
	[ 'no token', 'Bearer ', 401 ],
	[ 'nonsense', 'Bearer x.y.z', 401 ],
	[ 'two parts', "Bearer $h.$b", 401 ],
	[ 'no signature', "Bearer $h.$b.", 401 ],
	[ 'four parts', "Bearer $good.$s", 401 ],
	[ 'something behind it', "Bearer $good x", 401 ],
	[ 'typ of another token', 'Bearer '
		. jwt({ alg => 'HS256', typ => 'logout+jwt' }, \%good), 401 ],
	[ 'kid a number', 'Bearer ' . jwt({ %head, kid => 7 }, \%good), 401 ],
	[ 'another key', 'Bearer ' . jwt(\%head, \%good,
		sub ($t) { hmac_sha256($t, 'x' x 32) }), 401 ],
	[ 'a changed claim', "Bearer $h."
		. encode_base64url('{"sub":"eve","exp":9999999999}') . ".$s", 401 ],
	[ 'alg none', 'Bearer ' . jwt({ alg => 'none' }, \%good,
		sub ($) { '' }), 401 ],
	[ 'alg none, but signed', 'Bearer ' . jwt({ alg => 'none' }, \%good), 401 ],
	[ 'alg HS384', 'Bearer ' . jwt({ alg => 'HS384', typ => 'JWT' }, \%good,
		sub ($t) { hmac_sha384($t, $key) }), 401 ],
	[ 'alg RS256', 'Bearer ' . jwt({ alg => 'RS256' }, \%good), 401 ],
	[ 'alg in small letters', 'Bearer ' . jwt({ alg => 'hs256' }, \%good), 401 ],
	[ 'no alg', 'Bearer ' . jwt({ typ => 'JWT' }, \%good), 401 ],
	[ 'crit', 'Bearer ' . jwt({ %head, crit => ['exp'] }, \%good), 401 ],
	[ 'no exp', 'Bearer ' . with(exp => undef), 401 ],
	[ 'exp as text', 'Bearer ' . with(exp => '' . (time + 60)), 401 ],
	[ 'expired', 'Bearer ' . with(exp => time - 31), 401 ],
	[ 'not yet', 'Bearer ' . with(nbf => time + 60), 401 ],
	[ 'no sub', 'Bearer ' . with(sub => undef), 401 ],
	[ 'an empty sub', 'Bearer ' . with(sub => ''), 401 ],
	[ 'sub a number', 'Bearer ' . with(sub => 7), 401 ],
	[ 'a sub too long', 'Bearer ' . with(sub => 'x' x 129), 401 ],
	[ 'a line in sub', 'Bearer ' . with(sub => "a\nb"), 401 ],
	[ 'an audience, where none is set', 'Bearer ' . with(aud => 'cttd'), 401 ],
	[ 'roles a number', 'Bearer ' . with(roles => 7), 401 ],
	[ 'a role a number', 'Bearer ' . with(roles => [ 'ctt-viewer', 7 ]), 401 ],
	[ 'claims that are no object', 'Bearer ' . jwt(\%head, []), 401 ],
	[ 'claims that are no JSON', 'Bearer ' . jwt(\%head, '{'), 401 ],

	[ 'no roles', 'Bearer ' . with(roles => undef), 403 ],
	[ 'no role', 'Bearer ' . with(roles => []), 403 ],
	[ 'another role', 'Bearer ' . with(roles => [ 'root', 'ctt' ]), 403 ],
	[ 'half a role', 'Bearer ' . with(roles => ['ctt-view']), 403 ],
	[ 'two roles in one', 'Bearer '
		. with(roles => ['ctt-viewer,ctt-admin']), 403 ],
	[ 'roles as text, with commas', 'Bearer '
		. with(roles => 'ctt-viewer,ctt-admin'), 403 ],
	[ 'scope, where roles are asked for', 'Bearer '
		. with(roles => undef, scope => 'ctt-viewer'), 403 ],
) {
	my ($name, $authorization, $status) = @$_;
	my $r = $c->get('/ticket/lov', Authorization => $authorization);

	is $r->{status}, $status, "token: $name: $status";
	is $r->{headers}{'www-authenticate'}, $status != 401 ? undef :
	    ($authorization // '') !~ /^Bearer +\S/i ? 'Bearer'
	    : 'Bearer error="invalid_token", error_description="'
	    . $r->{json}{detail} . '"', 'WWW-Authenticate says why';
	is $r->{json}{code}, { 401 => 'UNAUTHENTICATED', 403 => 'FORBIDDEN' }
	    ->{$status}, 'code';
}

# What a process found of a token it keeps, but for the hour.
{
	my $until = time + 3;
	my $token = 'Bearer ' . with(exp => $until - 30);
	my $ask = sub {
		return [ map { $c->get('/ticket/lov',
			Authorization => $token)->{status} } 1 .. 8 ];
	};

	is_deeply $ask->(), [ (200) x 8 ], 'a token for 3 s: good';
	$c->wait_for(10, sub { time >= $until });
	is_deeply $ask->(), [ (401) x 8 ], 'and then not any more';
}

# ---- the roles against the routes ----

my %MAY = (
	read => { map { $_ => 1 }
		qw(ctt-viewer ctt-operator ctt-cpe ctt-admin) },
	link => { linker => 1, 'ctt-admin' => 1 },    # as set above
	status => { 'ctt-operator' => 1, 'ctt-admin' => 1 },
	cpe => { 'ctt-cpe' => 1, 'ctt-admin' => 1 },
	admin => { 'ctt-admin' => 1 },
);

for my $route (split /\n/, $c->cttctl('routes')->{out}) {
	my ($method, $path, $permission) = split ' ', $route;
	$path =~ s/:id/1/;
	$path =~ s/:operation/x/;

	for my $role (qw(ctt-viewer ctt-operator ctt-cpe ctt-admin linker)) {
		my $r = $c->request($method, $path,
		    $method eq 'GET' ? undef : '{}', Authorization =>
		    'Bearer ' . $c->token(sub => 'x', roles => [$role]));
		my $may = $permission eq '-' || $MAY{$permission}{$role};

		is $r->{status} != 403, !!$may,
		    "$role " . ($may ? 'may ' : 'may not ') . "$method $path";
	}
	is $c->request($method, $path, undef, Authorization => undef)->{status}
	    == 401, $permission ne '-', 'without a token';
}

# ---- the actor ----

{
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	my $sub = "J\x{fc}rgen O'Hara \"jo\" <jo\@x.example>";
	my $r = $c->post($LINK, { cttId => $ctt, nttId => $ntt },
	    Authorization => 'Bearer ' . with(sub => $sub, roles => ['linker']));

	is $r->{status}, 200, 'a token with an odd sub';
	is_deeply [ $c->column('SELECT actor FROM audit_log') ],
	    [ $sub, $sub ], 'who is the actor of the audit';
	is(($c->heard('taas'))[0]{body}{actor}, $sub, 'and at the partner');
}
ok $c->quiet, 'all jobs are delivered';
$c->stop;

# ---- an issuer and an audience, where they are set ----

$c = Ctt->start(pool => 1, workers => 0,
    set => { CTT_JWT_ISSUER => 'idp', CTT_JWT_AUDIENCE => 'cttd' });
chomp($key = slurp($c->env('CTT_JWT_KEY_FILE')));

for (
	[ 'both', with(iss => 'idp', aud => 'cttd'), 200 ],
	[ 'one of several', with(iss => 'idp', aud => [ 'x', 'cttd' ]), 200 ],
	[ 'no issuer', with(aud => 'cttd'), 401 ],
	[ 'another', with(iss => 'idp2', aud => 'cttd'), 401 ],
	[ 'no audience', with(iss => 'idp'), 401 ],
	[ 'another', with(iss => 'idp', aud => ['cttd2']), 401 ],
	[ 'an audience that is no text', with(iss => 'idp', aud => 7), 401 ],
) {
	my ($name, $token, $status) = @$_;

	is $c->get('/ticket/lov', Authorization => "Bearer $token")->{status},
	    $status, "issuer and audience: $name: $status";
}
is $c->get('/ticket/lov')->{status}, 200, 'cttctl token fills them in';

$c->stop;

# ---- public keys, and one that takes the place of another ----

my $tls = Tls->new(File::Temp::tempdir(CLEANUP => 1) . '/keys');
my (%pem, %signed);

for my $name (qw(old new eve)) {
	$tls->openssl("genrsa -out $name.key 2048");
	$tls->openssl("pkey -in $name.key -pubout -out $name.pub");
	$pem{$name} = slurp($tls->file("$name.pub"));
	$signed{$name} = jwt({ alg => 'RS256' }, \%good, sub ($text) {
		$tls->spew('text', $text);
		$tls->openssl("dgst -sha256 -sign $name.key -out sign text");
		slurp($tls->file('sign'));
	});
}
# The public key is known to all: it must not do as a secret.
for my $secret ($pem{old}, $pem{old} =~ s/\n\z//r) {
	$signed{"$_ by the public key, " . length $secret} = jwt({ alg => $_ },
	    \%good, sub ($text) { hmac_sha256($text, $secret) })
	    for qw(HS256 RS256);
}
$signed{none} = jwt({ alg => 'none' }, \%good, sub ($) { 'x' });

# The tokens that are good while the file has these keys.
sub good_by (@keys) {
	$tls->spew('keys', join '', @pem{@keys});
	if (!$c) {
		$c = Ctt->start(pool => 1, workers => 0, set => {
			CTT_JWT_ALG => 'RS256',
			CTT_JWT_KEY_FILE => $tls->file('keys') });
	} else {
		ok $c->stack('restart', 'pool'), 'the pool is replaced';
	}
	return [ grep { $c->raw("GET /ticket/lov HTTP/1.1\r\nHost: x\r\n"
		. "Connection: close\r\nAuthorization: Bearer $signed{$_}\r\n\r\n")
		->{status} == 200 } sort keys %signed ];
}

undef $c;
is_deeply good_by('old'), ['old'], 'one key';
is_deeply good_by(qw(old new)), [ 'new', 'old' ], 'while it is replaced, two';
is_deeply good_by('new'), ['new'], 'then the other one alone';

$c->stop;
done_testing;
