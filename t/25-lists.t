# Lists: what they can be asked for, page by page; which filters are wrong.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use List::Util qw(uniq);
use Test::More;

my $c = Ctt->start;
my $TIME = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

sub items ($path) {
	my $r = $c->get("/ticket/$path");

	diag $r->{raw} if $r->{status} != 200;
	return @{ $r->{json}{items} // [] };
}

# All pages of a list, by this member of each item.
sub pages ($path, $member, $limit) {
	my ($after, @all) = ('');

	while (defined $after && @all < 2000) {
		my $page = $c->get("/ticket/$path&limit=$limit$after")->{json};
		my @items = @{ $page->{items} };
		push @all, map { $_->{$member} } @items;
		die "a page of @items\n" if @items > $limit;
		$after = $page->{next} && "&after=$page->{next}";
	}
	return @all;
}

sub refused ($path, @fields) {
	my $r = $c->get("/ticket/$path");

	is_deeply [ $r->{json}{code}, uniq sort map { $_->{field} }
		@{ $r->{json}{errors} } ], [ 'VALIDATION_FAILED', sort @fields ],
	    "wrong: $path";
}

# ---- tickets ----

my @PLACES = ('2026-01-01 00:00:00.000', '2026-01-02 03:04:05.678',
	'2026-01-02 03:04:05.679', '2026-02-01 00:00:00.000');
my ($far, $nfar) = map { $_ + 100 } $c->given(ctt => {}, ntt => {});
my ($n) = $c->given(ntt => { id => $nfar + 1, ticket_no => 'NL-1',
	status => 'Odd, but so', updated_at => $PLACES[0] });
$c->given(
	ntt => { id => $nfar + 2, ticket_no => 'NL-2', status => 'Closed',
		updated_at => $PLACES[3] },
	ctt => { id => $far + 1, ticket_no => 'L-1', updated_at => $PLACES[0] },
	ctt => { id => $far + 2, ticket_no => 'L-2', linked => $n,
		status => 'Closed', updated_at => $PLACES[1] },
	ctt => { id => $far + 3, ticket_no => 'L-3', status => 'In Progress',
		updated_at => $PLACES[2] },
	ctt => { id => $far + 4, ticket_no => "\x{c5}-4", status => 'Resolved',
		linked => $n, updated_at => $PLACES[3] },
	ctt => { id => $far + 5, ticket_no => 'L%', status => 'closed',
		updated_at => $PLACES[0] });

sub numbers ($path) { return join ' ', map { $_->{ticketNo} } items($path) }

for (
	[ 'ticketNo=L-1', 'L-1' ],
	[ 'ticketNo=l-1', '' ],    # as the collation would have it
	[ 'ticketNo=L-', '' ],
	[ 'ticketNo=L%25', 'L%' ],
	[ 'ticketNo=L_1', '' ],
	[ 'ticketNo=%C3%85-4', "\x{c5}-4" ],
	[ 'ticketNo=A-4', '' ],
	[ 'ticketNo=+L-1%C2%A0', 'L-1' ],
	[ 'ticketNo=L-2&status=Closed&linked=true', 'L-2' ],
	[ 'ticketNo=L-2&status=Open', '' ],
	[ 'ticketNo=L-2&q=L', 'L-2' ],
	[ 'ticketNo=L-2&q=M', '' ],
	[ 'q=+L-', 'L-1 L-2 L-3' ],
	[ 'status=Open', 'L-1' ],
	[ 'status=open', 'L-1' ],
	[ 'status=IN_PROGRESS', 'L-3' ],
	[ 'status=in_progress', 'L-3' ],
	[ 'status=in+progress', 'L-3' ],
	[ 'status=Closed,Open', 'L-1 L-2 L%' ],
	[ 'status=Open,Closed', 'L-1 L-2 L%' ],
	[ 'status=Open,OPEN,open', 'L-1' ],
	[ 'status=Open,+In+Progress+,RESOLVED', "L-1 L-3 \x{c5}-4" ],
	[ 'status=Open,Closed&limit=2', 'L-1 L-2' ],
	[ 'status=Open,Closed&linked=false', 'L-1 L%' ],
	[ 'status=Open,Closed,Resolved&linked=true', "L-2 \x{c5}-4" ],
	[ 'status=Open,Pending&q=L-', 'L-1' ],
	[ 'status=Open,In+Progress,Pending,Resolved,Closed,Cancel',
		"L-1 L-2 L-3 \x{c5}-4 L%" ],
	[ 'updatedSince=2026-01-02T03:04:05.678Z', "L-2 L-3 \x{c5}-4" ],
	[ 'updatedSince=2026-01-02T03:04:05.6785Z', "L-2 L-3 \x{c5}-4" ],
	[ 'updatedSince=2026-01-02T03:04:05.679Z', "L-3 \x{c5}-4" ],
	[ 'updatedSince=2026-01-02T10:04:05.679%2B07:00', "L-3 \x{c5}-4" ],
	[ 'updatedSince=2026-01-01T19:04:05.679-08:00', "L-3 \x{c5}-4" ],
	[ 'updatedSince=2026-02-01T00:00:00Z', "\x{c5}-4" ],
	[ 'updatedSince=9999-12-31T23:59:59-12:00', '' ],
	[ 'updatedSince=1900-01-01T00:00:00Z', "L-1 L% L-2 L-3 \x{c5}-4" ],
	[ 'updatedSince=1900-01-01T00:00:00Z&q=L', 'L-1 L% L-2 L-3' ],
	[ 'updatedSince=2026-01-02T00:00:00Z&status=Closed,Resolved',
		"L-2 \x{c5}-4" ],
	[ 'updatedSince=2026-01-02T00:00:00Z&linked=false&q=L', 'L-3' ],
	[ 'updatedSince=2026-01-02T00:00:00Z&limit=1', 'L-2' ],
) {
	my ($query, $want) = @$_;
	is numbers("ctt?after=$far&$query"), $want, "CTTs, $query";
}

for (
	[ 'ticketNo=NL-1', 'NL-1' ], [ 'ticketNo=nl-1', '' ],
	[ 'status=Closed', 'NL-2' ], [ 'status=closed', 'NL-2' ],
	[ 'status=no+such+one', '' ],
	[ 'status=no+such+one,Closed', 'NL-2' ],
	[ 'updatedSince=2026-01-15T00:00:00Z', 'NL-2' ],
	[ 'updatedSince=2026-01-01T00:00:00Z', 'NL-1 NL-2' ],
	[ 'linked=true&updatedSince=2026-01-01T00:00:00Z', 'NL-1' ],
) {
	my ($query, $want) = @$_;
	is numbers("ntt?after=$nfar&$query"), $want, "NTTs, $query";
}

# In the order of changes each is seen once, and what is changed meanwhile comes
# again, at the end.
{
	my $since = 'updatedSince=2026-01-01T00:00:00Z';
	my @want = map { $far + $_ } 1, 5, 2, 3, 4;

	$c->do('UPDATE ctt SET updated_at = ? WHERE id <= ?', '2025-01-01',
	    $far);
	is_deeply [ pages("ctt?$since$_->[0]", 'id', $_->[1]) ], \@want,
	    "changed since, @$_" for map { my $filter = $_;
		map { [ $filter, $_ ] } 1, 2, 3, 200 }
	    '', '&q=', '&status=open,in+progress,resolved,closed';
	is_deeply [ pages("ctt?$since&q=L", 'id', $_) ], [ @want[ 0 .. 3 ] ],
	    "and by number, $_" for 1, 2;

	my $page = $c->get("/ticket/ctt?$since&limit=2")->{json};
	is $page->{next}, '2026-01-01T00:00:00.000Z-' . ($far + 5),
	    'the cursor is a time and an id';
	$c->do('UPDATE ctt SET updated_at = ? WHERE id = ?', '2026-03-01',
	    $far + 1);
	is_deeply [ map { $_->{id} } items("ctt?$since&after=$page->{next}") ],
	    [ map { $far + $_ } 2, 3, 4, 1 ], 'what was changed meanwhile';
}

# What many rows have is looked for on the way along the ids.
{
	my $many = 1100;

	$c->do('INSERT INTO ctt(ticket_no, source, status, updated_at) SELECT'
	    . " CONCAT('MANY-', seq), 'TMF', IF(seq % 2, 'Open', 'Pending'),"
	    . " '2027-01-01' FROM seq_1_to_$many");
	my @all = $c->column("SELECT id FROM ctt WHERE ticket_no LIKE 'MANY-%'"
	    . ' ORDER BY id');
	is_deeply [ map { $_->{id} } items("ctt?limit=3&after=$far&$_->[0]") ],
	    [ @all[ @{ $_->[1] } ] ], "of many: $_->[0]" for (
		[ 'q=MANY-', [ 0 .. 2 ] ],
		[ 'updatedSince=2027-01-01T00:00:00Z', [ 0 .. 2 ] ],
		[ 'updatedSince=2027-01-01T00:00:00Z&status=PENDING',
			[ 1, 3, 5 ] ],
		[ 'q=MANY-&status=Pending&linked=false', [ 1, 3, 5 ] ],
		[ "q=MANY-&status=Closed", [] ]);
	is_deeply [ pages('ctt?q=MANY-&status=open,pending', 'id', 200) ],
	    \@all, 'page by page of two statuses, each of them once';
	$c->do("DELETE FROM ctt WHERE ticket_no LIKE 'MANY-%'");
}

for my $list (qw(ctt ntt)) {
	refused("$list?$_->[0]", $_->[1]) for (
		[ 'ticketNo=', 'ticketNo' ], [ 'ticketNo=' . 'x' x 65, 'ticketNo' ],
		[ 'ticketNo=%FF', 'ticketNo' ], [ 'status=', 'status' ],
		[ 'status=Open,', 'status' ], [ 'status=,Open', 'status' ],
		[ 'status=Open,,Closed', 'status' ],
		[ 'status=' . 'x' x 33, 'status' ],
		[ 'status=' . join(',', 1 .. 9), 'status' ],
		[ 'updatedSince=', 'updatedSince' ],
		[ 'updatedSince=yesterday', 'updatedSince' ],
		[ 'updatedSince=2026-01-02', 'updatedSince' ],
		[ 'updatedSince=2026-01-02T03:04:05', 'updatedSince' ],
		[ 'updatedSince=2026-02-30T00:00:00Z', 'updatedSince' ],
		[ 'updatedSince=2026-01-02T03:04:05.Z', 'updatedSince' ],
		[ 'updatedSince=2026-01-02T03:04:05+07:00', 'updatedSince' ],
		[ 'after=2026-01-02T03:04:05.678Z-', 'after' ],
		[ 'after=2026-01-02T03:04:05.678Z-x', 'after' ],
		[ 'after=2026-13-02T03:04:05.678Z-1', 'after' ],
		[ 'after=Z-1', 'after' ], [ 'after=-1', 'after' ],
		[ 'limits=5', 'limits' ], [ 'ticketno=x', 'ticketno' ],
		[ 'Status=Open', 'Status' ], [ 'limit=1&limit=2', 'limit' ],
		[ 'q=a&q=a', 'q' ], [ 'status=Open&status=Closed', 'status' ],
		[ '%71=L', '%71' ], [ '=', '' ]);
}
refused('ctt?status=Open,Nope', 'status');
refused('ctt?status=+', 'status');
refused('ctt?limit=0&after=x&linked=2&updatedSince=x&status=,&x=1&q=%FF',
    qw(limit after linked updatedSince status x q));
refused("ntt/$n/ctts?q=L", 'q');

# ---- operations ----

{
	my ($c1, $c2, $n1, $n2) = $c->given(ctt => {}, ctt => { linked => $n },
		ntt => {}, ntt => {});
	my ($lower, $upper) = map { my $id = $_;
		$c->post('/ticket/ctt/link/bulk', { items => [
			{ cttId => $c1, nttId => $n1 },
			{ cttId => $c2, nttId => $n1 } ] },
			'X-Request-Id' => $id);
	} qw(same-name SAME-NAME);
	my @lower = map { $_->{operationId} } @{ $lower->{json}{results} };
	my @upper = map { $_->{operationId} } @{ $upper->{json}{results} };
	my $ops = sub ($query) {
		[ map { $_->{operationId} } items("operation?$query") ] };

	is_deeply $ops->('requestId=same-name'), \@lower,
	    'of a request, in their order';
	is_deeply $ops->('requestId=SAME-NAME'), \@upper,
	    'and only of this one';
	is_deeply $c->get('/ticket/operation?requestId=same-name')->{json}
	    {counts}, { SUCCEEDED => 1, REFUSED => 1 }, 'so are they counted';
	is_deeply $ops->("cttId=$c1"), [ $upper[0], $lower[0] ],
	    'of a CTT, the latest first';
	is_deeply $ops->("nttId=$n1"), [ reverse @lower, @upper ], 'of an NTT';
	is_deeply $ops->("nttId=$n2"), [], 'another has none';
	is_deeply $ops->("nttId=$n1&cttId=$c2"), [ $upper[1], $lower[1] ],
	    'of both';
	is_deeply $ops->("nttId=$n1&state=SUCCEEDED"), [ $lower[0] ],
	    'in a state';
	is_deeply $ops->('state=REFUSED&limit=2'), [ reverse @upper ],
	    'the latest in a state';
	is_deeply $ops->("requestId=same-name&state=REFUSED&cttId=$c2"),
	    [ $lower[1] ], 'all together';
	is_deeply [ sort keys %{ $c->get("/ticket/operation?cttId=$c1")
		->{json} } ], [qw(items next)], 'counts are of a request';
	$c->plant_busy($n1 + 1000, ntt_id => $n1);
	is_deeply $ops->("nttId=$n1&state=RUNNING"), [ 'busy-' . ($n1 + 1000) ],
	    'an open one of an NTT';
	$c->unplant;
}

# A client that uses one request id for ever has pages too.
{
	$c->do("INSERT INTO operation(id, kind, state, ctt_id, actor,"
	    . " request_id) SELECT CONCAT('0-many-', seq), 'LINK',"
	    . " IF(seq % 3, 'SUCCEEDED', 'REFUSED'), 700000 + seq % 7, 'x',"
	    . " 'for-ever' FROM seq_1_to_320");
	my @all = $c->column("SELECT id FROM operation WHERE request_id ="
	    . " 'for-ever' ORDER BY seq");

	is scalar(items('operation?requestId=for-ever')), 50,
	    'without a limit there are 50';
	is_deeply $c->get('/ticket/operation?requestId=for-ever')->{json}
	    {counts}, { SUCCEEDED => 214, REFUSED => 106 }, 'all are counted';
	is_deeply [ pages('operation?requestId=for-ever', 'operationId', 47) ],
	    \@all, 'page by page, each of them once';
	is_deeply [ pages('operation?cttId=700003', 'operationId', 5) ],
	    [ reverse @all[ map { $_ * 7 + 2 } 0 .. 45 ] ],
	    'those of a CTT, backwards';
	$c->unplant;
}

refused("operation?$_->[0]", @$_[ 1 .. $#$_ ]) for (
	[ '', 'requestId' ], [ 'limit=5', 'requestId' ],
	[ 'cttId=x', 'cttId' ], [ 'cttId=0', 'cttId' ], [ 'nttId=', 'nttId' ],
	[ 'nttId=9007199254740992', 'nttId' ], [ 'state=', 'state' ],
	[ 'state=running', 'state' ], [ 'state=RUNNING,SETTLING', 'state' ],
	[ 'requestId=x&limit=0', 'limit' ], [ 'requestid=x', 'requestId',
		'requestid' ],
	[ 'requestId=x&cttId=1&cttId=1', 'cttId' ]);

# ---- the audit trail ----

{
	my ($ctt, $ntt, @more) = $c->given(ctt => {}, ntt => {}, ctt => {},
		ctt => {});
	my $as = sub ($who, $body) {
		$c->post('/ticket/ctt/link', $body, Authorization => 'Bearer '
		    . $c->token(sub => $who)) };
	my $first = $as->('Anna', { cttId => $ctt, nttId => $ntt });
	my $second = $as->('anna', { cttId => $more[0], nttId => $ntt });
	my $audits = sub ($query) {
		[ map { "$_->{actor} " . ($_->{ctt} ? "C$_->{ctt}{id}"
			: "N$_->{ntt}{id}") } items("audit?$query") ] };
	my ($row) = items("audit?cttId=$ctt");

	like delete $row->{$_}, $_ eq 'id' ? qr/^\d+$/ : $TIME, "has $_"
	    for qw(id createdAt);
	is_deeply $row, { action => 'LINK', outcome => 'SUCCESS',
		actor => 'Anna', operationId => $first->{json}{operationId},
		requestId => $first->{headers}{'x-request-id'}, detail => {
			cttTicketNo => "C-$ctt", nttTicketNo => "N-$ntt",
			partner => 'TAAS', remark => undef },
		ctt => { id => $ctt, ticketNo => "C-$ctt" }, ntt => undef },
	    'a row of the trail' or diag explain $row;
	is_deeply $audits->("nttId=$ntt"), [ "anna N$ntt", "Anna N$ntt" ],
	    'of an NTT, the latest first';
	is_deeply $audits->('actor=anna'), [ "anna N$ntt", "anna C$more[0]" ],
	    'of somebody, to the letter';
	is_deeply $audits->("nttId=$ntt&actor=Anna"), [ "Anna N$ntt" ], 'both';
	is_deeply $audits->("cttId=$more[1]"), [], 'of another there are none';
	is_deeply $audits->('limit=4'), [ "anna N$ntt", "anna C$more[0]",
		"Anna N$ntt", "Anna C$ctt" ], 'of all';
}

# Times, ties, and a clock that was set back: by time, each of them once.
{
	my $day = sub ($n) { sprintf '2020-01-%02d 00:00:00.000', $n };
	my @days = (3, 1, 1, 1, 1, 2, 5, 4);
	my $i = 0;
	my @ids = $c->given(map { (audit_log => { entity_type => 'CTT',
		entity_id => 888, action => 'LINK', outcome => 'SUCCESS',
		actor => $i++ % 2 ? 'odd' : 'even', operation_id => '0-old',
		created_at => $day->($_) }) } @days);
	my $last = 'to=2020-12-31T00:00:00Z';

	is_deeply [ pages("audit?$last&from=2020-01-01T00:00:00Z", 'id', 3) ],
	    [ @ids[ 6, 7, 0, 5, 4, 3, 2, 1 ] ], 'between two times';
	is_deeply [ pages("audit?$last", 'id', $_) ],
	    [ @ids[ 6, 7, 0, 5, 4, 3, 2, 1 ] ], "pages of $_" for 1, 2, 200;
	is_deeply [ pages("audit?actor=odd&$last", 'id', 2) ],
	    [ @ids[ 7, 5, 3, 1 ] ], 'of one actor';
	is_deeply [ pages("audit?cttId=888", 'id', 3) ], [ reverse @ids ],
	    'a trail has an order of its own';
	is_deeply [ pages("audit?$_->[0]", 'id', 2) ],
	    [ @ids[ @{ $_->[1] } ] ], $_->[0] for (
		[ 'from=2020-01-04T00:00:00Z&to=2020-01-05T00:00:00Z',
			[ 6, 7 ] ],
		[ 'from=2020-01-04T00:00:00.001Z&to=2020-01-04T23:59:59.999Z',
			[] ],
		[ 'actor=even&from=2020-01-02T00:00:00Z&'
			. 'to=2020-01-31T00:00:00Z', [ 6, 0 ] ],
		[ 'cttId=888&from=2020-01-02T00:00:00Z&to=2020-01-04T00:00:00Z',
			[ 7, 5, 0 ] ],
		[ 'from=2020-01-05T00:00:00Z&to=2020-01-04T00:00:00Z', [] ]);
	$c->do("DELETE FROM audit_log WHERE operation_id = '0-old'");
}

refused("audit?$_->[0]", $_->[1]) for (
	[ 'actor=', 'actor' ], [ 'actor=' . 'x' x 129, 'actor' ],
	[ 'from=x', 'from' ], [ 'to=2026-01-01', 'to' ],
	[ 'cttId=1&nttId=1', 'nttId' ], [ 'cttId=C-1', 'cttId' ],
	[ 'after=-1', 'after' ], [ 'requestId=x', 'requestId' ]);

# ---- what was done to equipment ----

{
	my ($ctt, $other) = $c->given(
		ctt => { segment_group => 'Managed Services' }, ctt => {});
	my $element = $c->given_element($ctt);
	my %cpe = (manufacturer => 'Nokia', model => 'G',
		ipAddress => '10.1.2.3', port => '1');
	my @ops = map { $c->update_cpe($ctt, { %cpe, bandwidthMbps => $_ })
		->{json}{operationId} } 400, 500, 600;
	my ($latest, @rest) = items("ctt/$ctt/cpe-history");

	like delete $latest->{$_}, $_ eq 'id' ? qr/^\d+$/ : $TIME, "has $_"
	    for qw(id createdAt);
	is_deeply $latest, { networkElementId => $element,
		networkElement => "ONT-$ctt",
		before => { %cpe, bandwidthMbps => 500 },
		after => { %cpe, bandwidthMbps => 600 }, actor => 'olga',
		operationId => $ops[2] }, 'who changed what, and when'
	    or diag explain $latest;
	is_deeply [ pages("ctt/$ctt/cpe-history?", 'operationId', $_) ],
	    [ reverse @ops ], "the latest first, pages of $_" for 1, 2, 5;
	is_deeply [ items("ctt/$other/cpe-history") ], [], 'another has none';
	$c->is_problem($c->get('/ticket/ctt/9007199254740991/cpe-history'),
	    404, 'CTT_NOT_FOUND', 'a CTT that there is not');
	refused("ctt/$ctt/cpe-history?limit=201", 'limit');
	refused("ctt/$ctt/cpe-history?actor=x", 'actor');
}

$c->stop;
done_testing;
