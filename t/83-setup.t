# cttctl setup and setup-database, cttctl's settings file, and ctt.fcgi --check
# --as: against a real MariaDB, each with what it refuses.

use v5.36;

use Cwd qw(abs_path);
use File::Path qw(make_path);
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Util qw(output slurp slurp_if spew);

plan skip_all => 'needs root, who is also MariaDB\'s' if $> != 0;
my $c = Ctt->start(pool => 1);
my $tmp = File::Temp::tempdir(CLEANUP => 1);
my $etc = "$tmp/etc";
my $file = "$etc/ctt.env";
my @URLS = map { "CTT_${_}_URL=http://127.0.0.1:1" } qw(TAAS TMF NIG QUEUE);
my @DB = ('CTT_DB_SOCKET=' . $c->env('CTT_DB_SOCKET'), 'CTT_DB_NAME=ctt_two',
	'CTT_DB_USER=two', 'CTT_DB_MIGRATE_USER=two_owner',
	"CTT_AUDIT_HEADS_FILE=$tmp/heads/file", "CTT_SHARED_FILE=$tmp/heads/s",
	'CTT_MEMCACHED=');
# Who checks is nobody, and has to get to the socket.
chmod 0755, $tmp, $c->dir;
make_path($etc, "$tmp/heads");
chmod 0777, "$tmp/heads";
my ($nobody, $nogroup) = (getpwnam 'nobody')[ 2, 3 ];

# Without the settings of the stack: there is only the file.
my %none = map { $_ => undef } grep { /^CTT_/ } keys %{ $c->{env} };

sub run ($program, @args) {
	my %set = ref $args[0] ? %{ shift @args } : ();
	return $c->run($program, { %none, CTT_ENV_FILE => $file, %set }, @args);
}

sub cttctl (@args) { return run('cttctl', @args) }

sub setup (@words) {
	return cttctl('setup', '--user', 'nobody', '--no-start', @words);
}

sub keys_of () {
	return { map { $_ => slurp_if("$etc/$_") } 'db-owner-password',
	    map { "secrets/$_" } qw(db-password jwt-key audit-key) };
}

# As the root of MariaDB.
sub root () {
	return DBI->connect('DBI:MariaDB:mysql;mariadb_socket='
	    . $c->env('CTT_DB_SOCKET'), 'root', '', { RaiseError => 1,
		PrintError => 0 });
}

# ---- what is refused changes nothing ----

for (
	[ qr/CTT_TAAS_URL: is not an http/, 2, 'CTT_TAAS_URL=taas' ],
	[ qr/CTT_NO: there is no such setting/, 2, 'CTT_NO=1' ],
	[ qr/^cttctl: x: not an option, nor NAME=VALUE/m, 2, 'x' ],
	[ qr/CTT_JWT_ISSUER: a value has no quotes/, 2, 'CTT_JWT_ISSUER=a"b' ],
	[ qr/unknown option --what/, 2, '--what', 'x' ],
) {
	my ($says, $status, @words) = @$_;
	my $r = setup('--run', @words);

	is $r->{status}, $status, "refused: @words";
	like $r->{err}, $says, 'and says why';
	ok !-e $file, 'there is no settings file';
}
{
	my $r = setup('--run', 'CTT_TAAS_URL=no', 'CTT_DB_PORT=0');
	is_deeply [ $r->{err} =~ /^cttctl: (CTT_\w+)/mg ],
	    [qw(CTT_TAAS_URL CTT_DB_PORT)], 'all wrong words are named';
	$r = setup('--run', @DB);
	is_deeply [ sort $r->{err} =~ /^cttctl: (CTT_\w+): is not set/mg ],
	    [ map { s/=.*//r } sort @URLS ], 'so are all missing ones';
	ok !-e $file, 'there is still no settings file';
}

# ---- what would be done ----

{
	my $before = keys_of();
	my $r = setup(@URLS, @DB);

	is $r->{status}, 0, 'without --run';
	like $r->{out}, qr/^\tCTT_DB_NAME=ctt_two\n.*Nothing was done/ms,
	    'it says what it would do';
	ok !-e $file, 'and does nothing';
	is_deeply keys_of(), $before, 'at all';
}

# On a terminal it asks, again if need be, and does it if that is agreed to.
{
	my $set = join ' ', map { "'$_'" } @DB, grep { !/NIG/ } @URLS;
	my $answers = join '\n', 'nig', 'http://nig', ('') x 5, 'n';
	my ($out) = output("printf '$answers\n' | env CTT_ENV_FILE='$file'"
	    . " script -qec \"\$(command -v '"
	    . abs_path(($ENV{CTT_BIN} // "$FindBin::Bin/..") . '/cttctl')
	    . "') setup $set\" /dev/null");

	like $out, qr/CTT_NIG_URL \(base URL of NIG\).*is not an http/s,
	    'it asks until the answer is good';
	like $out, qr{CTT_NIG_URL=http://nig\r?\n.*Do this now\?.*Nothing was}s,
	    'and whether to do it';
	ok !-e $file, 'no is no';
}

# ---- nobody who may make a database ----

{
	my $r = setup('--run', '--admin', 'somebody', @URLS, @DB);

	is $r->{status}, 1, 'an administrator who is none';
	like $r->{err}, qr/as somebody .*--no-database/s, 'is told, and a way';
	$r = setup('--run', '--admin-password-file', '/nowhere');
	like $r->{err}, qr{cannot read /nowhere}, 'a password that is not there';
	is root()->selectrow_array("SELECT COUNT(*) FROM user WHERE user = 'two'"),
	    0, 'and there is no user';
}

# ---- all of it ----

my $keys = keys_of();
is scalar(grep { length >= 33 } values %$keys), 4, 'four keys were made';
{
	my $r = setup('--run', '--nginx', '127.0.0.1:8080', '--nginx-file',
	    "$tmp/site.conf");

	is $r->{status}, 0, 'setup' or diag @$r{qw(out err)};
	like $r->{out}, qr/^two_app has the rights that cttd needs$/m,
	    'the rights are those of a role';
	is_deeply keys_of(), $keys, 'no key is made again';
	is_deeply [ map { sprintf '%04o', (stat "$etc/$_")[2] & 07777 }
		'ctt.env', 'secrets', 'secrets/jwt-key', 'db-owner-password' ],
	    [qw(0640 0700 0600 0600)], 'who may read what';
	is((stat $file)[5], $nogroup, 'the file is of the group');
	is_deeply [ glob "$etc/*.new $etc/*.try $etc/secrets/*.new" ], [],
	    'nothing is left over';
	my $site = slurp("$tmp/site.conf");
	unlike $site, qr/@[A-Z_]+@/, 'the site file is filled in';
	like $site, qr/^\tlisten 127\.0\.0\.1:8080;/m, 'with the address';
	is slurp("$etc/console.json"), slurp("$FindBin::Bin/../console/config.json"),
	    'the console has its sample';
	my $text = slurp($file);
	$r = setup('--run', '--nginx', '127.0.0.1:9', '--nginx-file',
	    "$tmp/site.conf", 'CTT_LOG_LEVEL=warn', 'CTT_NIG_URL=http://x');
	is $r->{status}, 0, 'again' or diag @$r{qw(out err)};
	is slurp("$tmp/site.conf"), $site, 'the site file stays';
	is slurp($file), $text =~ s/^#(CTT_LOG_LEVEL)=info/$1=warn/mr
	    =~ s/^(CTT_NIG_URL)=.*/$1=http:\/\/x/mr,
	    'only what was named has changed';
}

# What cttd's user may, by its role.
{
	my $two = DBI->connect('DBI:MariaDB:ctt_two;mariadb_socket='
	    . $c->env('CTT_DB_SOCKET'), 'two', slurp("$etc/secrets/db-password")
	    =~ s/\n//r, { RaiseError => 0, PrintError => 0 });

	ok $two->do('DELETE FROM job'), 'it works with jobs';
	ok !$two->do('DELETE FROM audit_log'), 'and removes no audit row';
	ok !$two->do('DROP TABLE job'), 'and no table';
}

# ---- the settings file ----

is cttctl('check')->{status}, 0, 'cttctl reads the file by itself';
is cttctl({ CTT_DB_NAME => 'ctt_no' }, 'check')->{status}, 3,
    'the environment wins';
is cttctl({ CTT_ENV_FILE => '' }, 'reconcile')->{status}, 1,
    'without a file there are no partners';
for (
	[ 'CTT_DB_PORT', qr/:1: not NAME=VALUE/ ],
	[ 'CTT_DB_NAME="ctt', qr/:1: the quote has no end/ ],
	[ "# x\n\nCTT_DB_NAME=a\\\nb", qr/:3: a quote or a backslash/ ],
	[ "CTT_DB_PORT=x\n1=2", qr/:2: not NAME.*CTT_DB_PORT: "x"/s ],
) {
	my ($text, $says) = @$_;
	my $bad = spew("$tmp/bad.env", "$text\n");
	my $r = cttctl({ CTT_ENV_FILE => $bad }, 'check');

	is $r->{status}, 1, 'a bad file: ' . $text =~ s/\n/ | /gr;
	like $r->{err}, $says, 'and its line';
}
{
	my $good = spew("$tmp/good.env", "; x\n \t# y\r\n CTT_DB_NAME = 'x'\n"
	    =~ s/ = /=/r . "CTT_DB_SOCKET=\"/nowhere\" \r\n");
	my $r = cttctl({ CTT_ENV_FILE => $good }, 'check');
	like $r->{err}, qr{'/nowhere'}, 'quotes, comments and CR LF';
}

# ---- ctt.fcgi --check --as ----

sub check (@set) {
	return run('ctt.fcgi', {@set}, '--check', '--as', 'nobody');
}

is_deeply [ @{ check() }{qw(status out err)} ], [ 0, '', '' ], 'all is well';
for (
	[ [ CTT_TAAS_TOKEN_FILE => spew("$tmp/token", 'tok', 0600) ],
		qr/^ctt\.fcgi: CTT_TAAS_TOKEN_FILE: cannot read .*let this/m ],
	[ [ CTT_AUDIT_HEADS_FILE => "$etc/heads" ],
		qr/^ctt\.fcgi: CTT_AUDIT_HEADS_FILE: cannot write /m ],
	[ [ CTT_SHARED_FILE => "$etc/shared" ],
		qr/^ctt\.fcgi: CTT_SHARED_FILE: cannot write /m ],
	[ [ CTT_JWT_KEY_FILE => "$tmp/token" ],
		qr/^ctt\.fcgi: CTT_JWT_KEY_FILE: .*Permission denied/m ],
	[ [ CTT_DB_NAME => 'ctt_no' ], qr/1044|1049/ ],
) {
	my ($set, $says) = @$_;
	my $r = check(@$set);

	is $r->{status}, 1, "as nobody: @$set";
	like $r->{err}, $says, 'is told';
}
is run('ctt.fcgi', { CTT_TAAS_TOKEN_FILE => "$tmp/token" }, '--check')
    ->{status}, 0, 'root can read it';
spew("$etc/secrets/token", 'tok', 0600);
is check(CTT_TAAS_TOKEN_FILE => "$etc/secrets/token")->{status}, 0,
    'what is in secrets/ comes as a credential';
is_deeply [ glob '/dev/shm/cttd-check.*' ], [], 'which is removed';
like run('ctt.fcgi', '--check', '--as', 'no-such')->{err},
    qr/there is no such user/, 'no such user';
is run('ctt.fcgi', '--check', '--as')->{status}, 2, 'no user';

# As systemd gives them.
{
	make_path("$tmp/given");
	spew("$tmp/given/cttd_jwt-key", 'short');
	like run('ctt.fcgi', { CREDENTIALS_DIRECTORY => "$tmp/given" },
	    '--check')->{err}, qr{CTT_JWT_KEY_FILE: $tmp/given/cttd_jwt-key},
	    'a credential goes before the file';
}

# It runs statements, and leaves nothing.
{
	my $dbh = root();
	my $count = sub {
		return join ' ', map { scalar $dbh->selectrow_array(
			"SELECT COUNT(*) FROM ctt_two.$_") }
		    qw(idempotency lease job operation audit_log ctt ntt);
	};
	my $before = $count->();

	is check()->{status}, 0, 'a check';
	is $count->(), $before, 'leaves no row behind';
	$dbh->do('REVOKE INSERT ON ctt_two.job FROM two_app');
	my $r = check();
	is $r->{status}, 1, 'a right that is missing';
	like $r->{err}, qr/INSERT command denied/, 'is told';
	is cttctl('migrate')->{status}, 0, 'cttctl migrate gives it again';
	is check()->{status}, 0, 'and all is well';
}

# ---- what the schema lacks ----

is_deeply [ @{ cttctl('migrate', '--pending') }{qw(status out)} ], [ 0, '' ],
    'nothing';
{
	my $dbh = root();
	my ($last) = $dbh->selectrow_array(
		'SELECT MAX(version) FROM ctt_two.schema_version');

	$dbh->do("DELETE FROM ctt_two.schema_version WHERE version = $last");
	my $r = cttctl('migrate', '--pending');
	is $r->{status}, 1, 'a step';
	like $r->{out}, qr/^missing $last: /, 'is named';
	$r = cttctl('restart', '--user', 'nobody');
	is $r->{status}, 1, 'nothing is restarted';
	like $r->{err}, qr/cttctl restart --migrate/, 'and it says why';
	is cttctl('migrate')->{status}, 0, 'it runs';
	is cttctl({ CTT_DB_SOCKET => '/nowhere' }, 'migrate', '--pending')
	    ->{status}, 3, 'nobody knows without a database';
}

# ---- setup-database ----

{
	my $r = cttctl('setup-database', '--hosts', '10.0.0.1,10.0.0.2');

	is $r->{status}, 0, 'the SQL';
	for my $secret (values %{ keys_of() }) {
		unlike "$r->{out}$r->{err}", qr/\Q@{[$secret =~ s{\n}{}r]}/,
		    'has no secret';
	}
	my $dbh = root();
	$dbh->do($_) for split /;\n/, $r->{out};
	is_deeply $dbh->selectcol_arrayref(q{SELECT CONCAT(user, '@', host)}
	    . q{ FROM user WHERE host LIKE '10.%' ORDER BY 1}),
	    [ map { my $u = $_; map { "$u\@10.0.0.$_" } 1, 2 }
		qw(two two_owner) ], 'makes both users for each host';
	is_deeply $dbh->selectcol_arrayref("SELECT DISTINCT default_role FROM"
	    . " user WHERE user = 'two'"), ['two_app'], 'with the role';
	is cttctl('setup-database', '--run')->{status}, 0, 'it can be run';
	is cttctl('setup-database', '--run', '--admin', 'two')->{status}, 1,
	    'not by anybody';
	for ("a'b", '', 'a,,b', 'a b', '10.0.0.1;') {
		my $r = cttctl('setup-database', '--hosts', $_);

		is $r->{status}, 1, "no host: '$_'";
		like $r->{err}, qr/--hosts: /, 'and says so';
	}
	like cttctl({ CTT_DB_MIGRATE_USER => '' }, 'setup-database')->{err},
	    qr/CTT_DB_MIGRATE_USER: is not set/, 'it needs both users';
}

# A host whose database is made by somebody else.
{
	my $r = setup('--run', '--no-database', '--admin', 'nobody');
	is $r->{status}, 0, '--no-database needs no administrator'
	    or diag @$r{qw(out err)};
}

$c->stop;
done_testing;
