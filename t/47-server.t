# A database server that is not set up as cttd would like it: its own settings,
# and what its init_connect does to each session.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Test::More;
use Util qw(spew);

my $c = Ctt->start(pool => 4, set => { CTT_UNLINK_BLOCK_TTL => 0,
	CTT_PARTNER_TIMEOUT_MS => 30_000 });
my $dba = $c->dba;
my $n = 0;
my $FACE = "\x{1f600}";

# All that a session was is gone; those that come have what was set since.
sub anew () {
	$dba->do('KILL USER ctt');
}

# ---- a session is as cttd wants it, whatever the server says ----

# Each: what it is called, and what the server is told.
for (
	[ 'short lists', 'group_concat_max_len = 64' ],
	[ 'no large joins', 'max_join_size = 1' ],
	[ 'few rows', 'sql_select_limit = 1' ],
	[ 'no time', 'max_statement_time = 0.000001' ],
	[ 'no commits', 'autocommit = 0' ],
	[ 'chained transactions', q{completion_type = 'CHAIN'} ],
	[ 'gap locks', q{tx_isolation = 'SERIALIZABLE'} ],
	[ 'reading only', 'tx_read_only = 1' ],
	[ 'other times', q{time_zone = '+07:00'} ],
	[ 'another SQL', q{sql_mode = 'ANSI,ORACLE,NO_BACKSLASH_ESCAPES'} ],
	[ 'other characters', q{character_set_server = 'latin1'},
		q{init_connect = 'SET NAMES latin1'} ],
	[ 'other order', q{collation_server = 'utf8mb4_bin'},
		q{init_connect = 'SET NAMES utf8mb4 COLLATE utf8mb4_bin'} ],
	[ 'another order of the database',
		'ALTER DATABASE ctt COLLATE = utf8mb4_unicode_ci' ],
	$dba->selectrow_array(q{SHOW VARIABLES LIKE 'character_set_collations'})
		? [ 'another order of utf8mb4', 'character_set_collations ='
			. q{ 'utf8mb4=utf8mb4_unicode_ci'} ] : (),
	[ 'safe updates', q{init_connect = 'SET sql_safe_updates = 1'} ],
	[ 'NULL is what was inserted', q{init_connect ='SET sql_auto_is_null = 1,
		max_sort_length = 8, div_precision_increment = 0'} ],
	[ 'a clock that stands', q{init_connect = 'SET timestamp = 1700000000'} ],
	[ 'no checks', q{init_connect = 'SET unique_checks = 0,
		check_constraint_checks = 0'} ],
) {
	my ($name, @globals) = @$_;
	my ($ntt, $other) = $c->given(ntt => {}, ntt => {});
	my @ctts = $c->given(map { (ctt => {}) } 1 .. 8);
	my %remark = (remark => "D\x{e9}j\x{e0} $FACE");

	$dba->do($_) for map { /^ALTER/ ? $_ : "SET GLOBAL $_" } @globals;
	anew();
	is_deeply [ map { $_->{outcome} } @{ $c->bulk(
		map { [ $_, $ntt, %remark ] } @ctts)->{json}{results} } ],
	    [ ('linked') x 8 ], "$name: 8 links";
	is $c->unlink_from($ntt, [ @ctts[ 0 .. 3 ] ])->{status}, 200, 'unlinks';
	is $c->move_to("N-$other", [ @ctts[ 3 .. 5 ] ])->{json}{success}, 3,
	    'moves';
	for my $route (Changes::routes($c)) {
		my $ch = Changes::given($c, $route, 2);

		my %key = ('Idempotency-Key' => 'key-' . ++$n);

		is Changes::ask($c, $ch, '', %key)->{status}, 200, $route
		    for 1, 2;
		is Changes::done($c, $ch), Changes::once($ch), 'done once';
	}
	is scalar @{ $c->get("/ticket/ntt/$ntt/ctts")->{json}{items} }, 2,
	    'a list has all that is there';
	is_deeply [ $c->column('SELECT DISTINCT remark FROM operation WHERE'
		. ' ntt_id = ?', $ntt) ], [ $remark{remark}, undef ],
	    'each letter is kept';
	cmp_ok $c->one('SELECT MAX(ABS(TIMESTAMPDIFF(SECOND, updated_at,'
		. ' UTC_TIMESTAMP))) FROM operation WHERE ntt_id = ?', $ntt),
	    '<', 600, 'and the time is right';
	ok $c->quiet, 'the jobs are delivered';
	is $c->cttctl('check')->{out}, '', 'check finds nothing';
	is $c->cttctl('audit', 'verify')->{status}, 0, 'the trail is whole';
	$dba->do(s/=.*/= DEFAULT/sr)
	    for map { /^ALTER/ ? $_ : "SET GLOBAL $_" } @globals;
	anew();
}

# ---- more than the server takes at once ----

# What is asked of 500 CTTs, of which each has this much to be told and noted:
# it is done at the first request.
{
	my @emoji = $c->given(map { (ctt => {}) } 1 .. 500);
	my @orders = $c->given(map { (ctt => { ticket_no => "TaaS-$_" }) }
		1 .. 500);
	my ($ntt, $busy) = $c->given(ntt => {}, ntt => {});

	$c->given_activity($_) for @orders;
	$c->do('INSERT INTO work_order (ntt_id, order_no) SELECT ?,'
	    . ' CONCAT("WO-", seq) FROM seq_1_to_1000', $busy);
	for (
		[ '500 links with 2,000 emoji each', sub {
			$c->post('/ticket/ctt/link/bulk', {
				remark => $FACE x 2000, items => [ map { {
				cttId => $_, nttId => $ntt } } @emoji ] }) } ],
		[ '500 links to an NTT with 1,000 work orders', sub {
			$c->bulk(map { [ $_, $busy ] } @orders) } ],
		[ '500 resolves with a long Thai remark', sub {
			$c->post('/ticket/ctt/bulk-resolve-by-ticket-id', {
				remark => "\x{e01}" x 2000, $c->codes,
				ticketIds => \@orders }) } ],
		[ '500 unlinks with 2,000 emoji each', sub {
			$c->unlink_from($ntt, \@emoji,
				remark => $FACE x 2000) } ],
	) {
		my ($name, $ask) = @$_;
		my $r = $ask->();

		is_deeply [ $r->{status}, scalar grep { $_->{outcome} =~
			/^(?:un)?(?:linked|resolved)$/ }
			@{ $r->{json}{results} } ], [ 200, 500 ], $name
		    or diag substr $r->{raw}, 0, 300;
	}
	ok $c->quiet(60), 'the jobs are delivered';
}

# ---- an error that shows while rows are fetched ----

# Somebody else holds the last of each route's four tickets until each request
# has waited for it as long as is waited for a lock: the rows of the others are
# there already.
{
	my @changes = map { Changes::given($c, $_, 4) }
	    grep { m{/unlink$|/link/bulk$|then-link$|by-ticket-id$} }
	    Changes::routes($c);
	my $locked = $c->dir . '/locked';
	my $late = sub () { scalar grep { /event=db_error .*LOAD\w*: 1205/ }
	    $c->log_lines('pool') };
	my ($n, @answers) = $c->parallel(1 + @changes, sub ($i) {
		if ($i) {
			$c->wait_for(10, sub { -e $locked });
			return Changes::ask($c, $changes[ $i - 1 ]);
		}
		my $dbh = $c->dba;
		$dbh->begin_work;
		$dbh->do('SELECT * FROM ctt WHERE id IN (' . join(', ',
			map { $_->{tickets}[3]{id} } @changes)
			. ') FOR UPDATE');
		spew($locked, '');
		$c->wait_for(10, sub { $late->() >= @changes });
		$dbh->rollback;
		return $late->();
	});

	is $n, @changes, 'each waited longer than is waited for a lock';
	for my $ch (@changes) {
		my $r = shift @answers;

		is $r->{status}, 200, "$ch->{route}: waits for a lock"
		    or diag $r->{raw};
		is Changes::done($c, $ch), Changes::once($ch),
		    'and is done once';
	}
}

# ---- a server that takes no writes ----

sub ready () { return $c->get('/readyz', Authorization => undef) }

sub sessions () {
	return map { @$_ } $dba->selectcol_arrayref('SELECT id FROM'
	    . " information_schema.processlist WHERE user = 'ctt'");
}

# Each way to say no: what makes it so, what ends it, and whether /readyz can
# see it.
my $SIGNAL = 'CREATE TRIGGER no BEFORE INSERT ON operation FOR EACH ROW'
    . " SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO =";
for (
	[ 'read_only', 'SET GLOBAL read_only = 1', 'SET GLOBAL read_only = 0',
		1 ],
	(map { [ "error $_", "$SIGNAL $_", 'DROP TRIGGER no', 0 ] }
	    1047, 1213, 1792, 1836),
) {
	my ($name, $no, $again, $seen) = @$_;
	my @changes = map { Changes::given($c, $_, 2) } Changes::routes($c);
	my $heard = $c->heard('taas') + $c->heard('tmf') + $c->heard('nig');

	ok $c->quiet, 'no job is left';
	$dba->do($no);
	my @before = sessions();
	for my $ch (@changes) {
		my $r = Changes::ask($c, $ch);

		is $r->{status}, 503, "$name: $ch->{route}" or diag $r->{raw};
		like $r->{headers}{'retry-after'}, qr/^[1-9]/, 'come again';
		like $r->{raw}, qr/"DB_UNAVAILABLE"/, 'why';
		is Changes::done($c, $ch), '', 'nothing was begun';
	}
	if ($seen) {
		is_deeply [ @{ ready() }{qw(status)}, ready()->{json}{database} ],
		    [ 503, Cpanel::JSON::XS::false ], 'not ready';
		is $c->get("/ticket/ntt/$changes[0]{ntt}")->{status}, 200,
		    'it can be read';
		my %after = map { $_ => 1 } sessions();
		cmp_ok scalar(grep { $after{$_} } @before), '<', @before,
		    'another server is looked for';
	}
	is $c->heard('taas') + $c->heard('tmf') + $c->heard('nig'), $heard,
	    'no partner was asked';
	$dba->do($again);
	for my $ch (@changes) {
		is Changes::ask($c, $ch)->{status}, 200, 'then it is done';
		is Changes::done($c, $ch), Changes::once($ch), 'once';
	}
	is ready()->{status}, 200, 'ready';
}

# It turns read-only while the partner is asked: until the close has failed
# once, or until it is given up.
for (
	[ 'a moment', qr/CLOSE: 1290/, 200 ],
	[ 'too long', qr/close_failed/, 504 ],
) {
	my ($name, $line, $told) = @$_;
	my ($ctt, $ntt) = $c->given_ctts(1);
	my $hold = $c->rule(ticket => "C-$ctt", do => 'hold');
	my $seen = sub () { scalar grep { /$line/ } $c->log_lines('pool') };
	my $before = $seen->();

	my ($r) = $c->parallel(2, sub ($i) {
		return $c->link($ctt, $ntt) unless $i;
		my $dbh = $c->dba;
		$c->wait_for(10, sub { $c->heard('taas',
			ticket => "C-$ctt") });
		$dbh->do('SET GLOBAL read_only = 1');
		$c->sim(DELETE => "/rules/$hold");
		$c->wait_for(15, sub { $seen->() > $before });
		$dbh->do('SET GLOBAL read_only = 0');
		return {};
	});
	is $r->{status}, $told, "no writes for $name"
	    or diag $r->{raw};
	ok $c->settle, 'it settles';
	$c->agree('then both sides');
}
$c->expect(qr/close_failed.* 1290 /);

$c->agree;
$c->stop;
done_testing;
