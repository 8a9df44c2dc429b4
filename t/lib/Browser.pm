package Browser;

# Debian's Chromium for one test file, driven through chromedriver as the
# WebDriver protocol has it:
#
#	my $b = Browser->start(width => 1280, scheme => 'dark');
#	$b->go("$url/console/");
#	$b->fill([ label => 'Ticket' ], 'CTT-0000001');
#	$b->press('Enter');
#	$b->click([ role => 'button', name => 'Link' ]);
#	like $b->text('main'), qr/linked/;
#	$b->no_errors('the console');
#	$b->stop;
#
# Whatever is looked for is waited for: a find that fails dies with the text of
# the page, and leaves a screenshot in CTT_SHOTS if that is set. What names an
# element is a selector of CSS, an element that was found, or an array:
#
#	[ role => 'button', name => 'Link' ]	its role and its name, both as
#						a screen reader has them
#	[ label => 'Remark' ]			the control of this name
#	[ text => 'was linked' ]		the innermost with the text
#	[ css => 'tr', text => qr/C-\d+/ ]	they all must hold
#	[ ..., in => 'dialog' ]			inside of another
#	[ ..., nth => 2 ]			the third of these
#	[ ..., hidden => 1 ]			it need not be seen
#
# A name is the whole name, a text is a part of it; either may be a pattern.

use v5.36;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use HTTP::Tiny ();
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__);
use Util qw(slurp slurp_if spew);

use constant {
	ELEMENT  => 'element-6066-11e4-a52e-4f735466cecf',
	DEADLINE => 60,     # for what a page has to show
	START    => 180,    # for the browser, on a busy machine
	SCRIPT   => 120,    # for a script, axe's too
	PAUSE    => 0.05,   # between two looks
	QUOTED   => 2000,   # characters of a page in a message
};

my $TOP = dirname(dirname(dirname(abs_path(__FILE__))));
my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my %KEY = (Backspace => "\x{E003}", Tab => "\x{E004}", Enter => "\x{E007}",
	Shift => "\x{E008}", Control => "\x{E009}", Alt => "\x{E00A}",
	Escape => "\x{E00C}", Space => ' ', PageUp => "\x{E00E}",
	PageDown => "\x{E00F}", End => "\x{E010}", Home => "\x{E011}",
	Left => "\x{E012}", Up => "\x{E013}", Right => "\x{E014}",
	Down => "\x{E015}", Delete => "\x{E017}");

my %up;    # the browsers that this process has to end

$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 1 };
END {
	my $status = $?;
	$_->stop for grep { $_->{owner} == $$ } values %up;
	$? = $status;
}

# ---- the process ----

# width, height; scheme: light or dark; zone: of the reader's clock; wait: the
# deadline for what is looked for.
sub start ($class, %opt) {
	my $dir = File::Temp::tempdir('browser.XXXXXX', TMPDIR => 1);
	my $self = bless { dir => $dir, owner => $$, width => 1280,
		height => 900, scheme => 'light', wait => DEADLINE,
		logs => [], %opt }, $class;

	$up{$dir} = $self;
	make_path("$dir/profile", "$dir/downloads");
	$self->launch;
	$self->open_session;
	$self->set_up_tab;
	return $self;
}

# A program that runs beside, and writes into $log: its process. It ends with us,
# however we end.
sub beside ($log, $env, @command) {
	my $pid = fork // die "fork: $!\n";

	return $pid if $pid;
	$SIG{$_} = 'DEFAULT' for qw(HUP INT QUIT TERM PIPE);
	open STDIN, '<', '/dev/null';
	open STDOUT, '>', $log;
	open STDERR, '>&', \*STDOUT;
	POSIX::setsid();
	POSIX::close($_) for 3 .. 255;
	delete @ENV{qw(DISPLAY WAYLAND_DISPLAY LC_ALL)};
	%ENV = (%ENV, %$env);
	exec qw(setpriv --pdeathsig TERM), @command or POSIX::_exit(127);
}

# chromedriver chooses a port and tells which. Chromium ends with it.
sub launch ($self) {
	my $log = "$self->{dir}/driver.log";
	my $pid = beside($log, { HOME => "$self->{dir}/profile",
		LANG => 'C.UTF-8' }, 'chromedriver', '--port=0');

	$self->{pid} = $pid;
	wait_until(START, sub {
		die "chromedriver ended: " . slurp_if($log)
		    if waitpid($pid, POSIX::WNOHANG) == $pid;
		($self->{port}) = slurp_if($log) =~ /successfully on port (\d+)/;
		return $self->{port};
	}) or die "chromedriver tells no port: " . slurp_if($log);
}

sub open_session ($self) {
	my @args = ('--headless=new', '--no-first-run', '--lang=en',
		"--user-data-dir=$self->{dir}/profile",
		"--window-size=$self->{width},$self->{height}",
		'--force-color-profile=srgb', '--hide-scrollbars',
		'--disable-dev-shm-usage', '--disable-gpu',
		'--disable-extensions', '--disable-background-networking',
		'--disable-component-update', '--no-default-browser-check',
		# name and role as a screen reader has them, for LOCATE
		'--enable-blink-features=ComputedAccessibilityInfo',
		$> == 0 ? '--no-sandbox' : ());
	my $made = $self->call(POST => '', { capabilities => { alwaysMatch => {
		browserName => 'chrome',
		acceptInsecureCerts => Cpanel::JSON::XS::true,
		unhandledPromptBehavior => 'accept',
		timeouts => { script => SCRIPT * 1000, pageLoad => START * 1000 },
		'goog:loggingPrefs' => { browser => 'ALL' },
		'goog:chromeOptions' => { args => \@args,
			$ENV{CTT_CHROMIUM} ? (binary => $ENV{CTT_CHROMIUM}) : (),
			prefs => {
				'download.default_directory' =>
				    "$self->{dir}/downloads",
				'download.prompt_for_download' =>
				    Cpanel::JSON::XS::false,
			} },
	} } });
	$self->{session} = $made->{sessionId};
}

# What is set anew in each tab.
sub set_up_tab ($self) {
	$self->resize($self->{width}, $self->{height});
	$self->scheme($self->{scheme});
	$self->cdp('Emulation.setTimezoneOverride',
		{ timezoneId => $self->{zone} }) if $self->{zone};
	$self->cdp('Browser.grantPermissions',
		{ permissions => [qw(clipboardReadWrite clipboardSanitizedWrite)] });
}

# Ends the browser. Nothing of it is left: Chromium's processes name its
# profile.
sub stop ($self) {
	delete $up{ $self->{dir} } or return;
	eval { $self->call(DELETE => '') } if $self->{session};
	kill 'TERM', $self->{pid};
	wait_until(20, sub { waitpid($self->{pid}, POSIX::WNOHANG) != 0 })
	    or kill('KILL', $self->{pid}), waitpid $self->{pid}, 0;
	wait_until(10, sub { !$self->processes })
	    or kill 'KILL', $self->processes;
	wait_until(10, sub { !$self->processes });
	remove_tree($self->{dir});
}

sub processes ($self) {
	return grep { slurp_if("/proc/$_/cmdline") =~ m{\Q$self->{dir}\E/} }
	    map { m{(\d+)$} } glob '/proc/[0-9]*';
}

# What $test returns, as soon as it is true.
sub wait_until ($seconds, $test) {
	my $end = time + $seconds;

	while (1) {
		my $found = $test->();
		return $found if $found;
		return if time > $end;
		sleep PAUSE;
	}
}

# ---- the protocol ----

# A command of the session; an error dies as {error, message}.
sub call ($self, $method, $path, $body = undef) {
	$self->{http} //= HTTP::Tiny->new(timeout => START + 60,
		keep_alive => 0, proxy => undef, http_proxy => undef);
	my $url = "http://127.0.0.1:$self->{port}/session"
	    . ($self->{session} ? "/$self->{session}" : '') . $path;
	$body //= {} if $method eq 'POST';
	my $r = $self->{http}->request($method, $url, { $body ? (
		headers => { 'Content-Type' => 'application/json' },
		content => $JSON->encode($body)) : () });
	my $answer = eval { $JSON->decode($r->{content}) };

	die "chromedriver: $method $path: $r->{status} $r->{content}\n"
	    if !$answer;
	die Browser::Error->new($answer->{value}) if !$r->{success};
	return $answer->{value};
}

# The body of a function of JavaScript, called with @args (elements too).
sub script ($self, $js, @args) {
	return $self->call(POST => '/execute/sync',
		{ script => $js, args => \@args });
}

# The same of an asynchronous one: what it returns is awaited.
sub await ($self, $js, @args) {
	my $r = $self->call(POST => '/execute/async', { script => <<"END",
		const done = arguments[arguments.length - 1];
		(async function () { $js }).apply(null,
			Array.prototype.slice.call(arguments, 0, -1))
			.then(value => done({ value }),
				fault => done({ fault: String(fault) }));
END
		args => \@args });

	die "the page: $r->{fault}\n" if defined $r->{fault};
	return $r->{value};
}

# A command of the DevTools protocol.
sub cdp ($self, $method, $params = {}) {
	return $self->call(POST => '/goog/cdp/execute',
		{ cmd => $method, params => $params });
}

# ---- pages and tabs ----

sub go ($self, $url) { return $self->call(POST => '/url', { url => $url }) }
sub url ($self) { return $self->call(GET => '/url') }
sub title ($self) { return $self->call(GET => '/title') }
sub reload ($self) { return $self->call(POST => '/refresh') }
sub back ($self) { return $self->call(POST => '/back') }
sub forward ($self) { return $self->call(POST => '/forward') }

# The tab that is shown; tab() opens another and goes there.
sub this_tab ($self) { return $self->call(GET => '/window') }
sub tabs ($self) { return @{ $self->call(GET => '/window/handles') } }

sub tab ($self, $url = undef) {
	my $new = $self->call(POST => '/window/new', { type => 'tab' });

	$self->to_tab($new->{handle});
	$self->set_up_tab;
	$self->go($url) if defined $url;
	return $new->{handle};
}

sub to_tab ($self, $handle) {
	return $self->call(POST => '/window', { handle => $handle });
}

# Closes the tab as one who closes the laptop, and goes to the one given, else
# to a new one.
sub close_tab ($self, $next = undef) {
	$self->collect_logs;
	my $old = $self->this_tab;

	if (!$next) {
		$next = $self->call(POST => '/window/new',
			{ type => 'tab' })->{handle};
		$self->to_tab($next);
		$self->set_up_tab;
		$self->to_tab($old);
	}
	$self->call(DELETE => '/window');
	$self->to_tab($next);
}

sub resize ($self, $width, $height = $self->{height}) {
	@$self{qw(width height)} = ($width, $height);
	$self->cdp('Emulation.setDeviceMetricsOverride', { width => 0 + $width,
		height => 0 + $height, deviceScaleFactor => 1,
		mobile => Cpanel::JSON::XS::false });
}

# What is reached for has stopped moving, for those who ask for that.
sub scheme ($self, $scheme) {
	$self->{scheme} = $scheme;
	$self->cdp('Emulation.setEmulatedMedia', { features => [
		{ name => 'prefers-color-scheme', value => $scheme },
		{ name => 'prefers-reduced-motion', value => 'reduce' } ] });
}

# Takes the network away from the tab, or gives it back.
sub offline ($self, $is) {
	$self->cdp('Network.enable');
	$self->cdp('Network.emulateNetworkConditions', {
		offline => $is ? Cpanel::JSON::XS::true
		    : Cpanel::JSON::XS::false,
		latency => 0, downloadThroughput => -1, uploadThroughput => -1 });
}

# Requests to these addresses (with * in them) fail; none lets all through.
sub block ($self, @urls) {
	$self->cdp('Network.enable');
	$self->cdp('Network.setBlockedURLs', { urls => \@urls });
}

# ---- finding ----

use constant LOCATE => <<'END';
const [spec, within] = arguments;
const squeeze = s => (s || '').replace(/\s+/g, ' ').trim();
const fits = (have, want, whole) =>
	want.pattern !== undefined ?
		new RegExp(want.pattern, want.flags).test(have) :
	whole ? have === want.text : have.includes(want.text);
const seen = el => el.checkVisibility({ visibilityProperty: true }) &&
	el.getClientRects().length > 0;
const CONTROLS = 'input, select, textarea, [role=textbox], ' +
	'[role=combobox], [role=checkbox], [role=switch], [role=slider], ' +
	'[role=spinbutton], [contenteditable]';
const text = el => squeeze(spec.hidden || el.innerText === undefined ?
	el.textContent : el.innerText);
// What may have a role, so that not all are asked for theirs.
const OF_ROLE = {
	button: 'button, summary, input, [role=button]',
	link: 'a, [role=link]',
	dialog: 'dialog, [role=dialog]',
	heading: 'h1, h2, h3, h4, h5, h6, [role=heading]',
	checkbox: 'input, [role=checkbox]',
	radio: 'input, [role=radio]',
	textbox: CONTROLS,
	searchbox: 'input, [role=searchbox]',
	combobox: CONTROLS,
	option: 'option, [role=option]',
	table: 'table, [role=table]',
	row: 'tr, [role=row]',
	alert: '[role=alert]',
	status: 'output, [role=status]',
	progressbar: 'progress, [role=progressbar]',
	tab: '[role=tab]',
};
// The innermost with the text. What has not a plain text has none inside that
// does; a pattern may have one (^, $).
const innermost = el => {
	const fit = fits(text(el), spec.text, false);
	if (!fit && spec.text.text !== undefined)
		return [];
	const inside = [...el.children].flatMap(innermost);
	return inside.length || !fit ? inside : [el];
};
const root = within || document.body;
let found;
if (spec.text && !spec.css && !spec.role && !spec.label) {
	found = innermost(root);
} else {
	found = [...root.querySelectorAll(spec.css || (spec.label ? CONTROLS :
		OF_ROLE[spec.role] || '*'))];
	if (spec.text)
		found = found.filter(el => fits(text(el), spec.text, false));
}
if (!spec.hidden)
	found = found.filter(seen);
if (spec.role)
	found = found.filter(el => el.computedRole === spec.role);
const name = spec.name || spec.label;
if (name)
	found = found.filter(el => fits(squeeze(el.computedName), name, true));
return spec.nth === undefined ? found : found.slice(spec.nth)
	.slice(0, 1);
END

sub wanted ($value) {
	if (re::is_regexp($value)) {
		my ($pattern, $flags) = re::regexp_pattern($value);
		return { pattern => $pattern,
			flags => join '', 'u', grep { /[ims]/ } split //, $flags };
	}
	return { text => $value =~ s/\s+/ /gr =~ s/^ | $//gr };
}

sub is_element ($what) { return ref $what eq 'HASH' && $what->{ +ELEMENT } }

sub spec ($what) {
	my %spec = ref $what ? @$what : (css => $what);

	$_ = wanted($_) for grep { defined } @spec{qw(name text label)};
	delete @spec{ grep { !defined $spec{$_} } keys %spec };
	return \%spec;
}

# All that there are now.
sub all ($self, $what) {
	return $what if is_element($what);
	my $spec = spec($what);
	my $in = delete $spec->{in};
	my @within = $in ? $self->all($in) : ();

	return if $in && !@within;
	return @{ $self->script(LOCATE, $spec, @within ? $within[0] : ()) };
}

sub count ($self, $what) { return scalar(my @all = $self->all($what)) }
sub has ($self, $what) { return $self->count($what) > 0 }

# Errors of a page that is about to change, or to be replaced by another.
my %PASSING = map { $_ => 1 } 'stale element reference', 'no such element',
    'element not interactable', 'element click intercepted',
    'javascript error';

sub passing ($error) {
	return ref $error && $PASSING{ $error->{error} }
	    || "$error" =~ /context was destroyed|Cannot find context|not attached/;
}

# Does it to what is found, again until it can be done.
sub act ($self, $what, $do) {
	my ($done, $value, $why);

	wait_until($self->{wait}, sub {
		eval {
			my ($element) = $self->all($what);
			if ($element) {
				$value = $do->($element);
				$done = 1;
			} else {
				$why = 'is not there';
			}
			1;
		} or do {
			die $@ unless passing($@);
			$why = "$@";
		};
		return $done;
	}) or $self->give_up(told($what) . " $why");
	return $value;
}

sub told ($what) {
	return 'the element' if is_element($what);
	return $what unless ref $what;
	my %spec = @$what;
	$spec{in} = told($spec{in}) if $spec{in};
	return join ', ', map { "$_ '$spec{$_}'" } sort keys %spec;
}

# Dies, with what can be seen.
sub give_up ($self, $why) {
	my $url = eval { $self->url } // '?';
	# what lies on top comes last in the page
	my $text = join "\n----\n", eval { reverse $self->texts('dialog[open]') },
	    eval { $self->script('return document.body.innerText') } // '';
	my @errors = eval { $self->errors };
	my $shot = '';

	if ($ENV{CTT_SHOTS}) {
		my ($test) = $0 =~ m{([^/]+?)(?:\.t)?$};
		$shot = "$ENV{CTT_SHOTS}/$test-failed-" . time . '.png';
		eval { $self->screenshot($shot); 1 } or $shot = '';
	}
	my ($frame, @where) = 0;
	do { @where = caller $frame++ } while @where && $where[1] =~ m{/lib/};
	my $message = "$why, after $self->{wait} s at $where[1] line $where[2]\n"
	    . "$url:\n" . substr($text, 0, QUOTED) . "\n"
	    . join('', map { "  $_\n" } @errors) . ($shot && "see $shot\n");
	utf8::encode($message);
	die $message;
}

sub find ($self, $what) { return $self->act($what, sub ($element) { $element }) }

# Until there is no such thing any more.
sub gone ($self, $what) {
	$self->wait_for(sub { !$self->has($what) }, told($what) . ' goes');
	return 1;
}

# Until $test returns something true, which is returned.
sub wait_for ($self, $test, $name = 'what is waited for') {
	my $why;
	my $value = wait_until($self->{wait}, sub {
		my $value;
		eval { $value = $test->(); 1 } or do {
			die $@ unless passing($@);
			$why = $@;
		};
		return $value;
	});

	return $value // $self->give_up("$name: not so" . ($why ? " ($why)" : ''));
}

# Until the page has this text (or a part of it, $in).
sub shows ($self, $text, $in = undef) {
	return $self->find([ text => $text, $in ? (in => $in) : () ]);
}

# ---- what is there ----

sub text ($self, $what = 'body') {
	return $self->act($what, sub ($element) {
		$self->script('return arguments[0].innerText', $element) });
}

sub texts ($self, $what) {
	return @{ $self->script('return [...arguments].map(el => el.innerText)',
		$self->all($what)) };
}

sub attr ($self, $what, $name) {
	return $self->act($what, sub ($element) { $self->script(
		'return arguments[0].getAttribute(arguments[1])', $element,
		$name) });
}

sub prop ($self, $what, $name) {
	return $self->act($what, sub ($element) { $self->script(
		'return arguments[0][arguments[1]]', $element, $name) });
}

sub value ($self, $what) { return $self->prop($what, 'value') }

# Can it be used? Else it says so, to screen readers too.
sub enabled ($self, $what) {
	return $self->act($what, sub ($element) { $self->script(
		'return !arguments[0].matches(":disabled, [aria-disabled=true]")',
		$element) }) ? 1 : 0;
}

sub focused ($self) { return $self->call(GET => '/element/active') }

# "button Link": role and name of what has the focus.
sub focus ($self) {
	return $self->script('const el = document.activeElement;'
	    . ' return `${el.computedRole} ${el.computedName}`.trim()');
}

# ---- doing ----

sub id_of ($element) { return $element->{ +ELEMENT } }

# Once it is enabled.
sub click ($self, $what) {
	return $self->act($what, sub ($element) {
		die Browser::Error->new({ error => 'element not interactable',
			message => 'is disabled' })
		    if $self->script('return arguments[0].matches(":disabled")',
			$element);
		$self->call(POST => "/element/@{[id_of($element)]}/click");
	});
}

sub hover ($self, $what) {
	return $self->act($what, sub ($element) {
		$self->call(POST => '/actions', { actions => [ {
			type => 'pointer', id => 'mouse',
			parameters => { pointerType => 'mouse' },
			actions => [ { type => 'pointerMove', duration => 0,
				x => 0, y => 0, origin => $element } ] } ] });
	});
}

# Takes the pointer away from whatever it is on.
sub rest ($self) {
	$self->call(POST => '/actions', { actions => [ {
		type => 'pointer', id => 'mouse',
		parameters => { pointerType => 'mouse' },
		actions => [ { type => 'pointerMove', duration => 0,
			x => 0, y => 0, origin => 'viewport' } ] } ] });
}

# Types into it, behind what is there. chromedriver has no keys for characters
# beyond the BMP: those come as from an input method.
sub type ($self, $what, $text) {
	return $self->act($what, sub ($element) {
		if ($text =~ /[^\x{0}-\x{FFFF}]/) {
			$self->script('arguments[0].focus()', $element);
			$self->cdp('Input.insertText', { text => $text });
		} else {
			$self->call(POST => "/element/@{[id_of($element)]}/value",
				{ text => $text });
		}
	});
}

# Types in place of what is there.
sub fill ($self, $what, $text) {
	$self->act($what, sub ($element) {
		$self->call(POST => "/element/@{[id_of($element)]}/value",
			{ text => "$KEY{Control}a\x{E000}$KEY{Delete}" });
	});
	$self->type($what, $text) if length $text;
}

# Presses keys, where the focus is: 'Enter', 'Shift+Tab', 'Control+a', 'x'.
sub press ($self, @keys) {
	for my $chord (@keys) {
		my @parts = map { $KEY{$_} // $_ }
		    $chord eq '+' ? '+' : split /\+/, $chord;

		$self->call(POST => '/actions', { actions => [ {
			type => 'key', id => 'keyboard', actions => [
				(map { { type => 'keyDown', value => $_ } }
					@parts),
				(map { { type => 'keyUp', value => $_ } }
					reverse @parts) ] } ] });
	}
}

# Presses Tab until the focus is there; dies after $most times.
sub tab_to ($self, $what, %opt) {
	my $key = $opt{back} ? 'Shift+Tab' : 'Tab';
	my $there = sub ($element) { $self->script(
		'return document.activeElement === arguments[0]', $element) };
	my $element = $self->find($what);

	for (1 .. $opt{most} // 200) {
		return $element if $there->($element);
		$self->press($key);
		$element = $self->find($what);
	}
	$self->give_up(told($what) . " is not reached by $key");
}

# Chooses from a <select>: what is shown, or the value.
sub choose ($self, $what, $option) {
	return $self->act($what, sub ($element) {
		my $chosen = $self->script(<<'END', $element, wanted($option));
			const [list, want] = arguments;
			const squeeze = s => s.replace(/\s+/g, ' ').trim();
			return [...list.options].find(o =>
				want.pattern !== undefined ?
				new RegExp(want.pattern, want.flags)
					.test(squeeze(o.label)) :
				squeeze(o.label) === want.text) ||
				[...list.options].find(o =>
					o.value === want.text);
END
		die Browser::Error->new({ error => 'no such element',
			message => "has no option '$option'" }) unless $chosen;
		$self->call(POST => "/element/@{[id_of($chosen)]}/click");
	});
}

# The clipboard, and pasting from it as a person does.
sub clip ($self, $text) {
	$self->await('await navigator.clipboard.writeText(arguments[0])', $text);
}

sub clipboard ($self) {
	return $self->await('return await navigator.clipboard.readText()');
}

sub paste ($self, $what, $text) {
	$self->clip($text);
	$self->act($what, sub ($element) {
		$self->script('arguments[0].focus()', $element) });
	$self->press('Control+v');
}

# Drops text there, or a file: drop('main', $text, name => 'list.csv').
sub drop ($self, $what, $text, %file) {
	return $self->act($what, sub ($element) {
		$self->script(<<'END', $element, $text, $file{name} // undef,
			const [target, text, name, type] = arguments;
			const data = new DataTransfer();
			if (name)
				data.items.add(new File([text], name, { type }));
			else
				data.setData('text/plain', text);
			for (const kind of ['dragenter', 'dragover', 'drop'])
				target.dispatchEvent(new DragEvent(kind, {
					dataTransfer: data, bubbles: true,
					cancelable: true, composed: true }));
END
		    $file{type} // 'text/csv');
	});
}

# Gives a file to an <input type=file>, seen or not.
sub upload ($self, $what, $file) {
	my $spec = ref $what ? [ @$what, hidden => 1 ]
	    : [ css => $what, hidden => 1 ];

	return $self->act($spec, sub ($element) {
		$self->call(POST => "/element/@{[id_of($element)]}/value",
			{ text => abs_path($file) }) });
}

# What was saved under this name, once it is whole.
sub download ($self, $name) {
	my ($file) = $self->wait_for(sub {
		my ($file) = grep { !ref $name ? m{/\Q$name\E$} : m{/[^/]*$name} }
		    grep { !/\.(?:crdownload|tmp)$/ && !m{/\.com\.} }
		    glob "$self->{dir}/downloads/*";
		return $file;
	}, "the download of $name");
	my $text = slurp_if($file);

	unlink $file;
	return $text;
}

# ---- looking ----

# The whole page as a PNG file; of an element: only that.
sub screenshot ($self, $file, $what = undef) {
	my $box = $what ? $self->act($what, sub ($element) { $self->script(
		'const b = arguments[0].getBoundingClientRect();'
		. ' return { x: b.x + scrollX, y: b.y + scrollY,'
		. ' width: b.width, height: b.height }', $element) })
	    : $self->cdp('Page.getLayoutMetrics')->{cssContentSize};
	my $shot = $self->cdp('Page.captureScreenshot', { format => 'png',
		captureBeyondViewport => Cpanel::JSON::XS::true,
		clip => { %$box, scale => 1 } });

	return save_png($file, $shot->{data});
}

# What of the page can be seen now.
sub view ($self, $file) {
	return save_png($file, $self->call(GET => '/screenshot'));
}

sub save_png ($file, $data) {
	make_path(dirname($file));
	return spew($file, decode_base64($data));
}

# What the browser itself complained of since the last time: errors of scripts,
# breaches of the CSP, requests that failed.
sub collect_logs ($self) {
	push @{ $self->{logs} }, grep { $_->{level} =~ /SEVERE|WARNING/ }
	    @{ $self->call(POST => '/se/log', { type => 'browser' }) };
}

sub errors ($self) {
	$self->collect_logs;
	return map { "$_->{source}: $_->{message}" } splice @{ $self->{logs} };
}

# That there was none; @expected are patterns of those that are meant to be.
sub no_errors ($self, $name, @expected) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @errors = grep { my $error = $_; !grep { $error =~ $_ } @expected }
	    $self->errors;

	return ok(!@errors, "$name: the browser complains of nothing")
	    || diag join "\n", @errors;
}

# A file of a package of t/tools; undef if there is none, and that is allowed.
sub tool ($path) {
	my $file = "$TOP/t/tools/node_modules/$path";

	return $file if -e $file;
	return if ($ENV{CTT_OFFLINE} // '') eq '1';
	die "$file is not there: scripts/install-deps --tests makes it;"
	    . " without the npm registry set CTT_OFFLINE=1\n";
}

# What axe-core has against the page (or a part of it), a line for each. The
# styles that it tries to put there itself are no fault of the page.
sub axe ($self, $what = undef) {
	$self->collect_logs;
	$self->script(slurp(tool('axe-core/axe.min.js')))
	    if !$self->script('return !!window.axe');
	my @part = $what ? $self->find($what) : ();
	my $found = $self->await(<<'END', @part);
		const { violations } = await axe.run(arguments[0] || document, {
			resultTypes: ['violations'], preload: false,
			runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa',
				'wcag22aa', 'best-practice'] });
		return violations.flatMap(v => v.nodes.map(n =>
			`${v.id} (${v.impact}): ${n.target.join(' ')}: ` +
			`${n.html.slice(0, 200)}: ` +
			n.failureSummary.replace(/\s+/g, ' ')));
END
	$self->call(POST => '/se/log', { type => 'browser' });
	return @$found;
}

sub no_axe ($self, $name, $what = undef) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return Test::More->builder->skip('no npm registry: CTT_OFFLINE is set')
	    if !tool('axe-core');
	my @found = $self->axe($what);

	return ok(!@found, "$name: axe-core finds nothing")
	    || diag join "\n", @found;
}

# Does the page scroll sideways? By how many pixels.
sub sideways ($self) {
	return $self->script('const root = document.scrollingElement;'
	    . ' return root.scrollWidth - root.clientWidth');
}

# What stands out of the page on the right.
sub wide ($self) {
	return join "\n", @{ $self->script(<<'END') };
		const width = document.scrollingElement.clientWidth;
		return [...document.querySelectorAll('body *')].filter(el =>
			el.getBoundingClientRect().right > width + 0.5 &&
			getComputedStyle(el.parentElement).overflowX === 'visible' &&
			!el.parentElement.closest('.table-box'))
			.slice(0, 8).map(el => el.outerHTML.slice(0, 160));
END
}

package Browser::Error;

use overload '""' => sub ($self, @) { "$self->{error}: "
	. ($self->{message} // '') =~ s/\n.*//sr }, fallback => 1;

sub new ($class, $value) { return bless { %$value }, $class }

1;
