# The console's traces and its health page, as support and administrators see
# them: operations of every kind and end, against a real stack.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Browser;
use Ctt;
use Scenes;
use Test::More;
use Time::HiRes qw(sleep time);

use constant { MAIL_WIDTH => 76, BULK => 60 };

my $c = Ctt->start(pool => 4, set => { CTT_PARTNER_TIMEOUT_MS => 400,
	CTT_RETRY_BASE_MS => 100, CTT_RETRY_CAP_MS => 500,
	CTT_BREAKER_FAILURES => 12 });
my $URL = $c->env('CTT_HTTP_URL');
my $b = Browser->start(width => 1280);

# ---- ways ----

sub sign_in (@roles) {
	$b->go("$URL/console/health");
	$b->fill([ label => 'Token' ], $c->token(roles => \@roles));
	$b->click([ role => 'button', name => 'Use this token' ]);
	$b->find('main h1');
}

# To another page of the console; the token, which is in memory, stays.
sub visit ($path) {
	$b->script('history.pushState(null, "", "/console" + arguments[0]);'
	    . ' dispatchEvent(new PopStateEvent("popstate"))', $path);
}

sub visit_operation ($op) {
	visit("/operation/$op");
	$b->find([ css => 'article.op', text => $op ]);
}

# What is drawn of an operation: {state, verdict, marks}, the marks of its steps
# in the order of the checklist; and `line`, those of the line above.
sub drawn () {
	return $b->script(<<'END');
		const text = css => document.querySelector(css).innerText;
		const marks = css => [...document.querySelectorAll(css)]
			.map(el => el.dataset.mark).join(' ');
		return { state: text('.op-title .state'),
			verdict: text('.op-verdict'),
			line: marks('.line[data-labels=true] li'),
			marks: marks('.step-group:not(:nth-last-child(2)) .step') };
END
}

sub shot ($name) {
	return unless $ENV{CTT_SHOTS};
	$b->screenshot("$ENV{CTT_SHOTS}/trace-$name.png");
}

# ---- every kind and end ----

my $ops = Scenes::play($c);
my $N = '\S+';    # of a ticket

# The state, the marks in the order of the checklist, and what it says.
my %YES = (LINK => [ ('ok') x 7, 'unneeded', ('ok') x 3 ],
	RESOLVE => [ ('ok') x 10 ], CPE_UPDATE => [ ('ok') x 9 ]);

sub no_yes ($sync, $rollback) {
	return [ ('ok') x 6, $sync, $rollback, 'unreached', 'unreached', 'ok' ];
}

# A refusal: so many steps were passed; so many more are not reached.
sub refused ($passed, @rest) { return [ ('ok') x $passed, 'failed', @rest ] }

sub no_link ($passed) {
	return refused($passed, ('unreached') x (6 - $passed),
		'unneeded', ('unreached') x 3);
}

my @ENDS = (
	[ linked => 'Succeeded', $YES{LINK},
		qr/^CTT $N is linked to NTT $N, here and at TaaS\.$/ ],
	[ linked_tmf => 'Succeeded', $YES{LINK}, qr/here and at TMF\.$/ ],
	[ no_ctt => 'Refused', no_link(0), qr/^There is no CTT C-NOWHERE\. Nothing/ ],
	[ no_ntt => 'Refused', no_link(1), qr/^There is no NTT N-NOWHERE\. Nothing/ ],
	[ in_progress => 'Refused', no_link(2), qr/is under way on CTT/ ],
	[ linked_already => 'Refused', no_link(3), qr/is linked to NTT $N already\./ ],
	[ blocked => 'Refused', no_link(4), qr/the pair is blocked for/ ],
	[ refused => 'Rolled back', no_yes('failed', 'undone'),
		qr/^TaaS refused the link\. The link was taken back here\.$/ ],
	[ compensated => 'Undone', no_yes('unknown', 'undone'),
		qr/not known whether TaaS took the link.*undone at TaaS\.$/ ],
	[ assumed => 'Undone', no_yes('unknown', 'assumed'),
		qr/It is assumed that TaaS has nothing of it\.$/ ],
	[ unlinked => 'Succeeded', [ ('ok') x 6, 'unneeded', ('ok') x 5 ],
		qr/^CTT $N is unlinked from NTT $N, here and at TaaS\.$/ ],
	[ not_linked => 'Refused', [ 'ok', 'failed', ('unreached') x 4,
		'unneeded', ('unreached') x 5 ], qr/is not linked to NTT/ ],
	[ forced => 'Succeeded', [ ('ok') x 5, 'assumed', 'unneeded', 'ok',
		'ok', 'skipped', 'ok', 'ok' ], qr/here, by force\. TaaS refused/ ],
	[ unlink_refused => 'Rolled back', [ ('ok') x 5, 'failed', 'undone',
		('unreached') x 4, 'ok' ], qr/^TaaS refused the unlink\./ ],
	[ unlink_compensated => 'Undone', [ ('ok') x 5, 'unknown', 'undone',
		('unreached') x 4, 'ok' ], qr/undone at TaaS\.$/ ],
	[ resolved => 'Succeeded', $YES{RESOLVE},
		qr/^CTT TaaS-9001 is resolved, here and at TaaS\.$/ ],
	[ resolved_local => 'Succeeded', [ ('ok') x 5, 'skipped', 'ok', 'ok',
		'skipped', 'ok' ], qr/resolved here\. No partner was to be told/ ],
	[ resolve_settled => 'Succeeded', [ ('ok') x 5, 'unknown', 'ok', 'ok',
		'skipped', 'ok' ], qr/here and at TaaS\.$/ ],
	[ codes_wrong => 'Refused', refused(4, ('unreached') x 5),
		qr/Codes that resolve the CTT/ ],
	[ terminal => 'Refused', refused(1, ('unreached') x 8), qr/is Closed/ ],
	[ cpe => 'Succeeded', $YES{CPE_UPDATE},
		qr/^The equipment of CTT $N is updated, here and at NIG\.$/ ],
	[ cpe_stale => 'Refused', refused(3, ('unreached') x 5),
		qr/was changed since it was read/ ],
	[ cpe_not_eligible => 'Refused', refused(2, ('unreached') x 6),
		qr/Only Managed Services/ ],
	[ cpe_lost => 'Undone', [ ('ok') x 5, 'unknown', 'unreached',
		'unreached', 'ok' ], qr/Nothing was changed here, and it was undone at NIG/ ],
	[ link_pending => 'Settling', [ ('ok') x 6, 'unknown', 'undone',
		'unreached', 'unreached', 'waiting' ], qr/TaaS is asked until/ ],
	[ resolve_pending => 'Settling', [ ('ok') x 5, 'unknown',
		('waiting') x 4 ], qr/TaaS is asked until it says yes or no/ ],
);

sign_in('ctt-viewer');
$b->shows('Health is for administrators');
for (@ENDS) {
	my ($name, $state, $marks, $says) = @$_;

	visit_operation($ops->{$name});
	my $drawn = drawn();
	is_deeply [ @$drawn{qw(state marks line)} ],
	    [ $state, "@$marks", "@$marks" ], "$name: its state, and its steps";
	like $drawn->{verdict}, $says, 'it says so';
	shot($name);
}

# ---- what goes with it ----

visit_operation($ops->{assumed});
$b->shows('Asked again', '.checklist');
is $b->text([ css => '.words', nth => 0 ]), "{'error':'no such link'}",
    'the partner\'s words stand by themselves';
$b->shows(qr/After \d+ such answers it is assumed that TaaS has nothing of it/);

$c->quiet;
visit_operation($ops->{linked});
is_deeply [ sort +$b->texts('.step code.step-question') ],
    [ qw(create-ctt-related-kci notify-work-orders update-tmf-list) ],
    'the jobs that it left';
$b->wait_for(sub { my $n = () = $b->text('.checklist') =~ /delivered/g;
	$n == 3 }, 'three are delivered');
is_deeply [ $b->texts('article.op tbody tr td:first-child') ],
    [ map { s/^C/CTT C/r =~ s/^N/NTT N/r } 'C-1000', 'N-2000' ],
    'its audit rows';
for my $link ([ 'C-1000', '/ctt/1000' ], [ 'N-2000', '/ntt/2000' ]) {
	is $b->attr([ role => 'link', name => $link->[0] ], 'href'),
	    "/console$link->[1]", "a link to $link->[0]";
}

visit_operation($ops->{in_progress});
is $b->attr([ role => 'link', name => 'busy-1006' ], 'href'),
    '/console/operation/busy-1006', 'the operation in its way has a link';

for my $scheme (qw(dark light)) {
	$b->scheme($scheme);
	for my $name (qw(move_lost assumed linked)) {
		visit_operation($ops->{$name});
		$b->no_axe("$name, $scheme");
	}
}
for my $width (2560, 360, 1280) {
	$b->resize($width);
	is $b->sideways, 0, "at $width px nothing is beside the page";
}
$c->do(q{UPDATE job SET state = 'READY', created_at = created_at + INTERVAL 1
	HOUR, run_at = created_at + INTERVAL 1 DAY WHERE dedupe_key LIKE ?},
	"$ops->{linked}:%");
visit_operation($ops->{$_}) for qw(moved linked);
$b->shows('waiting', '.checklist');
is $b->sideways, 0, 'nor what began behind all that ended';
$c->do('UPDATE job SET run_at = UTC_TIMESTAMP(3) WHERE dedupe_key LIKE ?',
	"$ops->{linked}:%");

# ---- a move ----

for ([ moved => qr/was moved from NTT N-(\d+) to NTT N-(\d+)\./,
	'Succeeded', 'Succeeded' ],
    [ move_restored => qr/from NTT N-(\d+) to NTT N-(\d+)\. The link failed, and it was put back/,
	'Succeeded', 'Rolled back', 'Succeeded' ],
    [ move_lost => qr/from NTT N-(\d+) to NTT N-(\d+)\..*It is linked to neither/,
	'Succeeded', 'Rolled back', 'Rolled back' ]) {
	my ($name, $says, @states) = @$_;

	visit_operation($ops->{$name});
	my ($from, $to) = $b->text('.chain-verdict') =~ $says;
	ok $to, "$name: it says so" or diag $b->text('.chain-verdict');
	my @names = ("Unlink from N-$from", "Link to N-$to", "Back to N-$from");
	is_deeply $b->script('return [...document.querySelectorAll('
		. '".chain-link")].map(el => [".chain-name", ".state"].map('
		. 'css => el.querySelector(css).innerText).join(" "))'),
	    [ map { "$names[$_] $states[$_]" } 0 .. $#states ],
	    'its operations on one line, and what became of each';
	is $b->count('.chain .line'), scalar @states, 'each is drawn';
	$b->click([ role => 'link', name => $names[1] ]);
	$b->find([ css => 'h1', text => qr/^Link CTT C-\d+ to NTT N-$to$/ ]);
	is $b->text('[aria-current=true] .chain-name'), $names[1],
	    'the next one is a click away';
	shot($name);
}

# ---- as text for a mail ----

sub mail () {
	$b->clip('nothing');
	$b->click([ role => 'button', name => 'Copy as text for a mail' ]);
	$b->shows('Copied. Paste it into the mail.');
	return $b->clipboard;
}

for my $name (qw(linked move_lost refused assumed link_pending)) {
	visit_operation($ops->{$name});
	my $text = mail();
	my $op = $c->get("/ticket/operation/$ops->{$name}")->{json};
	my @lines = split /\n/, $text;

	is_deeply [ grep { length > MAIL_WIDTH && !m{https?://} } @lines ], [],
	    "$name: no line is too long";
	is_deeply [ grep { index($text, $_) < 0 } $op->{operationId},
		$op->{requestId}, $op->{ctt}{ticketNo}, $op->{actor}, 'TaaS',
		"$URL/console/operation/$op->{operationId}",
		map { $_->{type} } @{ $op->{jobs} } ], [], 'all is in it';
	my @steps = grep { /^\[.\] / } @lines;
	is scalar(@steps), 11 + ($op->{kind} eq 'UNLINK'), 'a line for each step';
	my %at = map { /^\[.\] .{38} (?=\S)/ ? ($+[0] => 1) : (0 => 1) } @steps;
	is_deeply [ keys %at ], [43], 'and their answers stand below each other'
	    or diag $text;
}
visit_operation($ops->{move_lost});
like mail(), qr/1\. +Unlink from .*this one.*\n +2\. +Link to .*Rolled back.*\n +3\. +Back to/,
    'a move has all of its operations';

# ---- what others wrote is text ----

visit_operation($ops->{refused});
like $b->title, qr/^Link CTT C-1005 to NTT N-2000 /,
    'a partner\'s script does not run';
like $b->text('.words'), qr{<script>document\.title = \\?'taken},
    'it is shown';
is $b->script('return document.querySelectorAll("main script").length'), 0,
    'and is no element';
is $b->script('return getComputedStyle(document.querySelector(".words bdi"))'
    . '.unicodeBidi'), 'isolate', 'what turns the text round stays inside';
like $b->text('.checklist'), qr/was taken back here/, 'the rest is as it was';
{
	# (TaaS is only probed by now)
	my ($ctt, $ntt) = $c->given(ctt => { source => 'TMF',
		title => substr Scenes::HOSTILE, 0, 255 },
		ntt => {});
	my $r = $c->link($ctt, $ntt, remark => Scenes::HOSTILE);
	visit_operation($r->{json}{operationId});
	like $b->text('.audit-detail'), qr{<script>.*\x{1f525}{255}}s,
	    '255 emoji of a remark are shown, too';
	is $b->sideways, 0, 'and the page is no wider';
}

# ---- a request ----

{
	my @ctts = $c->given_ctts(BULK, source => 'TMF');
	my $ntt = pop @ctts;
	$c->link($_, $ntt) for @ctts[ 0 .. 3 ];
	my @rules = map { $c->rule(ticket => "C-$ctts[$_]", do => 'status',
		status => 422) } 10 .. 12;
	$c->request(POST => '/ticket/ctt/link/bulk', { items => [ map { {
		cttId => $_, nttId => $ntt } } @ctts ] },
		'X-Request-Id' => 'outage-7');
	$c->sim(DELETE => "/rules/$_") for @rules;
	visit('/request/outage-7');
	$b->shows('Operations of one request');
	$b->shows(BULK . ' All', '.counts-list');
	is_deeply [ map { s/\s+/ /gr } $b->texts('.request-group > header') ], [
		'Refused CTT_ALREADY_LINKED 4 operations',
		'Rolled back EXTERNAL_SYNC_FAILED 3 operations',
		'Succeeded ' . (BULK - 7) . ' operations' ],
	    'a bulk by what became of its items';
	shot('bulk');
	$b->click([ role => 'link', name => qr/^3 Rolled back/ ]);
	$b->wait_for(sub { $b->count('.request-group') == 1 }, 'only those');
	like $b->url, qr{/request/outage-7\?state=ROLLED_BACK$},
	    'the filter is in the address';
	$b->click([ css => '.request-group tbody a', nth => 0 ]);
	$b->find([ css => 'article.op', text => 'refused the link' ]);
	$b->back;
	$b->find([ css => '.request-group', text => '3 operations' ]);
	visit('/request/nobody-asked');
	$b->shows('No operation has this request id');
}

# ---- what fails ----

visit('/operation/nothing');
$b->shows('OPERATION_NOT_FOUND');
$b->shows('Check the operation id.');

$b->block('*/ticket/operation*');
visit("/operation/$ops->{linked}");
$b->shows('The server gave no answer.');
$b->block;
$b->click([ role => 'button', name => 'Try again' ]);
$b->find([ css => 'h1', text => 'Link CTT C-1000' ]);

# ---- one that is open is followed ----

visit_operation($ops->{link_pending});
$b->script('window.marker = 1');
$b->tab_to([ role => 'button', name => 'Copy as text for a mail' ]);
$b->block('*/ticket/operation*');
$b->shows('It could not be read again.');
is drawn()->{state}, 'Settling', 'while the server is away the picture stays';
$b->block;
$b->gone([ text => 'It could not be read again.' ]);
$c->no_rules;
$b->find([ css => '.op-title .state', text => 'Undone' ]);
is $b->script('return window.marker'), 1, 'an open one is read again by itself';
is $b->focus, 'button Copy as text for a mail', 'and the focus stays';
is $b->count('.op-open'), 0, 'nothing is waited for any more';
visit_operation($ops->{resolve_pending});
$b->find([ css => '.op-title .state', text => 'Succeeded' ]);
ok $c->settle, 'all is settled';

# ---- health ----

sub card ($name) { return [ css => '.partner', text => qr/^$name\b/ ] }

sign_in('ctt-admin');
$b->shows('Takes writes');
is_deeply [ map { s/\n.*//sr } $b->texts('.partner') ],
    [ 'TaaS', 'TMF', 'NIG', 'Job queue' ], 'the partners';
like $b->text(card('NIG')), qr/Answers.*Usual answer\s+\d+ ms/s, 'one answers';
like $b->text('.findings'), qr/All is well|last call of/, 'all in a word';

$c->rule(partner => 'taas', do => 'hang');
my ($stuck, $ntt) = $c->given(ctt => {}, ntt => {});
$c->link($stuck, $ntt);
$b->find([ css => '.partner', text => qr/^TaaS\s+Only probed/ ]);
$b->shows('TaaS keeps failing, and is only probed.', '.findings');
$b->find([ css => '.bars', text => qr/By kind.*Link\s+1\b/s ]);
$b->find([ css => '.oldest', text => qr/The oldest: Link CTT C-$stuck to NTT N-$ntt/ ]);
$c->given(job => { type => 'update-tmf-list', state => 'DEAD', attempts => 9,
	payload => qq({"operationId":"$ops->{linked}","cttId":1000}),
	dedupe_key => 'dead', last_error => 'the queue said <b>no</b>' });
$b->find([ css => 'tr', text => qr/update-tmf-list.*9.*the queue said <b>no<\/b>/s ]);
$b->shows('Jobs that were given up: 1.', '.findings');
shot('health');

for my $scheme (qw(dark light)) {
	$b->scheme($scheme);
	$b->no_axe("health, $scheme");
}

# What is pointed at stays as it is.
$b->hover([ css => '.held', nth => 0 ]);
$b->shows('It stays as it is while you are here.');
$c->do("DELETE FROM job WHERE dedupe_key = 'dead'");
$b->wait_for(sub { $b->text('.findings') !~ /given up/ }, 'it has gone');
ok $b->has([ css => '.held td', text => 'update-tmf-list' ]),
    'but it is there while it is pointed at';
$b->hover('h1');
$b->gone([ css => '.held td', text => 'update-tmf-list' ]);

my $top = sub () { $b->script('return document.querySelector(".parts")'
	. '.getBoundingClientRect().top') };
my $was = $top->();
$c->no_rules;
$b->find([ css => '.partner', text => qr/^TaaS\s+Answers/ ]);
is $top->(), $was, 'nothing has moved';
ok $c->settle, 'it settles';

$b->click([ role => 'button', name => 'Pause' ]);
$b->shows('paused');
my $at = $b->text('.read-at time');
sleep 4;
is $b->text('.read-at time'), $at, 'paused, it is not read';
$b->click([ role => 'button', name => 'Go on' ]);
$b->wait_for(sub { $b->text('.read-at time') ne $at }, 'it goes on');

$b->block('*/ticket/health*');
$b->shows('It could not be read again.');
ok $b->has(card('TaaS')), 'the API away: what was read stays';
$b->block;
$b->gone([ text => 'It could not be read again.' ]);

$b->no_errors('the console', qr/415|403|404|502|ERR_BLOCKED_BY_CLIENT|net::/);
$b->stop;
$c->expect(qr/level=error/);
$c->agree;
$c->stop;
done_testing;
