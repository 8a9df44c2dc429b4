# The database over a network: TLS, as it looks to who listens on the wire; the
# certificates of both sides; and the SQL of cttctl setup-database.

use v5.36;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use DBI ();
use Relay;
use Test::More;
use Tls;
use Util qw(free_port slurp spew);

plan skip_all => 'needs root, who is also MariaDB\'s' if $> != 0;

my $tmp = File::Temp->newdir('ctt-tls.XXXXXX', TMPDIR => 1);
my $tls = Tls->new("$tmp/tls");
my $port = free_port();

$tls->ca($_) for qw(ours others);
$tls->cert('server', ca => 'ours', name => 'localhost');
$tls->cert('client', ca => 'ours', name => 'ctt');
$tls->cert('stranger', ca => 'others', name => 'ctt');

my $c = Ctt->start(pool => 2, mariadb => [ '--skip-networking=0',
	'--bind-address=127.0.0.1,127.0.0.2', "--port=$port",
	'--ssl-ca=' . $tls->file('ours.crt'),
	'--ssl-cert=' . $tls->file('server.crt'),
	'--ssl-key=' . $tls->file('server.key') ]);
my $wire = Relay->start(to => "localhost:$port", keep => 1);
my %tls = (CTT_DB_SOCKET => '', CTT_DB_HOST => 'localhost',
	CTT_DB_PORT => $wire->port, CTT_DB_TLS => 'on',
	CTT_DB_CA_FILE => $tls->file('ours.crt'));
my $root = DBI->connect('DBI:MariaDB:mysql;mariadb_socket='
	. $c->env('CTT_DB_SOCKET'), 'root', '', { RaiseError => 1,
	PrintError => 0 });

sub check (%set) { return $c->run('ctt.fcgi', { %tls, %set }, '--check') }

# It fails, and says why.
sub refused ($name, $says, %set) {
	my $r = check(%set);

	is $r->{status}, 1, "$name: refused";
	like $r->{err}, $says, 'and says why';
}

# ---- the users ----

{
	my $sql = $c->cttctl(\%tls, 'setup-database', '--hosts',
		'127.0.0.1,10.0.0.7')->{out};

	$root->do($_) for split /;\n/, $sql;
	is_deeply $root->selectcol_arrayref(q{SELECT CONCAT(user, '@', host,}
	    . q{ ' ', ssl_type) FROM user WHERE host IN ('127.0.0.1',}
	    . q{ '10.0.0.7') ORDER BY 1}), [ map { my $user = $_;
		map { "$user\@$_ ANY" } qw(10.0.0.7 127.0.0.1) }
		qw(ctt ctt_owner) ], 'each host has both users, with TLS only';
	unlike $c->cttctl('setup-database')->{out}, qr/SSL/,
	    'which is not asked of a socket';
	is $c->cttctl(\%tls, 'migrate')->{status}, 0, 'the owner gives rights';
}

# ---- who listens ----

my $SQL = qr/ctt_activity|operation|SELECT/;

is check()->{err}, '', '--check is content';
cmp_ok length $wire->bytes, '>', 10_000, 'there was much to listen to';
ok $wire->bytes !~ $SQL, 'and nothing to hear';
my %plain = (CTT_DB_HOST => '127.0.0.1', CTT_DB_TLS => 'off');
refused('without TLS', qr/Access denied/, %plain);
$root->do('ALTER USER ctt@127.0.0.1 REQUIRE NONE');
is check(%plain)->{status}, 0, 'where it may go without,';
ok $wire->bytes =~ $SQL, 'all can be heard';

# ---- certificates ----

refused('a CA of others', qr/TLS|SSL|certificate/,
	CTT_DB_CA_FILE => $tls->file('others.crt'));
refused('no CA that the system trusts', qr/TLS|SSL|certificate/,
	CTT_DB_CA_FILE => '');
# (libmariadb 3.4 takes any name from 127.0.0.1)
refused('a server of another name', qr/TLS|SSL|certificate/,
	CTT_DB_HOST => '127.0.0.2', CTT_DB_PORT => $port);
refused('a file that is not there', qr/CTT_DB_CA_FILE: cannot read/,
	CTT_DB_CA_FILE => "$tmp/none");

my %client = map { my $who = $_; ($who => {
	CTT_DB_CERT_FILE => $tls->file("$who.crt"),
	CTT_DB_KEY_FILE => $tls->file("$who.key") }) } qw(client stranger);
$root->do('ALTER USER ctt@127.0.0.1 REQUIRE X509');
refused('without a certificate', qr/Access denied/);
refused('with one of another CA', qr/TLS|SSL|certificate|denied|Lost/,
	%{ $client{stranger} });
is check(%{ $client{client} })->{err}, '', 'with ours it is taken';

# ---- a server, or somebody before it, that speaks no TLS ----

{
	my $conf = $c->dir . '/stack.conf';
	my $text = slurp($conf);

	spew($conf, $text =~ s/^mariadb=.*/$& --skip-ssl/mr);
	ok $c->stack('restart', 'db'), 'a server without TLS';
	$root = $root->clone;
	$root->do('ALTER USER ctt@127.0.0.1 REQUIRE NONE');
	refused('it', qr/TLS|SSL/);
	spew($conf, $text);
	ok $c->stack('restart', 'db'), 'and with it';
	$root = $root->clone;
	$root->do('ALTER USER ctt@127.0.0.1 REQUIRE X509');
}

# ---- a pool ----

$c->restart_pool(2, %tls, %{ $client{client} });
{
	my $before = length $wire->bytes;
	my ($ntt, @ctts) = $c->given(ntt => {}, map { (ctt => {}) } 1 .. 20);

	is scalar(grep { $_->{outcome} eq 'linked' } @{ $c->bulk(
		map { [ $_, $ntt, remark => 'a Thai remark' ] } @ctts)
		->{json}{results} }), 20, 'it links';
	is $c->get("/ticket/ntt/$ntt")->{json}{ntt}{cttCount}, 20, 'and reads';
	my $heard = substr $wire->bytes, $before;
	cmp_ok length $heard, '>', 5000, 'over the wire';
	ok $heard !~ /$SQL|Thai/, 'of which nothing can be heard';
	is $root->selectrow_array('SELECT COUNT(*) FROM'
	    . " information_schema.processlist WHERE user = 'ctt'"
	    . " AND host LIKE '127.0.0.1:%'") > 0, 1, 'by TCP';
	my $ends = () = $c->get('/metrics')->{raw}
	    =~ /^cttd_expires_timestamp_seconds\{.*"CTT_DB_C(?:A|ERT)_FILE"/mg;
	is $ends, 2, 'the metrics tell when the certificates end';
}

ok $c->quiet, 'the jobs are delivered';
$c->stop;
$wire->stop;
done_testing;
