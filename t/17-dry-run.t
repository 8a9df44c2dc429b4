# ?dryRun=true on every POST and PUT: the very checks of the real call and the
# very problem, or what would be done; and nothing is changed, nor sent.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

# (a block that ends on a slow machine would look like a trace)
my $c = Ctt->start(workers => 0, set => { CTT_PARTNER_TIMEOUT_MS => 500,
	CTT_UNLINK_BLOCK_TTL => 3600 });
my @ROUTES = Changes::routes($c);
my $NOBODY = Ctt::NOBODY;

# A dry run of a change, and the real call after it; returns that one's answer.
sub dry_then_real ($ch, $name, %headers) {
	my $before = Changes::world($c);
	my $dry = Changes::ask($c, $ch, '?dryRun=true', %headers);
	is_deeply Changes::world($c), $before,
	    "$name: a dry run leaves no trace" or diag $dry->{raw};
	ok eval { $c->do('SELECT id FROM ctt FOR UPDATE NOWAIT'); 1 },
	    'nor a lock';

	my $real = Changes::ask($c, $ch, '', %headers);
	is $dry->{status}, $real->{status} == 207 ? 200 : $real->{status},
	    "$dry->{status}, as the real call";
	is $dry->{headers}{'content-type'}, $real->{headers}{'content-type'},
	    'of one type';
	is_deeply Changes::alike($c, $dry->{json}),
	    Changes::alike($c, $real->{json}), 'and in the same words';
	is $dry->{json}{dryRun}, $dry->{status} == 200 ? 1 : undef,
	    'a success says that it was dry';
	ok !exists $real->{json}{dryRun}, 'and the real one does not';
	unlike $dry->{raw}, qr/peration[iI]d":"/, 'there was no operation'
	    if $dry->{raw} !~ /IN_PROGRESS/;
	return $real;
}

# ---- what would be done ----

for my $route (@ROUTES) {
	for my $n (1, 3) {
		my $ch = Changes::given($c, $route, $n);

		is dry_then_real($ch, "$route, $n")->{status}, 200,
		    'and then it is done';
		is Changes::done($c, $ch), Changes::once($ch), 'once';
	}
}

# ---- refusals ----

# Another ticket's name, in the body and in the path.
sub instead ($ch, $from, $to) {
	my $text = Cpanel::JSON::XS->new->encode($ch->{body});

	$ch->{path} =~ s/\b$from\b/$to/;
	$ch->{body} = $c->json($text =~ s/\b$from\b/$to/gr);
}

# The pair that the block of a change is about.
sub pair ($ch, $t) {
	return ($t->{id}, $ch->{route} =~ /then/ ? $ch->{to} : $ch->{ntt});
}

sub memcached_blocks ($ctt, $ntt) {
	my $socket = IO::Socket::INET->new(PeerAddr => $c->env('CTT_MEMCACHED'))
	    or die "memcached: $!";
	my $value = (time + 30) * 1000;
	print $socket "set unlink-block:$ctt-$ntt 0 60 " . length($value)
	    . "\r\n$value\r\n";
	scalar <$socket> eq "STORED\r\n" or die 'memcached';
}

sub of_ctt ($sql) {
	return sub ($ch, $t) { $c->do($sql, $t->{id}) };
}

# What is wrong with a ticket of the change, or with all of it; which routes
# mind; the code that they answer.
my @REFUSED = (
	[ 'no such CTT', qr/link|ticket-id|cpe/, sub ($ch, $t) {
			instead($ch, $t->{id}, $NOBODY) }, 'CTT_NOT_FOUND' ],
	[ 'no such CTT', qr/update.*status/, sub ($ch, $t) {
			instead($ch, $t->{id}, $NOBODY) },
		'CTT_ACTIVITY_NOT_FOUND' ],
	[ 'no such NTT', qr/link/, sub ($ch, $t) {
			instead($ch, $ch->{$_}, $NOBODY) for qw(ntt to) },
		'NTT_NOT_FOUND' ],
	[ 'an operation under way', qr/./, sub ($ch, $t) {
			$c->plant_busy($t->{id}, ntt_id => $ch->{ntt}) },
		'OPERATION_IN_PROGRESS' ],
	[ 'linked already', qr{/link}, sub ($ch, $t) {
			$c->link($t->{id}, $ch->{to}) }, 'CTT_ALREADY_LINKED' ],
	[ 'not linked', qr{/unlink(/bulk)?$}, sub ($ch, $t) {
			$c->unlink_from($ch->{ntt}, [ $t->{id} ]) },
		'CTT_NOT_LINKED_TO_NTT' ],
	[ 'blocked, says the journal', qr/link/, sub ($ch, $t) {
			$c->plant_unlinked(pair($ch, $t)) },
		'UNLINK_BLOCKED' ],
	[ 'blocked, says memcached', qr/link/, sub ($ch, $t) {
			memcached_blocks(pair($ch, $t)) }, 'UNLINK_BLOCKED' ],
	[ 'closed', qr/status|resolve/,
		of_ctt("UPDATE ctt SET status = 'Closed' WHERE id = ?"),
		'CTT_STATUS_TERMINAL' ],
	[ 'another status', qr/status/, sub ($ch, $t) {
			$_->{status} = 'Open'
			    for $ch->{body}, @{ $ch->{body}{items} // [] } },
		'ONLY_RESOLVED_ALLOWED' ],
	[ 'no such code', qr/status|resolve/, sub ($ch, $t) {
			instead($ch, 'FIBER_CUT', 'NONE') },
		'RESOLUTION_CODE_INVALID' ],
	[ 'a later activity', qr/status/, sub ($ch, $t) {
			$c->given_activity($t->{id}, type => 'Later') },
		'CTT_ACTIVITY_NOT_FOUND' ],
	[ 'no activity', qr/status|resolve/,
		of_ctt('DELETE FROM ctt_activity WHERE ctt_id = ?'),
		'CTT_ACTIVITY_NOT_FOUND' ],
	[ 'no element', qr/cpe/,
		of_ctt('DELETE FROM network_element WHERE ctt_id = ?'),
		'NETWORK_ELEMENT_NOT_FOUND' ],
	[ 'two elements', qr/cpe/, sub ($ch, $t) {
			$c->given_element($t->{id}, name => 'two') },
		'VALIDATION_FAILED' ],
	[ 'another segment', qr/cpe/,
		of_ctt("UPDATE ctt SET segment_group = '' WHERE id = ?"),
		'CPE_NOT_ELIGIBLE' ],
	[ 'changed meanwhile', qr/cpe/, sub ($ch, $t) {
			$ch->{body}{current} = { model => 'other' } },
		'CPE_STALE' ],
	[ 'a wrong field', qr/./, sub ($ch, $t) { $ch->{body}{remark} = 7 },
		'VALIDATION_FAILED' ],
	[ 'no JSON', qr/./, sub ($ch, $t) { $ch->{body} = '{' },
		'MALFORMED_JSON' ],
	[ 'too much', qr/./, sub ($ch, $t) {
			$ch->{body} = ' ' x (1 << 20) . '{}' },
		'PAYLOAD_TOO_LARGE' ],
	[ 'no such CTT in the path', qr/cpe/, sub ($ch, $t) {
			$ch->{path} =~ s/\d+$/0/ }, 'NOT_FOUND' ],
);

for (@REFUSED) {
	my ($name, $routes, $spoil, $code) = @$_;

	for my $route (grep { /$routes/ } @ROUTES) {
		my $ch = Changes::given($c, $route, 3);
		my ($first, @others) = @{ $ch->{tickets} };

		$spoil->($ch, $first);
		my $real = dry_then_real($ch, "$route: $name");
		like $real->{raw}, qr/"code":"$code"/, $code;
		$c->unplant;
		next if !@others || $real->{status} >= 400;

		$ch = Changes::given($c, $route, 3);
		$spoil->($ch, $_) for @{ $ch->{tickets} };
		$real = dry_then_real($ch, "$route: $name, all of them");
		is $real->{status}, $code eq 'CTT_STATUS_TERMINAL' ? 200 : 422,
		    'none succeeded';
		$c->unplant;
	}
}

for my $route (@ROUTES) {
	for (
		[ 'no token', 401, Authorization => undef ],
		[ 'a reader', 403, Authorization => 'Bearer '
			. $c->token(roles => ['ctt-viewer']) ],
		[ 'plain text', 415, 'Content-Type' => 'text/plain' ],
	) {
		my ($name, $status, @header) = @$_;
		is dry_then_real(Changes::given($c, $route), "$route: $name",
		    @header)->{status}, $status, $name;
	}
}

# ---- two items of one CTT: the second meets what the first would leave ----

{
	my $t = Changes::ticket($c);
	my ($ntt, $to) = $c->given(ntt => {}, ntt => {});
	my %codes = $c->codes;
	my @pairs = map { { cttId => $t->{id}, nttId => $_ } } $ntt, $to;

	for (
		[ '/link/bulk', { items => \@pairs },
			qw(linked CTT_ALREADY_LINKED) ],
		[ '/unlink-then-link', { ticketNo => $to,
			cttIds => [ $t->{id}, "C-$t->{id}" ] },
			qw(moved already-on-target) ],
		[ '/unlink/bulk', { items => [ @pairs[ 1, 1 ] ] },
			qw(unlinked CTT_NOT_LINKED_TO_NTT) ],
		[ '/bulk-resolve-by-ticket-id', { %codes,
			ticketIds => [ ($t->{id}) x 2 ] },
			qw(resolved DUPLICATE_ITEM) ],
		[ '/bulk-update-ctt-activity-status', { items => [ map { {
			%codes, cttId => $t->{id}, status => 'Resolved',
			activityId => 1 } } 1, 2 ] },
			qw(resolved DUPLICATE_ITEM) ],
	) {
		my ($path, $body, @outcomes) = @$_;
		# The latest activity, once those before are done.
		$_->{activityId} &&= 0 + $c->one('SELECT MAX(id) FROM'
		    . ' ctt_activity WHERE ctt_id = ?', $t->{id})
		    for @{ $body->{items} // [] };
		my $r = dry_then_real({ method => 'POST', body => $body,
			path => "/ticket/ctt$path" }, "$path: one CTT twice");
		is_deeply [ map { $_->{error}{code} // $_->{outcome} }
			@{ $r->{json}{results} } ], \@outcomes, "@outcomes";
	}
}

# ---- the word itself ----

for my $route (@ROUTES) {
	my $ch = Changes::given($c, $route, 2);
	my $before = Changes::world($c);

	for my $query (qw(?dryRun=x ?dryRun= ?dryRun=True ?dryRun ?dryRun=1),
		'?dryRun=%74ru') {
		my $r = Changes::ask($c, $ch, $query);
		is_deeply [ $r->{status}, $r->{json}{code},
			map { $_->{field} } @{ $r->{json}{errors} } ],
		    [ 422, 'VALIDATION_FAILED', 'dryRun' ], "$route$query";
	}
	is Changes::ask($c, $ch, '?dryRun=%74rue')->{json}{dryRun}, 1,
	    'one that is encoded';
	is_deeply Changes::world($c), $before, 'nothing was done yet';
	my $r = Changes::ask($c, $ch, '?dryRun=false');
	is_deeply [ $r->{status}, $r->{json}{dryRun} ], [ 200, undef ],
	    'dryRun=false is the real call';
}

# It claims no key, and is none that is replayed.
for my $route (@ROUTES) {
	my $ch = Changes::given($c, $route, 2);
	my @key = ('Idempotency-Key' => "dry $route" =~ s/ //gr);

	is dry_then_real($ch, "$route with a key", @key)->{status}, 200,
	    'the real call is no repetition';
	my $r = Changes::ask($c, $ch, '?dryRun=true', @key);
	is $r->{headers}{'idempotency-replayed'}, undef,
	    'nor is a dry run after it';
}

# ---- a partner that is broken ----

# Ten calls in a row fail: now it is only probed, and a dry run is no probe.
{
	my $ch = Changes::given($c, 'POST /ticket/ctt/link/bulk', 20);
	my $rule = $c->rule(partner => 'taas', do => 'cut');
	is Changes::ask($c, $ch)->{status}, 207, 'TaaS fails ten times';

	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
	my $link = { method => 'POST', path => '/ticket/ctt/link',
		body => { cttId => $ctt, nttId => $ntt } };
	my ($dry, $real);
	for (1 .. 10) {    # until both came while TaaS was left alone
		Changes::ask($c, $link);
		my $began = time;
		$dry = Changes::ask($c, $link, '?dryRun=true');
		$real = Changes::ask($c, $link);
		last if time - $began < 0.8;
	}
	is_deeply [ map { [ $_->{status}, $_->{json}{code} ] } $dry, $real ],
	    [ ([ 502, 'EXTERNAL_SYNC_FAILED' ]) x 2 ], 'both are refused';

	$c->no_rules;
	sleep 2.1;    # longer than it is left alone
	my $r;
	$r = Changes::ask($c, $link, '?dryRun=true') for 1 .. 3;
	is $r->{status}, 200, 'it may be probed';
	$r = Changes::ask($c, $link);
	is $r->{status}, 200, 'and the real call does so' or diag $r->{raw};
	# There is no worker: the next request for a CTT settles what is open.
	ok $c->wait_for(20, sub {
		$c->link($_->{id}, $ntt) for @{ $ch->{tickets} };
		return $c->settle(0);
	}), 'what was open is settled';
}

$c->agree;
$c->stop;
done_testing;
