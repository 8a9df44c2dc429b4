# cttctl migrate, from each version of the schema, with tickets in it and while
# a program writes: killed at each statement, or with the server killed straight
# after it got one, it goes on where it was. Nothing is lost, and the schema is
# that of a new database. A schema that is too new is refused with a line. Steps
# only add, so that programs of the version before go on beside the new ones.
#
# CTT_TEST_OLD=FOLDER has an earlier build: its programs run, and are started
# anew, while this version migrates.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use DBI;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(slurp);

use constant { EVERY => $ENV{CTT_TEST_FULL} ? 1 : 9, WRITERS => 2 };

my @steps = map { [ m{/0*(\d+)-[^/]+\.sql$}, m{/([^/]+)\.sql$}, slurp($_) ] }
    sort glob "$FindBin::Bin/../sql/upgrade/*.sql";
my $last = $steps[-1][0];

# As store/migrate.c and scripts/embed-sql have them.
sub statements ($text) {
	return grep { /\S/ } split /;\n/, $text =~ s/^--.*\n//mgr;
}

# ---- steps only add ----

# What a statement takes away; a key that it makes again is not.
sub taken_away ($sql) {
	return "$1 $2" if $sql =~ /^\s*(DROP|RENAME|TRUNCATE|DELETE|UPDATE) (\w+)/;
	my @gone = grep { $sql !~ /ADD KEY (IF NOT EXISTS )?\Q$_\E\b/ }
	    $sql =~ /\bDROP (?:KEY|INDEX|COLUMN|CONSTRAINT)? ?(?:IF EXISTS )?(\w+)/g;
	push @gone, $sql =~ /\b((?:MODIFY|CHANGE|RENAME)\b.*)/g;
	push @gone, $sql =~ /\bADD COLUMN (.*\bNOT NULL\b(?!.*DEFAULT|.*\n.*DEFAULT).*)/g;
	return @gone;
}

# What nobody misses.
my %NOT_MISSED = (
	"015-job-open: MODIFY COLUMN state ENUM('READY', 'RUNNING', 'DONE',"
	    . " 'DEAD') NOT NULL" => 'all states that there ever were',
	'015-job-open: job_ctt' => 'made by step 10, and in no release',
);

is_deeply [ grep { !$NOT_MISSED{$_} } map { my ($n, $name, $text) = @$_;
	$name =~ /-contract-/ ? () : map { "$name: $_" } map { taken_away($_) }
	statements($text) } @steps ], [],
    'each step only adds, unless its name says -contract-';
is_deeply [ map { taken_away($_) } 'ALTER TABLE ctt DROP COLUMN title',
	'ALTER TABLE ctt ADD COLUMN a INT NOT NULL', "DROP TABLE lov",
	'ALTER TABLE ctt MODIFY title TEXT' ],
    [ 'title', 'a INT NOT NULL', 'DROP TABLE', 'MODIFY title TEXT' ],
    'what takes away is seen';

# ---- tickets, and all that was ever done to them ----

my $c = Ctt->start(pool => 1, proxy => 1);
for my $route (Changes::routes($c)) {
	is Changes::ask($c, Changes::given($c, $route, 2))->{status}, 200, $route;
}
$c->given(ntt => { id => 90 }, ctt => { id => 90, linked => 90 });
ok $c->settle && $c->quiet, 'all is done';
ok $c->stack('stop', $_), "the $_ stops" for qw(pool worker);

my @tables = grep { $_ ne 'schema_version' } $c->column('SHOW TABLES');
my $dba = $c->dba;
# The heads are those of rows with hashes, which the first versions do not have.
my %as = (CTT_DB_USER => 'ctt_dba', CTT_DB_MIGRATE_USER => undef,
	CTT_AUDIT_HEADS_FILE => undef,
	CTT_DB_PASSWORD_FILE => $c->env('CTT_DB_MIGRATE_PASSWORD_FILE'));

sub columns ($db, $table) {
	return @{ $dba->selectcol_arrayref('SELECT column_name FROM'
		. ' information_schema.columns WHERE table_schema = ? AND'
		. ' table_name = ? AND generation_expression IS NULL'
		. ' ORDER BY ordinal_position', undef, $db, $table) };
}

# Columns and keys, whatever their order.
sub schema ($db) {
	return { map { ($_ => [ sort map { s/^\s+|,$//gr } grep { !/^[()]/ }
		split /\n/, ($dba->selectrow_array("SHOW CREATE TABLE $db.$_"))[1]
		=~ s/ AUTO_INCREMENT=\d+//r ]) }
	    @{ $dba->selectcol_arrayref("SHOW TABLES FROM $db") } };
}

sub run_text ($sql) { $dba->do($sql) }

# A database of that version, with those tickets.
sub make ($version) {
	my $db = "ctt_$version";

	run_text("CREATE DATABASE $db CHARACTER SET utf8mb4");
	run_text("USE $db");
	run_text('CREATE TABLE schema_version (version INT NOT NULL PRIMARY KEY,'
	    . ' name VARCHAR(64) NOT NULL, applied_at DATETIME(3) NOT NULL'
	    . ' DEFAULT CURRENT_TIMESTAMP(3)) ENGINE=InnoDB');
	for (grep { $_->[0] <= $version } @steps) {
		my ($n, $name, $text) = @$_;
		run_text($_) for statements($text);
		$dba->do('INSERT INTO schema_version(version, name) VALUES (?, ?)',
		    undef, $n, $name);
	}
	run_text('DELETE FROM lov');
	for my $table (grep { my $t = $_; grep { $_ eq $t } @tables }
	    @{ $dba->selectcol_arrayref("SHOW TABLES FROM $db") }) {
		my %now = map { $_ => 1 } columns('ctt', $table);
		my $list = join ',', grep { $now{$_} } columns($db, $table);
		run_text("REPLACE INTO $db.$table ($list) SELECT $list"
		    . " FROM ctt.$table");
	}
	run_text("INSERT INTO $db.ntt(id, ticket_no) VALUES (80, 'W')");
	return $db;
}

sub version ($db) {
	return scalar $dba->selectrow_array(
	    "SELECT MAX(version) FROM $db.schema_version");
}

# ---- a program that writes meanwhile, with the columns of the first version ----

sub connect_to ($db) {
	chomp(my $password = slurp($as{CTT_DB_PASSWORD_FILE}));
	return DBI->connect("DBI:MariaDB:$db;mariadb_socket=" . $c->dir
	    . '/mysqld.sock', 'ctt_dba', $password, { RaiseError => 1,
		PrintError => 0 });
}

# One change of a ticket and its NTT; after a deadlock again.
sub write_once ($dbh, $who, $n) {
	$dbh->begin_work;
	$dbh->do('SELECT id FROM ctt WHERE id = 90 FOR UPDATE');
	$dbh->do('INSERT INTO work_order(ntt_id, order_no) VALUES (80, ?)', undef,
	    "$who-$n");
	$dbh->do('UPDATE ctt SET title = ? WHERE id = 90', undef, "$who-$n");
	$dbh->do('UPDATE ntt SET title = ? WHERE id = 80', undef, "$who-$n");
	return $dbh->commit;
}

# Until `stop` is there: how many changes it was told are done, and what failed
# for another reason than a deadlock or a server that was away.
sub writer ($db, $who, $stop) {
	my ($n, $dbh, @failed) = 0;

	until (-e $stop) {
		$dbh //= eval { connect_to($db) } // do { sleep 0.05; next };
		next if eval { write_once($dbh, $who, $n + 1) } && ++$n;
		my ($code, $why) = ($dbh->err // 0, $@);
		eval { $dbh->rollback } if !$dbh->{AutoCommit};
		next if $code == 1213;
		push @failed, $why if $code != 2013 && $code != 2006 && $code != 1053;
		undef $dbh;
	}
	return { n => $n, failed => \@failed };
}

# What $do->() returns, while they write.
sub while_written ($db, $do) {
	my $stop = $c->dir . "/tmp/stop-$db";
	my ($did, @wrote) = $c->parallel(WRITERS + 1, sub ($i) {
		return writer($db, "w$i", $stop) if $i;
		$dba = $c->dba;
		my $did = eval { $do->() } // { died => "$@" };
		open my $fh, '>', $stop;
		return $did;
	});

	$dba = $c->dba;
	is_deeply [ map { @{ $_->{failed} } } @wrote ], [],
	    "$db: no change is refused";
	my $rows = $dba->selectrow_array("SELECT COUNT(*) FROM $db.work_order"
	    . ' WHERE ntt_id = 80');
	my $told = 0;
	$told += $_->{n} for @wrote;
	# the answer to a COMMIT may be lost with the server
	cmp_ok $rows, '>=', $told, "$db: none of $told that were done is lost";
	cmp_ok $told, '>', 0, "$db: there are some";
	is $did->{died}, undef, "$db: migrated";
	return $did;
}

# ---- killed at each statement ----

# Runs it; it is killed when it has sent its nth packet, or the server is.
# False: it has fewer. (0: how many it sends.)
sub migrate_killed ($db, $n, $server) {
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		sleep 0.01 until -e $c->dir . '/tmp/armed';
		$c->become({ %as, CTT_DB_NAME => $db }, '/dev/null',
		    $c->dir . '/tmp/migrate.err', ($ENV{CTT_BIN}
			// "$FindBin::Bin/..") . '/cttctl', 'migrate');
	}
	$c->proxy->arm($pid, $n, $server ? 'kill ' . $c->pid('db') : 'sent');
	open my $fh, '>', $c->dir . '/tmp/armed' or die;
	if ($n) {
		until (waitpid $pid, POSIX::WNOHANG) {
			my (undef, $fired) = $c->proxy->seen;
			kill 'KILL', $pid if $fired;
			sleep 0.002;
		}
	} else {
		waitpid $pid, 0;
	}
	unlink $c->dir . '/tmp/armed';
	my ($count, $fired) = $c->proxy->disarm;
	return $n ? $fired : $count;
}

sub restart_db () {
	system("$FindBin::Bin/../scripts/stack", 'start', 'db', '--dir', $c->dir);
	$dba = $c->dba;
}

# The packet of its first statement: one that has nothing to do ends instead by
# looking at the tables (two packets), closing four statements and the
# connection.
my $head = migrate_killed('ctt', 0, 0) - 6;

sub kill_at_each ($db) {
	my ($n, $at, $killed, $servers) = (0, version($db), 0, 0);

	for (my $first = 1;; $first = 0) {
		my $server = $killed % EVERY == EVERY - 1;

		last if !migrate_killed($db, $head + $n, $server);
		$killed++;
		if ($server) {
			$servers++;
			restart_db();
		}
		my $now = version($db);
		$n = $now > $at ? 0 : $n + 1;
		$at = $now;
	}
	return { killed => $killed, servers => $servers };
}

sub is_current ($db, $rows) {
	is version($db), $last, "$db: is at the last version";
	is_deeply schema($db), schema('ctt'), "$db: with the schema of a new one";
	is_deeply { map { $_ => count($db, $_) } keys %$rows }, $rows,
	    "$db: and all rows";
	for ([ 'check' ], [ 'audit', 'verify' ]) {
		my $r = $c->cttctl({ %as, CTT_DB_NAME => $db }, @$_);
		is $r->{status}, 0, "$db: @$_" or diag @$r{qw(out err)};
	}
}

sub count ($db, $table) {
	return scalar $dba->selectrow_array("SELECT COUNT(*) FROM $db.$table");
}

sub counts ($db) {
	return { map { $_ => count($db, $_) } grep { !/^(schema_version|work_order
		|lease|worker|installation|audit_start|lov)$/x }
	    @{ $dba->selectcol_arrayref("SHOW TABLES FROM $db") } };
}

for my $version (1 .. $last - 1) {
	my $db = make($version);
	my $rows = counts($db);

	if ($version == 1 || $ENV{CTT_TEST_FULL}) {
		my $did = while_written($db, sub { kill_at_each($db) });
		my $n = map { statements($_->[2]) } grep { $_->[0] > $version }
		    @steps;
		cmp_ok $did->{killed}, '>=', $n, "$db: killed $did->{killed}"
		    . " times, at each of $n statements; $did->{servers} times"
		    . ' with the server';
	} else {
		while_written($db, sub { return $c->cttctl({ %as,
			CTT_DB_NAME => $db }, 'migrate') });
	}
	is_current($db, $rows);
	run_text("DROP DATABASE $db");
}

# ---- a schema that is too new ----

sub is_refused ($name, $r) {
	is $r->{status}, 1, "$name refuses it";
	like $r->{err}, qr/the schema has step 999 \(\S+\) of a later version, /,
	    'with a line';
}

ok $c->stack('start', $_), "the $_ starts" for qw(pool worker);
$c->do("INSERT INTO schema_version(version, name) VALUES (999, '999-more')");
is_refused('cttctl migrate', $c->cttctl('migrate'));
is_refused('ctt.fcgi --check', $c->run('ctt.fcgi', '--check'));
is_refused('cttctl restart', $c->cttctl('restart', '--user',
	scalar getpwuid $>));
{
	my ($ctt, $ntt) = $c->given_ctts(1);
	ok $c->stack('restart', 'pool'), 'a pool that is started beside';
	is $c->link($ctt, $ntt)->{status}, 200, 'serves on';
}
$c->do("UPDATE schema_version SET name = '999-contract-all' WHERE version = 999");
is_refused($_, $c->run($_)) for qw(ctt-worker ctt.fcgi);
$c->do('DELETE FROM schema_version WHERE version = 999');
$c->stop;

# ---- programs of an earlier version beside ----

SKIP: {
	my $old = $ENV{CTT_TEST_OLD}
	    // skip 'CTT_TEST_OLD names no earlier build', 1;
	local $ENV{CTT_BIN} = $old;
	my $o = Ctt->start(pool => 2, workers => 1);
	my @ctts = $o->given_ctts(200);
	my $ntt = pop @ctts;
	my ($said, @r) = $o->parallel(4, sub ($i) {
		return [ map { $o->link($_, $ntt)->{status} }
		    grep { $_ % 3 == $i - 1 } @ctts ] if $i;
		sleep 0.5;
		system("env " . join(' ', map { "$_='$o->{env}{$_}'" }
			grep { /^CTT_/ } keys %{ $o->{env} })
		    . " $FindBin::Bin/../cttctl migrate >" . $o->dir
		    . '/log/new.log 2>&1') == 0 or return 'cttctl migrate failed';
		kill 'KILL', $o->pids('worker');
		return $o->stack('restart', 'pool') ? '' : 'no restart';
	});
	is $said, '', 'this version migrates, and the pool is started anew'
	    or diag slurp($o->dir . '/log/new.log');
	is_deeply [ grep { $_ != 200 } map { @$_ } @r ], [],
	    'programs of an earlier version serve on';
	ok $o->quiet, 'and deliver the jobs';
	$o->agree;
	push @{ $o->{expected} }, qr/./;
	$o->stack('down');
}
done_testing;
