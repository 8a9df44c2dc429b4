# Ten clients do all that can be done, and in front of each partner stands a
# gateway that has gone mad: it refuses, cuts before the fact and after it,
# answers with pages, delays, and lets calls arrive late. Then it is well again,
# and both sides agree, as cttctl reconcile and cttctl check say.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Storm;
use Test::More;
use Time::HiRes qw(time);

my $SEED = $ENV{CTT_TEST_SEED} // int(time * 1000) ^ $$;
my $SECONDS = $ENV{CTT_TEST_SECONDS} // 12;
my @STATUSES = (301, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 501, 503);

# TaaS and NIG know a key that they got before; TMF does not.
sub go_mad ($c, $seed) {
	for my $partner (qw(taas tmf nig)) {
		$c->rule(partner => $partner, do => 'gateway', seed => $seed++,
		    percent => 30, statuses => \@STATUSES, ms => 400,
		    late => 800, kinds => [ qw(status status cut cut-applied
			html delay), $partner eq 'tmf' ? 'late' : () ]);
	}
	$c->behave('tmf', keys => \0, etag => \1);
}

sub storm ($name, %set) {
	my $c = Ctt->start(pool => 14, workers => 2, set => {
		CTT_PARTNER_TIMEOUT_MS => 600, CTT_UNLINK_BLOCK_TTL => 1,
		CTT_PARTNER_LATE_S => 2, CTT_BREAKER_FAILURES => 1_000_000,
		%set });
	my $storm = Storm->new($c);
	my $end = time + $SECONDS;
	my %n;

	go_mad($c, $SEED);
	my @seen = $c->parallel(10, sub ($i) {
		srand $SEED + $i;
		return $storm->client($end);
	});
	for my $seen (@seen) {
		$n{$_} += $seen->{n}{$_} for keys %{ $seen->{n} };
	}
	note "$name: $n{$_} times $_" for sort keys %n;
	is_deeply [ grep { !/^(2|404 CTT_ACT|409|422 BULK_ALL|502|503 PART)/ }
		keys %n ], [], "$name: every answer is one that there is";
	cmp_ok $n{200} // 0, '>', 20, 'some succeeded';
	$c->no_rules;
	ok $c->settle(60), 'the gateways are well: it settles'
	    or diag $c->cttctl('operations')->{out};
	is_deeply [ Storm::untrue($c, @seen) ], [],
	    'each operation ends as its caller was told';
	ok $c->quiet(60), 'all jobs are done';
	is $c->one("SELECT COUNT(*) FROM job WHERE state <> 'DONE'"), 0,
	    'none is dead';
	cmp_ok $c->one("SELECT COUNT(*) FROM job WHERE type = 'look-again'"),
	    '>', 0, 'TMF was looked at again';
	return $c;
}

diag "CTT_TEST_SEED=$SEED";

# ---- partners that can be read: cttctl reconcile finds nothing ----

{
	my $c = storm('read', CTT_TAAS_READ => 'on', CTT_NIG_READ => 'on');
	my $r = $c->cttctl('reconcile');

	is_deeply [ $r->{status}, $r->{out} =~ /^ctt .*/mg ], [ 0 ],
	    'cttctl reconcile is silent' or diag $r->{err};
	$c->agree('after the storm, both sides');
	is $c->one('SELECT COUNT(*) FROM operation WHERE assumed'), 0,
	    'nothing was assumed';
	$c->stop;
}

# ---- TaaS and NIG cannot be read: they may be apart only where that says so ----

{
	my $c = storm('not read');
	my %assumed = map { ($_ => 1) } $c->column('SELECT c.ticket_no FROM'
	    . ' operation o JOIN ctt c ON c.id = o.ctt_id WHERE o.assumed');

	is_deeply [ grep { /^([^:\/]+)/ && !$assumed{$1} } $c->apart ], [],
	    'both sides agree, but for what was assumed ('
	    . keys(%assumed) . ' tickets)';
	$c->stop;
}

done_testing;
