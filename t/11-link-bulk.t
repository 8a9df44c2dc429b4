# POST /ticket/ctt/link/bulk: each item is the manual link, and no item's
# failure touches another.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start;
my $NOBODY = Ctt::NOBODY;

# "linked", or the code of what failed.
# ---- all succeed ----

{
	my ($c1, $c2, $c3, $ntt) = $c->given(ctt => {}, ctt => { source => 'TMF' },
		ctt => {}, ntt => {});
	my $r = $c->post('/ticket/ctt/link/bulk', { remark => 'all of them',
		items => [ { cttId => $c2, nttId => $ntt },
			{ cttId => "C-$c1", nttId => "N-$ntt", remark => 'mine' },
			{ cttId => $c3, nttId => "N-$ntt", remark => '' } ] });

	is_deeply $c->counters($r), [ 200, 3, 3, 0 ], 'all succeed';
	is $r->{headers}{'content-type'}, 'application/json', 'is JSON';
	is_deeply [ map { [ @$_{qw(index cttId nttId outcome remark)} ] }
		@{ $r->{json}{results} } ],
	    [ [ 0, $c2, $ntt, 'linked', 'all of them' ],
		[ 1, $c1, $ntt, 'linked', 'mine' ],
		[ 2, $c3, $ntt, 'linked', 'all of them' ] ],
	    'in the order of the items; an item\'s remark wins';
	is_deeply [ map { $_->{cttTicketNo} } @{ $r->{json}{results} } ],
	    [ "C-$c2", "C-$c1", "C-$c3" ], 'with the ticket numbers';

	my @ops = map { $_->{operationId} } @{ $r->{json}{results} };
	is_deeply [ map { $c->row(operation => $_)->{ctt_id} } @ops ],
	    [ $c2, $c1, $c3 ], 'each with an operation of its own';
	is_deeply [ map { $_->{body}{remark} }
		map { $c->heard('taas', ticket => "C-$_") } $c1, $c3 ],
	    [ 'mine', 'all of them' ], 'the partner hears the remark';
	is $c->row(ntt => $ntt)->{ctt_count}, 3, 'all are counted';
	my $list = $c->get('/ticket/operation?requestId='
	    . $r->{headers}{'x-request-id'})->{json};
	is_deeply $list->{counts}, { SUCCEEDED => 3 }, 'and found by request';
}

# ---- each gate, as one item among good ones ----

$c->do(q{CREATE TRIGGER refuse BEFORE UPDATE ON ctt FOR EACH ROW
	IF NEW.title = 'refuse' AND NEW.ntt_id IS NOT NULL
	THEN SIGNAL SQLSTATE '45000'; END IF});
my ($other) = $c->given(ntt => {});

sub planted ($kind, $state, $ctt, $ntt) {
	$c->plant_owner;
	$c->given(operation => { id => "\L$kind\E-$ctt", kind => $kind,
		state => $state, ctt_id => $ctt, ntt_id => $ntt,
		actor => 'x', owner => 'some-body' });
}

# name, the bad CTT's columns, what else is the case and the pair, the code,
# members of its error beside code and detail.
my @BAD = (
	[ 'no such CTT', {}, sub ($, $ntt) { ($NOBODY, $ntt) },
		'CTT_NOT_FOUND' ],
	[ 'no such NTT', {}, sub ($ctt, $) { ($ctt, 'N-none') },
		'NTT_NOT_FOUND' ],
	[ 'an operation under way', {}, sub ($ctt, $ntt) {
		planted('LINK', 'RUNNING', $ctt, $ntt); ($ctt, $ntt) },
		'OPERATION_IN_PROGRESS', 'openOperationId', 'retryAfter' ],
	[ 'linked already', { linked => $other }, undef,
		'CTT_ALREADY_LINKED', 'nttId', 'nttTicketNo' ],
	[ 'blocked', {}, sub ($ctt, $ntt) {
		planted('UNLINK', 'SUCCEEDED', $ctt, $ntt); ($ctt, $ntt) },
		'UNLINK_BLOCKED', 'retryAfter' ],
	[ 'refused by the database', { title => 'refuse' }, undef,
		'DB_SAVE_FAILED', 'rolledBack', 'settled' ],
	[ 'refused by TaaS', {}, sub ($ctt, $ntt) {
		$c->rule(ticket => "C-$ctt", do => 'status', status => 400);
		($ctt, $ntt) },
		'EXTERNAL_SYNC_FAILED', 'partner', 'partnerOutcome',
		'partnerStatus', 'rolledBack', 'settled' ],
	[ 'refused by TMF', { source => 'TMF' }, sub ($ctt, $ntt) {
		$c->rule(ticket => "C-$ctt", do => 'status', status => 404);
		($ctt, $ntt) },
		'EXTERNAL_SYNC_FAILED', 'partner', 'partnerOutcome',
		'partnerStatus', 'rolledBack', 'settled' ],
);

for (@BAD) {
	my ($name, $columns, $case, $code, @members) = @$_;
	my ($c1, $bad, $c2, $c3, $ntt) = $c->given(ctt => {}, ctt => $columns,
		ctt => { source => 'TMF' }, ctt => {}, ntt => {});
	my $before = $c->row(ctt => $bad);
	my @pair = $case ? $case->($bad, $ntt) : ($bad, $ntt);

	my $r = $c->bulk([ $c1, $ntt ], \@pair, [ $c2, $ntt ], [ $c3, $ntt ]);
	is_deeply $c->counters($r), [ 207, 4, 3, 1 ], "$name: the others succeed";
	is_deeply $c->outcomes($r), [ 'linked', $code, 'linked', 'linked' ], $code;
	my %error = %{ $r->{json}{results}[1]{error} };
	like delete $error{detail}, qr/^[A-Z].{10,}\.$/s, 'says why';
	is_deeply [ sort keys %error ], [ sort 'code', @members ],
	    'and what the error needs';
	ok $r->{json}{results}[1]{operationId}, 'has an operation';

	delete @$_{qw(updated_at)} for $before, my $after = $c->row(ctt => $bad);
	is_deeply $after, $before, 'it is as it was';
	is $c->row(ntt => $ntt)->{ctt_count}, 3, 'and not counted';
	is $c->one("SELECT COUNT(*) FROM audit_log WHERE outcome = 'SUCCESS'"
	    . " AND entity_type = 'NTT' AND entity_id = ?", $ntt), 3,
	    'three successes at the NTT';

	my $alone = $c->bulk(\@pair);
	is_deeply $c->counters($alone), [ 422, 1, 0, 1 ], 'and alone';
	is_deeply [ $alone->{json}{code}, @{ $c->outcomes($alone) } ],
	    [ 'BULK_ALL_FAILED', $code ], 'all that there was has failed';
	is $alone->{headers}{'content-type'}, 'application/problem+json',
	    'which is a problem';
	$c->do("DELETE FROM operation WHERE actor = 'x'");
}

# ---- many bad ones, among them two that the database refuses ----

{
	my ($ntt) = $c->given(ntt => {});
	my @items = map { [ $c->given(ctt => $_ % 7 == 3
		? { title => 'refuse' } : {}), $ntt ] } 0 .. 19;
	my $r = $c->bulk(@items);

	is_deeply $c->outcomes($r), [ map { $_ % 7 == 3 ? 'DB_SAVE_FAILED'
		: 'linked' } 0 .. 19 ], 'the refused ones fail, and only they';
	is_deeply [ map { $_->{cttId} } @{ $r->{json}{results} } ],
	    [ map { $_->[0] } @items ], 'all in their order';
	is $c->row(ntt => $ntt)->{ctt_count}, 17, 'the others are counted';
}

# ---- two items of one CTT run in their order ----

for (
	[ 'by one name', sub ($ctt) { ($ctt, $ctt) } ],
	[ 'by both names', sub ($ctt) { ("C-$ctt", $ctt) } ],
) {
	my ($name, $both) = @$_;
	my ($ctt, $c2, $n1, $n2) = $c->given(ctt => {}, ctt => {}, ntt => {},
		ntt => {});
	my ($first, $second) = $both->($ctt);
	my $r = $c->bulk([ $first, $n2 ], [ $c2, $n1 ], [ $second, $n1 ]);

	is_deeply $c->outcomes($r), [ 'linked', 'linked', 'CTT_ALREADY_LINKED' ],
	    "one CTT twice, $name: the first one wins";
	is $r->{json}{results}[2]{error}{nttId}, $n2, 'and is named';
	is $c->row(ctt => $ctt)->{ntt_id}, $n2, 'and stays';
}

{
	my ($ctt, $n1, $n2) = $c->given(ctt => {}, ntt => {}, ntt => {});

	$c->rule(ticket => "C-$ctt", times => 1, do => 'status', status => 422);
	is_deeply $c->outcomes($c->bulk([ $ctt, $n1 ], [ $ctt, $n2 ])),
	    [ 'EXTERNAL_SYNC_FAILED', 'linked' ],
	    'where the first one fails, the second has its turn';
	is $c->row(ctt => $ctt)->{ntt_id}, $n2, 'and wins';
}

# ---- fields ----

my $good = { cttId => 1, nttId => 1 };
my @FIELDS = (
	[ 'nothing', {}, 'items' ],
	[ 'no array', { items => {} }, 'items' ],
	[ 'no item', { items => [] }, 'items' ],
	[ '501 items', { items => [ ($good) x 501 ] }, 'items' ],
	[ 'of the whole', { remark => 1, dryRun => 1, items => [ 0, $good ] },
		'dryRun', 'remark' ],
);

for (@FIELDS) {
	my ($name, $body, @fields) = @$_;
	my $r = $c->post('/ticket/ctt/link/bulk', $body);

	is_deeply [ $r->{status}, $r->{json}{code},
		map { $_->{field} } @{ $r->{json}{errors} } ],
	    [ 422, 'VALIDATION_FAILED', @fields ], "fields: $name";
}

# ---- the largest ----

{
	my @ctts = $c->given_ctts(500);
	my $ntt = pop @ctts;
	my $r = $c->bulk(map { [ $_, $ntt ] } @ctts);

	is_deeply $c->counters($r), [ 200, 500, 500, 0 ], '500 items';
	is $c->row(ntt => $ntt)->{ctt_count}, 500, 'all counted';
}

ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
