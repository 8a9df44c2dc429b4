# The console's page of an NTT: many tickets at once, with partners that refuse,
# are silent, and get well again; and a run of 20,000 that is interrupted by
# closing the page, and gone on with, so that nothing is done twice.

use v5.36;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use Console;
use Ctt;
use Test::More;
use Time::HiRes qw(sleep time);

my $builder = Test::More->builder;
binmode $_, ':encoding(UTF-8)' for $builder->output,
    $builder->failure_output, $builder->todo_output;

my $MANY = $ENV{CTT_CONSOLE_MANY} // 20_000;
my $c = Ctt->start(pool => 4, set => { CTT_PARTNER_TIMEOUT_MS => 3000,
	CTT_UNLINK_BLOCK_TTL => 0 });
my ($ntt, $other, $big) = $c->given(ntt => { title => 'OLT down' },
    ntt => { title => 'Fiber cut' }, ntt => { title => 'All of the town' });
my $next = 100_000;

# n fresh tickets with an activity each; their numbers.
sub tickets ($n, $columns = '') {
	my ($from, $to) = ($next + 1, $next + $n);

	$next = $to;
	$c->do('INSERT INTO ctt (id, ticket_no, source, external_sync)'
	    . " SELECT seq, CONCAT('CTT-', LPAD(seq, 7, '0')),"
	    . " IF(seq % 2, 'TAAS', 'TMF'), 1 FROM seq_${from}_to_$to");
	$c->do('INSERT INTO ctt_activity (ctt_id, type, status, created_by)'
	    . " SELECT seq, 'Created', 'Open', 'x' FROM seq_${from}_to_$to");
	return map { sprintf 'CTT-%07d', $_ } $from .. $to;
}

my $b = Console->open($c, path => "/ntt/$ntt", wait => 120);

# ---- the modules, without a page ----

# Each case: a list as it is pasted, what it comes to, and duplicates and wrong
# ones.
my @LISTS = (
	[ "C-1\nC-2\n", 'C-1 C-2' ],
	[ "\x{FEFF}C-1\r\nC-2\r\n\r\n", 'C-1 C-2' ],
	[ "C-1\rC-2", 'C-1 C-2' ],
	[ "  C-1 \x{A0}\n\x{200B}C-2\x{FEFF}\n\x{202E}C-3\x{202C}", 'C-1 C-2 C-3' ],
	[ '', '' ],
	[ "\n\n \x{A0}\n", '' ],
	[ "CTT\nC-1", 'C-1' ],
	[ "ticketNo;title\nC-1;\"a;b\"\nC-2;\"x\ny\"\nC-3;\"", 'C-1 C-2 C-3' ],
	[ "title,Ticket No,x\nfoo,C-1,3", 'C-1' ],
	[ "a\tC-1\nb\tC-2", 'C-1 C-2' ],
	[ 'C-1, C-2, C-3', 'C-1 C-2 C-3' ],
	[ "\"C-1\"\n\"C-2\"", 'C-1 C-2' ],
	[ "\"C \"\"1\"\"\"\nC-2", 'C_"1" C-2' ],
	[ "=\"001\"\n'002", '001 002' ],
	[ "sep=;\r\nno;x\r\n1;2", '1' ],
	[ "C 1\nC 2", 'C_1 C_2' ],
	[ "2026-01-01,CTT-1\n2026-01-02,CTT-2", 'CTT-1 CTT-2' ],
	[ "1\tC-1\n2\tC-2\n3\tC-3\n", 'C-1 C-2 C-3' ],
	[ '"C-1', '"C-1' ],
	[ "C\"1\nC\"2", 'C"1 C"2' ],
	[ "C-1;\nC-2;", 'C-1 C-2' ],
	[ "C-1\nC-2\n=a|1", 'C-1 C-2 =a|1' ],
	[ "C-1\nC-2\n\nC-1\n", 'C-1 C-2', 'C-1@4=1' ],
	[ 'x' x 65 . "1\nC-1", 'C-1', ('x' x 65) . '1@1!TOO_LONG' ],
	[ "C\x{1}x1\nC-1", 'C-1', "C\x{1}x1\@1!CONTROL" ],
	[ "<img src=x onerror=alert(1)>\nC-1", '<img_src=x_onerror=alert(1)> C-1' ],
);

my $got = $b->await(<<'END', [ map { $_->[0] } @LISTS ]);
	const { parse } = await import('/console/js/lines.js');
	return arguments[0].map((text) => {
		const found = parse(text);
		return [found.lines.map((l) => l.name.replaceAll(' ', '_')).join(' '),
			[...found.duplicates.map((d) => `${d.name}@${d.at}=${d.first}`),
			...found.wrong.map((w) => `${w.name}@${w.at}!${w.why}`)].join(' ')];
	});
END
is_deeply $got->[$_], [ $LISTS[$_][1], $LISTS[$_][2] // '' ],
    'a list: ' . substr($LISTS[$_][0] =~ s/[^ -~]/./gr, 0, 40) for 0 .. $#LISTS;

is_deeply $b->await(<<'END'), [ 'NOT_TEXT', 'TOO_MANY 20001', 20_000,
	const { csv, decode, parse } = await import('/console/js/lines.js');
	const refused = (what) => {
		try {
			return what();
		} catch (error) {
			return [error.code, error.values.count].filter(Boolean).join(' ');
		}
	};
	const list = (n) => Array.from({ length: n }, (_, i) => `C-${i}`).join('\n');
	return [refused(() => decode(new Uint8Array([80, 75, 3, 4]).buffer)),
		refused(() => parse(list(20001))), parse(list(20000)).lines.length,
		decode(new Uint8Array([0xff, 0xfe, 67, 0, 49, 0]).buffer),
		decode(new Uint8Array([67, 0xe9]).buffer),
		csv([['=1+1', ' @x', '-1', '+1', 'a"b', null]])];
END
    'C1', "C\x{E9}", "\x{FEFF}\"'=1+1\",\"' \@x\",\"'-1\",\"'+1\",\"a\"\"b\",\"\"\r\n" ],
    'files, too long a list, and a CSV that no spreadsheet runs';

# A run against a server that is made up: what an answer of each kind comes to,
# what was done how often, how many calls it took.
my @TROUBLES = (
	[ 'nothing', 1200, [], [], 'done 1200', 3 ],
	[ '503 and 429 with Retry-After', 600, [ [ before => 503, 'OVERLOADED' ],
		[ before => 429, 'RATE_LIMITED' ] ], [], 'done 600', 4 ],
	[ 'answers that are lost', 600, [ [ after => 0, 'UNREACHABLE' ], [],
		[ after => 504, 'NO_ANSWER' ] ], [], 'done 600', 4 ],
	[ 'a page of a gateway', 600, [ [ after => 200, 'NOT_JSON' ] ], [],
		'done 600', 3 ],
	[ 'the first one is under way', 500, [ [ before => 409,
		'IDEMPOTENCY_IN_PROGRESS' ] ], [], 'done 500', 2 ],
	[ 'the sign-in ends', 1200, [ [], [ before => 401, 'SIGNED_OUT' ] ], [],
		'wait 700, done 500; SIGNED_OUT', 2 ],
	[ 'a fault after it was done', 500, [ [ after => 500, 'INTERNAL_ERROR' ] ],
		[], 'done 500; INTERNAL_ERROR', 1 ],
	[ 'a fault before', 500, [ [ before => 500, 'DB_SAVE_FAILED' ] ], [],
		'failed 500; DB_SAVE_FAILED', 1 ],
	[ 'the NTT is gone', 600, [ [ before => 404, 'NTT_NOT_FOUND' ] ], [],
		'wait 100, failed 500; NTT_NOT_FOUND', 1 ],
	[ 'one is refused', 600, [], [ [ 'C-3', 'EXTERNAL_SYNC_FAILED' ] ],
		'done 599, failed 1', 2 ],
	[ 'a busy partner', 600, [], [ [ 'C-3', 'PARTNER_BUSY' ] ],
		'done 600', 3 ],
	[ 'linked here already', 600, [], [ [ 'C-3', 'CTT_ALREADY_LINKED' ] ],
		'done 599, skipped 1', 2 ],
	[ 'one is not known yet', 600, [], [ [ 'C-3', 'NO_ANSWER' ] ],
		'done 600', 2 ],
);

my $FAKE = <<'END';
	const { Mass } = await import('/console/js/mass.js');
	const { memory } = await import('/console/js/runs.js');
	const [n, troubles, bad] = arguments;
	const tick = () => new Promise((resolve) => setTimeout(resolve, 0));
	const problem = (status, code) => Object.assign(new Error(code),
		{ status, code, detail: code, retryAfter: status === 503 ? 3 : null });
	const id = (name) => Number(name.slice(2)) + 1;
	const errors = new Map(bad);
	const keys = new Map(), effects = new Map(), operations = new Map();
	let calls = 0;
	const carryOut = (name, request) => {
		const code = errors.get(name);
		const operation = { operationId: `op-${name}`, kind: 'LINK',
			state: code === 'NO_ANSWER' ? 'SETTLING' : code ? 'REFUSED'
			: 'SUCCEEDED', ctt: { id: id(name) }, ntt: { id: 1 }, errorCode: code };
		errors.delete(name);
		setTimeout(() => { if (code === 'NO_ANSWER') operation.state = 'SUCCEEDED'; }, 50);
		if (!code) effects.set(name, (effects.get(name) ?? 0) + 1);
		operations.set(request, [...operations.get(request) ?? [], operation]);
		return { cttId: id(name), cttTicketNo: name, operationId: `op-${name}`,
			outcome: code === 'NO_ANSWER' ? 'unknown' : code ? 'failed' : 'linked',
			...code && { error: { code, detail: code, nttId: 1 } } };
	};
	const api = {
		async post(path, body, { key, requestId, dryRun }) {
			await tick();
			const names = body.items.map((item) => item.cttId);
			if (dryRun)
				return { results: names.map((name) => ({ cttId: id(name),
					outcome: 'linked' })) };
			calls++;
			const [when, ...what] = troubles.shift() ?? [];
			if (when === 'before') throw problem(...what);
			if (!keys.has(key)) keys.set(key, { text: JSON.stringify(body),
				results: names.map((name) => carryOut(name, requestId)) });
			if (keys.get(key).text !== JSON.stringify(body))
				throw problem(422, 'IDEMPOTENCY_KEY_REUSED');
			if (when) throw problem(...what);
			return keys.get(key);
		},
		async get(path) {
			await tick();
			const query = new URL(path, 'http://x').searchParams;
			if (!path.startsWith('/ticket/operation')) return { items: [] };
			const all = operations.get(query.get('requestId')) ?? [];
			const after = Number(query.get('after') ?? 0), to = after + Number(query.get('limit'));
			return { items: all.slice(after, to), next: to < all.length ? to : null,
				counts: {} };
		},
	};
	const waits = [];
	const run = new Mass({ plan: { id: 'r', ntt: { id: 1 }, action: 'link', actor: 'olga' },
		names: Array.from({ length: n }, (_, i) => `C-${i}`), ats: [], api,
		store: memory(), lock: (id, work) => work(),
		sleep: (ms) => { waits.push(ms); return new Promise((r) => setTimeout(r, 5)); } });
	await run.check();
	await run.go();
	const said = Object.entries(run.counts).filter(([, k]) => k)
		.map(([kind, k]) => `${kind} ${k}`).join(', ');
	return [said + (run.problem ? `; ${run.problem.code}` : ''), calls,
		[...effects.values()].filter((k) => k > 1).length, waits.includes(3000)];
END
for (@TROUBLES) {
	my ($name, $n, $troubles, $bad, $said, $calls) = @$_;
	my $r = $b->await($FAKE, $n, $troubles, $bad);

	is_deeply [ @$r[ 0 .. 2 ] ], [ $said, $calls, 0 ], "a run: $name";
	ok $r->[3], 'Retry-After is honoured' if $name =~ /^503/;
}

is_deeply $b->await(<<'END'), [ '0 1 2 1', '0 50 100 150', '1 1 1 2' ],
	const { steps, countTicks, spans } = await import('/console/js/plot.js');
	const at = (s) => new Date(s * 1000).toISOString();
	const points = steps([{ action: 'UNLINK', outcome: 'SUCCESS', createdAt: at(30) },
		{ action: 'LINK', outcome: 'ROLLED_BACK', createdAt: at(25) },
		{ action: 'LINK', outcome: 'SUCCESS', createdAt: at(20) },
		{ action: 'LINK', outcome: 'SUCCESS', createdAt: at(10) }], 1, 40000);
	return [points.slice(0, -1).map((p) => p.count).join(' '), countTicks(130).join(' '),
		spans(points.slice(0, 3), 4).map((r) => r.count).join(' ')];
END
    'the plot: steps from the audit, round numbers';

# ---- what an operator does ----

# (By their roles, finding them takes a minute on a page with thousands of cells.)
sub button ($name) { return [ css => '#mass .button', text => $name ] }
sub counts () { return join ' ', $b->text('.kinds') =~ /(\w[\w ]+)\n([\d,]+)/g }

sub at_ntt ($id, $action = undef) {
	$b->visit('/');
	$b->gone('.mass');
	$b->visit("/ntt/$id");
	$b->find('.mass');
	# What became of a run stays until it is closed.
	$b->click(button('Another list')) if !$b->has('.mass-form');
	$b->find('.mass-form');
	$b->click(".choice input[value=$action]") if $action;
}

# The dry run of a list that is pasted.
sub dry (@names) {
	$b->paste('#mass-list', join "\n", @names);
	$b->find('.told');
	$b->click('.mass-form [data-look=primary]');
	$b->find('.run[data-state=checked]');
}

sub ended ($state = 'done') { $b->find(".run[data-state=$state]") }
sub outcomes (@names) {
	return [ map { $b->text([ css => 'tr', text => $_, in => '.mass-table' ])
		=~ s/\s+/ /gr } @names ];
}

sub choose_codes () {
	my @codes = ([ 'Cause code', 'FIBER_CUT' ], [ Disposition => 'REPAIRED' ],
	    [ 'Resolution code', 'FIXED' ]);

	$b->choose([ label => qr/^$_->[0]/ ], $_->[1]) for @codes;
}

# The links of these tickets.
sub links (@names) {
	return join ' ', map { $_ // 'none' } $c->column('SELECT ntt_id FROM ctt'
	    . ' WHERE ticket_no IN (' . join(',', ('?') x @names)
	    . ') ORDER BY id', @names);
}

{
	my @t = tickets(8);
	my ($refused, $silent) = @t[ 2, 4 ];

	$c->rule(partner => 'taas', ticket => $refused, do => 'status', status => 409);
	$c->rule(partner => 'taas', ticket => $silent, do => 'cut');
	$c->given(work_order => { ntt_id => $ntt, order_no => 'WO-7', status => 'Open' });
	at_ntt($ntt);
	like $b->text([ css => 'section', text => 'Work orders' ]), qr/WO-7/, 'work orders';
	like $b->text('.mass-form'), qr/Paste the numbers first/, 'what is missing is said';
	dry(@t, $t[0], 'CTT-NONE', '=1+1');
	like $b->text('.will'), qr/^8 tickets will be linked to N-$ntt\. TaaS is told of 4; TMF is told of 4\.\s+2 cannot be done/,
	    'a sentence names how many, and the partners';
	is links(@t), join(' ', ('none') x 8), 'nothing is done yet';
	is counts(), 'All 10 Will be done 8 Nothing to do 0 Cannot be done 2', 'counts';

	$b->click('.run [data-look=primary]');
	ended();
	is counts(), 'All 10 Done 6 Nothing to do 0 Failed 4 Unknown 0 To be sent 0',
	    'two partners failed';
	like outcomes($refused)->[0], qr/failed .*409.* Trace$/, 'with its reason, and its trace';
	$b->click('.kind[data-kind=failed]');
	$b->click(button('Copy the numbers'));
	$b->wait_for(sub { $b->clipboard eq join "\n", @t[ 2, 4 ], 'CTT-NONE', '=1+1' },
	    'the failed numbers are copied');
	$b->click(button('Save as CSV'));
	my $csv = $b->download(qr/\.csv$/);
	like $csv, qr/^\xEF\xBB\xBF"Line","Ticket","Outcome","code","Reason","Operation"\r\n/, 'CSV';
	like $csv, qr/\r\n"\d+","'=1\+1","failed","CTT_NOT_FOUND"/, 'no formula in it';
	is scalar(() = $csv =~ /\r\n/g), 5, 'the failed lines only';

	$c->no_rules;
	$c->settle;
	my ($reason) = map { /(EXTERNAL_SYNC_FAILED)/ } $b->text('.reasons');
	$b->choose('.reasons select', qr/^EXTERNAL_SYNC_FAILED/);
	$b->click(button(qr/^Try 2 tickets again/));
	$b->wait_for(sub { counts() =~ /Done 8/ }, 'the two are done');
	is links(@t), join(' ', ($ntt) x 8), 'tried again with one click';
	$b->wait_for(sub { $b->text('.facts') =~ /linked\s+8\b/ }, 'the facts are shown anew');
	$b->find('svg.plot');
	$b->find([ css => '.table-box td', text => $t[0] ]);
	is $c->one('SELECT COUNT(DISTINCT request_id) FROM operation WHERE ntt_id = ?', $ntt), 2,
	    'a portion is a request, one prefix for all';
	is $c->one("SELECT COUNT(*) FROM operation WHERE state = 'SUCCEEDED'"
	    . ' AND ntt_id = ?', $ntt), 8, 'each is linked once';
	$b->quiet('links');

	# unlink: one is not linked here
	my ($free) = tickets(1);
	at_ntt($ntt, 'unlink');
	dry(@t[ 0 .. 2 ], $free);
	like $b->text('.will'), qr/3 tickets will be unlinked from N-$ntt.*TaaS is told of 2; TMF is told of 1/s, 'an unlink';
	$b->click('.run [data-look=primary]');
	ended();
	is links(@t[ 0 .. 3 ]), "none none none $ntt", 'unlinked';

	# move: one has no link, one is there already
	at_ntt($other, 'move');
	$c->link($t[1], $other);
	dry(@t[ 0, 1, 3 ]);
	like $b->text('.will'), qr/2 tickets will be moved to N-$other.*1 need nothing/s, 'a move';
	like outcomes($t[1])->[0], qr/nothing to do It is linked there already/, 'one is there';
	$b->click('.run [data-look=primary]');
	ended();
	is links(@t[ 0, 1, 3 ]), "$other $other $other", 'moved';

	# a target that there is not
	at_ntt($other, 'move');
	$b->fill([ label => qr/^Target/ ], 'N-none');
	$b->paste('#mass-list', $t[0]);
	$b->find('.told');
	$b->click('.mass-form [data-look=primary]');
	$b->shows('There is no network ticket N-none.', '.mass-form');

	# resolve: required codes, one whose partner is silent for a while
	# (the first look is a good one)
	$c->rule(ticket => $t[1], %$_) for { method => 'PATCH', do => 'cut', applied => 1 },
	    { method => 'GET', do => 'status', status => 503 },
	    { method => 'GET', do => 'delay', times => 1 };
	at_ntt($other, 'resolve');
	$b->click(button(qr/^Take the 3 that are linked/));
	$b->find('.told');
	$b->find([ label => qr/^Cause code \(required\)/ ]);
	ok !$b->has([ label => qr/^Delay reason \(required\)/ ]), 'what is required is marked';
	like $b->text('.mass-form'), qr/Choose first: Cause code, Disposition, Resolution code/, 'and said';
	choose_codes();
	$b->fill([ label => 'Remark' ], 'all well');
	$b->click('.mass-form [data-look=primary]');
	$b->find('.run[data-state=checked]');
	like $b->text('.will'), qr/3 tickets will be resolved\. A resolve cannot be taken back/, 'a resolve';
	$b->click('.run [data-look=primary]');
	$b->shows('A partner has not answered for 1 ticket yet.', '.going');
	like counts(), qr/Done 2 .*Unknown 1/, 'one is not known yet';
	$c->no_rules;
	ended();
	like counts(), qr/Done 3 .*Unknown 0/, 'its operation is asked until it is settled';
	is_deeply [ $c->column('SELECT DISTINCT status FROM ctt WHERE ntt_id = ?', $other) ],
	    ['Resolved'], 'resolved';
	at_ntt($other, 'resolve');
	choose_codes();
	dry(@t[ 0, 1 ]);
	like $b->text('.will'), qr/Nothing is left to do/, 'nobody is told twice';
	$b->quiet('the actions');
}

# ---- lists that cannot be, files, hostile text ----

{
	at_ntt($ntt);
	$b->drop('.list-field', "PK\x03\x04", name => 'list.xlsx');
	$b->shows('This file is no text', '.list-field');
	$b->drop('.list-field', "no;title\nCTT-0100001;a\nCTT-0100002;b\n", name => 'list.csv');
	$b->shows('2 tickets', '.told');
	like $b->text('.list-field'), qr/list\.csv.*the first row is a header/s, 'a file that is dropped';
	$b->choose([ label => 'Column with the numbers' ], qr/title/);
	$b->wait_for(sub { $b->text('.told') =~ /^2 tickets/ }, 'another column');
	$b->click(button('Remove'));
	$b->paste('#mass-list', join "\n", map { "C-$_" } 1 .. 20_001);
	$b->shows('These are 20,001 tickets, and a run takes 20,000', '.list-field');

	my $evil = '<img src=x onerror=window.hacked=1>';
	my ($hostile) = $c->given(ntt => { ticket_no => "N-\x{202E}<b>x",
		title => "$evil\x{202E}" . "\x{1F600}" x 200 });
	at_ntt($hostile);
	like $b->text('.lead'), qr/\Q$evil\E/, 'a hostile title is text';
	dry($evil, "\x{202E}abc1", "\x{1F600}1");
	like $b->text('.mass-table'), qr/\Q$evil\E/, 'so is a hostile line';
	ok !$b->script('return window.hacked'), 'and nothing ran';
	$b->quiet('hostile text');
}

# ---- who may not; somebody else's run ----

{
	$b->reopen("/ntt/$ntt", sub => 'vera', roles => ['ctt-viewer']);
	$b->wait_for(sub { $b->text('.choice') =~ /ctt-operator|role/ }, 'the reason');
	is $b->count('.choice input:disabled'), 4, 'a reader may do none of it';
	$b->reopen("/ntt/$ntt", sub => 'olga', roles => ['ctt-operator']);
}

# ---- stop, the network and the server away ----

{
	my @t = tickets(1300);

	at_ntt($ntt);
	dry(@t);
	$c->sim(PUT => '/latency', { taas => 50, tmf => 50 });
	$b->click('.run [data-look=primary]');
	$b->click(button('Stop after this portion'));
	ended('paused');
	like counts(), qr/To be sent (?:800|300)\b/, 'stops after the portion in hand';
	$b->offline(1);
	$b->click(button('Go on'));
	$b->shows('The server gave no answer.', '.going');
	$b->offline(0);
	ended();
	like counts(), qr/Done 1,300/, 'a network that comes back';
	$c->sim(PUT => '/latency', { taas => 0, tmf => 0 });

	at_ntt($ntt, 'unlink');
	dry(@t);
	$c->stack('stop', 'pool');
	$b->click('.run [data-look=primary]');
	$b->shows('The server gave no answer. Tried again at', '.going');
	$c->stack('start', 'pool');
	ended();
	like counts(), qr/Done 1,300/, 'a server that comes back';
	is links(@t[ 0, 1299 ]), 'none none', 'all are unlinked';
}

# ---- by keyboard alone; what axe finds ----

{
	my ($one) = tickets(1);

	for my $scheme (qw(light dark)) {
		$b->scheme($scheme);
		at_ntt($ntt);
		$b->no_axe("the form, $scheme");
	}
	$b->scheme('light');
	$b->script('document.body.focus()');
	$b->tab_to('#mass-list');
	$b->press(split //, $one);
	$b->find('.told');
	$b->tab_to('.mass-form [data-look=primary]');
	$b->press('Enter');
	$b->find('.run[data-state=checked]');
	$b->no_axe('the dry run');
	$b->tab_to('.run [data-look=primary]');
	$b->press('Enter');
	ended();
	is links($one), $ntt, 'by keyboard alone';
	$b->scheme('dark');
	$b->no_axe('the outcome, dark');
	$b->scheme('light');
	for my $width (360, 1280, 2560) {
		$b->resize($width);
		is $b->sideways, 0, "$width pixels wide: nothing runs over";
	}
	$b->resize(1280);
}

# ---- 20,000, interrupted by closing the page ----

{
	my @t = tickets($MANY);
	my $list = join "\r\n", @t;

	at_ntt($big);
	$b->script(<<'END');
		window.tasks = [];
		new PerformanceObserver((list) => window.tasks.push(...list.getEntries()
			.map((e) => Math.round(e.duration)))).observe({ type: 'longtask' });
END
	$b->paste('#mass-list', $list);
	$b->shows('20,000 tickets', '.told') if $MANY == 20_000;
	note "long tasks while the list is pasted: @{ $b->script('return window.tasks.splice(0)') } ms";
	my $at = time;
	$b->click('.mass-form [data-look=primary]');
	$b->{wait} = 600;
	$b->find('.run[data-state=checked]');
	note sprintf 'dry run: %.1f s; long tasks: %s', time - $at,
	    join ' ', @{ $b->script('return window.tasks.splice(0)') };
	cmp_ok $b->count('.mass-table tbody tr'), '<', 60, 'only what is seen is rendered';
	$b->script('document.querySelector(".virtual").scrollTop = 1e6');
	$b->find([ css => '.mass-table td', text => $t[-1] ]);
	note 'scrolled; long tasks: ' . join ' ', @{ $b->script('return window.tasks.splice(0)') };
	$b->screenshot("$ENV{CTT_SHOTS}/ntt-many.png") if $ENV{CTT_SHOTS};

	$at = time;
	$b->click('.run [data-look=primary]');
	my $done = sub { scalar $c->one('SELECT ctt_count FROM ntt WHERE id = ?', $big) };
	$c->wait_for(300, sub { $done->() > $MANY / 4 });
	$b->close_tab;
	my $closed_at = $done->();
	cmp_ok $closed_at, '<', $MANY, "closed at $closed_at";
	$b->reopen("/ntt/$big");
	$b->find('.kept');
	like $b->text('.kept'), qr/Link [\d,]+ tickets to N-$big/, 'the run is offered';
	my $kept = $b->await(<<'END');
		const { open } = await import('/console/js/runs.js');
		const store = await open();
		const runs = await Promise.all((await store.list()).map((r) => store.load(r.id)));
		return JSON.stringify([localStorage, sessionStorage, runs]);
END
	like $kept, qr/$t[-1]/, 'its lines are kept';
	unlike $kept, qr/eyJ/, 'no token is';
	$b->click('.kept [data-look=primary]');
	ended();
	note sprintf 'linked in %.1f s', time - $at;
	# A simulator on a busy machine is late for some; those are tried again.
	for (1 .. 5) {
		last if counts() =~ /Failed 0/;
		note counts();
		$c->settle(60);
		$b->click(button(qr/^Try .* again/));
		$b->gone('.run[data-state=done]');
		ended();
	}
	like counts(), qr/Done 20,000/, 'all are done' if $MANY == 20_000;

	my $ops = "FROM operation WHERE kind = 'LINK' AND ntt_id = $big";
	is $done->(), $MANY, 'all are linked';
	is $c->one("SELECT COUNT(*) $ops AND state = 'SUCCEEDED'"), $MANY,
	    'an operation that succeeded for each, and no more';
	is $c->one("SELECT COUNT(DISTINCT ctt_id) $ops AND state = 'SUCCEEDED'"), $MANY, 'each once';
	is $c->one('SELECT COUNT(*) FROM audit_log WHERE outcome = \'SUCCESS\''
	    . " AND entity_type = 'NTT' AND entity_id = $big"), $MANY, 'one audit row for each';
	is $c->one("SELECT MAX(n) FROM (SELECT COUNT(*) n $ops GROUP BY request_id) x"), 500,
	    'in portions of 500';
	is $c->one("SELECT COUNT(DISTINCT SUBSTRING_INDEX(request_id, '.', 1)) $ops"), 1, 'of one prefix';
	$b->quiet('many');

	# The list of its CTTs: what was shown before is not drawn again.
	my $pages = $MANY / 200 < 10 ? int $MANY / 200 : 10;
	at_ntt($big);
	for my $page (1 .. $pages) {
		my $n = 200 * $page;
		$b->find([ css => '.pages', text => $n == $MANY ? 'in all'
			: $n =~ s/(\d)(\d{3})$/$1,$2/r . ' so far' ]);
		$b->click('.pages button') if $page < $pages;
	}
	my $last = '.table-box.virtual:not(.mass-table *)';
	cmp_ok $b->count("$last tbody tr"), '<', 60,
	    'of ' . 200 * $pages . ' CTTs only those that are seen are drawn';
	$b->script("document.querySelector('$last').scrollTop = 1e6");
	$b->find([ css => "$last td", text => $t[ 200 * $pages - 1 ] ]);
	$b->quiet('the list');
}

$b->stop;
$c->settle;
$c->quiet(300);
$c->agree;
$c->stop;
done_testing;
