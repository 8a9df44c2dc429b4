# The way to a partner: through an egress proxy that a setting names (and never
# one that the environment names), by HTTP/2 where the partner offers it, and
# with a TLS handshake that takes its time.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use IO::Socket::INET;
use Oidc;
use POSIX ();
use Relay;
use Test::More;
use Time::HiRes qw(time);
use Tls;
use Util qw(free_port spew);

use constant { BUDGET_MS => 2500, CONNECT_MS => 300, ITEMS => 300 };

my $tls = Tls->new(File::Temp::tempdir(CLEANUP => 1) . '/tls');
my %port = map { $_ => free_port() } qw(one two);
my %SET = (CTT_PARTNER_TIMEOUT_MS => BUDGET_MS,
	CTT_PARTNER_CONNECT_TIMEOUT_MS => CONNECT_MS,
	CTT_BREAKER_FAILURES => 1000);
my $c;

$tls->ca('ours');
$tls->cert('good', ca => 'ours', name => 'localhost');
my $CA = $tls->file('ours.crt');

# In front of the simulator: by HTTP/1.1 alone, and by HTTP/2 too. The partner
# hears how it was asked. Each connection ends after a few calls.
sub serve () {
	$tls->stop;
	$tls->nginx(join '', "\tkeepalive_requests 10;\n", map {
		my ($name, $http2) = @$_;
		<<"END" } [ one => '' ], [ two => 'http2' ]);
	server {
		listen 127.0.0.1:$port{$name} ssl $http2;
		ssl_certificate @{[$tls->file('good.crt')]};
		ssl_certificate_key @{[$tls->file('good.key')]};
		location / {
			proxy_pass @{[$c->env('CTT_SIM_URL')]};
			proxy_set_header X-Protocol \$server_protocol;
			proxy_set_header X-Connection \$connection;
		}
	}
END
}

sub given_link ($source = 'TAAS') {
	my ($ctt, $ntt) = $c->given(ctt => { source => $source }, ntt => {});

	return $c->link($ctt, $ntt);
}

# Nothing was sent, and the caller is told why.
sub not_sent ($r, $why, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
		partnerStatus settled)} ],
	    [ 502, 'refused', undef, 1 ], "$name: nothing was sent"
	    or diag $r->{raw};
	like $r->{json}{detail}, $why, 'and it says why';
	is scalar $c->heard('taas'), 0, 'TaaS has heard nothing';
}

# ---- proxies ----

# What the environment says: nobody may come here, nor be kept from a proxy.
my $trap = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5)
    or die "trap: $!";
$trap->blocking(0);
my %ENVIRONMENT = ((map { ($_ => 'http://127.0.0.1:' . $trap->sockport) }
	qw(http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY)),
	no_proxy => '*', NO_PROXY => '*');

sub in_environment ($do) {
	local @ENV{keys %ENVIRONMENT} = values %ENVIRONMENT;
	return $do->();
}

sub restart (%set) { in_environment(sub { $c->restart_pool(1, %set) }) }

my $idp = Oidc->start;
my $proxy = Relay->start;
{
	$c = in_environment(sub { Ctt->start(pool => 1, set => { %SET,
		CTT_QUEUE_PROXY => $proxy->url }) });
	serve();
	my $sim = $c->env('CTT_SIM_URL');
	my $at = $sim =~ s{^http://}{}r;
	for (
		[ 'none', "$sim/taas", '' ],
		[ 'to a partner', "$sim/taas", $proxy->url,
			qr{^POST http://\Q$at\E/taas/tickets/C-\d+/link } ],
		[ 'to one with TLS', "https://localhost:$port{one}/taas",
			$proxy->url,
			qr{^CONNECT localhost:$port{one} HTTP/1\.1$} ],
		[ 'to one with HTTP/2', "https://localhost:$port{two}/taas",
			$proxy->url,
			qr{^CONNECT localhost:$port{two} HTTP/1\.1$} ],
	) {
		my ($name, $url, $through, $asked) = @$_;
		my $before = () = $proxy->lines;

		restart(CTT_TAAS_URL => $url, CTT_TAAS_CA_FILE =>
			$url =~ /^https/ ? $CA : '', CTT_TAAS_PROXY => $through);
		$c->sim(DELETE => '/calls');
		is given_link()->{status}, 200, "a proxy: $name";
		is scalar $c->heard('taas'), 1, 'the partner has heard it';
		my @lines = grep { !m{/queue/} }
		    splice @{ [ $proxy->lines ] }, $before;
		is scalar @lines, $asked ? 1 : 0, 'by the proxy, or not';
		like $lines[0], $asked, 'so asked' if $asked;
		is given_link('TMF')->{status}, 200, 'another partner';
		unlike join("\n", $proxy->lines), qr{/tmf/}, 'has none';
	}
	ok $c->quiet, 'all jobs are delivered';
	like join("\n", $proxy->lines), qr{^POST http://\Q$at\E/queue/jobs }m,
	    'the worker goes through its own';

	# The token endpoint is on the same way.
	my $client = $tls->spew('client', "cttd-service\nonly for tests\n");
	restart(CTT_TAAS_URL => "$sim/taas",
		CTT_TAAS_CA_FILE => '', CTT_TAAS_OAUTH_URL => $idp->issuer
		. '/token', CTT_TAAS_OAUTH_CLIENT_FILE => $client);
	is given_link()->{status}, 200, 'a token';
	like join("\n", $proxy->lines), qr{^POST \Q@{[$idp->issuer]}\E/token }m,
	    'comes by the proxy, too';
	restart(CTT_TAAS_OAUTH_URL => '',
		CTT_TAAS_OAUTH_CLIENT_FILE => '');
	is $trap->accept, undef, 'no proxy of the environment was asked';

	# A proxy that is away, or says no to CONNECT: nothing was sent.
	for (
		[ 'away', 'http://127.0.0.1:1', qr/onnect/ ],
		[ 'wants a password', Relay->start(answer => "HTTP/1.1 407 No\r\n"
			. "Proxy-Authenticate: Basic realm=x\r\n"
			. "Content-Length: 2\r\n\r\nno"), qr/407/ ],
		[ 'is in trouble', Relay->start(answer => "HTTP/1.1 503 No\r\n"
			. "Content-Length: 2\r\n\r\nno"), qr/503/ ],
		[ 'says nothing', Relay->start(answer => "x\r\n\r\n"), qr/./ ],
	) {
		my ($name, $other, $why) = @$_;

		restart(CTT_TAAS_CA_FILE => $CA,
			CTT_TAAS_URL => "https://localhost:$port{one}/taas",
			CTT_TAAS_PROXY => ref $other ? $other->url : $other);
		$c->sim(DELETE => '/calls');
		not_sent(given_link(), $why, "a proxy that is $name");
	}
	# Without TLS a proxy can answer for the partner: contract 9 judges that.
	for ([ 407, 'refused' ], [ 503, 'unknown' ]) {
		my ($status, $outcome) = @$_;
		my $other = Relay->start(answer => "HTTP/1.1 $status No\r\n"
			. "Content-Length: 2\r\nConnection: close\r\n\r\nno");

		restart(CTT_TAAS_CA_FILE => '', CTT_TAAS_URL =>
			"$sim/taas", CTT_TAAS_PROXY => $other->url);
		is_deeply [ @{ given_link()->{json} }{qw(partnerOutcome
			partnerStatus)} ], [ $outcome, $status ],
		    "a proxy that answers $status itself: $outcome";
	}
	ok $c->settle, 'settled';
	for my $url ('https://proxy:3128', 'http://proxy', 'proxy:3128',
		'http://proxy:3128/', 'http://me:s3cret@proxy:3128',
		'http://proxy:0', 'socks5://proxy:1') {
		my $r = $c->run('ctt.fcgi', { CTT_NIG_PROXY => $url }, '--check');
		is_deeply [ $r->{status}, $r->{err} =~ /(CTT_\w+): .*\n\z/,
			$r->{err} =~ /(s3cret)/ ], [ 1, 'CTT_NIG_PROXY' ],
		    "$url is no proxy";
	}
	$c->agree;
	$c->stop;
}

# ---- HTTP/2 ----

$c = Ctt->start(pool => 1, workers => 1, taas_url =>
	"https://localhost:$port{one}/taas", tmf_url =>
	"https://localhost:$port{two}/tmf", queue_url =>
	"https://localhost:$port{two}/queue", set => { %SET,
	CTT_PARTNER_TIMEOUT_MS => 20_000,
	CTT_PARTNER_CONNECT_TIMEOUT_MS => 10_000,
	map { ("CTT_${_}_CA_FILE" => $CA) } qw(TAAS TMF QUEUE) });
serve();
{
	my ($ntt) = $c->given(ntt => {});
	my @ctts = $c->given(map { (ctt => { source => $_ % 2 ? 'TMF'
		: 'TAAS' }) } 1 .. ITEMS);

	for my $n (1, 2) {
		my $r = $n == 1 ? $c->bulk(map { [ $_, $ntt ] } @ctts)
		    : $c->post('/ticket/ctt/unlink', { nttId => $ntt,
			cttIds => \@ctts });
		is $r->{status}, 200, ITEMS . ' items at once'
		    or diag substr $r->{raw}, 0, 1000;
	}
	ok $c->quiet, 'all jobs are delivered';
	for ([ taas => 'HTTP/1.1' ], [ tmf => 'HTTP/2.0' ],
		[ queue => 'HTTP/2.0' ]) {
		my ($partner, $protocol) = @$_;
		my %seen = map { $_->{headers}{'x-protocol'} => 1 }
		    $c->heard($partner);

		is_deeply [ keys %seen ], [$protocol],
		    "$partner was asked by $protocol";
	}
	my %connections = map { $_->{headers}{'x-connection'} => 1 }
	    $c->heard('tmf');
	my $calls = $c->heard('tmf');
	cmp_ok scalar(keys %connections), '>=', $calls / 10,
	    "a connection ends after 10 calls of $calls";
	is_deeply [ grep { /event=partner_retry/ } $c->log_lines('pool') ], [],
	    'and none of the calls is broken by that';
	$c->agree;

	# What a partner does not answer is as by HTTP/1.1.
	for (
		[ 'answers', { do => 'delay', ms => 50 }, 200 ],
		[ 'refuses', { do => 'status', status => 409 }, 502, 'refused',
			409 ],
		[ 'cuts', { do => 'cut' }, 502, 'unknown', 502 ],
		[ 'breaks off', { do => 'half-body' }, 502, 'unknown', undef ],
		[ 'is slow', { do => 'delay', ms => 4000 }, 502, 'unknown',
			undef ],
	) {
		my ($name, $rule, $status, $outcome, $partner_status) = @$_;
		my ($ctt, $to) = $c->given(ctt => { source => 'TMF' },
		    ntt => {});

		$c->restart_pool(1, CTT_PARTNER_TIMEOUT_MS => BUDGET_MS)
		    if $name eq 'answers';
		$c->rule(ticket => "C-$ctt", method => 'PATCH', %$rule);
		my $r = $c->link($ctt, $to);
		is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
			partnerStatus)} ], [ $status, $outcome,
			$partner_status ], "HTTP/2: a partner that $name"
		    or diag $r->{raw};
		$c->no_rules;
		ok $c->settle, 'settled';
	}
	# The partner is gone while calls are under way.
	{
		my @more = $c->given_ctts(20, source => 'TMF');
		my $to = pop @more;
		$c->rule(partner => 'tmf', method => 'PATCH', do => 'delay',
			ms => 1000, times => 20);
		my $pid = fork // die "fork: $!\n";
		if (!$pid) {
			sleep 1;
			kill 'TERM', $tls->{pid};
			POSIX::_exit(0);
		}
		my $r = $c->bulk(map { [ $_, $to ] } @more);
		waitpid $pid, 0;
		my %seen = map { $_->{error}{partnerOutcome} => 1 }
		    @{ $r->{json}{results} };
		ok $seen{unknown}, 'connections that break under 20 calls';
		$c->no_rules;
		serve();
		ok $c->settle, 'settled';
		ok $c->quiet, 'all jobs are delivered';
	}
	$c->agree;
}

# ---- a slow TLS handshake ----

for (
	[ 'slower than a connection may be', 3 * CONNECT_MS, 200 ],
	[ 'slower than the call may be', BUDGET_MS + 2000, 502 ],
) {
	my ($name, $ms, $status) = @$_;
	my $slow = Relay->start(to => "localhost:$port{one}",
		delay => $ms / 1000);

	$c->restart_pool(1, %SET, CTT_TAAS_URL => "https://localhost:"
		. $slow->port . '/taas');
	$c->sim(DELETE => '/calls');
	my $began = time;
	my $r = given_link();
	my $took = 1000 * (time - $began);

	is $r->{status}, $status, "a handshake $name: $status"
	    or diag $r->{raw};
	not_sent($r, qr/SSL|TLS|timed out/i, 'too slow') if $status != 200;
	ok $took > ($status == 200 ? $ms : BUDGET_MS) - 50
	    && $took < BUDGET_MS + 1500, "it took $took ms";
}
# Who does not even connect is given up soon: a listener whose queue is full.
{
	my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
	    or die "full: $!";
	my @fill = map { my $s = IO::Socket::INET->new(Blocking => 0,
		PeerAddr => '127.0.0.1:' . $full->sockport); $s } 1 .. 8;

	$c->restart_pool(1, CTT_TAAS_URL => "https://localhost:"
		. $full->sockport . '/taas');
	my $began = time;
	not_sent(given_link(), qr/timed out|Timeout/i, 'no connection');
	my $took = 1000 * (time - $began);
	ok $took > CONNECT_MS - 50 && $took < BUDGET_MS - 500,
	    "it took $took ms";
}
ok $c->quiet, 'all jobs are delivered';
$c->stop;
done_testing;
