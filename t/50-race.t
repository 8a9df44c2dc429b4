# Races, run by real clients: one wins, all is counted, and nobody ever sees a
# deadlock.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use List::Util qw(shuffle sum);
use Test::More;

my $c = Ctt->start(pool => 8);

sub by_code (@results) {
	my %n;
	$n{ $_->{json}{code} // $_->{error}{code} // 'linked' }++ for @results;
	return \%n;
}

# ---- what the database itself does not store twice ----

{
	my ($ctt) = $c->given(ctt => {});
	my $element = $c->given_element($ctt);
	my %job = (type => 'x', payload => '{}', state => 'DEAD',
		dedupe_key => 'one');
	my $n = 0;

	for (
		[ 'an open operation of a CTT', sub {
			$c->plant_busy($ctt, id => 'busy-' . ++$n) } ],
		[ 'a job', sub { $c->given(job => {%job}) } ],
		[ 'the copy of an element', sub {
			$c->given(corp_data_temp => { ctt_id => $ctt,
				network_element_id => $element }) } ],
	) {
		my ($name, $store) = @$_;
		is_deeply [ map { !!eval { $store->(); 1 } } 1, 2 ],
		    [ !!1, !!0 ], "$name: once";
		$c->dbh->rollback;
	}
	$c->unplant;
	$c->do("DELETE FROM $_") for qw(job corp_data_temp);
}

# ---- a transaction that meets deadlocks is run again ----

# One that is not rolled back counts how often it still happens.
$c->do('CREATE TABLE trouble (times INT) ENGINE=MyISAM');
$c->do('INSERT INTO trouble VALUES (0)');
for (
	[ 'a deadlock', 1213, 'as it begins', q{UPDATE ON ctt} ],
	[ 'a deadlock', 1213, 'as it ends', q{INSERT ON audit_log} ],
	[ 'a lock that is not had', 1205, 'as it begins', q{UPDATE ON ctt} ],
	[ 'a lock that is not had', 1205, 'as it ends',
		q{INSERT ON audit_log} ],
) {
	my ($name, $errno, $when, $on) = @$_;
	my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});

	$c->do("CREATE TRIGGER trouble BEFORE $on FOR EACH ROW BEGIN"
	    . ' UPDATE trouble SET times = times - 1;'
	    . ' IF (SELECT times FROM trouble) >= 0 THEN'
	    . " SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = $errno; END IF; END");
	$c->do('UPDATE trouble SET times = 4');
	is $c->link($ctt, $ntt)->{status}, 200, "four times $name $when";
	cmp_ok $c->one('SELECT times FROM trouble'), '<', 0, 'were met';
	$c->do('DROP TRIGGER trouble');
	$c->agree;
}
$c->do('DROP TABLE trouble');

# Until a session of cttd's waits for what another holds.
sub one_waits () {
	my $cttd = $c->connect_db('CTT_DB');

	return $c->wait_for(20, sub {
		return $cttd->selectrow_array('SELECT 1 FROM'
		    . ' information_schema.processlist'
		    . " WHERE command = 'Execute' AND time_ms > 200"
		    . ' AND id <> CONNECTION_ID()');
	});
}

# ---- of two NTTs the one with the lower id is locked first ----

# Else two bulks could each hold what the other waits for.
{
	my ($c1, $c2, $low, $high) = $c->given(ctt => {}, ctt => {}, ntt => {},
	    ntt => {});
	my $holder = $c->connect_db('CTT_DB_MIGRATE');

	$holder->begin_work;
	$holder->do("SELECT id FROM ntt WHERE id = $low FOR UPDATE");
	my ($r, $look) = $c->parallel(2, sub ($i) {
		return $c->bulk([ $c1, $high ], [ $c2, $low ]) unless $i;
		my $waits = one_waits();
		my $free = eval { $c->do("SELECT id FROM ntt WHERE id = $high"
		    . ' FOR UPDATE NOWAIT'); 1 };
		$holder->rollback;
		return { waits => $waits, free => $free };
	});
	$holder->disconnect;
	is_deeply $look, { waits => 1, free => 1 },
	    'who waits for the lower one does not hold the higher one';
	is $r->{status}, 200, 'and goes on when it has it';
	$c->agree;
}

# ---- what is not there is not locked ----

{
	my $absent = 900_000_001;
	my ($ctt, $ntt) = $c->given(ctt => { id => $absent + 1 }, ntt => {});
	my $holder = $c->connect_db('CTT_DB_MIGRATE');

	$holder->begin_work;
	$holder->do("SELECT id FROM ctt WHERE id = $ctt FOR UPDATE");
	my ($r, $free) = $c->parallel(2, sub ($i) {
		return $c->bulk([ $absent, $ntt ], [ $ctt, $ntt ]) unless $i;
		my $waits = one_waits();
		$c->do('SET SESSION innodb_lock_wait_timeout = 1');
		my $stored = eval { $c->do('INSERT INTO ctt(id, ticket_no,'
		    . " source) VALUES ($absent, 'absent', 'TMF')"); 1 };
		$holder->rollback;
		return { waits => $waits, stored => $stored };
	});
	$holder->disconnect;
	is_deeply $free, { waits => 1, stored => 1 },
	    'who looks for a CTT that is not there does not hold its place';
	is $r->{status}, 207, 'and goes on with the other';
	$c->do("DELETE FROM ctt WHERE id = $absent");
	$c->agree;
}

# ---- who waited for a CTT sees what became of it meanwhile ----

for (
	[ 'a link', sub ($ctt, $ntt, $) { $c->link($ctt, $ntt) } ],
	[ 'one of a bulk', sub ($ctt, $ntt, $other) {
		$c->bulk([ $ctt, $ntt ], [ $other, $ntt ]) } ],
	[ 'an unlink', sub ($ctt, $ntt, $) { $c->post('/ticket/ctt/unlink',
		{ nttId => $ntt, cttIds => [$ctt] }) } ],
) {
	my ($name, $ask) = @$_;
	my ($ctt, $ntt, $other) = $c->given(ctt => {}, ntt => {}, ctt => {});
	my $holder = $c->connect_db('CTT_DB_MIGRATE');

	$c->plant_owner;
	$holder->begin_work;
	$holder->do("SELECT id FROM ctt WHERE id = $ctt FOR UPDATE");
	my ($r) = $c->parallel(2, sub ($i) {
		return $ask->($ctt, $ntt, $other) unless $i;
		one_waits();
		$holder->do('INSERT INTO operation(id, kind, state, ctt_id,'
		    . ' actor, request_id, steps, owner) SELECT'
		    . " 'busy-$ctt', 'CPE_UPDATE', 'RUNNING', id, 'x', 'r',"
		    . " '[]', 'some-body' FROM ctt WHERE id = $ctt");
		$holder->commit;
	});
	my ($error) = grep { $_->{openOperationId} } $r->{json},
	    map { $_->{error} // () } @{ $r->{json}{results} // [] };

	is_deeply [ @{ $error // {} }{qw(code openOperationId)} ],
	    [ 'OPERATION_IN_PROGRESS', "busy-$ctt" ], $name;
	$holder->disconnect;
	$c->unplant;
}

# ---- fifty clients, one CTT ----

for my $source (qw(TAAS TMF)) {
	my $ctt = $c->given(ctt => { source => $source });
	my @ntts = $c->given((ntt => {}) x 50);
	my @r = $c->parallel(50, sub ($i) { $c->link($ctt, $ntts[$i]) });
	my ($won) = grep { $r[$_]{status} == 200 } 0 .. 49;

	is scalar(grep { $_->{status} == 200 } @r), 1, "$source: one wins";
	is scalar(grep { $_->{status} == 409 } @r), 49, 'the others are told';
	is_deeply [ grep { !/^(linked|OPERATION_IN_PROGRESS|CTT_ALREADY_LINKED)$/ }
		keys %{ by_code(@r) } ], [], 'why';
	is $c->row(ctt => $ctt)->{ntt_id}, $ntts[$won], 'it is the winner\'s';
	is $c->one('SELECT SUM(ctt_count) FROM ntt WHERE id BETWEEN ? AND ?',
	    @ntts[0, -1]), 1, 'and counted once';
	is scalar(grep { $_->{applied} }
		$c->heard(lc $source, ticket => "C-$ctt")), 1,
	    'the partner heard of no other';
	is $c->one('SELECT COUNT(*) FROM audit_log WHERE entity_type = ?'
	    . ' AND entity_id = ?', 'CTT', $ctt), 1, 'one audit row';
	$c->agree;
}

# ---- the same, in bulks and alone, each CTT wanted by many ----

{
	my @ctts = $c->given(map { (ctt => { source => $_ % 2 ? 'TAAS'
		: 'TMF' }) } 1 .. 30);
	my @ntts = $c->given((ntt => {}) x 3);
	my @r = $c->parallel(12, sub ($i) {
		my $ntt = $ntts[$i % 3];
		my @order = $i == 0 ? @ctts : $i == 1 ? reverse @ctts
		    : shuffle @ctts;
		return [ @{ $c->bulk(map { [ $_, $ntt ] } @order)
			->{json}{results} } ] if $i < 8;
		return [ map { $c->link($_, $ntt) } @order[0 .. 9] ];
	});
	my $n = by_code(map { @$_ } @r);

	is delete $n->{linked}, 30, 'each CTT is linked once';
	delete @$n{qw(CTT_ALREADY_LINKED OPERATION_IN_PROGRESS)};
	is_deeply $n, {}, 'the others are told so';
	$c->agree('after the crowd, both sides');
}

# ---- a storm on few NTTs: nobody fails, and the counts hold ----

{
	my @ntts = $c->given((ntt => {}) x 3);
	my @ctts = $c->given(map { (ctt => { source => $_ % 3 ? 'TAAS'
		: 'TMF' }) } 1 .. 320);
	my @r = $c->parallel(16, sub ($i) {
		my @mine = @ctts[20 * $i .. 20 * $i + 19];
		my @pairs = map { [ $_, $ntts[ $_ % 3 ] ] } @mine;
		return [ map { $_->{status} } map { $c->link(@$_) } @pairs ]
		    if $i % 2;
		return [ map { $c->bulk(@$_)->{status} }
			[ @pairs[0 .. 9] ], [ reverse @pairs[10 .. 19] ] ];
	});

	is_deeply [ grep { $_ != 200 } map { @$_ } @r ], [],
	    'a storm of links, single and bulk: all succeed';
	is $c->one('SELECT SUM(ctt_count) FROM ntt WHERE id BETWEEN ? AND ?',
	    @ntts[0, -1]), 320, 'all counted';
	is_deeply [ $c->column('SELECT ctt_count FROM ntt WHERE id BETWEEN ?'
		. ' AND ? ORDER BY id', @ntts[0, -1]) ],
	    [ map { my $n = $_; scalar grep { $ntts[ $_ % 3 ] == $n } @ctts }
		@ntts ], 'each where it belongs';
	$c->agree('after the storm, both sides');
}

ok $c->quiet(60), 'all jobs are delivered';
is_deeply [ $c->column('SELECT b.type FROM operation o JOIN job b'
	. " ON b.dedupe_key LIKE CONCAT(o.id, ':%')"
	. " WHERE o.state <> 'SUCCEEDED'") ], [], 'no job of what failed';
$c->stop;
done_testing;
