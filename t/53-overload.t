# More than the pool can serve, and a pool and a worker that are replaced under
# load: what is turned away is told so and was never begun, what is taken is
# done, and every answer is whole.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(memory_kb spew);

use constant TIMES => 5;    # that all processes are replaced

my $c = Ctt->start(pool => 2, set => { CTT_PARTNER_TIMEOUT_MS => 20_000 });

# What n clients are answered that ask one thing after another for some
# seconds, and as long as $goes says: {ctt, status, code, retry, ms, whole}.
sub load ($n, $seconds, $ctts, $ask, $goes = sub { 1 }) {
	my $each = int @$ctts / $n;
	my $from = time;

	return map { @$_ } $c->parallel($n, sub ($i) {
		my @mine = @$ctts[ $i * $each .. ($i + 1) * $each - 1 ];
		my @answers;

		while (time < $from + $seconds && $goes->() && @mine) {
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
}

sub tally (@answers) {
	my %n;
	$n{"$_->{status} $_->{code}"}++ for @answers;
	return join ', ', map { "$n{$_} x $_" } sort keys %n;
}

sub memory () {
	return map { memory_kb($_, 'VmRSS') } $c->pids('pool');
}

# Requests that come all at once, over connections of their own: what each
# was answered.
sub burst (@requests) {
	my $url = $c->env('CTT_HTTP_URL') =~ s{^http://}{}r;
	my $select = IO::Select->new;
	my (%got, @answers);

	for (@requests) {
		my ($ctt, $ntt) = @$_;
		my $body = "{\"cttId\":$ctt,\"nttId\":$ntt}";
		my $socket = IO::Socket::INET->new(PeerAddr => $url)
		    or die "nginx: $!";
		print $socket "POST /ticket/ctt/link HTTP/1.0\r\n"
		    . 'Authorization: Bearer ' . $c->token . "\r\n"
		    . "Content-Type: application/json\r\n"
		    . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
		$socket->blocking(0);
		$select->add($socket);
		$got{$socket} = { ctt => $ctt, body => $body, raw => '',
			from => time };
	}
	while ($select->count && (my @ready = $select->can_read(30))) {
		for my $socket (@ready) {
			my $got = $got{$socket};
			my $n = sysread $socket, $got->{raw}, 65536,
			    length $got->{raw};
			next if $n || $!{EAGAIN};
			$select->remove($socket);
			$got->{ms} = 1000 * (time - $got->{from});
			push @answers, answer($got, $c->hold({ method => 'POST',
				path => '/ticket/ctt/link',
				body => $got->{body} }, $c->parse($got->{raw})));
		}
	}
	is $select->count, 0, 'each of ' . @requests . ' is answered';
	return @answers;
}

sub answer ($got, $r) {
	return { ctt => $got->{ctt}, status => $r->{status}, ms => $got->{ms},
		code => $r->{json}{code} // '',
		retry => $r->{headers}{'retry-after'},
		length => length $r->{raw},
		said => $r->{headers}{'content-length'},
		whole => ref $r->{json} eq 'HASH' ? 1 : 0 };
}

# What is too much is told so, and when to come again.
sub turned_away (@answers) {
	my @turned = grep { $_->{status} != 200 } @answers;

	is_deeply [ grep { $_->{status} != 503 || $_->{code} !~
		/^(PARTNER_BUSY|OVERLOADED|DEADLINE_PASSED)$/ } @turned ],
	    [], @turned . ' of ' . @answers . ' are too many, and told so';
	is_deeply [ grep { ($_->{retry} // '') !~ /^[1-9]\d*$/ } @turned ], [],
	    'and when to come again';
	return @turned;
}

sub whole (@answers) {
	is_deeply [ grep { !$_->{whole} || $_->{length} != $_->{said} }
		@answers ], [], 'no answer is cut off';
}

# ---- too much ----

# Two processes and partners of 200 ms serve ten links a second; fifty clients
# ask one after another.
{
	my ($ntt) = $c->given(ntt => {});
	my @ctts = given_ctts(60 * 60);

	load(10, 0.5, [ splice @ctts, 0, 400 ],
	    sub ($ctt) { $c->link($ctt, $ntt) });
	$c->sim(PUT => '/latency', { taas => 200, tmf => 100 });
	# what two clients get done: on an idle machine 40
	my $alone = grep { $_->{status} == 200 } load(2, 4,
		[ splice @ctts, 0, 400 ], sub ($ctt) { $c->link($ctt, $ntt) });
	my @before = memory();
	my $seconds = 4 * 40 / ($alone || 1);
	my @answers = load(50, $seconds > 30 ? 30 : $seconds, \@ctts,
		sub ($ctt) { $c->link($ctt, $ntt) });

	note tally(@answers);
	turned_away(@answers);
	cmp_ok scalar(grep { $_->{status} == 200 } @answers), '>', 0.7 * $alone,
	    "the pool does what it can: two alone get $alone done";
	each_is_true('five times', @answers);
	whole(@answers);
	my @after = memory();
	# The sanitizer keeps what is freed for a while.
	is_deeply [ grep { $_ > 1.1 * $before[0] } @after ], [],
	    "memory is flat: @before kB, @after kB"
	    unless qx(ldd ./ctt.fcgi) =~ /libasan/;
}

# More at once than nginx has under way: the rest is not begun.
{
	my ($ntt) = $c->given(ntt => {});
	my @ctts = given_ctts(700);

	$c->sim(PUT => '/latency', { taas => 5, tmf => 2 });
	my @answers = burst(map { [ $_, $ntt ] } @ctts);
	note tally(@answers);
	my @turned = turned_away(@answers);
	cmp_ok scalar @turned, '>', 0, 'there were too many';
	cmp_ok @answers - @turned, '>=', 512, 'others were not';
	each_is_true('a burst', @answers);
	whole(@answers);
}

# A partner that takes long has half of the threads; what is more than that is
# turned away at once, or waits for it for a short time only.
$c->restart_pool(2, CTT_THREADS => 4);
{
	my ($ntt) = $c->given(ntt => {});
	my @ctts = given_ctts(24 * 100);
	my @taas = grep { $c->row(ctt => $_)->{source} eq 'TAAS' } @ctts;

	$c->sim(PUT => '/latency', { taas => 1200, tmf => 2 });
	my @answers = load(12, 5, \@taas, sub ($ctt) {
		my $r = $c->link($ctt, $ntt);
		sleep 0.1 if $r->{status} != 200;
		return $r;
	});
	note tally(@answers);
	my @turned = turned_away(grep { $_->{code} ne 'EXTERNAL_SYNC_FAILED' }
		@answers);
	cmp_ok scalar @turned, '>', 0.5 * @answers, 'most are turned away';
	$c->sim(PUT => '/latency', { taas => 0, tmf => 0 });
	ok $c->settle, 'what was cut short is settled';
	whole(@answers);
	each_is_true('a slow partner', grep {
		$_->{code} ne 'EXTERNAL_SYNC_FAILED' } @answers);
	$c->agree('after all that, both sides');
}

# ---- a bulk of which nothing can be begun, for its partner is busy ----

# Nothing is begun or written, each is told why and when to come again, and the
# key by which it came is free.
{
	my @changes = map { Changes::given($c, $_, 2, 1) }
	    grep { !/cpe/ } Changes::routes($c);
	my %key = map { ($_->{route} => [ 'Idempotency-Key' =>
		"busy $_->{route}" =~ s/\s/-/gr ]) } @changes;
	$c->restart_pool(1, CTT_THREADS => 2);
	my @answers = $c->while_busy(sub ($) {
		map { Changes::ask($c, $_, '', @{ $key{ $_->{route} } }) }
		    @changes;
	});

	for my $i (0 .. $#changes) {
		my ($ch, $r) = ($changes[$i], $answers[$i]);
		my ($route, $json) = ($ch->{route}, $r->{json});
		my $n = @{ $ch->{tickets} };
		my $bulk = $route =~ /bulk|then-link/;

		is_deeply [ $r->{status}, $json->{code},
			@$json{qw(total success failed unknown)} ],
		    $bulk ? [ 503, 'BULK_ALL_FAILED', $n, 0, $n, 0 ]
		    : [ 503, 'PARTNER_BUSY', (undef) x 4 ],
		    "$route is shed" or diag $r->{raw};
		like $r->{headers}{'retry-after'}, qr/^[1-9]\d*$/,
		    'come again';
		is_deeply [ map { "$_->{outcome} $_->{error}{code} "
			. ($_->{operationId} // '-') }
			@{ $json->{results} // [] } ],
		    [ ('failed PARTNER_BUSY -') x ($json->{results} ? $n : 0) ],
		    'so is each of its items';
		is $c->one('SELECT COUNT(*) FROM operation WHERE ctt_id IN ('
		    . join(',', map { $_->{id} } @{ $ch->{tickets} }) . ')'), 0,
		    'nothing is written';
		$r = Changes::ask($c, $ch, '', @{ $key{$route} });
		is_deeply [ $r->{status}, $r->{headers}{'idempotency-replayed'} ],
		    [ 200, undef ], 'when it comes again, it is done'
		    or diag $r->{raw};
		is Changes::done($c, $ch), Changes::once($ch), 'once';
	}
	$c->agree('then both sides');
	$c->restart_pool(2, CTT_THREADS => 4);
}

# ---- replaced under load ----

{
	my ($ntt) = $c->given(ntt => {});
	my @ctts = given_ctts(6 * 400);

	$c->sim(PUT => '/latency', { taas => 20, tmf => 10 });
	my $replaced = $c->dir . '/replaced';
	my $restarts = fork // die "fork: $!\n";
	if (!$restarts) {
		delete $c->{dbh};
		my $bad = 0;
		for (1 .. TIMES) {
			my $next = time + 2;
			$c->stack('restart', $_) or $bad++ for qw(pool worker);
			sleep($next - time) if $next > time;
		}
		spew($replaced, '');
		POSIX::_exit($bad);
	}
	my @answers = load(6, 100, \@ctts,
		sub ($ctt) { $c->link($ctt, $ntt) }, sub { !-e $replaced });
	waitpid $restarts, 0;

	note tally(@answers);
	is $?, 0, 'the pool and the worker were replaced, again and again';
	my %pids = map { /pid=(\d+) .*event=started/ ? ($1 => 1) : () }
	    $c->log_lines('pool');
	cmp_ok keys %pids, '>=', 2 * TIMES, keys(%pids) . ' processes in turn';
	whole(@answers);
	turned_away(@answers);
	cmp_ok scalar(grep { $_->{status} == 200 } @answers), '>',
	    0.5 * @answers, 'most are done';
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
