# A dump is taken while users work, and restored elsewhere. With the heads' file
# of that moment check and audit verify find nothing. The copy calls no partner,
# and so does a plain dump under another audit key, until cttctl adopt. Then it
# takes over: what its partners have since that moment is shown by cttctl
# reconcile, and mended.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use File::Copy qw(copy);
use Storm;
use Test::More;
use Time::HiRes qw(sleep time);
use Util qw(output slurp);

use constant { CLIENTS => 3, LOAD_S => 3 };

my @SETTINGS = (CTT_TAAS_READ => 'on', CTT_NIG_READ => 'on');
my $a = Ctt->start(pool => 3, set => {@SETTINGS});
my $dump = $a->dir . '/tmp/dump.sql';
my $heads = $a->dir . '/tmp/heads';
my $storm = Storm->new($a);
my ($later, $latest) = $a->given_ctts(1);

sub as_owner ($c) {
	chomp(my $password = slurp($c->env('CTT_DB_MIGRATE_PASSWORD_FILE')));
	return "--no-defaults --socket='" . $c->env('CTT_DB_SOCKET')
	    . "' --user=" . $c->env('CTT_DB_MIGRATE_USER')
	    . " --password='$password'";
}

# As README says.
sub dump_now ($c, $to, @more) {
	return output('mariadb-dump ' . as_owner($c) . ' --single-transaction'
	    . " --no-tablespaces @more ctt >'$to'");
}

sub restore ($c, $from) {
	return output('mariadb ' . as_owner($c) . " ctt <'$from'");
}

# ---- the dump, under load ----

$a->parallel(CLIENTS, sub ($) { $storm->client(time + LOAD_S) });
ok $a->wait_for(20, sub { -s $a->env('CTT_AUDIT_HEADS_FILE') }),
    'there are heads';
{
	my $end = time + LOAD_S;
	my @seen = $a->parallel(CLIENTS + 1, sub ($i) {
		return $storm->client($end) if $i;
		sleep LOAD_S / 3;
		copy($a->env('CTT_AUDIT_HEADS_FILE'), $heads) or die "heads: $!";
		return [ dump_now($a, $dump,
			'--ignore-table-data=ctt.installation') ];
	});
	my $dumped = shift @seen;
	my %n;
	for my $seen (@seen) { $n{$_} += $seen->{n}{$_} for keys %{ $seen->{n} } }

	is_deeply $dumped, [ '', 0 ], 'a dump while users work';
	cmp_ok $n{200} // 0, '>', 20, 'who do much' or diag explain \%n;
	is_deeply [ grep { /^5/ && !/EXTERNAL|PARTNER_BUSY/ } keys %n ], [],
	    'and are not disturbed';
	ok $a->settle && $a->quiet, 'all of it is settled';
}
is $a->link($later, $latest)->{status}, 200, 'and a link is made afterwards';
ok $a->quiet, 'all of it';
ok $a->wait_for(10, sub { $a->one('SELECT LENGTH(mark) FROM installation')
	== 64 }), 'the worker has marked the database';
ok $a->wait_for(20, sub { -s $a->env('CTT_AUDIT_HEADS_FILE') > -s $heads
	&& !$a->one('SELECT MAX(id) > (SELECT audit_id FROM audit_mark)'
	. ' FROM audit_log') }), 'and has written the heads';
$a->agree('at the original both sides');
ok $a->stack('stop', $_), "the original is lost: no $_" for qw(pool worker);

# ---- elsewhere ----

my $b = Ctt->start(pool => 1, workers => 0, set => { @SETTINGS,
	CTT_AUDIT_KEY_FILE => $a->env('CTT_AUDIT_KEY_FILE') },
	map { ("${_}_url" => $a->env("CTT_\U$_\E_URL")) } qw(taas tmf nig queue));
push @{ $b->{ours} }, 'worker';
$b->{env}{CTT_SIM_URL} = $a->env('CTT_SIM_URL');
$b->{next} = { %{ $a->{next} } };    # the tickets of the original are its own
is_deeply [ restore($b, $dump) ], [ '', 0 ], 'it is restored elsewhere';

sub is_well ($what) {
	my $check = $b->cttctl('check');
	my $verify = $b->cttctl('audit', 'verify', '--heads', $heads);

	is_deeply [ @$check{qw(status out err)} ], [ 0, '', '' ], "$what: check";
	is_deeply [ @$verify{qw(status err)} ], [ 0, '' ], "$what: audit verify"
	    or diag $verify->{out};
}

is $b->cttctl('migrate')->{status}, 0, 'migrate';
is_well('the copy');
is $b->cttctl('audit', 'verify', '--heads', $a->env('CTT_AUDIT_HEADS_FILE'))
    ->{status}, 1, 'later heads name what it does not have';

# ---- it calls nobody ----

sub calls () { return scalar map { $a->heard($_) } qw(taas tmf nig queue) }

# What was begun when the dump was made, and a job that nobody has delivered.
my ($free, $due, $ntt) = $b->given((ctt => { source => 'TAAS' }) x 2, ntt => {});
$b->given(job => { type => 'update-tmf-list', payload => '{}',
	dedupe_key => 'from-the-dump' });
$b->given(operation => { id => 'begun', kind => 'LINK', state => 'RUNNING',
	ctt_id => $due, ntt_id => $ntt, partner => 'TAAS', actor => 'x' });
$b->do('UPDATE ctt SET ntt_id = ?, ntt_ticket_no = ? WHERE id = ?', $ntt,
    "N-$ntt", $due);
$b->do("UPDATE job SET since = since - INTERVAL 3 DAY");

sub begun () {
	return $b->row(operation => 'begun'), $b->rows(
	    "SELECT * FROM job WHERE dedupe_key = 'from-the-dump'");
}

sub refuses ($why) {
	my $before = calls();
	my @begun = begun();
	my $r = $b->link($free, $ntt);

	$b->is_problem($r, 502, 'EXTERNAL_SYNC_FAILED', $why);
	like $r->{json}{detail}, qr/a copy.*cttctl adopt; nothing was sent/,
	    'which says what to do';
	is $b->get("/ticket/ctt/$free")->{status}, 200, 'reads go on';
	is $b->post('/ticket/ctt/link?dryRun=true', { cttId => $free,
		nttId => $ntt })->{status}, 200, 'so does a dry run';
	$r = $b->cttctl('reconcile');
	is $r->{status}, 3, 'cttctl reconcile could not look';
	like $r->{err}, qr/it is a copy/, 'and says why';
	$r = $b->cttctl('status');
	like $r->{out}, qr/^CTTD CRITICAL:.*^CRITICAL  copy /ms,
	    'cttctl status says so';
	sleep 1.5;    # many rounds of the worker
	is calls(), $before, 'no partner was called';
	is_deeply [ begun() ], \@begun, 'what was begun is left as it is,'
	    . ' and a job waits, however old it is';
}

ok $b->stack('start', 'worker', '--workers', 1), 'a worker starts';
$b->expect(qr/event=not_adopted/);
refuses('a copy');
is scalar(grep { /event=not_adopted/ } $b->log_lines('worker')), 1,
    'the log of the worker says so once';

# A plain dump has the mark of the original: another key is another's.
$b->do("REPLACE INTO installation(id, mark) VALUES (1, SHA2('other', 256))");
refuses('the database of another audit key');

# Nobody who has no key takes it over by that.
{
	my $r = $b->cttctl({ CTT_AUDIT_KEY_FILE => undef }, 'reconcile');
	is $r->{status}, 3, 'nor is it that of an installation without a key';
}

# ---- until it is adopted ----

{
	my $r = $b->cttctl('adopt');
	is $r->{status}, 0, 'cttctl adopt' or diag $r->{err};
	like $r->{out}, qr/^ctt is now the database of this.*^\tTAAS +http:/ms,
	    'which names whom it calls';
	$r = $b->cttctl('adopt');
	like $r->{out}, qr/^ctt is already the database of/, 'once is enough';
}
ok $b->wait_for(5, sub { $b->link($free, $ntt)->{status} == 200 }),
    'a link is made, without a restart';
ok $b->settle && $b->quiet, 'what was begun is settled, and jobs are delivered';
is $b->row(ctt => $due)->{ntt_id}, $ntt, 'as the partner said';
is scalar(grep { $_->{key} eq 'from-the-dump' } $b->heard('queue')), 1,
    'the job too';

# What users did after the dump is at the partners only. Ours is the truth.
{
	my $r = $b->cttctl('reconcile');
	is $r->{status}, 1, 'cttctl reconcile shows what the partners have';
	like $r->{out}, qr/^ctt $later: /m, 'such as that link' or diag $r->{err};
	$r = $b->cttctl('reconcile', '--mend');
	is $r->{status}, 0, 'and mends it' or diag @$r{qw(out err)};
	is $b->cttctl('reconcile')->{status}, 0, 'so that both sides agree';
}
is_well('in the end');

# ---- who has always been there is not asked ----

ok $a->stack('start', $_), "the original's $_ starts" for qw(pool worker);
is $a->cttctl('adopt')->{out} =~ /already/ ? 1 : 0, 1,
    'the original is its own';
$a->do('UPDATE installation SET mark = NULL');
my ($ctt, $its) = $a->given_ctts(1);
is $a->link($ctt, $its)->{status}, 200,
    'before there is a mark, as after an upgrade, partners are called';

$b->stop;
$a->stop;
done_testing;
