# A portal's page in a browser, from another origin than cttd's. nginx lets the
# origins of its map in (nginx/ctt.conf.in): such a page can make each kind of
# request, and can read each header that doc/portal.md shows. A page of another
# origin reads nothing, and changes nothing.

use v5.36;

use Cpanel::JSON::XS ();
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Browser;
use Ctt;
use Test::More;
use Tls;
use Util qw(free_port slurp);

plan skip_all => 'chromedriver is not installed'
    if !grep { -x "$_/chromedriver" } split /:/, $ENV{PATH};

my $JSON = Cpanel::JSON::XS->new->canonical;
my $c = Ctt->start(pool => 1, set => { CTT_PARTNER_TIMEOUT_MS => 500 });
my $tls = Tls->new(File::Temp::tempdir(CLEANUP => 1) . '/tls');
my ($api, $portal, $stranger) = map { '127.0.0.1:' . free_port() } 1 .. 3;

# ---- nginx: cttd's, which lets the portal in, and two servers of a page ----

sub site () {
	my $text = slurp("$FindBin::Bin/../nginx/ctt.conf.in");
	my %value = (LISTEN => $api, SOCKET => $c->dir . '/ctt.sock',
		ACCESS_LOG => $tls->file('access.log'),
		ERROR_LOG => $tls->file('error.log'), RATE => 1000,
		CLIENT => 512, REQUESTS => 512, SHARE => "$FindBin::Bin/..",
		IDP => '', CONSOLE_JSON => $c->dir . '/etc/console.json');

	$text =~ s/\@([A-Z_]+)\@/$value{$1}/g;
	$text =~ s{^\t#"https://portal\.example"}{\t"http://$portal"}m
	    or die "no origin in the sample\n";
	return $text;
}

$tls->nginx(join "\n", site(), map { <<"END" } $portal, $stranger);
	server {
		listen $_;
		default_type text/html;
		location = /favicon.ico { return 204; }
		location / { return 200 '<!doctype html><title>A portal</title>'; }
	}
END

# ---- what the page does ----

# A request of the page: what it gets to see of the answer, or the error.
use constant FETCH => <<'END';
const [url, init] = arguments;
try {
	const r = await fetch(url, init);
	const text = await r.text();
	return { status: r.status, json: text ? JSON.parse(text) : null,
		headers: Object.fromEntries(r.headers) };
} catch (fault) {
	return { error: String(fault) };
}
END

my $b = Browser->start;

# An undef header is left out.
sub fetch ($method, $path, $body = undef, %headers) {
	my %all = (Authorization => 'Bearer ' . $c->token,
		(defined $body ? ('Content-Type' => 'application/json') : ()),
		%headers);

	delete @all{ grep { !defined $all{$_} } keys %all };
	return $b->await(FETCH, "http://$api$path", { method => $method,
		headers => \%all, defined $body ? (body => ref $body
			? $JSON->encode($body) : $body) : () });
}

sub link_body ($ctt, $ntt) { return { cttId => 0 + $ctt, nttId => 0 + $ntt } }

my %read;    # the headers that the page could read

# It has this status, this code or '-', and these headers; returns it.
sub is_answer ($name, $r, $status, $code, %headers) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$read{$_} = 1 for keys %{ $r->{headers} // {} };
	is_deeply [ $r->{error}, $r->{status}, $r->{json}{code} // '-' ],
	    [ undef, $status, $code ], $name;
	like $r->{headers}{$_} // 'not readable', $headers{$_}, "and its $_"
	    for sort keys %headers;
	return $r;
}

my ($ctt, $other, $slow, $ntt) = $c->given_ctts(3);
my $activity = $c->given_activity($slow);
my $LINK = '/ticket/ctt/link';
my $ID = qr/^[\w.-]+$/;

$b->go("http://$portal/");
is_answer('GET with a token', fetch(GET => '/ticket/lov'), 200, '-',
    'x-request-id' => $ID);
is_answer('GET without one', fetch(GET => '/openapi.json', undef,
	Authorization => undef), 200, '-');
is_answer('a token that is none', fetch(GET => '/ticket/lov', undef,
	Authorization => 'Bearer x'), 401, 'UNAUTHENTICATED',
    'www-authenticate' => qr/^Bearer/);
is_answer('a list with parameters', fetch(GET => '/ticket/ctt?limit=1'), 200,
    '-');
is_answer('HEAD', fetch(HEAD => "/ticket/ctt/$ctt"), 200, '-');
is_answer('what there is not', fetch(GET => '/ticket/ctt/999999'), 404,
    'CTT_NOT_FOUND');
is_answer('a dry run', fetch(POST => "$LINK?dryRun=true",
	link_body($ctt, $ntt)), 200, '-');
is $c->row(ctt => $ctt)->{ntt_id}, undef, 'which does nothing';

my %key = ('Idempotency-Key' => 'from-a-page', 'X-Request-Id' => 'a-page-1');
my $first = is_answer('POST with a key and an id', fetch(POST => $LINK,
	link_body($ctt, $ntt), %key), 200, '-', 'x-request-id' => qr/^a-page-1$/);
is $c->row(ctt => $ctt)->{ntt_id}, $ntt, 'is done';
my $again = is_answer('the key once more', fetch(POST => $LINK,
	link_body($ctt, $ntt), %key), 200, '-',
    'idempotency-replayed' => qr/^true$/);
is_deeply $again->{json}, $first->{json}, 'gets the same answer';
is_answer('a bulk', fetch(POST => "$LINK/bulk", { items =>
	[ map { link_body($_, $ntt) } $ctt, $other ] }), 207, '-');
is_answer('an unlink', fetch(POST => '/ticket/ctt/unlink',
	{ nttId => 0 + $ntt, cttIds => [ 0 + $ctt ] }), 200, '-');
is_answer('a block', fetch(POST => $LINK, link_body($ctt, $ntt)), 409,
    'UNLINK_BLOCKED', 'retry-after' => qr/^\d+$/);
$c->rule(ticket => "C-$slow", do => 'cut');
is_answer('PUT, whose outcome is not known yet',
    fetch(PUT => "/ticket/ctt/activity-status/update/$activity",
	{ cttId => 0 + $slow, status => 'Resolved', $c->codes }), 202, '-',
    location => qr{^/ticket/operation/\w+$});
$c->no_rules;
ok $c->settle, 'and is in the end';
is_answer('fields that are wrong', fetch(POST => $LINK, {}), 422,
    'VALIDATION_FAILED');
is_answer('a body that is too large for nginx', fetch(POST => $LINK,
	'x' x 2_200_000), 413, 'PAYLOAD_TOO_LARGE', 'x-request-id' => $ID);
$b->no_errors('the portal', qr/^network: .*Failed to load resource/);

# ---- the headers that the guide shows ----

my $guide = slurp("$FindBin::Bin/../doc/portal.md");
my %shown = map { lc, 1 } map { /^([\w-]+): /mg }
    $guide =~ /^```http\n\d+\n((?:[\w-]+: .*\n)+)/mg;
cmp_ok keys %shown, '>=', 4, join ' ', sort keys %shown;
is_deeply [ grep { !$read{$_} } sort keys %shown ], [],
    'the page can read each header that doc/portal.md shows';

# ---- a page of another origin ----

$b->go("http://$stranger/");
for (
	[ 'GET with a token', GET => '/ticket/lov' ],
	[ 'GET without', GET => '/openapi.json', undef, Authorization => undef ],
	[ 'POST', POST => $LINK, link_body($ctt, $ntt) ],
	[ 'POST as a form sends it', POST => $LINK, '{}',
		Authorization => undef, 'Content-Type' => 'text/plain' ],
	[ 'PUT', PUT => "/ticket/ctt/activity-status/update/$activity", {} ],
) {
	my ($name, @request) = @$_;
	my $r = fetch(@request);

	like $r->{error} // "status $r->{status}", qr/^TypeError/,
	    "a stranger: $name: the browser refuses";
}
like join("\n", $b->errors), qr/blocked by CORS policy/, 'and says why';
is $c->row(ctt => $ctt)->{ntt_id}, undef, 'nothing was done';
my @asked = grep { /"OPTIONS / } split /^/, slurp($tls->file('access.log'));
cmp_ok @asked, '>=', 3, @asked . ' times the browser has asked first';
is_deeply [ grep { !/ status=(?:204 .* app_status="-"|405 )/ } @asked ], [],
    'nginx lets the portal in, and nobody else';

$b->stop;
$tls->stop;
$c->stop;
done_testing;
