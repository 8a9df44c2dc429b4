# A large bulk goes through the stages in groups of 64: while the partner answers
# for one, the next is opened and those before are closed. Each item ends as if
# it were alone, and a group that is broken or held up harms no other.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(sleep);

use constant {
	GROUP => 64,
	ITEMS => 200,     # four groups
	HELD_MS => 3000,
};

my $c = Ctt->start(pool => 1, workers => 1, set => { CTT_THREADS => 8,
	CTT_UNLINK_BLOCK_TTL => 0, CTT_PARTNER_TIMEOUT_MS => 1500,
	CTT_BREAKER_FAILURES => 5 });

# CTTs, an NTT, and the bulk that links them.
sub bulk_of ($n = ITEMS) {
	my @ctts = $c->given_ctts($n, source => 'TAAS');
	my $ntt = pop @ctts;

	return ($ntt, \@ctts, sub (@headers) {
		return $c->post('/ticket/ctt/link/bulk', { items => [
			map { { cttId => $_, nttId => $ntt } } @ctts ] }, @headers);
	});
}

# state => how many operations of the NTT are in it
sub states ($ntt) {
	return { map { @$_{qw(state n)} } $c->rows('SELECT state, COUNT(*) AS n'
	    . ' FROM operation WHERE ntt_id = ? GROUP BY state', $ntt) };
}

sub linked ($ntt) {
	return scalar $c->one('SELECT COUNT(*) FROM ctt WHERE ntt_id = ?', $ntt);
}

sub in_order ($name) {
	ok $c->settle && $c->quiet, "$name: all is settled";
	$c->agree($name);
}

# The answer to the bulk, and what $look->() found meanwhile.
sub beside ($send, $look) {
	my ($r, $found) = $c->parallel(2, sub ($i) {
		return $look->() if $i;
		my $r = $send->();
		return { status => $r->{status}, json => $r->{json} };
	});

	return ($r, $found);
}

sub results ($r) {
	my %n;
	$n{$_}++ for @{ $c->outcomes($r) };
	return \%n;
}

# ---- a group is held up ----

for ([ 'loaded' => 'after-load', GROUP, GROUP ],
    [ 'open' => 'after-intent', 2 * GROUP, GROUP ]) {
	my ($name, $point, $begun, $done) = @$_;
	my ($ntt, $ctts, $send) = bulk_of();

	$c->fault($point, 'delay', ms => HELD_MS, skip => 1);
	my ($r, $n) = beside($send, sub {
		my $n;
		$c->wait_for(10, sub { $n = states($ntt);
			($n->{SUCCEEDED} // 0) >= $done });
		return $n;
	});
	is $n->{SUCCEEDED}, $done, "the second group is $name and held up: the"
	    . ' first is called and closed';
	is +($n->{RUNNING} // 0) + $done, $begun, 'and the others are not begun';
	is_deeply [ $r->{status}, $r->{json}{success} ], [ 200, ITEMS ],
	    'then all are done';
	is linked($ntt), ITEMS, 'here';
	in_order($name);
}

# ---- a row of the second group is locked ----

{
	my ($ntt, $ctts, $send) = bulk_of();
	my ($r, $others) = beside(sub { sleep 0.5; $send->() }, sub {
		my $dba = $c->dba;
		$dba->begin_work;
		$dba->do('SELECT id FROM ctt WHERE id = ? FOR UPDATE', undef,
		    $ctts->[100]);
		my $others = $c->wait_for(10, sub {
			(states($ntt)->{SUCCEEDED} // 0) == ITEMS - 1 });
		$dba->rollback;
		return $others ? 1 : 0;
	});
	is $others, 1, 'a locked CTT: the others are done meanwhile';
	is_deeply [ $r->{status}, $r->{json}{success} ], [ 200, ITEMS ],
	    'and then it is, too';
	in_order('a locked row');
}

# ---- an operation of a process that died reserves a CTT ----

{
	my ($ntt, $ctts, $send) = bulk_of();
	my $other = $c->given(ntt => {});

	$c->stack('stop', 'worker');
	$c->expect(qr/upstream prematurely closed/);
	$c->fault('after-intent', 'kill');
	$c->link($ctts->[150], $other);
	my $r = $send->();
	is_deeply results($r), { linked => ITEMS - 1, CTT_ALREADY_LINKED => 1 },
	    'an abandoned operation is settled first, alone';
	$c->stack('start', 'worker');
	in_order('an abandoned operation');
}

# ---- the database refuses the second group ----

{
	my ($ntt, $ctts, $send) = bulk_of();

	$c->fault('before-intent', 'fail', skip => 1);
	my $r = $send->();
	ok $c->fault_fired, 'a group is refused';
	is_deeply [ $r->{status}, $r->{json}{success} ], [ 200, ITEMS ],
	    'it is halved, and all are done';
	in_order('a refused group');
}

# ---- the partner breaks ----

{
	my ($ntt, $ctts, $send) = bulk_of();
	$c->rule(partner => 'taas', do => 'cut');

	$c->fault('after-load', 'delay', ms => HELD_MS, skip => 1);
	my $r = $send->();
	$c->no_rules;
	my $n = states($ntt);
	is $r->{json}{success}, 0, 'a partner that breaks: none is linked';
	cmp_ok $n->{REFUSED} // 0, '>=', GROUP,
	    'the later groups are refused before anything is begun';
	is linked($ntt), 0, 'nothing is left here';
	sleep 1.5;    # until the breaker lets a probe through
	ok $c->wait_for(10, sub { $c->link($ctts->[0], $ntt)->{status} == 200 }),
	    'it is well again';
	in_order('a partner that breaks');
}

# ---- a CTT comes twice, in two groups ----

{
	my ($ntt, $ctts, $send) = bulk_of();

	$ctts->[180] = $ctts->[3];
	my $r = $send->();
	is_deeply [ $r->{status}, $r->{json}{success} ], [ 207, ITEMS - 1 ],
	    'a CTT that comes twice is linked once';
	is $c->outcomes($r)->[180], 'CTT_ALREADY_LINKED',
	    'and the second time it is told so' or diag explain results($r);
	in_order('a CTT twice');
}

# ---- the process dies ----

for my $skip (0, 1, 3) {
	my ($ntt, $ctts, $send) = bulk_of();
	my @key = ('Idempotency-Key' => "groups-$skip");

	$c->expect(qr/upstream prematurely closed/);
	$c->fault('after-intent', 'kill', skip => $skip);
	is $send->(@key)->{status}, 502, 'killed after group ' . ($skip + 1);
	my $r;
	ok $c->wait_for(20, sub { ($r = $send->(@key))->{status} != 409 }),
	    'it is answered when it is settled';
	my $n = results($r);
	my $begun = ($skip + 1) * GROUP;
	$begun = ITEMS if $begun > ITEMS;
	is $n->{NOT_ATTEMPTED} // 0, ITEMS - $begun, 'of the groups after that'
	    . ' nothing was begun' or diag explain $n;
	is $r->{json}{success}, linked($ntt), 'the rest is told as it is';
	is_deeply results($send->(@key)), $n, 'and again';
	in_order("killed after group $skip");
}

# ---- an operation has a follower ----

{
	my ($from, $ctts, $send) = bulk_of(150);
	my $to = $c->given(ntt => {});

	is $send->()->{json}{success}, 150, 'linked';
	my $r = $c->move_to($to, $ctts);
	is_deeply [ $r->{status}, linked($from), linked($to) ], [ 200, 0, 150 ],
	    'all are moved';
	is $r->{json}{ntt}{cttCount}, 150, 'and counted';
	$r = $c->unlink_from($to, $ctts);
	is_deeply [ $r->{status}, $r->{json}{ntt}{cttCount} ], [ 200, 0 ],
	    'all are unlinked, and counted';
	in_order('moved');
}

$c->stop;
done_testing;
