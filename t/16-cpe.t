# POST /ticket/ctt/cpe/update/:id: what is known of a customer's equipment is
# corrected, at NIG and here, or nothing happens and the answer says why.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;

my $c = Ctt->start(set => { CTT_PARTNER_TIMEOUT_MS => 600 });
my $NOBODY = Ctt::NOBODY;
my @FACTS = qw(manufacturer model ipAddress bandwidthMbps port);
my @COLUMNS = qw(manufacturer model ip_address bandwidth_mbps port);
my %OLD = (manufacturer => 'Huawei', model => 'HG8245',
	ipAddress => '10.0.0.1', bandwidthMbps => 300, port => '1/1/1');
my %NEW = (manufacturer => 'ZTE', model => 'F660 "v2"',
	ipAddress => '2001:db8::1', bandwidthMbps => 1000,
	port => 'ge-0/0:1.2_x');
my $BEFORE = 'load_ctt:ok load_network_elements:ok check_eligible:ok'
	. ' check_current:ok check_idle:ok';

sub given_ctt (%columns) {
	return scalar $c->given(ctt => { source => 'TMF',
		segment_group => 'Managed Services', %columns });
}

# A CTT and its element, both eligible.
sub given_cpe (%columns) {
	my $ctt = given_ctt();
	return ($ctt, $c->given_element($ctt, %columns));
}

sub facts ($row) {
	my %facts;
	@facts{@FACTS} = @$row{@COLUMNS};
	return \%facts;
}

# ---- it works ----

sub rows_are_right ($r, $ctt, $element, $old, $new, @before) {
	my ($op, $row) = ($r->{json}{operationId},
		$c->row(network_element => $element));
	my ($copy, @copies) = $c->rows('SELECT * FROM corp_data_temp WHERE'
	    . ' network_element_id = ?', $element);
	my @history = $c->rows('SELECT * FROM cpe_history WHERE'
	    . ' network_element_id = ? ORDER BY id', $element);
	my $made = pop @history;

	is_deeply facts($row), $new, 'the row has it';
	is_deeply [ $copy->{ctt_id}, facts($copy), @copies ], [ $ctt, $new ],
	    'so has its one copy for reporting';
	is_deeply [ map { $_->{id} } @history ], \@before,
	    'what was before stays in the history';
	is_deeply [ @$made{qw(ctt_id actor operation_id)},
		map { $c->json($_) } @$made{qw(before_json after_json)} ],
	    [ $ctt, 'olga', $op, $old, $new ], 'with one row more';
	is $r->{json}{historyId}, $made->{id}, 'that is named';
	is_deeply $c->jobs($op), {}, 'no job';
	$c->is_journalled($op, 'CPE_UPDATE', 'NIG', "$BEFORE sync_partner:ok"
	    . ' save_local:ok write_history:ok write_audit:ok', "CTT $ctt");
	return $made->{id};
}

sub nig_heard ($r, $no, $name, $old, $new) {
	my ($call) = reverse $c->heard('nig', ticket => $no);

	$c->is_call($call, $r, $r->{json}{operationId}, method => 'PUT',
	    path => "/nig/cpe/$no/$name",
	    body => { current => $old, new => $new, actor => 'olga' });
}

{
	my $ntt = $c->given(ntt => {});
	my $ctt = given_ctt(linked => $ntt);
	my $old = $c->given_element($ctt, name => 'DSL-0', access_type => 'DSL');
	my $element = $c->given_element($ctt);
	my @history;

	# Once as it comes, once with all that can be said, once back.
	for (
		[ \%OLD, \%NEW ],
		[ \%NEW, { %NEW, bandwidthMbps => 400_000 }, current => \%NEW,
			networkElementId => $element, remark => 'new "box"' ],
		[ { %NEW, bandwidthMbps => 400_000 }, \%OLD ],
	) {
		my ($was, $new, %more) = @$_;
		my $r = $c->update_cpe($ctt, $new, %more);

		is $r->{status}, 200, 'updated' or diag $r->{raw};
		push @history, rows_are_right($r, $ctt, $element, $was, $new,
		    @history);
		nig_heard($r, "C-$ctt", "ONT-$ctt", $was, $new);
		is_deeply [ sort keys %{ $r->{json} } ], [ sort qw(operationId
			ctt networkElementId cpe networkElements historyId) ],
		    'the answer, and no more';
		is_deeply [ @{ $r->{json} }{qw(networkElementId cpe)},
			@{ $r->{json}{ctt} }{qw(id ticketNo nttId status)} ],
		    [ $element, $new, $ctt, "C-$ctt", $ntt, 'Open' ],
		    'says what is there now';
		is_deeply [ map { my $e = $_; [ @$e{qw(id name accessType)},
			{ %$e{@FACTS} } ] } @{ $r->{json}{networkElements} } ],
		    [ [ $old, 'DSL-0', 'DSL', \%OLD ],
			[ $element, "ONT-$ctt", 'FTTH', $new ] ],
		    'and all elements';
	}
}

# The answer is what is stored, not what was sent.
{
	my ($ctt, $element) = given_cpe();

	$c->do(q{CREATE TRIGGER upper BEFORE UPDATE ON network_element
		FOR EACH ROW SET NEW.model = UPPER(NEW.model)});
	my $r = $c->update_cpe($ctt, { %NEW, model => 'small' });
	is_deeply [ $r->{json}{cpe}{model},
		$r->{json}{networkElements}[0]{model} ], [ 'SMALL', 'SMALL' ],
	    'the answer is rebuilt from what is stored';
	$c->do('DROP TRIGGER upper');
	is $c->update_cpe($ctt, \%NEW)->{status}, 200, 'all is well again';
}

{
	my ($ctt, $element) = given_cpe(manufacturer => undef, model => undef,
		ip_address => undef, bandwidth_mbps => undef, port => undef,
		name => 'a/b ?');
	my %none = map { $_ => undef } @FACTS;
	my $r = $c->update_cpe($ctt, \%NEW, current => \%none);

	is $r->{status}, 200, 'an element of which nothing was known';
	is scalar $c->heard('nig', path => "/nig/cpe/C-$ctt/a%2Fb%20%3F"), 1,
	    'with an odd name';
}

# ---- fields ----

sub fields ($r) {
	return [ $r->{status}, $r->{json}{code} // '',
		map { $_->{field} } @{ $r->{json}{errors} // [] } ];
}

# Good values, and bad ones, of each field; bad ones change nothing. A good one
# that is stored as another one is a pair.
my %VALUES = (
	manufacturer => [ [ 'x', 'x' x 64, "\x{fc}" x 64, '" \\ %', '0',
			[ "\x{a0} a b\t\n", 'a b' ],
			[ ' ' x 80 . 'y' x 64, 'y' x 64 ] ],
		[ '', ' ', 'x' x 65, "a\tb", "a\nb", "a\x7f", 7, [], {}, \1,
			undef ] ],
	model => [ [ 'x', 'x' x 64, "\x{1f600}" x 64, [ ' z ', 'z' ] ],
		[ '', "\x{3000}", 'x' x 65, "\x01", 7, [], undef ] ],
	bandwidthMbps => [ [ 1, 2, 399_999, 400_000 ],
		[ 0, -1, 400_001, 4_294_967_296, 1.5, '300', \1, undef ] ],
	port => [ [ '1', 'x' x 32, 'GE-0/0/1:2.3_b', ':', 'LAN 1', 'a+b;c',
			"\x{fc}\x{e9}", [ " WAN  2\n", 'WAN  2' ] ],
		[ '', ' ', 'x' x 33, "a\tb", "1\x{85}2", 1, undef ] ],
	ipAddress => [ [ qw(1.0.0.0 10.0.0.1 100.64.0.1 172.16.254.1
		192.168.255.255 203.0.113.9 223.255.255.254 2001:db8::
		fd00::1:2 ::ffff:10.1.2.3 2001:db8:1:2:3:4:5:6),
		[ '2001:DB8::AbCd', '2001:db8::abcd' ],
		[ '2001:0db8:0:0:0:0:0:0001', '2001:db8::1' ],
		[ '64:ff9b::192.0.2.33', '64:ff9b::c000:221' ],
		[ ' 1.2.3.4', '1.2.3.4' ], [ "1.2.3.5\x{a0}\n", '1.2.3.5' ] ],
		[ '', qw(0.0.0.0 0.1.2.3 224.0.0.1 239.255.255.255 240.0.0.1
		127.0.0.1 127.1.2.3 169.254.1.1 ::1 0::0:1 fe80::1 FE80::1
		febf::1 ::ffff:127.0.0.1 ::ffff:169.254.1.1
		255.255.255.255 256.1.1.1 1.2.3 1.2.3.4.5 01.2.3.4 1.2.3.04
		1.2.3.4/24 1.2.3.-4 0x7f.1.1.1 127.1 3232235777 :: ff02::1
		ff0e::1:2 fe80::1%eth0 2001:db8:::1 2001:db8::1::2
		1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 12345::1 g::1 [::1] ::1/64
		2001:db8::1:80x ::ffff:256.1.1.1 ::ffff:224.0.0.1 localhost),
		"1.2.\t3.4", "\x{661}.2.3.4",
		'1' x 46, 16_909_060, undef ] ],
);

my ($ctt, $element) = given_cpe();
for my $field (@FACTS) {
	my ($good, $bad) = @{ $VALUES{$field} };

	for (@$good) {
		my ($value, $stored) = ref ? @$_ : ($_, $_);
		is $c->update_cpe($ctt, { %NEW, $field => $value })
		    ->{json}{cpe}{$field} // '', $stored,
		    "$field: " . (length $value > 40 ? 'long' : $value);
	}
	my $before = $c->tables;
	is_deeply [ grep { "@{ fields($c->update_cpe($ctt, { %NEW,
		$field => $_ })) }" ne "422 VALIDATION_FAILED new.$field" }
		@$bad ], [], "$field: " . @$bad . ' bad values';
	is_deeply $c->tables, $before, 'nothing was changed';
}

# What is left out stays; what is named alone is changed.
for my $field (@FACTS) {
	my ($id, $at) = given_cpe();
	my $r = $c->update_cpe($id, { $field => $NEW{$field}, x => 1 },
	    current => \%OLD);
	my %want = (%OLD, $field => $NEW{$field});

	is_deeply [ $r->{status}, $r->{json}{cpe}, facts($c->row(
		network_element => $at)), [ $c->heard('nig', ticket =>
		"C-$id") ]->[-1]{body}{new} ], [ 200, (\%want) x 3 ],
	    "$field alone";
}

# A value that is stored is right, whatever it is, and stays as it is.
{
	my %odd = (manufacturer => undef, model => "a\tb", ip_address =>
		'127.0.0.1', bandwidth_mbps => 500_000, port => ' LAN 1 ');
	my ($id, $at) = given_cpe(%odd);
	my %seen = %{ facts($c->row(network_element => $at)) };

	for my $sent ({ %seen, port => 'LAN 1' }, { %seen, manufacturer => '' },
	    { %seen, port => "LAN 1\x{a0}" }) {
		my $r = $c->update_cpe($id, $sent, current => $sent);
		is_deeply [ $r->{status}, facts($c->row(network_element =>
			$at)) ], [ 200, \%seen ], 'what is stored is right'
		    or diag $r->{raw};
	}
	is_deeply fields($c->update_cpe($id, { model => "a\tc", ipAddress =>
		'127.0.0.2', bandwidthMbps => 500_001, port => "1\t",
		manufacturer => "\t" })), [ 422, 'VALIDATION_FAILED',
		qw(new.model new.ipAddress new.bandwidthMbps) ],
	    'another one like it is not';
	is $c->update_cpe($id, { ipAddress => '10.0.0.9' })->{json}{cpe}
	    {ipAddress}, '10.0.0.9', 'and one thing can be put right';
}

# An address is one however it is written.
{
	my ($id, $at) = given_cpe(ip_address => '2001:DB8::0:A');
	my %seen = (%OLD, ipAddress => '2001:db8::a');

	is $c->update_cpe($id, { port => '2' }, current => \%seen)->{status},
	    200, 'seen in another form, it is not stale';
	is_deeply fields($c->update_cpe($id, { ipAddress => '::1' })),
	    [ 422, 'VALIDATION_FAILED', 'new.ipAddress' ], 'another is checked';
	is $c->update_cpe($id, { ipAddress => '2001:db8:0:0:0:0:0:a' })
	    ->{json}{cpe}{ipAddress}, '2001:DB8::0:A', 'the same one stays';
}

for (
	[ 'nothing', {}, 'new' ],
	[ 'no objects', { new => [], current => 1 }, qw(new current) ],
	[ 'an empty one', { new => {} }, 'new' ],
	[ 'one that names nothing', { new => { x => 1 } }, 'new' ],
	[ 'what is seen', { new => \%NEW, current => { %OLD, model => 7,
		bandwidthMbps => 'x' } }, qw(current.model
		current.bandwidthMbps) ],
	[ 'an element\'s name', { new => \%NEW, networkElementId => 'x' },
		'networkElementId' ],
	[ 'all at once', { new => { %NEW, port => 1, model => [] },
		networkElementId => 0, remark => "\a" },
		qw(new.model new.port networkElementId remark) ],
) {
	my ($name, $body, @fields) = @$_;
	my $r = $c->post("/ticket/ctt/cpe/update/$ctt", $body,
	    Authorization => 'Bearer ' . $c->token(roles => ['ctt-cpe']));

	is_deeply [ sort @{ fields($r) } ], [ sort 422, 'VALIDATION_FAILED',
		@fields ], "fields: $name";
	ok !grep({ !$_->{message} } @{ $r->{json}{errors} }), 'each says why';
}
for my $id (qw(0 x C-1000 9007199254740992)) {
	is $c->update_cpe($id, \%NEW)->{status}, 404, "/$id is no path";
}

# ---- who may ----

for (
	[ 403, 'ctt-operator' ], [ 403, 'ctt-viewer' ], [ 200, 'ctt-cpe' ],
	[ 200, 'ctt-admin' ],
) {
	my ($status, $role) = @$_;
	is $c->post("/ticket/ctt/cpe/update/$ctt", { new => \%NEW },
	    Authorization => 'Bearer ' . $c->token(roles => [$role]))
	    ->{status}, $status, "$role: $status";
}
{
	my $cpe = 'Bearer ' . $c->token(roles => ['ctt-cpe']);
	is $c->post('/ticket/ctt/link', { cttId => 1, nttId => 1 },
	    Authorization => $cpe)->{status}, 403, 'and nothing but that';
	is $c->get("/ticket/ctt/$ctt", Authorization => $cpe)->{status}, 200,
	    'but reading';
}

# ---- the gates ----

my %STALE = (current => { %OLD, port => 'other' });

# name, what is there, what is asked beside `new`, status, code, the step that
# fails, a member of the problem. Each also fails the gates behind its own,
# where it can.
for (
	[ 'no such CTT', sub { $NOBODY }, 404, 'CTT_NOT_FOUND', 'load_ctt' ],
	[ 'no network element', sub { my $id = given_ctt();
		$c->plant_busy($id); ($id, %STALE) },
		404, 'NETWORK_ELEMENT_NOT_FOUND', 'load_network_elements' ],
	[ 'no such element', sub { my ($id) = given_cpe();
		($id, %STALE, networkElementId => $NOBODY) },
		404, 'NETWORK_ELEMENT_NOT_FOUND', 'load_network_elements' ],
	[ 'an element of another CTT', sub { my ($id) = given_cpe();
		my (undef, $other) = given_cpe();
		($id, networkElementId => $other) },
		404, 'NETWORK_ELEMENT_NOT_FOUND', 'load_network_elements' ],
	[ 'two on FTTH, and none named', sub { my ($id) = given_cpe();
		$c->given_element($id, name => 'ONT-2'); ($id, %STALE) },
		422, 'VALIDATION_FAILED', 'load_network_elements',
		sub ($p, $) { is $p->{errors}[0]{field}, 'networkElementId',
			'says which field' } ],
	[ 'another segment', sub { my $id = given_ctt(segment_group =>
		'Retail'); $c->given_element($id); $c->plant_busy($id);
		($id, %STALE) }, 422, 'CPE_NOT_ELIGIBLE', 'check_eligible' ],
	[ 'no segment', sub { my $id = given_ctt(segment_group => '');
		$c->given_element($id); $id },
		422, 'CPE_NOT_ELIGIBLE', 'check_eligible' ],
	[ 'not on FTTH', sub { my ($id) = given_cpe(access_type => 'DSL');
		($id, %STALE) }, 422, 'CPE_NOT_ELIGIBLE', 'check_eligible' ],
	[ 'named, and not on FTTH', sub { my ($id) = given_cpe();
		($id, networkElementId => $c->given_element($id, name => 'x',
			access_type => 'DSL')) },
		422, 'CPE_NOT_ELIGIBLE', 'check_eligible' ],
	(map { my ($field, $value) = @$_;
		[ "stale: $field", sub { my ($id) = given_cpe();
			$c->plant_busy($id);
			($id, current => { %OLD, $field => $value }) },
			409, 'CPE_STALE', 'check_current', sub ($p, $) {
				is_deeply $p->{stored}, \%OLD,
				    'with what is stored' } ]
	} [ manufacturer => 'huawei' ], [ model => undef ],
		[ ipAddress => '10.0.0.2' ], [ bandwidthMbps => 301 ],
		[ port => '1/1' ]),
	[ 'stale: all missing', sub { my ($id) = given_cpe();
		($id, current => {}) }, 409, 'CPE_STALE', 'check_current' ],
	[ 'an operation under way', sub { my ($id) = given_cpe();
		$c->plant_busy($id, kind => 'RESOLVE'); $id },
		409, 'OPERATION_IN_PROGRESS', 'check_idle',
		sub ($p, $id) { is $p->{openOperationId}, "busy-$id",
			'says which' } ],
) {
	my ($name, $make, $status, $code, $step, $more) = @$_;
	my ($id, @ask) = $make->();
	my ($before, $calls) = ($c->tables, scalar $c->heard('nig'));
	my $r = $c->update_cpe($id, \%NEW, @ask);

	$c->is_problem($r, $status, $code, $name);
	$more->($r->{json}, $id) if $more;
	is_deeply $c->tables, $before, 'nothing was written';
	is scalar $c->heard('nig'), $calls, 'NIG was not asked';
	my $op = $r->{json}{operationId};
	is_deeply [ @{ $c->row(operation => $op) }{qw(state error_code)} ],
	    [ 'REFUSED', $code ], 'the journal has it as refused';
	is $c->trace($op), $BEFORE =~ s/\b$step:ok.*/$step:failed/r, "at $step";
	$c->unplant;
}

{
	my ($id, $first) = given_cpe();
	my $second = $c->given_element($id, name => 'ONT-2');
	is $c->update_cpe($id, \%NEW, networkElementId => $second)
	    ->{json}{networkElementId}, $second, 'the one that is named';
	is_deeply facts($c->row(network_element => $first)), \%OLD,
	    'and not the other';
}

# ---- NIG refuses, or nobody knows ----

for (
	[ 'refuses', { do => 'status', status => 400 }, 'refused',
		'ROLLED_BACK' ],
	[ 'does not know it', { do => 'status', status => 404 }, 'refused',
		'ROLLED_BACK' ],
	[ 'cuts', { do => 'cut' }, 'unknown', 'COMPENSATED' ],
	[ 'cuts after the fact', { do => 'cut', applied => 1 }, 'unknown',
		'COMPENSATED' ],
	[ 'has an accident after the fact', { do => 'status', status => 500,
		applied => 1 }, 'unknown', 'COMPENSATED' ],
	[ 'hangs after the fact', { do => 'hang', applied => 1 }, 'unknown',
		'COMPENSATED' ],
) {
	my ($what, $rule, $outcome, $end) = @$_;
	my ($id, $at) = given_cpe();
	my %before = %{ $c->tables };

	$c->rule(ticket => "C-$id", %$rule);
	my $r = $c->update_cpe($id, \%NEW, current => \%OLD);
	$c->is_problem($r, 502, 'EXTERNAL_SYNC_FAILED', "NIG $what");
	is_deeply [ @{ $r->{json} }{qw(partner partnerOutcome partnerStatus
		settled)} ], [ 'NIG', $outcome, $rule->{status},
		$outcome eq 'refused' ? 1 : 0 ], 'says what is known';
	is_deeply { %{ $c->tables }, audit_log => 0 },
	    { %before, audit_log => 0 }, 'nothing is changed here';
	$c->no_rules;
	ok $c->settle, 'it settles';

	my $op = $r->{json}{operationId};
	is $c->row(operation => $op)->{state}, $end, $end;
	is_deeply $c->audits($op), ["CTT $id CPE_UPDATE $end"],
	    'one audit row';
	is $c->trace($op), "$BEFORE sync_partner:" . ($outcome eq 'refused'
		? 'failed' : 'unknown') . ' write_audit:ok', 'the trace';
	my @calls = $c->heard('nig', ticket => "C-$id");
	is_deeply $outcome eq 'refused' ? \%OLD : $calls[-1]{body}{new}, \%OLD,
	    'NIG has the old values again';
	is_deeply $calls[-1]{body}{current}, \%NEW, 'in place of the new ones'
	    if $outcome ne 'refused';
	like $c->row(operation => $op)->{steps}, qr/; undone at NIG"/,
	    'and the trace says so' if $outcome ne 'refused';
	is_deeply facts($c->row(network_element => $at)), \%OLD, 'so has the row';
	$c->agree("NIG $what: both sides");
	is $c->update_cpe($id, \%NEW, current => \%OLD)->{status}, 200,
	    'it can be tried again';
}

# ---- the database refuses: NIG is told of the old values again ----

{
	my ($id, $at) = given_cpe();

	$c->do(q{CREATE TRIGGER refuse BEFORE INSERT ON cpe_history FOR EACH ROW
		SIGNAL SQLSTATE '45000'});
	my $r = $c->update_cpe($id, \%NEW);
	$c->is_problem($r, 500, 'DB_SAVE_FAILED', 'a history that cannot be written');
	$c->do('DROP TRIGGER refuse');
	ok $c->settle, 'it settles';
	is $c->row(operation => $r->{json}{operationId})->{state},
	    'COMPENSATED', 'undone';
	is_deeply [ facts($c->row(network_element => $at)), $c->sim_state
		->{nig}{"C-$id/ONT-$id"} ], [ \%OLD, \%OLD ], 'on both sides';
	is $c->one('SELECT COUNT(*) FROM corp_data_temp WHERE ctt_id = ?', $id),
	    0, 'and in the copy';
}

# ---- ten at once: what each of them saw is what it replaced ----

{
	my ($id, $at) = given_cpe();
	my @r = $c->parallel(10, sub ($i) { $c->update_cpe($id, { %NEW,
		bandwidthMbps => 1 + $i }, current => \%OLD) });

	is scalar(grep { $_->{status} == 200 } @r), 1,
	    'of ten that saw the same, one wins';
	is_deeply [ grep { $_->{status} != 200 && $_->{json}{code} !~
		/^(CPE_STALE|OPERATION_IN_PROGRESS)$/ } @r ], [],
	    'the others are told';
	is $c->one('SELECT COUNT(*) FROM cpe_history WHERE ctt_id = ?', $id), 1,
	    'one row of history';
}

ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
