# No statement that a request or the worker runs reads a table from end to end.
# MariaDB's slow log, told to take everything for slow, has each statement that
# was run, those inside of BEGIN NOT ATOMIC with their values: each is explained
# in a database that has grown. All there are in the texts must have been run.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Grown;
use Test::More;
use Time::HiRes qw(sleep);

use constant {
	CTTS  => 8000,
	MOST  => 2500,   # rows that one may read; LIST's FEW, twice, and a bit
	GAUGE => 10_000, # where one of /metrics ends
	EACH  => 20,     # of a statement that is run again and again
};

# Not held to it: the console's, which nobody waits for, and which look at
# everything by purpose; what there is once for each database or host.
my %EXCEPT = (
	(map { $_ => 'cttctl migrate' } qw(HAS_SCHEMA MIGRATE_LOCK ODD_TABLES
		SCHEMA_VERSION CURRENT_USER GRANTS)),
	ADOPT => 'cttctl adopt',
	SEED => 'cttctl seed',
	(map { $_ => 'cttctl operations, jobs: all that are open or dead' }
		qw(OPEN_OPERATIONS ASSUMED_OPERATIONS RETRY_OPERATIONS
		DEAD_JOBS RETRY_JOBS)),
	(map { $_ => 'cttctl check compares whole tables' }
		qw(CHECK_LINK CHECK_LINK_OPERATION CHECK_COUNT CHECK_AUDIT
		CHECK_AUDIT_ONCE CHECK_JOB CHECK_JOB_FITS CHECK_JOB_LATE
		CHECK_ACTIVITY CHECK_STATUS CHECK_NOTE CHECK_HISTORY
		CHECK_ELEMENT CHECK_COPY CHECK_OPEN)),
	(map { $_ => 'cttctl audit verify goes along the whole trail' }
		qw(AUDIT_TYPES AUDIT_TRAIL AUDIT_FIRST AUDIT_GONE)),
);

# May read more rows than MOST.
my @MORE = (
	[ 10 * GAUGE, qr/'READY' state, COUNT/, '/metrics, which counts so far' ],
	[ 200_000, qr/ audit_log l WHERE l\.id > +NAME_CONST\('behind_id',\d+\)/,
		'the ends of the audit trail pass over what has no seal, once,'
		. ' in parts; or as it comes' ],
);

# Tables of which all is wanted, and that do not grow with the tickets.
my %SMALL = (lov => 'the lists of values', w => 'a row for each worker',
	worker => 'likewise');

my $c = Ctt->start(pool => 2, workers => 1, set => {
	CTT_LOG_LEVEL => 'debug', CTT_PARTNER_TIMEOUT_MS => 400,
	CTT_UNLINK_BLOCK_TTL => 1 }, mariadb => [qw(--slow-query-log=1
	--slow-query-log-file=slow.log --long-query-time=0
	--log-slow-disabled-statements= --log-slow-verbosity=)]);

plan skip_all => 'this build has no fault points' unless $c->faults;

# ---- a database that has grown ----

$c->cttctl('seed', '--ctts', CTTS, '--ntts', Grown::ntts(CTTS));
$c->do($_) for grep { !/^ANALYZE/ } Grown::statements(CTTS);
# what Grown has too little of to be found by an index
$c->do($_) for (
	'INSERT INTO activity_note(ctt_id, activity_id, text) SELECT ctt_id,'
	. " id, 'old' FROM ctt_activity",
	'INSERT INTO cpe_history(ctt_id, network_element_id, before_json,'
	. " after_json, actor, operation_id) SELECT ctt_id, id, '{}', '{}', '',"
	. " CONCAT('0-old-', id) FROM network_element",
	'INSERT INTO corp_data_temp(ctt_id, network_element_id) SELECT ctt_id,'
	. ' id FROM network_element',
	'INSERT INTO work_order(ntt_id, order_no) SELECT id, 1 FROM ctt',
	'INSERT INTO ntt(ticket_no) SELECT CONCAT("NX-", id) FROM ctt',
	'INSERT INTO idempotency(actor, path, idem_key, body_hash, status)'
	. " SELECT 'grown', '', id, '', 200 FROM ctt",
	'ANALYZE TABLE ctt, ntt, operation, job, audit_log, ctt_activity,'
	. ' work_order, network_element, activity_note, cpe_history,'
	. ' corp_data_temp, idempotency');
$c->{next} = { ctt => 1_000_000, ntt => 1_000_000, work_order => 1_000_000 };

# ---- all that there is to do ----

my $LOG = $c->dir . '/db/slow.log';
my $from = -s $LOG;
my @ROUTES = Changes::routes($c);
my $NO_TOKEN = [ Authorization => undef ];
my $n = 0;

sub a_key () { return ('Idempotency-Key' => 'key-' . ++$n) }

for my $route (@ROUTES) {
	for my $items (1, 3) {
		my @key = a_key();
		my $ch = Changes::given($c, $route, $items);
		# some NTTs have work orders
		$c->given(map { (work_order => { ntt_id => $_ }) }
		    @$ch{qw(ntt to)}) if $items > 1 || $n % 3;

		is Changes::ask($c, $ch, '?dryRun=true')->{status}, 200,
		    "$route of $items: dry run";
		is Changes::ask($c, $ch, '', @key)->{status}, 200, 'done'
		    for 1, 2;
		is Changes::ask($c, Changes::other($ch), '', @key)->{status},
		    422, 'the key is used up';
	}
	# what the partner refuses, is not known to have done, and does not do
	for my $items (1, 3) {
		for my $rule ([ do => 'status', status => 400 ],
		    [ do => 'cut', applied => 1, times => 3 ]) {
			my $ch = Changes::given($c, $route, $items);

			$c->rule(@$rule, ticket => "C-$_->{id}")
			    for @{ $ch->{tickets} };
			cmp_ok Changes::ask($c, $ch)->{status}, '>', 200,
			    "$route of $items: not done";
			$c->no_rules;
			ok $c->settle, 'and settled';
		}
	}
}

# One link goes by its cells, with a work order and without.
for (0, 1) {
	my ($ctt, $ntt) = $c->given_ctts(1);

	$c->given(work_order => { ntt_id => $ntt }) if $_;
	is $c->link("C-$ctt", "N-$ntt")->{status}, 200, 'by number';
	is $c->link($ctt, $ntt)->{status}, 409, 'twice is refused';
}

# An answer that nobody heard: the key's request is answered by the journal.
for my $route (@ROUTES) {
	my @key = a_key();
	my $ch = Changes::given($c, $route, 2);

	$c->fault('after-sync', 'kill');
	isnt Changes::ask($c, $ch, '', @key)->{status}, 200, 'it is killed';
	ok $c->settle, 'it is recovered';
	Changes::ask($c, $ch, '', @key);
}

# The database refuses to save it: is it there all the same?
{
	my ($ctt, $ntt) = $c->given_ctts(1);

	$c->fault('before-intent', 'fail');
	isnt $c->link($ctt, $ntt)->{status}, 200, 'not saved';
}

# Two requests at once with one key; and one that is to come again, whose key is
# freed.
{
	my ($ctt, $ntt) = $c->given_ctts(1);
	my @key = a_key();
	my $ask = sub (@headers) { $c->post('/ticket/ctt/link',
		{ cttId => $ctt, nttId => $ntt }, @headers) };

	$c->fault('after-load', 'delay', ms => 500);
	is_deeply [ sort map { $_->{status} } $c->parallel(2, sub ($) {
		$ask->(@key) }) ], [ 200, 409 ], 'one of two';
	($ctt) = $c->given_ctts(1);
	$c->fault('after-intent', 'delay', ms => 500);
	@key = a_key();
	my @r = $c->parallel(2, sub ($i) {
		sleep 0.2 if $i;
		return $ask->($i ? @key : ());
	});
	is $r[1]{json}{code}, 'OPERATION_IN_PROGRESS', 'one is to come again';
}

# The database is too busy with this CTT, again and again: nothing is begun, and
# the key stays free.
{
	my ($ctt, $ntt) = $c->given_ctts(1);

	$c->dbh->begin_work;
	$c->one('SELECT id FROM ctt WHERE id = ? FOR UPDATE', $ctt);
	my ($r) = $c->parallel(2, sub ($i) {
		return $c->post('/ticket/ctt/link', { cttId => $ctt,
		    nttId => $ntt }, a_key()) unless $i;
		my $dbh = $c->connect_db('CTT_DB');
		my $ends = 0;
		return $c->wait_for(5, sub {
			$ends += grep { eval { $dbh->do("KILL QUERY $_") } }
			    @{ $dbh->selectcol_arrayref('SELECT id FROM'
			    . ' information_schema.processlist WHERE'
			    . " command = 'Execute' AND time_ms > 80"
			    . ' AND id <> CONNECTION_ID()') };
			return $ends >= 5;
		});
	});
	$c->dbh->rollback;
	is $r->{json}{code}, 'DB_UNAVAILABLE', 'not begun';
}

# What recovery cannot do it puts off.
{
	my $ntt = $c->given(ntt => {});

	$c->given(operation => { id => 'gone', kind => 'LINK', ctt_id => 4e6,
		ntt_id => $ntt, state => 'RUNNING', actor => 'x' });
	ok $c->wait_for(5, sub { $c->row(operation => 'gone')->{tries} }),
	    'an operation of a CTT that is gone is put off';
	$c->unplant;
}

# In company: requests pass the trays where a process has threads.
$c->restart_pool(2, CTT_THREADS => 8);
for my $route (@ROUTES) {
	for my $items ($route =~ /bulk|then-link|unlink/ ? (1, 2) : 1) {
		my $ch = Changes::given($c, $route, $items);

		is Changes::ask($c, $ch)->{status}, 200,
		    "$route in company: done";
	}
}
$c->restart_pool(2, CTT_THREADS => 1);

# Many of two NTTs, with no trail and with one; a move of many, from two.
{
	my @ctts = $c->given_ctts(4);
	my ($a, $b) = (pop @ctts, $c->given(ntt => {}));
	my $i = 0;

	is $c->bulk(map { [ $_, $i++ % 2 ? $a : $b ] } @ctts)->{status}, 200,
	    'links to two NTTs';
	is $c->move_to($c->row(ntt => $a)->{ticket_no}, [ grep {
		$c->row(ctt => $_)->{ntt_id} == $b } @ctts ])->{status}, 200,
	    'moves';
}

# A job that is refused, one whose receiver is away, and one behind another.
{
	my ($a, $b, $ntt) = $c->given_ctts(2);

	$c->rule(partner => 'queue', do => 'status', status => $_, times => 3)
	    for 400, 503;
	is $c->bulk([ $a, $ntt ], [ $b, $ntt ])->{status}, 200, 'two links';
	$c->do("INSERT INTO job(type, payload, dedupe_key, run_at) SELECT"
	    . " 'update-tmf-list', JSON_OBJECT('cttId', $a), CONCAT('wait-',"
	    . ' seq), UTC_TIMESTAMP(3) + INTERVAL 2 - seq SECOND FROM'
	    . ' seq_1_to_2');
	ok $c->quiet, 'their jobs are delivered in the end';
	$c->no_rules;
}

# Each of the lists' filters with each other: rare, and of many.
{
	my $op = $c->one('SELECT MAX(id) FROM operation');
	my $request = $c->one('SELECT MAX(request_id) FROM operation');
	my @q = ('', 'q=CTT-0000001', 'q=none', 'q=C', 'ticketNo=CTT-0000001');
	my @status = ('', 'status=Open', 'status=Closed',
		'status=Open,Closed,Pending');
	my @linked = ('', 'linked=true', 'linked=false',
		'updatedSince=2020-01-01T00:00:00Z',
		'updatedSince=2999-01-01T00:00:00Z');
	my $ntt = $c->one('SELECT ntt_id FROM operation WHERE id = ?', $op);
	my $ctt = $c->one('SELECT MAX(ctt_id) FROM cpe_history');
	my @admin = (Authorization => 'Bearer '
	    . $c->token(roles => ['ctt-admin']));

	for my $list (qw(ctt ntt)) {
		for my $q ($list eq 'ntt' ? map { s/=C/=N/r } @q : @q) {
			for my $s (@status) {
				push my @all, map { "/ticket/$list?" . join '&',
					'limit=5', grep { $_ } $q, $s, $_ }
					@linked;
				is $c->get($_)->{status}, 200, $_ for @all;
			}
		}
	}
	is $c->get($_)->{status}, 200, $_ for qw(/ticket/ctt/5000 /ticket/ntt/2
		/ticket/ntt/2/ctts /ticket/lov), "/ticket/operation/$op",
		"/ticket/operation?requestId=$request";
	my $times = 'from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z';
	is $c->get("/ticket/$_")->{status}, 200, $_ for (
		(map { "operation?limit=5&$_" } "cttId=$ctt", "nttId=$ntt",
			'nttId=2&state=SUCCEEDED', 'nttId=2&state=SETTLING',
			"cttId=$ctt&nttId=2&state=REFUSED", 'state=SUCCEEDED',
			'state=COMPENSATED', 'state=RUNNING',
			"requestId=$request&state=SUCCEEDED&cttId=$ctt"),
		(map { my $after = $_; map { "audit?limit=5&$_$after" } '',
			"cttId=$ctt", 'nttId=2', 'actor=grown', 'actor=olga',
			$times, "nttId=2&actor=grown&$times",
			"actor=grown&$times" } '', '&after=1000'),
		"ctt/$ctt/cpe-history?limit=5");
	is $c->get('/ticket/health', @admin)->{status}, 200, 'health';
	is $c->get($_, @$NO_TOKEN)->{status}, 200, $_
	    for qw(/healthz /readyz /metrics);
}

# ---- a backlog ----

{
	my $more = GAUGE + 1;

	is $c->stack('stop', 'worker'), 1, 'the worker stops';
	$c->do('INSERT INTO job(type, payload, dedupe_key) SELECT'
	    . " 'update-tmf-list', '{}', CONCAT('backlog-', seq)"
	    . " FROM seq_1_to_$more");
	my @admin = (Authorization => 'Bearer '
		. $c->token(roles => ['ctt-admin']));
	my $jobs = sub {
		$c->get('/ticket/health', @admin);    # leaves it to the metrics
		return $c->get('/metrics', @$NO_TOKEN)->{raw}
		    =~ /^cttd_jobs\{state="READY"\} (\d+)$/m ? $1 : undef };
	is $jobs->(), GAUGE, "of $more jobs the metrics count " . GAUGE;
	$c->do("DELETE FROM job WHERE dedupe_key LIKE 'backlog-%' LIMIT 2");
	is $jobs->(), GAUGE - 1, 'fewer are counted';
	$c->do("DELETE FROM job WHERE dedupe_key LIKE 'backlog-%'");
	# what is too old is removed when it starts
	$c->do("INSERT INTO job(type, payload, dedupe_key, state, run_at)"
	    . " SELECT 'old', '{}', CONCAT('old-', seq), 'DONE', '2001-01-01'"
	    . ' FROM seq_1_to_100');
	$c->do("INSERT INTO operation(id, kind, state, actor, created_at)"
	    . " SELECT CONCAT('0-refused-', seq), 'LINK', 'REFUSED', 'old',"
	    . " '2001-01-01' FROM seq_1_to_100");
	is $c->stack('start', 'worker'), 1, 'the worker starts';
	ok $c->wait_for(20, sub { !$c->one("SELECT (SELECT COUNT(*) FROM job"
		. " WHERE type = 'old') + (SELECT COUNT(*) FROM operation"
		. " WHERE actor = 'old')") }), 'what is too old is removed';
}
ok $c->settle && $c->quiet, 'all is done';
my $to = -s $LOG;

# ---- what was run ----

# A text without its values: those of parameters, of variables, of LIMIT.
sub shape ($sql) {
	state $text = qr/'(?:[^'\\]|\\.|'')*+'/;

	$sql =~ s/NAME_CONST\('(\w+)',(?:NULL|-?[\d.]+|(?:_\w+|TIMESTAMP)?$text(?: COLLATE $text)?)\)/$1/g;
	$sql =~ s/$text|\?|NULL/''/g;
	$sql =~ s/\bLIMIT \w+/LIMIT/g;
	return $sql =~ s/\s+//gr;
}

# The statements within a text.
sub inner ($text) {
	my @strings;

	$text =~ s/('(?:[^'\\]|\\.|'')*+')/push @strings, $1; "\0$#strings\0"/ge;
	return map { s/\0(\d+)\0/$strings[$1]/gr }
	    grep { /^\(?(?:SELECT|UPDATE|INSERT|DELETE)\b/ }
	    map { s/^\s+//r } split /;|\bTHEN\b|\bELSE\b|\bBEGIN NOT ATOMIC\b/,
	    $text;
}

# The statements of cttd's own user: {sql, rows}.
sub logged () {
	open my $fh, '<:raw', $LOG or die "$LOG: $!\n";
	seek $fh, $from, 0;
	read $fh, my $log, $to - $from;
	my @all;

	for (split /^# User\@Host: /m, $log) {
		my ($rows) = /Rows_examined: (\d+)/ or next;
		s/\n# Time:.*//s;
		next unless /^ctt\[ctt\]/;
		next if /information_schema/;    # our own look at who waits
		my ($sql) = /^SET timestamp=\d+;\n(.*);\s*\z/ms or next;
		push @all, { sql => $sql, rows => $rows };
	}
	return @all;
}

my (%run, %text, %most);
for (logged()) {
	my ($sql, $rows) = @$_{qw(sql rows)};

	if ($sql =~ /^BEGIN NOT ATOMIC/) {
		$text{$sql} = 1;
	} elsif ($sql =~ /^\(?(?:SELECT|UPDATE|INSERT|DELETE)\b/) {
		my $shape = shape($sql);
		my $seen = $run{$shape} //= [];

		push @$seen, $sql if @$seen < EACH;
		$most{$shape} = [ $rows, $sql ]
		    if $rows > ($most{$shape}[0] // -1);
	}
}
cmp_ok scalar keys %run, '>', 50, keys(%run) . ' statements were run';

# ---- is it all there is? ----

{
	local @ARGV = glob "$FindBin::Bin/../src/store/sql/*.sql";
	my %known = map { /^\@statement (\w+)/ ? ($1 => 1) : () } <>;
	my %ran = map { /event=db .*\bsql=(\w+)/ ? ($1 => 1) : () }
	    map { $c->log_lines($_) } qw(pool worker);

	is_deeply [ grep { !$known{$_} } sort keys %EXCEPT ], [],
	    'what is excepted is there';
	is_deeply [ grep { !$ran{$_} && !$EXCEPT{$_} } sort keys %known ], [],
	    'each statement was run';
	is_deeply [ grep { $ran{$_} && $EXCEPT{$_} } sort keys %known ], [],
	    'of those that are excepted none';
	my @not = grep { (/ FROM|^[^S]/) && !$run{ shape($_) } }
	    map { inner($_) } sort keys %text;
	ok !@not, 'and all that is in each of them' or diag join "\n", @not;
}

# ---- how ----

# What is not found by an index: "table (type): statement". The session has
# the tables' collation (store/db.c).
sub scans () {
	my @scans;

	$c->do('SET NAMES utf8mb4 COLLATE utf8mb4_general_ci,'
	    . ' collation_database = utf8mb4_general_ci'
	    . " /*M!110201 , character_set_collations = '' */");

	for my $sql (map { @$_ } @run{ sort keys %run }) {
		my $plan = eval { $c->dbh->selectall_arrayref('EXPLAIN '
			. $sql =~ s/ INTO \w+ FROM/ FROM/r, { Slice => {} }) };
		push @scans, "$@$sql" unless $plan;
		push @scans, map { "$_->{table} ($_->{type}): "
			. substr $sql, 0, 300 } grep {
			($_->{type} // '') =~ /^(?:ALL|index)$/
			&& $_->{select_type} ne 'INSERT'
			&& $_->{Extra} !~ /Table function: json_table/
			&& $_->{table} !~ /^<(?:derived|union|subquery)\d/
			&& !$SMALL{ $_->{table} } } @$plan;
	}
	return @scans;
}

{
	my @scans = scans();
	ok !@scans, 'no statement scans a table' or diag join "\n", @scans;
	my @many = map { "$_->[0] rows: " . substr $_->[1], 0, 300 }
	    grep { my $seen = $_; !grep { $seen->[1] =~ $_->[1]
		&& $seen->[0] <= $_->[0] } @MORE }
	    grep { $_->[0] > MOST } values %most;
	ok !@many, 'nor did one read many rows' or diag join "\n", @many;
}

# It is seen where an index is missing.
for ([ activity_note => 'activity_note_ctt', '(ctt_id, id)' ],
    [ network_element => 'network_element_ctt', '(ctt_id, id)' ]) {
	my ($table, $index, $columns) = @$_;

	$c->do("ALTER TABLE $table DROP KEY $index");
	my @scans = scans();
	ok @scans && !grep({ !/^[te] \((?:ALL|index)\)/ } @scans), "without $index "
	    . @scans . ' scan' or diag join "\n", @scans;
	$c->do("ALTER TABLE $table ADD KEY $index $columns");
}

$c->stop;
done_testing;
