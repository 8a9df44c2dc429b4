# As 60-bulk-equals-singles.t does for link: one bulk of N unlinks, moves or
# resolves and N single ones are one path. They leave the same rows, say the
# same words to the partners, and give each item the same outcome.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start(set => { CTT_PARTNER_TIMEOUT_MS => 1000 });
my $NOBODY = Ctt::NOBODY;

# Columns of the CTT (linked: to the first NTT or the second), whether it has
# an activity, and what the partner does.
my @ITEMS = (
	[ { linked => 1 } ],
	[ { linked => 1, source => 'TMF' }, 1 ],
	[ { linked => 2 }, 1 ],
	[ {}, 1 ],
	[ undef ],
	[ { linked => 1 }, 1, { do => 'status', status => 400 } ],
	[ { linked => 1, source => 'TMF' }, 1, { method => 'PATCH',
		do => 'status', status => 409 } ],
	[ { linked => 1 }, 1, { do => 'cut', applied => 1, times => 3 } ],
	[ { linked => 1, source => 'TMF' }, 1, { method => 'PATCH',
		do => 'status', status => 500, times => 3 } ],
	[ { linked => 1, status => 'Closed' }, 1 ],
	[ { linked => 1, external_sync => 0 }, 1 ],
);

# The request for some CTTs of a set whose NTTs are these.
my %FLOW = (
	unlink => sub ($n1, $n2, @ctts) {
		$c->post('/ticket/ctt/unlink/bulk', { remark => 'r', items => [
			map { { cttId => $_, nttId => $n1 } } @ctts ] }) },
	move => sub ($n1, $n2, @ctts) {
		$c->move_to($n2, \@ctts, remark => 'r') },
	resolve => sub ($n1, $n2, @ctts) {
		$c->post('/ticket/ctt/bulk-resolve-by-ticket-id',
		    { ticketIds => \@ctts, $c->codes, remark => 'r' }) },
);

sub given_set ($set, $base) {
	my @ntts = map { scalar $c->given(ntt => { id => $base + 900 + $_,
		ticket_no => $set . (900 + $_) }) } 1, 2;
	my @ctts;

	for my $i (0 .. $#ITEMS) {
		my ($columns, $active, $rule) = @{ $ITEMS[$i] };
		my $id = $base + 100 + $i;
		my $no = ($i % 2 ? 'TaaS' : '') . $set . (100 + $i);

		push @ctts, $columns ? $id : $NOBODY;
		next unless $columns;
		my %ctt = (id => $id, ticket_no => $no, %$columns);
		$ctt{linked} = $ntts[ $ctt{linked} - 1 ] if $ctt{linked};
		$c->given(ctt => \%ctt);
		$c->given_activity($id) if $active;
		$c->rule(ticket => $no, key => '-sync$', %$rule) if $rule;
	}
	return (@ntts, @ctts);
}

# What is left, with what must differ given one name.
sub alike ($base, $data) {
	my $text = Cpanel::JSON::XS->new->canonical->encode($data);
	my %op;

	$text =~ s/([0-9A-HJKMNP-TV-Z]{26})/'op ' . ($op{$1} \/\/= keys %op)/ge;
	$text =~ s/\b(TaaS)?[A-F](\d{3})\b/$2/g;
	$text =~ s/\b$base(\d{3})\b/$1/g;
	$text =~ s/(job-\d+)?-read-[0-9a-f]+/-read/g;
	$text =~ s/\d{4}-\d\d-\d\dT[\d:.]+Z/now/g;
	$text =~ s/(activityId\\":)\d+/$1 0/g;
	return $c->json($text);
}

my $ids = 'BETWEEN ? AND ?';
my %LEFT = (
	ctt => 'SELECT id, ticket_no, status, ntt_id, ntt_ticket_no,'
	    . " resolved_at IS NULL n FROM ctt WHERE id $ids ORDER BY id",
	ntt => "SELECT id, ctt_count FROM ntt WHERE id $ids ORDER BY id",
	operations => 'SELECT ctt_id, kind, state, ntt_id, partner, remark,'
	    . ' error_code, JSON_EXTRACT(steps, "$[*][0]") s,'
	    . ' JSON_EXTRACT(steps, "$[*][1]") o FROM operation'
	    . " WHERE ctt_id $ids ORDER BY ctt_id, kind, ntt_id, state",
	audit => 'SELECT entity_type, entity_id, action, outcome, detail FROM'
	    . " audit_log WHERE entity_id $ids ORDER BY entity_type,"
	    . ' entity_id, action, JSON_VALUE(detail, "$.cttTicketNo")',
	jobs => 'SELECT type, state, JSON_VALUE(payload, "$.cttId") id,'
	    . ' JSON_VALUE(payload, "$.nttId") n FROM job WHERE'
	    . " JSON_VALUE(payload, '\$.cttId') $ids ORDER BY id, type",
	activities => 'SELECT a.ctt_id, type, status, cause_code, text FROM'
	    . ' ctt_activity a LEFT JOIN activity_note n ON n.activity_id ='
	    . " a.id WHERE a.ctt_id $ids ORDER BY a.ctt_id, a.id",
);

sub heard_of (@ctts) {
	my %nos = map { $_ => 1 } $c->column('SELECT ticket_no FROM ctt WHERE'
	    . ' id IN (' . join(', ', @ctts) . ')');
	my %heard;

	push @{ $heard{ $_->{ticket} } }, { %$_{qw(method path key body status
		applied)} } for grep { $nos{ $_->{ticket} // '' } }
	    $c->heard('taas'), $c->heard('tmf');
	return [ map { $heard{$_} // [] } sort { substr($a, -3) <=>
		substr($b, -3) } keys %nos ];
}

sub told (@results) {
	return [ map { { outcome => $_->{outcome}, map { my $e = $_;
		map { $_ => $e->{$_} } grep { exists $e->{$_} } qw(code partner
			partnerOutcome partnerStatus settled restored) }
		$_->{error} // () } } @results ];
}

my ($set, $base) = ('A', 1000);
for my $flow (sort keys %FLOW) {
	my @sets = map { [ $base++, given_set($set++, ($base - 1) * 1000) ] }
	    0, 1;
	my ($single, $bulk) = map { my (undef, $n1, $n2, @ctts) = @$_;
		sub (@some) { @{ $FLOW{$flow}->($n1, $n2, @some)->{json}
			{results} } } } @sets;
	my @answers = (told(map { $single->($_) } @{ $sets[0] }[ 3 .. 2 +
		@ITEMS ]), told($bulk->(@{ $sets[1] }[ 3 .. 2 + @ITEMS ])));

	ok $c->settle, "$flow: all is settled";
	ok $c->quiet, 'all jobs are delivered';
	is_deeply $answers[1], $answers[0], 'the answers: alike';
	for my $what (sort keys %LEFT) {
		my ($one, $all) = map { my $first = $_->[0] * 1000;
			alike($_->[0], [ $c->rows($LEFT{$what}, $first,
				$first + 999) ]) } @sets;
		ok scalar @$one, "$what: there are some";
		is_deeply $all, $one, 'alike';
	}
	my ($one, $all) = map { my ($first, undef, undef, @ctts) = @$_;
		alike($first, heard_of(@ctts)) } @sets;
	ok scalar(grep { @$_ } @$one), 'the partners were told';
	is_deeply $all, $one, 'alike';
	$c->no_rules;
}

$c->agree;
$c->stop;
done_testing;
