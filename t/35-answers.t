# What an answer proves (contract section 9): every kind of operation at every
# partner, whose first attempt was cut before the fact or after it, and then
# every answer, in the sync, when recovery asks again, and to the undo. When the
# partner is well again both sides agree and the record tells the truth; or it
# was closed as assumed, and says so.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(sleep time);

use constant { POOL => 24, TIMEOUT_MS => 2000, LATE_S => 1, TROUBLE_S => 6 };

my %CPE = (manufacturer => 'ZTE', model => 'F660', ipAddress => '10.9.9.9',
	bandwidthMbps => 1000, port => 'ge-0/0:1');
my ($c, @cases);

my %ASK = (
	LINK       => sub ($t) { $c->link(@$t{qw(ctt ntt)}) },
	UNLINK     => sub ($t) { $c->unlink_from($t->{ntt}, [ $t->{ctt} ]) },
	RESOLVE    => sub ($t) { $c->resolve(@$t{qw(activity ctt)},
			remark => 'well') },
	CPE_UPDATE => sub ($t) { $c->update_cpe($t->{ctt}, \%CPE) },
);
my @CALLS = ([ TAAS => 'LINK' ], [ TMF => 'LINK' ], [ TAAS => 'UNLINK' ],
	[ TMF => 'UNLINK' ], [ TAAS => 'RESOLVE' ], [ TMF => 'RESOLVE' ],
	[ NIG => 'CPE_UPDATE' ]);
my %WRITE = (TAAS => 'P(OST|UT)', TMF => 'PATCH', NIG => 'PUT');

# What comes next, as long as the trouble lasts. The partner says yes itself; a
# no, and a page, are a gateway's.
my @NEXT = (
	(map { [ $_, { do => 'status', status => $_, applied => 1,
		own => 1 } ] } 200, 202),
	[ 204, { do => 'status', status => 204, applied => 1 } ],
	[ 'a page', { do => 'html' } ],
	(map { [ $_, { do => 'status', status => $_ } ] } 301, 401, 403, 404,
		405, 407, 409, 410, 412, 413, 422, 428, 429, 500, 501, 503),
	[ 'nothing', { do => 'cut' } ],
);

# ---- each of them with a ticket of its own ----

sub prepare ($t, $i) {
	my $linked = $t->{kind} eq 'UNLINK';

	$t->{no} = ($t->{partner} eq 'TAAS' ? 'TaaS' : 'X') . "-$i";
	$t->{ntt} = $c->given(ntt => { ticket_no => "N-$i" });
	$t->{ctt} = $c->given(ctt => { ticket_no => $t->{no},
		source => $t->{partner} eq 'TMF' ? 'TMF' : 'TAAS',
		segment_group => 'Managed Services',
		$linked ? (linked => $t->{ntt}) : () });
	$t->{activity} = $c->given_activity($t->{ctt})
	    if $t->{kind} eq 'RESOLVE';
	if ($t->{kind} eq 'CPE_UPDATE') {
		$c->given_element($t->{ctt});
		my ($e) = $c->rows('SELECT * FROM network_element WHERE'
		    . ' ctt_id = ?', $t->{ctt});
		$c->sim(PUT => "/cpe/$t->{no}/$e->{name}", {
			manufacturer => $e->{manufacturer},
			model => $e->{model}, ipAddress => $e->{ip_address},
			bandwidthMbps => $e->{bandwidth_mbps},
			port => $e->{port} });
	}
	my %of = (ticket => $t->{no}, partner => lc $t->{partner});
	my $key = $t->{where} eq 'undo' ? '-undo(-\d+)?$' : '-sync(-\d+)?$';
	$c->rule(%of, key => $key, %{ $t->{next} });
	$c->rule(%of, key => '-sync(-\d+)?$', do => 'cut',
	    times => $t->{where} eq 'sync' ? 1 : 3,
	    $t->{applied} ? (applied => 1) : ());
}

sub cases () {
	my @all;

	for my $call (@CALLS) {
		for my $applied (0, 1) {
			for my $where (qw(sync recovery undo)) {
				next if "$call->[1] $where" eq 'RESOLVE undo';
				push @all, map { { partner => $call->[0],
					kind => $call->[1],
					applied => $applied, where => $where,
					next => $_->[1], name =>
					    "$call->[0] $call->[1], cut "
					    . ($applied ? 'after' : 'before')
					    . " the fact, in the $where then"
					    . " $_->[0]" } } @NEXT;
			}
		}
	}
	return @all;
}

# ---- what must hold ----

sub told ($t) {
	my $r = $t->{answer};
	my $error = $r->{json}{results} && $r->{json}{results}[0]{error}
	    || $r->{json};

	return 'done' if $r->{status} == 200;
	return 'goes on' if $r->{status} == 202;
	return join ' ', map { $_ // '' } @$error{qw(partnerOutcome settled)};
}

# A no after a doubt is never told as one.
sub is_honest ($t) {
	return told($t) =~ /^(done|goes on|unknown 0)$/;
}

sub operation_of ($t) {
	my ($op) = $c->rows('SELECT * FROM operation WHERE ctt_id = ?'
	    . ' AND NOT mends', $t->{ctt});
	return $op;
}

# The steps' details, in which the trace says what was looked at and assumed.
sub words ($op) {
	return join "\n", map { $_->{detail} // '' }
	    @{ $c->get("/ticket/operation/$op->{id}")->{json}{steps} };
}

# Is a thing done here that only a success does?
sub is_done_here ($t) {
	my $ctt = $c->row(ctt => $t->{ctt});

	return {
		LINK       => sub { !!$ctt->{ntt_id} },
		UNLINK     => sub { !$ctt->{ntt_id} },
		RESOLVE    => sub { $ctt->{status} eq 'Resolved' },
		CPE_UPDATE => sub { $c->one('SELECT model FROM network_element'
			. ' WHERE ctt_id = ?', $t->{ctt}) eq 'F660' },
	}->{ $t->{kind} }->();
}

sub holds ($t, $apart) {
	my $op = operation_of($t);
	my @faults;

	push @faults, 'told: ' . told($t) unless is_honest($t);
	push @faults, "still $op->{state}" if $op->{state} !~
	    /^(SUCCEEDED|ROLLED_BACK|COMPENSATED)$/;
	push @faults, "told done, is $op->{state}"
	    if told($t) eq 'done' && $op->{state} ne 'SUCCEEDED';
	push @faults, "told failed, is $op->{state}"
	    if told($t) =~ /^unknown/ && $op->{state} eq 'SUCCEEDED';
	push @faults, "is $op->{state}, here it is not"
	    if ($op->{state} eq 'SUCCEEDED') ne is_done_here($t);
	return @faults, $op->{assumed} || !$apart ? () : "apart: $apart"
	    unless $op->{assumed};
	$t->{assumed} = $op->{id};
	push @faults, 'assumed, and the trace says nothing'
	    if words($op) !~ /assumed/;
	push @faults, 'assumed, and the audit says nothing' if $c->one(
		"SELECT COUNT(*) FROM audit_log WHERE operation_id = ? AND"
		. " JSON_VALUE(detail, '\$.assumed')", $op->{id}) < 1;
	return @faults;
}

sub run_all ($name, %set) {
	$c = Ctt->start(pool => POOL, workers => 2, set => {
		CTT_PARTNER_TIMEOUT_MS => TIMEOUT_MS,
		CTT_PARTNER_LATE_S => LATE_S, CTT_RETRY_CAP_MS => 100,
		CTT_SYNC_CONCURRENCY => 256,
		CTT_BREAKER_FAILURES => 1_000_000, %set });
	@cases = cases();
	$c->token(roles => ['ctt-cpe']);
	prepare($cases[$_], $_) for 0 .. $#cases;
	my $began = time;
	my @lists = $c->parallel(POOL, sub ($i) { [ map { [ $_,
		$ASK{ $cases[$_]{kind} }->($cases[$_]) ] }
		grep { $_ % POOL == $i } 0 .. $#cases ] });
	$cases[ $_->[0] ]{answer} = $_->[1] for map { @$_ } @lists;
	note sprintf '%s: %d cases, asked in %.1f s', $name, scalar @cases,
	    time - $began;
	sleep TROUBLE_S;
	$c->no_rules;
	ok $c->settle(40), "$name: when the partners are well, all is settled";
	ok $c->quiet(30), 'and all jobs are done, those that look again too';

	my %apart = map { /^([^:]+): (.*)/ ? ($1 => $2) : ($_ => $_) }
	    $c->apart;
	for my $t (@cases) {
		is_deeply [ holds($t, $apart{ $t->{no} }) ], [],
		    "$name: $t->{name}" or diag $t->{answer}{raw}, words(operation_of($t));
	}
	return grep { $_->{assumed} } @cases;
}

# ---- where TaaS and NIG cannot be read ----

{
	my @assumed = run_all('not read');

	is_deeply [ map { $_->{name} } grep { $_->{partner} eq 'TMF'
		|| $_->{kind} eq 'CPE_UPDATE' && $_->{name} !~
		/ (404|409|410|422)$/ } @assumed ], [],
	    'never of TMF, which can be read, nor where the undo was taken';
	cmp_ok scalar @assumed, '>', 10, scalar(@assumed) . ' were';
	is_deeply [ sort map { /^(\S+)/ } split /\n/,
		$c->cttctl('operations', '--assumed')->{out} ],
	    [ sort map { $_->{assumed} } @assumed ],
	    'cttctl operations --assumed lists them';
	like $c->get('/metrics', Authorization => undef)->{raw},
	    qr/^cttd_operations_assumed_total ${\ scalar @assumed}$/m,
	    'the metrics count them';
	$c->stop;
}

# ---- where they can ----

{
	my @assumed = run_all('read', CTT_TAAS_READ => 'on',
	    CTT_NIG_READ => 'on');

	is_deeply [ map { $_->{name} } @assumed ], [], 'nothing is assumed';
	my $r = $c->cttctl('reconcile');
	is_deeply [ $r->{status}, $r->{out} =~ /^ctt .*/mg ], [ 0 ],
	    'cttctl reconcile finds no ticket that differs';
	$c->stop;
}

done_testing;
