package Scenes;

# Operations of every kind and end, as the partners of a stack bring them about:
#
#	my $ops = Scenes::play($c);	# { linked => $operation_id, ... }
#
# The stack wants CTT_PARTNER_LATE_S => 1 and a CTT_PARTNER_TIMEOUT_MS of some
# hundred ms, or it takes long. The rules that are left open are in
# `pending`; $c->no_rules ends them.

use v5.36;

# What a partner may answer, that must be shown as text.
use constant HOSTILE => '<script>document.title = "taken"</script>'
    . " \x{202e}gnp.exe\x{202c} " . "\x{1f525}" x 255;

my %NO = (do => 'status', status => 422,
	body => { error => 'the ticket is locked' });
my %GONE = (do => 'status', status => 404, body => { error => 'no such link' });
my %CUT = (do => 'cut');
my %DONE = (do => 'cut', applied => 1);

sub play ($c) {
	my %op = (links($c), unlinks($c), moves($c), resolves($c), cpes($c));

	$c->settle(40);
	$c->no_rules;
	return { %op, pending($c) };
}

sub op_of ($r) {
	return $r->{json}{operationId} // $r->{json}{results}[0]{operationId};
}

# The operation of a call that meets a rule; what the partner does later, if it
# does.
sub under ($c, $rule, $call, $later = undef) {
	my $id = $c->rule(%$rule);
	my $op = op_of($call->());

	$c->rule(%$later) if $later;
	$c->sim(DELETE => "/rules/$id");
	return $op;
}

sub links ($c) {
	my ($ntt) = $c->given(ntt => { title => 'OLT down' });
	$c->given(work_order => { ntt_id => $ntt, status => 'Open' });
	my $new = sub (%more) {
		return scalar $c->given(ctt => { source => 'TAAS', %more });
	};
	my $link = sub ($ctt, $to = $ntt) {
		return sub () { $c->link($ctt, $to, remark => 'OLT down') };
	};
	my ($taas, $tmf, $lost, $quiet, $never, $mean, $busy) = ($new->(),
		$new->(source => 'TMF'), map { $new->() } 1 .. 5);

	my %op = (linked => op_of($link->($taas)->()),
		linked_tmf => op_of($link->($tmf)->()),
		linked_already => op_of($link->($taas)->()),
		no_ctt => op_of($link->('C-NOWHERE')->()),
		no_ntt => op_of($link->($busy, 'N-NOWHERE')->()),
		refused => under($c, { ticket => "C-$mean", %NO,
			body => { error => HOSTILE } }, $link->($mean)),
		compensated => under($c, { ticket => "C-$lost", %DONE },
			$link->($lost)),
		rolled_back => under($c, { ticket => "C-$never",
			do => 'status', status => 503 }, $link->($never)),
		assumed => under($c, { ticket => "C-$quiet", %CUT },
			$link->($quiet), { ticket => "C-$quiet", %GONE }));

	$c->plant_busy($busy);
	$op{in_progress} = op_of($link->($busy)->());
	$c->unplant;
	return %op;
}

sub unlinks ($c) {
	my ($ntt) = $c->given(ntt => { title => 'Fibre cut' });
	my ($plain, $gone, $lost, $other) = $c->given(map {
		(ctt => { linked => $ntt }) } 1 .. 4);
	$c->given_activity($plain);
	my $free = sub ($ctt, %more) {
		return sub () { $c->unlink_from($ntt, [$ctt], %more) };
	};
	my $force = sub () {
		return $c->post('/ticket/ctt/unlink', { nttId => $ntt,
			cttIds => [$gone], force => \1 }, Authorization =>
		    'Bearer ' . $c->token(roles => ['ctt-admin']));
	};

	$c->sim(DELETE => "/ticket/taas/C-$gone");
	return (unlinked => op_of($free->($plain, remark => 'loose cable')->()),
		not_linked => op_of($free->($plain)->()),
		blocked => op_of($c->link($plain, $ntt)),
		forced => op_of($force->()),
		unlink_refused => under($c, { ticket => "C-$other", %NO },
			$free->($other)),
		unlink_compensated => under($c, { ticket => "C-$lost", %DONE },
			$free->($lost)));
}

# The unlink of a move whose halves meet these rules.
sub move ($c, %half) {
	my ($from, $to) = $c->given(ntt => { title => 'Power' },
		ntt => { title => 'Fibre cut' });
	my ($ctt) = $c->given(ctt => { linked => $from });
	my %path = (link => [ 'link', $to ], back => [ 'link', $from ],
		unlink => [ 'unlink', $from ]);

	my @rules = map { $c->rule(ticket => "C-$ctt",
		path => "/$path{$_}[0]\$", says => "\"N-$path{$_}[1]\"",
		%{ $half{$_} }) } sort keys %half;
	$c->move_to($to, [$ctt]);
	$c->settle(30);
	$c->sim(DELETE => "/rules/$_") for @rules;
	return ($c->column('SELECT id FROM operation WHERE ctt_id = ?'
		. ' ORDER BY seq', $ctt))[0];
}

sub moves ($c) {
	return (moved => move($c), move_restored => move($c, link => \%NO),
		move_lost => move($c, link => \%NO, back => \%NO));
}

sub resolves ($c) {
	my ($ntt) = $c->given(ntt => { title => 'Flood' });
	my ($plain, $local, $lost, $closed) = $c->given(
		ctt => { ticket_no => 'TaaS-9001', linked => $ntt },
		ctt => { external_sync => 0 },
		ctt => { ticket_no => 'TaaS-9002' },
		ctt => { status => 'Closed' });
	my %of = map { $_ => $c->given_activity($_) } $plain, $local, $lost,
	    $closed;
	my $close = sub ($ctt, %more) {
		return sub () { $c->resolve($of{$ctt}, $ctt, %more) };
	};

	return (resolved => op_of($close->($plain, remark => 'card replaced')
		->()), resolved_local => op_of($close->($local)->()),
		codes_wrong => op_of($close->($lost, causeCode => 'MAGIC')->()),
		terminal => op_of($close->($closed)->()),
		resolve_settled => under($c, { ticket => 'TaaS-9002', %DONE },
			$close->($lost)));
}

sub cpes ($c) {
	my ($good, $poor, $lost) = $c->given(map {
		(ctt => { segment_group => $_ }) } 'Managed Services', 'Retail',
		'Managed Services');
	$c->given_element($_) for $good, $poor, $lost;
	my $update = sub ($ctt, %more) {
		return sub () { $c->update_cpe($ctt, { model => 'G-2425' },
			%more) };
	};

	return (cpe => op_of($update->($good)->()),
		cpe_stale => op_of($update->($good, current => {
			manufacturer => 'Huawei', model => 'HG8245',
			ipAddress => '10.0.0.1', bandwidthMbps => 300,
			port => '1/1/1' })->()),
		cpe_not_eligible => op_of($update->($poor)->()),
		cpe_lost => under($c, { ticket => "C-$lost", %DONE },
			$update->($lost)));
}

# These stay open until the rules are taken away.
sub pending ($c) {
	my ($link, $resolve) = $c->given(ctt => {},
		ctt => { ticket_no => 'TaaS-9003' });
	my ($ntt) = $c->given(ntt => { title => 'Power' });
	my $activity = $c->given_activity($resolve);
	$c->rule(ticket => $_, %DONE) for "C-$link", 'TaaS-9003';

	return (link_pending => op_of($c->link($link, $ntt)),
		resolve_pending => op_of($c->resolve($activity, $resolve)));
}

1;
