# Tables that the version before made and filled with an earlier MariaDB, opened
# by this version with this MariaDB: scripts/test-suite makes them.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $OLD = $ENV{CTT_OLD_TABLES}
    or plan skip_all => 'it needs the tables of scripts/test --suite';

my $c = Ctt->start(pool => 2, database => "$OLD/db",
	set => { CTT_AUDIT_KEY_FILE => "$OLD/etc/audit-key",
		CTT_UNLINK_BLOCK_TTL => 0, CTT_PARTNER_TIMEOUT_MS => 30_000 });
my $sock = $c->env('CTT_DB_SOCKET');

# As Debian's package does it.
is system("mariadb-upgrade -S '$sock' >>'" . $c->dir . "/log/upgrade' 2>&1"),
    0, 'mariadb-upgrade';
note $c->one('SELECT VERSION()');
cmp_ok $c->one("SELECT COUNT(*) FROM operation WHERE state = 'SUCCEEDED'"),
    '>', 600, 'there are old operations';
is $c->run('ctt.fcgi', '--check')->{err}, '', '--check is content';
is $c->cttctl('check')->{out}, '', 'cttctl check, too';
is $c->cttctl('audit', 'verify')->{status}, 0, 'the old trail is whole';

# The id of the first CTT that had no part in what the version before did.
my $next = 1000;

sub fresh ($n) {
	my $from = $next;

	$next += $n;
	return $from .. $next - 1;
}

# Those of TMF: the simulator's TaaS has not heard of the old links.
sub of_tmf (@ctts) { return grep { $_ % 3 } @ctts }

sub done ($r, $name, $n) {
	is_deeply [ $r->{status}, scalar grep { $_->{outcome}
		=~ /^(?:linked|unlinked|moved|resolved)$/ }
		@{ $r->{json}{results} // [] } ], [ 200, $n ], $name
	    or diag substr $r->{raw}, 0, 500;
}

# ---- all that compares texts ----

my $commits = sub () { $c->dbh->selectrow_arrayref(
	"SHOW GLOBAL STATUS LIKE 'Com_commit'")->[1] };
{
	my $before = $commits->();

	done($c->bulk(map { [ $_, 4, remark => "c\x{e2}ble coup\x{e9}" ] }
		fresh(200)), '200 links', 200);
	ok $c->quiet(60), 'the jobs are delivered';
	cmp_ok $commits->() - $before, '<', 150,
	    'with a few commits: the bulk is not halved';
}
done($c->unlink_from(1, [ of_tmf(201 .. 260) ]), '40 old links are undone', 40);
done($c->move_to('NTT-0000005', [ of_tmf(261 .. 320) ]), '40 are moved', 40);
done($c->post('/ticket/ctt/bulk-resolve-by-ticket-id', { $c->codes,
	remark => "r\x{e9}par\x{e9}", ticketIds => [ 321 .. 370 ] }),
	'50 are resolved', 50);
is $c->bulk([ 1, 1 ], [ 'CTT-0000002', 'NTT-0000001' ])->{json}{success}, 2,
    'by id and by number';

for my $path ('/ticket/ctt?q=CTT', '/ticket/ctt?status=Resolved,open',
	'/ticket/ctt?ticketNo=TaaS-0000003', '/ticket/ctt?linked=true',
	'/ticket/ntt?q=NTT', '/ticket/audit?actor=filler', '/ticket/ctt/200',
	'/ticket/audit?nttId=1', '/ticket/operation?state=SUCCEEDED',
	'/ticket/ntt/1', '/ticket/ntt/1/ctts', '/ticket/lov') {
	my $r = $c->get($path);

	is $r->{status}, 200, "GET $path" or diag $r->{raw};
	my ($list) = grep { ref eq 'ARRAY' } @{ $r->{json} }{qw(items)};
	cmp_ok scalar @$list, '>', 0, 'finds what there is' if $list;
}
is_deeply [ map { @$_ } @{ $c->dbh->selectall_arrayref(
	"SELECT DISTINCT remark FROM operation WHERE remark LIKE 'c%' OR"
	. " remark LIKE 'r%' ORDER BY BINARY remark") } ],
    [ "c\x{e2}ble coup\x{e9}", "r\x{e9}par\x{e9}" ], 'each letter is kept';
is_deeply [ grep { /kind=refused/ } map { $c->log_lines($_) }
	qw(pool worker) ], [], 'the server refused no statement';

ok $c->quiet(60), 'the jobs are delivered';
$c->stop;
done_testing;
