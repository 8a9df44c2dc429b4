# PUT /ticket/ctt/activity-status/update/:activityId and the two bulks: a CTT
# is resolved, here and at the partner that its number names. There is no way
# back from it: where nobody knows, it is driven on until the partner says.

use v5.36;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start(pool => 8, set => { CTT_PARTNER_TIMEOUT_MS => 700 });
my $NOBODY = Ctt::NOBODY;
my @GATES = map { "$_:ok" } qw(load_activity check_not_terminal check_idle
	check_status check_codes);
my %CODES = $c->codes;
my $n = 0;

# A CTT with an activity; its route is in its number.
sub given_ctt ($route, %columns) {
	my $no = $route eq 'TAAS' ? 'X-TaaS-' . ++$n : 'taas-' . ++$n;
	my $ctt = $c->given(ctt => { ticket_no => $no, source => 'TMF',
		external_sync => $route eq 'LOCAL' ? 0 : 1, %columns });
	my $activity = $c->given_activity($ctt, type => 'Field Visit');

	return ($ctt, $activity, $no);
}

sub activities ($ctt) {
	return $c->rows('SELECT a.*, n.id note_id, n.text, n.author FROM'
	    . ' ctt_activity a LEFT JOIN activity_note n'
	    . ' ON n.activity_id = a.id WHERE a.ctt_id = ? AND a.type IN'
	    . " ('UCC Verification', 'Field Visit') AND a.status = 'Resolved'"
	    . ' ORDER BY a.id', $ctt);
}

# ---- it works ----

my %TYPE = (TAAS => 'UCC Verification', TMF => 'Field Visit',
	LOCAL => 'Field Visit');

sub taas_heard ($no, $r, $codes, $) {
	my ($call, @more) = $c->heard('taas', ticket => $no, method => 'PUT');

	is @more, 0, 'TaaS heard it once';
	$c->is_call($call, $r, $r->{json}{operationId}, method => 'PUT',
	    path => "/taas/tickets/$no/status", body => { status => 'Resolved',
		activityType => 'UCC Verification', delayReason => undef,
		%$codes, actor => 'olga' });
}

sub tmf_heard ($no, $r, $codes, $remark) {
	my ($patch, @more) = $c->heard('tmf', ticket => $no, method => 'PATCH');
	my %body = %{ $patch->{body} };

	is @more, 0, 'TMF heard it once';
	$c->is_call($patch, $r, $r->{json}{operationId}, method => 'PATCH',
	    path => "/tmf/troubleTicket/$no");
	is_deeply [ @body{qw(status statusChangeReason)} ], [ 'resolved',
		join(', ', grep { defined } @$codes{qw(causeCode disposition
			resolutionCode delayReason)}) ], 'with the reason';
	like $body{resolutionDate}, qr/^\d{4}-\d\d-\d\dT[\d:.]{8,12}Z$/, 'when';
	is_deeply [ map { $_->{text} } @{ $body{note} // [] } ],
	    [ $remark // () ], 'and the remark as a note';
}

sub nobody_heard ($no, @) {
	is_deeply [ map { $c->heard($_, ticket => $no) } qw(taas tmf) ], [],
	    'no partner heard of it';
}

my %HEARD = (TAAS => \&taas_heard, TMF => \&tmf_heard,
	LOCAL => \&nobody_heard);

sub rows_are_right ($r, $route, $ctt, $codes, $remark, $ntt) {
	my $op = $r->{json}{operationId};
	my $row = $c->row(ctt => $ctt);
	my ($activity, @more) = activities($ctt);
	my $payload = $c->payload($r, $op, $ctt, $ntt);

	is $row->{status}, 'Resolved', 'the CTT is resolved';
	ok $row->{resolved_at}, 'at a time';
	is_deeply [ @$activity{qw(type status created_by cause_code disposition
		resolution_code delay_reason text author)}, @more ],
	    [ $TYPE{$route}, 'Resolved', 'olga', @$codes{qw(causeCode
		disposition resolutionCode delayReason)}, $remark,
		$remark && 'olga' ], 'one new activity, and its note';
	$c->is_journalled($op, 'RESOLVE', $route eq 'LOCAL' ? undef : $route,
	    join(' ', @GATES, $route eq 'LOCAL' ? 'sync_partner:skipped'
		: 'sync_partner:ok', 'save_activity:ok', 'enqueue_jobs:ok',
		'add_note:' . ($remark ? 'ok' : 'skipped'), 'write_audit:ok'),
	    "CTT $ctt", $ntt ? "NTT $ntt" : ());
	is_deeply $c->jobs($op), { 'update-resolved-ctt' => $payload,
		$remark && $route eq 'TAAS' ? ('sync-note-to-taas' => { %$payload,
			text => $remark, author => 'olga' }) : () }, 'its jobs';
	return $activity;
}

for my $route (qw(TAAS TMF LOCAL)) {
	for my $full (0, 1) {
		my $remark = $full ? "spliced,\t\"all\" good" : undef;
		my $ntt = $full ? scalar $c->given(ntt => {}) : undef;
		my ($ctt, $activity, $no) = given_ctt($route,
		    $full ? (linked => $ntt) : ());
		my %codes = (%CODES, delayReason => $full ? 'WEATHER' : undef);

		my $r = $c->resolve($activity, $full ? $no : $ctt, %codes,
		    status => $full ? 'rEsOlVeD' : 'RESOLVED',
		    $full ? (remark => $remark) : ());
		is $r->{status}, 200, "$route: resolved" or diag $r->{raw};
		my $made = rows_are_right($r, $route, $ctt, \%codes, $remark,
		    $ntt);
		is_deeply $r->{json}, {
			operationId => $r->{json}{operationId},
			ctt => { id => $ctt, ticketNo => $no,
				status => 'Resolved', source => 'TMF',
				nttId => $ntt, nttTicketNo => $ntt && "N-$ntt",
				linkState => $ntt ? 'linked' : 'none' },
			activity => { id => $made->{id}, type => $TYPE{$route},
				status => 'Resolved', %codes },
			$full ? (note => { id => $made->{note_id},
				text => $remark }) : (),
		}, 'the answer, and no more';
		$HEARD{$route}->($no, $r, \%codes, $remark);
		next unless $full && $route eq 'TAAS';

		ok $c->quiet, 'the jobs are delivered';
		is_deeply [ map { [ @$_{qw(path body)} ] } $c->heard('taas',
			ticket => $no, method => 'POST') ],
		    [ [ "/taas/tickets/$no/notes", { text => $remark,
			author => 'olga' } ] ], 'the note to TaaS';
		is_deeply [ map { $_->{body}{type} }
			$c->heard('queue', ticket => $no) ],
		    ['update-resolved-ctt'], 'and not to the queue';
	}
}

{
	my ($ctt, $activity, $no) = given_ctt('TMF');
	my @notes = ({ id => '1', author => 'x', date => '2026-01-01T00:00:00Z',
		text => 'theirs', '@type' => 'Note' }, { text => 'theirs too' });
	my @rels = ({ id => 'N-1', relationshipType => 'dependent' });

	$c->sim(PUT => "/ticket/tmf/$no", { note => \@notes,
		troubleTicketRelationship => \@rels });
	$c->rule(ticket => $no, method => 'PATCH', times => 1, do => 'cut',
	    applied => 1);
	is $c->resolve($activity, $ctt, remark => 'ours')->{status}, 200,
	    'a ticket with notes, and a partner that stumbles';
	my $theirs = $c->sim_state->{tmf}{$no};
	is_deeply [ @{ $theirs->{note} }[0, 1], map { $_->{text} }
		@{ $theirs->{note} }[ 2 .. $#{ $theirs->{note} } ] ],
	    [ @notes, 'ours' ], 'keeps those that are not ours; ours is once';
	is_deeply $theirs->{troubleTicketRelationship}, \@rels,
	    'so are its relationships';
}

# A status is found by its label as well, in any case; so is one of our own.
$c->do("INSERT INTO lov (type, code, label) VALUES"
    . " ('CTT_STATUS', 'DONE', 'Resolved'), ('CAUSE_CODE', 'OLD', 'Old')");
$c->do("UPDATE lov SET active = 0 WHERE code = 'OLD'");
for my $status ('done', 'Done', 'resolved') {
	my ($ctt, $activity) = given_ctt('LOCAL');
	is $c->resolve($activity, $ctt, status => $status)->{status}, 200,
	    "\"$status\" is Resolved";
}

# ---- the gates ----

# name, CTT's columns, what is asked for instead, status, code, the step that
# fails. From the terminal one on, each also fails the gates behind its own.
my %WRONG = (status => 'Open', causeCode => 'NONE');
my @REFUSED = (
	[ 'no such CTT', {}, sub ($a, $) { ($a, $NOBODY) },
		404, 'CTT_ACTIVITY_NOT_FOUND', 'load_activity' ],
	[ 'no such number', {}, sub ($a, $) { ($a, 'C-none') },
		404, 'CTT_ACTIVITY_NOT_FOUND', 'load_activity' ],
	[ 'no such activity', {}, sub ($, $ctt) { ($NOBODY, $ctt) },
		404, 'CTT_ACTIVITY_NOT_FOUND', 'load_activity' ],
	[ 'an activity of another CTT', { status => 'Closed' }, sub ($, $ctt) {
			my (undef, $other) = given_ctt('TMF');
			($other, $ctt, %WRONG) },
		404, 'CTT_ACTIVITY_NOT_FOUND', 'load_activity' ],
	[ 'not the latest activity', {}, sub ($a, $ctt) {
			$c->given_activity($ctt); ($a, $ctt) },
		404, 'CTT_ACTIVITY_NOT_FOUND', 'load_activity' ],
	(map { my $status = $_;
		[ "a CTT that is $status", { status => $status },
			sub ($a, $ctt) { $c->plant_busy($ctt); ($a, $ctt,
				%WRONG) },
			409, 'CTT_STATUS_TERMINAL', 'check_not_terminal' ]
	} qw(Closed Cancel)),
	[ 'an operation under way', {}, sub ($a, $ctt) {
			$c->plant_busy($ctt); ($a, $ctt, %WRONG) },
		409, 'OPERATION_IN_PROGRESS', 'check_idle' ],
	(map { my $status = $_;
		[ "the status \"$status\"", {}, sub ($a, $ctt) {
			($a, $ctt, %WRONG, status => $status) },
			422, 'ONLY_RESOLVED_ALLOWED', 'check_status' ]
	} 'Closed', 'in progress', 'IN_PROGRESS', 'Resolve', 'FIXED', 'x' x 64),
);

ok $c->quiet, 'all jobs are delivered';
for (@REFUSED) {
	my ($name, $columns, $case, $status, $code, $step) = @$_;
	my ($ctt, $activity) = given_ctt('TMF', %$columns);
	my @ask = $case->($activity, $ctt);
	my ($before, $calls) = ($c->tables, scalar $c->heard('tmf'));
	my $r = $c->resolve(@ask);

	$c->is_problem($r, $status, $code, $name);
	is_deeply $c->tables, $before, 'nothing was written';
	is scalar $c->heard('tmf'), $calls, 'no partner was asked';
	my $op = $r->{json}{operationId};
	is_deeply [ @{ $c->row(operation => $op) }{qw(state error_code)} ],
	    [ 'REFUSED', $code ], 'the journal has it as refused';
	is $c->trace($op), "@GATES" =~ s/\b$step:ok.*/$step:failed/r,
	    "at $step";
	$c->unplant;
}

# The codes; what is wrong with each is told.
for (
	[ 'none', { causeCode => undef, disposition => undef,
		resolutionCode => undef }, qw(causeCode disposition
		resolutionCode) ],
	[ 'one missing', { disposition => undef }, 'disposition' ],
	[ 'one unknown', { causeCode => 'NONE' }, 'causeCode' ],
	[ 'one not active', { causeCode => 'OLD' }, 'causeCode' ],
	[ 'one of another list', { resolutionCode => 'FIBER_CUT' },
		'resolutionCode' ],
	[ 'a delay reason unknown', { delayReason => 'NONE' }, 'delayReason' ],
	[ 'all wrong', { causeCode => 'a', disposition => 'b',
		resolutionCode => undef, delayReason => 'c' },
		qw(causeCode disposition resolutionCode delayReason) ],
) {
	my ($name, $codes, @fields) = @$_;
	my ($ctt, $activity) = given_ctt('TMF');
	my %all = (%CODES, %$codes);
	delete @all{ grep { !defined $all{$_} } keys %all };
	my $before = $c->tables;
	my $r = $c->put("/ticket/ctt/activity-status/update/$activity",
	    { cttId => $ctt, status => 'Resolved', %all });

	$c->is_problem($r, 422, 'RESOLUTION_CODE_INVALID', "codes: $name");
	is_deeply [ map { $_->{field} } @{ $r->{json}{errors} } ], \@fields,
	    'each is named';
	ok !grep({ !$_->{message} } @{ $r->{json}{errors} }), 'each says why';
	is_deeply $c->tables, $before, 'nothing was written';
	is $c->trace($r->{json}{operationId}), join(' ', @GATES) =~
	    s/ok$/failed/r, 'at check_codes';
}

for (
	[ 'nothing', {}, 'cttId', 'status' ],
	[ 'all wrong', { cttId => 0, status => 1, causeCode => [],
		disposition => {}, resolutionCode => "a\n",
		delayReason => 'x' x 129, remark => "\a" }, qw(cttId causeCode
		disposition resolutionCode delayReason remark status) ],
) {
	my ($name, $body, @fields) = @$_;
	my $r = $c->put('/ticket/ctt/activity-status/update/1', $body);

	is_deeply [ $r->{json}{code}, sort map { $_->{field} }
		@{ $r->{json}{errors} } ],
	    [ 'VALIDATION_FAILED', sort @fields ], "fields: $name";
}
for my $id (qw(0 x -1 1.5 9007199254740992)) {
	is $c->resolve($id, 1)->{status}, 404, "/$id is no path";
}

# ---- the partner refuses ----

for (
	[ 'TAAS', 400 ], [ 'TAAS', 404 ], [ 'TMF', 409 ], [ 'TMF', 422 ],
) {
	my ($route, $status) = @$_;
	my ($ctt, $activity, $no) = given_ctt($route);
	my ($row, $acts) = ($c->row(ctt => $ctt), scalar activities($ctt));

	$c->rule(ticket => $no, do => 'status', status => $status,
	    method => $route eq 'TAAS' ? 'PUT' : 'PATCH');
	my $r = $c->resolve($activity, $ctt, remark => 'gone');
	$c->is_problem($r, 502, 'EXTERNAL_SYNC_FAILED', "$route refuses ($status)");
	is_deeply [ @{ $r->{json} }{qw(partner partnerOutcome partnerStatus
		settled)} ], [ $route, 'refused', $status, 1 ], 'says who';
	is_deeply $c->row(ctt => $ctt), $row, 'the CTT is as it was';
	is scalar activities($ctt), $acts, 'no activity';
	my $op = $r->{json}{operationId};
	is_deeply [ $c->jobs($op), $c->audits($op) ],
	    [ {}, ["CTT $ctt RESOLVE ROLLED_BACK"] ], 'one audit row, no job';
	is $c->trace($op), join(' ', @GATES,
	    'sync_partner:failed write_audit:ok'), 'the trace';
	$c->no_rules;
	is $c->resolve($activity, $ctt)->{status}, 200, 'try again';
}

# ---- nobody knows: it is driven on ----

for my $route (qw(TAAS TMF)) {
	my $write = $route eq 'TAAS' ? 'PUT' : 'PATCH';

	# What the partner does first, what it says in the end, the state. As
	# long as the first lasts TMF cannot be read, or it would be seen what
	# became. A no after a doubt proves nothing: TMF is looked at; TaaS says
	# it so often that it is assumed.
	for (
		[ 'cuts, then yes', { do => 'cut' }, undef, 'SUCCEEDED' ],
		[ 'cuts after the fact', { do => 'cut', applied => 1 }, undef,
			'SUCCEEDED' ],
		[ 'has an accident', { do => 'status', status => 500 },
			undef, 'SUCCEEDED' ],
		[ 'hangs, then no', { do => 'hang' }, { do => 'status',
			status => 409 }, 'ROLLED_BACK' ],
	) {
		my ($what, $first, $then, $end) = @$_;
		my ($ctt, $activity, $no) = given_ctt($route);
		my @rules = map { $c->rule(ticket => $no, %$_) }
		    { method => $write, %$first },
		    { method => 'GET', do => 'status', status => 503 },
		    { method => 'GET', do => 'delay', times => 1 };
		my $r = $c->resolve($activity, $ctt, remark => 'slow');
		my $op = $r->{json}{operationId};

		is_deeply [ $r->{status}, $r->{json}{state},
			$r->{headers}{location} ], [ 202, 'SETTLING',
			"/ticket/operation/$op" ], "$route $what: accepted"
		    or diag $r->{raw};
		is $c->get($r->{headers}{location})->{json}{state}, 'SETTLING',
		    'look there';
		is $c->row(ctt => $ctt)->{status}, 'Open', 'not resolved yet';
		is $c->get("/ticket/ctt/$ctt")->{json}{ctt}{linkState},
		    'pending', 'but pending';
		is $c->resolve($activity, $ctt)->{json}{code},
		    'OPERATION_IN_PROGRESS', 'nothing else begins';

		$c->rule(ticket => $no, method => $write, %$then) if $then;
		$c->sim(DELETE => "/rules/$_") for @rules;
		ok $c->settle, 'it settles';
		$c->no_rules;
		is_deeply [ @{ $c->row(operation => $op) }{qw(state assumed)} ],
		    [ $end, $end eq 'ROLLED_BACK' && $route eq 'TAAS' ? 1 : 0 ],
		    $end;
		is_deeply [ map { $_->{key} =~ s/^\Q$op\E-//r } grep {
			$_->{method} eq $write } $c->heard(lc $route,
			ticket => $no) ], [ ('sync') x $c->heard(lc $route,
			ticket => $no, method => $write) ],
		    'asked with one key, and never undone';
		is scalar activities($ctt), $end eq 'SUCCEEDED' ? 1 : 0,
		    'one activity, or none';
		is $c->row(ctt => $ctt)->{status}, $end eq 'SUCCEEDED'
		    ? 'Resolved' : 'Open', 'the status';
		is $c->row(operation => $op)->{error_code}, $end eq 'SUCCEEDED'
		    ? undef : 'EXTERNAL_SYNC_FAILED', 'the error';
		is_deeply [ sort keys %{ $c->jobs($op) } ],
		    $end ne 'SUCCEEDED' ? [] : [ $route eq 'TAAS'
			? 'sync-note-to-taas' : (), 'update-resolved-ctt' ],
		    'its jobs';
		is_deeply $c->audits($op), [ "CTT $ctt RESOLVE " . ($end eq
			'SUCCEEDED' ? 'SUCCESS' : $end) ], 'one audit row';
		$c->agree("$route $what: both sides");
	}
}

# ---- the database refuses ----

$c->do(q{CREATE TRIGGER refuse BEFORE INSERT ON ctt_activity FOR EACH ROW
	IF NEW.delay_reason = 'WEATHER' THEN SIGNAL SQLSTATE '45000'; END IF});
{
	my ($ctt, $activity) = given_ctt('TAAS');
	$c->expect(qr/event=close_failed/, qr/event=db_/);
	my $r = $c->resolve($activity, $ctt, delayReason => 'WEATHER');

	is_deeply [ $r->{status}, $r->{json}{state} ], [ 202, 'SETTLING' ],
	    'the partner took it, and the database does not: it goes on';
	is scalar activities($ctt), 0, 'nothing of it is here yet';
	$c->do('DROP TRIGGER refuse');
	ok $c->settle, 'until the database takes it';
	is scalar activities($ctt), 1, 'one activity';
	is $c->row(operation => $r->{json}{operationId})->{state}, 'SUCCEEDED',
	    'done';
}

SKIP: {
	skip 'this build has no fault points', 4 unless $c->faults;
	my ($ctt, $activity, $no) = given_ctt('TMF');
	my $before = $c->tables;

	$c->fault('before-intent', 'fail');
	my $r = $c->resolve($activity, $ctt);
	$c->is_problem($r, 500, 'DB_SAVE_FAILED', 'a journal that cannot be written');
	is_deeply $c->tables, $before, 'nothing was done';
	nobody_heard($no);
}

# ---- double clicks ----

for my $route (qw(TAAS TMF LOCAL)) {
	my ($ctt, $activity, $no) = given_ctt($route);
	$c->rule(ticket => $no, do => 'delay', ms => 150);
	my @r = $c->parallel(20, sub ($) { $c->resolve($activity, $ctt,
		remark => 'click') });
	my @bad = grep { $_->{status} != 200 } @r;

	is @bad, 19, "$route: of twenty clicks, one resolves";
	is_deeply [ grep { $_->{json}{code} !~
		/^(OPERATION_IN_PROGRESS|CTT_ACTIVITY_NOT_FOUND)$/ } @bad ], [],
	    'the others are told why not';
	is scalar activities($ctt), 1, 'one activity, and one note';
	is scalar(grep { $_->{applied} && $_->{method} ne 'POST' }
	    map { $c->heard($_, ticket => $no) } qw(taas tmf)),
	    $route eq 'LOCAL' ? 0 : 1, 'the partner was told once';
	$c->no_rules;
}

# ---- in bulk ----

sub counters ($r) {
	return $c->counters($r, 'skipped');
}

# The outcome of each, or the code of what failed; and its route.
sub outcomes ($r) {
	return [ map { my $o = $_->{outcome} eq 'failed' ? $_->{error}{code}
		: $_->{outcome}; $_->{route} ? "$o $_->{route}" : $o }
		@{ $r->{json}{results} } ];
}

sub bulk_items (@items) {
	return $c->post('/ticket/ctt/bulk-update-ctt-activity-status',
	    { remark => 'all', items => [ map { my ($ctt, $activity, %more) =
		@$_; { cttId => $ctt, activityId => $activity,
			status => 'Resolved', %CODES, %more } } @items ] });
}

sub bulk_tickets (@tickets) {
	return $c->post('/ticket/ctt/bulk-resolve-by-ticket-id',
	    { ticketIds => \@tickets, %CODES, remark => 'all' });
}

# Every CTT of a bulk: how it is made, what becomes of it as an item of its
# own, and as one of the tickets.
my %MAKE = (
	taas    => [ sub { given_ctt('TAAS') }, 'resolved TAAS' ],
	tmf     => [ sub { given_ctt('TMF') }, 'resolved TMF' ],
	local   => [ sub { given_ctt('LOCAL') }, 'resolved LOCAL' ],
	closed  => [ sub { given_ctt('TMF', status => 'Closed') },
		'skipped TMF' ],
	cancel  => [ sub { given_ctt('TAAS', status => 'Cancel') },
		'skipped TAAS' ],
	none    => [ sub { ($NOBODY, 1, 'none') }, 'CTT_ACTIVITY_NOT_FOUND',
		'CTT_NOT_FOUND' ],
	idle    => [ sub { (scalar $c->given(ctt => {}), 1) },
		'CTT_ACTIVITY_NOT_FOUND TMF' ],
	busy    => [ sub { my @it = given_ctt('TMF'); $c->plant_busy($it[0]);
		@it }, 'OPERATION_IN_PROGRESS TMF' ],
	refused => [ sub { my @it = given_ctt('TAAS'); $c->rule(do => 'status',
		ticket => $it[2], status => 400); @it },
		'EXTERNAL_SYNC_FAILED TAAS' ],
	unknown => [ sub { my @it = given_ctt('TMF'); $c->rule(do => 'cut',
		ticket => $it[2], method => 'PATCH', applied => 1,
		times => 4); @it }, 'pending TMF' ],
);

# status, success, failed, skipped, of these.
for (
	[ 200, 3, 0, 0, qw(taas tmf local) ],
	[ 207, 2, 3, 2, qw(closed local busy taas none cancel refused) ],
	[ 207, 1, 1, 0, qw(idle tmf) ],
	[ 207, 1, 0, 1, qw(closed taas) ],
	[ 207, 2, 1, 0, qw(tmf unknown refused) ],
	[ 207, 1, 1, 0, qw(unknown refused) ],
	[ 200, 0, 0, 2, qw(closed cancel) ],
	[ 422, 0, 2, 0, qw(none refused) ],
	[ 422, 0, 1, 2, qw(closed busy cancel) ],
) {
	my ($status, $good, $bad, $skipped, @names) = @$_;
	for my $tickets (0, 1) {
		my @its = map { [ $MAKE{$_}[0]->() ] } @names;
		my $name = ($tickets ? 'tickets' : 'items') . ": @names";
		my $r = $tickets ? bulk_tickets(map { $_->[2] // $_->[0] } @its)
		    : bulk_items(map { [ @$_[0, 1] ] } @its);

		is_deeply counters($r), [ $status, scalar @names, $good, $bad,
			$skipped ], $name or diag $r->{raw};
		is_deeply outcomes($r), [ map { $tickets && $MAKE{$_}[2]
			|| $MAKE{$_}[1] } @names ], 'each item for itself';
		is $r->{json}{code}, $status == 422 ? 'BULK_ALL_FAILED' : undef,
		    'nothing succeeded and something failed, or not';
		for my $i (grep { $names[$_] =~ /^(taas|tmf|local)$/ }
			0 .. $#names) {
			my ($ctt, undef, $no) = @{ $its[$i] };
			my ($made, @more) = activities($ctt);
			is_deeply [ @{ $r->{json}{results}[$i] }{qw(index cttId
				ticketNo activityId)}, $made->{text}, @more ],
			    [ $i, $ctt, $no, $made->{id}, 'all' ],
			    "$names[$i] has its activity and note";
		}
		ok $c->wait_for(20, sub { !$c->one('SELECT COUNT(*) FROM'
			. " operation WHERE state = 'SETTLING'") }), 'settled';
		$c->no_rules;
		is scalar(grep { scalar activities($its[$_][0]) != 1 }
			grep { $names[$_] eq 'unknown' } 0 .. $#names), 0,
		    'what was pending is done' if "@names" =~ /unknown/;
		$c->unplant;
	}
}

{
	my ($ctt, $activity) = given_ctt('LOCAL');
	my $r = bulk_items([ $ctt, $activity, status => 'Open' ],
	    ([ $ctt, $activity ]) x 3);

	is_deeply outcomes($r), [ 'ONLY_RESOLVED_ALLOWED LOCAL',
		('skipped LOCAL') x 3 ], 'a CTT has one turn';
	is scalar activities($ctt), 0, 'whatever became of that';
	$r = bulk_items([ $ctt, $activity, causeCode => 'x' ]);
	is_deeply [ map { $_->{field} } @{ $r->{json}{results}[0]{error}
		{errors} } ], ['causeCode'], 'an item says what is wrong';
	$r = bulk_items([ $ctt, $activity, remark => 'mine' ]);
	is_deeply [ map { $_->{text} } activities($ctt) ], ['mine'],
	    'an item\'s remark wins';
}

# Nobody is told twice: of a CTT that is named twice, or resolved already.
{
	my ($ctt, $activity, $no) = given_ctt('TAAS');
	my ($other) = given_ctt('TMF');
	my $results = sub ($r) {
		return [ map { $_->{error} ? "$_->{outcome} $_->{error}{code}"
			: $_->{outcome} } @{ $r->{json}{results} } ];
	};
	my $jobs = sub { $c->one('SELECT COUNT(*) FROM job WHERE payload LIKE'
		. " CONCAT('%\"cttId\":', ?, ',%')", $ctt) };
	my $r = bulk_tickets($ctt, $no, $other, " $no\x{a0}", $ctt);

	is_deeply counters($r), [ 207, 5, 2, 0, 3 ], 'three times too often';
	is_deeply $results->($r), [ 'resolved', 'skipped DUPLICATE_ITEM',
		'resolved', ('skipped DUPLICATE_ITEM') x 2 ], 'by any name';
	is scalar activities($ctt), 1, 'one activity and note';
	is $jobs->(), 2, 'one set of jobs';
	$r = bulk_tickets($no, $other);
	is_deeply [ $r->{status}, @{ $results->($r) } ], [ 200,
		('skipped CTT_ALREADY_RESOLVED') x 2 ], 'the list sent again';
	is $jobs->(), 2, 'tells nobody';
	is $c->trace($r->{json}{results}[0]{operationId}),
	    'load_activity:ok check_not_terminal:failed', 'the trace';
	my ($made) = activities($ctt);
	is_deeply outcomes(bulk_items([ $ctt, $made->{id} ])),
	    ['resolved TAAS'], 'who names the activity corrects its codes';

	# (the worker has some statements of its own)
	my $statements = sub { (($c->rows("SHOW GLOBAL STATUS LIKE"
		. " 'Com_stmt_execute'"))[0])->{Value} };
	my ($many) = given_ctt('TMF');
	my $before = $statements->();
	$r = bulk_tickets(($many) x 500);
	is_deeply counters($r), [ 207, 500, 1, 0, 499 ], '500 times one CTT';
	cmp_ok $statements->() - $before, '<', 400, 'is not as much work';
	like $_->{error}{detail}, qr/see item 0\./, 'each names the first'
	    for @{ $r->{json}{results} }[ 1, 499 ];
}

for (
	[ 'bulk-update-ctt-activity-status', {}, 'items' ],
	[ 'bulk-resolve-by-ticket-id', {}, 'ticketIds' ],
	[ 'bulk-resolve-by-ticket-id', { ticketIds => [ 1, 0, [] ],
		causeCode => 1 }, 'causeCode' ],
) {
	my ($path, $body, @fields) = @$_;
	my $r = $c->post("/ticket/ctt/$path", $body);

	is_deeply [ $r->{status}, sort map { $_->{field} }
		@{ $r->{json}{errors} } ], [ 422, sort @fields ],
	    "$path: @fields";
}

# One with wrong fields fails alone.
{
	my ($ctt, $activity) = given_ctt('TAAS');
	my ($other) = given_ctt('LOCAL');

	for (
		[ bulk_items([ $ctt, $activity ], [ undef, undef,
			causeCode => 1 ]), qw(cttId causeCode activityId) ],
		[ $c->post('/ticket/ctt/bulk-update-ctt-activity-status',
			{ items => [ 7, {} ] }), '' ],
		[ bulk_tickets($other, 0), 'ticketIds[1]' ],
	) {
		my ($r, @fields) = @$_;
		my ($bad) = grep { ($_->{error} // {})->{errors} }
		    @{ $r->{json}{results} };

		is_deeply [ $bad->{error}{code}, map { $_->{field} }
			@{ $bad->{error}{errors} } ],
		    [ 'VALIDATION_FAILED', @fields ], "alone: @fields";
	}
	is scalar activities($_), 1, 'the other one is resolved'
	    for $ctt, $other;
}

# A code is found by its label too, in any case; the code is stored and sent.
# What was not chosen is empty.
{
	$c->do("INSERT INTO lov (type, code, label) VALUES ('CAUSE_CODE',"
	    . " 'STORM', 'Stürmisch'), ('CAUSE_CODE', 'A', 'STORM'),"
	    . " ('DISPOSITION', ?, ?)", 'd' x 64, 'L' x 128);
	for (
		[ { causeCode => 'storm' }, cause_code => 'STORM' ],
		[ { causeCode => 'STORM' }, cause_code => 'STORM' ],
		[ { causeCode => 'a' }, cause_code => 'A' ],
		[ { causeCode => 'sTÜRMISCH' }, cause_code => 'STORM' ],
		[ { disposition => 'l' x 128 }, disposition => 'd' x 64 ],
		[ { delayReason => '' }, delay_reason => undef ],
		[ { delayReason => 'weather' }, delay_reason => 'WEATHER' ],
	) {
		my ($codes, $column, $want) = @$_;
		my ($ctt, $activity, $no) = given_ctt('TAAS');
		my ($field) = keys %$codes;
		my $r = $c->resolve($activity, $ctt, %$codes);

		is_deeply [ $r->{status}, $r->{json}{activity}{$field},
			(activities($ctt))[0]{$column}, ($c->heard('taas',
			ticket => $no))[0]{body}{$field} ],
		    [ 200, ($want) x 3 ], "$field " . $codes->{$field}
		    =~ s/[^ -~]/?/gr;
	}
	for my $code ('stürm', ' STORM', 'STORM ', 'Old') {
		my ($ctt, $activity) = given_ctt('TAAS');
		is $c->resolve($activity, $ctt, causeCode => $code)->{json}
		    {code}, 'RESOLUTION_CODE_INVALID', 'no such one';
	}
	my ($ctt, $activity) = given_ctt('TAAS');
	is_deeply [ map { $_->{field} } @{ $c->resolve($activity, $ctt,
		causeCode => '')->{json}{errors} } ], ['causeCode'],
	    'an empty one is not given';
}

ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;

# ---- which codes are required is set ----

for (
	[ '', [] ],
	[ 'delayReason', ['delayReason'] ],
	[ 'resolutionCode,causeCode', [ 'causeCode', 'resolutionCode' ] ],
) {
	my ($set, $missing) = @$_;
	$c = Ctt->start(pool => 1, workers => 0,
	    set => { CTT_RESOLUTION_REQUIRED => $set });
	my ($ctt, $activity) = given_ctt('TMF');
	my $r = $c->put("/ticket/ctt/activity-status/update/$activity",
	    { cttId => $ctt, status => 'Resolved' });

	is $r->{status}, @$missing ? 422 : 200, "required: $set";
	is_deeply [ map { $_->{field} } @{ $r->{json}{errors} // [] } ],
	    $missing, 'are missing';
	$c->agree;
	$c->stop;
}

done_testing;
