# Partners over TLS: the certificate is held against the CA and the name, ours
# is shown, and nothing is sent to whom is not proven. What the environment
# says of proxies, and where a partner redirects to, is not heeded.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use IO::Socket::INET;
use Test::More;
use Tls;
use Util qw(free_port);

my $tls = Tls->new(File::Temp::tempdir(CLEANUP => 1) . '/tls');
my %port = map { $_ => free_port() } qw(good client stranger alias expired);

$tls->ca($_) for qw(ours strangers);
$tls->cert('good', ca => 'ours', name => 'localhost');
$tls->cert('stranger', ca => 'strangers', name => 'localhost');
$tls->cert('alias', ca => 'ours', name => 'elsewhere.example');
$tls->cert('expired', ca => 'ours', name => 'localhost', days => 0);
$tls->cert('us', ca => 'ours', name => 'cttd');
$tls->cert('them', ca => 'ours', name => 'others');

sub base ($port, $path) { return "https://localhost:$port{$port}/$path" }
sub file ($name) { return $tls->file($name) }

# What proxies the environment names: nobody may come here.
my $trap = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5)
    or die "trap: $!";
$trap->blocking(0);

sub start (%opt) {
	my $proxy = 'http://127.0.0.1:' . $trap->sockport;

	local @ENV{qw(http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY
	    ALL_PROXY)} = ($proxy) x 6;
	return Ctt->start(pool => 4, %opt, set => { CTT_BREAKER_FAILURES => 1000,
		%{ $opt{set} } });
}

my $c = start(taas_url => base(client => 'taas'),
    tmf_url => base(stranger => 'tmf'), nig_url => base(alias => 'nig'),
    set => { map({ ("CTT_${_}_CA_FILE" => file('ours.crt')) }
	    qw(TAAS TMF NIG)),
	CTT_TAAS_CERT_FILE => file('us.crt'),
	CTT_TAAS_KEY_FILE => file('us.key') });
my $sim;

# In front of a simulator: each port with its own certificate.
sub serve () {
	$tls->stop;
	$sim = $c->env('CTT_SIM_URL');
	$tls->nginx(join '', map {
		my $cert = $_ eq 'client' ? 'good' : $_;
		my $verify = $_ eq 'client' ? 'ssl_verify_client on;'
		    . " ssl_client_certificate @{[file('ours.crt')]};" : '';
		<<"END" } sort keys %port);
	server {
		listen 127.0.0.1:$port{$_} ssl;
		ssl_certificate @{[file("$cert.crt")]};
		ssl_certificate_key @{[file("$cert.key")]};
		$verify
		location / { proxy_pass $sim; }
	}
END
}

# A link that nobody hears of; why, in the words of the operator.
sub not_sent ($r, $partner, $why, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partner partnerOutcome
		partnerStatus settled)} ],
	    [ 502, uc $partner, 'refused', undef, 1 ], "$name: not sent"
	    or diag $r->{raw};
	like $r->{json}{detail}, $why, 'and it says why';
	is scalar $c->heard($partner), 0, "$partner has heard nothing";
}

sub given_cpe () {
	my ($ctt) = $c->given(ctt => { segment_group => 'Managed Services' });
	$c->given_element($ctt);
	return $ctt;
}

my %cpe = (manufacturer => 'Nokia', model => 'G-010', ipAddress => '10.0.0.2',
	bandwidthMbps => 500, port => '1/1/2');

# ---- one partner that is right, two that are not ----

serve();
{
	my ($ctt, $other, $ntt) = $c->given(ctt => {},
	    ctt => { source => 'TMF' }, ntt => {});
	my $r = $c->link($ctt, $ntt);

	is $r->{status}, 200, 'of our CA, and shown our certificate: linked'
	    or diag $r->{raw};
	is scalar $c->heard('taas', applied => 1), 1, 'once';
	not_sent($c->link($other, $ntt), 'tmf', qr/SSL certificate problem/,
	    'of another CA');
	not_sent($c->update_cpe(given_cpe(), \%cpe), 'nig',
	    qr/does not match|no alternative certificate/, 'by another name');
}

# ---- it is not followed elsewhere ----

{
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});

	$c->rule(ticket => "C-$ctt", do => 'redirect');
	my $r = $c->link($ctt, $ntt);
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
		partnerStatus)} ], [ 502, 'refused', 302 ],
	    'a redirect is not followed';
	$c->no_rules;
	ok $c->settle, 'and it is settled';
	is scalar $c->heard('taas', ticket => "C-$ctt"), 1,
	    'TaaS itself was asked once';
}
ok $c->quiet, 'all jobs are delivered';
is $trap->accept, undef, 'no proxy of the environment was asked';
$c->do('DELETE FROM ctt WHERE source = ?', 'TMF');    # at no partner
$c->stop;

# ---- no certificate of ours, no CA of ours, none that holds any more ----

$c = start(workers => 0, taas_url => base(client => 'taas'),
    tmf_url => base(good => 'tmf'), nig_url => base(expired => 'nig'),
    set => { map { ("CTT_${_}_CA_FILE" => file('ours.crt')) } qw(TAAS NIG) });
serve();
{
	my ($ctt, $other, $ntt) = $c->given(ctt => {},
	    ctt => { source => 'TMF' }, ntt => {});
	my $r = $c->link($ctt, $ntt);

	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
		partnerStatus)} ], [ 502, 'refused', 400 ],
	    'who wants a certificate, and is shown none, refuses';
	is scalar $c->heard('taas'), 0, 'and the partner behind heard nothing';
	not_sent($c->link($other, $ntt), 'tmf', qr/SSL certificate problem/,
	    'of a CA that the system does not trust');
	not_sent($c->update_cpe(given_cpe(), \%cpe), 'nig',
	    qr/certificate has expired/, 'expired');
	$c->do('DELETE FROM ctt');
}

# Where a CA is set, those of the system are not even looked for.
for ([ 'a CA that is set', file('ours.crt'), 0 ], [ 'none', undef, 1 ]) {
	my ($name, $ca, $looks) = @$_;
	my ($job) = $c->given(job => { type => 'notify-work-orders',
		payload => '{}', dedupe_key => $name, state => 'READY' });
	my $calls = $c->calls_of('file', sub ($) {
		$c->row(job => $job)->{last_error} }, 'ctt-worker',
	    { CTT_QUEUE_URL => base(stranger => 'queue'),
		CTT_QUEUE_CA_FILE => $ca });

	like $c->row(job => $job)->{last_error}, qr/SSL certificate problem/,
	    "$name: the queue is not proven";
	is !!($calls =~ m{"/etc/ssl/certs/}), !!$looks,
	    'the CAs of the system are ' . ($looks ? '' : 'not ') . 'tried';
	$c->do('DELETE FROM job');
}
$c->stop;

# ---- the settings ----

my $junk = $tls->spew('junk', "-----BEGIN CERTIFICATE-----\nAAAA\n");
my $empty = $tls->spew('empty', '');
my $long = $tls->spew('long', 'x' x 300_000);
$tls->openssl('ec -in us.key -aes128 -passout pass:secret -out locked.key');
$c = Ctt->start(pool => 1, workers => 0);

for (
	[ 'all three', undef, ca => 'ours.crt', cert => 'us.crt',
		key => 'us.key' ],
	[ 'a CA alone', undef, ca => 'ours.crt' ],
	[ 'no such CA', 'CA', ca => 'nowhere' ],
	[ 'a CA that is empty', 'CA', ca => 'empty' ],
	[ 'a CA that is none', 'CA', ca => 'junk' ],
	[ 'a key as CA', 'CA', ca => 'us.key' ],
	[ 'a CA of 300 kB', 'CA', ca => 'long' ],
	[ 'no such certificate', 'CERT', cert => 'nowhere', key => 'us.key' ],
	[ 'a certificate that is none', 'CERT', cert => 'junk',
		key => 'us.key' ],
	[ 'a certificate without a key', 'KEY', cert => 'us.crt' ],
	[ 'a key without a certificate', 'CERT', key => 'us.key' ],
	[ 'no such key', 'KEY', cert => 'us.crt', key => 'nowhere' ],
	[ 'a key that is none', 'KEY', cert => 'us.crt', key => 'us.crt' ],
	[ "another's key", 'KEY', cert => 'us.crt', key => 'them.key' ],
	[ 'a key under a passphrase', 'KEY', cert => 'us.crt',
		key => 'locked.key' ],
	[ 'a CA for a partner without TLS', 'CA', ca => 'ours.crt',
		url => 'http://localhost/x' ],
) {
	my ($name, $fault, %set) = @$_;
	my $url = delete $set{url} // 'https://localhost/x';

	for my $partner (qw(TAAS TMF NIG QUEUE)) {
		my $r = $c->run('ctt.fcgi', { "CTT_${partner}_URL" => $url,
			map { ("CTT_${partner}_\U$_\E_FILE"
				=> file($set{$_})) } keys %set }, '--check');
		is_deeply [ $r->{status}, $r->{err} =~ /\b(CTT_\w+): .*\n\z/ ],
		    $fault ? [ 1, "CTT_${partner}_${fault}_FILE" ] : [0],
		    "$partner: $name: " . ($fault ? 'refused' : 'good')
		    or diag $r->{err};
	}
}
isnt $c->run('ctt-worker', { CTT_TAAS_CA_FILE => $junk })->{status}, 0,
    'the worker looks as well';
for my $url ('https://me:secret@localhost/x', 'http://secret@localhost') {
	my $r = $c->run('ctt.fcgi', { CTT_TMF_URL => $url }, '--check');
	is_deeply [ $r->{status}, $r->{err} =~ /secret/ ? 'told' : 'not told' ],
	    [ 1, 'not told' ], 'no password in a URL';
}
$c->stop;
done_testing;
