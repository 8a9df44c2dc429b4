# The units of systemd: they are right, let a process do little, and start as
# many processes as they are told; and what the programs tell systemd.

use v5.36;

use Cwd qw(abs_path);
use File::Path qw(make_path);
use File::Temp ();
use FindBin;
use IO::Select ();
use IO::Socket::UNIX ();
use Socket qw(SOCK_DGRAM);
use POSIX ();
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Util qw(output slurp spew);

my $TOP = abs_path("$FindBin::Bin/..");
my $root = File::Temp::tempdir(CLEANUP => 1);
my $units = "$root/usr/local/lib/systemd/system";
my ($log, $failed) = output("make -s -C '$TOP' install DESTDIR='$root'"
    . ' prefix=/usr/local');
is $failed, 0, 'make install' or diag $log;
my @units = map { s{.*/}{}r } glob "$units/*";
is_deeply \@units, [qw(cttd-audit.service cttd-audit.timer cttd-check.service
	cttd-check.timer cttd-pool.socket cttd-pool@.service
	cttd-worker@.service cttd.target)], 'the units';
my @services = grep { /\.service$/ } @units;

# ---- what systemd says of them ----

sub analyze (@words) {
	return output("cd '$units' && SYSTEMD_COLORS=0 systemd-analyze"
	    . " --no-pager @words");
}

# A unit with one more line at its end, or without the lines that match.
sub changed ($unit, $line, $without) {
	my $name = $unit =~ s/^cttd/other/r;
	my $text = slurp("$units/$unit") =~ s/^$without.*\n//mgr;

	spew("$units/$name", "$text$line\n");
	return $name;
}

SKIP: {
	skip 'systemd-analyze is not installed', 1
	    if !grep { -x "$_/systemd-analyze" } split /:/, $ENV{PATH};
	is_deeply [ analyze("verify --root='$root' --man=no"
		. " --recursive-errors=no @units") ], [ '', 0 ],
	    'systemd-analyze verify says nothing';
	for (
		[ 'RestartSek=1', qr/^$/, qr/RestartSek/ ],
		[ '', qr/ExecStart=/, qr/ExecStart/ ],
	) {
		my ($line, $without, $says) = @$_;
		my $name = changed('cttd-check.service', $line,
		    $without =~ /Exec/ ? 'ExecStart=' : 'nothing=');
		my ($said) = analyze("verify --root='$root' --man=no"
		    . " --recursive-errors=no $name");

		like $said, $says, 'and would tell';
		unlink "$units/$name";
	}
	for my $unit (@services) {
		my ($said, $status) = analyze('security --offline=true'
		    . " --threshold=15 ./$unit");

		is $status, 0, "$unit: "
		    . ($said =~ /(exposure level .*)/i ? $1 : $said);
	}
	my $weak = changed('cttd-check.service', '', 'SystemCallFilter=');
	isnt +(analyze("security --offline=true --threshold=15 ./$weak"))[1],
	    0, 'a weaker one is seen';
	unlink "$units/$weak";
}

for my $unit (@services) {
	my $text = slurp("$units/$unit");

	like $text, qr/^LoadCredential=cttd:/m, "$unit gets the secrets";
	unlike $text, qr/@\w+@/, 'and is whole';
	unlike $text, qr/^(RemoveIPC|ProcSubset|ProtectProc)=/m,
	    'and sees what it has to share';
	like $text, qr/^RestartPreventExitStatus=1 2 /m,
	    'and does not start again and again' if $text =~ /^Restart=/m;
}
for my $unit (grep { /@/ } @services) {
	my $text = slurp("$units/$unit");

	like $text, qr/^Type=notify\n(?:#.*\n)*WatchdogSec=\d+$/m,
	    "$unit tells that it is ready, and works";
	like $text, qr/^PartOf=cttd\.target$/m, 'and belongs to the target';
}

# ---- the generator ----

sub generated ($default) {
	my $dir = File::Temp::tempdir(CLEANUP => 1);
	local $ENV{CTTD_DEFAULT} = defined $default
	    ? spew("$root/default", $default) : '/nowhere';
	my ($said, $status) = output("'$root/usr/local/lib/systemd/"
	    . "system-generators/cttd-generator' '$dir' '$dir' '$dir'");

	is_deeply [ $said, $status ], [ '', 0 ], 'it says nothing';
	my @links = glob "$dir/cttd.target.wants/*";
	is_deeply [ grep { readlink($_) !~ m{^/usr/local/lib/systemd/system/
		cttd-(pool|worker)\@\.service$}x } @links ], [], 'all are links';
	return [ map { my $part = $_; scalar grep { m{/cttd-$part@\d+\.service$} }
		@links } qw(pool worker) ];
}

for (
	[ undef, [ 2, 1 ] ], [ '', [ 2, 1 ] ],
	[ slurp("$TOP/systemd/cttd.default"), [ 2, 1 ] ],
	[ "CTTD_POOL=2\nCTTD_WORKERS=3\n", [ 2, 3 ] ],
	[ "CTTD_POOL=\"12\"\n CTTD_WORKERS='0'\n", [ 12, 0 ] ],
	[ "CTTD_POOL=2\nCTTD_POOL=4\n", [ 4, 1 ] ],
	[ "CTTD_POOL=-1\nCTTD_WORKERS=x\n#CTTD_POOL=3\n", [ 2, 1 ] ],
	[ "CTTD_POOL=99999\nCTTD_WORKERS=1; reboot\n", [ 2, 1 ] ],
) {
	my ($default, $want) = @$_;

	is_deeply generated($default), $want,
	    ($default // 'nothing') =~ s/#.*\n//gr =~ s/\n/ | /gr;
}

# ---- what the programs tell ----

my $c = Ctt->start(pool => 1);

# The datagrams of a program, until $until->(those so far); then it is ended.
sub told ($program, $watchdog_us, $until) {
	my $path = "$root/notify";
	my $name = "$root/ctt.sock";

	unlink $path, $name;
	my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM,
	    Local => $path) or die "$path: $!";
	my $listen = IO::Socket::UNIX->new(Listen => 5, Local => $name)
	    or die "$name: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		POSIX::dup2(fileno $listen, 0);
		$c->become({ NOTIFY_SOCKET => $path, WATCHDOG_USEC =>
			$watchdog_us, WATCHDOG_PID => $watchdog_us && $$ },
		    '/dev/null', '/dev/null',
		    ($ENV{CTT_BIN} // $TOP) . "/$program");
	}
	my (@told, $ended);
	my $select = IO::Select->new($notify);
	while ($select->can_read(15)) {
		$notify->recv(my $text, 100);
		push @told, $text;
		last if $text =~ /STOPPING/;
		next if $ended || !$until->(@told);
		$ended = kill 'TERM', $pid;
	}
	waitpid $pid, 0;
	is $?, 0, "$program ends well";
	return @told;
}

for my $program (qw(ctt.fcgi ctt-worker)) {
	is_deeply [ told($program, undef, sub { 1 }) ],
	    [ 'READY=1', 'STOPPING=1' ], 'it is ready, and ends';
	my @told = told($program, 300_000, sub { @_ > 3 });
	is_deeply [ @told[ 0 .. 3, -1 ] ],
	    [ 'READY=1', ('WATCHDOG=1') x 3, 'STOPPING=1' ],
	    'and works, again and again';
}

# In the journal each line has its priority.
sub to_journal ($program, @words) {
	my $file = spew("$root/journal", '');
	my ($dev, $ino) = (stat $file)[ 0, 1 ];
	my $pid = fork // die "fork: $!";

	$c->become({ JOURNAL_STREAM => "$dev:$ino" }, $file, $file,
	    ($ENV{CTT_BIN} // $TOP) . "/$program", @words) if !$pid;
	waitpid $pid, 0;
	return ($? >> 8, slurp($file));
}

{
	my $ntt = $c->given(ntt => {});
	is_deeply [ to_journal('cttctl', 'check') ], [ 0, '' ], 'all is well';
	$c->do("UPDATE ntt SET ctt_count = 1 WHERE id = $ntt");
	my ($status, $said) = to_journal('cttctl', 'check');
	is $status, 1, 'a breach';
	like $said, qr/^<3>.*ntt $ntt\b.*\n<3>\t/, 'is an error in the journal';
	$c->do("UPDATE ntt SET ctt_count = 0 WHERE id = $ntt");
	($status, $said) = to_journal('cttctl', 'audit', 'verify');
	is $status, 0, 'the trail is whole';
	like $said, qr/^<6>\d+ rows, 0 breaches$/m, 'which is no error';
	$c->stack('stop', 'db');
	($status, $said) = to_journal('cttctl', 'check');
	is $status, 3, 'no database';
	like $said, qr/^<3>cttctl: connect: /m, 'is an error';
	$c->stack('start', 'db');
	unlike $c->cttctl('check')->{err}, qr/</, 'elsewhere there is none';
}

$c->stop;
done_testing;
