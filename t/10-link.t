# POST /ticket/ctt/link: one CTT is linked to one NTT, here and at its partner,
# or nothing happens and the answer says why.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use IO::Socket::INET;
use Test::More;

my $c = Ctt->start;
my @STEPS = qw(load_ctt load_ntt check_idle check_not_linked check_unlink_block
	save_local sync_partner rollback update_ctt_count enqueue_jobs
	write_audit);

# ---- it works ----

sub rows_are_right ($r, $partner, @orders) {
	my ($op, $ctt, $ntt) = @{ $r->{json} }{qw(operationId ctt ntt)};
	my $request = $r->{headers}{'x-request-id'};
	my @plain = qw(create-ctt-related-kci update-tmf-list);
	my $payload = $c->payload($r, $op, $ctt->{id}, $ntt->{id});
	my %jobs = map { ("$op:$_" => [ $_, $payload ]) } @plain;

	is_deeply [ @{ $c->row(ctt => $ctt->{id}) }{qw(ntt_id ntt_ticket_no)} ],
	    [ $ntt->{id}, $ntt->{ticketNo} ], 'the row is linked';
	is $c->row(ntt => $ntt->{id})->{ctt_count}, 1, 'and counted';

	my $row = $c->row(operation => $op);
	is_deeply [ @$row{qw(kind state ctt_id ntt_id partner actor request_id
		error_code)} ],
	    [ 'LINK', 'SUCCEEDED', $ctt->{id}, $ntt->{id}, $partner, 'olga',
		$request, undef ], 'the operation is in the journal';
	is $c->trace($op), join(' ', map { "$_:ok" }
		grep { $_ ne 'rollback' } @STEPS), 'with each of its steps';

	$jobs{"$op:notify-work-orders"} = [ 'notify-work-orders',
		{ %$payload, workOrders => \@orders } ] if @orders;
	is_deeply { map { ($_->{dedupe_key} =>
			[ $_->{type}, $c->json($_->{payload}) ]) }
		$c->rows('SELECT * FROM job WHERE payload LIKE ?', "%$op%") },
	    \%jobs, keys(%jobs) . ' jobs';

	is_deeply [ map { [ @$_{qw(entity_type entity_id action outcome actor
			request_id)} ] } $c->rows('SELECT * FROM audit_log'
		. ' WHERE operation_id = ? ORDER BY entity_type', $op) ],
	    [ map { [ @$_, 'LINK', 'SUCCESS', 'olga', $request ] }
		[ CTT => $ctt->{id} ], [ NTT => $ntt->{id} ] ],
	    'an audit row on both sides';
}

sub taas_heard ($no, $r, $remark) {
	my @calls = $c->heard('taas', ticket => $no);

	is @calls, 1, 'TaaS heard it once';
	$c->is_call($calls[0], $r, $r->{json}{operationId}, method => 'POST',
	    path => "/taas/tickets/$no/link", body => {
		nttTicketNo => $r->{json}{ntt}{ticketNo}, remark => $remark,
		actor => 'olga' });
}

sub tmf_heard ($no, $r, $) {
	my ($get, $patch, @more) = $c->heard('tmf', ticket => $no);

	is_deeply [ $get->{method}, $get->{path}, scalar @more ], [ 'GET',
		"/tmf/troubleTicket/$no?fields=troubleTicketRelationship", 0 ],
	    'the ticket was read first';
	isnt $get->{key}, $patch->{key}, 'under another key than the write';
	$c->is_call($patch, $r, $r->{json}{operationId}, method => 'PATCH',
	    path => "/tmf/troubleTicket/$no", body => {
		troubleTicketRelationship => [ {
			id => $r->{json}{ntt}{ticketNo},
			relationshipType => 'isChild' } ] });
}

my %HEARD = (TAAS => \&taas_heard, TMF => \&tmf_heard);

for my $source (qw(TAAS TMF)) {
	for my $by (qw(id number)) {
		for my $orders (0, 2) {
			my ($ctt, $ntt) = $c->given(ctt => { source => $source },
			    ntt => {});
			my @orders = map { { id => 0 + $_,
				orderNo => "W-$_", status => 'Open' } }
			    $c->given((work_order => { ntt_id => $ntt })
				x $orders);
			my @name = $by eq 'id' ? ($ctt, $ntt)
			    : ("C-$ctt", "N-$ntt");
			my $remark = $orders
			    ? "cut,\tnear \"K\x{f6}ln\"\n" : undef;
			note "$source by $by, $orders work orders";

			my $r = $c->link(@name,
			    $orders ? (remark => $remark) : ());
			is $r->{status}, 200, "$source by $by: linked";
			is_deeply $r->{json}, {
				operationId => $r->{json}{operationId},
				ctt => { id => $ctt, ticketNo => "C-$ctt",
					status => 'Open', source => $source,
					nttId => $ntt, nttTicketNo => "N-$ntt",
					linkState => 'linked' },
				ntt => { id => $ntt, ticketNo => "N-$ntt",
					cttCount => 1 },
			}, 'the answer, and no more';
			is $r->{headers}{'content-type'}, 'application/json',
			    'is JSON';
			rows_are_right($r, $source, @orders);
			$HEARD{$source}->("C-$ctt", $r, $remark);
		}
	}
}

{
	my ($ctt, $ntt) = $c->given(ctt => { source => 'TMF' }, ntt => {});
	my @others = ({ id => 'N-1', relationshipType => 'dependent',
		href => 'http://x/1', '@type' => 'Ref' },
		{ id => 'OTHER', relationshipType => 'isChild' });

	$c->sim(PUT => "/ticket/tmf/C-$ctt",
	    { troubleTicketRelationship => \@others });
	is $c->link($ctt, $ntt)->{status}, 200, 'a ticket with relationships';
	is_deeply $c->sim_state->{tmf}{"C-$ctt"}{troubleTicketRelationship},
	    [ @others, { id => "N-$ntt", relationshipType => 'isChild' } ],
	    'keeps those that are not ours';
}

{
	my ($ctt, $ntt) = $c->given(
		ctt => { ticket_no => "a/b ?#%\x{fc}" }, ntt => {});

	is $c->link($ctt, $ntt)->{status}, 200, 'an odd ticket number';
	is scalar $c->heard('taas', path => '/taas/tickets/'
		. 'a%2Fb%20%3F%23%25%C3%BC/link'), 1, 'is encoded in the path';
}

# ---- the gates ----

my $odd = 9_007_199_254_740_991;    # the largest id: no such ticket

# An unlink of this pair that was done a moment ago. What is planted here and
# below is planted by "x", and taken away when its case is over.
sub unlinked ($ctt, $ntt) {
	$c->given(operation => { id => "unlinked-$ctt", kind => 'UNLINK',
		state => 'SUCCEEDED', ctt_id => $ctt, ntt_id => $ntt,
		actor => 'x' });
}

# An operation that a living session has in hand.
sub busy ($ctt, $ntt) {
	$c->plant_owner;
	$c->given(operation => { id => "busy-$ctt", kind => 'LINK',
		state => 'RUNNING', ctt_id => $ctt, ntt_id => $ntt,
		actor => 'x', owner => 'some-body' });
}

# The database takes the link, but not the row of its operation.
sub unjournalled (@pair) {
	$c->do(q{CREATE TRIGGER no_row BEFORE INSERT ON operation FOR EACH ROW
		IF NEW.state = 'RUNNING' THEN SIGNAL SQLSTATE '45000'; END IF});
	return @pair;
}

sub memcached_says ($key, $value) {
	my $socket = IO::Socket::INET->new(PeerAddr => $c->env('CTT_MEMCACHED'))
	    or die "memcached: $!";
	print $socket "set $key 0 60 " . length($value) . "\r\n$value\r\n";
	is scalar <$socket>, "STORED\r\n", "memcached has $key";
}

$c->do(q{CREATE TRIGGER refuse BEFORE UPDATE ON ctt FOR EACH ROW
	IF NEW.title = 'refuse' AND NEW.ntt_id IS NOT NULL
	THEN SIGNAL SQLSTATE '45000'; END IF});

my ($linked_to) = $c->given(ntt => {});

# name, CTT's columns, what else is the case, status, code, the failed step,
# members of the problem beside the usual ones. From the fourth on, each case
# also fails the gates behind its own: the first one has the word.
my @GATES = (
	[ 'no such CTT, nor NTT', {}, sub (@) { ($odd, $odd) },
		404, 'CTT_NOT_FOUND', 'load_ctt' ],
	[ 'no such CTT number', {}, sub ($, $n) { ('C-none', $n) },
		404, 'CTT_NOT_FOUND', 'load_ctt' ],
	[ 'a CTT number in other letters', {}, sub ($ctt, $n) { ("c-$ctt", $n) },
		404, 'CTT_NOT_FOUND', 'load_ctt' ],
	[ 'an NTT number with a blank', {}, sub ($ctt, $n) { ($ctt, "N- $n") },
		404, 'NTT_NOT_FOUND', 'load_ntt' ],
	[ 'no such NTT', {}, sub ($ctt, $) { ($ctt, $odd) },
		404, 'NTT_NOT_FOUND', 'load_ntt' ],
	[ 'no such NTT, and all that follows',
		{ linked => $linked_to, title => 'refuse' },
		sub ($ctt, $ntt) { busy($ctt, $ntt); ($ctt, 'N-none') },
		404, 'NTT_NOT_FOUND', 'load_ntt' ],
	[ 'an operation under way',
		{ linked => $linked_to, title => 'refuse' },
		sub ($ctt, $ntt) { unlinked($ctt, $ntt); busy($ctt, $ntt);
			($ctt, $ntt) },
		409, 'OPERATION_IN_PROGRESS', 'check_idle',
		sub ($ctt) { openOperationId => "busy-$ctt", retryAfter => 1 } ],
	[ 'linked already', { linked => $linked_to, title => 'refuse' },
		sub ($ctt, $ntt) { unlinked($ctt, $ntt); ($ctt, $ntt) },
		409, 'CTT_ALREADY_LINKED', 'check_not_linked',
		sub ($) { nttId => $linked_to, nttTicketNo => "N-$linked_to" } ],
	[ 'linked already to this very NTT', { linked => $linked_to },
		sub ($ctt, $) { ($ctt, $linked_to) },
		409, 'CTT_ALREADY_LINKED', 'check_not_linked',
		sub ($) { nttId => $linked_to, nttTicketNo => "N-$linked_to" } ],
	[ 'the pair blocked, says the journal', { title => 'refuse' },
		sub ($ctt, $ntt) { unlinked($ctt, $ntt); ($ctt, $ntt) },
		409, 'UNLINK_BLOCKED', 'check_unlink_block',
		sub ($) { retryAfter => qr/^(59|60)$/ } ],
	[ 'the pair blocked, says memcached', {},
		sub ($ctt, $ntt) {
			memcached_says("unlink-block:$ctt-$ntt",
			    (time + 30) * 1000);
			("C-$ctt", "N-$ntt") },
		409, 'UNLINK_BLOCKED', 'check_unlink_block',
		sub ($) { retryAfter => qr/^(29|30)$/ } ],
	[ 'a database that refuses', { title => 'refuse' }, undef,
		500, 'DB_SAVE_FAILED', 'save_local',
		sub ($) { rolledBack => 1, settled => 1 } ],
	[ 'a database that refuses the journal', {}, \&unjournalled,
		500, 'DB_SAVE_FAILED', 'save_local',
		sub ($) { rolledBack => 1, settled => 1 } ],
);

sub tables () {
	return { map { $_ => [ $c->rows("SELECT * FROM $_ ORDER BY id") ] }
	    qw(ctt ntt job audit_log activity_note ctt_activity) };
}

# The usual members of a problem are right; returns the others.
sub problem ($r, $status, $code, $name) {
	my %p = %{ $r->{json} };
	my %usual = map { $_ => delete $p{$_} }
	    qw(type title status detail code requestId operationId);

	is_deeply [ $r->{status}, @usual{qw(status code requestId)} ],
	    [ $status, $status, $code, $r->{headers}{'x-request-id'} ],
	    "$name: $code";
	is $r->{headers}{'content-type'}, 'application/problem+json',
	    'as a problem';
	ok !grep({ !length } @usual{qw(type title operationId)}),
	    'with a type, a title and an operation';
	like $usual{detail}, qr/^[A-Z].{10,}\.$/s, 'and a sentence';
	return %p;
}

sub refused_steps ($last) {
	my @upto;

	for (@STEPS) {
		return join ' ', @upto, "$last:failed" if $_ eq $last;
		push @upto, "$_:ok";
	}
}

ok $c->quiet, 'all jobs are delivered';
for my $gate (@GATES) {
	my ($name, $columns, $case, $status, $code, $step, $members) = @$gate;
	my ($ctt, $ntt) = $c->given(
		ctt => $columns, ntt => {});
	my @pair = $case ? $case->($ctt, $ntt) : ($ctt, $ntt);
	my ($before, $calls) = (tables(), scalar $c->heard('taas'));

	my $r = $c->link(@pair);
	my %more = problem($r, $status, $code, $name);
	my %want = $members ? $members->($ctt) : ();
	my $seconds = delete $want{retryAfter};
	is $r->{headers}{'retry-after'}, delete $more{retryAfter},
	    'Retry-After says the same';
	ref $seconds ? like($r->{headers}{'retry-after'}, $seconds, 'when')
	    : is($r->{headers}{'retry-after'}, $seconds, 'when');
	is_deeply \%more, \%want, 'the other members';

	is_deeply tables(), $before, 'nothing was written';
	is scalar $c->heard('taas'), $calls, 'no partner was asked';
	my $op = $r->{json}{operationId};
	is_deeply [ @{ $c->row(operation => $op) }{qw(state error_code)} ],
	    [ 'REFUSED', $code ], 'the journal has it as refused';
	is $c->trace($op), refused_steps($step), "at $step";
	$c->do("DELETE FROM operation WHERE actor = 'x'");
	$c->do('DROP TRIGGER IF EXISTS no_row');
}

# ---- fields ----

my @FIELDS = (
	[ 'nothing', {}, 'cttId', 'nttId' ],
	[ 'not an object', [], '' ],
	[ 'null', { cttId => undef, nttId => undef }, 'cttId', 'nttId' ],
	[ 'truth', { cttId => \1, nttId => [] }, 'cttId', 'nttId' ],
	[ 'zero and less', { cttId => 0, nttId => -1 }, 'cttId', 'nttId' ],
	[ 'a fraction', '{"cttId":1.5,"nttId":1e0}', 'cttId', 'nttId' ],
	[ 'past 2^53-1', '{"cttId":9007199254740992,"nttId":1e99}',
		'cttId', 'nttId' ],
	[ 'past 2^64', '{"cttId":18446744073709551617,"nttId":2}', 'cttId' ],
	[ 'no number', { cttId => '', nttId => 'x' x 65 }, 'cttId', 'nttId' ],
	[ 'control characters', { cttId => "a\nb", nttId => "a\x7f" },
		'cttId', 'nttId' ],
	[ 'remark no text', { cttId => 1, nttId => 1, remark => 7 }, 'remark' ],
	[ 'remark too long', { cttId => 1, nttId => 1,
		remark => "\x{fc}" x 2001 }, 'remark' ],
	[ 'remark with a bell', { cttId => 1, nttId => 1,
		remark => "a\ab" }, 'remark' ],
	[ 'all wrong', { cttId => 0, remark => [] },
		'cttId', 'nttId', 'remark' ],
);

my $operations = $c->one('SELECT COUNT(*) FROM operation');
for (@FIELDS) {
	my ($name, $body, @fields) = @$_;
	my $r = $c->post('/ticket/ctt/link', $body);

	is_deeply [ $r->{status}, $r->{json}{code},
		map { $_->{field} } @{ $r->{json}{errors} } ],
	    [ 422, 'VALIDATION_FAILED', @fields ], "fields: $name";
	ok !grep({ !$_->{message} } @{ $r->{json}{errors} }), 'each says why';
}
is $c->one('SELECT COUNT(*) FROM operation'), $operations,
    'none of them reached the journal';

{
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	my $r = $c->link($ctt, $ntt, remark => "\x{1f600}" x 2000,
	    other => { x => 1 });

	is $r->{status}, 200, '2,000 characters, and a field nobody knows';
	is length $c->row(operation => $r->{json}{operationId})->{remark}, 2000,
	    'the remark is kept whole';
}

$c->agree;
$c->stop;
# ---- tickets that are closed: CTT_LINK_CLOSED ----

for my $set (undef, 'allow', 'refuse') {
	$c = Ctt->start(pool => 1, workers => 0,
	    set => { defined $set ? (CTT_LINK_CLOSED => $set) : () });
	my $elsewhere = $c->given(ntt => {});

	for (
		[ 'Open', 'Open' ], [ 'Resolved', 'Pending' ],
		[ 'Closed', 'Open', 'CTT_STATUS_TERMINAL' ],
		[ 'cancel', 'Closed', 'CTT_STATUS_TERMINAL' ],
		[ 'Open', 'Closed', 'NTT_STATUS_TERMINAL' ],
		[ 'Open', 'CANCEL', 'NTT_STATUS_TERMINAL' ],
	) {
		my ($of_ctt, $of_ntt, $code) = @$_;
		my ($one, $many, $linked, $ntt) = $c->given(
			(map { (ctt => { status => $of_ctt }) } 1, 2),
			ctt => { status => $of_ctt, linked => $elsewhere },
			ntt => { status => $of_ntt });
		my @r = ($c->link($one, $ntt),
			map { $_->{json}{results}[0] }
			$c->bulk([ $many, $ntt ]), $c->move_to($ntt, [$linked]));
		my @got = ($r[0]{json}{code}, map { ($_->{error} // {})->{code} }
			@r[ 1, 2 ]);
		my $want = ($set // '') eq 'refuse' ? $code : undef;

		is_deeply \@got, [ ($want) x 3 ], ($set // 'by default')
		    . ": a CTT that is $of_ctt, an NTT that is $of_ntt";
		next if !$want;
		$c->is_problem($r[0], 409, $want, 'refused');
		is $c->trace($r[0]{json}{operationId}), 'load_ctt:ok load_ntt:ok'
		    . ' check_idle:ok check_not_linked:ok check_unlink_block:ok'
		    . ' save_local:failed', 'at the last gate';
		is $c->trace($r[2]{operationId}) =~ s/.* //r,
		    'clear_local:failed', 'of a move too';
		is_deeply [ map { $c->row(ctt => $_)->{ntt_id} } $one, $many,
			$linked ], [ undef, undef, $elsewhere ], 'nothing moved';
	}
	# the gates before it come first
	my ($ctt, $ntt) = $c->given(ctt => { status => 'Closed' }, ntt => {});
	$c->plant_unlinked($ctt, $ntt);
	is $c->link($ctt, $ntt)->{json}{code}, 'UNLINK_BLOCKED',
	    'a block is told first';
	$c->unplant;
	# a way out is always open
	my $closed = $c->given(ctt => { status => 'Closed', linked => $ntt });
	is $c->unlink_from($ntt, [$closed])->{status}, 200, 'to unlink is free';
	$c->agree;
	$c->stop;
}

done_testing;
