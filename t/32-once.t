# What is sent is sent once: libcurl does not send a call again by itself, nor
# nginx a request.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use List::Util qw(min);
use Test::More;
use Time::HiRes qw(sleep);
use Util qw(slurp spew);

use constant { POOL => 6, TWICE_S => 0.045 };    # our own retry waits longer

my $c = Ctt->start(pool => 1, set => {
	CTT_PARTNER_TIMEOUT_MS => 1500, CTT_RETRY_BASE_MS => 300,
	CTT_RETRY_CAP_MS => 600, CTT_BREAKER_FAILURES => 1000 });
ok $c->stack('stop', 'worker'), 'no worker asks again';

# ---- libcurl: a kept connection that dies before a byte of the answer ----

# Who is asked what by which method, and what the caller does for it.
my @CALLS = (
	[ 'taas', 'POST', sub ($ctt, $ntt) { $c->link($ctt, $ntt) } ],
	[ 'taas', 'PUT', sub ($ctt, $) { $c->resolve(
		$c->given_activity($ctt), $ctt) } ],
	[ 'tmf', 'GET', sub ($ctt, $ntt) { $c->link($ctt, $ntt) } ],
	[ 'tmf', 'PATCH', sub ($ctt, $ntt) { $c->link($ctt, $ntt) } ],
	[ 'nig', 'PUT', sub ($ctt, $) { $c->given_element($ctt);
		$c->update_cpe($ctt, { manufacturer => 'ZTE', model => 'F660',
			ipAddress => '10.9.9.9', bandwidthMbps => 1000,
			port => '1' }) } ],
);

# Of the calls that met the end of a kept connection: none came again by itself.
sub came_once ($name, $times, @calls) {
	my @at = map { $_->{at} } @calls;

	ok $calls[0]{reused}, "$name: over a kept connection" if $times;
	is scalar @calls, $times, "as often as we tried: $times" if $times;
	cmp_ok min(map { $at[$_] - $at[ $_ - 1 ] } 1 .. $#at), '>', TWICE_S,
	    'and never twice at once';
	cmp_ok scalar grep({ $_->{applied} } @calls), '<=', 1, 'one effect';
}

for (map { ([ 'closed', {}, @$_ ], [ 'reset', { reset => 1 }, @$_ ]) } @CALLS) {
	my ($how, $reset, $partner, $method, $ask) = @$_;
	state $n = 0;
	my ($warm, $ctt, $ntt) = $c->given((map { (ctt => {
		ticket_no => ($partner eq 'taas' ? 'TaaS-' : 'X-') . ++$n,
		source => $partner eq 'tmf' ? 'TMF' : 'TAAS',
		segment_group => 'Managed Services' }) } 1, 2), ntt => {});

	is $c->link($warm, $ntt)->{status}, 200, 'a call that is answered';
	$c->rule(ticket => $c->row(ctt => $ctt)->{ticket_no},
	    partner => $partner, method => $method, do => 'cut', applied => 1,
	    %$reset);
	$ask->($ctt, $ntt);
	came_once("$partner $method, $how", 3, $c->heard($partner,
		ticket => $c->row(ctt => $ctt)->{ticket_no},
		method => $method));
}
$c->no_rules;

# The worker's too.
ok $c->stack('start', 'worker'), 'the worker starts';
ok $c->settle && $c->quiet, 'all is settled and delivered';
for my $reset ({}, { reset => 1 }) {
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});

	$c->rule(partner => 'queue', do => 'cut', applied => 1, %$reset);
	$c->link($ctt, $ntt);
	ok $c->wait_for(10, sub { $c->heard('queue', ticket => "C-$ctt") > 8 }),
	    'a queue that hangs up';
	$c->no_rules;
	ok $c->quiet, 'is well again';
	my %calls;
	push @{ $calls{ $_->{key} } }, $_
	    for $c->heard('queue', ticket => "C-$ctt");
	# The next job of the CTT waits, and is asked once.
	ok scalar(grep { $_->[0]{reused} } values %calls),
	    'the queue: over a kept connection';
	came_once('the queue', 0, @{ $calls{$_} })
	    for grep { @{ $calls{$_} } > 1 } sort keys %calls;
}
$c->agree;
$c->stop;

# ---- nginx: a process dies with a request in hand, and there are others ----

# No partner is too slow for its share: these are, with all processes in hand.
$c = Ctt->start(pool => POOL, set => { });
my $CONF = $c->dir . '/etc/ctt.conf';

my $shipped = slurp($CONF);

# nginx with the pool as two servers, one of which could be tried after the
# other, and this in place of the line that forbids it.
sub nginx_with ($line) {
	my $conf = $shipped;
	state $variant = 0;

	$variant++;
	$conf =~ s/^(\s+)server (unix:\S+);/$1server $2 max_fails=0;
		server $2 max_fails=0;/m or die 'no upstream';
	$conf =~ s/^\s+\Kfastcgi_next_upstream off;/$line/m
	    or die 'nginx may send again' if defined $line;
	$conf =~ s/(server_tokens off;)/$1 add_header X-Variant $variant;/
	    or die 'no server';
	spew($CONF, $conf);
	chomp(my $pid = slurp($c->dir . '/tmp/nginx.pid'));
	kill 'HUP', $pid;
	return $c->wait_for(10, sub {
		!grep { ($c->get('/ticket/lov')->{headers}{'x-variant'} // 0)
			!= $variant } 1 .. 5;
	});
}

my %REQUEST = (
	POST => sub ($ctt, $ntt, %headers) { $c->post('/ticket/ctt/link',
		{ cttId => $ctt, nttId => $ntt }, %headers) },
	PUT  => sub ($ctt, $, %headers) { $c->put('/ticket/ctt/activity-status'
		. '/update/' . $c->one('SELECT id FROM ctt_activity WHERE'
			. ' ctt_id = ?', $ctt), { cttId => $ctt,
			status => 'Resolved', $c->codes }, %headers) },
);

# How often nginx sent a request to the pool, as its log says.
sub sent ($id) {
	my ($line) = grep { /request_id=\Q$id\E / } $c->log_lines('access');

	return scalar split /, /, $line =~ /app_status="([^"]+)"/ ? $1 : '';
}

# How often the application began it, as its records say.
sub begun ($id) {
	return $c->one('SELECT COUNT(*) FROM operation WHERE request_id = ?',
	    $id);
}

# n requests of a method, and all processes of the pool killed with them in
# hand. Returns their ids and answers.
sub die_with ($n, $signal, @methods) {
	my @requests = map {
		my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
		$c->given_activity($ctt);
		{ method => $methods[ $_ % @methods ], ctt => $ctt, ntt => $ntt,
			id => "r-$ctt" };
	} 1 .. $n;
	my $most = $n < POOL ? $n : POOL;

	$c->sim(DELETE => '/calls');
	$c->sim(PUT => '/latency', { taas => 1000, tmf => 1000 });
	my @answers = $c->parallel($n + 1, sub ($i) {
		my $r = $requests[ $i - 1 ];
		return $REQUEST{ $r->{method} }->(@$r{qw(ctt ntt)},
		    'X-Request-Id' => $r->{id}) if $i;
		$c->wait_for(10, sub {
			$c->heard('taas') + $c->heard('tmf') >= $most });
		kill $signal, $c->pids('pool');
	});
	$c->sim(PUT => '/latency', { taas => 0, tmf => 0 });
	$requests[$_]{answer} = $answers[ $_ + 1 ] for 0 .. $#requests;
	ok $c->settle, 'what was cut short is settled';
	return @requests;
}

# The line, and how often a POST and a PUT are then sent. The last two show
# that it is needed, and that this test would see it.
for (
	[ 'as it is shipped', undef, 1, 1 ],
	[ 'without the line', '', 1, 2 ],
	[ 'with its contrary', 'fastcgi_next_upstream error non_idempotent;',
		2, 2 ],
) {
	my ($name, $line, %times) = (@$_[ 0, 1 ], POST => $_->[2],
		PUT => $_->[3]);

	ok nginx_with($line), "nginx $name";
	for my $method (sort keys %times) {
		my ($r) = die_with(1, 'KILL', $method);

		is sent($r->{id}), $times{$method},
		    "a $method whose process dies is sent so often";
		is_deeply [ begun($r->{id}), $r->{answer}{status},
			$r->{answer}{json}{code} ], [ 1, 502, 'NO_ANSWER' ],
		    'begun once, and the caller is told to look'
		    if !defined $line;
	}
}

# Many at once, as it is shipped.
ok nginx_with(undef), 'nginx as it is shipped';
$c->expect(qr/event=died .*signal=SIGABRT/);
for my $signal (qw(KILL ABRT)) {
	my @requests = die_with(4 * POOL, $signal, qw(POST PUT));

	is_deeply [ grep { sent($_->{id}) != 1 || begun($_->{id}) != 1 }
		@requests ], [], "SIG$signal, " . @requests
	    . ' under way: each is sent and begun once';
	is_deeply [ grep { $_->{answer}{status} != 200
		&& ($_->{answer}{json}{code} // '') ne 'NO_ANSWER' } @requests ],
	    [], 'and is done, or is to be looked up';
	cmp_ok scalar grep({ $_->{answer}{status} != 200 } @requests), '>=',
	    POOL, 'all that were in hand';
}
$c->agree;
ok $c->quiet, 'all jobs are delivered';
$c->stop;
done_testing;
