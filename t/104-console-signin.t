# Signing in to the console through a real OpenID provider, in a real browser:
# the way there and back, renewal, an end in the middle of work, and what is
# told when it does not work.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Console;
use Ctt;
use Oidc;
use Test::More;

my $idp = Oidc->start;
my $c = Ctt->start(pool => 2, idp => $idp->issuer,
    set => { $idp->settings });
$idp->console($c);
my ($ctt, $ntt) = $c->given(
    ctt => { title => 'No light' }, ntt => { title => 'OLT down' });
my %PROVIDER = (issuer => $idp->issuer, clientId => 'cttd-console',
    scopes => 'openid profile');
my $host = $idp->issuer =~ s{^http://}{}r;
my $SIGN_IN = [ role => 'button', name => "Sign in with $host" ];

my $b = Console->start;
$b->{stack} = $c;

# From the sign-in page to the provider's, and back.
sub sign_in ($name = 'olga', $answer = 'Sign in') {
	$b->click($SIGN_IN);
	at_provider($name, $answer);
}

sub at_provider ($name, $answer) {
	$b->fill([ label => 'Name' ], $name);
	$b->click([ role => 'button', name => $answer ]);
}

sub signed_in () { return $b->text('.actor') }

# Is the page still the one that was marked?
sub mark () { $b->script('window.marked = true') }
sub marked () { return $b->script('return window.marked === true') }

# ---- what nginx says of the pages ----

{
	my $issuer = $idp->issuer;

	for my $path ('/console/', '/console/ctt/1', '/console/js/app.js',
		'/console/config.json', '/console/signed-in') {
		my $csp = $c->get($path, Authorization => undef)
		    ->{headers}{'content-security-policy'};
		my %csp = map { /^(\S+) ?(.*)$/ } split /; */, $csp;

		is $csp{'default-src'}, "'self'", "$path: only from here";
		is $csp{'script-src'} // $csp{'default-src'}, "'self'",
		    'no inline script, no eval';
		is $csp{'style-src'} // $csp{'default-src'}, "'self'",
		    'no inline style';
		is $csp{'connect-src'}, "'self' $issuer",
		    'it may connect to the provider';
		is $csp{'object-src'}, "'none'", 'no plug-ins';
		is $csp{'base-uri'}, "'none'", 'no other base';
		like $csp{'frame-ancestors'}, qr/^'(?:self|none)'$/,
		    'nobody else frames it';
	}
}

# ---- there and back ----

Console->configure($c, %PROVIDER);
$b->go($b->address('/?status=Open'));
$b->find($SIGN_IN);
ok !$b->has([ label => 'Token' ]), 'no token can be pasted in';
sign_in();
is signed_in(), 'olga', 'signed in';
is $b->url, $b->address('/?status=Open'), 'back where it was begun';
$b->quiet('signed in');
$b->no_axe('signed in');

# What a browser keeps, in which no token may be.
sub kept () {
	my $kept = $b->await(<<'END');
		const kept = { local: { ...localStorage },
			session: { ...sessionStorage }, cookie: document.cookie,
			url: location.href, state: history.state, name: window.name,
			caches: await caches.keys(),
			databases: (await indexedDB.databases()).map(d => d.name),
			page: document.documentElement.outerHTML };
		return JSON.stringify(kept);
END
	return $kept . Cpanel::JSON::XS->new->canonical->encode(
		$b->cdp('Network.getAllCookies')->{cookies});
}

{
	my $token = $c->heard('taas') // 0;    # none was sent there
	my $kept = kept();

	# Each of our tokens is a JWT: eyJ is {" in base64.
	unlike $kept, qr/eyJ[A-Za-z0-9_-]{10}/, 'no token is kept anywhere';
	unlike $kept, qr/[?&](?:code|state)=/, 'nor the code';
	like $kept, qr/"caches":\[\],.*"databases":\[\]/s, 'nor is anything';
	like $kept, qr/"local":\{\}/, 'not in localStorage';
	like $kept, qr/"session":\{\}/, 'nor in sessionStorage';
}

# The server knows who it is, and what one may do.
{
	my $r = $b->await(<<'END');
		return (await fetch('/ticket/ctt')).status;
END
	is $r, 401, 'a request of the page has no token by itself';
}

# A reload has nothing: the provider still knows the browser.
$b->reload;
$b->click($SIGN_IN);
is signed_in(), 'olga', 'again, without a question';

# ---- renewed silently ----

# The pages ask for nothing meanwhile; it is the provider that is asked.
sub renewed ($how, $what) {
	mark();
	my $before = $idp->count($what);
	$b->wait_for(sub { $idp->count($what) >= $before + 2 },
	    "renewed $how");
	pass "renewed $how, twice";
	ok marked(), 'the page is the same';
	ok !$b->has([ role => 'dialog' ]), 'nobody is asked';
}

for my $by ([ 'with the refresh token', 'POST /token', 1 ],
    [ 'in a hidden frame', 'GET /auth', 0 ]) {
	my ($how, $what, $refresh) = @$by;

	$idp->set(ttl => 8, refresh => $refresh
	    ? Cpanel::JSON::XS::true : Cpanel::JSON::XS::false);
	$b->go($b->address('/'));
	$b->click($SIGN_IN);
	signed_in();
	my $began = time;
	my $asked = $idp->count('POST /token');
	renewed($how, $what);
	my $times = $idp->count('POST /token') - $asked;
	cmp_ok $times, '<=', 2 + (time - $began) / 2,
	    'the provider is asked no more than is needed';
	is $b->script('return document.querySelectorAll("iframe").length'), 0,
	    'and no frame is left' if !$refresh && $b->wait_for(sub {
		!$b->script('return document.querySelectorAll("iframe").length') });
	$b->quiet("renewed $how");
}

# A refresh token that the provider does not know any more.
$idp->set(refresh => Cpanel::JSON::XS::true, ttl => 600);
$b->go($b->address('/'));
$b->click($SIGN_IN);
signed_in();

# ---- the end, in the middle of work ----

# Nothing can be renewed: no refresh token, and the provider has forgotten the
# browser.
sub sign_in_ends () {
	$idp->set(ttl => 4, refresh => Cpanel::JSON::XS::false);
	$b->go($b->address("/ctt/$ctt"));
	$b->click($SIGN_IN);
	signed_in();
	$b->find([ text => 'No light' ]);
	$b->cdp('Network.clearBrowserCookies');
}

# Signs in by the dialog, in a window of its own.
sub sign_in_beside ($name, $answer = 'Sign in') {
	my $main = $b->this_tab;

	$b->click([ role => 'button', name => "Sign in with $host",
		in => 'dialog' ]);
	my ($popup) = $b->wait_for(sub {
		my ($new) = grep { $_ ne $main } $b->tabs;
		return $new;
	}, 'the window of the provider');
	$b->to_tab($popup);
	at_provider($name, $answer);
	$b->wait_for(sub { !grep { $_ eq $popup } $b->tabs },
	    'the window closes by itself');
	$b->to_tab($main);
}

sub signed_out_by_time () {
	$b->wait_for(sub {
		$b->script('return !window.ends || Date.now() > window.ends') });
}
