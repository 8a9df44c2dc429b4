# Partners as they are met: TMF servers that make their own ids, merge arrays,
# forget members or answer sparsely; gateways' pages; reads that are not the
# ticket; writers in between; tickets that are large, odd, or gone. Contract
# section 9.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Cpanel::JSON::XS ();
use Ctt;
use Test::More;

my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $c = Ctt->start(pool => 4, set => { CTT_PARTNER_TIMEOUT_MS => 5000,
	CTT_BREAKER_FAILURES => 1_000_000 });

sub state_of ($op) { return $c->row(operation => $op)->{state} }

sub given_pair (%ctt) {
	return $c->given(ctt => { source => 'TMF', %ctt }, ntt => {});
}

sub given_linked (%ctt) {
	my $ntt = $c->given(ntt => {});

	return ($c->given(ctt => { source => 'TMF', linked => $ntt, %ctt }),
	    $ntt);
}

sub unlink_one ($ctt, $ntt, %more) {
	return $c->unlink_from($ntt, [$ctt], %more);
}

# Clears what a case has set.
sub well () {
	$c->behave('tmf', map { ($_ => undef) } qw(merge forget answers etag
		writer ownIds fields gzip));
	$c->no_rules;
}

# ---- a yes is looked at ----

# What TMF does, what is asked for, and what becomes of it: the status, the
# operation's state, how many calls it took.
for (
	[ 'merges arrays', { merge => 1 }, 'link', 200, 'SUCCEEDED', 2 ],
	[ 'merges arrays', { merge => 1 }, 'unlink', 502, 'ROLLED_BACK', 2 ],
	[ 'forgets relationships', { forget => ['troubleTicketRelationship'] },
		'link', 502, 'ROLLED_BACK', 2 ],
	[ 'forgets the status', { forget => ['status'] }, 'resolve', 502,
		'ROLLED_BACK', 3 ],
	[ 'forgets notes', { forget => ['note'] }, 'resolve', 200,
		'SUCCEEDED', 2 ],
	[ 'answers 204', { answers => '204' }, 'link', 200, 'SUCCEEDED', 3 ],
	[ 'answers 204', { answers => '204' }, 'unlink', 200, 'SUCCEEDED', 3 ],
	[ 'answers 204', { answers => '204' }, 'resolve', 200, 'SUCCEEDED', 3 ],
	[ 'answers 202', { answers => '202' }, 'link', 200, 'SUCCEEDED', 3 ],
	[ 'answers nothing', { answers => 'empty' }, 'link', 200,
		'SUCCEEDED', 3 ],
	[ 'answers id and href', { answers => 'sparse' }, 'link', 200,
		'SUCCEEDED', 3 ],
	[ 'answers without arrays', { answers => 'no-array' }, 'unlink', 200,
		'SUCCEEDED', 3 ],
	[ 'answers the ticket', {}, 'link', 200, 'SUCCEEDED', 2 ],
	[ 'answers the ticket', {}, 'unlink', 200, 'SUCCEEDED', 2 ],
	[ 'answers the ticket', {}, 'resolve', 200, 'SUCCEEDED', 2 ],
	[ 'ignores ?fields=', { fields => \0 }, 'link', 200, 'SUCCEEDED', 2 ],
	[ 'compresses', { gzip => 1 }, 'link', 200, 'SUCCEEDED', 2 ],
) {
	my ($what, $behave, $ask, $status, $state, $calls) = @$_;
	my ($ctt, $ntt) = $ask eq 'unlink' ? given_linked() : given_pair();
	my $activity = $c->given_activity($ctt) if $ask eq 'resolve';

	$c->behave('tmf', %$behave);
	my $r = $ask eq 'link' ? $c->link($ctt, $ntt)
	    : $ask eq 'unlink' ? unlink_one($ctt, $ntt)
	    : $c->resolve($activity, $ctt, remark => 'well');
	my $op = $r->{json}{operationId} // $r->{json}{results}[0]{operationId};
	is_deeply [ $r->{status}, state_of($op),
		scalar $c->heard('tmf', ticket => "C-$ctt") ],
	    [ $status, $state, $calls ], "TMF $what: $ask" or diag $r->{raw};
	like $r->{json}{detail}, qr/TMF answered 200, but its ticket does/,
	    'and says why' if $status == 502;
	well();
}

# A page is no yes, and no no.
for my $source (qw(TAAS TMF)) {
	my ($ctt, $ntt) = given_pair(source => $source);

	$c->rule(ticket => "C-$ctt", method => $source eq 'TMF' ? 'PATCH'
	    : 'POST', do => 'html');
	my $r = $c->link($ctt, $ntt);
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome settled)} ],
	    [ 502, 'unknown', 0 ], "$source answers with a page: in doubt";
	like $r->{json}{detail}, qr/with text that is not JSON/, 'and says so';
	well();
	ok $c->settle, 'it settles';
}

# ---- what is not the ticket is not written back ----

my $OTHERS = { troubleTicketRelationship => [ { id => 'P-1',
	relationshipType => 'dependency' } ], note => [ { text => 'theirs' } ] };

for (
	[ 'an error', { do => 'status', status => 200,
		body => { code => 'x' } } ],
	[ 'an empty object', { do => 'status', status => 200, body => {} } ],
	[ 'a wrapped ticket', { do => 'status', status => 200,
		body => { troubleTicket => $OTHERS } } ],
	[ 'another ticket', { do => 'status', status => 200,
		body => { id => 'C-0' } } ],
	[ 'an array of texts', { do => 'status', status => 200,
		body => { troubleTicketRelationship => ['x'] } } ],
	[ 'a part', { do => 'status', status => 206, own => \1 } ],
	[ 'a page', { do => 'html' } ],
	[ 'half of it', { do => 'half-body', applied => 1 } ],
	[ 'nothing', { do => 'cut' } ],
	[ 'that it is not there', { do => 'status', status => 404 } ],
	[ 'that it is broken', { do => 'status', status => 503 } ],
) {
	my ($what, $rule) = @$_;
	my ($ctt, $ntt) = given_pair();

	$c->sim(PUT => "/ticket/tmf/C-$ctt", $OTHERS);
	$c->rule(ticket => "C-$ctt", method => 'GET', %$rule);
	my $r = $c->link($ctt, $ntt);
	is_deeply [ $r->{status}, $r->{json}{settled},
		scalar $c->heard('tmf', ticket => "C-$ctt", method => 'PATCH') ],
	    [ 502, 1, 0 ], "a read answers $what: nothing is written";
	like $r->{json}{detail},
	    qr/^TMF .*\ba read\b.*; nothing was sent to change it\. /,
	    'and that is told, not that the link was refused';
	is_deeply $c->sim_state->{tmf}{"C-$ctt"}{troubleTicketRelationship},
	    $OTHERS->{troubleTicketRelationship}, 'what is not ours is there';
	well();
}

# ---- to the byte ----

{
	my ($ctt, $ntt) = given_pair();
	my @theirs = ('{"id":"A","relationshipType":"r","n":123456789012345678901234567890}',
		'{ "id" : "B" , "relationshipType":"r","x": 1.50, "x": "caf\u00e9 é" }',
		'{"id":"N-' . $ntt . '","relationshipType":"dependency"}');
	my $text = '{"id":"C-' . $ctt . '","troubleTicketRelationship":[1],'
	    . '"troubleTicketRelationship":[' . join(" ,\n", @theirs) . ']}';
	utf8::encode($text) if utf8::is_utf8($text);

	raw_ticket("C-$ctt", $text);
	is $c->link($ctt, $ntt)->{status}, 200, 'odd elements of others';
	my ($patch) = $c->heard('tmf', ticket => "C-$ctt", method => 'PATCH');
	my $raw = $patch->{raw};
	utf8::encode($raw) if utf8::is_utf8($raw);
	is $raw, '{"troubleTicketRelationship":[' . join(',', @theirs)
	    . ',{"id":"N-' . $ntt . '","relationshipType":"isChild"}]}',
	    'go back as they came';
	well();
}

sub raw_ticket ($no, $text) {
	my $r = HTTP::Tiny->new->request('PUT', $c->env('CTT_SIM_URL')
	    . "/_sim/raw/tmf/$no", { content => $text });
	die "simulator: $r->{status} $r->{content}\n" if $r->{status} != 200;
}

# ---- large tickets ----

for my $kib (100, 3000) {
	my ($ctt, $ntt) = given_pair();

	$c->sim(PUT => "/ticket/tmf/C-$ctt", { troubleTicketRelationship => [
		map { { id => "P-$_", relationshipType => 'dependency',
			name => 'x' x 1000 } } 1 .. $kib ] });
	is $c->link($ctt, $ntt)->{status}, 200, "a ticket of $kib KiB";
	is @{ $c->sim_state->{tmf}{"C-$ctt"}{troubleTicketRelationship} },
	    $kib + 1, 'all of it is there';
	is unlink_one($ctt, $ntt)->{status}, 200, 'and unlinked';
	$c->sim(DELETE => "/ticket/tmf/C-$ctt");
	$c->do("DELETE FROM ctt WHERE id = $ctt");
}
{
	my ($ctt, $ntt) = given_pair();

	$c->sim(PUT => "/ticket/tmf/C-$ctt", { note => [],
		troubleTicketRelationship => [ map { { id => "P-$_",
			relationshipType => 'd', name => 'x' x 1000 } }
			1 .. 4200 ] });
	my $r = $c->link($ctt, $ntt);
	is_deeply [ $r->{status}, $r->{json}{settled} ], [ 502, 1 ],
	    'one larger than CTT_PARTNER_READ_MAX_KIB is not written';
	like $r->{json}{detail}, qr/too long/, 'and the caller is told why';
	$c->sim(DELETE => "/ticket/tmf/C-$ctt");
	$c->do("DELETE FROM ctt WHERE id = $ctt");
}

# ---- somebody writes in between ----

{
	my ($ctt, $ntt) = given_pair();

	$c->sim(PUT => '/behave/tmf', { etag => 1, writer => { times => 2,
		ticket => "C-$ctt", element => { id => 'P-9',
			relationshipType => 'dependency' } } });
	my $r = $c->link($ctt, $ntt);
	is $r->{status}, 200, 'a writer in between, twice: linked';
	is_deeply [ sort map { $_->{id} } @{ $c->sim_state->{tmf}{"C-$ctt"}
		{troubleTicketRelationship} } ], [ "N-$ntt", 'P-9', 'P-9' ],
	    'nothing of theirs is lost';
	is_deeply [ map { "$_->{method} $_->{status}" }
		$c->heard('tmf', ticket => "C-$ctt") ],
	    [ 'GET 200', 'PATCH 412', 'GET 200', 'PATCH 412', 'GET 200',
		'PATCH 200' ], 'it was read again each time';
	is_deeply [ map { $_->{key} =~ s/^\w+-//r } $c->heard('tmf',
		ticket => "C-$ctt", method => 'PATCH') ],
	    [ qw(sync sync-2 sync-3) ], 'each body has the next key';
	well();

	($ctt, $ntt) = given_pair();
	$c->sim(PUT => '/behave/tmf', { etag => 1, writer => {
		ticket => "C-$ctt" } });
	$r = $c->link($ctt, $ntt);
	is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
		partnerStatus settled)} ], [ 502, 'refused', 412, 1 ],
	    'one who never stops: refused in the end';
	well();

	($ctt, $ntt) = given_pair();
	$c->behave('tmf', etag => 'weak');
	is $c->link($ctt, $ntt)->{status}, 200, 'a weak ETag is not sent back';
	well();
	($ctt, $ntt) = given_pair();
	$c->behave('tmf', etag => 'required');
	is $c->link($ctt, $ntt)->{status}, 200, 'If-Match where it is required';
	well();
}

# ---- a definite no, and names that leave their path ----

for my $status (301, 308, 501) {
	for my $source (qw(TAAS TMF)) {
		my ($ctt, $ntt) = given_pair(source => $source);

		$c->rule(ticket => "C-$ctt", do => 'status',
		    status => $status, headers => { Location => '/x' });
		my $r = $c->link($ctt, $ntt);
		is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
			settled)} ], [ 502, 'refused', 1 ],
		    "$source answers $status: a no";
		well();
	}
}
for my $no ('..', '.') {
	for my $source (qw(TAAS TMF)) {
		my ($ctt, $ntt) = given_pair(source => $source,
		    ticket_no => $no);
		my $before = () = $c->heard(lc $source);

		my $r = $c->link($ctt, $ntt);
		is_deeply [ $r->{status}, @{ $r->{json} }{qw(partnerOutcome
			settled)}, $c->heard(lc $source) - $before ],
		    [ 502, 'refused', 1, 0 ],
		    "a ticket that is named \"$no\" is not sent to $source";
		$c->do("DELETE FROM ctt WHERE id = $ctt");
	}
}

# ---- own ids ----

{
	my ($ctt, $ntt) = given_pair();

	$c->behave('tmf', ownIds => 1);
	my $t = $c->sim(PUT => "/ticket/tmf/C-$ctt", {});
	my $n = $c->sim(PUT => "/ticket/tmf/N-$ntt", {});
	my $r = $c->link($ctt, $ntt);
	is_deeply [ $r->{status}, $r->{json}{partnerStatus} ], [ 502, 404 ],
	    'a server with ids of its own does not know the number';
	$c->do('UPDATE ctt SET partner_ref = ? WHERE id = ?', $t->{id}, $ctt);
	$c->do('UPDATE ntt SET partner_ref = ? WHERE id = ?', $n->{id}, $ntt);
	is $c->link($ctt, $ntt)->{status}, 200, 'partner_ref names both';
	is_deeply [ map { $_->{id} } @{ $c->sim_state->{tmf}{ $t->{id} }
		{troubleTicketRelationship} } ], [ $n->{id} ],
	    'the relationship has the NTT\'s';
	my $activity = $c->given_activity($ctt);
	is $c->resolve($activity, $ctt, remark => 'x')->{status}, 200,
	    'resolved by it';
	is unlink_one($ctt, $ntt)->{status}, 200, 'and unlinked';
	is_deeply $c->sim_state->{tmf}{ $t->{id} }{troubleTicketRelationship},
	    [], 'there too';
	well();

	# TaaS: the path has the CTT's, the body the NTT's number
	($ctt, $ntt) = given_pair(source => 'TAAS', partner_ref => 'T/4 7');
	$c->do("UPDATE ntt SET partner_ref = 'n' WHERE id = ?", $ntt);
	is $c->link($ctt, $ntt)->{status}, 200, 'at TaaS';
	is_deeply [ map { [ $_->{path}, $_->{body}{nttTicketNo} ] } $c->heard(
		'taas', ticket => 'T/4 7') ], [ [
		'/taas/tickets/T%2F4%207/link', "N-$ntt" ] ],
	    'the path has it, the body the number';
}

# ---- tickets that their partner does not have any more ----

for my $source (qw(TAAS TMF)) {
	for my $status (404, 409, 410, 422) {
		my ($ctt, $ntt) = given_linked(source => $source);
		my @force = (force => \1);
		my @admin = (Authorization => 'Bearer '
		    . $c->token(roles => ['ctt-admin']));

		$c->rule(ticket => "C-$ctt", do => 'status',
		    status => $status);
		is unlink_one($ctt, $ntt)->{status}, 502,
		    "$source answers $status: an unlink is refused";
		is unlink_one($ctt, $ntt, @force)->{status}, 403,
		    'to force it takes an admin';
		my $r = $c->post('/ticket/ctt/unlink', { nttId => $ntt,
			cttIds => [$ctt], @force }, @admin);
		my $op = $r->{json}{results}[0]{operationId};
		is_deeply [ $r->{status}, $c->row(ctt => $ctt)->{ntt_id},
			$r->{json}{ntt}{cttCount}, state_of($op) ],
		    [ 200, undef, 0, 'SUCCEEDED' ], 'who may does'
		    or diag $r->{raw};
		my ($detail) = $c->column("SELECT JSON_VALUE(detail,"
		    . " '\$.forced') FROM audit_log WHERE operation_id = ?"
		    . " AND entity_type = 'CTT'", $op);
		like $detail, qr/HTTP $status/, 'the audit has the answer';
		like join(' ', map { $_->{detail} // '' } @{ $c->get(
			"/ticket/operation/$op")->{json}{steps} }),
		    qr/HTTP $status.*forced/, 'and so has the trace';
		well();
		$c->do("DELETE FROM ctt WHERE id = $ctt");
	}
	for my $status (400, 401, 403, 500) {
		my ($ctt, $ntt) = given_linked(source => $source);

		$c->rule(ticket => "C-$ctt", do => 'status',
		    status => $status);
		my $r = $c->post('/ticket/ctt/unlink', { nttId => $ntt,
			cttIds => [$ctt], force => \1 }, Authorization =>
			'Bearer ' . $c->token(roles => ['ctt-admin']));
		is_deeply [ $r->{status}, $c->row(ctt => $ctt)->{ntt_id} ],
		    [ 502, $ntt ], "$source answers $status: not even by force";
		well();
		ok $c->settle, 'settled';
	}
}
{
	my ($ctt, $ntt) = given_linked();
	my $r = unlink_one($ctt, $ntt, force => 'yes');

	$c->is_problem($r, 422, 'VALIDATION_FAILED', 'force is true or false');
	is $r->{json}{errors}[0]{field}, 'force', 'and named';
}

ok $c->quiet, 'all jobs are done';
$c->agree;
$c->stop;

# ---- TMF621, version 5 ----

{
	$c = Ctt->start(pool => 2, set => { CTT_TMF_VERSION => 5,
		CTT_TMF_CONTENT_TYPE => 'application/merge-patch+json' });
	$c->behave('tmf', version => 5);
	my ($ctt, $ntt) = given_pair();
	my $activity = $c->given_activity($ctt);

	is $c->link($ctt, $ntt)->{status}, 200, 'v5: linked';
	is $c->resolve($activity, $ctt, remark => 'x')->{status}, 200,
	    'resolved';
	is unlink_one($ctt, $ntt)->{status}, 200, 'unlinked';
	is_deeply [ map { $_->{contentType} } $c->heard('tmf',
		method => 'PATCH') ], [ ('application/merge-patch+json') x 3 ],
	    'with the Content-Type that is set';
	is_deeply [ map { $_->{body}{'@type'} } $c->heard('tmf',
		method => 'PATCH') ], [ ('TroubleTicket') x 3 ], 'and @type';
	$c->agree;
	$c->stop;
}

done_testing;
