# Three nodes of a Galera cluster behind HAProxy, two hosts with pool, worker and
# nginx, three memcached, and an nginx in front, as doc/hosts.txt has them. While
# users work each part is killed, or cut off: no success that was told is lost,
# nothing is done twice, both sides agree, and service is back in less than 10 s.
# It prints how long it took. It takes some minutes, and a machine that is not
# busy: CTT_TEST_FULL=1.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Hosts;
use Test::More;
use Time::HiRes qw(sleep time);

use constant { CLIENTS => 3, BACK_S => 10, BEFORE_S => 2, AFTER_S => 11,
	CTTS => 20_000 };

plan skip_all => 'CTT_TEST_FULL=1 runs it' if !$ENV{CTT_TEST_FULL};
my $why = Hosts::missing();
plan skip_all => $why if defined $why;
Hosts::enter();

my $h = Hosts->new(set => { CTT_TAAS_READ => 'on' });
my $c = $h->{c};

is $c->cttctl('seed', '--ctts', CTTS, '--ntts', CLIENTS)->{status}, 0, 'tickets';
my @ctts = $c->column('SELECT id FROM ctt ORDER BY id');
my @ntts = $c->column('SELECT id FROM ntt ORDER BY id');
my ($told, $asked) = (0, 0);
my %linked;    # what was told: CTT, NTT

# Links one CTT after the other, each once; what was told, and when.
sub client ($mine, $ntt, $end) {
	my (@told, %other);

	for my $ctt (@$mine) {
		last if time > $end;
		my $r = $c->link($ctt, $ntt);
		if ($r->{status} == 200) {
			push @told, [ time, $ctt ];
			sleep 0.02;
		} else {
			$other{ join ' ', $r->{status}, $r->{json}{code} // () }++;
			sleep 0.1;
		}
	}
	return { told => \@told, other => \%other };
}

# The longest time without a success, from the event on.
sub outage ($event, $end, @times) {
	my ($longest, $last) = (0, $event);

	for my $at ((grep { $_ > $event } sort { $a <=> $b } @times), $end) {
		$longest = $at - $last if $at - $last > $longest;
		$last = $at;
	}
	return $longest;
}

# While users work, $do->() happens; then they work on.
sub under_load ($name, $do) {
	my $end = time + BEFORE_S + AFTER_S;
	my $each = 600;
	my @mine = map { [ splice @ctts, 0, $each ] } 1 .. CLIENTS;
	my ($event, @seen) = $c->parallel(CLIENTS + 1, sub ($i) {
		return client($mine[ $i - 1 ], $ntts[ $i - 1 ], $end) if $i;
		sleep BEFORE_S;
		my $at = time;
		$do->();
		return [$at];
	});
	my %other;

	for my $i (0 .. CLIENTS - 1) {
		$linked{ $_->[1] } = $ntts[$i] for @{ $seen[$i]{told} };
		$other{$_} += $seen[$i]{other}{$_} for keys %{ $seen[$i]{other} };
	}
	my @times = map { map { $_->[0] } @{ $_->{told} } } @seen;
	my $s = outage($event->[0], $end, @times);
	cmp_ok scalar @times, '>', 10, "$name: users work";
	ok $s < BACK_S, sprintf '%s: service was back in %.1f s', $name, $s;
	note sprintf '%s: %.1f s, %d links were told; else %s', $name, $s,
	    scalar @times, join(', ', map { "$_: $other{$_}" }
		sort keys %other) || 'nothing';
	is_deeply [ grep { !/^(50[0234]|409) / } keys %other ], [],
	    'no other answer than that it is not done, or not known';
}

# What a part that was started anew is waited for.
sub is_back ($node) {
	ok $h->wait_ready($node, 90), "node $node is back"
	    or diag +($c->log_lines("node-$node"))[ -20 .. -1 ];
}

sub kill_writer () {
	$c->stack('kill', 'db');
	$h->kill_node('a');
}

# ---- the parts ----

under_load('the node that writes is killed', \&kill_writer);
under_load('it comes back', sub { $h->start_node('a') });
is_back('a');
under_load('a host is killed, with a node', sub {
	$h->kill_host(2);
	$h->kill_node('b');
});
$h->start_host(2);
$h->start_node('b');
is_back('b');
under_load('the network of the node that writes is cut', sub { $h->cut('a') });
under_load('it is there again', sub { $h->rejoin('a') });
is_back('a');
under_load('HAProxy is killed, and started again a second later', sub {
	Hosts::end('haproxy');
	sleep 1;
	$h->start_proxy;
});
under_load('a worker and a memcached are killed', sub {
	Hosts::end($_) for qw(worker-1 memcached-0);
});

# ---- nothing is lost ----

ok $c->settle(60) && $c->quiet(60), 'all is settled';
{
	my %is = map { @$_ } @{ $c->dbh->selectall_arrayref(
		'SELECT id, ntt_id FROM ctt WHERE ntt_id IS NOT NULL') };
	my @lost = grep { ($is{$_} // 0) != $linked{$_} } keys %linked;

	is scalar(@lost), 0, sprintf 'none of %d that were told is lost',
	    scalar keys %linked or diag "@lost[0 .. ($#lost > 9 ? 9 : $#lost)]";
}
$c->agree('in the end both sides');
{
	my $r = $c->run('cttctl', { $h->db_env }, 'reconcile');
	is $r->{status}, 0, 'cttctl reconcile' or diag @$r{qw(out err)};
}
$h->kill_host($_) for 1, 2;
$c->expect(qr/event=(close_failed|db_error|db_away|lease_not_ended)/);
$c->stop;
done_testing;
