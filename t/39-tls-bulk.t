# A bulk of 500 to partners over HTTPS with a full bundle of certificates, on
# connections that are all new: the bundle is read once, not for each of them,
# so that nobody runs into the connect timeout.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(time);
use Tls;
use Util qw(free_port slurp);

use constant { ITEMS => 500, BUNDLE => '/etc/ssl/certs/ca-certificates.crt' };

my $tls = Tls->new(File::Temp::tempdir(CLEANUP => 1) . '/tls');
my $port = free_port();

# As many certificates as a system trusts, ours the last; some 150 are made
# where there is no bundle.
sub bundle () {
	my $all = -s BUNDLE ? slurp(BUNDLE) : '';

	for (1 .. ($all ? 0 : 150)) {
		$tls->ca("other-$_");
		$all .= slurp($tls->file("other-$_.crt"));
	}
	return $tls->spew('bundle.pem', $all . slurp($tls->file('ours.crt')));
}

$tls->ca('ours');
$tls->cert('good', ca => 'ours', name => 'localhost');
my $bundle = bundle();

# Half of the items go to TaaS, half to TMF. The time that the first bulk of a
# new pool takes, and the next.
sub measure ($what, %opt) {
	my $c = Ctt->start(pool => 1, workers => 0, %opt);
	my ($r, @s);

	if ($what eq 'TLS') {
		my $to = $c->env('CTT_SIM_URL');
		$tls->nginx(<<"END");
	upstream sim { server @{[$to =~ s{^http://}{}r]}; keepalive 64; }
	server {
		listen 127.0.0.1:$port ssl;
		ssl_certificate @{[$tls->file('good.crt')]};
		ssl_certificate_key @{[$tls->file('good.key')]};
		location / {
			proxy_pass http://sim;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
	}
END
	}
	for my $bulk (1 .. 2) {
		my $ntt = $c->given(ntt => {});
		my @ctts = $c->given(map { (ctt => { source => $_ % 2 ? 'TMF'
			: 'TAAS' }) } 1 .. ITEMS);
		my $began = time;
		$r = $c->bulk(map { [ $_, $ntt ] } @ctts);
		push @s, time - $began;
		is_deeply [ $r->{status}, @{ $r->{json} }{qw(total success)} ],
		    [ 200, ITEMS, ITEMS ], "$what: all of bulk $bulk are linked"
		    or diag substr $r->{raw}, 0, 1000;
	}
	$c->agree;
	$c->stop;
	return @s;
}

my @plain = measure('plain');
my @tls = measure('TLS', (map { ("${_}_url" =>
	"https://localhost:$port/$_") } qw(taas tmf)), set => {
	CTT_TAAS_CA_FILE => $bundle, CTT_TMF_CA_FILE => $bundle });
$tls->stop;
diag sprintf '%d items: plain %.2f s, then %.2f s; TLS %.2f s, then %.2f s,'
    . ' with %d KiB of certificates', ITEMS, @plain, @tls,
    (-s $bundle) / 1024;

done_testing;
