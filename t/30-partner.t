# Partner trouble: refusals, silence, lies. The caller is told the truth at
# once, the local link is gone at once, and in the end both sides agree.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start(pool => 16, set => { CTT_PARTNER_TIMEOUT_MS => 700,
	CTT_PARTNER_CONNECT_TIMEOUT_MS => 300, CTT_PARTNER_SHARE => 100,
	CTT_BREAKER_FAILURES => 1000 });    # each trouble by itself
my $BEFORE = 'load_ctt:ok load_ntt:ok check_idle:ok check_not_linked:ok'
	. ' check_unlink_block:ok save_local:ok';
my %WRITES = (TAAS => 'POST', TMF => 'PATCH');

sub calls ($case, %more) {
	return $c->heard(lc $case->{source}, ticket => "C-$case->{ctt}", %more);
}

sub audit ($case) {
	return [ map { "$_->{entity_type} $_->{outcome}" } $c->rows('SELECT *'
		. ' FROM audit_log WHERE operation_id = ? ORDER BY 1, id',
		$case->{op}) ];
}

sub distinct (@values) {
	my %seen = map { $_ => 1 } @values;
	return keys %seen;
}

# ---- one link for each case, all at once ----

# What the partner does (for ever, unless it has `times`), and what the caller
# is told: "linked", "refused" or "unknown"; the partner's status, if any.
my @TROUBLE = (
	[ 'refuses', { do => 'status', status => 400 }, 'refused', 400 ],
	[ 'wants a login', { do => 'status', status => 401 }, 'refused', 401 ],
	[ 'knows no such ticket', { do => 'status', status => 404 },
		'refused', 404 ],
	[ 'has a conflict', { do => 'status', status => 409 }, 'refused', 409 ],
	[ 'refuses at length', { do => 'status', status => 422,
		body => { error => "\x{fc}" x 50_000 } }, 'refused', 422 ],

	[ 'has an accident', { do => 'status', status => 500 },
		'unknown', 500 ],
	[ 'has one after the fact', { do => 'status', status => 500,
		applied => 1 }, 'unknown', 500 ],
	[ 'is a broken gateway', { do => 'status', status => 502 },
		'unknown', 502 ],
	[ 'is too slow for itself', { do => 'status', status => 408 },
		'unknown', 408 ],
	[ 'is too early', { do => 'status', status => 425 }, 'unknown', 425 ],
	[ 'is overrun', { do => 'status', status => 429 }, 'unknown', 429 ],
	[ 'is overrun for long', { do => 'status', status => 503,
		headers => { 'Retry-After' => 30 } }, 'unknown', 503, 1 ],
	[ 'redirects', { do => 'redirect' }, 'unknown', 302 ],
	[ 'redirects after the fact', { do => 'redirect', applied => 1 },
		'unknown', 302 ],
	[ 'hangs', { do => 'hang' }, 'unknown', undef, 1 ],
	[ 'hangs after the fact', { do => 'hang', applied => 1 },
		'unknown', undef, 1 ],
	[ 'answers too late', { do => 'delay', ms => 900 },
		'unknown', undef, 1 ],
	[ 'cuts', { do => 'cut' }, 'unknown', undef ],
	[ 'cuts after the fact', { do => 'cut', applied => 1 },
		'unknown', undef ],
	[ 'resets after the fact', { do => 'cut', reset => 1, applied => 1 },
		'unknown', undef ],
	[ 'sends half a header', { do => 'half-header', applied => 1 },
		'unknown', undef ],
	[ 'sends half a body', { do => 'half-body', applied => 1 },
		'unknown', undef ],
	[ 'trickles', { do => 'drip', ms => 50, applied => 1 },
		'unknown', undef, 1 ],
	[ 'babbles', { do => 'garbage' }, 'unknown', undef ],
	[ 'babbles after the fact', { do => 'garbage', applied => 1 },
		'unknown', undef ],

	[ 'answers at length', { do => 'oversize', applied => 1 }, 'linked' ],
	[ 'says no more than yes', { do => 'status', status => 204,
		applied => 1 }, 'linked' ],
	(map { [ "stumbles once ($_->{do}" . ($_->{status} // '') . ')',
			{ %$_, times => 1 }, 'linked', undef, 2 ] }
		{ do => 'status', status => 500 },
		{ do => 'status', status => 503, applied => 1 },
		{ do => 'status', status => 429,
			headers => { 'Retry-After' => 0 } },
		{ do => 'cut' }, { do => 'cut', applied => 1 },
		{ do => 'cut', reset => 1, applied => 1 },
		{ do => 'half-header', applied => 1 },
		{ do => 'half-body', applied => 1 },
		{ do => 'garbage' }),
);

my @cases = map {
	my $source = $_;
	map {
		my ($name, $rule, $outcome, $status, $tries) = @$_;
		my ($ctt, $ntt) = $c->given(ctt => { source => $source },
			ntt => {});
		$c->rule(ticket => "C-$ctt", method => $WRITES{$source}, %$rule);
		{ name => "$source $name", source => $source, ctt => $ctt,
			ntt => $ntt, outcome => $outcome, status => $status,
			tries => $tries, rule => $rule };
	} @TROUBLE;
} qw(TAAS TMF);
my @answers = $c->parallel(scalar @cases, sub ($i) {
	$c->link(@{ $cases[$i] }{qw(ctt ntt)}) });

sub told_refused_or_unknown ($case, $r) {
	my $unknown = $case->{outcome} eq 'unknown';

	is_deeply [ $r->{status}, @{ $r->{json} }{qw(code partner
		partnerOutcome partnerStatus rolledBack settled)} ],
	    [ 502, 'EXTERNAL_SYNC_FAILED', $case->{source}, $case->{outcome},
		$case->{status}, 1, $unknown ? 0 : 1 ],
	    "$case->{name}: $case->{outcome}" or diag $r->{raw};
	like $r->{json}{detail}, qr/(TaaS|TMF).* rolled back/,
	    'in words that name the partner';
	is $c->row(ctt => $case->{ctt})->{ntt_id}, undef,
	    'the link is taken back at once';
	is $c->row(operation => $case->{op})->{state},
	    $unknown ? 'SETTLING' : 'ROLLED_BACK', 'the journal says it too';
	is $c->trace($case->{op}), $BEFORE . ($unknown
		? ' sync_partner:unknown rollback:ok'
		: ' sync_partner:failed rollback:ok write_audit:ok'),
	    'and the trace';
	is_deeply audit($case), $unknown ? [] : [ 'CTT ROLLED_BACK',
		'NTT ROLLED_BACK' ], 'audit rows for what is final';
}

for my $i (0 .. $#cases) {
	my ($case, $r) = ($cases[$i], $answers[$i]);
	my @link = grep { ($_->{key} // '') =~ /-sync$/ }
	    calls($case, method => $WRITES{ $case->{source} });

	$case->{op} = $r->{json}{operationId};
	if ($case->{outcome} eq 'linked') {
		is $r->{status}, 200, "$case->{name}: linked" or diag $r->{raw};
		is @link, $case->{tries} // 1, 'in so many tries';
	} else {
		told_refused_or_unknown($case, $r);
	}
	is distinct(map { $_->{key} } @link), 1, 'all with one key';
	is @link, 1, 'a refusal is not asked twice'
	    if $case->{outcome} eq 'refused';
}

# ---- the partners recover ----

$c->no_rules;
ok $c->settle, 'all is settled';
for my $case (@cases) {
	my $state = { linked => 'SUCCEEDED', refused => 'ROLLED_BACK',
		unknown => 'COMPENSATED' }->{ $case->{outcome} };
	my $outcome = $state eq 'SUCCEEDED' ? 'SUCCESS' : $state;
	my @keys = distinct(map { $_->{key} }
	    calls($case, method => $WRITES{ $case->{source} }));

	is $c->row(operation => $case->{op})->{state}, $state,
	    "$case->{name}: $state";
	is_deeply audit($case), [ "CTT $outcome", "NTT $outcome" ],
	    'one set of audit rows';
	is @keys, $state eq 'COMPENSATED' ? 2 : 1, 'the undo has another key';
	is $c->one('SELECT COUNT(*) FROM job WHERE dedupe_key LIKE ?',
	    "$case->{op}%"), $state eq 'SUCCEEDED' ? 2 : 0, 'jobs of a success';
	is $c->trace($case->{op}), "$BEFORE sync_partner:unknown rollback:ok"
	    . ' write_audit:ok', 'and the trace' if $state eq 'COMPENSATED';
}
$c->agree('once the partners are back, both sides');

# ---- what the partner says when it is asked again ----

# The link is cut off; then these rules hold; then the operation's state.
for (
	[ 'it cannot be read for a time', { source => 'TMF', applied => 1 },
		{ method => 'GET', do => 'status', status => 404, times => 2 },
		'COMPENSATED' ],
	[ 'no', {}, { path => '/link$', do => 'status', status => 409 },
		'ROLLED_BACK' ],
	[ 'yes, and the undo stumbles', { applied => 1 },
		{ path => '/unlink$', do => 'status', status => 500,
			times => 4 }, 'COMPENSATED' ],
	[ 'yes, and the undo is cut after the fact', { applied => 1 },
		{ path => '/unlink$', do => 'cut', applied => 1, times => 4 },
		'COMPENSATED' ],
	[ 'yes, and there is nothing to undo', { applied => 1 },
		{ path => '/unlink$', do => 'status', status => 404,
			applied => 1 }, 'COMPENSATED' ],
	[ 'yes, and the undo is refused for a time', { applied => 1 },
		{ path => '/unlink$', do => 'status', status => 400,
			times => 3 }, 'COMPENSATED' ],
) {
	my ($name, $cut, $then, $state) = @$_;
	my $source = delete $cut->{source} // 'TAAS';
	my ($ctt, $ntt) = $c->given(ctt => { source => $source }, ntt => {});
	my $rule = $c->rule(ticket => "C-$ctt", method => $WRITES{$source},
		do => 'cut', %$cut);
	my $op = $c->link($ctt, $ntt)->{json}{operationId};

	$c->rule(ticket => "C-$ctt", %$then);
	$c->sim(DELETE => "/rules/$rule");
	ok $c->settle, "asked again: $name";
	is $c->row(operation => $op)->{state}, $state, $state;
	is_deeply audit({ op => $op }), [ "CTT $state", "NTT $state" ],
	    'one set of audit rows';
	$c->agree;
}

# ---- TMF cannot be read: nothing was sent, so nothing is in doubt ----

for (
	[ 'an error', { do => 'status', status => 500 }, 500 ],
	[ 'a refusal', { do => 'status', status => 404 }, 404 ],
	[ 'silence', { do => 'hang' }, undef ],
	[ 'no object', { do => 'status', status => 200, body => [] }, 200 ],
	[ 'no relationships', { do => 'status', status => 200,
		body => { troubleTicketRelationship => 'x' } }, 200 ],
	[ 'more than is read', { do => 'oversize' }, undef ],
) {
	my ($name, $rule, $status) = @$_;
	my ($ctt, $ntt) = $c->given(ctt => { source => 'TMF' }, ntt => {});

	$c->rule(ticket => "C-$ctt", method => 'GET', %$rule);
	my $r = $c->link($ctt, $ntt);
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome settled)} ],
	    [ 502, 'refused', 1 ], "reading TMF meets $name: refused";
	is scalar $c->heard('tmf', ticket => "C-$ctt", method => 'PATCH'), 0,
	    'nothing was patched';
	is $c->row(operation => $r->{json}{operationId})->{state},
	    'ROLLED_BACK', 'settled';
}
$c->no_rules;

# ---- in one bulk ----

{
	my @ctts = $c->given_ctts(5);
	my $ntt = pop @ctts;

	$c->rule(ticket => "C-$ctts[1]", do => 'status', status => 400);
	$c->rule(ticket => "C-$ctts[3]", do => 'cut', applied => 1);
	my $r = $c->bulk(map { [ $_, $ntt ] } @ctts);
	is_deeply [ $r->{status}, map { $_->{error}{partnerOutcome}
		// $_->{outcome} } @{ $r->{json}{results} } ],
	    [ 207, qw(linked refused linked unknown linked) ],
	    'each item for itself';
	$c->no_rules;
	ok $c->settle, 'settled';
	$c->agree('after a bulk, both sides');
	is $c->row(ntt => $ntt)->{ctt_count}, 3, 'three are counted';
}

ok $c->quiet, 'all jobs are delivered';
$c->stop;

# ---- with no worker: the next request for the CTT settles what is open ----

$c = Ctt->start(pool => 2, workers => 0, tmf_url => 'http://127.0.0.1:1',
    set => { CTT_PARTNER_TIMEOUT_MS => 2500 });

{
	my ($ctt, $ntt, $n2) = $c->given(ctt => {}, ntt => {}, ntt => {});

	$c->rule(ticket => "C-$ctt", do => 'cut', applied => 1);
	my $op = $c->link($ctt, $ntt)->{json}{operationId};
	my $r = $c->link($ctt, $n2);
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(code openOperationId)} ],
	    [ 409, 'OPERATION_IN_PROGRESS', $op ],
	    'while it cannot be settled, no other begins';
	like $r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'try again';
	is $c->get("/ticket/ctt/$ctt")->{json}{ctt}{linkState}, 'pending',
	    'the CTT is pending';
	like $c->cttctl('operations')->{out}, qr/\Q$op\E/,
	    'cttctl operations shows it';

	$c->no_rules;
	$r = $c->link($ctt, $n2);
	is $r->{status}, 200, 'once it can be, the next request settles it';
	is $c->row(operation => $op)->{state}, 'COMPENSATED', 'by undoing it';
	is_deeply [ map { $_->{path} =~ m{/(\w+)$} } grep { $_->{applied} }
		$c->heard('taas', ticket => "C-$ctt") ],
	    [ qw(link unlink link) ], 'and then goes on itself';
	$c->agree;
}

# ---- Retry-After is honoured, where there is time ----

{
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});

	$c->rule(ticket => "C-$ctt", times => 1, do => 'status', status => 503,
	    headers => { 'Retry-After' => 1 });
	is $c->link($ctt, $ntt)->{status}, 200, 'a partner that asks for time';
	my ($first, $second) = $c->heard('taas', ticket => "C-$ctt");
	cmp_ok $second->{at} - $first->{at}, '>=', 1, 'has it';
}

# ---- a partner that is not there ----

{
	my ($ctt, $taas, $ntt) = $c->given(ctt => { source => 'TMF' },
	    ctt => {}, ntt => {});
	my $r = $c->link($ctt, $ntt);

	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
		partnerStatus rolledBack settled)} ],
	    [ 502, 'refused', undef, 1, 1 ],
	    'no connection: nothing was sent, nothing is in doubt';
	is $c->trace($r->{json}{operationId}), "$BEFORE sync_partner:failed"
	    . ' rollback:ok write_audit:ok', 'says the trace';
	is $c->link($taas, $ntt)->{status}, 200, 'the other one is';
	$c->do("DELETE FROM ctt WHERE id = $ctt");    # is at no partner
}

$c->stop;
done_testing;
