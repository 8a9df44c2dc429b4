# Reading: tickets, lists, operations, the lists of values, and what
# monitoring asks.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start;
my $TIME = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

# As is_deeply, but a value expected to be a pattern is matched.
sub shows ($got, $want, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $key (grep { ref $want->{$_} eq 'Regexp' } keys %$want) {
		like delete $got->{$key}, delete $want->{$key}, "$name: $key";
	}
	is_deeply $got, $want, $name;
}

my ($ctt, $plain, $ntt, $empty) = $c->given(
	ctt => { title => "n\x{f8}d", segment_group => 'Managed Services' },
	ctt => { source => 'TMF', external_sync => 0, status => 'Pending' },
	ntt => { title => 'cable' }, ntt => {});
my ($order) = $c->given(work_order => { ntt_id => $ntt, status => 'Done' });
$c->given(ctt_activity => { id => 70 + $_, ctt_id => $ctt, type => 'Triage',
	status => 'Open', cause_code => "CAUSE_$_", created_by => 'kim' })
    for 1, 2;
$c->given(activity_note => { id => 80 + $_, ctt_id => $ctt,
	activity_id => 72, text => "note $_\n", author => 'kim' }) for 1, 2;
$c->given(network_element => { id => 90, ctt_id => $ctt, name => 'ont-1',
	access_type => 'FTTH', bandwidth_mbps => 1000, ip_address => '::1' });
my $linked = $c->link($ctt, $ntt, remark => 'why');
my $op = $linked->{json}{operationId};

# ---- one CTT ----

{
	my $r = $c->get("/ticket/ctt/$ctt");
	my %all = %{ $r->{json} };

	is_deeply [ $r->{status}, $r->{headers}{'content-type'} ],
	    [ 200, 'application/json' ], 'a CTT';
	is_deeply [ sort keys %all ], [ qw(activity audit ctt networkElements
		notes operation) ], 'has these parts';
	shows $all{ctt}, { id => $ctt, ticketNo => "C-$ctt", status => 'Open',
		source => 'TAAS', nttId => $ntt, nttTicketNo => "N-$ntt",
		linkState => 'linked', title => "n\x{f8}d",
		externalSync => 1, segmentGroup => 'Managed Services',
		resolvedAt => undef, createdAt => $TIME, updatedAt => $TIME },
	    'the ticket';
	shows $all{activity}, { id => 72, type => 'Triage', status => 'Open',
		causeCode => 'CAUSE_2', disposition => undef,
		resolutionCode => undef, delayReason => undef,
		createdBy => 'kim', createdAt => $TIME }, 'the latest activity';
	is_deeply [ map { [ @$_{qw(id activityId text author)} ] }
		@{ $all{notes} } ],
	    [ map { [ 80 + $_, 72, "note $_\n", 'kim' ] } 2, 1 ],
	    'the notes, newest first';
	shows $all{networkElements}[0], { id => 90, name => 'ont-1',
		accessType => 'FTTH', manufacturer => undef, model => undef,
		ipAddress => '::1', bandwidthMbps => 1000, port => undef,
		updatedAt => $TIME }, 'the network element';
	shows $all{audit}[0], { id => qr/^\d+$/, action => 'LINK',
		outcome => 'SUCCESS', actor => 'olga', operationId => $op,
		requestId => $linked->{headers}{'x-request-id'},
		createdAt => $TIME, detail => { cttTicketNo => "C-$ctt",
			nttTicketNo => "N-$ntt", partner => 'TAAS',
			remark => 'why' } }, 'the audit';
	is $all{operation}, undef, 'and no open operation';
}

{
	my $json = $c->get("/ticket/ctt/$plain")->{json};

	is_deeply [ @{ $json->{ctt} }{qw(linkState nttId externalSync)},
		@$json{qw(activity notes networkElements audit operation)} ],
	    [ 'none', undef, 0, undef, [], [], [], undef ],
	    'a CTT with nothing to it';
}

{
	$c->plant_owner;
	$c->given(operation => { id => 'busy', kind => 'LINK', actor => 'kim',
		state => 'RUNNING', ctt_id => $plain, ntt_id => $ntt,
		owner => 'some-body' });
	my $json = $c->get("/ticket/ctt/$plain")->{json};
	is $json->{ctt}{linkState}, 'pending', 'an operation is under way';
	shows $json->{operation}, { operationId => 'busy', kind => 'LINK',
		state => 'RUNNING', actor => 'kim', lastError => undef,
		createdAt => $TIME, nextTryAt => $TIME }, 'and is shown';
	$c->do("DELETE FROM operation WHERE id = 'busy'");
}

# ---- one NTT ----

{
	my $r = $c->get("/ticket/ntt/$ntt");
	my %all = %{ $r->{json} };

	is_deeply [ sort keys %all ], [ qw(audit ntt workOrders) ], 'an NTT';
	shows $all{ntt}, { id => $ntt, ticketNo => "N-$ntt", cttCount => 1,
		title => 'cable', status => 'Open', createdAt => $TIME,
		updatedAt => $TIME }, 'the ticket';
	is_deeply $all{workOrders}, [ { id => $order, orderNo => "W-$order",
		status => 'Done' } ], 'its work order';
	is_deeply [ map { "$_->{action} $_->{outcome}" } @{ $all{audit} } ],
	    [ 'LINK SUCCESS' ], 'its audit';
	is_deeply [ map { $_->{id} }
		@{ $c->get("/ticket/ntt/$ntt/ctts")->{json}{items} } ],
	    [ $ctt ], 'its CTTs';
	is_deeply $c->get("/ticket/ntt/$empty/ctts")->{json},
	    { items => [], next => undef }, 'another has none';
}

# ---- one operation ----

{
	$c->quiet;
	my $r = $c->get("/ticket/operation/$op");
	my @steps = @{ delete $r->{json}{steps} };
	my @jobs = @{ delete $r->{json}{jobs} };

	shows $r->{json}, { operationId => $op, kind => 'LINK',
		state => 'SUCCEEDED', partner => 'TAAS', actor => 'olga',
		ctt => { id => $ctt, ticketNo => "C-$ctt" },
		ntt => { id => $ntt, ticketNo => "N-$ntt" },
		requestId => $linked->{headers}{'x-request-id'},
		errorCode => undef, lastError => undef, nextTryAt => undef,
		createdAt => $TIME, updatedAt => $TIME }, 'an operation';
	for (@steps) {
		like $_->{at}, $TIME, "$_->{step} has a time";
		is_deeply [ sort keys %$_ ], [ qw(at detail ms outcome step) ],
		    'and the other members';
	}
	is_deeply [ map { $_->{type} } @jobs ], [ sort { $a cmp $b }
		keys %{ $c->jobs($op) } ], 'its jobs';
	shows $jobs[0], { id => $jobs[0]{id}, type => 'create-ctt-related-kci',
		state => 'DONE', attempts => 1, lastError => undef,
		createdAt => $TIME, updatedAt => $TIME, nextTryAt => undef },
	    'and how each is';
}

{
	my $list = sub ($id) {
		$c->get("/ticket/operation?requestId=$id")->{json} };
	my ($c1, $c2, $n) = $c->given(ctt => {}, ctt => { linked => $empty },
		ntt => {});
	my $r = $c->bulk([ $c1, $n ], [ $c2, $n ]);
	my $found = $list->($r->{headers}{'x-request-id'});

	is_deeply $found->{counts}, { SUCCEEDED => 1, REFUSED => 1 },
	    'the operations of a request, counted';
	is_deeply { map { $_->{operationId} => [ @$_{qw(state errorCode)} ] }
		@{ $found->{items} } },
	    { $r->{json}{results}[0]{operationId} => [ 'SUCCEEDED', undef ],
		$r->{json}{results}[1]{operationId} =>
			[ 'REFUSED', 'CTT_ALREADY_LINKED' ] }, 'and listed';
	is_deeply $list->('nobody'), { requestId => 'nobody', counts => {},
		items => [], next => undef }, 'of another there are none';
}

# ---- at one moment ----

# A CTT is read together with its open operation: a link that its partner
# refuses is under way, and then gone; nobody ever sees it done.
{
	my @ctts = $c->given(map { (ctt => {}) } 1 .. 2);
	my $ends = time + 6;

	$c->rule(partner => 'taas', path => "/C-$_/link\$", do => 'status',
		status => 400) for @ctts;
	my %seen;
	for my $part ($c->parallel(4, sub ($i) {
		my ($ctt, %n) = ($ctts[ $i % 2 ]);
		my @ways = (sub { $c->get("/ticket/ctt/$ctt")->{json}{ctt} },
			sub { $c->get("/ticket/ctt?ticketNo=C-$ctt")->{json}
				{items}[0] },
			sub { $c->get("/ticket/ctt?after=" . ($ctt - 1)
				. '&limit=1')->{json}{items}[0] });

		while (time < $ends) {
			if ($i < 2) {
				$n{ $c->link($ctt, $empty)->{status} }++;
				next;
			}
			$n{ $_->()->{linkState} }++ for @ways;
		}
		return \%n;
	})) {
		$seen{$_} += $part->{$_} for keys %$part;
	}
	diag join ', ', map { "$_: $seen{$_}" } sort keys %seen;
	is delete $seen{linked}, undef, 'no link that is refused is seen';
	is_deeply [ sort keys %seen ], [qw(502 none pending)],
	    'but that it is under way, and that it is not there';
	$c->no_rules;
	ok $c->settle, 'and all is settled';
}

# ---- what is not there ----

is_deeply [ @{ $c->get($_->[0])->{json} }{qw(status code)} ],
    [ 404, $_->[1] ], "$_->[0]: $_->[1]" for (
	[ '/ticket/ctt/9007199254740991', 'CTT_NOT_FOUND' ],
	[ '/ticket/ntt/9007199254740991', 'NTT_NOT_FOUND' ],
	[ '/ticket/ntt/9007199254740991/ctts', 'NTT_NOT_FOUND' ],
	[ '/ticket/operation/nothing', 'OPERATION_NOT_FOUND' ],
	[ '/ticket/ctt/0/cpe-history', 'NOT_FOUND' ],
	[ '/ticket/ctt/9007199254740992', 'NOT_FOUND' ],
	[ '/ticket/ctt/0', 'NOT_FOUND' ],
	[ '/ticket/ctt/-1', 'NOT_FOUND' ],
	[ '/ticket/ctt/1.0', 'NOT_FOUND' ],
	[ '/ticket/ctt/1e3', 'NOT_FOUND' ],
	[ '/ticket/ctt/x', 'NOT_FOUND' ],
	[ '/ticket/ctt/', 'NOT_FOUND' ],
	[ '/ticket/ctt/1/', 'NOT_FOUND' ],
	[ '/ticket/ntt/0/ctts', 'NOT_FOUND' ],
	[ '/ticket//ctt', 'NOT_FOUND' ],
);

# ---- lists ----

my $far = $c->one('SELECT MAX(id) FROM ctt');
my $nfar = $c->one('SELECT MAX(id) FROM ntt');
my ($n1, $n2) = $c->given(ntt => { ticket_no => 'NX-1' },
	ntt => { ticket_no => 'NX-2', status => 'Closed' });
my @ids = $c->given(
	ctt => { ticket_no => 'L-1' },
	ctt => { ticket_no => 'L-2', linked => $n1 },
	ctt => { ticket_no => 'L%3', status => 'Closed' },
	ctt => { ticket_no => 'L_4', status => 'In Progress', linked => $n1 },
	ctt => { ticket_no => 'M\\5' },
	ctt => { ticket_no => "\x{c5}6" });

sub numbers ($path) {
	return join ' ', map { $_->{ticketNo} }
	    @{ $c->get($path)->{json}{items} };
}

for (
	[ '', "L-1 L-2 L%3 L_4 M\\5 \x{c5}6" ],
	[ 'q=L', 'L-1 L-2 L%3 L_4' ],
	[ 'q=L-', 'L-1 L-2' ],
	[ 'q=L%25', 'L%3' ],
	[ 'q=L_', 'L_4' ],
	[ 'q=M%5C', 'M\\5' ],
	[ 'q=%C3%85', "\x{c5}6" ],
	[ 'q=none', '' ],
	[ 'q=' . '%C3%85' x 64, '' ],    # characters, not bytes
	[ 'q=', "L-1 L-2 L%3 L_4 M\\5 \x{c5}6" ],
	[ 'status=Closed', 'L%3' ],
	[ 'status=In+Progress', 'L_4' ],
	[ 'status=In%20Progress&linked=false', '' ],
	[ 'linked=true', 'L-2 L_4' ],
	[ 'linked=false', "L-1 L%3 M\\5 \x{c5}6" ],
	[ 'q=L&linked=true&limit=1', 'L-2' ],
) {
	my ($query, $want) = @$_;
	is numbers("/ticket/ctt?after=$far&$query"), $want, "CTTs, $query";
}

for (
	[ '', 'NX-1 NX-2' ], [ 'q=NX-2', 'NX-2' ], [ 'status=Open', 'NX-1' ],
	[ 'linked=true', 'NX-1' ], [ 'linked=false', 'NX-2' ],
) {
	my ($query, $want) = @$_;
	is numbers("/ticket/ntt?after=$nfar&$query"), $want, "NTTs, $query";
}

{
	my ($after, @pages) = ($far);

	while (defined $after) {
		my $page = $c->get("/ticket/ctt?limit=2&after=$after")->{json};
		push @pages, map { $_->{id} } @{ $page->{items} };
		$after = $page->{next};
		last if @pages > 20;
	}
	is_deeply \@pages, \@ids, 'page by page, each of them once';
	is_deeply $c->get("/ticket/ctt?after=$far&limit=1")->{json}{items}, [ {
		id => $ids[0], ticketNo => 'L-1', status => 'Open',
		source => 'TAAS', nttId => undef, nttTicketNo => undef,
		linkState => 'none' } ], 'an item is the ticket';
	is scalar @{ $c->get('/ticket/ntt?limit=1')->{json}{items} }, 1,
	    'a page of NTTs';
	is numbers("/ticket/ntt/$n1/ctts?limit=1&after=$ids[1]"), 'L_4',
	    'a page of an NTT\'s CTTs';
}

is_deeply [ @{ $c->get("/ticket/$_->[0]")->{json} }{qw(code)},
	$c->get("/ticket/$_->[0]")->{json}{errors}[0]{field} ],
    [ 'VALIDATION_FAILED', $_->[1] ], "wrong: $_->[0]" for (
	[ 'ctt?q=' . '%C3%85' x 65, 'q' ],
	[ 'ctt?limit=0', 'limit' ], [ 'ctt?limit=201', 'limit' ],
	[ 'ctt?limit=x', 'limit' ], [ 'ctt?limit=', 'limit' ],
	[ 'ctt?after=-1', 'after' ], [ 'ctt?after=9007199254740992', 'after' ],
	[ 'ctt?linked=maybe', 'linked' ], [ 'ctt?q=%FF', 'q' ],
	[ 'ctt?q=%00', 'q' ], [ 'ctt?q=%', 'q' ],
	[ 'ntt?limit=1e1', 'limit' ], [ "ntt/$ntt/ctts?after=x", 'after' ],
	[ 'operation', 'requestId' ], [ 'operation?requestId=', 'requestId' ],
	[ 'operation?requestId=' . '%C3%85' x 65, 'requestId' ],
);
is_deeply [ sort map { $_->{field} } @{ $c->get('/ticket/ctt?limit=0&after=x'
	. '&q=%FF&status=%FF&linked=2')->{json}{errors} } ],
    [qw(after limit linked q status)], 'all wrong parameters at once';
is $c->get('/ticket/operation?requestId=' . '%C3%85' x 64)->{status}, 200,
    'a request id is measured in characters';

# ---- lists of values ----

{
	$c->do("UPDATE lov SET active = 0 WHERE code = 'WEATHER'");
	my $lov = $c->get('/ticket/lov')->{json};

	is_deeply [ sort keys %$lov ], [ qw(CAUSE_CODE CTT_STATUS DELAY_REASON
		DISPOSITION RESOLUTION_CODE) ], 'the types of values';
	is_deeply [ sort map { $_->{label} } @{ $lov->{CTT_STATUS} } ],
	    [ 'Cancel', 'Closed', 'In Progress', 'Open', 'Pending',
		'Resolved' ], 'the states of a CTT';
	ok !grep({ $_->{code} eq 'WEATHER' } @{ $lov->{DELAY_REASON} }),
	    'what is not active is not shown';
	is_deeply [ sort keys %{ $lov->{CAUSE_CODE}[0] } ], [ 'code', 'label' ],
	    'a value';
}

# ---- monitoring ----

{
	my @no_token = (Authorization => undef);

	is $c->get($_, @no_token)->{status}, 200, "$_ is open"
	    for qw(/healthz /readyz /metrics);
	ok $c->quiet, 'all jobs are delivered';
	my $metrics;    # which are some seconds old
	$c->wait_for(10, sub { ($metrics = $c->get('/metrics', @no_token))
		->{raw} =~ /^cttd_operations_open\{state="RUNNING"\} 0$/m });
	like $metrics->{headers}{'content-type'}, qr{^text/plain; version=0\.0\.4},
	    'metrics are Prometheus text';
	is_deeply [ grep { !/^# (HELP|TYPE) \w+ .+$|^\w+(\{[^}]*\})? [\d.]+$/ }
		split /\n/, $metrics->{raw} ], [], 'line by line';
	like $metrics->{raw}, qr/^cttd_operations_open\{state="RUNNING"\} 0$/m,
	    'with the open operations';
	like $metrics->{raw}, qr/^cttd_jobs\{state="DEAD"\} 0$/m,
	    'and the jobs';

	my $ready = $c->get('/readyz', @no_token);
	is_deeply [ @{ $ready->{json} }{qw(database memcached)} ], [ 1, 1 ],
	    'both are there';
	ok $c->stack('stop', 'memcached'), 'memcached goes';
	$ready = $c->get('/readyz', @no_token);
	is_deeply [ @{ $ready->{json} }{qw(status database memcached)} ],
	    [ 503, 1, 0 ], 'not ready';
	ok $ready->{headers}{'retry-after'}, 'try again';
	is $c->get('/healthz', @no_token)->{status}, 200, 'but healthy';
	ok $c->stack('start', 'memcached'), 'memcached comes back';
	is $c->get('/readyz', @no_token)->{status}, 200, 'ready again';
}

$c->stop;
done_testing;
