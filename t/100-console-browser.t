# The browser that the console's tests use: does it see what there is, and does
# nothing of it stay behind.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Browser;
use File::Temp ();
use IO::Socket::INET ();
use Test::More;

# ---- a page, served by ourselves ----

my $PAGE = <<'END';
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A page</title>
<style>
@media (prefers-color-scheme: dark) { html { background: #111; color: #eee } }
.far { width: 500px }
</style>
<main>
<h1>A page</h1>
<label>Ticket <input id="ticket"></label>
<label>Cause <select><option value="">none<option value="F">Fiber cut</select></label>
<button id="go" disabled>Go on</button>
<button hidden>Go on</button>
<p id="out">Nothing yet</p>
<p hidden>Not seen</p>
<input type="file" hidden>
<div class="far">far</div>
</main>
<script>
const out = document.getElementById('out');
const tell = text => { out.textContent = text };
const go = document.getElementById('go');
document.getElementById('ticket').oninput = () =>
	setTimeout(() => { go.disabled = false }, 300);
go.onclick = () => tell('Went on with ' +
	document.getElementById('ticket').value);
document.querySelector('select').onchange = event =>
	tell('Cause ' + event.target.value);
document.onpaste = event =>
	tell('Pasted ' + event.clipboardData.getData('text'));
document.ondragover = event => event.preventDefault();
document.ondrop = async event => {
	event.preventDefault();
	const file = event.dataTransfer.files[0];
	tell('Dropped ' + (file ? file.name + ' ' + await file.text() :
		event.dataTransfer.getData('text')));
};
document.querySelector('[type=file]').onchange = async event =>
	tell('Given ' + await event.target.files[0].text());
</script>
END

my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20)
    or die "a port: $!\n";
my $url = 'http://127.0.0.1:' . $socket->sockport;
my $server = fork // die "fork: $!\n";
if (!$server) {
	$SIG{TERM} = 'DEFAULT';
	while (my $client = $socket->accept) {
		my ($path) = (readline($client) // '') =~ m{^GET (\S*)};
		while (defined(my $line = <$client>)) { last if $line !~ /\S/ }
		my ($status, $body) = ($path // '') eq '/'
		    ? ('200 OK', $PAGE) : ('404 Not Found', '');
		print $client "HTTP/1.1 $status\r\nContent-Type: text/html\r\n"
		    . 'Content-Length: ' . length($body)
		    . "\r\nConnection: close\r\n\r\n$body";
		close $client;
	}
	exit;
}
close $socket;
END { my $status = $?; kill 'TERM', $server if $server; $? = $status }

my $b = Browser->start;
$b->go("$url/");

# ---- finding ----

is $b->title, 'A page', 'the title';
is $b->text('h1'), 'A page', 'a text by CSS';
is $b->attr([ label => 'Ticket' ], 'id'), 'ticket', 'a control by its name';
is $b->attr([ role => 'button', name => 'Go on' ], 'id'), 'go',
    'a button by role and name: the one that is seen';
is $b->count([ css => 'button', hidden => 1 ]), 2, 'a hidden one, if asked';
is $b->attr([ text => qr/^nothing\s/i ], 'id'), 'out',
    'the innermost by a pattern';
is $b->text([ css => 'option', nth => 1, hidden => 1 ]), 'Fiber cut', 'the second';
is $b->text([ role => 'heading', in => 'main' ]), 'A page', 'inside of another';
ok !$b->has([ text => 'Not seen' ]), 'what is hidden is not seen';
{
	local $b->{wait} = 0.2;
	ok !eval { $b->find([ role => 'button', name => 'Back' ]) },
	    'what is not there is not found';
	like $@, qr/^name 'Back', role 'button' is not there.*Nothing yet/s,
	    'and the message has the page';
}

# ---- doing ----

ok !$b->enabled('#go'), 'a button that is disabled';
$b->fill([ label => 'Ticket' ], 'old');
$b->fill([ label => 'Ticket' ], "C-\x{dc}7");
$b->click([ role => 'button', name => 'Go on' ]);
ok $b->shows("Went on with C-\x{dc}7"), 'filled; clicked, once it could be';
$b->fill('#ticket', "x\x{1F600}");
is $b->value('#ticket'), "x\x{1F600}", 'an emoji';
is $b->focus, 'textbox Ticket', 'where the focus is';
$b->press('Tab');
is $b->focus, 'combobox Cause', 'a key is pressed';
$b->tab_to([ role => 'button', name => 'Go on' ]);
$b->press('Enter');
ok $b->shows("Went on with x\x{1F600}"), 'by keys alone';
$b->choose([ label => 'Cause' ], 'Fiber cut');
ok $b->shows('Cause F'), 'chosen from a list';
$b->fill('#ticket', '');
$b->paste('#ticket', 'C-8');
ok $b->shows('Pasted C-8'), 'pasted: the page hears of it';
is $b->value('#ticket'), 'C-8', 'and the text is there';
is $b->clipboard, 'C-8', 'the clipboard';
$b->drop('main', "C-1\nC-2");
ok $b->shows("Dropped C-1 C-2"), 'text is dropped';
$b->drop('main', "no\nC-3\n", name => 'list.csv');
ok $b->shows('Dropped list.csv no C-3'), 'a file is dropped';
{
	my $file = File::Temp->new;
	print $file "C-4\n";
	close $file;
	$b->upload('[type=file]', "$file");
	ok $b->shows('Given C-4'), 'a file is given';
}

# ---- looking ----

my $dir = File::Temp::tempdir(CLEANUP => 1);
is $b->script('return matchMedia("(prefers-color-scheme: dark)").matches'),
    Cpanel::JSON::XS::false, 'light';
$b->scheme('dark');
is $b->script('return getComputedStyle(document.documentElement).color'),
    'rgb(238, 238, 238)', 'dark';
is $b->sideways, 0, 'nothing scrolls sideways at 1280 px';
$b->resize(360, 640);
is $b->script('return innerWidth'), 360, '360 px';
cmp_ok $b->sideways, '>', 100, 'where something does';
$b->screenshot("$dir/page.png");
open my $png, '<:raw', "$dir/page.png" or die;
read $png, my $head, 24;
is unpack('x16 N', $head), 508, 'a screenshot, as wide as the page';
$b->no_errors('a page', qr/favicon/);
$b->script('setTimeout(() => { throw new Error("thrown") }); console.error("x")');
$b->wait_for(sub { $b->collect_logs; @{ $b->{logs} } > 1 });
is scalar(my @errors = $b->errors), 2, 'errors of a page are seen';

my $first = $b->this_tab;
my $second = $b->tab("$url/");
is $b->script('return [innerWidth, getComputedStyle(document.documentElement)'
    . '.color].join(" ")'), '360 rgb(238, 238, 238)',
    'another tab is as the first';
$b->offline(1);
ok !eval { $b->await("return (await fetch('/')).status") }, 'no network';
$b->offline(0);
is $b->await("return (await fetch('/')).status"), 200, 'and again';
$b->close_tab($first);
is_deeply [ $b->tabs ], [$first], 'the tab is closed';
$b->close_tab;
is scalar($b->tabs), 1, 'closed, and a new one is there';
is $b->url, 'about:blank', 'that is empty';

SKIP: {
	skip 'no npm registry: CTT_OFFLINE is set', 1
	    if !Browser::tool('axe-core');
	$b->go("$url/");
	$b->script('document.getElementById("out").style.color = "#333"');
	like join("\n", $b->axe), qr/^color-contrast .*#out/m,
	    'axe-core sees what one can hardly see';
}

# ---- the end ----

my @before = $b->processes;
cmp_ok scalar @before, '>', 1, 'there are processes of it';
$b->stop;
is_deeply [ $b->processes ], [], 'and none in the end';
ok !-e $b->{dir}, 'nor a folder';

done_testing;
