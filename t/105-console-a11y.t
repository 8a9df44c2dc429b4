# The console for everybody: axe-core has nothing against any page in either
# theme, a link can be made by keyboard alone, no page scrolls sideways on a
# phone or on a wall; and it is light.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Console;
use Ctt;
use Test::More;

use constant {
	WEIGHT => 150 * 1024,    # of the first view, compressed
	CPU_MS => 400,           # of the page's own thread; far above what is noted
	WIDTHS => [ 360, 1280, 2560 ],
	SHOTS  => $ENV{CTT_SHOTS},
};

my $c = Ctt->start(pool => 4);
my ($ntt) = $c->given(ntt => { title => 'OLT down at Kungsgatan 7' });
my @ctts = $c->given(map { (ctt => { title => "No light at number $_",
	segment_group => 'Managed Services' }) } 1 .. 6);
$c->given(work_order => { ntt_id => $ntt, status => 'Open' });
$c->given_element($ctts[0]);
$c->given_activity($_) for @ctts;
$c->rule(ticket => "C-$ctts[2]", do => 'status', status => 422,
	body => { error => 'the ticket is locked' });
my $linked = $c->link($ctts[0], $ntt, remark => 'OLT down')
    ->{json}{operationId};
my $refused = $c->link($ctts[2], $ntt)->{json}{operationId};
my $bulk = $c->bulk(map { [ $ctts[$_], $ntt ] } 4, 5)->{headers}{'x-request-id'};
$c->update_cpe($ctts[0], { model => 'HG8546' });

my $b = Console->open($c, roles => ['ctt-admin']);

# ---- the pages ----

# Where each is (nowhere: on the page before it), and what it has to show before
# it is looked at.
my @PAGES = (
	[ search => '/', sub { $b->find([ text => "C-$ctts[4]" ]) } ],
	[ 'search, no match' => '/?q=nothing-is-like-that',
		sub { $b->shows('No ticket is like that') } ],
	[ 'search, nothing found' => '/?find=nowhere',
		sub { $b->shows('Nothing is called nowhere') } ],
	[ ctt => "/ctt/$ctts[0]", sub { $b->shows('OLT down'); settled() } ],
	[ 'ctt, not there' => '/ctt/999999', sub { $b->find('.problem') } ],
	[ 'ctt, link' => "/ctt/$ctts[1]", sub {
		$b->click([ role => 'button', name => qr/^Link/ ]);
		$b->fill([ label => qr/^Network ticket/ ], "N-$ntt");
		$b->shows('will be linked to') } ],
	[ 'ctt, resolve' => "/ctt/$ctts[1]", sub {
		$b->click([ role => 'button', name => qr/^Resolve/ ]);
		$b->shows('Choose to see what will happen', 'dialog') } ],
	[ cpe => "/ctt/$ctts[0]", sub {
		$b->click([ role => 'button', name => qr/^Change/ ]);
		$b->fill([ role => 'textbox', name => qr/Model/ ], 'G-2425G-A');
		$b->shows('will be changed:', 'dialog') } ],
	[ ntt => "/ntt/$ntt", sub { $b->shows('Work orders') } ],
	[ 'ntt, a list' => '', sub {
		$b->fill([ role => 'textbox', name => qr/^Which customer/ ],
			"C-$ctts[2]\nC-$ctts[3]\nC-$ctts[2]\nC-9999\n");
		$b->shows('1 named twice') } ],
	[ 'ntt, a dry run' => '', sub {
		$b->click([ role => 'button', name => qr/^Dry run/ ]);
		$b->find([ role => 'button', name => qr/^Link 2/ ]) } ],
	[ 'ntt, a run' => '', sub {
		$b->click([ role => 'button', name => qr/^Link 2/ ]);
		$b->shows('All lines are answered') } ],
	[ 'ntt, not there' => '/ntt/999999', sub { $b->find('.problem') } ],
	[ operation => "/operation/$linked", sub { $b->shows('Checklist') } ],
	[ 'operation, refused' => "/operation/$refused",
		sub { $b->shows('the ticket is locked') } ],
	[ 'operation, not there' => '/operation/nowhere',
		sub { $b->find('.problem') } ],
	[ request => "/request/$bulk", sub { $b->shows("C-$ctts[4]") } ],
	[ health => '/health', sub { $b->shows('Database and worker') } ],
	[ 'no such page' => '/nowhere', sub { $b->shows('no such page') } ],
);

# Until nothing is being loaded any more.
sub settled () {
	$b->wait_for(sub { !$b->has('[aria-busy=true], .loading') }, 'loaded');
}

sub show ($page) {
	my ($name, $path, $ready) = @$page;

	if ($path) {
		# away from what is open there
		$b->press('Escape') if $b->has('dialog[open]');
		$b->visit('/nowhere');
		$b->shows('no such page');
		$b->visit($path);
	}
	$ready->();
	settled();
}

sub shot ($name) {
	return if !SHOTS;
	$b->screenshot(SHOTS . "/$name.png" =~ s/[ ,]+/-/gr);
}

for my $page (@PAGES) {
	my $name = $page->[0];

	next if !eval { show($page); 1 } && !ok 0, "$name: $@";
	for my $scheme (qw(light dark)) {
		$b->scheme($scheme);
		$b->no_axe("$name, $scheme");
		shot("$name-1280-$scheme");
	}
	for my $width (@{ WIDTHS() }) {
		$b->resize($width, 900);
		is $b->sideways, 0, "$name: nothing scrolls sideways at $width px"
		    or diag $b->wide;
		shot("$name-$width") if $width != 1280;
	}
	$b->resize(1280, 900);
	$b->quiet($name);
}
$b->resize(1280, 900);
$b->scheme('light');

# ---- by keyboard alone ----

$b->press('Escape');
$b->reopen('/');
settled();
$b->script('document.activeElement.blur()');
$b->press('Tab');
is $b->focus, 'link Skip to the page', 'first the way past the frame';
ok $b->script('const b = document.activeElement.getBoundingClientRect();'
	. ' return b.top >= 0 && b.width > 1'), 'which is seen, once it is reached';
$b->press('Enter', 'Tab');
ok $b->script('return document.querySelector("main").contains('
	. 'document.activeElement)'), 'it leads into the page';
$b->tab_to([ label => qr/^Ticket number/ ], back => 1);
$b->press(split //, "C-$ctts[1]");
$b->press('Enter');
$b->shows('No light at number 2');
$b->tab_to([ role => 'button', name => qr/^Link/ ]);
ok $b->script(<<'END'), 'the focus can be seen';
	const s = getComputedStyle(document.activeElement);
	return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2
		|| s.boxShadow !== 'none';
END
$b->press('Enter');
$b->find('dialog');
like $b->focus, qr/^(?:combobox|textbox) Network ticket/,
    'the dialog takes the focus to what is to be filled in';
$b->press(split //, "N-$ntt");
$b->shows('will be linked to');
# Round and round: the focus stays in the dialog.
for (1 .. 12) {
	$b->press('Tab');
	next if $b->script('return !document.activeElement.closest("dialog")'
		. ' && document.activeElement !== document.body');
	$b->{inside}++;
}
is $b->{inside}, 12, 'Tab stays in the dialog';
$b->press('Escape');
$b->gone('dialog');
like $b->focus, qr/^button Link/, 'Escape closes it, and the focus is back';
$b->press('Enter');
$b->find('dialog');
$b->press(split //, "N-$ntt");
$b->shows('will be linked to');
$b->tab_to([ role => 'button', name => 'Link it' ]);
$b->press('Enter');
$b->shows("C-$ctts[1] was linked to N-$ntt");
is $c->row(ctt => $ctts[1])->{ntt_id}, $ntt, 'linked, by keyboard alone';
ok $b->script('return document.activeElement !== document.body'),
    'the focus is not lost';
$b->quiet('by keyboard alone');
$b->stop;

# ---- how heavy it is ----

{
	my $b = Console->start(stack => $c);
	my $load = sub {
		return $b->script(<<'END');
			const entries = [...performance.getEntriesByType('navigation'),
				...performance.getEntriesByType('resource')]
				.filter(e => e.name.includes('/console/'));
			return { requests: entries.length,
				bytes: entries.reduce((n, e) => n + e.transferSize, 0),
				plain: entries.filter(e => e.decodedBodySize > 2048 &&
					e.encodedBodySize === e.decodedBodySize)
					.map(e => e.name) };
END
	};
	my $cpu = sub {
		my %metric = map { $_->{name} => $_->{value} }
		    @{ $b->cdp('Performance.getMetrics')->{metrics} };
		return map { 1000 * $metric{$_} } qw(ScriptDuration TaskDuration);
	};

	$b->cdp('Performance.enable', { timeDomain => 'threadTicks' });
	$b->go($b->address('/'));
	$b->find([ label => 'Token' ]);
	my ($script, $task) = $cpu->();
	note sprintf 'the sign-in: %d ms of CPU, %d of them in scripts',
	    $task, $script;
	$b->paste_token($c->token);
	$b->find([ text => "C-$ctts[4]" ]);
	my $first = $load->();
	note "the first view: $first->{bytes} bytes, $first->{requests} requests";
	cmp_ok $first->{bytes}, '<', WEIGHT, 'the first view is light';
	is_deeply $first->{plain}, [], 'and all of it is compressed';
	my ($script_now, $task_now) = $cpu->();
	note sprintf 'the lists: %d ms of CPU, %d of them in scripts',
	    $task_now - $task, $script_now - $script;
	cmp_ok $script_now, '<', CPU_MS, 'the scripts cost little';
	$b->stop;
}

ok $c->quiet, 'all jobs are delivered';
$c->stop;
done_testing;
