# What makes a bulk fast, without a clock: the partners are asked side by
# side, and the database commits twice, however many items there are.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use IO::Socket::INET ();
use List::Util qw(max);
use Test::More;
use Util qw(memory_kb slurp);

my $c = Ctt->start(pool => 1, workers => 0,
	set => { CTT_BULK_MAX_ITEMS => 5000 });

# Counters of the database, and what a request added to them. Reading them
# counts as well: that much is taken off.
sub counters () {
	return { map { @$_{qw(Variable_name Value)} } $c->rows(
		"SHOW GLOBAL STATUS WHERE Variable_name IN"
		. " ('Com_commit', 'Handler_commit')") };
}

# A process renews its lease when a second of it is gone, and a renewal is a
# commit: the seconds by which the lease moved are the most renewals.
sub lease_end () {
	return $c->one('SELECT MAX(UNIX_TIMESTAMP(expires_at)) FROM lease') // 0;
}

sub commits_of ($request) {
	my ($zero, $before) = (counters(), counters());
	my $lease = lease_end();
	my $nothing = counters();
	my $r = $request->();
	my $after = counters();
	my %n = map { $_ => $after->{$_} - $nothing->{$_}
		- $before->{$_} + $zero->{$_} } keys %$zero;

	is $r->{status}, 200, 'linked';
	$n{renewals} = int(lease_end() - $lease + 0.5);
	return \%n;
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
is $two->{Com_commit}, 2, 'two commits';
# the engine counts statements too, of which a bulk has one or two more
sub no_more ($n, $than, $name) {
	is $n->{Com_commit}, 2, "$name: two commits";
	# and two for each renewal of the lease
	cmp_ok $n->{Handler_commit} - 2 * $n->{renewals}, '<=',
	    $than->{Handler_commit}, "$name: as many as of two";
}

no_more($one, $two, 'one link');
no_more(commits_of(linking($_)), $two, "$_ links") for 50, 500;

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

# What many blocked pairs cost grows with their number, not with its square.
sub cost ($first, $n, $ntt) {
	my ($pid) = $c->pids('pool');
	my $cpu = sub () {
		return (split ' ', slurp("/proc/$pid/stat") =~ s/.*\)//sr)[11];
	};
	my $body = '{"items":[' . join(',', map {
		"{\"cttId\":$_,\"nttId\":$ntt}" } $first .. $first + $n - 1)
	    . ']}';
	# more than the document allows: the setting is another. A memcached that
	# has no CPU for 50 ms counts as away, and is left in peace for 5 s
	my ($r, $before, @blocked);
	$c->wait_for(10, sub {
		$before = $cpu->();
		$r = $c->raw("POST /ticket/ctt/link/bulk?dryRun=true HTTP/1.0"
		    . "\r\nAuthorization: Bearer " . $c->token
		    . "\r\nContent-Type: application/json\r\n"
		    . "Content-Length: @{[length $body]}\r\n\r\n"
		    . $body, odd => 1);
		@blocked = grep { ($_->{error}{code} // '') eq 'UNLINK_BLOCKED' }
		    @{ $r->{json}{results} };
		sleep 1 if !@blocked;
		return @blocked > 0;
	});
	is scalar @blocked, $n, "$n are blocked";
	return $cpu->() - $before;
}

{
	my ($first, $few, $many) = (100_000, 1000, 5000);
	my $ntt = $c->given(ntt => {});
	my $memcached = IO::Socket::INET->new(
		PeerAddr => $c->env('CTT_MEMCACHED')) or die "memcached: $!";

	$c->do('INSERT INTO ctt (id, ticket_no, source) SELECT ? + seq,'
	    . " CONCAT('B-', seq), 'TMF' FROM seq_0_to_$many", $first);
	print $memcached map { "set unlink-block:$_-$ntt 0 600 1 noreply\r\nx"
	    . "\r\n" } $first .. $first + $many - 1;
	print $memcached "version\r\n";
	like scalar <$memcached>, qr/^VERSION/, 'memcached has them';
	my ($x, $y) = map { cost($first, $_, $ntt) } $few, $many;
	cmp_ok $y, '<', 100, "$few: $x, $many: $y hundredths of a second";
	my ($pid) = $c->pids('pool');
	my $peak = memory_kb($pid, 'VmHWM');
	cmp_ok $peak, '<', 200_000, "and $peak kB at most";
}

$c->agree;
$c->stop;
done_testing;
