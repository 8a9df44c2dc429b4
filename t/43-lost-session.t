# A process whose database session is lost while it has work in hand, a close
# that is refused or tried again, and partners that say what is no UTF-8.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Test::More;
use Time::HiRes qw(sleep);

my $c = Ctt->start(pool => 6, set => { CTT_PARTNER_TIMEOUT_MS => 3000,
	CTT_SYNC_CONCURRENCY => 8, CTT_UNLINK_BLOCK_TTL => 0 });
my $n = 0;

plan skip_all => 'this build has no fault points' unless $c->faults;
$c->expect(qr/event=close_failed/);

sub a_key () { return ('Idempotency-Key' => 'key-' . ++$n) }

sub problem ($r) { return [ $r->{status}, $r->{json}{code} ] }

# The operations of a CTT in their order: "UNLINK 7 SUCCEEDED".
sub operations ($ctt) {
	return [ $c->column("SELECT CONCAT_WS(' ', kind, ntt_id, state) FROM"
	    . " operation WHERE ctt_id = ? AND actor <> 'x' ORDER BY seq",
	    $ctt) ];
}

# What $ask is answered if its session is lost after the partner was asked,
# and $meanwhile is done before it goes on.
sub cut_off ($ask, $meanwhile) {
	$c->fault('after-sync', 'delay', ms => 1500);
	my ($r, $cut) = $c->parallel(2, sub ($i) {
		return $ask->() unless $i;
		$c->wait_for(5, sub { !-e $c->dir . '/fault' });
		my $n = $c->cut_sessions;
		$meanwhile->();
		return $n;
	});
	cmp_ok $cut, '>', 0, 'its session is lost';
	return $r;
}

# ---- "not sent" is no word of a process that has lost its session ----

{
	my ($ctt, $ntt) = $c->given_ctts(1);

	ok $c->stack('stop', 'sim'), 'no partner is there';
	my $r = cut_off(sub { $c->link($ctt, $ntt) }, sub {
		$c->stack('start', 'sim');
		$c->sim(PUT => '/latency', { taas => 2000 });
	});
	ok $c->settle, 'the recovery sends it, and it settles';
	$c->sim(PUT => '/latency', { taas => 0 });
	isnt $r->{status}, 500, 'there is an answer';
	$c->agree('not sent, and sent then: both sides');
}

# ---- what recovery cannot do it leaves alone, and goes on ----

{
	my ($ctt, $ntt) = $c->given_ctts(1);
	my @worker = $c->pids('worker');
	my %open = (state => 'RUNNING', ntt_id => $ntt, actor => 'x');

	$c->given(operation => { id => 'later', kind => 'MERGE',
		ctt_id => $ctt, %open }, operation => { id => 'gone',
		kind => 'LINK', ctt_id => 4711, %open });
	ok $c->wait_for(10, sub {
		($c->row(operation => 'gone')->{last_error} // '')
		    =~ /does not exist any more/;
	}), 'an operation of a CTT that is gone says why it is open';
	is_deeply problem($c->link($ctt, $ntt)),
	    [ 409, 'OPERATION_IN_PROGRESS' ],
	    'one of a kind that a later version knows holds its CTT';
	is_deeply [ map { $c->row(operation => $_)->{state} } qw(later gone) ],
	    [ 'RUNNING', 'RUNNING' ], 'both stay open';
	is_deeply [ $c->pids('worker') ], \@worker, 'and the worker lives';
	$c->unplant;
}

# ---- a yes that is known is not asked for again ----

{
	my ($ctt, $ntt) = $c->given_ctts(1);

	$c->rule(ticket => "C-$ctt", do => 'cut', applied => 1, times => 3);
	$c->fault('before-undo', 'kill');
	is $c->link($ctt, $ntt)->{status}, 502, 'a link of which nobody knows';
	ok $c->settle, 'settles, though who was about to undo it was killed';
	ok $c->fault_fired, 'as it was';
	is scalar $c->heard('taas', status => 200,
	    path => "/taas/tickets/C-$ctt/link"), 1, 'one yes is enough';
	$c->no_rules;
	$c->agree;
}

# ---- the recovery finishes it, and the process finds it closed ----

{
	my @routes = grep { !m{link/bulk|by-ticket} } Changes::routes($c);

	for my $route (@routes) {
		my $ch = Changes::given($c, $route, 1);
		my $r = cut_off(sub { Changes::ask($c, $ch) },
		    sub { $c->settle });
		if ($route =~ m{link$} && $route !~ /then/) {
			is $r->{status}, 200, "$route: done" or diag $r->{raw};
		} else {
			ok $r->{raw} =~ /"NO_ANSWER"/ || $r->{status} == 200,
			    "$route: done, or nobody knows" or diag $r->{raw};
		}
		is $r->{json}{ntt}{cttCount}, 1, 'it is counted'
		    if $route =~ m{/link$};
		unlike $r->{raw}, qr/"code":""|"detail":null|\(null\)/,
		    'no answer without words';
		is Changes::done($c, $ch), Changes::once($ch), 'done once';
		$c->agree($route);
	}
}

# ---- a close that the database refuses ----

# What is asked of a CTT that is on the first NTT, or on none; what the
# partner does; when the database refuses, and until the answer is there only;
# and the operations that remain.
for (
	[ 'the unlink of a move', 'move', undef, q{BEFORE INSERT ON job
			FOR EACH ROW IF NEW.type = 'update-unlinked-ctt'}, 0,
		sub ($from, $) { "UNLINK $from COMPENSATED" } ],
	[ 'the link of a move that cannot be begun', 'move', undef,
		q{BEFORE INSERT ON operation FOR EACH ROW
			IF NEW.kind = 'LINK' AND NEW.state = 'RUNNING'}, 0,
		sub ($from, $) { "UNLINK $from COMPENSATED" } ],
	[ 'the link of a move that is refused', 'move',
		{ do => 'status', status => 409, path => '/link$' },
		q{BEFORE UPDATE ON operation FOR EACH ROW
			IF NEW.state = 'ROLLED_BACK'}, 1, undef ],
	[ 'a link that is refused', 'link', { do => 'status', status => 409 },
		q{BEFORE UPDATE ON operation FOR EACH ROW
			IF NEW.state = 'ROLLED_BACK'}, 1,
		sub ($, $to) { "LINK $to ROLLED_BACK" } ],
) {
	my ($name, $what, $rule, $when, $once, $end) = @$_;
	my ($from, $to) = $c->given(ntt => {}, ntt => {});
	my $ctt = $c->given(ctt => {
		$what eq 'move' ? (linked => $from) : () });

	$c->rule(ticket => "C-$ctt", says => "N-$to", %$rule) if $rule;
	$c->do("CREATE TRIGGER refuse $when"
	    . " THEN SIGNAL SQLSTATE '45000'; END IF");
	my $r = $what eq 'move' ? $c->move_to($to, [$ctt])
	    : $c->link($ctt, $to);
	$c->do('DROP TRIGGER refuse') if $once;
	unlike $r->{raw}, qr/"code":""|"detail":null|\(null\)|accepted the/,
	    "$name: told what is true";
	like $r->{raw}, qr/"DB_SAVE_FAILED"/, 'the database refused';
	ok $c->settle, 'it settles';
	$c->do('DROP TRIGGER refuse') unless $once;
	is_deeply operations($ctt), [ $end->($from, $to) ], 'and its end'
	    if $end;
	is $c->one('SELECT COUNT(*) FROM operation WHERE ctt_id = ? AND id = ?',
	    $ctt, $_), 1, 'what the answer names is there'
	    for $r->{raw} =~ /"operationId":"([^"]+)"/g;
	$c->no_rules;
	$c->agree($name);
}

is_deeply [ $c->column('SELECT b.type FROM operation o JOIN job b'
	. " ON b.dedupe_key LIKE CONCAT(o.id, ':%')"
	. " WHERE o.state <> 'SUCCEEDED'") ], [], 'no job of what failed';

# ---- what is no UTF-8 ----

for my $source (qw(TAAS TMF)) {
	for my $text ("caf\xe9", "\xff" x 500, '{"error":"' . "\xe9\xfc" . '"}') {
		my ($ctt, $ntt) = $c->given_ctts(1, source => $source);

		$c->rule(ticket => "C-$ctt", do => 'status', status => 409,
		    raw => $text, method => $source eq 'TAAS'
		    ? 'POST' : 'PATCH');
		my $r = $c->link($ctt, $ntt);
		is_deeply problem($r), [ 502, 'EXTERNAL_SYNC_FAILED' ],
		    "$source refuses in Latin-1" or diag $r->{raw};
		is $c->one('SELECT state FROM operation WHERE ctt_id = ?',
		    $ctt), 'ROLLED_BACK', 'it is closed';
		$c->no_rules;
		is $c->link($ctt, $ntt)->{status}, 200, 'and can be linked';
	}
}
$c->agree('after that, both sides');

# ---- answers from the journal ----

{
	my ($ctt, $ntt) = $c->given_ctts(1);
	my @key = a_key();
	my $ask = sub { $c->post('/ticket/ctt/link',
		{ cttId => $ctt, nttId => $ntt }, @key) };

	$c->plant_busy($ctt);
	$c->fault('after-intent', 'kill');
	is_deeply problem($ask->()), [ 502, 'NO_ANSWER' ],
	    'one that was refused as busy is killed';
	$c->unplant;
	is_deeply problem($ask->()), [ 409, 'OPERATION_IN_PROGRESS' ],
	    'it is told so from the journal when that is over';
	is $ask->()->{status}, 200, 'which is not remembered: then it is done';
}

{
	my ($from, $to) = $c->given(ntt => {}, ntt => {});
	my ($there, $here) = $c->given(ctt => { linked => $to },
	    ctt => { linked => $from });
	my @key = a_key();
	my $ask = sub { $c->post('/ticket/ctt/unlink-then-link',
		{ ticketNo => $to, cttIds => [$there] }, @key) };

	$c->fault('after-intent', 'kill');
	is_deeply problem($ask->()), [ 502, 'NO_ANSWER' ],
	    'a move to where it is, killed';
	my $r = $ask->();
	is_deeply [ $r->{status}, $r->{json}{alreadyOnTarget}, $c->outcomes($r) ],
	    [ 200, 1, ['already-on-target'] ], 'is told as it was'
	    or diag $r->{raw};
	$c->do('DELETE FROM idempotency');
}

# ---- a partner that is busy, for one of two ----

{
	my ($ntt) = $c->given(ntt => {});
	$c->restart_pool(1, CTT_THREADS => 6);    # half of them for TaaS
	my ($tmf, $taas, @others) = $c->given(
		ctt => { source => 'TMF', linked => $ntt },
		ctt => { linked => $ntt }, map { (ctt => {}) } 1 .. 3);
	my @key = a_key();
	my $ask = sub { $c->post('/ticket/ctt/unlink',
		{ nttId => $ntt, cttIds => [ $tmf, $taas ] }, @key) };

	$c->sim(PUT => '/latency', { taas => 2000 });
	my @r = $c->parallel(4, sub ($i) {
		return $c->link($others[$i], $ntt) if $i < 3;
		sleep 1.3;    # until all of them wait
		return $ask->();
	});
	$c->sim(PUT => '/latency', { taas => 0 });
	is_deeply problem($r[3]), [ 503, 'PARTNER_BUSY' ], 'busy for one of two'
	    or diag $r[3]{raw};
	like $r[3]{headers}{'retry-after'}, qr/^[1-9]/, 'come again';
	is $ask->()->{status}, 200, 'and it is done then, by the same key';
	ok $c->settle(10), 'what was cut short is settled';
	$c->agree;
	$c->restart_pool(6, CTT_THREADS => 1);
}

# ---- a mass move while the partner fails ----

{
	my ($from, $to) = $c->given(ntt => {}, ntt => {});
	my @ctts = $c->given(map { (ctt => { linked => $from }) } 1 .. 30);

	$c->rule(partner => 'taas', path => '/link$', says => "N-$to\"",
	    do => 'status', status => 503);
	my $r = $c->move_to($to, \@ctts);
	isnt $r->{status}, 200, 'the target is refused by its trouble';
	$c->no_rules;
	ok $c->settle(30), 'it settles';
	is $c->one('SELECT COUNT(*) FROM ctt WHERE ntt_id IN (?, ?)', $from,
	    $to), 30, 'each is on one of the two';
	$c->agree;
}

ok $c->quiet, 'all jobs are delivered';
$c->stop;
done_testing;
