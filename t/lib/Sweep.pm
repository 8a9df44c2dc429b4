package Sweep;

# A crash sweep: each flow, for one CTT and for five, is broken at point after
# point; then it settles, and all must be whole. Without CTT_SWEEP=full a few
# points of each are taken, and CTT_SWEEP_SEED (a number) takes others.
# CTT_SWEEP_KIND (a regular expression) takes some kinds of breaks only.
#
#	Sweep::flows($c, 'pool killed', sub ($at, @) {
#		$at->('before', sub ($ch) { ... });
#		$at->('after', sub ($ch) { ... });
#	});
#	Sweep::table();

use v5.36;

use Changes ();
use Fcntl qw(LOCK_EX);
use Test::More;

use constant FULL => ($ENV{CTT_SWEEP} // '') eq 'full';

my $SEED = $ENV{CTT_SWEEP_SEED} // 1;
my $KIND = $ENV{CTT_SWEEP_KIND} // '';
my %DONE = map { $_ => 1 } qw(linked unlinked moved resolved updated);
my %row;    # of the table, by "kind flow batch"
my @rows;   # these, in their order

# ---- the sweep ----

# Calls $sweep->($at, $route, $n) for each flow and batch. $at->($point, $break)
# is one run: $break->($ch) asks for the change $ch, breaks something at this
# point, and returns the answer, and whether it came to the break; $at returns
# the latter.
sub flows ($c, $kind, $sweep) {
	return if $kind !~ $KIND;
	for my $route (Changes::routes($c)) {
		my ($flow, @sizes) = Changes::flow($route);
		sweep($c, $kind, $flow, $route, $_, $sweep) for @sizes;
	}
}

sub sweep ($c, $kind, $flow, $route, $n, $sweep) {
	my $name = sprintf '%-34s %-10s %5d', $kind, $flow, $n;
	my (%points, @faults);

	push @rows, $name unless $row{$name};
	my $row = $row{$name} //= { points => 0, runs => 0, failures => 0 };
	$sweep->(sub ($point, $break) {
		my $ch = given($c, $route, $n);
		my ($r, $broken) = $break->($ch);
		my @f = faults($c, $ch, $r);
		$points{$point} = 1 if $broken;
		$row->{runs}++;
		$row->{failures}++ if @f;
		push @faults, map { "$point: $_" } @f;
		return $broken;
	}, $route, $n);
	$row->{points} += keys %points;
	ok keys %points, "$kind, $route, $n: it breaks";
	is_deeply \@faults, [], keys(%points) . ' times, and is whole';
}

# Kills a process at its system calls: $one->($ch, $call, $n) is one request,
# with a death at this call, or none. It returns the answer, whether there was
# a death, and the Strace.
sub calls ($at, $few, $one) {
	my %calls;

	$at->('none', sub ($ch) {
		my ($r, undef, $strace) = $one->($ch);
		%calls = $strace->counts;
		return $r;
	});
	my $try = sub ($call, $n) {
		return $at->("$call $n", sub ($ch) { $one->($ch, $call, $n) });
	};
	my @points = map { my $call = $_; map { [ $call, $_ ] }
		1 .. $calls{$call} } sort keys %calls;
	# the count of some calls is not the same each time
	grep { $try->(@$_) } some($few, @points) or $try->(@{ $points[0] });
	return unless FULL;
	# and on, until it gets through
	for my $call (sort keys %calls) {
		1 while $try->($call, ++$calls{$call});
	}
}

# Of a number of points all, or a few: each time others.
sub some ($few, @points) {
	state $times = $SEED;
	my $step = @points / $few;
	my $begin = ++$times * 0.618;

	return @points if FULL || $step <= 1;
	$begin -= int $begin;
	return map { $points[ ($_ + $begin) * $step ] } 0 .. $few - 1;
}

# All rows, and with them the file that tells which there were: the worker does
# not write it meanwhile.
sub forget ($c) {
	my $file = $c->env('CTT_AUDIT_HEADS_FILE');

	open my $heads, '>>', $file or die "$file: $!\n";
	flock $heads, LOCK_EX or die "$file: $!\n";
	$c->dbh->begin_work;
	$c->do("DELETE FROM $_")
	    for grep { !/^(installation|lease|lov|schema_version)$/ }
	    $c->column('SHOW TABLES');
	$c->dbh->commit;
	truncate $heads, 0 or die "$file: $!\n";
}

# A change; what was there before is gone, so that a look at all is quick.
sub given ($c, $route, $n) {
	$c->sim(POST => '/reset');
	forget($c);
	my $ch = Changes::given($c, $route, $n);
	# a resolve goes by the number of a ticket, not by its source
	$c->do("UPDATE ctt SET ticket_no = CONCAT('TaaS-', id)"
	    . " WHERE source = 'TAAS'") if $ch->{kinds}[0] eq 'RESOLVE';
	return $ch;
}

# Has the rows of what was covered printed, by scripts/sweep.
sub table () {
	my $file = $ENV{CTT_SWEEP_TABLE} // return;

	open my $fh, '>>', $file or die "$file: $!\n";
	printf $fh "%s %7d %7d %8d\n", $_, @{ $row{$_} }{qw(points runs
		failures)} for @rows;
	close $fh;
}

# ---- what must hold ----

# All that is wrong with a change, once it has settled.
sub faults ($c, $ch, $r) {
	my @faults;

	push @faults, 'it does not settle' unless $c->settle;
	push @faults, 'its jobs are not delivered' unless $c->quiet;
	push @faults, (map { not_whole($c, $_->{id}) } @{ $ch->{tickets} }),
	    untrue($c, $ch, $r), undelivered($c), $c->apart,
	    $c->tmf_faults;
	push @faults, split /\n/, $c->cttctl('check')->{out};
	return map { s/\n.*//sr } @faults;
}

# What a success of each kind leaves: rows of the NTT's audit (if it has one),
# activities, rows of history, jobs.
my %SET = (LINK => [ 1, 0, 0, 2 ], UNLINK => [ 1, 1, 0, 1 ],
	RESOLVE => [ 1, 1, 0, 1 ], CPE_UPDATE => [ 0, 0, 1, 0 ]);

# The operations of this CTT that do not have what goes with their state, once.
sub not_whole ($c, $ctt) {
	my $active = $c->one('SELECT COUNT(*) FROM ctt_activity WHERE type ='
	    . " 'Created' AND ctt_id = ?", $ctt);
	my $linked = $c->row(ctt => $ctt)->{ntt_id};
	my @faults;

	for my $op ($c->rows("SELECT * FROM operation WHERE ctt_id = ?"
	    . " AND state <> 'REFUSED'", $ctt)) {
		my $success = $op->{state} eq 'SUCCEEDED';
		my $outcome = $success ? 'SUCCESS' : $op->{state};
		my ($ntts, $activities, $histories, $jobs) =
		    $success ? @{ $SET{ $op->{kind} } }
		    : ($op->{kind} =~ /LINK/ ? 1 : 0, 0, 0, 0);
		my @audits = sort map { s/ \d+//r } @{ $c->audits($op->{id}) };
		my @jobs = grep { !/note/ } keys %{ $c->jobs($op->{id}) };
		my $what = "$op->{kind} $outcome";
		my $want = join ', ', "CTT $what",
		    $ntts && ($op->{ntt_id} // $linked) ? "NTT $what" : (),
		    $active ? $activities : 0, $histories, $jobs;
		my $have = join ', ', @audits, (map { $c->one('SELECT COUNT(*)'
		    . " FROM $_ WHERE operation_id = ?", $op->{id}) }
		    qw(ctt_activity cpe_history)), scalar @jobs;
		push @faults, "$op->{id} should have $want, has $have"
		    if $want ne $have;
	}
	return @faults;
}

# The jobs that were not delivered under their key, or that nobody sent.
sub undelivered ($c) {
	my $state = $c->sim_state;
	my %sent = (%{ $state->{queue} }, map { ($_->{key} // '') =~ /:/
		? ($_->{key} => 1) : () } $c->heard('taas'));
	my %due = map { $_ => 1 } $c->column('SELECT dedupe_key FROM job'
	    . " WHERE type <> 'look-again'");

	return (map { "job $_ was not delivered" }
		grep { !$sent{$_} } sort keys %due),
	    (map { "job $_ does not exist" }
		grep { !$due{$_} } sort keys %sent),
	    map { "job $_->{dedupe_key} is $_->{state}" }
		$c->rows("SELECT * FROM job WHERE state <> 'DONE'");
}

# What has become of a CTT: done, undone, or something in between.
sub became ($c, $ch, $ticket) {
	my $ctt = $c->row(ctt => $ticket->{id});
	my $model = $c->row(network_element => $ticket->{element})->{model};
	my $at = $ctt->{ntt_id} // '';
	my ($from, $to) = @$ch{qw(ntt to)};
	my ($begin, $end) = @{ {
		LINK          => [ '', $from ],
		UNLINK        => [ $from, '' ],
		'UNLINK LINK' => [ $from, $to ],
		RESOLVE       => [ 'Open', 'Resolved' ],
		CPE_UPDATE    => [ 'HG8245', 'F660' ],
	}->{"@{ $ch->{kinds} }"} };
	my $is = $ch->{kinds}[0] eq 'RESOLVE' ? $ctt->{status}
	    : $ch->{kinds}[0] eq 'CPE_UPDATE' ? $model : $at;

	return $is eq $end ? 'done' : $is eq $begin ? 'undone' : "at '$is'";
}

# What the caller was told of a CTT.
sub told ($r, $ctt) {
	my ($result) = grep { ($_->{cttId} // 0) == $ctt }
	    @{ $r->{json}{results} // [] };
	my $code = ($result // $r->{json})->{error}{code}
	    // $r->{json}{code} // '';

	return 'nothing' if $r->{status} == 202 || $code eq 'NO_ANSWER'
	    || ($result && $result->{outcome} eq 'pending');
	return $DONE{ $result->{outcome} } ? 'done' : 'undone' if $result;
	return $r->{status} == 200 ? 'done' : 'undone';
}

# Where the answer, or the record of the operations, is not what became of it.
sub untrue ($c, $ch, $r) {
	my $kind = $ch->{kinds}[-1];
	my $ntt = @{ $ch->{kinds} } > 1 ? $ch->{to} : $ch->{ntt};
	my @faults;

	return "not our answer: $r->{status} $r->{raw}"
	    if !$r->{json} || !$r->{headers}{'x-request-id'};
	my $list = $c->get('/ticket/operation?requestId='
	    . $r->{headers}{'x-request-id'});
	return "no list of operations: $list->{status} $list->{raw}"
	    if $list->{status} != 200;
	for my $ticket (@{ $ch->{tickets} }) {
		my @done = grep { $_->{ctt}{id} == $ticket->{id}
			&& $_->{kind} eq $kind && $_->{state} eq 'SUCCEEDED'
			&& ($kind ne 'LINK' || $_->{ntt}{id} == $ntt) }
		    @{ $list->{json}{items} };
		my $became = became($c, $ch, $ticket);
		my $told = told($r, $ticket->{id});
		my $record = @done ? 'done' : 'undone';
		push @faults, "CTT $ticket->{id} is $became, the record says"
		    . " $record" if $became ne $record;
		push @faults, "CTT $ticket->{id} is $became, the caller was"
		    . " told $told: $r->{status} $r->{raw}"
		    if $told ne 'nothing' && $told ne $became;
	}
	return @faults;
}

1;
