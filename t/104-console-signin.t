# Signing in to the console through a real OpenID provider, in a real browser:
# the way there and back, renewal, an end in the middle of work, and what is
# told when it does not work.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Console;
use Ctt;
use HTTP::Tiny ();
use Oidc;
use Test::More;
use Time::HiRes qw(time);
use Util qw(spew);

my $idp = Oidc->start;
my $c = Ctt->start(pool => 2, idp => $idp->issuer,
    set => { $idp->settings, CTT_JWT_LEEWAY_S => 0 });
$idp->console($c);
my ($ctt, $ntt) = $c->given(
    ctt => { title => 'No light' }, ntt => { title => 'OLT down' });
my %PROVIDER = (issuer => $idp->issuer, clientId => 'cttd-console',
    scopes => 'openid profile');
my $host = $idp->issuer =~ s{^http://}{}r;
my $SIGN_IN = [ role => 'button', name => "Sign in with $host" ];

my $b = Console->start(stack => $c);

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
		my $csp = HTTP::Tiny->new->get($c->env('CTT_HTTP_URL') . $path)
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
	my $kept = kept();

	# Each of our tokens is a JWT: eyJ is {" in base64.
	unlike $kept, qr/eyJ[A-Za-z0-9_-]{10}/, 'no token is kept anywhere';
	unlike $kept, qr/[?&](?:code|state)=/, 'nor the code';
	like $kept, qr/"caches":\[\],.*"databases":\[\]/s, 'nor is anything';
	like $kept, qr/"local":\{\}/, 'not in localStorage';
	like $kept, qr/"session":\{\}/, 'nor in sessionStorage';
}

# A reload has nothing: the provider still knows the browser.
$b->reload;
$b->click($SIGN_IN);
is signed_in(), 'olga', 'again, without a question';

# ---- renewed silently ----

# The pages ask for nothing meanwhile; it is the provider that is asked.
for my $by ([ 'with the refresh token', 'POST /token', 1 ],
    [ 'in a hidden frame', 'GET /auth', 0 ]) {
	my ($how, $what, $refresh) = @$by;

	$idp->set(ttl => 9, refresh => $refresh
	    ? Cpanel::JSON::XS::true : Cpanel::JSON::XS::false);
	$b->go($b->address('/'));
	$b->click($SIGN_IN);
	signed_in();
	mark();
	my ($began, $before) = (time, $idp->count($what));
	$b->wait_for(sub { $idp->count($what) >= $before + 2 },
	    "renewed $how");
	pass "renewed $how, twice";
	cmp_ok time - $began, '>=', 5, 'and not before it is needed';
	ok marked(), 'the page is the same';
	ok !$b->has([ role => 'dialog' ]), 'nobody is asked';
	$b->wait_for(sub {
		!$b->script('return document.querySelector("iframe")') });
	pass 'no frame is left';
	$b->quiet("renewed $how");
}

# ---- the end, in the middle of work ----

my $ENDED = [ role => 'dialog', name => 'Your sign-in has ended' ];

# Nothing can be renewed: there is no refresh token, and the provider has
# forgotten the browser.
sub sign_in_briefly ($seconds) {
	$idp->set(ttl => $seconds, refresh => Cpanel::JSON::XS::false);
	$b->cdp('Network.clearBrowserCookies');
	$b->go($b->address("/ctt/$ctt"));
	sign_in();
	signed_in();
	$b->cdp('Network.clearBrowserCookies');
	my $until = time + $seconds + 1;
	$idp->set(ttl => 600);
	return $until;
}

# Signs in by the dialog, in a window of its own, which closes by itself.
sub sign_in_beside ($name, $answer = 'Sign in') {
	my $main = $b->this_tab;

	$b->click([ @$SIGN_IN, in => $ENDED ]);
	my $popup = $b->wait_for(sub {
		(grep { $_ ne $main } $b->tabs)[0] }, 'the window of the provider');
	$b->to_tab($popup);
	at_provider($name, $answer);
	$b->wait_for(sub { $b->tabs == 1 }, 'the window closes by itself');
	$b->to_tab($main);
}

{
	my $until = sign_in_briefly(15);

	$b->click([ role => 'button', name => qr/^Link/ ]);
	$b->fill([ label => qr/^Network ticket/ ], "N-$ntt");
	$b->fill([ label => 'Remark' ], 'typed for a long time');
	ok $b->shows("C-$ctt will be linked to N-$ntt"), 'a form is filled in';
	mark();
	$b->wait_for(sub { time > $until }, 'the end of the token');
	$b->click([ role => 'button', name => 'Link it' ]);
	ok $b->find($ENDED), 'the token has ended: one is asked';
	$b->no_axe('the sign-in that has ended');
	is $c->row(ctt => $ctt)->{ntt_id}, undef, 'and nothing is done';

	$b->click([ role => 'button', name => 'Not now' ]);
	$b->gone($ENDED);
	ok $b->shows('The sign-in has ended, and nothing was sent.'),
	    'not now: nothing was sent';
	is $b->value([ label => 'Remark' ]), 'typed for a long time',
	    'what was typed is there';

	$b->click([ role => 'button', name => 'Link it' ]);
	$b->find($ENDED);
	sign_in_beside('olga', 'No');
	like $b->text($ENDED), qr/The sign-in was cancelled/,
	    'cancelled there: it is told where one was asked';
	sign_in_beside('olga');
	ok $b->shows("C-$ctt was linked to N-$ntt"), 'signed in: it is done';
	ok marked(), 'on the same page';
	is $c->row(ctt => $ctt)->{ntt_id}, $ntt, 'it is linked';
	is $c->one('SELECT COUNT(*) FROM operation'), 1, 'once';
	is $c->one("SELECT COUNT(*) FROM audit_log WHERE actor = 'olga'"
		. " AND detail LIKE '%typed for a long time%'"), 2,
	    'by whom it was, with what was typed';
	$b->quiet('the end of a sign-in');
}

# A provider whose pages cut the tie to who opened them.
{
	my $until = sign_in_briefly(8);

	$idp->set(isolate => Cpanel::JSON::XS::true);
	$b->wait_for(sub { time > $until }, 'the end of the token');
	$b->fill('#find', "C-$ctt");
	$b->press('Enter');
	$b->find($ENDED);
	sign_in_beside('olga');
	$b->gone('dialog');
	ok $b->find([ css => "h1", text => "C-$ctt" ]), 'a provider that is on its own guard';
	$idp->set(isolate => Cpanel::JSON::XS::false);
	$b->errors;
}

# ---- it does not work: what is told ----

$idp->set(refresh => Cpanel::JSON::XS::true, ttl => 600);

# The sign-in page, with these settings; and what it tells.
sub configured (%settings) {
	Console->configure($c, %settings);
	$b->go($b->address('/'));
	$b->find('main');
}

sub told () { return $b->text([ role => 'alert' ]) }

configured(%PROVIDER);
$b->cdp('Network.clearBrowserCookies');
sign_in('olga', 'No');
like told(), qr/The provider refused: The sign-in was cancelled/,
    'cancelled at the provider';
is $b->url, $b->address('/'), 'and back, without its answer in the address';
$b->no_axe('a sign-in that failed');
sign_in();
is signed_in(), 'olga', 'and then not';

$b->go($b->address('/'));
$idp->set(tokenError => 'invalid_grant');
$b->click($SIGN_IN);
like told(), qr/\Q$host\E answered 400: the test wants it so/,
    'the provider gives no token';
$idp->set(tokenError => undef);
$b->click($SIGN_IN);
is signed_in(), 'olga', 'and then it does';

$idp->stop;
$b->go($b->address('/'));
$b->click($SIGN_IN);
like told(), qr/\Q$host\E gave no answer/, 'the provider is away';
$idp->again;
$b->errors;
sign_in('kim');
is signed_in(), 'kim', 'and there again';
$b->quiet('there again');

# It may be that nothing of it comes back here: then the provider says it.
configured(%PROVIDER, clientId => 'nobody');
$b->click($SIGN_IN);
ok $b->shows('invalid_client'), 'a wrong client id: the provider says so';

configured(%PROVIDER, issuer => "$PROVIDER{issuer}/other");
$b->click($SIGN_IN);
like told(), qr/\Q$host\E gave no answer .* its settings/,
    'an issuer that there is not: no page may see the 404';

# The name is another than the one that nginx lets in.
{
	my $elsewhere = $PROVIDER{issuer} =~ s/127\.0\.0\.1/localhost/r;

	configured(%PROVIDER, issuer => $elsewhere);
	$b->errors;
	$b->click([ role => 'button', name => qr/^Sign in with localhost/ ]);
	like told(), qr/^localhost:\d+ gave no answer.*Check .*nginx/s,
	    'a provider to which nginx lets no page connect';
	ok +(grep { /connect-src/ } $b->errors), 'it is the CSP';
}

configured(%PROVIDER);
for ('does not belong to this sign-in', 'not begun in this window') {
	# What was begun above is used up by the first one.
	$b->go($b->address('/signed-in?code=x&state=page.y'));
	like told(), qr/$_/, 'an answer that nobody asked for';
	unlike $b->url, qr/code=/, 'and it is gone from the address';
}

# Who comes back is whoever the provider says, in any letters.
configured(%PROVIDER);
$b->cdp('Network.clearBrowserCookies');
my $hostile = qq{<img src=x onerror="alert(1)">\x{202E}};
sign_in($hostile);
is signed_in(), $hostile, 'a name with markup in it is text';
$b->quiet('a hostile name');

# ---- signing out ----

$b->click([ role => 'button', name => 'Sign out' ]);
$b->click([ role => 'button', name => 'Sign out everywhere' ]);
$b->find($SIGN_IN);
is $b->url, $b->address('/'), 'signed out, at the provider too, and back';
$b->click($SIGN_IN);
ok $b->find([ label => 'Name' ]), 'it asks for the name again';

# ---- settings ----

configured();
ok $b->shows('There is no way to sign in'), 'settings without a way in';
$b->no_axe('no way in');
Console->configure($c, %PROVIDER);
{
	my $file = $c->dir . '/etc/console.json';

	spew($file, '{"issuer": ');
	$b->go($b->address('/'));
	ok $b->shows('settings cannot be read'), 'settings that are no JSON';
	like $b->text('main'), qr{/console/config\.json: it is not JSON},
	    'it says what, and why';
	unlink $file;
	$b->go($b->address('/'));
	ok $b->shows('settings cannot be read'), 'no settings';
	like $b->text('main'), qr/the server answered 404/, 'it says why';
	$b->no_axe('no settings');
	$b->errors;
	$c->expect(qr/console\.json/);
}

# ---- a token that is pasted in ----

configured(%PROVIDER, pasteToken => Cpanel::JSON::XS::true);
ok $b->find($SIGN_IN), 'both ways';
ok $b->find([ label => 'Token' ]), 'a token can be pasted in';
$b->no_axe('both ways');
configured(pasteToken => Cpanel::JSON::XS::true);
ok !$b->has([ role => 'button', name => qr/^Sign in with/ ]), 'only this way';
$b->no_axe('only this way');

$b->stop;
ok $c->quiet, 'all jobs are delivered';
$c->stop;
done_testing;
