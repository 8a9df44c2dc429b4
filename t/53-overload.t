# More than the pool can serve, and a pool and a worker that are replaced under
# load: what is turned away is told so and was never begun, what is taken is
# done, and every answer is whole.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(sleep time);

my $c = Ctt->start(pool => 2);

# What n clients are answered that ask one thing after another for some
# seconds: {ctt, status, code, retry, ms, whole}.
sub load ($n, $seconds, $ctts, $ask) {
	my $each = int @$ctts / $n;
	my $from = time;

	return map { @$_ } $c->parallel($n, sub ($i) {
		my @mine = @$ctts[ $i * $each .. ($i + 1) * $each - 1 ];
		my @answers;

		while (time < $from + $seconds && @mine) {
			my $ctt = shift @mine;
			my $began = time;
			my $r = $ask->($ctt);
			push @answers, { ctt => $ctt, status => $r->{status},
				ms => 1000 * (time - $began),
				code => $r->{json}{code} // '',
				retry => $r->{headers}{'retry-after'},
				length => length $r->{raw},
				said => $r->{headers}{'content-length'},
				whole => ref $r->{json} eq 'HASH' ? 1 : 0 };
		}
		return \@answers;
	});
}

sub given_ctts ($n) {
	return $c->given(map { (ctt => { source => $_ % 2 ? 'TAAS' : 'TMF' }) }
		1 .. $n);
}

# Done to the end if that was the answer, and not even begun if it was not.
sub each_is_true ($name, @answers) {
	my %linked = map { $_ => 1 }
	    $c->column('SELECT id FROM ctt WHERE ntt_id IS NOT NULL');
	my %begun = map { $_ => 1 } $c->column('SELECT ctt_id FROM operation');
	my @done = grep { $_->{status} == 200 } @answers;
	my @not = grep { $_->{status} != 200 } @answers;

	is_deeply [ grep { !$linked{ $_->{ctt} } } @done ], [],
	    "$name: each of " . @done . ' successes is in the database';
	is_deeply [ grep { $begun{ $_->{ctt} } || $linked{ $_->{ctt} } } @not ],
	    [], 'nothing of the ' . @not . ' others';
	is keys %linked, @done, 'and nothing else is';
}

sub tally (@answers) {
	my %n;
	$n{"$_->{status} $_->{code}"}++ for @answers;
	return join ', ', map { "$n{$_} x $_" } sort keys %n;
}

sub memory () {
	return map { my $pid = $_;
		open my $fh, '<', "/proc/$pid/status" or die "$pid: $!\n";
		map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$fh> } $c->pids('pool');
}

# ---- five times too much ----

# Two processes and a partner of 200 ms serve ten links a second.
{
	my ($ntt) = $c->given(ntt => {});
	my @ctts = given_ctts(20 * 200);

	$c->sim(PUT => '/latency', { taas => 200, tmf => 100 });
	load(10, 0.5, [ splice @ctts, 0, 400 ], sub ($ctt) {
		$c->get("/ticket/ctt/$ctt") });
	my @before = memory();
	my @answers = load(50, 6, \@ctts, sub ($ctt) { 
		my $r = $c->link($ctt, $ntt);
		sleep 0.1 if $r->{status} != 200;
		return $r;
	});
	my @turned = grep { $_->{status} != 200 } @answers;

	note tally(@answers);
	cmp_ok @turned / @answers, '>', 0.5, 'most are too many';
	is_deeply [ grep { "$_->{status} $_->{code}" !~
		/^(503 (PARTNER_BUSY|OVERLOADED)|429 RATE_LIMITED)$/ } @turned ],
	    [], 'they are told so';
	is_deeply [ grep { ($_->{retry} // '') !~ /^[1-9]\d*$/ } @turned ], [],
	    'and when to come again';
	cmp_ok @answers - @turned, '>', 5 * 4, 'the pool does what it can';
	each_is_true('overload', @answers);
	my @after = memory();
	is_deeply [ grep { $_ > 1.2 * $before[0] + 2000 } @after ], [],
	    "memory is flat: @before kB, @after kB";
	is $c->get('/ticket/lov')->{status}, 200, 'and all is well';
	ok $c->settle, 'all is settled';
	$c->agree('after the overload, both sides');
}

# ---- replaced under load ----

{
	my ($ntt) = $c->given(ntt => {});
	my @ctts = given_ctts(6 * 400);
	my %was = map { $_ => 1 } $c->column('SELECT id FROM ctt WHERE ntt_id'
	    . ' IS NOT NULL');

	$c->do('UPDATE ctt SET ntt_id = ntt_id');    # a connection of our own
	$c->sim(PUT => '/latency', { taas => 20, tmf => 10 });
	my $restarts = fork // die "fork: $!\n";
	if (!$restarts) {
		delete $c->{dbh};
		my $end = time + 10;
		my $bad = 0;
		while (time < $end) {
			my $next = time + 2;
			$c->stack('restart', $_) or $bad++ for qw(pool worker);
			sleep($next - time) if $next > time;
		}
		POSIX::_exit($bad);
	}
	my @answers = load(6, 10, \@ctts, sub ($ctt) { $c->link($ctt, $ntt) });
	waitpid $restarts, 0;

	note tally(@answers);
	is $?, 0, 'the pool and the worker were replaced, again and again';
	my %pids = map { /pid=(\d+) .*event=started/ ? ($1 => 1) : () }
	    $c->log_lines('pool');
	cmp_ok keys %pids, '>=', 2 * 5, keys(%pids) . ' processes in turn';
	is_deeply [ grep { !$_->{whole} || $_->{length} != $_->{said} }
		@answers ], [], 'no answer is cut off';
	is_deeply [ grep { $_->{status} != 200 && $_->{status} != 503 }
		@answers ], [], 'and no request is lost';
	cmp_ok scalar(grep { $_->{status} == 200 } @answers), '>', 100,
	    'most are done';
	my %mine = map { $_->{ctt} => 1 } grep { $_->{status} == 200 } @answers;
	is_deeply [ $c->column('SELECT id FROM ctt WHERE ntt_id = ?'
	    . ' ORDER BY id', $ntt) ], [ sort { $a <=> $b } keys %mine ],
	    'what was answered, and no more, is in the database';
	is $c->one('SELECT ctt_count FROM ntt WHERE id = ?', $ntt),
	    scalar keys %mine, 'and counted';
}

ok $c->settle, 'all is settled';
ok $c->quiet(30), 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
