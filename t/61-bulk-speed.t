# What makes a bulk fast, without a clock: the partners are asked side by
# side, and the database commits twice, however many items there are.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use List::Util qw(max);
use Test::More;

my $c = Ctt->start(pool => 1, workers => 0);

# Counters of the database, and what a request added to them. Reading them
# counts as well: that much is taken off.
sub counters () {
	return { map { @$_{qw(Variable_name Value)} } $c->rows(
		"SHOW GLOBAL STATUS WHERE Variable_name IN"
		. " ('Com_commit', 'Handler_commit')") };
}

sub commits_of ($request) {
	my ($zero, $before, $r, $after) = (counters(), counters(),
		$request->(), counters());

	is $r->{status}, 200, 'linked';
	return { map { $_ => $after->{$_} - 2 * $before->{$_} + $zero->{$_} }
		keys %$zero };
}

sub linking ($n) {
	my @ctts = $c->given(map { (ctt => { source => $_ % 2 ? 'TAAS'
		: 'TMF' }) } 1 .. $n);
	my $ntt = $c->given(ntt => {});

	return sub { $n == 1 ? $c->link($ctts[0], $ntt)
		: $c->bulk(map { [ $_, $ntt ] } @ctts) };
}

linking($_)->() for 1, 2;    # connections are made, statements prepared
my ($one, $two) = map { commits_of(linking($_)) } 1, 2;
is $_->{Com_commit}, 2, 'two commits' for $one, $two;
# the engine counts statements too, of which a bulk has one or two more
cmp_ok $one->{Handler_commit}, '<=', $two->{Handler_commit}, 'of one link';
is_deeply commits_of(linking($_)), $two, "$_ links: as many as of two"
    for 50, 500;

# Every answer takes 300 ms; so the calls that arrive within 250 ms of one
# another are in flight together.
{
	$c->sim(DELETE => '/calls');
	$c->sim(PUT => '/latency', { taas => 300, tmf => 300 });
	is linking(96)->()->{status}, 200, '96 links';
	my @at = sort { $a <=> $b }
	    map { $_->{at} } $c->heard('taas'), $c->heard('tmf');
	my $most = max map { my $t = $_;
		scalar grep { $_ >= $t && $_ < $t + 0.25 } @at } @at;
	cmp_ok $most, '>=', 32, "$most calls at once";
	cmp_ok $most, '<=', 64, 'and no more than are allowed';
}

$c->agree;
$c->stop;
done_testing;
