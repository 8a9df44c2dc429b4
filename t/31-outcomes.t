# Every call to a partner, under every way of not answering it, before and
# after the fact, all at once: the caller is told what is so, and once the
# partners are well both sides agree within the retry schedule, with one effect
# for each step. What an answer says of the attempts before it is in
# 35-answers.t.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Time::HiRes qw(time);

# A round of the workers lasts as long as the slowest of hundreds of calls.
use constant { POOL => 32, TIMEOUT_MS => 2500, CAP_MS => 200,
	PATIENCE_S => 120 };

my $c = Ctt->start(pool => POOL, workers => 3, set => {
	CTT_PARTNER_TIMEOUT_MS => TIMEOUT_MS, CTT_RETRY_CAP_MS => CAP_MS,
	CTT_SYNC_CONCURRENCY => 256,
	CTT_JOB_ATTEMPTS => 1000,
	CTT_BREAKER_FAILURES => 1_000_000 });    # each trouble by itself
my %CPE = (manufacturer => 'ZTE', model => 'F660', ipAddress => '10.9.9.9',
	bandwidthMbps => 1000, port => 'ge-0/0:1');

# ---- the calls ----

# What the caller asks for; the code of the problem that a failure is.
my %KIND = (
	link    => [ sub ($t) { $c->link(@$t{qw(ctt ntt)}) },
		'EXTERNAL_SYNC_FAILED' ],
	unlink  => [ sub ($t) { $c->unlink_from($t->{ntt}, [ $t->{ctt} ]) },
		'EXTERNAL_UNLINK_FAILED' ],
	resolve => [ sub ($t) { $c->resolve(@$t{qw(activity ctt)},
			remark => 'well') }, 'EXTERNAL_SYNC_FAILED' ],
	cpe     => [ sub ($t) { $c->update_cpe($t->{ctt}, \%CPE) },
		'EXTERNAL_SYNC_FAILED' ],
	move    => [ sub ($t) { $c->move_to($t->{to}, [ $t->{ctt} ]) } ],
);

# The partner, what is asked for, which call it is that meets trouble (the
# "sync" itself, the "read" before it, its "undo", the way "back" of a move, or
# a "job" behind it), and how it is known.
my @CALLS = (
	[ 'TAAS', 'link', 'sync', path => '/link$' ],
	[ 'TAAS', 'unlink', 'sync', path => '/unlink$' ],
	[ 'TAAS', 'resolve', 'sync', path => '/status$' ],
	(map { ([ 'TMF', $_, 'read', method => 'GET' ],
		[ 'TMF', $_, 'sync', method => 'PATCH' ]) }
		qw(link unlink resolve)),
	[ 'NIG', 'cpe', 'sync', method => 'PUT' ],
	(map { [ $_->[0], $_->[1], 'undo', key => '-undo$' ] }
		[ 'TAAS', 'link' ], [ 'TAAS', 'unlink' ], [ 'TMF', 'link' ],
		[ 'TMF', 'unlink' ], [ 'NIG', 'cpe' ]),
	[ 'TMF', 'link', 'undo', key => '-undo-read' ],
	[ 'TAAS', 'move', 'back', path => '/link$', says => '"FROM' ],
	[ 'TMF', 'move', 'back', method => 'PATCH', says => '"FROM' ],
	[ 'TAAS', 'resolve', 'job', path => '/notes$' ],
	[ 'TAAS', 'link', 'job', partner => 'queue' ],
);

# ---- the ways of answering ----

sub status ($status, %headers) {
	return { do => 'status', status => $status,
		%headers ? (headers => \%headers) : () };
}

# Nothing is known from these, tried three times or until the time is over; the
# status that the caller is told. Each comes before the fact and after it.
my @UNCLEAR = (
	[ 'hangs', { do => 'hang' } ],
	[ 'cuts', { do => 'cut' } ],
	[ 'resets', { do => 'cut', reset => 1 } ],
	[ 'sends half a header', { do => 'half-header' } ],
	[ 'sends half a body', { do => 'half-body' } ],
	[ 'trickles', { do => 'drip', ms => 50 } ],
	[ 'babbles', { do => 'garbage' } ],
	[ 'shows a page', { do => 'html' }, 200 ],
	(map { [ "answers $_", status($_), $_ ] }
		408, 425, 429, 500, 502, 503, 504),
	(map { [ "answers $_, come back later",
		status($_, 'Retry-After' => 30), $_ ] } 429, 503),
	[ 'answers 503, come back never', status(503,
		'Retry-After' => '9223372036854775807'), 503 ],
	[ 'has a header without end', status(200, X => 'x' x 300_000) ],
);
my @AFTER = map { [ "$_->[0] after the fact", { %{ $_->[1] }, applied => 1 },
	$_->[2] ] } @UNCLEAR;
my @TOO_LATE = [ 'answers too late',
	{ do => 'delay', ms => TIMEOUT_MS + 200 } ];
my @NO = ([ 'redirects', { do => 'redirect' }, 302 ],
	map { [ "answers $_", status($_), $_ ] } 301, 308, 400, 401, 403, 404,
		409, 410, 422, 501);
# To an undo these may mean that there is nothing to undo.
my $NO_SUCH = qr/404|409|410|422/;
# Whether it is JSON nobody has read: no yes, but where it is looked at.
my @ENDLESS = [ 'answers at length', { do => 'oversize', bytes => 128 << 10,
	applied => 1 }, 200 ];
# Only of a partner whose yes is looked at.
my @FORGETS = [ 'says yes, and keeps nothing', status(200), 200 ];
my @YES = ((map { [ "answers $_", { %{ status($_) }, applied => 1 } ] }
		201, 202, 204),
	map { [ "$_->[0] once", { %{ $_->[1] }, times => 1 } ] }
	[ 'answers 500', status(500) ], [ 'cuts', { do => 'cut' } ],
	[ 'answers 503 after the fact', { %{ status(503) }, applied => 1 } ],
	[ 'answers 429, come back', status(429, 'Retry-After' => 0) ],
	[ 'resets after the fact', { do => 'cut', reset => 1, applied => 1 } ],
	[ 'sends half a body after the fact', { do => 'half-body',
		applied => 1 } ],
	[ 'babbles', { do => 'garbage' } ]);
# Only of a read: no yes, and no ticket.
my @NO_TICKET = ([ 'answers at length', { do => 'oversize' }, 200 ],
	[ 'answers 204', status(204), 204 ],
	[ 'is no object', { %{ status(200) }, body => [] }, 200 ],
	[ 'has a text for an array', { %{ status(200) }, body => {
		note => 'x', troubleTicketRelationship => 'x' } }, 200 ]);

sub as ($outcome, @answers) {
	return map { [ $_->[0], $_->[1], $outcome, $_->[2] ] } @answers;
}

# Name, rule, what it comes to, status. That is "yes", "no", "unknown" (and it
# did not happen), "silent" (nor is it known, but it did happen), "late" (it
# will), "assumed" (perhaps).
sub of_a_write ($tmf) {
	return (as(unknown => @UNCLEAR), as(silent => @AFTER),
		as(late => @TOO_LATE), as(no => @NO), as(yes => @YES),
		as($tmf ? 'yes' : 'silent', @ENDLESS),
		$tmf ? as(no => @FORGETS) : ());
}

# What cannot be read is not written.
sub of_a_read ($) { return as(no => @UNCLEAR, @NO, @NO_TICKET) }

# A no to the undo does not end it: it is undone when the partner is well. Where
# that can be seen it is enough that it happened; else a partner that says so
# often that there is nothing to undo is taken at its word.
sub of_an_undo ($tmf) {
	return ((map { [ @$_[ 0, 1 ], $_->[2] =~ s/^no$/unknown/r ] }
		grep { $tmf || $_->[2] ne 'no' || $_->[0] !~ $NO_SUCH }
		of_a_write($tmf)),
	    as($tmf ? 'silent' : 'assumed', map { [ "$_->[0] after the fact",
		{ %{ $_->[1] }, applied => 1 } ] }
		grep { $_->[0] =~ $NO_SUCH } @NO));
}

# A job waits until it is taken.
sub of_a_job ($) {
	return map { [ @$_[ 0, 1 ], $_->[2] eq 'yes' ? 'yes' : 'unknown' ] }
	    of_a_write(0);
}

my %ANSWERS = (sync => \&of_a_write, back => \&of_a_write,
	read => \&of_a_read, undo => \&of_an_undo, job => \&of_a_job);

# ---- each of them with tickets of its own ----

my @cases = map {
	my ($partner, $kind, $part, %call) = @$_;
	my $writes = $partner ne 'TMF' || ($call{key} // '') !~ /read/;

	map { { partner => $partner, kind => $kind, part => $part,
		call => \%call, rule => $_->[1], status => $_->[3],
		outcome => $writes ? $_->[2] : $_->[2] =~ s/late/unknown/r,
		name => "$partner $kind, the $part "
		    . ($call{key} // '') . ": it $_->[0]" } }
	    grep { $writes || !$_->[1]{applied} }
	    $ANSWERS{$part}->($partner eq 'TMF');
} @CALLS;

sub prepare ($t, $i) {
	my $linked = $t->{kind} =~ /^(unlink|move)$/;

	$t->{no} = ($t->{partner} eq 'TAAS' ? 'TaaS' : 'X') . "-$i";
	$t->{ntt} = $c->given(ntt => { ticket_no => "FROM-$i" });
	$t->{to} = $c->given(ntt => { ticket_no => "TO-$i" })
	    if $t->{kind} eq 'move';
	$t->{ctt} = $c->given(ctt => { ticket_no => $t->{no},
		source => $t->{partner} eq 'TMF' ? 'TMF' : 'TAAS',
		segment_group => 'Managed Services',
		$linked ? (linked => $t->{ntt}) : () });
	$t->{activity} = $c->given_activity($t->{ctt})
	    if $t->{kind} eq 'resolve';
	$c->given_element($t->{ctt}) if $t->{kind} eq 'cpe';

	# An undo needs a doubt; a way back, a link that is refused.
	$c->rule(ticket => $t->{no}, key => '-sync$', times => 3, do => 'cut',
	    applied => 1) if $t->{part} eq 'undo';
	$c->rule(ticket => $t->{no}, key => '-sync$', says => '"TO',
	    %{ status(400) }) if $t->{part} eq 'back';
	$c->rule(ticket => $t->{no}, %{ $t->{call} }, %{ $t->{rule} });
}

ok $c->stack('stop', 'worker'), 'nobody asks again yet';
my $began = time;
prepare($cases[$_], $_) for 0 .. $#cases;
note sprintf '%d cases, made in %.1f s', scalar @cases, time - $began;

# ---- the caller is told what is so ----

$began = time;
$c->token(roles => ['ctt-cpe']);
{
	my @lists = $c->parallel(POOL, sub ($i) { [ map { my $t = $cases[$_];
		[ $_, $KIND{ $t->{kind} }[0]->($t) ] }
		grep { $_ % POOL == $i } 0 .. $#cases ] });
	$cases[ $_->[0] ]{answer} = $_->[1] for map { @$_ } @lists;
}
note sprintf 'asked in %.1f s', time - $began;

# What becomes of the call that the caller waits for: "yes", "no", "unknown".
sub told ($t) {
	return { undo => 'unknown', job => 'yes' }->{ $t->{part} }
	    // $t->{outcome} =~ s/silent|late/unknown/r;
}

# What the caller may be told then: status, code, state; whose fault it is,
# what is known of it, with which status; whether all is over.
sub expected ($t) {
	my $told = told($t);

	return [ 200, (undef) x 7 ] if $told eq 'yes';
	return [ 202, undef, 'SETTLING', (undef) x 5 ]
	    if $t->{kind} eq 'resolve' && $told eq 'unknown';
	return [ 502, $KIND{ $t->{kind} }[1], undef, $t->{partner},
		$told eq 'no' ? 'refused' : 'unknown', $t->{status}, 1,
		$told eq 'no' ? 1 : 0 ];
}

for my $t (grep { $_->{part} ne 'back' } @cases) {
	my $r = $t->{answer};

	is_deeply [ $r->{status}, @{ $r->{json} }{qw(code state partner
		partnerOutcome partnerStatus rolledBack settled)} ],
	    expected($t), "$t->{name}: told so" or diag $r->{raw};
	like $r->{json}{detail}, qr/(TaaS|TMF|NIG) .*(rolled\ back
		|Nothing\ was\ changed)\ here/x, 'in words that name the partner'
	    if $r->{status} == 502;
	like $r->{json}{detail}, qr/^\w.{10}/, 'and why' if $r->{status} == 202;
	$t->{op} = $r->{json}{operationId}
	    // $r->{json}{results}[0]{operationId};
	my ($sync) = $c->trace($t->{op}) =~ /sync_partner:(\w+)/;
	is $c->row(ctt => $t->{ctt})->{ntt_id}, (told($t) eq 'yes') ==
	    ($t->{kind} eq 'link') ? $t->{ntt} : undef, 'and is so at once'
	    if $t->{kind} =~ /link/;
	is $sync, { yes => 'ok', no => 'failed', unknown => 'unknown' }
	    ->{ told($t) }, 'as the trace says';
}

# Of a move that failed: whether it is back.
for my $t (grep { $_->{part} eq 'back' } @cases) {
	my $r = $t->{answer};
	my $error = $r->{json}{results}[0]{error};
	my $open = told($t) eq 'unknown';

	is_deeply [ $r->{status}, @$error{qw(code partner partnerOutcome
		partnerStatus rolledBack settled restored)} ],
	    [ 422, 'EXTERNAL_SYNC_FAILED', $t->{partner}, 'refused', 400, 1,
		$open ? 0 : 1, $t->{outcome} eq 'yes' ? 1 : 0 ],
	    "$t->{name}: told so" or diag $r->{raw};
	$t->{op} = $c->one('SELECT id FROM operation WHERE ctt_id = ?'
	    . ' ORDER BY seq DESC LIMIT 1', $t->{ctt});
}

# ---- the partners are asked again, and do the same again ----

ok $c->stack('start', 'worker'), 'the workers start';

# Is it open as long as the trouble lasts? At TMF what has happened is seen; and
# so is what has not, when it is old enough (undef: perhaps).
sub is_open ($t) {
	return 0 if $t->{outcome} =~ /yes|no$/ || $t->{part} eq 'job';
	return undef if $t->{outcome} eq 'assumed';
	return 1 if $t->{partner} ne 'TMF';
	return 0 if $t->{outcome} eq 'silent';
	return $t->{outcome} eq 'late' || may_be_seen_undone($t) ? undef : 1;
}

# May it be seen that nothing has happened, so that nothing need be undone?
sub may_be_seen_undone ($t) {
	return $t->{partner} eq 'TMF' && $t->{outcome} eq 'unknown'
	    && $t->{part} eq 'sync' && $t->{kind} =~ /link/;
}

sub states () {
	return { map { ($_->{id} => "$_->{state}$_->{undoing}$_->{assumed}") }
	    $c->rows('SELECT id, state, undoing, assumed FROM operation') };
}

# (a job waits for the earlier ones of its CTT)
ok $c->wait_for(PATIENCE_S, sub { !$c->one("SELECT (SELECT COUNT(*) FROM operation"
	. " WHERE state = 'SETTLING' AND tries < 2) + (SELECT COUNT(*) FROM"
	. " (SELECT MIN(id) id FROM job WHERE state IN ('READY', 'RUNNING')"
	. " AND type <> 'look-again' GROUP BY ctt_id) f JOIN job USING (id)"
	. " WHERE attempts < 3)") }),
    'whatever is open is tried again';
ok $c->wait_for(PATIENCE_S, sub {
	my $states = states();
	return !grep { !(is_open($_) // 1)
		&& $states->{ $_->{op} } =~ /SETTLING/ } @cases;
}), 'and closed, if it can be';
{
	my $states = states();
	my %jobs = map { ($_ => 1) } $c->column("SELECT LEFT(dedupe_key, 26)"
	    . " FROM job WHERE state <> 'DONE'");

	for my $t (@cases) {
		like $states->{ $t->{op} }, !is_open($t)
		    ? qr/^(SUCCEEDED|ROLLED_BACK|COMPENSATED)/
		    : $t->{part} eq 'undo' ? qr/^SETTLING10/ : qr/^SETTLING00/,
		    "$t->{name}: meanwhile" if defined is_open($t);
		is $jobs{ $t->{op} }, $t->{outcome} eq 'yes' ? undef : 1,
		    'the job waits' if $t->{part} eq 'job';
	}
}
{
	my %listed = map { /^(\S+) .*(tried next in|being tried now)/
		? ($1 => 1) : () } split /\n/, $c->cttctl('operations')->{out};
	my @known = grep { defined is_open($_) } @cases;

	is_deeply [ map { $_->{name} } grep { is_open($_)
		!= ($listed{ $_->{op} } // 0) } @known ], [],
	    'cttctl operations lists what is open, and when it is tried next';
}

# ---- the partners are well ----

$c->no_rules;
$began = time;
ok $c->settle(TIMEOUT_MS / 1000 + 10), 'all is settled, by nobody\'s hand';
note sprintf 'settled in %.1f s', time - $began;
ok $c->quiet, 'all jobs are delivered';

is $c->one("SELECT COUNT(*) FROM job WHERE state <> 'DONE'"), 0, 'and done';

# The state in the end, of those that it may be; the steps that the partner was
# asked for, as their keys say, each with whether it had an effect.
sub end_of ($t, $state) {
	my ($told, $outcome) = (told($t), $t->{outcome});
	my $resolve = $t->{kind} eq 'resolve';
	my @note = $resolve && $t->{partner} eq 'TAAS' ? ('note 1') : ();

	return $outcome eq 'no' ? ('ROLLED_BACK', 'sync 0', 'sync 0', 'sync 1')
	    : ('SUCCEEDED', 'sync 0', 'sync 1', 'sync 1')
	    if $t->{part} eq 'back';
	return ('ROLLED_BACK', $t->{part} eq 'read' ? () : 'sync 0')
	    if $told eq 'no';
	return ('SUCCEEDED', @note, 'sync 1') if $told eq 'yes' || $resolve;
	return ('ROLLED_BACK', 'sync 0') if may_be_seen_undone($t)
	    && $state eq 'ROLLED_BACK';
	return ('COMPENSATED', 'sync 1', 'undo 1');
}

my $states = states();
my (%effects, %asked);
for my $call (map { $c->heard($_) } qw(taas tmf nig)) {
	next if $call->{method} eq 'GET';
	$effects{ $call->{ticket} }{ $call->{key} } += $call->{applied};
	$asked{ $call->{ticket} }++;
}
for my $t (@cases) {
	my ($is, $assumed) = $states->{ $t->{op} } =~ /^(\w+)\d(\d)$/;
	my ($state, @steps) = end_of($t, $is);
	my $of = $effects{ $t->{no} };

	is $assumed, 0, "$t->{name}: is known" if $t->{outcome} ne 'assumed';
	is_deeply [ $is, sort map {
		(/(note)/ || /(sync|undo)$/) && "$1 $of->{$_}" } keys %$of ],
	    [ $state, @steps ], "$t->{name}: $state, each step once";
	my %audits = map { ($_ => 1) } @{ $c->audits($t->{op}) };
	my $action = { cpe => 'CPE_UPDATE', move => 'LINK' }->{ $t->{kind} }
	    // uc $t->{kind};
	ok $audits{"CTT $t->{ctt} $action " . ($state eq 'SUCCEEDED'
		? 'SUCCESS' : $state)}, 'its audit says so';
	is $asked{ $t->{no} }, $t->{outcome} eq 'no' ? 1
	    : $t->{rule}{times} ? 2 : 1, 'asked so often'
	    if $t->{part} eq 'sync' && $t->{outcome} =~ /^(yes|no)$/
	    && "@steps" !~ /note/;
}
$c->agree('once the partners are back, both sides');

$c->stop;
done_testing;
