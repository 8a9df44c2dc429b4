# Partner trouble that has a story: what is said when a partner is asked again,
# who asks, and who is not there. Every single way of not answering is in
# 31-outcomes.t.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Util qw(memory_kb);

my $c = Ctt->start(set => { CTT_PARTNER_TIMEOUT_MS => 700,
	CTT_PARTNER_CONNECT_TIMEOUT_MS => 300,
	CTT_BREAKER_FAILURES => 1000 });    # each trouble by itself
my $BEFORE = 'load_ctt:ok load_ntt:ok check_idle:ok check_not_linked:ok'
	. ' check_unlink_block:ok save_local:ok';
my %WRITES = (TAAS => 'POST', TMF => 'PATCH');

sub audit ($op) {
	return [ map { "$_->{entity_type} $_->{outcome}" } $c->rows('SELECT *'
		. ' FROM audit_log WHERE operation_id = ? ORDER BY 1, id', $op) ];
}

# ---- what the partner says when it is asked again ----

# The link is cut off; then these rules hold; then the operation's state, and
# whether nobody could prove it.
for (
	[ 'it cannot be read for a time', { source => 'TMF', applied => 1 },
		{ method => 'GET', do => 'status', status => 404, times => 2 },
		'COMPENSATED' ],
	[ 'no, and it does not know what to undo', {}, { path => '/link$',
		do => 'status', status => 409 }, 'COMPENSATED', 'assumed' ],
	[ 'no, and it had said yes', { applied => 1 }, { path => '/link$',
		do => 'status', status => 409 }, 'COMPENSATED' ],
	[ 'no, and it can be read', { source => 'TMF' }, { method => 'PATCH',
		do => 'status', status => 409 }, 'ROLLED_BACK' ],
	[ 'no, and it can be read, and had said yes', { source => 'TMF',
		applied => 1 }, { method => 'PATCH', key => '-sync', do =>
		'status', status => 409 }, 'COMPENSATED' ],
	[ 'nothing, for our token has expired', { applied => 1 }, { do =>
		'status', status => 401, times => 12 }, 'COMPENSATED' ],
	[ 'yes, and that only once nobody waits for it', {},
		{ path => '/link$', do => 'delay', ms => 1500, times => 1 },
		'COMPENSATED' ],
	[ 'yes, and the undo stumbles', { applied => 1 },
		{ path => '/unlink$', do => 'status', status => 500,
			times => 4 }, 'COMPENSATED' ],
	[ 'yes, and the undo is cut after the fact', { applied => 1 },
		{ path => '/unlink$', do => 'cut', applied => 1, times => 4 },
		'COMPENSATED' ],
	[ 'yes, and there is nothing to undo', { applied => 1 },
		{ path => '/unlink$', do => 'status', status => 404,
			applied => 1 }, 'COMPENSATED', 'assumed' ],
	[ 'yes, and the undo is refused for a time', { applied => 1 },
		{ path => '/unlink$', do => 'status', status => 400,
			times => 3 }, 'COMPENSATED' ],
) {
	my ($name, $cut, $then, $state, $assumed) = @$_;
	my $source = delete $cut->{source} // 'TAAS';
	my ($ctt, $ntt) = $c->given(ctt => { source => $source }, ntt => {});
	my $rule = $c->rule(ticket => "C-$ctt", method => $WRITES{$source},
		do => 'cut', %$cut);
	my $op = $c->link($ctt, $ntt)->{json}{operationId};

	$c->rule(ticket => "C-$ctt", %$then);
	$c->sim(DELETE => "/rules/$rule");
	ok $c->settle, "asked again: $name";
	is_deeply [ @{ $c->row(operation => $op) }{qw(state assumed)} ],
	    [ $state, $assumed ? 1 : 0 ], join ', ', $state, $assumed // ();
	is scalar($c->get("/ticket/operation/$op")->{raw} =~ /it is assumed/),
	    $assumed ? 1 : '', 'as its trace says';
	is_deeply audit($op), [ "CTT $state", "NTT $state" ],
	    'one set of audit rows';
	is $c->trace($op), "$BEFORE sync_partner:unknown rollback:ok"
	    . ' write_audit:ok', 'and the trace';
	$c->agree;
}
$c->no_rules;

# ---- an answer without an end is not kept ----

# The most memory that a process of the pool ever had, in kB.
sub most_memory () {
	return (sort { $b <=> $a } map { memory_kb($_, 'VmHWM') }
		$c->pids('pool'))[0];
}

{
	my ($ctt, $ntt) = $c->given(ctt => { source => 'TMF' }, ntt => {});
	my $before = most_memory();

	$c->rule(ticket => "C-$ctt", method => 'PATCH', do => 'oversize',
	    applied => 1, bytes => 64 << 20);
	is $c->link($ctt, $ntt)->{status}, 200, 'a yes of 64 MiB, looked at';
	cmp_ok most_memory(), '<', $before + 16 * 1024, 'is not kept';
	$c->no_rules;
}

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
    nig_url => 'http://127.0.0.1:1', set => { CTT_PARTNER_TIMEOUT_MS => 2500 });

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
	# (a clock that is being set can be off by half a thousandth)
	cmp_ok $second->{at} - $first->{at}, '>=', 0.999, 'has it';
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

	my $cpe = $c->given(ctt => { segment_group => 'Managed Services' });
	$c->given_element($cpe);
	$r = $c->update_cpe($cpe, { manufacturer => 'ZTE', model => 'F660',
		ipAddress => '10.1.1.1', bandwidthMbps => 1, port => '1' });
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome settled)} ],
	    [ 502, 'refused', 1 ], 'nor of what is written unread';
	$c->do("DELETE FROM ctt WHERE id = $ctt");    # is at no partner
}

$c->stop;
done_testing;
