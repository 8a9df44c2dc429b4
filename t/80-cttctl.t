# The operator's console, and how the programs take their settings.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Digest::SHA ();
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Util qw(free_port slurp spew);

my $c = Ctt->start(pool => 1);

# ---- settings ----

my @NAMES = qw(CTT_DB_HOST CTT_DB_PORT CTT_DB_SOCKET CTT_DB_USER
	CTT_DB_PASSWORD_FILE CTT_DB_NAME CTT_MEMCACHED CTT_TAAS_URL CTT_TMF_URL
	CTT_NIG_URL CTT_QUEUE_URL CTT_TAAS_TOKEN_FILE CTT_TMF_TOKEN_FILE
	CTT_NIG_TOKEN_FILE CTT_QUEUE_TOKEN_FILE CTT_PARTNER_TIMEOUT_MS
	CTT_PARTNER_CONNECT_TIMEOUT_MS CTT_SYNC_CONCURRENCY
	CTT_TMF_RELATIONSHIP CTT_UNLINK_BLOCK_TTL CTT_RESOLUTION_REQUIRED
	CTT_BULK_MAX_ITEMS CTT_JWT_ALG CTT_JWT_KEY_FILE CTT_JWT_ISSUER
	CTT_JWT_AUDIENCE CTT_ROLES_READ CTT_ROLES_LINK CTT_ROLES_STATUS
	CTT_ROLES_CPE CTT_KEEP_JOBS_DAYS CTT_KEEP_REFUSED_DAYS
	CTT_LOG_LEVEL);

{
	my $sample = $c->cttctl({ map { $_ => undef } @NAMES }, 'settings');
	my %default = $sample->{out} =~ /^#(CTT_[A-Z_]+)=(.*)$/mg;

	is $sample->{status}, 0, 'cttctl settings needs no settings';
	is_deeply [ grep { !exists $default{$_} } @NAMES ], [],
	    'and shows each of them';
	is_deeply [ grep { !/^(# .+|#CTT_[A-Z_]+=.*|)$/ }
		split /\n/, $sample->{out} ], [], 'with a line about it';
	is_deeply [ @default{qw(CTT_PARTNER_TIMEOUT_MS
		CTT_PARTNER_CONNECT_TIMEOUT_MS CTT_SYNC_CONCURRENCY
		CTT_TMF_RELATIONSHIP CTT_UNLINK_BLOCK_TTL CTT_BULK_MAX_ITEMS
		CTT_RESOLUTION_REQUIRED CTT_ROLES_LINK)} ],
	    [ 5000, 1000, 64, 'isChild', 60, 500,
		'causeCode,disposition,resolutionCode',
		'ctt-operator,ctt-admin' ], 'and its default';
	my ($chapter) = slurp("$FindBin::Bin/../README")
	    =~ /^SETTINGS\n(.*?)\n\n\n/ms;
	is_deeply [ sort $chapter =~ /^\t(CTT_[A-Z_]+)/mg ],
	    [ sort keys %default ], 'README has the same ones';
	is $c->run('ctt.fcgi', {%default{ grep { $default{$_} ne '' }
		grep { !/^CTT_(DB|JWT)_/ } keys %default }}, '--check')
	    ->{status}, 0, 'the defaults are good settings';
}

for (
	[ CTT_DB_PORT => '0' ], [ CTT_DB_PORT => '65536' ],
	[ CTT_DB_PORT => '33 06' ], [ CTT_DB_PASSWORD_FILE => '/nowhere' ],
	[ CTT_DB_USER => '' ], [ CTT_DB_NAME => '' ],
	[ CTT_TAAS_URL => undef ], [ CTT_TMF_URL => 'ftp://x' ],
	[ CTT_NIG_URL => 'http://x y' ], [ CTT_QUEUE_URL => '' ],
	[ CTT_TAAS_TOKEN_FILE => '/nowhere' ],
	[ CTT_PARTNER_TIMEOUT_MS => 'soon' ], [ CTT_PARTNER_TIMEOUT_MS => '-1' ],
	[ CTT_PARTNER_CONNECT_TIMEOUT_MS => '1e3' ],
	[ CTT_KEEP_JOBS_DAYS => '-1' ], [ CTT_KEEP_REFUSED_DAYS => 'x' ],
	[ CTT_SYNC_CONCURRENCY => '0' ], [ CTT_BULK_MAX_ITEMS => '0' ],
	[ CTT_UNLINK_BLOCK_TTL => '99999999999999999999' ],
	[ CTT_LOG_LEVEL => 'loud' ],
	(map { [ CTT_RESOLUTION_REQUIRED => $_ ] } 'causecode', 'CAUSE_CODE',
		'causeCode;disposition', 'causeCode,status', 'x' x 200),
	(map { [ CTT_TAAS_URL => $_ ] } 'http://', 'https:///api', 'http://:80',
		'http://x:', 'http://x:0', 'http://x:65536', 'http://x:99999',
		'http://x:8o80', 'http://x:1:2', 'http://::1', 'http://[::1',
		'http://[x]:80', 'http://[]', 'http://[::1]80', 'http://a:b@x',
		'http://a_b?x y', 'taas.example'),
	(map { [ CTT_MEMCACHED => $_ ] } 'localhost', 'localhost:', ':11211',
		'::1:11211', '[::1]', '[]:11211', '[::1]:0', 'x:65536',
		'x:11211,', ',x:11211', 'x:1 y:1', 'x:1;y:1', '%', '/tmp/sock'),
	[ CTT_JWT_ALG => 'none', 'ctt.fcgi' ],
	[ CTT_JWT_ALG => 'HS512', 'ctt.fcgi' ],
	[ CTT_JWT_KEY_FILE => '/nowhere', 'ctt.fcgi' ],
	[ CTT_JWT_ALG => 'HS256,RS256', 'ctt.fcgi' ],
	[ CTT_JWT_JWKS_URL => 'https://idp.example/keys', 'ctt.fcgi' ], # HS256
	(map { [ CTT_JWT_JWKS_URL => $_ ] } 'http://idp.example/keys',
		'http://127.0.0.1.example/', 'http://localhost@idp.example/',
		'https://', 'https://a:b@x/', 'file:///etc/passwd', 'idp'),
	[ CTT_JWT_CA_FILE => '/nowhere' ], [ CTT_JWT_LEEWAY_S => '-1' ],
	[ CTT_JWT_JWKS_KEEP_S => 'x' ],
	(map { [ CTT_JWT_ROLES_CLAIM => $_ ], [ CTT_JWT_ACTOR_CLAIM => $_ ] }
		'', 'a b', 'a"b', 'a\\b', "a\tb", 'x' x 128),
	[ CTT_JWT_KEY_FILE => undef, 'ctt.fcgi' ],
	[ CTT_JWT_KEY_FILE => '/dev/null', 'ctt.fcgi' ],
) {
	my ($name, $value, @only) = @$_;

	for my $program (@only ? @only : qw(ctt.fcgi ctt-worker)) {
		my $r = $c->run($program, { $name => $value },
		    $program eq 'ctt.fcgi' ? '--check' : ());
		is_deeply [ $r->{status}, $r->{err} =~ tr/\n// ], [ 1, 1 ],
		    "$program: $name=" . ($value // 'nothing') . ' stops it';
		like $r->{err}, qr/\b$name\b/, 'by a line that names it';
	}
}

# What is right is taken.
for (
	(map { [ CTT_RESOLUTION_REQUIRED => $_ ] } '', 'causeCode',
		' delayReason , causeCode '),
	(map { [ CTT_TAAS_URL => $_ ] } 'http://x', 'https://x.example:443/a/b/',
		'http://[::1]:80', 'http://[2001:db8::1]/x', 'http://10.0.0.1:1',
		'http://a_b:65535', 'http://a_b?x', 'http://x/y/?a=b&c=/d'),
	[ CTT_JWT_ROLES_CLAIM => 'https://x.example/roles' ],
	[ CTT_JWT_ACTOR_CLAIM => 'x' x 127 ],
	(map { [ CTT_MEMCACHED => $_ ] } '', 'localhost:11211', '[::1]:11211',
		'10.0.0.1:1,[2001:db8::1]:2,cache-1.x_y:65535'),
) {
	my ($name, $value) = @$_;
	my $r = $c->run('ctt.fcgi', { $name => $value }, '--check');

	is_deeply [ @$r{qw(status err)} ], [ 0, '' ], "$name=$value is good";
}

# All that is wrong is named at once, also what another part finds.
{
	my $r = $c->run('ctt.fcgi', { CTT_DB_PORT => 'x', CTT_TMF_URL => undef,
		CTT_MEMCACHED => 'x', CTT_JWT_ALG => 'none',
		CTT_NIG_CA_FILE => $0, CTT_RESOLUTION_REQUIRED => 'x' },
	    '--check');
	is_deeply [ $r->{status}, sort $r->{err} =~ /^ctt\.fcgi: (CTT_\w+)/mg ],
	    [ 1, qw(CTT_DB_PORT CTT_JWT_ALG CTT_MEMCACHED CTT_NIG_CA_FILE
		CTT_RESOLUTION_REQUIRED CTT_TMF_URL) ], 'six lines for six';
}

# A name that nobody reads is told, without its value, and stops nothing.
for my $name (qw(CTT_RESOLUTION_REQUIERD CTT_ CTT_DB_PORT_)) {
	my $r = $c->run('ctt.fcgi', { $name => 'secret' }, '--check');

	is $r->{status}, 0, "$name stops nothing";
	like $r->{err}, qr/level=warn event=unknown_setting name=\Q$name\E$/m,
	    'and is told';
	unlike $r->{err}, qr/secret/, 'by its name alone';
}

# The end of a line is no part of a secret, be it LF or CR LF.
for my $end ('', "\n", "\r\n") {
	my ($key, $token) = map { $c->dir . "/tmp/$_" } qw(key token);

	spew($key, 'k' x 32 . $end);
	spew($token, "t$end");
	my %set = (CTT_JWT_KEY_FILE => $key);
	my $r = $c->run('cttctl', \%set, 'token', '--sub', 'x', '--roles', 'y');
	my ($head, $body, $seal) = split /\./, $r->{out} =~ s/\n//r;

	is $seal, Digest::SHA::hmac_sha256_base64("$head.$body", 'k' x 32)
	    =~ tr{+/}{-_}r, 'the key signs without ' . unpack 'H*', $end;
}

for (
	[ [], 2 ], [ ['nothing'], 2 ], [ [ 'check', 'x' ], 2 ],
	[ [ 'token', '--sub' ], 2 ], [ [ 'seed', '--ctts', '-1' ], 2 ],
	[ ['--help'], 0 ], [ ['--version'], 0 ],
) {
	my ($words, $status) = @$_;
	my $r = $c->cttctl(@$words);

	is $r->{status}, $status, "cttctl @$words: exit $status";
	ok length $r->{ $status ? 'err' : 'out' }, 'and it says something';
}

# ---- migrate ----

sub schema () {
	return [ map { join ' ', map { $_ // 'NULL' } @$_ }
		@{ $c->dbh->selectall_arrayref('SELECT table_name, column_name,'
		. ' column_type, is_nullable, column_default, column_key FROM'
		. ' information_schema.columns WHERE table_schema = DATABASE()'
		. ' ORDER BY 1, 2') } ];
}

{
	my $schema = schema();
	my $lov = $c->one('SELECT COUNT(*) FROM lov');

	$c->do("UPDATE lov SET label = 'Storm' WHERE code = 'WEATHER'");
	my $r = $c->cttctl('migrate');
	is_deeply [ $r->{status}, $r->{out} =~ /migrated/ ? 'did' : 'did not' ],
	    [ 0, 'did not' ], 'a second migration has nothing to do';
	is $c->one("SELECT label FROM lov WHERE code = 'WEATHER'"), 'Storm',
	    'and leaves what an administrator changed';

	ok $c->stack('stop', $_), "the $_ stops" for qw(worker pool);
	$c->do('DROP DATABASE ctt');
	$c->do('CREATE DATABASE ctt CHARACTER SET utf8mb4');
	$c->do('USE ctt');
	my @r = $c->parallel(4, sub ($) { $c->cttctl('migrate') });
	is_deeply [ map { $_->{status} } @r ], [ (0) x 4 ], 'four at once';
	is scalar(() = join('', map { $_->{out} } @r) =~ /^migrated to 1:/mg), 1,
	    'one of them does it';
	is_deeply schema(), $schema, 'the schema is the same';
	is $c->one('SELECT COUNT(*) FROM lov'), $lov, 'and the lists';
	ok $c->stack('start', $_), "the $_ starts" for qw(pool worker);
}

# ---- texts of another collation: MariaDB 11 gives its own to new tables ----

# What SHOW CREATE TABLE says of all tables.
sub tables () {
	return { map { $_ => $c->dbh->selectrow_arrayref(
		"SHOW CREATE TABLE `$_`")->[1] =~ s/ AUTO_INCREMENT=\d+//r }
		@{ $c->dbh->selectcol_arrayref("SHOW TABLES") } };
}

{
	my $tables = tables();
	my $other = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci';
	my @columns = $c->rows('SELECT table_name t, column_name c,'
	    . ' column_type type, IF(is_nullable = "NO", "NOT NULL", "") n,'
	    . ' COALESCE(CONCAT("DEFAULT ", column_default), "") d'
	    . ' FROM information_schema.columns WHERE table_schema = DATABASE()'
	    . ' AND collation_name = "utf8mb4_general_ci"');

	cmp_ok @columns, '>', 40, 'the texts have one collation';
	$c->do("ALTER TABLE $_->{t} DEFAULT $other,"
	    . " MODIFY $_->{c} $_->{type} $other $_->{n} $_->{d}") for @columns;
	my $check = $c->run('ctt.fcgi', '--check');
	is $check->{status}, 1, '--check fails';
	is_deeply [ sort $check->{err} =~ /the table (\w+) have a wrong coll/g ],
	    [ sort keys %{ { map { $_->{t} => 1 } @columns } } ],
	    'and names the tables';
	is $c->cttctl('migrate')->{status}, 0, 'cttctl migrate';
	is_deeply tables(), $tables, 'makes them what they were';
	is $c->run('ctt.fcgi', '--check')->{err}, '', '--check is content';
	ok $c->stack('restart', 'pool'), 'the pool has no old statements';
}

# ---- times are UTC, whoever inserts the row ----

{
	my $dbh = $c->connect_db('CTT_DB_MIGRATE');
	my %row = (ctt => q{(ticket_no, source) VALUES ('Z', 'TMF')},
		ntt => q{(ticket_no) VALUES ('Z')},
		ctt_activity => q{(ctt_id, type, status) VALUES (1, 'x', 'x')},
		activity_note => '(ctt_id, activity_id, text) VALUES (1, 1, 1)',
		network_element => q{(ctt_id, name, access_type)
			VALUES (1, 'x', 'FTTH')},
		corp_data_temp => '(ctt_id, network_element_id) VALUES (1, 1)',
		cpe_history => q{(ctt_id, network_element_id, before_json,
			after_json, actor, operation_id)
			VALUES (1, 1, '{}', '{}', 'x', 'x')},
		audit_log => q{(entity_type, entity_id, action, outcome, actor)
			VALUES ('CTT', 1, 'LINK', 'SUCCESS', 'x')},
		job => q{(type, payload, dedupe_key, state)
			VALUES ('x', '{}', 'x', 'DONE')},
		operation => q{(id, kind, state, actor)
			VALUES ('x', 'LINK', 'REFUSED', 'x')},
		idempotency => q{(actor, path, idem_key, body_hash)
			VALUES ('x', 'x', 'x', 'x')},
		schema_version => q{(version, name) VALUES (999, 'x')});

	for my $zone (qw(+07:00 -11:00)) {
		$dbh->begin_work;
		$dbh->do("SET time_zone = '$zone'");
		for my $table (sort keys %row) {
			$dbh->do("INSERT INTO $table $row{$table}");
			my $times = $dbh->selectrow_hashref("SELECT * FROM"
			    . " $table ORDER BY " . ($table eq 'schema_version'
				? 'version' : $table eq 'operation' ? 'seq'
				: 'id') . ' DESC LIMIT 1');
			my @off = grep { abs $dbh->selectrow_array(
				'SELECT TIMESTAMPDIFF(SECOND, ?, UTC_TIMESTAMP)',
				undef, $times->{$_}) > 60 }
			    grep { /_at$|^since$/ && defined $times->{$_} }
			    keys %$times;
			is_deeply \@off, [], "$table at $zone";
		}
		$dbh->rollback;
	}
	is_deeply [ $c->column('SELECT CONCAT(table_name, ".", column_name) FROM'
		. ' information_schema.columns WHERE table_schema = DATABASE()'
		. " AND column_default REGEXP 'current_timestamp|now|sysdate'") ],
	    [], 'no default is of the session';
}

# ---- upgrade ----

{
	my $schema = schema();
	my ($ntt, $ctt) = $c->given(ntt => { id => 90 }, ctt => { id => 90,
		ntt_id => 90, ntt_ticket_no => 'N-90' });

	$c->do('UPDATE ntt SET ctt_count = 1 WHERE id = 90');
	$c->do("INSERT INTO audit_log (entity_type, entity_id, action, outcome,"
	    . " actor) VALUES ('CTT', 90, 'LINK', 'SUCCESS', 'x')");
	$c->do('ALTER TABLE audit_log DROP hash');
	$c->do("ALTER TABLE $_ DROP KEY ${_}_linked,"
	    . " DROP KEY ${_}_status_linked, DROP linked") for qw(ctt ntt);
	$c->do('ALTER TABLE ctt DROP came_ntt_id');
	$c->do('DROP TABLE audit_mark, audit_start, worker');
	$c->do('ALTER TABLE ctt ALTER created_at SET DEFAULT'
	    . ' CURRENT_TIMESTAMP(3)');
	$c->do('ALTER TABLE ntt DROP KEY ntt_partner_ref');
	$c->do("ALTER TABLE $_ DROP partner_ref") for qw(ctt ntt);
	$c->do('ALTER TABLE operation DROP mends');
	$c->do("ALTER TABLE $_ DROP KEY ${_}_updated,"
	    . " DROP KEY ${_}_status_updated") for qw(ctt ntt);
	$c->do('ALTER TABLE operation DROP KEY operation_ntt,'
	    . ' DROP KEY operation_state, DROP KEY operation_ctt,'
	    . ' DROP KEY operation_request, ADD KEY operation_ctt (ctt_id),'
	    . ' ADD KEY operation_request (request_id)');
	$c->do('ALTER TABLE audit_log DROP KEY audit_log_actor,'
	    . ' DROP KEY audit_log_time');
	$c->do('DELETE FROM schema_version WHERE version > 2');
	my $said = $c->cttctl('migrate')->{out};
	like $said, qr/^migrated to 3: 003-audit-chain$/m,
	    'a database of version 2 is brought up';
	my ($last) = map { m{/0*(\d+)-[^/]+\.sql$} } (sort
		glob "$FindBin::Bin/../sql/upgrade/*.sql")[-1];
	like $said, qr/^migrated to $last: /m, 'to the last one';
	is_deeply schema(), $schema, 'the schema is the same';
	is $c->one('SELECT came_ntt_id FROM ctt WHERE id = 90'), 90,
	    'what is linked has come so';
	is_deeply [ map { $c->get("/ticket/$_?linked=true")->{json}{items}[-1]
	    {id} } qw(ctt ntt) ], [ 90, 90 ], 'and is found as linked';
	is $c->cttctl(@$_)->{status}, 0, "@$_" for ['check'],
	    [ 'audit', 'verify' ];
	$c->do("DELETE FROM $_ WHERE id = 90") for qw(ctt ntt);
}

is $c->run('ctt.fcgi', '--check')->{status}, 0,
    'every statement can be prepared';
$c->do('RENAME TABLE lov TO lov_away');
isnt $c->run('ctt.fcgi', '--check')->{status}, 0, 'unless a table is missing';
$c->do('RENAME TABLE lov_away TO lov');

# ---- token ----

{
	my $r = $c->cttctl('token', '--sub', 'kim', '--roles',
	    'ctt-viewer,ctt-cpe', '--ttl', 60);
	my $claims = $c->json(decode_base64url((split /\./, $r->{out})[1]));

	is_deeply [ @$claims{qw(sub roles)}, $claims->{exp} - $claims->{iat} ],
	    [ 'kim', [ 'ctt-viewer', 'ctt-cpe' ], 60 ], 'a token';
	is $c->cttctl({ CTT_JWT_ALG => 'RS256' }, 'token', '--sub', 'x',
	    '--roles', 'x')->{status}, 1, 'only with a secret of ours';
}

# ---- seed ----

{
	my $r = $c->cttctl('seed', '--ctts', 25, '--ntts', 3);

	is $r->{status}, 0, 'seed';
	is_deeply [ map { $c->one("SELECT COUNT(*) FROM $_") } qw(ctt ntt) ],
	    [ 25, 3 ], 'so many tickets';
	is $c->cttctl('seed', '--ctts', 5, '--ntts', 1)->{status}, 0, 'again';
	is_deeply [ map { $c->one("SELECT COUNT(*) FROM $_") } qw(ctt ntt) ],
	    [ 30, 4 ], 'adds to them';
	is $c->one('SELECT COUNT(DISTINCT source) FROM ctt'), 2,
	    'of both partners';
	is $c->cttctl('check')->{out}, '', 'and all is in order';
}

# ---- operations ----

my ($ctt, $ntt) = $c->given(ctt => {}, ntt => {});
$c->plant_owner;
$c->given(operation => { id => 'BUSY', kind => 'LINK', state => 'RUNNING',
	ctt_id => $ctt, ntt_id => $ntt, partner => 'TAAS', actor => 'x',
	owner => 'some-body', last_error => 'TaaS hung up' });
like $c->cttctl('operations')->{out},
    qr/^BUSY LINK .*C-$ctt .*N-$ntt.*TAAS.*TaaS hung up.*$/m,
    'cttctl operations shows what is open, and why';
is $c->cttctl('operations', 'retry', 'BUSY')->{status}, 0, 'retry it';
is $c->cttctl('operations', 'retry', '--all')->{status}, 0, 'retry all';
is $c->cttctl('operations', 'retry', 'NONE')->{status}, 1, 'or none';
$c->do("DELETE FROM operation WHERE id = 'BUSY'");
is $c->cttctl('operations')->{out}, '', 'nothing is open';

is_deeply [ $c->cttctl('check', $_)->{status} ], [2], "no check of $_"
    for qw(ntt all);
ok $c->stack('stop', 'db'), 'without a database';
isnt $c->cttctl($_)->{status}, 0, "cttctl $_ fails"
    for qw(operations jobs migrate seed);
is $c->cttctl('check')->{status}, 3, 'cttctl check could not look';
ok $c->stack('start', 'db'), 'it comes back';
ok $c->wait_for(5, sub { $c->cttctl('check')->{status} == 0 }), 'and works';

$c->stop;
# ---- memcached is reached by an address of IPv6, too ----

SKIP: {
	my $port = eval { free_port('::1') }
	    // skip 'this host has no IPv6', 1;
	my $pid = fork // die "fork: $!\n";

	exec qw(memcached -u nobody -l ::1 -p), $port if !$pid;
	$c = Ctt->start(pool => 1, workers => 0,
	    set => { CTT_MEMCACHED => "[::1]:$port" });
	is $c->get('/readyz')->{status}, 200, 'a memcached at [::1]';
	kill 'TERM', $pid;
	waitpid $pid, 0;
	is $c->get('/readyz')->{json}{memcached}, 0, 'which it is that is asked';
	$c->stop;
}

done_testing;
