# The audit trail: cttd's own database user can only add to it, and cttctl audit
# verify finds any row that was changed, removed, swapped, made up or cut off.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Strace;
use Test::More;
use Time::HiRes qw(sleep);
use Util qw(slurp_if spew);

my $c = Ctt->start(disk => 1, pool => 2, set => { CTT_UNLINK_BLOCK_TTL => 0 });
my $heads = $c->env('CTT_AUDIT_HEADS_FILE');

sub verify (@more) {
	return $c->cttctl('audit', 'verify', @more);
}

# ---- what cttd's user may do ----

my $app = $c->connect_db('CTT_DB');
my ($ctt, $ntt, $other) = $c->given(ctt => {}, ntt => {}, ntt => {});

for (
	[ 'UPDATE audit_log SET actor = NULL', 0 ],
	[ 'DELETE FROM audit_log', 0 ], [ 'TRUNCATE audit_log', 0 ],
	[ 'DROP TABLE audit_log', 0 ], [ 'ALTER TABLE audit_log DROP hash', 0 ],
	[ 'RENAME TABLE audit_log TO x', 0 ],
	[ 'REPLACE INTO audit_log (entity_type, entity_id, action, outcome,'
		. " actor) VALUES ('CTT', 1, 'LINK', 'SUCCESS', 'x')", 0 ],
	[ 'INSERT INTO audit_log (id, entity_type, entity_id, action, outcome,'
		. " actor) VALUES (1, 'CTT', 1, 'LINK', 'SUCCESS', 'x') ON"
		. " DUPLICATE KEY UPDATE actor = 'y'", 0 ],
	[ 'CREATE TABLE x (id INT)', 0 ], [ 'DROP TABLE lov', 0 ],
	[ 'CREATE TRIGGER x BEFORE INSERT ON audit_log FOR EACH ROW SET'
		. " NEW.actor = 'x'", 0 ],
	[ 'UPDATE schema_version SET version = 1', 0 ],
	[ 'SELECT * FROM mysql.user', 0 ],
	[ 'SELECT * FROM audit_log', 1 ], [ "UPDATE ctt SET title = 'x'", 1 ],
	[ "DELETE FROM idempotency WHERE actor = 'x'", 1 ],
) {
	my ($sql, $may) = @$_;
	is !!eval { $app->do($sql); 1 }, !!$may,
	    ($may ? 'may ' : 'may not ') . $sql;
}
like $c->cttctl('migrate')->{out}, qr/^ctt\@localhost has the rights/m,
    'migrate gives these rights again';

# ---- a trail ----

my @pairs = map { [ $_, $ntt ] }
    $c->given(map { (ctt => {}) } 1 .. 20);
my %remark = (remark => qq(it's "\x{fc}ber"\n\\ \x{1f600} 100 %));

is $c->link($ctt, $ntt, %remark)->{status}, 200, 'a link';
is $c->unlink_from($ntt, [$ctt])->{status}, 200, 'an unlink';
is $c->link($ctt, $other)->{status}, 200, 'a link elsewhere';
is $c->move_to("N-$ntt", [$ctt])->{json}{results}[0]{outcome}, 'moved',
    'a move';
is $c->bulk(@pairs)->{status}, 200, 'a bulk';
$c->parallel(8, sub ($i) {
	$c->unlink_from($ntt, [ $pairs[$i][0] ])->{status} });
$c->rule(partner => 'taas', do => 'status', status => 409, times => 1);
is $c->link($pairs[0][0], $ntt)->{status}, 502, 'a link rolled back';

my $rows = $c->one('SELECT COUNT(*) FROM audit_log');
is_deeply [ @{ verify() }{qw(status out)} ],
    [ 0, "$rows rows, 0 breaches\n" ], 'each row follows from another';
is $c->one('SELECT COUNT(*) FROM audit_log WHERE hash IS NULL'), 0,
    'all are chained';
ok $c->wait_for(10, sub { ($c->one('SELECT MAX(id) FROM audit_log'))
	== (slurp_if($heads) =~ /^(\d+) .*\n\z/m ? $1 : 0) }),
    'the file of heads follows';
is scalar(() = slurp_if($heads) =~ /^\d+ [CN]TT \d+ [0-9a-f]{64}$/mg), $rows,
    'with a line for each';

# ---- what breaks it ----

ok $c->stack('stop', $_), "the $_ stops" for qw(worker pool);
$c->do('CREATE TABLE kept AS SELECT * FROM audit_log');
$c->do('CREATE TABLE states AS SELECT id, state FROM operation');

my ($first, $second, $third, @ctt) = $c->column('SELECT id FROM audit_log'
	. " WHERE entity_type = 'CTT' AND entity_id = $ctt ORDER BY id");
my $last = $c->one('SELECT MAX(id) FROM audit_log WHERE'
	. " entity_type = 'NTT' AND entity_id = $ntt");
my $alone = $c->one('SELECT id FROM audit_log WHERE entity_type = ?'
	. ' AND entity_id = ?', 'CTT', $pairs[12][0]);

sub set ($column, $value) {
	return "UPDATE audit_log SET $column = $value WHERE id = $second";
}

# Gone, and the operations too.
sub cut ($which) {
	return 'UPDATE operation SET state = "REFUSED" WHERE id IN (SELECT'
	    . " l.operation_id FROM audit_log l WHERE $which);"
	    . " DELETE l FROM audit_log l WHERE $which";
}

# What is done to the rows; the rows that are named; whether that is seen
# without the file of heads.
for (
	(map { [ set(@$_), [$second], 1 ] }
		[ action => "'UNLINK '" ], [ action => "'unlink'" ],
		[ outcome => "'COMPENSATED'" ], [ actor => "'mallory'" ],
		[ actor => "'Olga'" ], [ request_id => "'r'" ],
		[ operation_id => "'o'" ], [ detail => "'{}'" ],
		[ detail => 'NULL' ],
		[ created_at => 'created_at + INTERVAL 1000 MICROSECOND' ],
		[ hash => "REPEAT('0', 64)" ]),
	[ set(hash => 'NULL'), [ $second, $third ], 1 ],
	[ set(entity_id => 77), [ $second, $third ], 1 ],
	[ set(entity_type => "'ctt'"), [$second], 1 ],
	[ set(entity_type => "'NTT'"), [ $second, $third ], 1 ],
	[ set(entity_type => "'X'"), [ $second, $third ], 1 ],
	[ "DELETE FROM audit_log WHERE id = $first", [$second], 1 ],
	[ "DELETE FROM audit_log WHERE id = $second", [$third], 1 ],
	[ "DELETE FROM audit_log WHERE id = $last", [$last], 1 ],
	[ cut("l.id = $last"), [$last], 0 ],
	[ cut("l.id = $alone"), [$alone], 0 ],
	[ cut("l.id >= $third AND l.entity_type = 'CTT'"
		. " AND l.entity_id = $ctt"), [ $third, @ctt ], 0 ],
	[ "UPDATE audit_log SET id = CASE id WHEN $first THEN 999999"
		. " ELSE id END; UPDATE audit_log SET id = $first WHERE"
		. " id = $second; UPDATE audit_log SET id = $second WHERE"
		. ' id = 999999', [ $first, $second ], 1 ],
	[ 'INSERT INTO audit_log (entity_type, entity_id, action, outcome,'
		. " actor) VALUES ('CTT', $ctt, 'LINK', 'SUCCESS', 'x')",
		['MAX'], 1 ],
	[ 'INSERT INTO audit_log (entity_type, entity_id, action, outcome,'
		. " actor, hash) VALUES ('CTT', $ctt, 'LINK', 'SUCCESS', 'x',"
		. " SHA2('x', 256))", ['MAX'], 1 ],
	[ 'UPDATE audit_log SET hash = NULL', [ $first, $second, $last ], 1 ],
	[ "UPDATE audit_log SET hash = NULL WHERE id < $last", [$alone], 1 ],
	[ cut('1'), [$last], 0 ],
) {
	my ($sql, $named, $alone) = @$_;

	$c->do($_) for split /; /, $sql;
	my @named = map { $_ eq 'MAX'
		? $c->one('SELECT MAX(id) FROM audit_log') : $_ } @$named;
	my $r = verify();
	is $r->{status}, 1, $sql;
	like $r->{out}, qr/^audit_log $_ \([CNXc]/m, "names row $_" for @named;
	is verify('--heads', '/dev/null')->{status}, $alone,
	    $alone ? 'by itself' : 'by the file of heads alone';
	$c->do('DELETE FROM audit_log');
	$c->do('INSERT INTO audit_log SELECT * FROM kept');
	$c->do('UPDATE operation JOIN states USING (id)'
	    . ' SET operation.state = states.state');
	is verify()->{status}, 0, 'until it is as it was';
}
$c->do('DROP TABLE kept, states');

# ---- the key, the file ----

my $key = spew($c->dir . '/key', 'k' x 32);
for (
	[ { CTT_AUDIT_KEY_FILE => undef }, qr/CTT_AUDIT_KEY_FILE: is not set/ ],
	[ { CTT_AUDIT_KEY_FILE => '/nowhere' },
		qr/CTT_AUDIT_KEY_FILE: cannot read/ ],
	[ { CTT_AUDIT_KEY_FILE => '/dev/null' },
		qr/CTT_AUDIT_KEY_FILE: .* holds 0 bytes/ ],
) {
	my ($set, $says) = @$_;
	my $r = verify2($set);
	is $r->{status}, 1, join ' ', map { $_ // 'nothing' } %$set;
	like $r->{err}, $says, 'says so';
}

sub verify2 ($set) { return $c->cttctl($set, 'audit', 'verify') }

is scalar(() = verify2({ CTT_AUDIT_KEY_FILE => $key })->{out}
	=~ /does not follow/g), $rows, 'with another key no row is good';
like verify2({ CTT_AUDIT_HEADS_FILE => $_ })->{err},
    qr/CTT_AUDIT_HEADS_FILE: is not (set|there): .* not seen/,
    'without a file it says what is not seen' for undef, '/nowhere/x';
like verify('--heads', '/nowhere/x')->{err},
    qr{^cttctl: /nowhere/x: No such file}m, 'unless it was asked for it';
is verify('--heads', spew($c->dir . '/odd', "1 CTT x\n"))->{status}, 1,
    'a line that is no head';
is $c->cttctl('audit', @$_)->{status}, 2, "no audit @$_"
    for [], ['x'], [ 'verify', 'x' ], [ 'verify', '--heads' ];

# What a death leaves of a line is cut off, and nothing is missing.
my $whole = slurp_if($heads);
spew($heads, substr $whole, 0, -30);
ok $c->stack('start', $_), "the $_ starts" for qw(pool worker);
ok $c->wait_for(10, sub { slurp_if($heads) eq $whole }), 'the file is whole again';
is $c->link($ctt, $other)->{json}{code}, 'CTT_ALREADY_LINKED', 'a refusal';
is $c->unlink_from($ntt, [$ctt])->{status}, 200, 'and an unlink';
ok $c->wait_for(10, sub { slurp_if($heads) =~ /\A\Q$whole\E(\d+ .*\n){2}\z/ }),
    'is all that is added';

# ---- a row that comes late, or from a time to come, is noted all the same ----

# A row that is chained: its id. The trail is not verified any more with it.
sub chained ($dbh, $at) {
	$dbh->do('INSERT INTO audit_log (entity_type, entity_id, action,'
	    . ' outcome, actor, hash, created_at) VALUES'
	    . " ('CTT', 4711, 'LINK', 'SUCCESS', 'late', REPEAT(0, 64),"
	    . " UTC_TIMESTAMP(3) $at)");
	return $dbh->{mariadb_insertid};
}

sub is_noted ($id) { return slurp_if($heads) =~ /^$id CTT 4711 /m }

for (
	[ 'is committed late', '', 4 ],
	[ 'was written before the clock was set back', '+ INTERVAL 1 HOUR', 0 ],
) {
	my ($name, $at, $late) = @$_;
	my $dbh = $c->connect_db('CTT_DB_MIGRATE');

	$dbh->begin_work;
	my $id = chained($dbh, $at);
	$dbh->commit if !$late;
	my $behind = chained($c->dbh, '');
	sleep $late;
	ok !is_noted($id), 'not before' if $late;
	$dbh->commit if $late;
	ok $c->wait_for(10, sub { is_noted($behind) }), "a row behind one that $name";
	ok is_noted($id), 'and itself';
}

# The worker looks once a second: it notes what thousands of links write then.
ok $c->stack('stop', 'worker'), 'the worker stops';
$c->do('INSERT INTO audit_log (entity_type, entity_id, action, outcome, actor,'
    . " hash, created_at) SELECT 'CTT', 4711, 'LINK', 'SUCCESS', 'late',"
    . ' REPEAT(1, 64), UTC_TIMESTAMP(3) - INTERVAL 1 MINUTE'
    . ' FROM seq_1_to_5000');
sub noted_of_many () { return scalar(() = slurp_if($heads) =~ /^.* 1{64}\n/mg) }
ok $c->stack('start', 'worker'), 'the worker starts';
ok $c->wait_for(10, \&noted_of_many), 'rows that waited are noted';
sleep 0.3;    # the rest of one write
is noted_of_many(), 5000, 'all 5,000 at once';

ok $c->stack('stop', 'worker'), 'the worker stops again';
$c->do("DELETE FROM audit_log WHERE actor = 'late'");
spew($heads, slurp_if($heads) =~ s/^.* CTT 4711 .*\n//gmr);
ok $c->stack('start', 'worker'), 'the worker starts';

# What MariaDB shows but would lose if it died now is not in the file. If another
# thread of MariaDB writes first, nobody sees the row: then once more.
my $tries = 0;
{
	my $db = $c->pid('db');
	my $strace = Strace->slow($db, $c->dir . '/db/ib_logfile0', 60);
	my $seen = "SELECT id FROM audit_log WHERE actor = 'lost'";

	my (undef, $id) = $c->parallel(2, sub ($i) {
		return eval { $c->do('INSERT INTO audit_log (entity_type,'
		    . ' entity_id, action, outcome, actor, hash) VALUES'
		    . " ('CTT', $ctt, 'LINK', 'SUCCESS', 'lost', REPEAT(0, 64))")
		    } if $i == 0;
		$c->wait_for(10, sub { $c->one($seen) });
		my $id = $c->one($seen);
		$c->wait_for(6, sub { slurp_if($heads) =~ /^$id /m }) if $id;
		kill 'KILL', $db;
		$strace->stop;
		return $id;
	});
	$whole = slurp_if($heads);
	$c->stack('start', 'db') or die "MariaDB does not start\n";
	redo if !$id && $tries++ < 3;
	ok $id, 'a row was seen, and MariaDB died before it had written it';
	is $c->one($seen), undef, 'it is lost';
	unlike $whole, qr/^$id /m, 'and had not been noted';
	is verify()->{status}, 0, 'nothing is missing';
}

# A worker that cannot write says so, and works on.
$c->expect(qr/event=audit_heads_failed/);
ok $c->stack('stop', 'worker'), 'the worker stops';
rename $heads, "$heads.away";
mkdir $heads;
ok $c->stack('start', 'worker'), 'and cannot write the file any more';
is $c->link($ctt, $ntt)->{status}, 200, 'a link';
ok $c->quiet, 'its jobs are delivered';
ok $c->wait_for(5, sub { grep { /audit_heads_failed.*Is a directory/ }
	$c->log_lines('worker') }), 'and the log says why there are no heads';
rmdir $heads;
rename "$heads.away", $heads;

$c->stop;
done_testing;
