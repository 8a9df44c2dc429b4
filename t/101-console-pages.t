# The console's search, and the page of a customer ticket: each action as an
# operator does it, with partners that refuse, are silent, and get well again.

use v5.36;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use Console;
use Ctt;
use Test::More;
use Util qw(spew);

my $builder = Test::More->builder;
binmode $_, ':encoding(UTF-8)' for $builder->output,
    $builder->failure_output, $builder->todo_output;

my $c = Ctt->start(pool => 4, set => { CTT_PARTNER_TIMEOUT_MS => 8000,
	CTT_UNLINK_BLOCK_TTL => 0 });
my @ROLES = qw(ctt-operator ctt-cpe);
my ($near, $far) = $c->given(ntt => { title => 'OLT down' },
    ntt => { title => 'Fiber cut at site 12' });
my ($NEAR, $FAR) = map { $c->row(ntt => $_)->{ticket_no} } $near, $far;

# What an operator sees and presses.
sub button ($name) { return [ role => 'button', name => $name ] }
sub inside ($name) { return [ role => 'button', name => $name, in => 'dialog' ] }

# A fresh ticket, with an activity; its id and its number.
sub ticket (%columns) {
	my $id = $c->given(ctt => { title => 'No light', %columns });

	$c->given_activity($id);
	return ($id, $c->row(ctt => $id)->{ticket_no});
}

my $b = Console->open($c, roles => \@ROLES);

sub path () { return $b->url =~ s{^.*?/console}{}r }

# Presses the button of a dialog once it can be pressed.
sub confirm ($name) {
	$b->wait_for(sub { $b->enabled(inside($name)) }, "$name can be pressed");
	$b->click(inside($name));
}

sub at_ticket ($id, @begin) {
	$b->visit("/ctt/$id");
	$b->shows($c->row(ctt => $id)->{ticket_no}, 'h1');
	$b->click(button($_)) for @begin;
}

# A problem is whole: its detail, what to do, its code, its request id to copy,
# and the way to the trace.
sub whole_problem ($in, $code, $detail, $remedy, %opt) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $problem = [ css => '.problem', text => $code, in => $in ];
	my $text = $b->text($problem);

	like $text, $detail, "$code: the detail";
	like $text, qr/What to do: .*$remedy/s, 'what to do';
	like $text, qr/\bcode \Q$code\E\b/, 'the code';
	$b->click([ role => 'button', name => 'Copy request id',
		in => $problem ]);
	$b->wait_for(sub { $b->clipboard =~ /^console-\w{16}$/ }, 'the id');
	like $text, qr/\Q@{[$b->clipboard]}\E/, 'the request id, copied';
	is $b->has([ css => 'a', text => 'Show what the operation did',
		in => $problem ]), !!($opt{trace} // 1), 'the way to the trace';
}

# ---- the search field ----

sub search ($text) {
	my $field = [ label => 'Ticket number, id, request id or operation id' ];

	$b->fill($field, "$text");
	$b->press('Enter');
}

{
	my ($id, $no) = ticket();
	my $linked = $c->link($id, $near)->{json};
	my $request = $c->one('SELECT request_id FROM operation WHERE id = ?',
	    $linked->{operationId});

	for (["\x{A0} $no \x{A0}", "/ctt/$id", 'a number, blanks around it'],
	    [$NEAR, "/ntt/$near", 'the number of an NTT'],
	    [$id, "/ctt/$id", 'an id'],
	    [$linked->{operationId}, "/operation/$linked->{operationId}",
		'an operation id'],
	    [$request, "/request/$request", 'a request id']) {
		my ($text, $to, $name) = @$_;
		$b->visit('/');
		search($text);
		$b->wait_for(sub { path() eq $to }, "$name goes to $to");
		pass $name;
	}
	search('nothing-is-called-so');
	$b->shows('Nothing is called', '.found');
	like $b->text('.found'),
	    qr/Nothing is called nothing-is-called-so.*no ticket’s number or id/s,
	    'nothing is found, and it says so';
	search(substr $NEAR, 0, 3);
	$b->shows('but these begin so', '.found');
	$b->click([ css => '.found a', text => $FAR ]);
	$b->wait_for(sub { path() eq "/ntt/$far" }, 'one is chosen');

	# A customer ticket's number that is a network ticket's id.
	$c->given(ctt => { ticket_no => $near });
	search($near);
	$b->shows('Several things are called', '.found');
	is $b->count('.found tbody tr'), 2, 'both are shown';
	$b->quiet('searching');
	$b->no_axe('what was found');
}

# ---- the lists ----

{
	$c->given((map { (ctt => { ticket_no => sprintf('L-%04d', $_),
		status => $_ % 2 ? 'Open' : 'Closed' }) } 1 .. 250),
	    ctt => { ticket_no => 'L-9999', status => 'Strange' });
	$b->visit('/');
	$b->fill([ label => 'Number begins with' ], 'L-');
	$b->click([ label => 'Open' ]);
	$b->wait_for(sub { path() eq '/?q=L-&status=Open' },
	    'the filters are in the address');
	$b->shows('100 so far');
	is $b->count('tbody tr'), 100, 'a page';
	$b->script('window.scrollTo(0, document.body.scrollHeight)');
	$b->shows('125 in all');
	is $b->count('tbody tr'), 125, 'and the rest by scrolling';
	$b->click([ css => 'tbody a', text => 'L-0001' ]);
	$b->shows('L-0001', 'h1');
	$b->back;
	$b->shows('100 so far');
	is $b->value([ label => 'Number begins with' ]), 'L-',
	    'the way back has the filters';
	ok $b->prop([ label => 'Open' ], 'checked'), 'all of them';
	$b->choose([ label => 'Linked' ], 'Yes');
	$b->shows('No ticket is like that');
	$b->click([ css => '.empty button', text => 'Clear the filters' ]);
	$b->wait_for(sub { path() eq '/' }, 'cleared');
	$b->fill([ label => 'Number begins with' ], 'L-9999');
	$b->shows('Strange', 'tbody');
	pass 'a status that somebody has made is shown';
	$b->click([ css => 'a', text => 'Network tickets' ]);
	like $b->text([ css => 'tbody tr', text => $FAR ]),
	    qr/Fiber cut at site 12/, 'network tickets';
	$b->quiet('the lists');
	$b->no_axe('the lists');
}

# ---- link ----

for my $source ('TMF', 'TAAS') {
	my ($id, $no) = ticket(source => $source);
	my $partner = $source eq 'TMF' ? 'TMF' : 'TaaS';

	at_ticket($id, 'Link …');
	ok !$b->enabled(inside('Link it')), 'not before one is chosen';
	$b->fill([ label => 'Network ticket (required)' ], ' N-none ');
	whole_problem('dialog', 'NTT_NOT_FOUND', qr/N-none/, qr/Check the number/,
	    trace => 0);
	$b->fill([ label => 'Network ticket (required)' ], " $NEAR ");
	$b->fill([ label => 'Remark' ], 'card 7');
	like $b->text('.will'),
	    qr/^\Q$no will be linked to $NEAR here and at $partner\E/,
	    'what will happen, and where';
	is scalar $c->heard(lc $source, ticket => $no), 0, 'nothing has yet';
	confirm('Link it');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/^\Q$no\E was linked to \Q$NEAR\E/,
	    'what has happened stands where it was begun';
	like $b->text('.facts'), qr/Linked to\s+\Q$NEAR\E/,
	    'the shown values are new';
	$b->shows('Succeeded', 'main');
	is $c->row(ctt => $id)->{ntt_ticket_no}, $NEAR, 'and so it is';
	ok !$b->has(button('Link …')), 'it cannot be linked again';
	$b->quiet("linked at $partner");
}

# The partner refuses: nothing that was typed is lost, and it can be tried again.
{
	my ($id, $no) = ticket();

	$c->rule(partner => 'taas', ticket => $no, path => '/link$',
	    do => 'refuse', status => 422, body => { error => 'is locked' });
	at_ticket($id, 'Link …');
	$b->fill([ label => 'Network ticket (required)' ], $NEAR);
	$b->fill([ label => 'Remark' ], 'as he said');
	confirm('Link it');
	whole_problem('dialog', 'EXTERNAL_SYNC_FAILED', qr/TaaS.*422/,
	    qr/ask it why/);
	is $b->value([ label => 'Remark' ]), 'as he said', 'it is still there';
	$c->no_rules;
	confirm('Link it');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/was linked/, 'done at the second attempt';

	($id, $no) = ticket();
	$c->rule(partner => 'taas', ticket => $no, do => 'refuse',
	    status => 409);
	at_ticket($id, 'Link …');
	$b->fill([ label => 'Network ticket (required)' ], $NEAR);
	confirm('Link it');
	$b->shows('EXTERNAL_SYNC_FAILED', 'dialog');
	$b->click(inside('Cancel'));
	whole_problem('.actions', 'EXTERNAL_SYNC_FAILED', qr/409/,
	    qr/ask it why/);
	like $b->text('.facts'), qr/not linked/, 'it is not linked';
	$b->click([ role => 'button', name => 'Close', in => '.outcome' ]);
	$b->gone('.outcome');
	$c->no_rules;
	$b->quiet('refused');
}

# The partner's answer is lost: the page follows until it is settled.
{
	my ($id, $no) = ticket();

	$c->rule(partner => 'taas', ticket => $no, do => 'cut',
	    applied => Cpanel::JSON::XS::true);
	at_ticket($id, 'Link …');
	$b->fill([ label => 'Network ticket (required)' ], $NEAR);
	confirm('Link it');
	$b->shows('EXTERNAL_SYNC_FAILED', 'dialog');
	$b->click(inside('Cancel'));
	like $b->text('.open'), qr/Settling.*Link by olga is under way/s,
	    'it is under way';
	ok !$b->enabled(button('Link …')), 'and nothing else can be begun';
	like $b->text('.actions'), qr/Another operation .* is under way/, 'why';
	$b->no_axe('under way');
	$c->no_rules;
	$b->gone('.open');
	$b->shows('Undone', 'main');
	ok $b->enabled(button('Link …')), 'settled, without a reload';
	$b->quiet('an answer that was lost');
}

# ---- move ----

{
	my ($id, $no) = ticket(linked => $near);

	at_ticket($id, 'Move …');
	$b->fill([ label => 'Network ticket (required)' ], $NEAR);
	like $b->text('.will'), qr/is linked to \Q$NEAR\E already/,
	    'it is there already';
	$b->fill([ label => 'Network ticket (required)' ], $FAR);
	like $b->text([ css => '.will', text => $FAR ]),
	    qr/unlinked from \Q$NEAR\E and linked to \Q$FAR\E, here and at TaaS/,
	    'what will happen';
	$c->rule(partner => 'taas', ticket => $no, path => '/link$', times => 1,
	    do => 'refuse', status => 422);
	confirm('Move it');
	whole_problem('dialog', 'EXTERNAL_SYNC_FAILED',
	    qr/linked back to|restored|is linked to/, qr/ask it why/);
	is $c->row(ctt => $id)->{ntt_ticket_no}, $NEAR, 'it is where it was';
	confirm('Move it');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/was moved to \Q$FAR\E/, 'moved';
	like $b->text('.facts'), qr/Linked to\s+\Q$FAR\E/, 'the values are new';
	$b->quiet('moving');
}

# ---- unlink, and by force ----

{
	my ($id, $no) = ticket(linked => $near);

	at_ticket($id, 'Unlink …');
	like $b->text('.will'), qr/unlinked from \Q$NEAR\E here and at TaaS/,
	    'what will happen';
	ok !$b->enabled([ label => qr/^Unlink it here even if/ ]),
	    'no force without the role';
	like $b->text('dialog'), qr/takes one of the roles ctt-admin/, 'why';
	$b->fill([ label => 'Remark' ], 'loose cable');
	confirm('Unlink it');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/was unlinked from \Q$NEAR\E/, 'unlinked';
	like $b->text('.facts'), qr/not linked/, 'the values are new';
	ok $b->shows("Unlinked from NTT $NEAR: loose cable", '.timeline'),
	    'the follow-up';

	($id, $no) = ticket(linked => $near);
	$c->sim(DELETE => "/ticket/taas/$no");
	$b->reopen("/ctt/$id", roles => ['ctt-admin'], sub => 'ada');
	$b->click(button('Unlink …'));
	confirm('Unlink it');
	whole_problem('dialog', 'EXTERNAL_UNLINK_FAILED', qr/404/,
	    qr/ask it why/);
	$b->click([ label => qr/^Unlink it here even if/ ]);
	like $b->text('.will'), qr/unlinked here all the same/, 'force, told';
	confirm('Unlink it by force');
	$b->gone('dialog');
	like $b->text('.facts'), qr/not linked/, 'unlinked by force';
	$b->shows('forced', 'main');
	$b->reopen('/', roles => \@ROLES, sub => 'olga');
	$b->quiet('unlinking');
}

# ---- resolve ----

sub choose_codes () {
	$b->choose([ label => 'Cause (required)' ], 'Fiber cut');
	$b->choose([ label => 'Disposition (required)' ], 'Repaired');
	$b->choose([ label => 'Resolution (required)' ], 'Network restored');
}

{
	my ($id, $no) = ticket(ticket_no => 'X-TaaS-1');

	at_ticket($id, 'Resolve …');
	$b->shows('Choose to see what will happen: Cause, Disposition, Resolution',
	    'dialog');
	choose_codes();
	$b->fill([ label => 'Remark' ], 'spliced');
	like $b->text([ css => '.will', text => 'note' ]),
	    qr/will be Resolved here and at TaaS.*UCC Verification/,
	    'what will happen';
	$b->no_axe('resolving');
	confirm('Resolve it');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/was resolved here and at TaaS/, 'resolved';
	like $b->text('h1'), qr/Resolved/, 'the status is new';
	$b->shows('spliced', '.timeline');
	like $b->text('.timeline'), qr/Cause: Fiber cut/, 'codes by their labels';
	$b->click(button('Correct the codes …'));
	is $b->value([ label => 'Cause (required)' ]), 'FIBER_CUT',
	    'corrected, beginning with what they are';
	$b->choose([ label => 'Cause (required)' ], 'Power failure');
	confirm('Set these codes');
	$b->gone('dialog');
	$b->shows('Power failure', '.timeline');

	# Nobody knows whether the partner took it: it goes on.
	($id, $no) = ticket(ticket_no => 'X-TaaS-2');
	$c->rule(partner => 'taas', ticket => $no, do => 'cut',
	    applied => Cpanel::JSON::XS::true);
	at_ticket($id, 'Resolve …');
	choose_codes();
	confirm('Resolve it');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/TaaS gave no clear answer/, 'not known yet';
	$c->no_rules;
	$b->shows('Resolved', 'h1');
	pass 'and then it is';

	# One that somebody has closed.
	($id, $no) = ticket(status => 'Closed');
	at_ticket($id);
	ok !$b->enabled(button('Resolve …')), 'a closed one cannot be';
	like $b->text('.actions'), qr/The ticket is Closed/, 'why';

	# And one of which no partner hears.
	($id, $no) = ticket(external_sync => 0);
	at_ticket($id, 'Resolve …');
	choose_codes();
	like $b->text('.will'), qr/no partner hears of it/, 'local only';
	$b->click(inside('Cancel'));
	$b->quiet('resolving');
}

# Somebody was faster.
{
	my ($id) = ticket();

	at_ticket($id, 'Resolve …');
	choose_codes();
	$b->wait_for(sub { $b->enabled(inside('Resolve it')) }, 'ready');
	$c->given_activity($id, type => 'Other');
	$b->click(inside('Resolve it'));
	whole_problem('dialog', 'CTT_ACTIVITY_NOT_FOUND', qr/./,
	    qr/Somebody was faster/);
	$b->click(inside('Cancel'));
	$b->quiet('somebody was faster');
}

# ---- equipment ----

sub equipment (%columns) {
	my ($id, $no) = ticket(segment_group => 'Managed Services', %columns);

	return ($id, $no, $c->given_element($id));
}

{
	my ($id, $no) = equipment();

	at_ticket($id, 'Change …');
	$b->shows('Change a value to see what will happen', 'dialog');
	$b->fill([ label => 'Model' ], ' HG9000 ');
	$b->fill([ label => 'Bandwidth (Mbit/s)' ], 'fast');
	whole_problem('dialog', 'VALIDATION_FAILED', qr/./, qr/Correct the fields/,
	    trace => 0);
	$b->find([ css => '.cpe .error' ]);
	$b->fill([ label => 'Bandwidth (Mbit/s)' ], '600');
	my $will = $b->text('.will');
	like $will, qr/customer of \Q$no\E \(No light\).*ONT-$id.*NIG/s,
	    'customer, element and NIG';
	like $will, qr/HG8245 → HG9000.*300 → 600/s, 'and the values';
	unlike $will, qr/Manufacturer/, 'only what differs';
	$b->no_axe('the equipment');
	confirm('Send to NIG and save');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/ONT-$id was changed, here and at NIG/,
	    'changed';
	like $b->text('.element'), qr/HG9000.*600/s, 'the values are new';
	like $b->text([ css => 'tr', text => 'HG8245 → HG9000' ]), qr/olga/,
	    'the history';
	my ($call) = $c->heard('nig', ticket => $no);
	is_deeply $call->{body}{new}{model}, 'HG9000', 'NIG heard of it';
	$b->quiet('the equipment');
}

# Changed by somebody else meanwhile: both are shown, and one chooses.
{
	my ($id, $no) = equipment();

	at_ticket($id, 'Change …');
	$b->fill([ label => 'Model' ], 'MINE');
	$b->wait_for(sub { $b->enabled(inside('Send to NIG and save')) }, 'ready');
	$c->update_cpe($id, { model => 'THEIRS', port => '2/2/2' });
	$b->click(inside('Send to NIG and save'));
	$b->shows('Somebody has changed the equipment', 'dialog');
	is $b->value([ label => 'Port' ]), '2/2/2', 'what was not touched follows';
	is $b->value([ label => 'Model' ]), 'MINE', 'what was typed is kept';
	ok !$b->enabled(inside('Send to NIG and save')), 'one has to choose';
	$b->find(inside('Keep THEIRS'));
	$b->no_axe('stale equipment');
	$b->click(inside('Set MINE'));
	like $b->text('.will'), qr/THEIRS → MINE/, 'chosen';
	confirm('Send to NIG and save');
	$b->gone('dialog');
	like $b->text('.element'), qr/MINE.*2\/2\/2/s, 'both are there';
	$b->quiet('stale equipment');
}

# NIG refuses; and what cannot be changed says why.
{
	my ($id, $no) = equipment();

	$c->rule(partner => 'nig', do => 'refuse', status => 422);
	at_ticket($id, 'Change …');
	$b->fill([ label => 'Port' ], '9/9/9');
	confirm('Send to NIG and save');
	whole_problem('dialog', 'EXTERNAL_SYNC_FAILED', qr/NIG.*422/,
	    qr/ask it why/);
	$c->no_rules;
	$b->click(inside('Cancel'));

	($id) = ticket(segment_group => 'Retail');
	$c->given_element($id);
	at_ticket($id);
	like $b->text('.element'), qr/Managed Services only.*is Retail/,
	    'another segment';
	($id) = ticket(segment_group => 'Managed Services');
	$c->given_element($id, access_type => 'DSL');
	at_ticket($id);
	like $b->text('.element'), qr/FTTH only.*DSL/, 'another access';
	ok !$b->enabled(button('Change …')), 'it cannot be pressed';
	$b->quiet('equipment that cannot be changed');
}

# ---- by keyboard alone ----

{
	my ($id, $no) = ticket();

	at_ticket($id);
	$b->tab_to(button('Link …'));
	$b->press('Enter');
	$b->find('dialog');
	is $b->focus, 'combobox Network ticket (required)',
	    'a dialog begins at its first field';
	$b->press('Escape');
	$b->gone('dialog');
	is $b->focus, 'button Link …', 'Esc closes it, and one is back';
	$b->press('Enter');
	$b->find('dialog');
	$b->press(split //, $NEAR);
	$b->press('Tab');
	$b->wait_for(sub { $b->enabled(inside('Link it')) }, 'checked');
	$b->tab_to(inside('Link it'));
	$b->press('Enter');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/was linked to \Q$NEAR\E/,
	    'done by keys alone';
	$b->quiet('by keyboard');
}

# ---- what one may not do ----

{
	my ($id) = equipment();

	$b->reopen("/ctt/$id", roles => ['ctt-viewer'], sub => 'vera');
	$b->shows('ctt-operator,ctt-admin', '.actions');
	for my $name ('Link', 'Unlink', 'Resolve', 'Change') {
		ok !$b->enabled(button("$name …")), "vera: $name is disabled";
	}
	like $b->text('.element'), qr/takes one of the roles ctt-cpe,ctt-admin/,
	    'each says why';
	$b->no_axe('what one may not do');
	$b->reopen('/', roles => \@ROLES, sub => 'olga');
	$b->quiet('what one may not do');
}

# ---- the API is away, the token ends: nothing is lost ----

{
	my ($id, $no) = ticket();

	at_ticket($id, 'Link …');
	$b->fill([ label => 'Network ticket (required)' ], $NEAR);
	$b->fill([ label => 'Remark' ], 'typed before');
	$b->wait_for(sub { $b->enabled(inside('Link it')) }, 'ready');
	$b->offline(1);
	$b->click(inside('Link it'));
	my $text = $b->text([ css => '.problem', in => 'dialog' ]);
	like $text, qr/UNREACHABLE/, 'no network';
	like $text, qr/done already is not done twice.*Look up what became/s,
	    'what to do';
	is $b->value([ label => 'Remark' ]), 'typed before', 'it is still there';
	$b->offline(0);
	confirm('Link it');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/was linked/, 'gone on with';

	# The change was done, but its answer was lost.
	($id, $no) = ticket();
	at_ticket($id, 'Link …');
	$b->fill([ label => 'Network ticket (required)' ], $NEAR);
	$b->wait_for(sub { $b->enabled(inside('Link it')) }, 'ready');
	$c->rule(partner => 'taas', ticket => $no, do => 'delay', ms => 5000);
	$b->click(inside('Link it'));
	$c->wait_for(20, sub { $c->one('SELECT COUNT(*) FROM operation'
		. ' WHERE ctt_id = ?', $id) });
	ok $c->stack('kill', 'nginx'), 'nginx is gone';
	$b->shows('UNREACHABLE', 'dialog');
	ok $c->stack('start', 'nginx'), 'and is back';
	$c->no_rules;
	$c->settle;
	confirm('Link it');
	$b->gone('dialog');
	like $b->text('.outcome'), qr/was linked/, 'answered once more';
	is scalar(grep { $_->{applied} } $c->heard('taas', ticket => $no)), 1,
	    'and done once';
	$b->errors;

	# The token ends in the middle: its key is taken away.
	($id, $no) = ticket();
	at_ticket($id, 'Link …');
	$b->fill([ label => 'Network ticket (required)' ], $NEAR);
	$b->fill([ label => 'Remark' ], 'before the end');
	$b->wait_for(sub { $b->enabled(inside('Link it')) }, 'ready');
	spew($c->env('CTT_JWT_KEY_FILE'), 'another' x 10);
	ok $c->stack('restart', 'pool'), 'another key';
	$c->{tokens} = {};
	$b->click(inside('Link it'));
	$b->shows('Nothing that you typed is lost');
	$b->no_axe('signing in again');
	$b->paste_token($c->token(sub => 'olga', roles => \@ROLES));
	$b->gone('dialog');
	like $b->text('.outcome'), qr/was linked/, 'and is done';
	like $c->one('SELECT detail FROM audit_log WHERE entity_type = ?'
	    . ' AND entity_id = ? ORDER BY id DESC LIMIT 1', 'CTT', $id),
	    qr/before the end/, 'with what was typed';
	$b->errors;
}

# ---- a hostile ticket is text ----

{
	my $evil = q{<script>document.title='no'</script><img src=x onerror="}
	    . q{document.title='no'">};
	my $rtl = "\x{202E}gnikool si siht\x{202C}";
	my ($id, $no) = ticket(ticket_no => q{<b>"'&--'>} . $rtl,
		title => substr($evil . $rtl, 0, 255), source => 'TMF',
		segment_group => 'Managed Services', status => '<i>Open</i>');
	my ($party) = ticket(title => "\x{1F389}" x 255);
	my $activity = $c->given_activity($id, type => '<u>type</u>',
		created_by => $evil);

	$c->given(activity_note => { ctt_id => $id, activity_id => $activity,
		text => "$evil\n$rtl " . "\x{1F389}" x 255, author => $evil });
	$c->given_element($id, name => '<b>ONT</b>',
	    manufacturer => '<img src=x onerror=alert(1)>',
	    model => $rtl);
	$c->rule(partner => 'tmf', do => 'status', status => 422,
	    raw => $evil);
	at_ticket($id, 'Link …');
	$b->fill([ label => 'Network ticket (required)' ], $NEAR);
	$b->fill([ label => 'Remark' ], $evil);
	confirm('Link it');
	$b->shows('EXTERNAL_SYNC_FAILED', 'dialog');
	$b->click(inside('Cancel'));
	is $b->count('main :is(script, b, i, u, img)'), 0, 'none of it is HTML';
	like $b->text('h1'), qr/<b>"'&--'>/, 'the number is shown';
	like $b->text('.timeline'), qr/<script>document\.title/, 'and the note';
	unlike $b->title, qr/^no/, 'nothing of it ran';
	$b->resize(360, 740);
	is $b->sideways, 0, 'nor does it make the page wider';
	$b->visit("/ctt/$party");
	$b->shows("\x{1F389}", '.subtitle');
	is $b->sideways, 0, 'nor do 255 of these';
	$b->resize(1280, 900);
	$c->no_rules;
	$b->quiet('a hostile ticket');
}

# ---- both themes, narrow and wide ----

{
	my ($id, $no) = equipment(linked => $near);

	$c->update_cpe($id, { model => 'HG9000' });
	for my $scheme ('light', 'dark') {
		$b->scheme($scheme);
		for my $path ('/', '/?list=ntt', "/ctt/$id") {
			$b->visit($path);
			$b->find('tbody tr');
			$b->no_axe("$path, $scheme");
		}
		for my $width (360, 1280, 2560) {
			$b->resize($width, 900);
			for my $name ('/', "/ctt/$id") {
				$b->visit($name);
				$b->find('tbody tr');
				is $b->sideways, 0, "$name at $width px";
				$b->screenshot("$ENV{CTT_SHOTS}/101-"
				    . ($name eq '/' ? 'search' : 'ctt')
				    . "-$width-$scheme.png")
				    if $ENV{CTT_SHOTS};
			}
		}
		$b->resize(1280, 900);
	}
}

$c->settle;
$c->quiet;
$b->stop;
$c->stop;
done_testing;
