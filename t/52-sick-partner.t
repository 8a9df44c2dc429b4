# A sick partner costs only its own function: while one hangs, requests for the
# others and for none go on as before, and its own are answered at once.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(sleep time);

use constant {
	POOL       => 8,
	TIMEOUT_MS => 1500,
	PAUSE_S    => 0.02,     # of a client between two requests
	TOLD_S     => 0.2,      # of one that was told to come again
	KEPT       => 0.8,      # the promise is 0.9, of a machine that is ours
};

my $c = Ctt->start(pool => POOL, workers => 1, set => {
	CTT_PARTNER_TIMEOUT_MS => TIMEOUT_MS, CTT_UNLINK_BLOCK_TTL => 0 });
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

# One client: what it was answered, when, and how long that took. A CTT of
# which the outcome is open is left alone.
sub client ($function, $from, $seconds, @ctts) {
	my ($back, @answers) = 0;

	while (time < $from + $seconds && @ctts) {
		my $began = time;
		my $r = $DOES{$function}->($ctts[0], $back);
		push @answers, { status => $r->{status}, at => time - $from,
			ms => 1000 * (time - $began),
			code => $r->{json}{code} // '',
			retry => $r->{headers}{'retry-after'} };
		$back = !$back if $r->{status} == 200;
		if (($r->{json}{partnerOutcome} // '') eq 'unknown'
			|| $r->{status} == 409) {
			shift @ctts;
			$back = 0;
		}
		sleep($r->{headers}{'retry-after'} ? TOLD_S : PAUSE_S);
	}
	return \@answers;
}

# All at once for some seconds: what each function's clients were answered.
sub load ($seconds, %clients) {
	my @who = map { my $f = $_; map { [ $f, given_ctts($f, 12) ] }
		1 .. $clients{$f} } sort keys %clients;
	my $from = time;
	my @answers = $c->parallel(scalar @who, sub ($i) {
		my ($function, @ctts) = @{ $who[$i] };
		return client($function, $from, $seconds, @ctts);
	});
	my %all = (from => $from);
	push @{ $all{ $who[$_][0] } }, @{ $answers[$_] } for 0 .. $#who;
	return \%all;
}

# Those of a function that came between these two seconds.
sub between ($all, $function, $from, $to) {
	return grep { $_->{at} >= $from && $_->{at} < $to } @{ $all->{$function} };
}

sub per_second ($all, $function, $from, $to) {
	return grep({ $_->{status} == 200 } between($all, $function, $from,
		$to)) / ($to - $from);
}

sub median (@values) { return (sort { $a <=> $b } @values)[ @values / 2 ] }

sub metric ($name) {
	return $c->get('/metrics')->{raw} =~ /^\Q$name\E (\d+)/m ? $1 : undef;
}

# ---- each of them ----

my %CLIENTS = (read => 2, taas => 2, tmf => 2, nig => 2);

# What is known of a partner that hangs: nothing, until the first have waited
# for it in vain; then that it fails, and soon that it is broken.
my @WINDOWS = (
	[ 'not known yet', 0, TIMEOUT_MS / 1000, 0.01 ],
	[ 'it fails', TIMEOUT_MS / 1000, 2 * TIMEOUT_MS / 1000, KEPT ],
	[ 'it is broken', 3.4, 5.4, KEPT ],
);
my (undef, @BROKEN) = @{ $WINDOWS[2] };

$c->sim(PUT => '/latency', { map { $_ => 15 } qw(taas tmf nig) });
load(0.5, %CLIENTS);    # all processes have met all partners
my $before = load(2, %CLIENTS);
is_deeply [ map { $_->{status} } grep { $_->{status} != 200 }
	map { @{ $before->{$_} } } keys %DOES ], [], 'before: all is well';

sub others_go_on ($sick, $all) {
	for my $function (grep { $_ ne $sick } sort keys %DOES) {
		my $was = per_second($before, $function, 0, 2);

		for (@WINDOWS) {
			my ($when, $from, $to, $kept) = @$_;
			my $is = per_second($all, $function, $from, $to);
			note sprintf '%s hangs, %s: %s keeps %.0f %% of %.0f/s',
			    uc $sick, $when, $function, 100 * $is / $was, $was;
			cmp_ok $is, '>=', $kept * $was,
			    "\U$sick\E hangs, $when: $function goes on";
		}
		is_deeply [ grep { $_->{status} != 200 } @{ $all->{$function} } ],
		    [], 'with all that was asked';
	}
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
	is_deeply [ grep { !is_busy($_) && !is_failure($_) }
		@{ $all->{$sick} } ], [], 'its own: 502, or 503';
	my @busy = grep { is_busy($_) } @{ $all->{$sick} };
	cmp_ok scalar @busy, '>', 0, 'some 503, while too many wait';
	cmp_ok median(map { $_->{ms} } grep { $_->{at} > TIMEOUT_MS / 1000 }
		@busy), '<', 50, 'at once';

	my @broken = between($all, $sick, @BROKEN[ 0, 1 ]);
	is_deeply [ grep { !is_failure($_) } @broken ], [],
	    'once it is broken, all 502';
	my $median = median(map { $_->{ms} } @broken);
	note sprintf '%d requests for it, answered in %.1f ms', scalar @broken,
	    $median;
	cmp_ok $median, '<', 50, 'at once';
	cmp_ok scalar(grep { $_->{ms} > 50 } @broken), '<', 0.1 * @broken,
	    'by every process';
	cmp_ok scalar(grep { $_->{at} > $all->{from} + $BROKEN[0]
		&& $_->{at} < $all->{from} + $BROKEN[1] } $c->heard($sick)),
	    '<=', 2, 'only probes reach it';
}

for my $sick (qw(taas tmf nig)) {
	my $broken = "cttd_partner_broken{partner=\"\U$sick\E\"}";
	my $waiting = "cttd_partner_waiting{partner=\"\U$sick\E\"}";

	is metric($broken), 0, "\U$sick\E is well";
	$c->rule(partner => $sick, do => 'hang');
	my $all = load($BROKEN[1], %CLIENTS, $sick => 2 * POOL);
	is metric($broken), 1, 'the metrics say that it is broken';
	others_go_on($sick, $all);
	its_own_are_told($sick, $all);

	# It is back.
	$c->no_rules;
	my ($ctt) = given_ctts($sick, 1);
	ok $c->wait_for(6, sub {
		return $DOES{$sick}->($ctt, 0)->{status} == 200;
	}), 'once it answers, all goes on by itself';
	is metric($broken), 0, 'say the metrics';
	ok $c->settle, 'what was open is settled';
	is metric($waiting), 0, 'nobody waits';
	$c->agree("\U$sick\E was sick: both sides");
}

# ---- who dies while waiting leaves the share to others ----

{
	my $waiting = 'cttd_partner_waiting{partner="TAAS"}';
	my $rule = $c->rule(partner => 'taas', do => 'hang');
	my @ctts = given_ctts('taas', 3 * POOL);

	for my $round (1, 2) {
		my @now = splice @ctts, 0, POOL;
		my ($killer, @who) = $c->parallel(1 + @now, sub ($i) {
			return link_and_unlink($now[ $i - 1 ], 0)->{json} if $i;
			sleep 0.4;
			my $n = metric($waiting);
			if ($round == 1) {
				kill 'KILL', $c->pids('pool');
				$c->wait_for(5, sub { $c->pids('pool') == POOL });
			}
			return $n;
		});
		cmp_ok $killer, '>=', POOL / 2,
		    $round == 1 ? 'half of the pool waits, and is killed'
		    : 'and as many may wait again';
	}
	is metric($waiting), 0, 'in the end nobody does';
	$c->no_rules;
}

ok $c->wait_for(6, sub { $c->settle(0) }), 'all is settled';
ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
