# Idempotency-Key on every POST and PUT: whatever breaks in between, one key
# has one effect, and one answer that is given again.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

my $c = Ctt->start(pool => 8, set => { CTT_PARTNER_TIMEOUT_MS => 400,
	CTT_SYNC_CONCURRENCY => 8 });
my @ROUTES = Changes::routes($c);
my $LINK = 'POST /ticket/ctt/link';
my $n = 0;

sub a_key () { return ('Idempotency-Key' => 'key-' . ++$n) }

sub replayed ($r) { return $r->{headers}{'idempotency-replayed'} // 'false' }

# What a client can tell one answer from another by.
sub told ($r) {
	return [ @$r{qw(status raw)},
		@{ $r->{headers} }{qw(content-type location retry-after)} ];
}

sub problem ($r) { return [ $r->{status}, $r->{json}{code} ] }

sub is_replay ($r, $first, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply [ @{ told($r) }, replayed($r) ],
	    [ @{ told($first) }, 'true' ], "$name: the first answer again";
}

# ---- again ----

for my $route (@ROUTES) {
	my $ch = Changes::given($c, $route, 3);
	my @key = a_key();
	my $first = Changes::ask($c, $ch, '', @key);

	is_deeply [ $first->{status}, replayed($first) ], [ 200, 'false' ],
	    "$route: done" or diag $first->{raw};
	ok $c->quiet, 'and all that follows';
	my $before = Changes::world($c);
	is_replay(Changes::ask($c, $ch, '', @key), $first, $route) for 1, 2;
	is_deeply problem(Changes::ask($c, Changes::other($ch), '', @key)),
	    [ 422, 'IDEMPOTENCY_KEY_REUSED' ], 'another body: refused';
	is_replay(Changes::ask($c, $ch, '', @key), $first, 'after that');
	# the same value, written in another way, is the same body
	is_replay(Changes::ask($c, Changes::rewritten($ch), '', @key), $first,
	    'written in another way');
	is_deeply Changes::world($c), $before, 'and nothing was done';
	is Changes::done($c, $ch), Changes::once($ch), 'it was done once';

	# Somebody else, and somebody whose name differs in case only.
	for my $sub (qw(paul OLGA)) {
		my $r = Changes::ask($c, $ch, '', @key, Authorization =>
		    'Bearer ' . $c->token(sub => $sub, roles => ['ctt-admin']));
		is replayed($r), 'false', "to $sub it is another key";
	}
	my $next = Changes::given($c, $route, 2);
	is_deeply [ map { replayed($_), $_->{status} } Changes::ask($c, $next,
		'', 'Idempotency-Key' => "$key[1]x") ], [ 'false', 200 ],
	    'a longer key is another key';
}

# One key on each path, the body as it may be.
{
	my @key = a_key();
	my @again = map { my $ch = Changes::given($c, $_, 1);
		Changes::ask($c, $ch, '', @key) } @ROUTES;

	is_deeply [ grep { $_->{status} != 200 || replayed($_) ne 'false' }
		@again ], [], 'one key on another path is another key';
}

# Answers that are no success, but were come to by work.
for (
	[ 'a gate refuses', 409, sub ($ch) {
			$c->link($ch->{tickets}[0]{id}, $ch->{to}) } ],
	[ 'no such NTT', 404, sub ($ch) { $ch->{body}{nttId} = 'N-none' } ],
	[ 'the partner refuses', 502, sub ($ch) {
			$c->rule(do => 'status', status => 400,
			    ticket => "C-$ch->{tickets}[0]{id}") } ],
	[ 'the partner is lost', 502, sub ($ch) {
			$c->rule(do => 'cut', applied => 1,
			    ticket => "C-$ch->{tickets}[0]{id}") } ],
	[ 'the partner is lost', 202, sub ($ch) {
			$c->rule(do => 'cut', applied => 1, key => '-sync$',
			    ticket => "C-$ch->{tickets}[0]{id}") },
		'PUT /ticket/ctt/activity-status/update/:id' ],
	[ 'one of three is linked', 207, sub ($ch) {
			$c->link($ch->{tickets}[1]{id}, $ch->{to}) },
		'POST /ticket/ctt/link/bulk' ],
	[ 'all are linked', 422, sub ($ch) {
			$c->link($_->{id}, $ch->{to}) for @{ $ch->{tickets} } },
		'POST /ticket/ctt/link/bulk' ],
) {
	my ($name, $status, $spoil, $route) = @$_;
	my $ch = Changes::given($c, $route // $LINK, 3);
	my @key = a_key();

	$spoil->($ch);
	my $first = Changes::ask($c, $ch, '', @key);
	is $first->{status}, $status, "$name: $status" or diag $first->{raw};
	is_replay(Changes::ask($c, $ch, '', @key), $first, $name);
	$c->unplant;
	$c->no_rules;
	ok $c->settle, 'once it is settled';
	is_replay(Changes::ask($c, $ch, '', @key), $first, $name);
}

# What passes by itself is not remembered, if nothing was begun: the retry that
# Retry-After asks for must not meet its own refusal.
for (
	[ 'an operation under way', 409, 'OPERATION_IN_PROGRESS', sub ($ch) {
			$c->plant_busy($ch->{tickets}[0]{id}) } ],
	[ 'a blocked pair', 409, 'UNLINK_BLOCKED', sub ($ch) {
			$c->plant_unlinked($_->{id}, $ch->{ntt})
			    for @{ $ch->{tickets} } } ],
) {
	my ($name, $status, $code, $spoil) = @$_;
	my $ch = Changes::given($c, $LINK, 1);
	my @key = a_key();

	$spoil->($ch);
	my $first = Changes::ask($c, $ch, '', @key);
	is_deeply [ $first->{status}, $first->{json}{code},
		$first->{headers}{'retry-after'} ? 1 : 0 ],
	    [ $status, $code, 1 ], "$name: come again";
	is replayed(Changes::ask($c, $ch, '', @key)), 'false',
	    'who comes again is asked anew';
	$c->unplant;
	my $r = Changes::ask($c, $ch, '', @key);
	is_deeply [ $r->{status}, replayed($r) ], [ 200, 'false' ],
	    'and succeeds when it has passed' or diag $r->{raw};
}

# ---- keys that are none ----

for my $route (@ROUTES) {
	my $ch = Changes::given($c, $route, 2);
	ok $c->quiet, 'all is quiet';
	my $before = Changes::world($c);

	for ('', 'a b', 'x' x 129, 'x' x 1000) {
		my $r = Changes::ask($c, $ch, '', 'Idempotency-Key' => $_);
		is_deeply [ @{ problem($r) },
			map { $_->{field} } @{ $r->{json}{errors} } ],
		    [ 422, 'VALIDATION_FAILED', 'Idempotency-Key' ],
		    "$route: no key: " . (length $_ > 9 ? 'long' : $_)
		    or diag $r->{raw};
	}
	is_deeply Changes::world($c), $before, 'nothing was done';
	my $key = join '', map { chr 0x21 + ($_ + $n) % 94 } 1 .. 128;
	$n += 7;
	my $first = Changes::ask($c, $ch, '', 'Idempotency-Key' => $key);
	is $first->{status}, 200, '128 of all visible characters are one';
	is_replay(Changes::ask($c, $ch, '', 'Idempotency-Key' => $key), $first,
	    $route);
}

# Bytes that a decent client does not send.
for my $key ("\x{c3}\x{bc}", "a\x7f", "a\tb") {
	my $url = $c->env('CTT_HTTP_URL') =~ s{^http://}{}r;
	my $token = $c->token(roles => ['ctt-admin']);
	my $socket = IO::Socket::INET->new(PeerAddr => $url) or die "nginx: $!";

	print $socket "POST /ticket/ctt/link HTTP/1.0\r\nContent-Length: 2\r\n"
	    . "Authorization: Bearer $token\r\nIdempotency-Key: $key\r\n"
	    . "Content-Type: application/json\r\n\r\n{}";
	my $r = $c->hold({ method => 'POST', path => '/ticket/ctt/link',
		body => '{}' }, $c->parse(join '', <$socket>));
	like "$r->{status} $r->{raw}", qr/^422 .*"Idempotency-Key"/s,
	    'no key: ' . unpack 'H*', $key;
}

# ---- what was decided before any work began is not remembered ----

for my $route (@ROUTES) {
	my $ch = Changes::given($c, $route, 2);
	my @key = a_key();
	my $viewer = 'Bearer ' . $c->token(roles => ['ctt-viewer']);

	for (
		[ 400, { body => '{' } ],
		[ 401, {}, Authorization => undef ],
		[ 403, {}, Authorization => $viewer ],
		[ 413, { body => ' ' x (1 << 20) . '{}' } ],
		[ 415, {}, 'Content-Type' => 'text/plain' ],
		[ 422, { body => {} } ],
	) {
		my ($status, $other, @header) = @$_;
		is Changes::ask($c, { %$ch, %$other }, '', @key, @header)
		    ->{status}, $status, "$route: $status";
	}
	if (my ($list) = grep { ref $ch->{body}{$_} eq 'ARRAY' }
		keys %{ $ch->{body} }) {
		my $r = Changes::ask($c, { %$ch, body => { %{ $ch->{body} },
			$list => [ 0, [] ] } }, '', @key);
		is $r->{status}, 422, "$route: no item is right";
	}
	my $r = Changes::ask($c, $ch, '', @key);
	is_deeply [ $r->{status}, replayed($r) ], [ 200, 'false' ],
	    'and then it is done';
}

# ---- thirty-two at once ----

$c->sim(PUT => '/latency', { map { $_ => 60 } qw(taas tmf nig) });
for my $route (@ROUTES) {
	my $ch = Changes::given($c, $route, 2);
	my @key = a_key();
	my @all = $c->parallel(32, sub ($) {
		Changes::ask($c, $ch, '', @key) });
	my ($first, @more) = grep { replayed($_) eq 'false'
		&& $_->{status} == 200 } @all;

	is @more, 0, "$route: one of 32 did it";
	is_deeply [ map { told($_) } grep { $_->{status} == 200
		? $_->{raw} ne $first->{raw}
		: "@{ problem($_) }" ne '409 IDEMPOTENCY_IN_PROGRESS'
			|| ($_->{headers}{'retry-after'} // '') !~ /^[1-9]/ }
		@all ], [], 'the others have its answer, or are to come again';
	is_replay(Changes::ask($c, $ch, '', @key), $first, 'who does');
	is Changes::done($c, $ch), Changes::once($ch), 'one effect here';
	my %calls;
	$calls{"$_->{ticket} $_->{path}"}++ for grep { my $call = $_;
		$call->{applied} && grep { $call->{ticket} eq "C-$_->{id}" }
			@{ $ch->{tickets} } }
	    map { $c->heard($_) } qw(taas tmf nig);
	is_deeply [ grep { $_ > ($route =~ /then/ ? 2 : 1) } values %calls ],
	    [], 'and one there';
}
$c->sim(PUT => '/latency', { map { $_ => 0 } qw(taas tmf nig) });

# ---- the process dies before it answers ----

# Asks until there is an answer: before that it is told when to come again, or
# whoever settles it dies as well.
sub ask_until ($ch, @key) {
	my $r;

	$c->wait_for(20, sub {
		$r = Changes::ask($c, $ch, '', @key);
		my $why = $r->{json}{code} // '';
		return 1 if $why ne 'NO_ANSWER'
		    && $why ne 'IDEMPOTENCY_IN_PROGRESS';
		return $why ne 'NO_ANSWER'
		    && ($r->{headers}{'retry-after'} // '') !~ /^[1-9]/;
	});
	return $r;
}

# The answers of changes that nothing disturbed.
my %USUAL;

sub usual ($route) {
	return $USUAL{$route} //= do {
		my $ch = Changes::given($c, $route, 3);
		unnamed(Changes::ask($c, $ch)->{json});
	};
}

# Without the tickets' names.
sub unnamed ($json) {
	my $text = Cpanel::JSON::XS->new->canonical
	    ->encode(Changes::alike($c, $json));

	return $c->json($text =~ s/\d{4,}/7/gr
	    =~ s/"(id|networkElementId)":\d+/"$1":7/gr);
}

my %fired;

sub dies ($route, $point, $rule) {
	my $ch = Changes::given($c, $route, 3);
	my $name = "$route, killed $point" . ($rule ? ', in doubt' : '');
	my @key = a_key();

	$c->rule(ticket => "C-$_->{id}", key => '-sync$', %$rule)
	    for $rule ? @{ $ch->{tickets} } : ();
	$c->fault($point, 'kill');
	my $first = Changes::ask($c, $ch, '', @key);
	my $r = ask_until($ch, @key);
	ok $c->settle, "$name: it settles";
	$fired{$point}++ if $c->fault_fired;

	if (($first->{json}{code} // '') ne 'NO_ANSWER') {
		is_replay($r, $first, $name);
	} elsif (!$rule) {
		is $r->{status}, 200, "$name: done, whoever did it"
		    or diag $r->{raw};
		is_deeply unnamed($r->{json}), usual($route),
		    'and told as if nothing had happened';
		is replayed($r), $point =~ /load|before-intent/ ? 'false'
		    : 'true', 'what is restored is a replay, the first too';
	}
	is_replay(Changes::ask($c, $ch, '', @key), $r, 'from now on');
	is Changes::done($c, $ch), Changes::once($ch), 'done once'
	    if $r->{status} == 200;
	$c->no_rules if $rule;
}

my @DIE = ($LINK, grep { m{link/bulk|unlink$|unlink-then|update/:id} } @ROUTES);
my %in_doubt = (do => 'cut', applied => 1, times => 3);
my @points = grep { !/job/ } $c->faults;

for my $point (@points) {
	for my $route (@DIE) {
		dies($route, $point, undef) if $point !~ /claim$|undo/;
		dies($route, $point, \%in_doubt) if $point =~ /claim$|undo|sync/;
	}
}
is_deeply [ grep { !$fired{$_} } @points ], [], 'every point was met'
    if @points;
$c->agree('after all of them, both sides');

# What was refused is told so still, with all that such a problem has to say.
for (!@points ? () : (
	[ 'blocked', 409, 'UNLINK_BLOCKED', sub ($ctt, $ntt, @key) {
		$c->plant_unlinked($ctt, $ntt);
		return $c->post('/ticket/ctt/link',
		    { cttId => $ctt, nttId => $ntt }, @key) } ],
	[ 'of a wrong code', 422, 'RESOLUTION_CODE_INVALID',
		sub ($ctt, $, @key) {
		return $c->put('/ticket/ctt/activity-status/update/'
			. $c->given_activity($ctt, id => $ctt),
		    { cttId => $ctt, status => 'Resolved' }, @key) } ],
	[ 'of two elements', 422, 'VALIDATION_FAILED', sub ($ctt, $, @key) {
		$c->given_element($ctt) for 1, 2;
		return $c->post("/ticket/ctt/cpe/update/$ctt", { new => {
			manufacturer => 'x', model => 'x', ipAddress => '::1',
			bandwidthMbps => 1, port => '1' } }, @key,
		    Authorization => 'Bearer '
			. $c->token(roles => ['ctt-admin'])) } ],
	[ 'refused by the partner', 502, 'EXTERNAL_SYNC_FAILED',
		sub ($ctt, $ntt, @key) {
		$c->rule(ticket => "C-$ctt", do => 'status', status => 409);
		return $c->post('/ticket/ctt/link',
		    { cttId => $ctt, nttId => $ntt }, @key) }, 'after-close' ],
)) {
	my ($name, $status, $code, $ask, $point) = @$_;
	my ($ctt, $ntt) = $c->given_ctts(1);
	my @key = a_key();

	$c->fault($point // 'after-intent', 'kill');
	is_deeply problem($ask->($ctt, $ntt, @key)), [ 502, 'NO_ANSWER' ],
	    "one that was $name is killed";
	$c->unplant;
	$c->no_rules;
	$c->do('DELETE FROM ctt_activity WHERE id = ?', $ctt);
	$c->do('DELETE FROM network_element WHERE ctt_id = ?', $ctt);
	my $r = $ask->($ctt, $ntt, @key);
	is_deeply problem($r), [ $status, $code ], 'it is told so'
	    or diag $r->{raw};
}

# ---- MariaDB goes away in between ----

for my $route (@points ? @DIE : ()) {
	my $ch = Changes::given($c, $route, 3);
	my @key = a_key();

	$c->fault('after-sync', 'kill');
	is_deeply problem(Changes::ask($c, $ch, '', @key)),
	    [ 502, 'NO_ANSWER' ], "$route: killed";
	ok $c->stack('stop', 'db'), 'MariaDB stops';
	is_deeply problem(Changes::ask($c, $ch, '', @key)),
	    [ 503, 'DB_UNAVAILABLE' ], 'the same key: the database is away';
	ok $c->stack('start', 'db'), 'it is back';
	my $r = ask_until($ch, @key);
	is $r->{status}, 200, 'it is done' or diag $r->{raw};
	is_replay(Changes::ask($c, $ch, '', @key), $r, 'and again');
	is Changes::done($c, $ch), Changes::once($ch), 'once';
}

# A process whose session is cut loses the key to the next who comes, and
# does not forget what that one has done.
for my $route (@points ? @DIE : ()) {
	my $ch = Changes::given($c, $route, 1);
	my @key = a_key();

	$c->fault('after-load', 'delay', ms => 700);
	my ($slow, $quick) = $c->parallel(2, sub ($i) {
		return Changes::ask($c, $ch, '', @key) unless $i;
		sleep 0.35;
		$c->cut_sessions or die "no session was cut\n";
		return ask_until($ch, @key);
	});
	my $r = Changes::ask($c, $ch, '', @key);
	is_deeply [ $r->{status}, Changes::done($c, $ch) ],
	    [ 200, Changes::once($ch) ], "$route: cut off, and done once"
	    or diag explain [ map { @$_{qw(status raw)} } $slow, $quick, $r ];
	is_replay($r, $quick->{status} == 200 ? $quick : $slow, 'with one answer');
}

# ---- a day ----

for my $route (@ROUTES) {
	my $ch = Changes::given($c, $route, 2);
	my @key = a_key();
	my $first = Changes::ask($c, $ch, '', @key);
	my $age = sub ($age) { $c->do('UPDATE idempotency SET created_at ='
	    . " NOW(3) - INTERVAL $age WHERE idem_key = ?", $key[1]) };

	$age->("'23:59:50' HOUR_SECOND");
	is_replay(Changes::ask($c, $ch, '', @key), $first, "$route: nearly a day");
	$age->("'24:00:01' HOUR_SECOND");
	is replayed(Changes::ask($c, $ch, '', @key)), 'false',
	    'after a day it is a new key';
}

ok $c->settle, 'all is settled';
ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
