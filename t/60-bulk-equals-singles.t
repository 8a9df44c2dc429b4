# One bulk of N and N single links are one path: on two fresh sets of tickets
# that are alike, they leave the same rows, say the same words to the
# partners, and give the same answers.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start(set => { CTT_PARTNER_TIMEOUT_MS => 1000 });
$c->do(q{CREATE TRIGGER refuse BEFORE UPDATE ON ctt FOR EACH ROW
	IF NEW.title = 'refuse' AND NEW.ntt_id IS NOT NULL
	THEN SIGNAL SQLSTATE '45000'; END IF});

my $NOBODY = Ctt::NOBODY;

# Columns of the CTT, what the partner does, the number of the NTT that is
# wanted (1 has work orders), an earlier item whose CTT is meant again.
my @ITEMS = (
	[ {}, undef, 1 ],
	[ { source => 'TMF' }, undef, 1 ],
	[ {}, undef, 2 ],
	[ {}, { do => 'status', status => 400 }, 2 ],
	[ { source => 'TMF' }, { method => 'PATCH', do => 'status',
		status => 409 }, 1 ],
	[ {}, { do => 'cut', applied => 1, times => 3 }, 1 ],
	[ { source => 'TMF' }, { method => 'PATCH', do => 'status',
		status => 500, applied => 1, times => 3 }, 2 ],
	[ {}, { do => 'status', status => 503, times => 1 }, 2 ],
	[ { linked => 2 }, undef, 1 ],
	[ { title => 'refuse' }, undef, 1 ],
	[ {}, undef, $NOBODY ],
	[ undef, undef, 1 ],
	[ { source => 'TMF', status => 'Pending' }, undef, 2 ],
	[ undef, undef, 2, 0 ],
	[ undef, undef, 1, 3 ],
);

# The tickets of one set: A10 is CTT 10 of set A, and A90n its n-th NTT.
sub given_set ($set, $base) {
	my @items;

	$c->given(ntt => { id => $base + 900 + $_, ticket_no => $set . (900 + $_) })
	    for 1, 2;
	$c->given(work_order => { id => $base + 800 + $_,
		ntt_id => $base + 901, order_no => "W-$_" }) for 1, 2;
	for my $i (0 .. $#ITEMS) {
		my ($columns, $rule, $ntt, $again) = @{ $ITEMS[$i] };
		my $id = $base + 100 + ($again // $i);
		my %ctt = (id => $id, ticket_no => $set . (100 + $i),
			%{ $columns // {} });

		$ctt{linked} += $base + 900 if $ctt{linked};
		$c->given(ctt => \%ctt) if $columns;
		$c->rule(ticket => $ctt{ticket_no}, %$rule) if $rule;
		push @items, { cttId => $id, remark => "item $i",
			nttId => $ntt == $NOBODY ? $ntt : $base + 900 + $ntt };
	}
	return @items;
}

my @one = given_set('A', 1_000_000);
my @all = given_set('B', 2_000_000);

# Each answer as the bulk would give it.
my @singles = map {
	my $r = $c->post('/ticket/ctt/link', $_);
	my %p = %{ $r->{json} };
	delete @p{qw(type title status requestId ctt ntt)};
	my $op = delete $p{operationId};
	{ operationId => $op, %p ? (error => \%p) : () };
} @one;
my @results = map { { %$_{operationId},
	$_->{error} ? (error => $_->{error}) : () } }
    @{ $c->post('/ticket/ctt/link/bulk', { items => \@all })
	    ->{json}{results} };
ok $c->settle, 'all is settled';
ok $c->quiet, 'all jobs are delivered';

# ---- what was left, with what must differ given one name ----

my %item_of;
$item_of{ $singles[$_]{operationId} } = $item_of{ $results[$_]{operationId} }
    = "operation $_" for 0 .. $#ITEMS;

sub alike ($data) {
	my $text = Cpanel::JSON::XS->new->canonical->encode($data);

	$text =~ s{([0-9A-Z]{26})}{$item_of{$1} // $1}ge;
	$text =~ s/\b[12]000(\d{3})\b/$1/g;    # ids
	$text =~ s/\b[AB](\d{3})\b/$1/g;       # ticket numbers
	$text =~ s/(job-\d+)?-read-[0-9a-f]+/-read/g;
	$text =~ s/ \([^()]*\)//g;             # what became of a connection
	return $c->json($text);
}

sub rows_of ($first, $table, $columns, $where) {
	return [ map { my $row = $_;
		for my $json (grep { defined $row->{$_} }
			qw(payload detail steps)) {
			$row->{$json} = $c->json($row->{$json});
			splice @$_, 2, 2 for ref $row->{$json} eq 'ARRAY'
			    ? @{ $row->{$json} } : ();    # a step's times
			delete $row->{$json}{requestId}
			    if ref $row->{$json} eq 'HASH';
		}
		$row } $c->rows("SELECT $columns FROM $table WHERE $where",
		($first, $first + 999) x ($where =~ tr/?// / 2)) ];
}

sub by ($key, $rows) {
	return [ sort { $a->{$key} cmp $b->{$key} } @$rows ];
}

sub heard_of ($set) {
	my %heard;
	for my $call ($c->heard('taas'), $c->heard('tmf')) {
		next unless ($call->{ticket} // '') =~ /^$set/;
		push @{ $heard{ $call->{ticket} } }, { %$call{qw(method path key
			body status applied contentType authorization)} };
	}
	return \%heard;
}

my $ids = 'id BETWEEN ? AND ?';
for (
	[ 'ctt', sub ($b) { rows_of($b, 'ctt', 'id, ticket_no, status, source,'
		. ' ntt_id, ntt_ticket_no', "$ids ORDER BY id") } ],
	[ 'ntt', sub ($b) { rows_of($b, 'ntt', 'id, ticket_no, ctt_count',
		"$ids ORDER BY id") } ],
	[ 'operations', sub ($b) { by(id => alike(rows_of($b, 'operation',
		'id, kind, state, ctt_id, ntt_id, partner, actor, remark,'
		. ' error_code, steps', 'ctt_id BETWEEN ? AND ? OR'
		. ' ntt_id BETWEEN ? AND ?'))) } ],
	[ 'audit', sub ($b) { by(operation_id => alike(rows_of($b, 'audit_log',
		'entity_type, entity_id, action, outcome, actor, operation_id,'
		. ' detail', "entity_$ids ORDER BY entity_type"))) } ],
	[ 'jobs', sub ($b) { by(dedupe_key => alike(rows_of($b, 'job',
		'type, payload, dedupe_key, state',
		"JSON_VALUE(payload, '\$.cttId') BETWEEN ? AND ?"))) } ],
) {
	my ($name, $read) = @$_;
	my ($one, $all) = map { alike($read->($_)) } 1_000_000, 2_000_000;

	ok scalar @$one, "$name: there are some";
	is_deeply $all, $one, "$name: alike";
}
is_deeply alike(heard_of('B')), alike(heard_of('A')), 'the partners: alike';
is_deeply alike(\@results), alike(\@singles), 'the answers: alike';
isnt scalar(keys %{ heard_of('A') }), 0, 'and there were calls';

$c->agree;
$c->stop;
done_testing;
