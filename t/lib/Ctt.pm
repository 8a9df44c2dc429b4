package Ctt;

# A private cttd for one test file, with everything real about it:
#
#	my $c = Ctt->start(pool => 4, set => { CTT_PARTNER_TIMEOUT_MS => 400 });
#	my ($ctt, $ntt) = $c->given(ctt => { source => 'TMF' }, ntt => {});
#	is $c->post('/ticket/ctt/link', { cttId => $ctt, nttId => $ntt })
#	    ->{status}, 200, 'linked';
#	$c->stop;	# and with it the free checks
#
# An answer is {status, headers (lower case), raw, json}. Every request has
# the token of an operator unless it is given another, or undef for none.
# Every answer is held against openapi.json; `stop` tells what does not fit.

use v5.36;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use DBI ();
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Spec ();
use File::Temp ();
use HTTP::Tiny ();
use IO::Handle ();
use IO::Socket::INET ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use constant DEADLOCK => 1213;    # of MariaDB
use constant BUSY => 3;           # a busy machine takes so many times as long
use constant NOBODY => 9_007_199_254_740_991;    # the id of no ticket

use lib dirname(__FILE__);
use Api ();
use Proxy ();
use Tmf ();
use Util qw(replace slurp slurp_if spew);

my $TOP = dirname(dirname(dirname(abs_path(__FILE__))));
my $BIN = $ENV{CTT_BIN} // $TOP;
my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;

my %up;    # the folders of the stacks that this process has to take down

$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 1 };
END {
	my $status = $?;
	for my $dir (grep { $up{$_} == $$ } keys %up) {
		next if $ENV{CTT_TEST_KEEP};
		system "$TOP/scripts/stack", 'down', '--dir', $dir;
		remove_tree($dir, "$dir.sock");
	}
	$? = $status;
}

# ---- the stack ----

# `disk` is for a test that needs a MariaDB that waits for its disk.
sub start ($class, %opt) {
	my $dir = File::Temp::tempdir('ctt.XXXXXX',
	    DIR => !$opt{disk} && $ENV{CTT_TEST_DIR} || File::Spec->tmpdir);
	my $self = bless { dir => $dir, tokens => {}, expected => [],
		ours => [ 'pool', ($opt{workers} // 1) ? 'worker' : () ],
		next => { ctt => 1000, ntt => 2000, work_order => 3000 } },
	    $class;
	my %set = (CTT_FAULT_FILE => "$dir/fault", CTT_LOG_FORMAT => 'text',
		CTT_RETRY_BASE_MS => 50,
		CTT_RETRY_CAP_MS => 200,
		CTT_PARTNER_LATE_S => 1, CTT_THREADS => $ENV{CTT_TEST_THREADS} // 1, %{ $opt{set} // {} });

	$self->{tmf} = $set{CTT_TMF_VERSION} // 4;
	Api::validator();    # made once, not by each child
	$up{$dir} = $$;
	if ($opt{proxy}) {    # between all programs and MariaDB
		$set{CTT_DB_SOCKET} = "$dir.sock";
		$self->{proxy} = Proxy->new("$dir.sock", "$dir/mysqld.sock");
	}
	$self->stack('up', '--pool', $opt{pool} // 4,
	    '--workers', $opt{workers} // 1,
	    (map { exists $opt{"${_}_url"} ? ("--$_-url", $opt{"${_}_url"}) : () }
		qw(taas tmf nig queue)),
	    (map { $opt{$_} ? ("--$_", $opt{$_}) : () } qw(idp database)),
	    (map { ('--mariadb', $_) } @{ $opt{mariadb} // [] }),
	    (map { ('--set', "$_=$set{$_}") } sort keys %set))
	    or BAIL_OUT('the stack did not come up');
	$self->{env} = { map { /^(\w+)=(.*)$/ ? ($1, $2) : () }
	    split /\n/, qx($TOP/scripts/stack env --dir $dir) };
	return $self;
}

# $c->stack('restart', 'db'), and what else scripts/stack can do.
sub stack ($self, @words) {
	return system("$TOP/scripts/stack", @words, '--dir', $self->{dir}) == 0;
}

sub env ($self, $name) { return $self->{env}{$name} }
sub dir ($self) { return $self->{dir} }
sub proxy ($self) { return $self->{proxy} }

# A line that an error log may have, because the test provokes it.
sub expect ($self, @patterns) {
	push @{ $self->{expected} }, @patterns;
}

sub log_lines ($self, $part) {
	open my $fh, '<', "$self->{dir}/log/$part.log" or return;
	return <$fh>;
}

# The process of a part; of the pool and of the worker the parent. undef if it
# has never run.
sub pid ($self, $part) {
	return slurp_if("$self->{dir}/run/$part.pid") =~ /(\d+)/ ? $1 : undef;
}

# The processes of the pool or of the worker that run now.
sub pids ($self, $part) {
	my $parent = $self->pid($part) // return;
	return $self->children($parent);
}

sub children ($self, $pid) {
	return split ' ', slurp_if("/proc/$pid/task/$pid/children");
}

# The free checks, and the end.
sub stop ($self) {
	my %running = map { $_ => [ $self->pids($_) ] } @{ $self->{ours} };
	my $check = $self->cttctl('check');

	is_deeply [ $check->{status}, $check->{out} ], [ 0, '' ],
	    'cttctl check finds nothing' or diag @$check{qw(out err)};
	my $audit = $self->cttctl('audit', 'verify');
	is $audit->{status}, 0, 'the audit trail is whole'
	    or diag @$audit{qw(out err)};
	is $self->one("SELECT COUNT(*) FROM operation"
	    . " WHERE state IN ('RUNNING', 'SETTLING')"), 0,
	    'no operation is left open';
	$self->check_looks;
	$self->check_tmf;
	$self->check_api;
	ok $self->stack('stop', $_), "the $_ stops" for @{ $self->{ours} };
	for my $part (sort keys %running) {
		my $log = join '', $self->log_lines($part);
		is_deeply [ grep { $log =~ told($_, 'started')
			&& $log !~ told($_, 'stopped') }
			@{ $running{$part} } ], [],
		    "each process of the $part ended by itself";
	}
	ok $self->stack('down'), 'the stack goes down';
	$self->check_logs;
	delete $up{ $self->{dir} };
	return remove_tree($self->{dir}, "$self->{dir}.sock")
	    if !$ENV{CTT_TEST_KEEP} && Test::More->builder->is_passing;
	diag "the logs are in $self->{dir}/log";
}

# A line in which a process tells an event, as text or as JSON.
sub told ($pid, $event) {
	return qr/pid"?[=:]$pid\b.*event"?[=:]"?$event\b/;
}

# A partner that does not remember keys, and can be read (TMF), is looked at
# again if an operation was closed while an attempt in doubt could still arrive;
# else no partner is. Some time lies between the judgement and the row.
sub check_looks ($self) {
	my $late_ms = 1000 * $self->env('CTT_PARTNER_LATE_S');
	my $keys = $self->env('CTT_TMF_KEYS') // 'off';
	my @faults;

	for ($self->rows("SELECT o.id, o.partner, b.id job, TIMESTAMPDIFF("
	    . 'MICROSECOND, o.doubted_at, o.updated_at) DIV 1000 age'
	    . ' FROM operation o LEFT JOIN job b ON b.dedupe_key ='
	    . " CONCAT(o.id, ':look-again') WHERE o.state IN ('SUCCEEDED',"
	    . " 'ROLLED_BACK', 'COMPENSATED')"
	    . " AND o.steps NOT LIKE '%closed by hand%'")) {
		my $asked = ($_->{partner} // '') eq 'TMF' && $keys eq 'off'
		    && defined $_->{age};
		# (between the look and the COMMIT a busy machine takes its time)
		push @faults, "$_->{id} is looked at again" if $_->{job}
		    && (!$asked || $_->{age} > $late_ms + 6000);
		push @faults, "$_->{id} is not looked at again" if !$_->{job}
		    && $asked && $_->{age} < $late_ms - 300;
	}
	is_deeply \@faults, [], 'who is to be looked at again is';
}

sub check_tmf ($self) {
	my $patches = $self->heard('tmf', method => 'PATCH');

	is_deeply [ $self->tmf_faults ], [],
	    "$patches bodies sent to TMF are as TMF621 v$self->{tmf} has them";
}

# What is wrong with what TMF was PATCHed.
sub tmf_faults ($self) {
	return map { Tmf::faults($_->{body}, version => $self->{tmf}) }
	    $self->heard('tmf', method => 'PATCH');
}

sub check_api ($self) {
	my @faults = split /^/, slurp_if("$self->{dir}/api-faults");

	ok !@faults, 'every answer is as openapi.json says'
	    or diag @faults > 20 ? (@faults[ 0 .. 19 ], '...') : @faults;
}

sub check_logs ($self) {
	my @parts = map { m{([^/]+)\.log$} } glob "$self->{dir}/log/*.log";
	my (@errors, @crashes);

	for my $line (map { $self->log_lines($_) } @parts) {
		next if grep { $line =~ $_ } @{ $self->{expected} };
		push @errors, $line
		    if $line =~ /level"?[=:]"?error|\[(alert|emerg)\]/
		    || $line =~ /Illegal mix of collations/;
		push @crashes, $line if $line =~ /Sanitizer|runtime error:/;
	}
	is_deeply \@errors, [], 'no error in the logs';
	is_deeply \@crashes, [], 'no sanitizer report';
}

# ---- our programs ----

# Runs one to its end, with the stack's settings; a hash before the arguments
# changes them (undef: not set).
sub run ($self, $program, @args) {
	my $env = ref $args[0] ? shift @args : {};
	my ($out, $err) = map { "$self->{dir}/tmp/$program.$$.$_" } qw(out err);
	my $pid = fork // die "fork: $!\n";

	$self->become($env, $out, $err, "$BIN/$program", @args) if !$pid;
	waitpid $pid, 0;
	my $result = { status => $? >> 8, signal => $? & 127 };
	for ([ out => $out ], [ err => $err ]) {
		my ($name, $file) = @$_;
		$result->{$name} = slurp($file);
		unlink $file;
	}
	return $result;
}

# In a child of ours: a program, with the stack's settings.
sub become ($self, $env, $out, $err, @command) {
	delete @ENV{ grep { /^CTT_/ } keys %ENV };
	%ENV = (%ENV, %{ $self->{env} }, %$env);
	delete @ENV{ grep { !defined $env->{$_} } keys %$env };
	open STDOUT, '>', $out;
	open STDERR, '>', $err;
	exec @command or POSIX::_exit(127);
}

# The system calls of a program, as strace tells them, until $until->($text);
# then it is ended.
sub calls_of ($self, $what, $until, $program, $env, @args) {
	my $file = "$self->{dir}/tmp/trace.$$";
	my $pid = fork // die "fork: $!\n";

	# The search for leaks does not work while it is traced.
	$self->become({ ASAN_OPTIONS => 'detect_leaks=0', %$env },
	    '/dev/null', '/dev/null', 'strace', '-qq', '-s', 256, '-o', $file,
	    '-e', "trace=$what", "$BIN/$program", @args) if !$pid;
	$self->wait_for(20, sub { $until->(slurp_if($file)) });
	kill 'TERM', $self->children($pid);
	waitpid $pid, 0;
	my $all = slurp_if($file);
	unlink $file;
	return $all;
}

sub cttctl ($self, @args) { return $self->run('cttctl', @args) }

# Closes an operation by hand, as soon as nobody works on it.
sub close_by_hand ($self, $op, $as, $reason) {
	return $self->wait_for(10, sub {
		!$self->cttctl('operations', 'close', $op, '--as', $as,
			'--reason', $reason)->{status};
	});
}

# The fault points of this build; none in a release.
sub faults ($self) {
	return split ' ', $self->cttctl('faults')->{out};
}

# Arms one: $c->fault('after-intent', 'delay', ms => 300, skip => 1).
sub fault ($self, $point, $action, %opt) {
	replace("$self->{dir}/fault", sprintf "%s %s %d %d\n", $point, $action,
	    $opt{ms} // 0, $opt{skip} // 0);
}

# The same fault again when the first has fired; then others may pass.
sub fault_again ($self, @fault) {
	my $armed = sub { -e "$self->{dir}/fault" };

	$self->wait_for(10, sub { !$armed->() });
	$self->fault(@fault);
	spew("$self->{dir}/again", '');
}

# Until that one has fired as well.
sub both_fired ($self) {
	return $self->wait_for(10, sub { -e "$self->{dir}/again"
		&& !-e "$self->{dir}/fault" });
}

# Disarms it; true if it was acted on.
sub fault_fired ($self) {
	return !unlink "$self->{dir}/fault";
}

# A new pool of so many processes, with other settings.
sub restart_pool ($self, $processes, %set) {
	my $file = "$self->{dir}/ctt.env";
	my $text = slurp($file);

	for my $name (keys %set) {
		$text =~ s/^$name=.*\n//mg;
		$text .= "$name=$set{$name}\n";
	}
	ok $self->stack('stop', 'pool'), 'the pool stops';
	replace($file, $text);
	ok $self->stack('start', 'pool', '--pool', $processes),
	    'and starts with ' . join ', ', map { "$_=$set{$_}" } sort keys %set;
}

# ---- requests ----

sub token ($self, %who) {
	my ($sub, @roles) = ($who{sub} // 'olga',
		@{ $who{roles} // ['ctt-operator'] });

	return $self->{tokens}{"$sub @roles"} //= do {
		my $made = $self->cttctl('token', '--sub', $sub, '--roles',
		    join(',', @roles), '--ttl', 3600);
		die "cttctl token: $made->{err}" if $made->{status};
		chomp $made->{out};
		$made->{out};
	};
}

# $body: a structure, or text to be sent as it is. %headers go on top of what
# is usual; one that is undef is left out.
sub request ($self, $method, $path, $body = undef, %headers) {
	my %all = ((exists $headers{Authorization} ? ()
		    : (Authorization => 'Bearer ' . $self->token)),
		(defined $body ? ('Content-Type' => 'application/json') : ()),
		%headers);
	# Kept connections would wait 40 ms between header and body (Nagle).
	$self->{http} //= HTTP::Tiny->new(timeout => 90, max_redirect => 0,
		keep_alive => 0);

	delete @all{ grep { !defined $all{$_} } keys %all };
	my $url = $self->env('CTT_HTTP_URL') . $path;
	$body = $JSON->encode($body) if ref $body;
	return $self->hold({ method => $method, path => $path, body => $body },
		answer($self->{http}->request($method, $url, {
			headers => \%all,
			(defined $body ? (content => $body) : ()) })));
}

# Holds an answer against openapi.json, and returns it. What is wrong goes to a
# file, for it may be a child that met it. 599 is HTTP::Tiny's: no answer came.
sub hold ($self, $request, $answer) {
	return $answer if $answer->{status} == 599;
	my @faults = Api::faults($request, $answer) or return $answer;
	my ($frame, @where) = 0;

	do { @where = caller $frame++ } while $where[1] =~ m{/lib/};
	open my $fh, '>>', "$self->{dir}/api-faults" or die "api-faults: $!\n";
	syswrite $fh, join '', map { "$request->{method} $request->{path}:"
		. " $answer->{status} " . ($answer->{json}{code} // '')
		. ": $_ ($where[1]:$where[2])\n" } @faults;
	return $answer;
}

sub answer ($r) {
	return { status => $r->{status}, headers => $r->{headers},
		raw => $r->{content},
		json => scalar eval { $JSON->decode($r->{content}) } };
}

# The answer that these bytes of HTTP (or of CGI) are; a header that comes twice
# is seen to.
sub parse ($self, $bytes) {
	my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
	my ($status) = ($head // '') =~ /^(?:HTTP\S+|Status:) (\d+)/;
	my %headers;

	for (split /\r\n/, $head // '') {
		my ($name, $value) = /^([^:]+): *(.*)$/ or next;
		push @{ $headers{ lc $name } }, $value;
	}
	return answer({ status => $status // 599, content => $body // '', headers =>
	    { map { $_ => join ' | ', @{ $headers{$_} } } keys %headers } });
}

# The answer to bytes of our own making; `to` and `from` are addresses, by
# default nginx's and any. The bytes ask for the connection to be closed.
# `odd`: a path that only nginx makes one of the document's of.
sub raw ($self, $bytes, %opt) {
	my $socket = $self->raw_socket(%opt);
	my ($method, $path) = split / /, $bytes;

	print $socket $bytes;
	my $r = $self->parse(do { local $/; readline $socket } // '');
	return $opt{odd} ? $r
	    : $self->hold({ method => $method, path => $path }, $r);
}

sub raw_socket ($self, %opt) {
	return IO::Socket::INET->new(
	    PeerAddr => $opt{to} // $self->env('CTT_HTTP_URL') =~ s{^http://}{}r,
	    $opt{from} ? (LocalAddr => $opt{from}) : ()) // die "nginx: $!\n";
}

# Is it this problem, whole, with a sentence for an operator?
sub is_problem ($self, $r, $status, $code, $name) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is_deeply [ $r->{status}, @{ $r->{json} }{qw(status code requestId)},
		$r->{headers}{'content-type'} ], [ $status, $status, $code,
		$r->{headers}{'x-request-id'}, 'application/problem+json' ],
	    "$name: $code" or diag $r->{raw};
	like $r->{json}{detail}, qr/^[A-Z].{10,}\.$/s, 'and a sentence';
}

sub get ($self, $path, %headers) {
	return $self->request('GET', $path, undef, %headers);
}

sub post ($self, $path, $body, %headers) {
	return $self->request('POST', $path, $body, %headers);
}

sub put ($self, $path, $body, %headers) {
	return $self->request('PUT', $path, $body, %headers);
}

sub link ($self, $ctt, $ntt, %more) {
	return $self->post('/ticket/ctt/link',
	    { cttId => $ctt, nttId => $ntt, %more });
}

# $c->bulk([ $ctt, $ntt ], [ $ctt, $ntt, remark => 'x' ], ...)
sub bulk ($self, @items) {
	return $self->post('/ticket/ctt/link/bulk', { items => [
		map { my ($ctt, $ntt, %more) = @$_;
			{ cttId => $ctt, nttId => $ntt, %more } } @items ] });
}

sub unlink_from ($self, $ntt, $ctts, %more) {
	return $self->post('/ticket/ctt/unlink',
	    { nttId => $ntt, cttIds => $ctts, %more });
}

sub move_to ($self, $ntt, $ctts, %more) {
	return $self->post('/ticket/ctt/unlink-then-link',
	    { ticketNo => $ntt, cttIds => $ctts, %more });
}

# What a resolve needs, by default.
sub codes ($self) {
	return (causeCode => 'FIBER_CUT', disposition => 'REPAIRED',
		resolutionCode => 'FIXED');
}

sub resolve ($self, $activity, $ctt, %more) {
	return $self->put("/ticket/ctt/activity-status/update/$activity",
	    { cttId => $ctt, status => 'Resolved', $self->codes, %more });
}

sub update_cpe ($self, $ctt, $new, %more) {
	return $self->post("/ticket/ctt/cpe/update/$ctt",
	    { new => $new, %more },
	    Authorization => 'Bearer ' . $self->token(roles => ['ctt-cpe']));
}

# What $sub->(0), ... $sub->($n - 1) return, each called in a process of its
# own, all let go at the same moment.
sub parallel ($self, $n, $sub) {
	pipe my $gate, my $open or die "pipe: $!\n";
	my @readers;

	$self->token;    # made once, not by everybody
	for my $i (0 .. $n - 1) {
		pipe my $in, my $out or die "pipe: $!\n";
		my $pid = fork // die "fork: $!\n";
		if (!$pid) {
			close $open;
			delete @$self{qw(dbh http)};
			readline $gate;    # its end
			my $text = $JSON->encode(scalar $sub->($i));
			print $out $text;
			close $out;
			POSIX::_exit(0);
		}
		push @readers, [ $pid, $in ];
	}
	close $open;
	return map {
		my ($pid, $in) = @$_;
		local $/;
		my $text = readline $in;
		waitpid $pid, 0;
		$JSON->decode($text);
	} @readers;
}

# ---- the database ----

sub dbh ($self) {
	delete $self->{dbh} if $self->{dbh} && !$self->{dbh}->ping;
	return $self->{dbh} //= $self->connect_db('CTT_DB_MIGRATE');
}

# A connection of its own, as the user of CTT_DB or CTT_DB_MIGRATE, or another
# that has the password of that one.
sub connect_db ($self, $who, $user = $self->env("${who}_USER")) {
	chomp(my $password = slurp($self->env("${who}_PASSWORD_FILE")));
	return DBI->connect('DBI:MariaDB:' . $self->env('CTT_DB_NAME')
		. ';mariadb_socket=' . $self->env('CTT_DB_SOCKET'),
	    $user, $password, { RaiseError => 1, PrintError => 0,
		AutoInactiveDestroy => 1 });
}

# One that may do everything, and to whom neither read_only nor init_connect
# apply.
sub dba ($self) { return $self->connect_db('CTT_DB_MIGRATE', 'ctt_dba') }

# The database ends the sessions of all processes; how many there were. (Only
# cttd's own user may see and end them.)
sub cut_sessions ($self) {
	my $dbh = $self->connect_db('CTT_DB');
	my $ids = $dbh->selectcol_arrayref('SELECT id FROM'
	    . ' information_schema.processlist WHERE id <> CONNECTION_ID()');

	return scalar grep { eval { $dbh->do("KILL $_") } } @$ids;
}

# A statement of its own that meets a deadlock with the worker's is run again.
sub do ($self, $sql, @bind) {
	my $dbh = $self->dbh;

	for (1 .. 20) {
		my $n = eval { $dbh->do($sql, undef, @bind) };
		return $n if defined $n;
		die $@ if !$dbh->{AutoCommit}
		    || ($dbh->err // 0) != DEADLOCK;
	}
	die $@;
}

sub rows ($self, $sql, @bind) {
	return @{ $self->dbh->selectall_arrayref($sql, { Slice => {} },
		@bind) };
}

sub row ($self, $table, $id) {
	return ($self->rows("SELECT * FROM $table WHERE id = ?", $id))[0];
}

sub one ($self, $sql, @bind) {
	return scalar $self->dbh->selectrow_array($sql, undef, @bind);
}

# The first column.
sub column ($self, $sql, @bind) {
	return @{ $self->dbh->selectcol_arrayref($sql, undef, @bind) };
}

sub json ($self, $text) { return $JSON->decode($text) }

# Rows that are there before the test begins; returns their ids. A ctt may
# have `linked => id of an ntt`, which is then true everywhere.
sub given ($self, @pairs) {
	my @ids;

	$self->dbh->begin_work;
	while (my ($table, $columns) = splice @pairs, 0, 2) {
		my %row = %$columns;
		my $linked = delete $row{linked};
		my $id = $row{id} //= $self->{next}{$table}
		    && $self->{next}{$table}++;

		$row{ticket_no} //= ($table eq 'ctt' ? 'C-' : 'N-') . $id
		    if $table =~ /^[cn]tt$/;
		$row{source} //= 'TAAS' if $table eq 'ctt';
		$row{order_no} //= "W-$id" if $table eq 'work_order';
		$self->given_link(\%row, $linked) if $linked;
		my @names = sort keys %row;
		$self->do("INSERT INTO $table (" . join(', ', @names)
		    . ') VALUES (' . join(', ', ('?') x @names) . ')',
		    @row{@names});
		push @ids, $id // $self->dbh->{mariadb_insertid};
	}
	$self->dbh->commit;
	return wantarray ? @ids : $ids[0];
}

sub given_link ($self, $ctt, $ntt) {
	my $row = $self->row(ntt => $ntt);
	my $no = $row->{ticket_no};

	@$ctt{qw(ntt_id ntt_ticket_no)} = ($ntt, $no);
	$self->do('UPDATE ntt SET ctt_count = ctt_count + 1 WHERE id = ?',
	    $ntt);
	$self->sim(PUT => "/ticket/\L$ctt->{source}\E/" . their_name($ctt),
	    $ctt->{source} eq 'TAAS' ? { ntt => $no }
	    : { troubleTicketRelationship => [ { id => their_name($row),
		    relationshipType => 'isChild' } ] });
}

# What the partner calls the ticket of a row.
sub their_name ($row) { return $row->{partner_ref} // $row->{ticket_no} }

# n fresh CTTs, and then an NTT.
sub given_ctts ($self, $n, %ctt) {
	return $self->given((map { (ctt => {%ctt}) } 1 .. $n), ntt => {});
}

# The latest activity of a CTT, from now on; its id.
sub given_activity ($self, $ctt, %columns) {
	return scalar $self->given(ctt_activity => { ctt_id => $ctt,
		type => 'Created', status => 'Open', created_by => 'x',
		%columns });
}

# A network element that can be updated, if its CTT can.
sub given_element ($self, $ctt, %columns) {
	return scalar $self->given(network_element => { ctt_id => $ctt,
		name => "ONT-$ctt", access_type => 'FTTH',
		manufacturer => 'Huawei', model => 'HG8245',
		ip_address => '10.0.0.1', bandwidth_mbps => 300,
		port => '1/1/1', %columns });
}

# The owner 'some-body' lives, for an hour.
sub plant_owner ($self, $name = 'some-body') {
	$self->do('REPLACE INTO lease(name, expires_at) VALUES (?,'
	    . ' UTC_TIMESTAMP(3) + INTERVAL 1 HOUR)', $name);
}

# An operation that a living owner has in hand; taken away, with all that
# a test has planted so, by unplant.
sub plant_busy ($self, $ctt, %columns) {
	$self->plant_owner;
	$self->given(operation => { id => "busy-$ctt", kind => 'LINK',
		state => 'RUNNING', ctt_id => $ctt, actor => 'x',
		owner => 'some-body', %columns });
}

# An unlink of this pair that was done a moment ago.
sub plant_unlinked ($self, $ctt, $ntt) {
	$self->given(operation => { id => "0-unlinked-$ctt-$ntt",
		kind => 'UNLINK', state => 'SUCCEEDED', ctt_id => $ctt,
		ntt_id => $ntt, actor => 'x' });
}

sub unplant ($self) { $self->do("DELETE FROM operation WHERE actor = 'x'") }

# All that a refusal leaves alone.
sub tables ($self) {
	$self->quiet;    # or the worker is at the jobs while we look
	return { map { $_ => [ $self->rows("SELECT * FROM $_ ORDER BY id") ] }
	    qw(ctt ntt job audit_log activity_note ctt_activity
	    network_element corp_data_temp cpe_history) };
}

# The audit rows of an operation: "CTT 7 LINK SUCCESS".
sub audits ($self, $operation) {
	return [ $self->column("SELECT CONCAT_WS(' ', entity_type, entity_id,"
	    . ' action, outcome) FROM audit_log WHERE operation_id = ?'
	    . ' ORDER BY entity_type, id', $operation) ];
}

# The jobs of an operation that are delivered: type => payload. (What is looked
# at again is another matter: see check_looks.)
sub jobs ($self, $operation) {
	return { map { ($_->{type} => $self->json($_->{payload})) }
	    $self->rows("SELECT * FROM job WHERE type <> 'look-again'"
		. ' AND dedupe_key LIKE ?', "$operation:%") };
}

# ---- what a change leaves ----

# What became of each item: its outcome, or the code of its error.
sub outcomes ($self, $r) {
	return [ map { $_->{error} ? $_->{error}{code} : $_->{outcome} }
		@{ $r->{json}{results} } ];
}

# The status of an answer, and its counts: total, success, failed and @more.
sub counters ($self, $r, @more) {
	return [ $r->{status}, @{ $r->{json} }{qw(total success failed), @more} ];
}

# One line that memcached answers; a meta get gives the value or its ttl.
sub memcached ($self, $command) {
	my $socket = IO::Socket::INET->new(
	    PeerAddr => $self->env('CTT_MEMCACHED')) or die "memcached: $!\n";

	print $socket "$command\r\n";
	return scalar <$socket>;
}

# For how many seconds memcached still blocks the pair.
sub block_s ($self, $ctt, $ntt) {
	return $self->memcached("mg unlink-block:$ctt-$ntt t") =~ /^HD t(\d+)/
	    ? $1 : 0;
}

# What the jobs of an operation say, by default.
sub payload ($self, $r, $op, $ctt, $ntt) {
	return { operationId => $op, actor => 'olga',
		requestId => $r->{headers}{'x-request-id'},
		cttId => $ctt, cttTicketNo => $self->row(ctt => $ctt)->{ticket_no},
		nttId => $ntt, nttTicketNo => defined $ntt
		    ? $self->row(ntt => $ntt)->{ticket_no} : undef };
}

# The journal says that it succeeded, by these steps; and these are its audit
# rows.
sub is_journalled ($self, $op, $kind, $partner, $steps, @audits) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is_deeply [ @{ $self->row(operation => $op) }{qw(kind state partner
		error_code)} ], [ $kind, 'SUCCEEDED', $partner, undef ],
	    'the journal has it';
	is $self->trace($op), $steps, 'with each of its steps';
	is_deeply $self->audits($op), [ map { "$_ $kind SUCCESS" } @audits ],
	    'an audit row of each that it touches';
}

# This is what the partner heard in this operation of this request; body may be
# left out.
sub is_call ($self, $call, $r, $op, %want) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $type = 'application/json'
	    . ($want{path} =~ m{^/tmf/} ? ';charset=utf-8' : '');

	%want = (contentType => $type,
		requestId => $r->{headers}{'x-request-id'}, %want);
	is_deeply { map { $_ => $call->{$_} } keys %want }, \%want,
	    "$want{method} $want{path}: what the partner heard";
	like $call->{key}, qr/^\S*\Q$op\E\S*$/,
	    'with a key of this operation';
}

# ---- the partners ----

sub sim ($self, $method, $path, $body = undef) {
	$self->{sim} //= HTTP::Tiny->new(timeout => 30, keep_alive => 0);
	my $r = answer($self->{sim}->request($method,
	    $self->env('CTT_SIM_URL') . "/_sim$path",
	    { defined $body ? (content => $JSON->encode($body)) : () }));

	die "simulator: $method $path: $r->{status} $r->{raw}\n"
	    if $r->{status} != 200;
	return $r->{json};
}

# $c->rule(ticket => 'C-1', times => 1, do => 'status', status => 500)
sub rule ($self, %rule) { return $self->sim(POST => '/rules', \%rule)->{id} }
sub no_rules ($self) { $self->sim(DELETE => '/rules') }
sub sim_state ($self) { return $self->sim(GET => '/state') }

# $c->behave('tmf', etag => 'weak', merge => undef): undef is as usual.
sub behave ($self, $partner, %set) {
	return $self->sim(PUT => "/behave/$partner", \%set);
}

# A ticket at a TMF that makes its own ids; the id, which is its partner_ref.
sub own_id ($self, $no, %members) {
	return $self->sim(PUT => "/ticket/tmf/$no", \%members)->{id};
}

# While a thread of the pool waits for TaaS, and the pool (one process, two
# threads) turns TaaS's tickets away: what $do->($pid) returns, of which pid is
# the process. CTT_PARTNER_TIMEOUT_MS is how long that may take.
sub while_busy ($self, $do) {
	my ($held, $other, $ntt) = $self->given_ctts(2, source => 'TAAS');
	my $rule = $self->rule(ticket => "C-$held", do => 'hold');

	$self->token;
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		delete @$self{qw(dbh http)};
		$self->link($held, $ntt);
		POSIX::_exit(0);
	}
	ok $self->wait_for(20, sub {
		$self->heard('taas', ticket => "C-$held")
		&& ($self->post('/ticket/ctt/link?dryRun=true', { cttId => $other,
			nttId => $ntt })->{json}{code} // '') eq 'PARTNER_BUSY';
	}), 'TaaS is busy';
	my ($free) = map { /pid=(\d+) .*event=request/ ? $1 : () }
	    reverse $self->log_lines('pool');
	my @all = $do->($free);
	$self->sim(DELETE => "/rules/$rule");
	waitpid $pid, 0;
	return @all;
}

# The calls of a partner, in order: $c->heard('tmf', ticket => 'C-1',
# method => 'PATCH'). How many, in scalar context.
sub heard ($self, $partner, %want) {
	return grep {
		my $call = $_;
		!grep { ($call->{$_} // '') ne $want{$_} } keys %want;
	} @{ $self->sim(GET => "/calls?partner=$partner") };
}

# ---- waiting, and what must hold in the end ----

# Waits for something that takes $seconds at most; on a busy machine, longer.
sub wait_for ($self, $seconds, $test) {
	my $end = time + BUSY * $seconds;

	until ($test->()) {
		return 0 if time > $end;
		sleep 0.02;
	}
	return 1;
}

# Until no operation is open.
sub settle ($self, $seconds = 20) {
	return $self->wait_for($seconds, sub {
		!$self->one("SELECT COUNT(*) FROM operation"
		    . " WHERE state IN ('RUNNING', 'SETTLING')");
	});
}

# Until no job is to be delivered.
sub quiet ($self, $seconds = 20) {
	return $self->wait_for($seconds, sub {
		!$self->one("SELECT COUNT(*) FROM job"
		    . " WHERE state IN ('READY', 'RUNNING')");
	});
}

# The number of the NTT that the partner has for a CTT, or undef; %$ntts are the
# numbers by the name at the partner.
sub theirs ($self, $state, $ctt, $ntts) {
	my $name = their_name($ctt);

	return $state->{taas}{$name}{ntt} if $ctt->{source} eq 'TAAS';
	my $links = $state->{tmf}{$name}{troubleTicketRelationship};
	return join '+', map { $ntts->{ $_->{id} } }
	    grep { $_->{relationshipType} eq 'isChild' && $ntts->{ $_->{id} } }
	    @{ $links // [] };
}

# The status: resolved there if a resolve that was sent there succeeded.
sub status_apart ($self, $state) {
	my @apart;

	for my $ctt ($self->rows("SELECT c.*, COALESCE(o.n, 0) n, o.partner"
	    . " FROM ctt c LEFT JOIN (SELECT ctt_id, COUNT(*) n,"
	    . " MAX(partner) partner FROM operation WHERE kind = 'RESOLVE'"
	    . " AND state = 'SUCCEEDED' GROUP BY ctt_id) o"
	    . " ON o.ctt_id = c.id")) {
		my $theirs = join ' ', map { lc($_->{ their_name($ctt) }
			{status} // '') || () } @$state{qw(taas tmf)};
		push @apart, "$ctt->{ticket_no}: here resolved $ctt->{n} times,"
		    . " there '$theirs'"
		    if $theirs ne ($ctt->{partner} ? 'resolved' : '');
		push @apart, "$ctt->{ticket_no}: is $ctt->{status}"
		    if $ctt->{n} && $ctt->{status} ne 'Resolved';
	}
	return @apart;
}

# The CPE: NIG has what is here, where it was ever told.
sub cpe_apart ($self, $state) {
	my %nig = %{ $state->{nig} };
	my @apart;

	for my $e ($self->rows('SELECT e.*, c.ticket_no, (SELECT COUNT(*) FROM'
	    . ' cpe_history h WHERE h.network_element_id = e.id) n'
	    . ' FROM network_element e JOIN ctt c ON c.id = e.ctt_id')) {
		my $name = "$e->{ticket_no}/$e->{name}";
		my $theirs = delete $nig{$name};
		my ($here, $there) = map { join '|', map { $_ // '' } @$_ }
		    [ @$e{qw(manufacturer model ip_address bandwidth_mbps
			port)} ],
		    [ @{ $theirs // {} }{qw(manufacturer model ipAddress
			bandwidthMbps port)} ];
		push @apart, "$name: here $here, there $there"
		    if ($theirs || $e->{n}) && $here ne $there;
	}
	return @apart, map { "$_: is only there" } sort keys %nig;
}

# Where the two sides do not agree, a count does not hold, or a call took effect
# twice at partners that all remember keys.
sub apart ($self) {
	my $state = $self->sim_state;
	my %ntts = map { their_name($_) => $_->{ticket_no} }
	    $self->rows('SELECT * FROM ntt');
	my @apart;

	for my $ctt ($self->rows('SELECT * FROM ctt')) {
		my $theirs = $self->theirs($state, $ctt, \%ntts) // '';
		my $ours = $ctt->{ntt_ticket_no} // '';
		push @apart, "$ctt->{ticket_no}: here '$ours', there '$theirs'"
		    if $ours ne $theirs;
	}
	push @apart, $self->column("SELECT CONCAT(n.ticket_no, ': counts ',"
	    . " n.ctt_count, ', has ', COUNT(c.id)) FROM ntt n"
	    . " LEFT JOIN ctt c ON c.ntt_id = n.id"
	    . " GROUP BY n.id, n.ticket_no, n.ctt_count"
	    . " HAVING n.ctt_count <> COUNT(c.id)");
	push @apart, $self->status_apart($state), $self->cpe_apart($state);
	push @apart, map { "$_ took effect more than once" }
	    grep { $state->{effects}{$_} > 1 } sort keys %{ $state->{effects} }
	    unless grep { defined $_->{keys} }
	    values %{ $self->sim(GET => '/behave') };
	return @apart;
}

sub agree ($self, $name = 'both sides') {
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is_deeply [ $self->apart ], [], "$name agree";
}

# The trace of an operation: "load_ctt:ok load_ntt:failed".
sub trace ($self, $operation) {
	return join ' ', map { "$_->{step}:$_->{outcome}" }
	    @{ $self->get("/ticket/operation/$operation")->{json}{steps} };
}

1;
