# POST /ticket/ctt/unlink-then-link: CTTs move to another NTT. Whatever goes
# wrong on the way, a CTT ends on one of the two NTTs, on both sides, or on
# none of them if nobody will have it back; and the records say which.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start(pool => 4, set => { CTT_PARTNER_TIMEOUT_MS => 500 });
my $NOBODY = Ctt::NOBODY;

sub counters ($r) {
	return $c->counters($r, qw(alreadyOnTarget skippedUnlink));
}

# A CTT on one NTT that is to move to another.
sub given_move ($source, %columns) {
	my ($from, $to) = $c->given(ntt => {}, ntt => {});
	return (scalar $c->given(ctt => { source => $source, linked => $from,
		%columns }), $from, $to);
}

# Its operations, in their order: "UNLINK 7 COMPENSATED assumed".
sub operations ($ctt) {
	return [ $c->column("SELECT CONCAT_WS(' ', kind, ntt_id, state,"
	    . " IF(assumed, 'assumed', NULL)) FROM operation WHERE ctt_id = ?"
	    . " AND actor <> 'x' ORDER BY seq", $ctt) ];
}

# ---- it works ----

my $UNLINK = 'load_ctt:ok check_linked:ok check_idle:ok check_unlink_block:ok'
	. ' clear_local:ok';
my $LINK = 'load_ctt:ok load_ntt:ok check_idle:ok check_not_linked:ok'
	. ' check_unlink_block:ok save_local:ok';

for my $source (qw(TAAS TMF)) {
	for my $by (qw(id number)) {
		my ($ctt, $from, $to) = given_move($source);
		my $order = $c->given(work_order => { ntt_id => $to });
		$c->given_activity($ctt) if $by eq 'number';
		my $r = $c->move_to($by eq 'id' ? ($to, [$ctt])
		    : ("N-$to", ["C-$ctt"]), remark => 'wrong one');

		is_deeply counters($r), [ 200, 1, 1, 0, 0, 0 ],
		    "$source by $by: moved" or diag $r->{raw};
		is_deeply $r->{json}{ntt}, { id => $to, ticketNo => "N-$to",
			cttCount => 1 }, 'the target';
		my $result = $r->{json}{results}[0];
		is_deeply [ @$result{qw(index cttId outcome)} ],
		    [ 0, $ctt, 'moved' ], 'its result';
		is_deeply [ map { $c->row(ntt => $_)->{ctt_count} } $from, $to ],
		    [ 0, 1 ], 'both are counted';
		is_deeply operations($ctt), [ "UNLINK $from SUCCEEDED",
			"LINK $to SUCCEEDED" ], 'an unlink and a link';
		my @ops = @$result{qw(unlinkOperationId operationId)};
		is_deeply [ map { $c->audits($_) } @ops ],
		    [ [ "CTT $ctt UNLINK SUCCESS", "NTT $from UNLINK SUCCESS" ],
			[ "CTT $ctt LINK SUCCESS", "NTT $to LINK SUCCESS" ] ],
		    'each with its audit rows';
		is_deeply [ map { [ sort keys %{ $c->jobs($_) } ] } @ops ],
		    [ ['update-unlinked-ctt'], [ 'create-ctt-related-kci',
			'notify-work-orders', 'update-tmf-list' ] ],
		    'and jobs';
		is_deeply [ map { $_->{nttId} } map { values %{ $c->jobs($_) } }
			@ops ], [ $from, ($to) x 3 ], 'of the right NTT';
		is $c->trace($ops[0]), "$UNLINK sync_partner:ok"
		    . ' set_unlink_block:ok enqueue_jobs:ok follow_up:'
		    . ($by eq 'number' ? 'ok' : 'skipped')
		    . ' update_ctt_count:ok write_audit:ok', 'each with a trace';
		is $c->trace($ops[1]), "$LINK sync_partner:ok"
		    . ' update_ctt_count:ok enqueue_jobs:ok write_audit:ok',
		    'in its order';
		is $c->one('SELECT text FROM activity_note WHERE ctt_id = ?',
		    $ctt), $by eq 'number' ? "Unlinked from NTT N-$from: wrong"
		    . ' one' : undef, 'a follow-up where there were activities';
		like $c->block_s($ctt, $from), qr/^(59|60)$/, 'the old pair is'
		    . ' blocked';
		is_deeply [ map { $_->{status} } $c->link($ctt, $from),
			$c->move_to($from, [$ctt]) ], [ 409, 422 ], 'either way';
		$c->agree;
	}
}

# ---- each for itself ----

# How a CTT comes to the target, what becomes of it, what its calls are.
my %MAKE = (
	moved   => [ sub ($to) { (given_move('TAAS'))[0] },
		'moved', qw(unlink link) ],
	linked  => [ sub ($to) { scalar $c->given(ctt => {}) },
		'linked', 'link' ],
	already => [ sub ($to) { scalar $c->given(ctt => { linked => $to }) },
		'already-on-target' ],
	missing => [ sub ($to) { $NOBODY }, 'CTT_NOT_FOUND' ],
	busy    => [ sub ($to) { my ($ctt) = given_move('TAAS');
		$c->plant_busy($ctt, kind => 'CPE_UPDATE'); $ctt },
		'OPERATION_IN_PROGRESS' ],
	'busy on target' => [ sub ($to) { my ($ctt) = $c->given(ctt =>
		{ linked => $to }); $c->plant_busy($ctt); $ctt },
		'OPERATION_IN_PROGRESS' ],
	blocked => [ sub ($to) { my ($ctt) = given_move('TAAS');
		$c->plant_unlinked($ctt, $to); $ctt }, 'UNLINK_BLOCKED' ],
	'blocked and free' => [ sub ($to) { my ($ctt) = $c->given(ctt => {});
		$c->plant_unlinked($ctt, $to); $ctt }, 'UNLINK_BLOCKED' ],
);

for (
	[ 200, qw(already) ],
	[ 200, qw(linked already moved) ],
	[ 207, qw(missing moved), 'busy on target' ],
	[ 207, qw(busy already blocked) ],
	[ 207, sort keys %MAKE ],
	[ 422, qw(missing busy blocked), 'blocked and free' ],
) {
	my ($status, @names) = @$_;
	my $to = $c->given(ntt => {});
	my @ctts = map { $MAKE{$_}[0]->($to) } @names;
	my @rows = map { scalar $c->row(ctt => $_) } @ctts;
	my %n = (moved => 0, linked => 0, 'already-on-target' => 0);
	$n{ $MAKE{$_}[1] }++ for @names;
	my $good = $n{moved} + $n{linked} + $n{'already-on-target'};
	my $had = $c->row(ntt => $to)->{ctt_count};
	my $r = $c->move_to($to, \@ctts);

	is_deeply counters($r), [ $status, scalar @names, $good, @names - $good,
		@n{qw(already-on-target linked)} ], "@names"
	    or diag $r->{raw};
	is $r->{json}{code}, $status == 422 ? 'BULK_ALL_FAILED' : undef,
	    'a problem if nothing succeeded';
	is_deeply $c->outcomes($r), [ map { $MAKE{$_}[1] } @names ],
	    'each for itself';
	is $r->{json}{ntt}{cttCount}, $had + $n{moved} + $n{linked},
	    'the target counts them' if $r->{json}{ntt};
	is $c->row(ntt => $to)->{ctt_count}, $had + $n{moved} + $n{linked},
	    'the row too';
	for my $i (0 .. $#names) {
		my (undef, $outcome, @calls) = @{ $MAKE{ $names[$i] } };
		is_deeply [ map { $_->{path} =~ m{(\w+)$} }
			$c->heard('taas', ticket => "C-$ctts[$i]") ], \@calls,
		    "$names[$i]: the partner heard " . (@calls ? "@calls"
			: 'nothing');
		ok $r->{json}{results}[$i]{operationId}, 'has an operation';
		next if @calls;
		is_deeply scalar $c->row(ctt => $ctts[$i]), $rows[$i],
		    'as it was';
		is $c->one('SELECT COUNT(*) FROM audit_log WHERE entity_id = ?',
		    $ctts[$i]), 0, 'nothing is written of it';
	}
	$c->unplant;
}

{
	my ($ctt) = given_move('TAAS');
	my $free = $c->given(ctt => {});
	my $before = $c->tables;

	for my $target ($NOBODY, 'N-none') {
		my $r = $c->move_to($target, [ $ctt, $free, $NOBODY ]);
		is_deeply [ $r->{status}, $r->{json}{code} ],
		    [ 404, 'NTT_NOT_FOUND' ], "no target $target: of the whole";
	}
	is_deeply $c->tables, $before, 'nothing was changed';
}

# The target by the name that it has elsewhere.
for my $name (qw(ticketNo nttId)) {
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	is $c->post('/ticket/ctt/unlink-then-link', { $name => "N-$ntt ",
		cttIds => [$ctt] })->{json}{results}[0]{outcome}, 'linked', $name;
}

for (
	[ 'nothing', {}, 'ticketNo', 'cttIds' ],
	[ 'two targets', { ticketNo => 1, nttId => 1, cttIds => [1] }, 'nttId' ],
	[ 'none by that name', { nttId => 0, cttIds => [1] }, 'nttId' ],
	[ 'all wrong', { ticketNo => [], cttIds => [ 0, 1 ], remark => 1 },
		'ticketNo', 'remark' ],
) {
	my ($name, $body, @fields) = @$_;
	my $r = $c->post('/ticket/ctt/unlink-then-link', $body);

	is_deeply [ $r->{status}, map { $_->{field} } @{ $r->{json}{errors} } ],
	    [ 422, @fields ], "fields: $name";
}

# ---- a half fails ----

# The rule for one of the calls of a move.
sub half ($source, $word, $ntt) {
	return (path => "/$word\$", says => "\"N-$ntt\"") if $source eq 'TAAS';
	return (method => 'PATCH', says => $word eq 'link' ? "\"N-$ntt\"" :
	    '\[\]');
}

# What the partner does with the unlink, the link and the link back while the
# caller waits, and after that ("later"); what the caller is told: the code,
# whether it is restored; what the operations have come to in the end: U, L
# and B; of TMF, which can be looked at, where that is another ("seen"). A no
# after a doubt proves nothing: TaaS is asked for the inverse, which it may refuse
# so often that it is assumed to have nothing to undo. The CTT is on the NTT of
# the last success.
my %NO = (do => 'status', status => 400);
my %GONE = (do => 'status', status => 404);
my %CUT = (do => 'cut');
my %DONE = (do => 'cut', applied => 1);
my %BUSY = (do => 'status', status => 503, applied => 1);
my @HALVES = (
	[ 'the unlink is refused', { unlink => \%NO },
		'EXTERNAL_UNLINK_FAILED', 1, 'U ROLLED_BACK' ],
	[ 'the unlink is lost', { unlink => \%CUT },
		'EXTERNAL_UNLINK_FAILED', 0, 'U COMPENSATED' ],
	[ 'the unlink is done in silence', { unlink => \%DONE },
		'EXTERNAL_UNLINK_FAILED', 0, 'U COMPENSATED' ],
	[ 'the unlink is lost, and then refused', { unlink => \%CUT,
		later => { unlink => \%NO }, seen => ['U ROLLED_BACK'] },
		'EXTERNAL_UNLINK_FAILED', 0, 'U COMPENSATED' ],
	[ 'the link is refused', { link => \%NO },
		'EXTERNAL_SYNC_FAILED', 1,
		'U SUCCEEDED', 'L ROLLED_BACK', 'B SUCCEEDED' ],
	[ 'the link is refused, and so is the way back',
		{ link => \%NO, back => \%NO },
		'EXTERNAL_SYNC_FAILED', 0,
		'U SUCCEEDED', 'L ROLLED_BACK', 'B ROLLED_BACK' ],
	[ 'the link is refused, and the way back done in silence',
		{ link => \%NO, back => \%DONE },
		'EXTERNAL_SYNC_FAILED', 0,
		'U SUCCEEDED', 'L ROLLED_BACK', 'B SUCCEEDED' ],
	[ 'the link is refused, and the way back lost, and then refused',
		{ link => \%NO, back => \%CUT, later => { back => \%GONE },
			seen => [ 'U SUCCEEDED', 'L ROLLED_BACK',
				'B ROLLED_BACK' ] },
		'EXTERNAL_SYNC_FAILED', 0,
		'U SUCCEEDED', 'L ROLLED_BACK', 'B ROLLED_BACK assumed' ],
	[ 'the link is lost', { link => \%CUT },
		'EXTERNAL_SYNC_FAILED', 0,
		'U SUCCEEDED', 'L COMPENSATED', 'B SUCCEEDED' ],
	[ 'the link is done in an accident', { link => \%BUSY },
		'EXTERNAL_SYNC_FAILED', 0,
		'U SUCCEEDED', 'L COMPENSATED', 'B SUCCEEDED' ],
	[ 'the link is lost, and then refused', { link => \%CUT,
		later => { link => \%NO }, seen => [ 'U SUCCEEDED',
			'L ROLLED_BACK', 'B SUCCEEDED' ] },
		'EXTERNAL_SYNC_FAILED', 0,
		'U SUCCEEDED', 'L COMPENSATED assumed', 'B SUCCEEDED' ],
	[ 'the link is lost, and then the way back refused',
		{ link => \%CUT, later => { back => \%NO } },
		'EXTERNAL_SYNC_FAILED', 0,
		'U SUCCEEDED', 'L COMPENSATED', 'B ROLLED_BACK' ],
);

sub rules ($source, $ctt, $from, $to, $halves) {
	my %of = (unlink => [ 'unlink', $from ], link => [ 'link', $to ],
		back => [ 'link', $from ]);
	return map { $c->rule(ticket => "C-$ctt", half($source, @{ $of{$_} }),
		%{ $halves->{$_} }) } grep { $halves->{$_} } sort keys %of;
}

sub ends ($ctt, $from, $to, @end) {
	my %name = (U => "UNLINK $from", L => "LINK $to", B => "LINK $from");

	is_deeply operations($ctt), [ map { s/^([ULB])/$name{$1}/r } @end ],
	    'the records say what became';
	my ($last) = reverse grep { /SUCCEEDED/ } 'B SUCCEEDED', @end;
	is $c->row(ctt => $ctt)->{ntt_id} // 0, { U => 0, L => $to, B => $from }
	    ->{ substr $last, 0, 1 }, 'and that is where it is';
	for my $op ($c->rows('SELECT * FROM operation WHERE ctt_id = ?', $ctt)) {
		my $state = $op->{state} eq 'SUCCEEDED' ? 'SUCCESS'
		    : $op->{state};
		is_deeply [ $c->audits($op->{id}), scalar keys %{ $c->jobs(
			$op->{id}) } ], [ [ map { "$_ $op->{kind} $state" }
			"CTT $ctt", "NTT $op->{ntt_id}" ], $state ne 'SUCCESS'
			? 0 : $op->{kind} eq 'LINK' ? 2 : 1 ],
		    "one set of all for $op->{kind}";
	}
}

for my $source (qw(TAAS TMF)) {
	for (@HALVES) {
		my ($name, $halves, $code, $restored, @end) = @$_;
		my ($ctt, $from, $to) = given_move($source);
		my @rules = rules($source, $ctt, $from, $to, $halves);
		@end = @{ $halves->{seen} }
		    if $halves->{seen} && $source eq 'TMF';
		my $r = $c->move_to($to, [$ctt]);

		is_deeply [ @{ counters($r) }[ 0 .. 3 ], $r->{json}{code} ],
		    [ 422, 1, 0, 1, 'BULK_ALL_FAILED' ], "$source: $name"
		    or diag $r->{raw};
		my $error = $r->{json}{results}[0]{error};
		is_deeply [ $error->{code}, $error->{partner},
			$error->{restored} ? 1 : 0 ],
		    [ $code, $source, $restored ], 'the caller is told so';
		rules($source, $ctt, $from, $to, $halves->{later} // {});
		$c->sim(DELETE => "/rules/$_") for @rules;
		ok $c->settle, 'it settles';
		$c->no_rules;
		ends($ctt, $from, $to, @end);
		$c->agree("$source: $name: both sides");

		# Where it is back, or never left, it can be tried again.
		next if @end > 1 && $end[-1] ne 'B SUCCEEDED';
		is_deeply [ map { $c->block_s($ctt, $_) } $from, $to ], [ 0, 0 ],
		    'no block is left';
		is $c->post('/ticket/ctt/unlink?dryRun=true',
		    { nttId => $from, cttIds => [$ctt] })->{status}, 200,
		    'nor by the journal';
		is $c->move_to($to, [$ctt])->{json}{success}, 1,
		    'it is moved now';
	}
}

# A no that says nothing of the link does not end the way back, however often it
# comes: an operator does.
{
	my ($ctt, $from, $to) = given_move('TAAS');
	my $tries = sub { $c->one('SELECT tries FROM operation WHERE ctt_id = ?'
		. " AND state = 'SETTLING'", $ctt) // -1 };

	my @rules = rules('TAAS', $ctt, $from, $to, { link => \%NO,
		back => \%CUT });
	$c->move_to($to, [$ctt]);
	rules('TAAS', $ctt, $from, $to, { back => \%NO });
	$c->sim(DELETE => "/rules/$_") for @rules;
	ok $c->wait_for(10, sub { $tries->() > 12 }),
	    'a way back that was lost, and is refused by a 400, stays open';
	my ($op) = $c->column('SELECT id FROM operation WHERE ctt_id = ?'
	    . " AND state = 'SETTLING'", $ctt);
	ok $c->close_by_hand($op, 'undone', 'TaaS has no link'),
	    'until it is closed by hand';
	$c->no_rules;
	ends($ctt, $from, $to, 'U SUCCEEDED', 'L ROLLED_BACK', 'B ROLLED_BACK');
	$c->agree('after that, both sides');
}

# Many at once, and one of each kind of trouble.
{
	my ($from, $to) = $c->given(ntt => {}, ntt => {});
	my @ctts = $c->given(map { (ctt => { linked => $from, source => $_ % 2
		? 'TAAS' : 'TMF' }) } 0 .. 7);
	rules('TAAS', $ctts[1], $from, $to, { unlink => \%NO });
	rules('TMF', $ctts[2], $from, $to, { link => \%NO });
	rules('TAAS', $ctts[3], $from, $to, { link => \%NO, back => \%NO });
	rules('TMF', $ctts[4], $from, $to, { link => \%DONE });
	my $r = $c->move_to($to, \@ctts);

	is_deeply counters($r), [ 207, 8, 4, 4, 0, 0 ], 'eight, and trouble';
	is_deeply [ map { $_->{error} ? $_->{error}{restored} : $_->{outcome} }
		@{ $r->{json}{results} } ], [ 'moved', 1, 1, 0, 0, 'moved',
		'moved', 'moved' ], 'each for itself';
	$c->no_rules;
	ok $c->settle, 'it settles';
	is_deeply [ map { $c->row(ntt => $_)->{ctt_count} } $from, $to ],
	    [ 3, 4 ], 'three are back, four moved, one is nowhere';
	$c->agree('after that, both sides');
}

# ---- killed between the halves ----

# The points that a move passes, each as often as there are transactions: a
# move has two, one that is linked back has three. Then the CTT's way in the
# end: that of the move, or, where the process died before it began, none.
my %SCENE = (
	plain     => [ {}, 1 ],
	restored  => [ { link => { %NO } }, 2 ],
	uncertain => [ { link => { %DONE, times => 3 } }, 1 ],
);

sub killed ($source, $scene, $point, $skip, $again) {
	my ($halves, $more) = @{ $SCENE{$scene} };
	my ($ctt, $from, $to) = given_move($source);
	my $name = "$source $scene: killed $point"
	    . ($skip ? ", $skip later" : '')
	    . ($again ? ', and the worker too' : '');

	rules($source, $ctt, $from, $to, $halves);
	$c->fault($point, 'kill', skip => $skip);
	my $r = $c->move_to($to, [$ctt]);
	is $r->{json}{code}, 'NO_ANSWER', $name if $scene eq 'plain';
	$c->fault('after-sync', 'kill') if $again && $c->fault_fired;
	ok $c->settle, "$name: it settles";
	$c->no_rules;
	$c->fault_fired if $again;
	ok $c->fault_fired, 'was killed' unless $again;

	my @done = grep { /SUCCEEDED/ } @{ operations($ctt) };
	my $on = $c->row(ctt => $ctt)->{ntt_id} // 0;
	ok $on == $from || $on == $to, 'it is on one of the two';
	ok @done == 0 && $on == $from || $done[-1] eq "LINK $on SUCCEEDED",
	    "and the records say which" or diag explain operations($ctt);
	is $on, $scene eq 'restored' ? $from : $to, 'it went on'
	    if $scene ne 'uncertain' && $point !~ /load|before-intent/;
	for my $op ($c->rows('SELECT * FROM operation WHERE ctt_id = ?', $ctt)) {
		is scalar @{ $c->audits($op->{id}) }, 2, 'one set of audit rows';
	}
	$c->agree("$name: both sides");
}

if ($c->faults) {
	for my $source (qw(TAAS TMF)) {
		killed($source, 'plain', $_, 0, 0)
		    for qw(after-load before-intent after-intent);
		for my $scene (qw(plain restored)) {
			for my $skip (0 .. $SCENE{$scene}[1]) {
				for my $again (0, 1) {
					killed($source, $scene, $_, $skip,
					    $again) for qw(after-sync
						after-close);
				}
			}
		}
		killed($source, 'uncertain', $_, 0, 0)
		    for qw(after-claim before-undo after-undo);
		killed($source, 'uncertain', $_, 1, 0)
		    for qw(after-sync after-close);
	}
}

ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
