# POST /ticket/ctt/unlink and /unlink/bulk: CTTs are taken off their NTT, here
# and at their partners, or nothing happens and the answer says why. The pair
# is blocked for a moment afterwards.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use IO::Socket::IP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(free_port);

my $c = Ctt->start(set => { CTT_PARTNER_TIMEOUT_MS => 700 });
my $BEFORE = 'load_ctt:ok check_linked:ok check_idle:ok check_unlink_block:ok'
	. ' clear_local:ok';
my $NOBODY = Ctt::NOBODY;

# An NTT with CTTs of both partners, in turn.
sub given_linked ($n, @columns) {
	my $ntt = $c->given(ntt => {});
	my @ctts = $c->given(map { (ctt => { linked => $ntt, source => $_ % 2
		? 'TAAS' : 'TMF', %{ $columns[ $_ - 1 ] // {} } }) } 1 .. $n);
	return ($ntt, @ctts);
}

# ---- it works ----

sub rows_are_right ($r, $op, $ctt, $ntt, $active, $remark) {
	my $row = $c->row(operation => $op);

	is_deeply [ @{ $c->row(ctt => $ctt) }{qw(ntt_id ntt_ticket_no)} ],
	    [ undef, undef ], 'the row is not linked any more';
	is_deeply [ @$row{qw(ctt_id ntt_id)} ], [ $ctt, $ntt ],
	    'the operation names both';
	$c->is_journalled($op, 'UNLINK', $c->row(ctt => $ctt)->{source},
	    "$BEFORE sync_partner:ok set_unlink_block:ok"
	    . ' enqueue_jobs:ok follow_up:' . ($active ? 'ok' : 'skipped')
	    . ' update_ctt_count:ok write_audit:ok', "CTT $ctt", "NTT $ntt");
	is_deeply $c->jobs($op), { 'update-unlinked-ctt' =>
		$c->payload($r, $op, $ctt, $ntt) }, 'one job';
	is_deeply [ map { [ @$_{qw(type status created_by text author)} ] }
		$c->rows('SELECT a.*, n.text, n.author FROM ctt_activity a'
		. ' LEFT JOIN activity_note n ON n.activity_id = a.id'
		. ' AND n.ctt_id = a.ctt_id WHERE a.ctt_id = ? AND'
		. " a.type <> 'Created'", $ctt) ],
	    $active ? [ [ 'Follow Up', 'Pending', 'olga', "Unlinked from NTT"
		. " N-$ntt" . ($remark ? ": $remark" : ''), 'olga' ] ] : [],
	    $active ? 'a follow-up with its note' : 'no follow-up';
	like $c->block_s($ctt, $ntt), qr/^(59|60)$/,
	    'memcached blocks the pair for a minute';
}

sub taas_heard ($ctt, $r, $op, $ntt, $remark) {
	my ($call, @more) = $c->heard('taas', ticket => "C-$ctt");

	is @more, 0, 'TaaS heard it once';
	$c->is_call($call, $r, $op, method => 'POST',
	    path => "/taas/tickets/C-$ctt/unlink", body => {
		nttTicketNo => "N-$ntt", remark => $remark, actor => 'olga' });
}

sub tmf_heard ($ctt, $r, $op, $, $) {
	my ($get, $patch, @more) = $c->heard('tmf', ticket => "C-$ctt");
	my $path = "/tmf/troubleTicket/C-$ctt";

	is_deeply [ @$get{qw(method path)}, scalar @more ], [ 'GET',
		"$path?fields=troubleTicketRelationship", 0 ],
	    'TMF was read, then patched';
	$c->is_call($patch, $r, $op, method => 'PATCH', path => $path,
	    body => { troubleTicketRelationship => [] });
}

# Of one CTT and of many, by id and by number, with and without a remark; every
# third CTT has an activity.
for (
	[ 'TaaS, by id', 1, 'id' ],
	[ 'TMF, by number', 1, 'number', undef, { source => 'TMF' } ],
	[ 'both partners, by id', 5, 'id', "cut,\tnear \"Köln\"\n" ],
	[ 'both partners, by number', 4, 'number', 'fixed' ],
) {
	my ($name, $n, $by, $remark, @columns) = @$_;
	my ($ntt, @ctts) = given_linked($n, map { { status => 'Pending',
		%{ $columns[ $_ - 1 ] // {} } } } 1 .. $n);
	my ($stays) = $c->given(ctt => { linked => $ntt });
	$c->given_activity($ctts[$_]) for grep { $_ % 3 == 0 } 0 .. $#ctts;
	note $name;

	my $r = $c->unlink_from($by eq 'id' ? ($ntt, \@ctts)
	    : ("N-$ntt", [ map { "C-$_" } @ctts ]),
	    defined $remark ? (remark => $remark) : ());
	is $r->{status}, 200, "$name: unlinked" or diag $r->{raw};
	is_deeply $r->{json}{ntt}, { id => $ntt, ticketNo => "N-$ntt",
		cttCount => 1 }, 'the NTT has one less for each';
	is_deeply [ map { [ @$_{qw(cttId outcome)} ] }
		@{ $r->{json}{results} } ], [ map { [ $_, 'unlinked' ] } @ctts ],
	    'each CTT in its order';
	is $c->row(ntt => $ntt)->{ctt_count}, 1, 'so has the row';
	is $c->row(ctt => $stays)->{ntt_id}, $ntt, 'another CTT stays';

	for my $i (0 .. $#ctts) {
		my $op = $r->{json}{results}[$i]{operationId};
		my $heard = $c->row(ctt => $ctts[$i])->{source} eq 'TAAS'
		    ? \&taas_heard : \&tmf_heard;
		rows_are_right($r, $op, $ctts[$i], $ntt, $i % 3 == 0, $remark);
		$heard->($ctts[$i], $r, $op, $ntt, $remark);
	}
}

{
	my ($ntt, $ctt) = given_linked(1, { source => 'TMF' });
	my @others = ({ id => 'N-1', relationshipType => 'dependent',
		href => 'http://x/1', '@type' => 'Ref' },
		{ id => 'OTHER', relationshipType => 'isChild' },
		{ id => "N-$ntt", relationshipType => 'dependent' });

	$c->sim(PUT => "/ticket/tmf/C-$ctt", { troubleTicketRelationship => [
		$others[0], { id => "N-$ntt", relationshipType => 'isChild' },
		@others[1, 2] ] });
	is $c->unlink_from($ntt, [$ctt])->{status}, 200,
	    'a ticket with relationships';
	is_deeply $c->sim_state->{tmf}{"C-$ctt"}{troubleTicketRelationship},
	    \@others, 'keeps those that are not ours, as they are';
}

{
	my ($ntt, $ctt) = given_linked(1);

	$c->do('UPDATE ntt SET ctt_count = 0 WHERE id = ?', $ntt);
	is $c->unlink_from($ntt, [$ctt])->{json}{ntt}{cttCount}, 0,
	    'a count that was wrong is never below 0';
	is $c->row(ntt => $ntt)->{ctt_count}, 0, 'nor in the row';
}

# ---- all or none ----

# What makes a linked CTT one that is refused: its name in the request, its
# code, and the step that fails; the order is that of precedence.
my $other = $c->given(ntt => {});
my @BAD = (
	[ missing => sub ($ctt, $ntt) { $NOBODY }, 404, 'CTT_NOT_FOUND',
		'load_ctt:failed' ],
	[ unlinked => sub ($ctt, $ntt) { scalar $c->given(ctt => {}) }, 409,
		'CTT_NOT_LINKED_TO_NTT', 'load_ctt:ok check_linked:failed' ],
	[ elsewhere => sub ($ctt, $ntt) {
			scalar $c->given(ctt => { linked => $other }) }, 409,
		'CTT_NOT_LINKED_TO_NTT', 'load_ctt:ok check_linked:failed' ],
	[ blocked => sub ($ctt, $ntt) { $c->plant_unlinked($ctt, $ntt); $ctt },
		409, 'UNLINK_BLOCKED', 'load_ctt:ok check_linked:ok'
		. ' check_idle:ok check_unlink_block:failed' ],
	[ busy => sub ($ctt, $ntt) {
			$c->plant_busy($ctt, kind => 'RESOLVE'); $ctt }, 409,
		'OPERATION_IN_PROGRESS',
		'load_ctt:ok check_linked:ok check_idle:failed' ],
);

# These CTTs, good ones in front, between and behind.
sub refused ($name, @bad) {
	my ($ntt, @ctts) = given_linked(2 + @bad);
	my @asked = @ctts;
	my @want = ('NOT_ATTEMPTED') x @asked;

	for my $i (0 .. $#bad) {
		$asked[ 1 + $i ] = $bad[$i][1]->($ctts[ 1 + $i ], $ntt);
		$want[ 1 + $i ] = $bad[$i][3];
	}
	my ($first) = sort { $a->[5] <=> $b->[5] }
	    map { [ @{ $BAD[$_] }, $_ ] } grep { my $i = $_;
		grep { $BAD[$i] == $_ } @bad } 0 .. $#BAD;
	my ($before, $calls) = ($c->tables, scalar $c->heard('taas'));
	my $r = $c->unlink_from($ntt, \@asked);

	$c->is_problem($r, @$first[2, 3], $name);
	is_deeply $c->outcomes($r), \@want, 'each CTT with its own';
	is_deeply [ map { $_->{cttId} } @{ $r->{json}{results} } ], \@asked,
	    'in the order of the request';
	is_deeply $c->tables, $before, 'nothing was changed';
	is scalar $c->heard('taas'), $calls, 'no partner was asked';
	for my $i (0 .. $#bad) {
		my $op = $r->{json}{results}[ 1 + $i ]{operationId};
		is_deeply [ @{ $c->row(operation => $op) }{qw(state
			error_code)}, $c->trace($op) ], [ 'REFUSED',
			$bad[$i][3], $bad[$i][4] ], "$bad[$i][0] has its trace";
	}
	$c->unplant;
	return $r;
}

ok $c->quiet, 'all jobs are delivered';
for my $i (0 .. $#BAD) {
	my $r = refused("one that is $BAD[$i][0]", $BAD[$i]);

	like $r->{headers}{'retry-after'} // '', $BAD[$i][0] eq 'blocked'
	    ? qr/^(59|60)$/ : $BAD[$i][0] eq 'busy' ? qr/^[1-9]$/ : qr/^$/,
	    'Retry-After where there is a moment to wait for';
	refused("$BAD[$i][0] before all that follows",
	    reverse @BAD[ $i .. $#BAD ]) if $i < $#BAD;
}

for (
	[ 'no such NTT', sub (@ctts) { @ctts } ],
	[ 'neither such an NTT nor such a CTT', sub (@) { $NOBODY } ],
) {
	my ($name, $ctts) = @$_;
	my ($ntt, @ctts) = given_linked(2);
	my $before = $c->tables;

	$c->is_problem($c->unlink_from($NOBODY, [ $ctts->(@ctts) ]), 404,
	    'NTT_NOT_FOUND', $name);
	$c->is_problem($c->unlink_from('N-none', [ $ctts->(@ctts) ]), 404,
	    'NTT_NOT_FOUND', "$name by number");
	is_deeply $c->tables, $before, 'nothing was changed';
}

{
	my ($ntt, $ctt) = given_linked(1);
	my $before = $c->tables;

	isnt $c->unlink_from($ntt, [ $ctt, "C-$ctt" ])->{status}, 200,
	    'one CTT by two names';
	is_deeply $c->tables, $before, 'is no reason to change anything';
}

# ---- the database refuses ----

$c->do(q{CREATE TRIGGER refuse BEFORE UPDATE ON ctt FOR EACH ROW
	IF NEW.title = 'refuse' AND NEW.ntt_id IS NULL
	THEN SIGNAL SQLSTATE '45000'; END IF});
{
	my ($ntt, @ctts) = given_linked(3, {}, { title => 'refuse' });
	my $r = $c->unlink_from($ntt, \@ctts);

	$c->is_problem($r, 500, 'DB_SAVE_FAILED', 'a database that refuses');
	is_deeply $c->outcomes($r), [ ('DB_SAVE_FAILED') x 3 ],
	    'for one of them: all are as they were';
	is $c->trace($r->{json}{results}[1]{operationId}), $BEFORE =~
	    s/ok$/failed/r, 'says its trace';
	is $c->row(ctt => $ctts[1])->{ntt_id}, $ntt, 'it is linked';
	is $c->row(ntt => $ntt)->{ctt_count}, 3, 'and counted';
}

# ---- the partner refuses, or nobody knows ----

# What the partner does with the second of three, the outcome that the caller
# is told, and how the operation ends once the partner is well again.
for my $source (qw(TAAS TMF)) {
	for (
		[ 'refuses', { do => 'status', status => 400 },
			'refused', 'ROLLED_BACK' ],
		[ 'cuts', { do => 'cut' }, 'unknown', 'COMPENSATED' ],
		[ 'cuts after the fact', { do => 'cut', applied => 1 },
			'unknown', 'COMPENSATED' ],
		[ 'has an accident after the fact', { do => 'status',
			status => 500, applied => 1 }, 'unknown',
			'COMPENSATED' ],
	) {
		my ($what, $rule, $outcome, $end) = @$_;
		my $name = "$source $what";
		my ($ntt, @ctts) = given_linked(3, {}, { source => $source });
		my $bad = $ctts[1];

		$c->given_activity($bad);
		$c->rule(ticket => "C-$bad", %$rule, method => $source eq 'TAAS'
			? 'POST' : 'PATCH');
		my $r = $c->unlink_from($ntt, \@ctts);
		$c->is_problem($r, 502, 'EXTERNAL_UNLINK_FAILED', $name);
		is_deeply [ @{ $r->{json} }{qw(partner partnerOutcome settled)} ],
		    [ $source, $outcome, $outcome eq 'refused' ? 1 : 0 ],
		    'says who, what, and whether it is over';
		like $r->{json}{detail}, qr/(TaaS|TMF).* (rolled back|restored)/,
		    'in words';
		is_deeply [ map { $_->{outcome} } @{ $r->{json}{results} } ],
		    [ 'unlinked', 'failed', 'unlinked' ], 'each with its own';
		my $op = $r->{json}{results}[1]{operationId};
		is $c->row(ctt => $bad)->{ntt_id}, $ntt,
		    'the link is there again at once';
		is $c->row(ntt => $ntt)->{ctt_count}, 1, 'and counted';

		$c->no_rules;
		ok $c->settle, 'it settles';
		is $c->row(operation => $op)->{state}, $end, $end;
		is_deeply [ $c->audits($op), $c->jobs($op) ], [ [
			"CTT $bad UNLINK $end", "NTT $ntt UNLINK $end" ], {} ],
		    'one set of audit rows, no job';
		is $c->trace($op), "$BEFORE sync_partner:" . ($outcome eq
			'refused' ? 'failed' : 'unknown') . ' rollback:ok'
		    . ' write_audit:ok', 'the trace';
		is $c->block_s($bad, $ntt), 0, 'no block is left';
		$c->agree($name);
		is $c->unlink_from($ntt, [$bad])->{status}, 200,
		    'it can be tried again at once';
	}
}

# ---- the block ----

{
	my ($ntt, $ctt) = given_linked(1);
	my $n2 = $c->given(ntt => {});

	is $c->unlink_from($ntt, [$ctt])->{status}, 200, 'a pair is unlinked';
	for (
		[ 'link', sub { $c->link($ctt, $ntt) } ],
		[ 'link by number', sub { $c->link("C-$ctt", "N-$ntt") } ],
		[ 'link in bulk', sub { +{ %{ $c->bulk([ $ctt, $ntt ]) },
			status => 409 } } ],
	) {
		my ($name, $do) = @$_;
		my $r = $do->();
		my $error = $r->{json}{results} ? $r->{json}{results}[0]{error}
		    : $r->{json};
		is_deeply [ $r->{status}, $error->{code} ],
		    [ 409, 'UNLINK_BLOCKED' ], "$name is blocked";
		like $error->{retryAfter}, qr/^(5\d|60)$/, 'for so long';
		is $r->{headers}{'retry-after'}, $error->{retryAfter},
		    'says the header' unless $r->{json}{results};
	}
	is $c->link($ctt, $n2)->{status}, 200, 'another NTT is not blocked';

	# Linked by other means meanwhile: the unlink of the pair is blocked too.
	my ($n3, $c3) = given_linked(1);
	$c->memcached("set unlink-block:$c3-$n3 0 60 1\r\nx");
	is_deeply [ @{ $c->unlink_from($n3, [$c3])->{json} }{qw(code
		retryAfter)} ], [ 'UNLINK_BLOCKED', 60 ], 'so is unlink';
	$c->memcached("delete unlink-block:$c3-$n3");
	is $c->unlink_from($n3, [$c3])->{status}, 200,
	    'unless it has gone from memcached and the journal';
	$c->memcached("delete unlink-block:$c3-$n3");
	is $c->link($c3, $n3)->{json}{code}, 'UNLINK_BLOCKED',
	    'what memcached has lost, the journal knows';
}

# ---- in bulk ----

{
	my ($ntt, @ctts) = given_linked(4);
	my ($n2, @more) = given_linked(1, { source => 'TMF' });
	my $free = $c->given(ctt => {});

	$c->given_activity($ctts[0]);
	$c->rule(ticket => "C-$ctts[2]", do => 'status', status => 422);
	my $r = $c->post('/ticket/ctt/unlink/bulk', { remark => 'all',
		items => [ { cttId => $ctts[0], nttId => "N-$ntt" },
			{ cttId => $free, nttId => $ntt },
			{ cttId => $NOBODY, nttId => $ntt },
			{ cttId => $ctts[1], nttId => 'N-none' },
			{ cttId => $ctts[2], nttId => $ntt },
			{ cttId => $more[0], nttId => $n2, remark => 'mine' },
			{ cttId => "C-$ctts[3]", nttId => $ntt },
			{ cttId => $ctts[0], nttId => $ntt } ] });
	$c->no_rules;

	is_deeply [ $r->{status}, @{ $r->{json} }{qw(total success failed)} ],
	    [ 207, 8, 3, 5 ], 'bulk: some succeed';
	is_deeply $c->outcomes($r), [ 'unlinked', 'CTT_NOT_LINKED_TO_NTT',
		'CTT_NOT_FOUND', 'NTT_NOT_FOUND', 'EXTERNAL_UNLINK_FAILED',
		'unlinked', 'unlinked', 'CTT_NOT_LINKED_TO_NTT' ],
	    'each item for itself';
	is_deeply [ map { $_->{remark} } @{ $r->{json}{results} }[0, 5] ],
	    [ 'all', 'mine' ], 'an item\'s remark wins';
	is $c->one('SELECT text FROM activity_note WHERE ctt_id = ?', $ctts[0]),
	    "Unlinked from NTT N-$ntt: all", 'and is in the note';
	is $c->row(ntt => $ntt)->{ctt_count}, 2, 'counted';
	like $c->block_s($ctts[3], $ntt), qr/^(59|60)$/, 'and blocked';

	$r = $c->post('/ticket/ctt/unlink/bulk', { items => [
		{ cttId => $ctts[1], nttId => $ntt },
		{ cttId => $ctts[2], nttId => $ntt } ] });
	is_deeply [ $r->{status}, $c->outcomes($r) ],
	    [ 200, [ 'unlinked', 'unlinked' ] ], 'all succeed';
	$r = $c->post('/ticket/ctt/unlink/bulk', { items => [
		{ cttId => $free, nttId => $ntt } ] });
	is_deeply [ $r->{status}, $r->{json}{code}, $c->outcomes($r) ],
	    [ 422, 'BULK_ALL_FAILED', ['CTT_NOT_LINKED_TO_NTT'] ], 'none does';
}

# ---- fields ----

for (
	[ 'nothing', {}, 'nttId', 'cttIds' ],
	[ 'no array', { nttId => 1, cttIds => 1 }, 'cttIds' ],
	[ 'none', { nttId => 1, cttIds => [] }, 'cttIds' ],
	[ '501', { nttId => 1, cttIds => [ 1 .. 501 ] }, 'cttIds' ],
	[ 'one twice', { nttId => 1, cttIds => [ 1, 2, 1 ] }, 'cttIds[2]' ],
	[ 'one number twice', { nttId => 1, cttIds => [ 'a', 'a' ] },
		'cttIds[1]' ],
	[ 'all wrong', { nttId => 0, cttIds => [ 1, {}, '' ], remark => 1 },
		'nttId', 'cttIds[1]', 'cttIds[2]', 'remark' ],
) {
	my ($name, $body, @fields) = @$_;
	my $r = $c->post('/ticket/ctt/unlink', $body);

	is_deeply [ $r->{status}, $r->{json}{code},
		map { $_->{field} } @{ $r->{json}{errors} } ],
	    [ 422, 'VALIDATION_FAILED', @fields ], "fields: $name";
}

{
	my ($ntt, @ctts) = given_linked(500);
	my $r = $c->unlink_from($ntt, \@ctts);

	is_deeply [ $r->{status}, $r->{json}{ntt}{cttCount} ], [ 200, 0 ],
	    '500 at once';
}

ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;

# ---- memcached is away: one process, that it be seen what it pays ----

$c = Ctt->start(pool => 1, workers => 0);

sub away_lines () {
	return scalar grep { /event=memcached_away/ } $c->log_lines('pool');
}

# Of a run of requests, in ms. A busy machine slows most of them, and hardly
# all.
sub fastest_and_slowest (@pairs) {
	my @ms = sort { $a <=> $b } map {
		my ($ctt, $ntt) = @$_;
		my $began = time;
		is $c->unlink_from($ntt, [$ctt])->{status}, 200,
		    "CTT $ctt is unlinked";
		1000 * (time - $began);
	} @pairs;
	return @ms[ 0, -1 ];
}

for (
	[ 'is stopped', sub { $c->stack('stop', 'memcached') },
		sub { $c->stack('start', 'memcached') } ],
	[ 'does not answer', sub { kill 'STOP', $c->pid('memcached') },
		sub { kill 'CONT', $c->pid('memcached') } ],
) {
	my ($name, $stop, $start) = @$_;
	ok in_use(), 'memcached is used';
	my ($ntt, @ctts) = given_linked(22);
	my ($lines, $began) = (away_lines(), time);
	my ($usual) = fastest_and_slowest(map { [ $_, $ntt ] } @ctts[0 .. 10]);

	$stop->();
	my ($then, $slowest) =
	    fastest_and_slowest(map { [ $_, $ntt ] } @ctts[11 .. 21]);
	cmp_ok $then, '<', $usual + 50,
	    "memcached $name: not every request waits 50 ms for it";
	cmp_ok $slowest, '<', 4000, 'and none waits for seconds';
	my $told = away_lines() - $lines;
	ok $told >= 1 && $told <= 1 + (time - $began) / 5,
	    'the log says so, at most once in 5 s';
	my $r = $c->link($ctts[21], $ntt);
	is $r->{json}{code}, 'UNLINK_BLOCKED', 'the block is in the journal';
	like $r->{headers}{'retry-after'}, qr/^(5\d|60)$/, 'with its seconds';
	like $c->get('/metrics', Authorization => undef)->{raw},
	    qr/^\w*memcached_away\w*(\{.*\})? [1-9]/m, 'the metrics say so';

	$start->();
	ok in_use(), 'it is back, and is used again';
}

# An unlink is remembered: not while memcached is left alone, for 5 s after it did
# not answer within 50 ms, which a busy machine may bring about by itself.
sub in_use () {
	return $c->wait_for(60, sub {
		my ($ntt, $ctt) = given_linked(1);

		$c->unlink_from($ntt, [$ctt])->{status} == 200 or return 0;
		return $c->block_s($ctt, $ntt) =~ /^(59|60)$/;
	});
}

$c->stop;

# ---- how long the block lasts is set ----

for (
	[ 0, sub ($c, $ctt, $ntt) {
		is $c->block_s($ctt, $ntt), 0, 'memcached is not told';
		is $c->link($ctt, $ntt)->{status}, 200, '0 s: no block';
		is $c->unlink_from($ntt, [$ctt])->{status}, 200, 'either way';
	} ],
	[ 2, sub ($c, $ctt, $ntt) {
		my $r = $c->link($ctt, $ntt);
		is_deeply [ $r->{json}{code}, $r->{headers}{'retry-after'} =~
			/^[12]$/ ], [ 'UNLINK_BLOCKED', 1 ], '2 s: a block';
		sleep 2.1;
		is $c->link($ctt, $ntt)->{status}, 200, 'that ends';
	} ],
) {
	my ($ttl, $check) = @$_;
	$c = Ctt->start(pool => 2, workers => 0,
	    set => { CTT_UNLINK_BLOCK_TTL => $ttl });
	my ($ntt, $ctt) = given_linked(1);
	my $r = $c->unlink_from($ntt, [$ctt]);

	is $r->{status}, 200, "CTT_UNLINK_BLOCK_TTL=$ttl";
	like $c->trace($r->{json}{results}[0]{operationId}), $ttl
	    ? qr/set_unlink_block:ok/ : qr/set_unlink_block:skipped/,
	    'says the trace';
	$check->($c, $ctt, $ntt);
	$c->agree;
	$c->stop;
}

# ---- memcached at an IPv6 address ----

SKIP: {
	my $port = eval { free_port('::1') }
	    // skip 'this host has no IPv6', 1;
	my $pid = fork // die "fork: $!\n";
	exec qw(memcached -u root -l ::1 -p), $port or POSIX::_exit(127)
	    if !$pid;
	$c = Ctt->start(pool => 1, workers => 0,
	    set => { CTT_MEMCACHED => "[::1]:$port" });
	my ($ntt, $ctt) = given_linked(1);
	ok $c->wait_for(10, sub {
		$c->get('/readyz', Authorization => undef)->{json}{memcached} }),
	    'memcached at [::1] is reached';
	is $c->unlink_from($ntt, [$ctt])->{status}, 200, 'an unlink';
	my $socket = IO::Socket::IP->new(PeerHost => '::1', PeerPort => $port);
	print { $socket // *STDERR } "get unlink-block:$ctt-$ntt\r\n";
	like readline($socket), qr/^VALUE unlink-block/, 'it has the block';
	$c->stop;
	kill 'TERM', $pid;
	waitpid $pid, 0;
}

done_testing;
