# A database server that is not set up as cttd would like it: its own settings,
# and what its init_connect does to each session.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Test::More;
use Time::HiRes qw(sleep time);

my $c = Ctt->start(pool => 3, set => { CTT_UNLINK_BLOCK_TTL => 0 });
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

	$dba->do("SET GLOBAL $_") for @globals;
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
	s/=.*/= DEFAULT/s, $dba->do("SET GLOBAL $_") for @globals;
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

# The last of four is held by somebody else for longer than a lock is waited
# for: the rows of the others are there already.
for my $route (grep { m{/unlink$|/link/bulk$|then-link$|by-ticket-id$} }
    Changes::routes($c)) {
	my $ch = Changes::given($c, $route, 4);
	my $last = $ch->{tickets}[3]{id};

	my ($r) = $c->parallel(2, sub ($i) {
		if ($i) {
			my $dbh = $c->dba;
			$dbh->begin_work;
			$dbh->do("SELECT * FROM ctt WHERE id = $last FOR UPDATE");
			sleep 4.5;
			$dbh->rollback;
			return {};
		}
		sleep 0.3;
		return Changes::ask($c, $ch);
	});
	is $r->{status}, 200, "$route: waits for a lock" or diag $r->{raw};
	is Changes::done($c, $ch), Changes::once($ch), 'and is done once';
}
ok scalar(grep { /event=db_error .*LOAD\w*: 1205/ } $c->log_lines('pool')),
    'for longer than a lock is waited for';

$c->agree;
$c->stop;
done_testing;
