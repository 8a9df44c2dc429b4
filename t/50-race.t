# Races, run by real clients: one wins, all is counted, and nobody ever sees a
# deadlock.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use List::Util qw(shuffle sum);
use Test::More;

my $c = Ctt->start(pool => 8);

sub by_code (@results) {
	my %n;
	$n{ $_->{json}{code} // $_->{error}{code} // 'linked' }++ for @results;
	return \%n;
}

# ---- fifty clients, one CTT ----

for my $source (qw(TAAS TMF)) {
	my $ctt = $c->given(ctt => { source => $source });
	my @ntts = $c->given((ntt => {}) x 50);
	my @r = $c->parallel(50, sub ($i) { $c->link($ctt, $ntts[$i]) });
	my ($won) = grep { $r[$_]{status} == 200 } 0 .. 49;

	is scalar(grep { $_->{status} == 200 } @r), 1, "$source: one wins";
	is scalar(grep { $_->{status} == 409 } @r), 49, 'the others are told';
	is_deeply [ grep { !/^(linked|OPERATION_IN_PROGRESS|CTT_ALREADY_LINKED)$/ }
		keys %{ by_code(@r) } ], [], 'why';
	is $c->row(ctt => $ctt)->{ntt_id}, $ntts[$won], 'it is the winner\'s';
	is $c->one('SELECT SUM(ctt_count) FROM ntt WHERE id BETWEEN ? AND ?',
	    @ntts[0, -1]), 1, 'and counted once';
	is scalar(grep { $_->{applied} }
		$c->heard(lc $source, ticket => "C-$ctt")), 1,
	    'the partner heard of no other';
	is $c->one('SELECT COUNT(*) FROM audit_log WHERE entity_type = ?'
	    . ' AND entity_id = ?', 'CTT', $ctt), 1, 'one audit row';
	$c->agree;
}

# ---- the same, in bulks and alone, each CTT wanted by many ----

{
	my @ctts = $c->given(map { (ctt => { source => $_ % 2 ? 'TAAS'
		: 'TMF' }) } 1 .. 30);
	my @ntts = $c->given((ntt => {}) x 3);
	my @r = $c->parallel(12, sub ($i) {
		my $ntt = $ntts[$i % 3];
		my @order = $i == 0 ? @ctts : $i == 1 ? reverse @ctts
		    : shuffle @ctts;
		return [ @{ $c->bulk(map { [ $_, $ntt ] } @order)
			->{json}{results} } ] if $i < 8;
		return [ map { $c->link($_, $ntt) } @order[0 .. 9] ];
	});
	my $n = by_code(map { @$_ } @r);

	is delete $n->{linked}, 30, 'each CTT is linked once';
	delete @$n{qw(CTT_ALREADY_LINKED OPERATION_IN_PROGRESS)};
	is_deeply $n, {}, 'the others are told so';
	$c->agree('after the crowd, both sides');
}

# ---- a storm on few NTTs: nobody fails, and the counts hold ----

{
	my @ntts = $c->given((ntt => {}) x 3);
	my @ctts = $c->given(map { (ctt => { source => $_ % 3 ? 'TAAS'
		: 'TMF' }) } 1 .. 320);
	my @r = $c->parallel(16, sub ($i) {
		my @mine = @ctts[20 * $i .. 20 * $i + 19];
		my @pairs = map { [ $_, $ntts[ $_ % 3 ] ] } @mine;
		return [ map { $_->{status} } map { $c->link(@$_) } @pairs ]
		    if $i % 2;
		return [ map { $c->bulk(@$_)->{status} }
			[ @pairs[0 .. 9] ], [ reverse @pairs[10 .. 19] ] ];
	});

	is_deeply [ grep { $_ != 200 } map { @$_ } @r ], [],
	    'a storm of links, single and bulk: all succeed';
	is $c->one('SELECT SUM(ctt_count) FROM ntt WHERE id BETWEEN ? AND ?',
	    @ntts[0, -1]), 320, 'all counted';
	is_deeply [ $c->column('SELECT ctt_count FROM ntt WHERE id BETWEEN ?'
		. ' AND ? ORDER BY id', @ntts[0, -1]) ],
	    [ map { my $n = $_; scalar grep { $ntts[ $_ % 3 ] == $n } @ctts }
		@ntts ], 'each where it belongs';
	$c->agree('after the storm, both sides');
}

ok $c->quiet(60), 'all jobs are delivered';
is_deeply [ $c->column('SELECT b.type FROM operation o JOIN job b'
	. " ON b.dedupe_key LIKE CONCAT(o.id, ':%')"
	. " WHERE o.state <> 'SUCCEEDED'") ], [], 'no job of what failed';
$c->stop;
done_testing;
