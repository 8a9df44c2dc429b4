# A sick partner costs only its own function: while one hangs, requests for the
# others and for none are served, and its own are answered at once. (How much of
# their rate the others keep is measured by scripts/bench.)

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use List::Util qw(max min);
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(median spew);

use constant {
	POOL       => 2,        # processes,
	THREADS    => 16,       # and what each takes at once: half of it may
	                        # wait for one partner
	CALLS      => 20,       # under way from both to one partner
	TIMEOUT_MS => 1500,
	PAUSE_S    => 0.02,     # of a client between two requests
	AGAIN_S    => 0.2,      # of one that was refused
	AT_ONCE_MS => 500,      # half of the answers: nobody waits for a partner
	STARVED_MS => 50,       # half of the reads, while all is well: time says
	                        # nothing on this machine
	BROKEN_S   => 1.5,
};

my $c = Ctt->start(pool => POOL, workers => 1, set => {
	CTT_THREADS => THREADS, CTT_PARTNER_CALLS => CALLS,
	CTT_PARTNER_TIMEOUT_MS => TIMEOUT_MS,
	CTT_UNLINK_BLOCK_TTL => 0 });
my %ADMIN = (Authorization => 'Bearer ' . $c->token(roles => ['ctt-admin']));
my ($NTT) = $c->given(ntt => {});

# ---- clients ----

# What a client does with its CTT, forth and back; what it needs. A function
# is named after the partner that it needs.
sub link_and_unlink ($ctt, $back) {
	return $back ? $c->post('/ticket/ctt/unlink',
		{ nttId => $NTT, cttIds => [$ctt] }, %ADMIN)
	    : $c->post('/ticket/ctt/link', { cttId => $ctt, nttId => $NTT },
		%ADMIN);
}

my %DOES = (
	read => sub ($ctt, $) { $c->get("/ticket/ctt/$ctt", %ADMIN) },
	taas => \&link_and_unlink,
	tmf  => \&link_and_unlink,
	nig  => sub ($ctt, $back) { $c->post("/ticket/ctt/cpe/update/$ctt",
		{ new => { manufacturer => 'ZTE', model => $back ? 'A' : 'B',
			ipAddress => '10.0.0.9', bandwidthMbps => 100,
			port => '1' } }, %ADMIN) },
);

sub given_ctts ($function, $n) {
	return map {
		my $ctt = $c->given(ctt => { source => $function eq 'taas'
			? 'TAAS' : 'TMF', segment_group => 'Managed Services' });
		$c->given_element($ctt);
		$ctt;
	} 1 .. $n;
}

# One client: what it was answered, when it had asked, and how long that took. A
# CTT of which the outcome is open is left alone.
sub client ($function, $end, @ctts) {
	my ($back, @answers) = 0;

	while (!-e $end && @ctts) {
		my $began = time;
		my $r = $DOES{$function}->($ctts[0], $back);
		push @answers, { status => $r->{status}, at => $began,
			ms => 1000 * (time - $began),
			code => $r->{json}{code} // '',
			retry => $r->{headers}{'retry-after'} };
		$back = !$back if $r->{status} == 200;
		# in turn: jobs of one CTT wait for each other
		push @ctts, shift @ctts if $r->{status} == 200 && !$back;
		if (($r->{json}{partnerOutcome} // '') eq 'unknown'
			|| $r->{status} == 409) {
			shift @ctts;
			$back = 0;
		}
		sleep($r->{status} == 200 ? PAUSE_S : AGAIN_S);
	}
	return \@answers;
}

# All at once until $until->() returns: what each function's clients were answered,
# when the first of them asked, and what it returned.
sub load ($until, %clients) {
	my $end = $c->dir . '/end';
	my @who = map { my $f = $_; map { [ $f, given_ctts($f, 12) ] }
		1 .. $clients{$f} } sort keys %clients;
	unlink $end;
	my @answers = $c->parallel(1 + @who, sub ($i) {
		return client($who[$i][0], $end, @{ $who[$i] }[ 1 .. 12 ])
		    if $i < @who;
		my $seen = $until->();
		spew($end, '');
		return $seen;
	});
	my %all = (seen => pop @answers);
	push @{ $all{ $who[$_][0] } }, @{ $answers[$_] } for 0 .. $#who;
	return { %all, from => min(map { $_->{at} } map { @$_ } @answers) };
}

# Those of a function that came between these two seconds.
sub between ($all, $function, @seconds) {
	my ($from, $to) = map { $all->{from} + $_ } @seconds;

	return grep { $_->{at} >= $from && $_->{at} < $to } @{ $all->{$function} };
}

sub metric ($name) {
	return $c->get('/metrics')->{raw} =~ /^\Q$name\E (\d+)/m ? $1 : undef;
}

# ---- each of them ----

my %CLIENTS = (read => 2, taas => 2, tmf => 2, nig => 2);

# While it is known to be broken.
sub between_broken ($all, $function) {
	my $broken = $all->{seen} - $all->{from};

	return between($all, $function, $broken, $broken + BROKEN_S);
}

# Half of these were answered so soon; none: nobody was.
sub half_ms (@answers) {
	return @answers ? median(map { $_->{ms} } @answers) : 'inf';
}

# All processes have met all partners.
$c->sim(PUT => '/latency', { map { $_ => 15 } qw(taas tmf nig) });
my $usual_ms = half_ms(@{ load(sub { sleep 1 }, %CLIENTS)->{read} });

# Which of the others were held up.
sub held_up ($sick, $all) {
	return grep {
		my $ms = half_ms(@{ $all->{$_} });
		note sprintf '%s hangs: %d of %s, half in %.1f ms', uc $sick,
		    scalar @{ $all->{$_} }, $_, $ms;
		$ms > AT_ONCE_MS;
	} grep { $_ ne $sick } sort keys %DOES;
}

sub is_busy ($answer) {
	return $answer->{code} eq 'PARTNER_BUSY' && $answer->{status} == 503
	    && ($answer->{retry} // '') =~ /^[1-9]/;
}

sub is_failure ($answer) {
	return $answer->{code} =~ /^EXTERNAL_(SYNC|UNLINK)_FAILED$/
	    && $answer->{status} == 502;
}

sub its_own_are_told ($sick, $all) {
	my @broken = between_broken($all, $sick);

	is_deeply [ map { "$_->{status} $_->{code} after $_->{ms} ms" }
		grep { !is_busy($_) && !is_failure($_) } @{ $all->{$sick} } ],
	    [], 'its own: 502, or 503';
	cmp_ok scalar(grep { is_busy($_) } @{ $all->{$sick} }), '>', 0,
	    'some 503, while too many wait';
	is_deeply [ map { "$_->{status} $_->{code} after $_->{ms} ms" }
		grep { !is_failure($_) } @broken ], [],
	    'once it is broken, all 502';
	cmp_ok scalar(grep { $_->{at} > $all->{seen}
		&& $_->{at} < $all->{seen} + BROKEN_S } $c->heard($sick)),
	    '<=', 2, 'only probes reach it';
}

# Its own, while it hangs, are told so at once.
sub in_time ($sick, $all) {
	for ([ 'while too many wait', between($all, $sick, 0.5,
		$all->{seen} - $all->{from}) ],
	    [ 'once it is broken', between_broken($all, $sick) ]) {
		my ($when, @its) = @$_;
		cmp_ok half_ms(@its), '<=', AT_ONCE_MS, "at once, $when";
	}
}

# It hangs for a while: what is answered meanwhile.
sub hang ($sick) {
	my $calls = $c->heard($sick);
	my $broken = sub () { scalar grep {
		/event=partner_broken partner=\U$sick\E\b/ }
	    map { $c->log_lines($_) } qw(pool worker) };
	my $times = $broken->();
	$c->rule(partner => $sick, do => 'hang');
	my $all = load(sub {
		$c->wait_for(30, sub { $broken->() > $times });
		my $seen = time;
		sleep BROKEN_S + 0.1;
		return $seen;
	}, %CLIENTS, $sick => THREADS + 4);
	$all->{from} = ($c->heard($sick))[$calls]{at};
	is metric("cttd_partner_broken{partner=\"\U$sick\E\"}"), 1,
	    'the metrics say that it is broken';
	is_deeply [ grep { $_->{status} != 200 } map { @{ $all->{$_} } }
		grep { $_ ne $sick } keys %DOES ], [],
	    'the others answer all that they are asked';
	its_own_are_told($sick, $all);
	SKIP: {
		skip "half of the reads take $usual_ms ms", 3
		    if $usual_ms > STARVED_MS;
		is_deeply [ held_up($sick, $all) ], [],
		    'the others are not held up';
		in_time($sick, $all);
	}
}

sub is_back ($sick) {
	$c->no_rules;
	my ($ctt) = given_ctts($sick, 1);
	ok $c->wait_for(6, sub {
		return $DOES{$sick}->($ctt, 0)->{status} == 200;
	}), 'once it answers, all goes on by itself';
	is metric("cttd_partner_broken{partner=\"\U$sick\E\"}"), 0,
	    'say the metrics';
	ok $c->settle, 'what was open is settled';
	is metric("cttd_partner_waiting{partner=\"\U$sick\E\"}"), 0,
	    'nobody waits';
	$c->agree("\U$sick\E was sick: both sides");
}

for my $sick (qw(taas tmf nig)) {
	hang($sick);
	is_back($sick);
}

# ---- one that is only slow, or only busy, is not sick ----

for (
	[ 'many ask', 60, THREADS / 2 ],
	[ 'it takes its time', TIMEOUT_MS / 2, THREADS / 2 ],
) {
	my ($name, $ms, $clients) = @$_;

	$c->sim(PUT => '/latency', { taas => $ms });
	my $all = load(sub { sleep 1.5 }, taas => $clients);
	is_deeply [ map { "$_->{status} $_->{code}" }
		grep { $_->{status} != 200 } @{ $all->{taas} } ], [],
	    "$name: every answer is a yes";
}
$c->sim(PUT => '/latency', { taas => 15 });

# ---- the calls of a process that dies are not under way any more ----

{
	my $waiting = 'cttd_partner_waiting{partner="TAAS"}';
	my $many = THREADS / 2;    # so many may wait, wherever they come in

	$c->rule(partner => 'taas', do => 'hang');
	for my $round (1, 2) {
		my @now = given_ctts('taas', $many);
		my ($waited) = $c->parallel(1 + @now, sub ($i) {
			return link_and_unlink($now[ $i - 1 ], 0)->{json} if $i;
			my $n = 0;
			$c->wait_for(10, sub { ($n = metric($waiting)) == $many });
			if ($round == 1) {
				kill 'KILL', $c->pids('pool');
				$c->wait_for(5, sub { $c->pids('pool') == POOL });
			}
			return $n;
		});
		is $waited, $many, $round == 1 ? "$many wait, and are killed"
		    : 'and as many may wait again';
	}
	is metric($waiting), 0, 'in the end nobody does';

	# fewer processes come after them: nobody takes the places of the others
	my @now = given_ctts('taas', $many);
	$c->parallel(1 + @now, sub ($i) {
		return link_and_unlink($now[ $i - 1 ], 0)->{json} if $i;
		$c->wait_for(10, sub { metric($waiting) == $many });
		$c->stack('kill', 'pool');
		return 1;
	});
	$c->no_rules;
	ok $c->stack('start', 'pool', '--pool', 1), 'a smaller pool';
	ok $c->wait_for(10, sub { metric('cttd_pool_processes') == 1 }),
	    'the dead ones are not counted';
	is metric($waiting), 0, 'nobody waits there';
	$c->restart_pool(POOL, CTT_THREADS => THREADS);
}

# ---- a bulk takes its turns ----

{
	my @ctts = given_ctts('taas', 3 * THREADS);

	ok $c->settle, 'it is well again';
	$c->sim(PUT => '/latency', { taas => 100 });
	$c->sim(DELETE => '/calls');
	my ($r) = $c->parallel(2, sub ($i) {
		return $c->bulk(map { [ $_, $NTT ] } @ctts) if !$i;
		sleep 0.3;
		return $c->get('/healthz');
	});
	is $r->{json}{success}, scalar @ctts, 'a bulk of more: each is linked';
	my @at = sort { $a <=> $b } map { $_->{at} } $c->heard('taas');
	my $most = max map { my $t = $_;
		scalar grep { $_ >= $t && $_ < $t + 0.08 } @at } @at;
	cmp_ok $most, '<=', CALLS, "$most calls at once, and no more";
	$c->sim(PUT => '/latency', { taas => 15 });
}

ok $c->wait_for(6, sub { $c->settle(0) }), 'all is settled';
ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
