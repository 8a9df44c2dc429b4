# What is old is removed: jobs that are DONE, and operations that a gate refused,
# by the worker, in small steps; the rest is kept, and cttctl check knows it.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Util qw(slurp spew);

my $c = Ctt->start(pool => 1, set => { CTT_KEEP_JOBS_DAYS => 3,
	CTT_KEEP_REFUSED_DAYS => 5 });
my ($old, $young, $refused, $ntt) = $c->given_ctts(3);

sub op ($ctt) {
	return $c->one('SELECT id FROM operation WHERE ctt_id = ?', $ctt);
}

# The worker looks when it starts.
sub look () { return $c->stack('stop', 'worker') && $c->stack('start', 'worker') }

# The setting, for a worker that is started from now on.
sub keep ($days) {
	my $file = $c->dir . '/ctt.env';

	spew($file, slurp($file) =~ s/^(CTT_KEEP_\w+)=.*/$1=$days/mgr);
}

# As if it had been that many days ago.
sub age ($op, $days) {
	my $by = "- INTERVAL $days DAY";

	$c->do("UPDATE operation SET created_at = created_at $by,"
	    . " updated_at = updated_at $by WHERE id = ?", $op);
	$c->do("UPDATE job SET run_at = run_at $by, updated_at = updated_at $by,"
	    . " created_at = created_at $by WHERE dedupe_key LIKE ?", "$op:%");
}

is $c->link($_, $ntt)->{status}, 200, 'a link' for $old, $young;
is $c->link($old, $ntt)->{status}, 409, 'one that is refused' for 1, 2;
is $c->link($refused, 4711)->{status}, 404, 'and another';
ok $c->quiet, 'the jobs are delivered';
my %op = (old => op($old), young => op($young), refused => op($refused));
my @more = $c->column("SELECT id FROM operation WHERE ctt_id = ?"
	. " AND state = 'REFUSED' ORDER BY id", $old);
age($op{old}, 4);
age($op{young}, 2);
age($op{refused}, 6);
age($more[0], 4);
$c->do("INSERT INTO job (type, payload, dedupe_key, state, run_at) VALUES"
	. " ('x', '{}', '$_', '$_', '2001-01-01')") for 'DEAD';

ok look(), 'the worker looks';
ok $c->wait_for(10, sub { !keys %{ $c->jobs($op{old}) }
	&& !$c->row(operation => $op{refused}) }), 'what is too old is removed';
is keys %{ $c->jobs($op{young}) }, 2, 'younger jobs are kept';
ok $c->row(operation => $_), 'and operations' for @op{qw(old young)}, @more;
is $c->one("SELECT COUNT(*) FROM job WHERE state = 'DEAD'"), 1,
    'and a dead job, however old';
is $c->cttctl('check')->{out}, '', 'check knows what was removed';

# A job that nobody removed is still missing.
$c->do('UPDATE job SET dedupe_key = REVERSE(dedupe_key)'
    . ' WHERE dedupe_key LIKE ?', "$op{young}:%");
like $c->cttctl('check')->{out}, qr/^operation $op{young}: has no job/m,
    'and what was not';
$c->do('UPDATE job SET dedupe_key = REVERSE(dedupe_key)'
    . ' WHERE dedupe_key LIKE ?', '%:' . reverse $op{young});

# ---- a backlog, in small steps ----

{
	my $many = 20_000;

	$c->do('INSERT INTO job (type, payload, dedupe_key, state, run_at)'
	    . " SELECT 'x', '{}', CONCAT('many-', seq), 'DONE',"
	    . " UTC_TIMESTAMP(3) - INTERVAL 4 DAY FROM seq_1_to_$many");
	$c->do('INSERT INTO operation (id, kind, state, actor, created_at)'
	    . " SELECT CONCAT('0-', seq), 'LINK', 'REFUSED', 'x',"
	    . " UTC_TIMESTAMP(3) - INTERVAL 6 DAY FROM seq_1_to_$many");
	my $left = sub () {
		return $c->one("SELECT (SELECT COUNT(*) FROM job WHERE type ="
		    . " 'x' AND state = 'DONE') + (SELECT COUNT(*) FROM"
		    . " operation WHERE actor = 'x')");
	};
	my (%seen, $link);

	ok look(), 'the worker looks';
	ok $c->wait_for(60, sub {
		my $n = $left->();
		$seen{$n} = 1;
		return !$n;
	}), 'many are removed';
	cmp_ok scalar keys %seen, '>', 10, 'in small steps';
}

# ---- for ever ----

ok $c->stack('stop', 'worker'), 'the worker stops';
age($op{young}, 30);
keep(0);
ok look(), 'the worker looks';
ok !$c->wait_for(0.5, sub { !keys %{ $c->jobs($op{young}) } }),
    'of 0 days, nothing is removed';
keep(3);
ok look(), 'the worker looks';
ok $c->wait_for(10, sub { !keys %{ $c->jobs($op{young}) } }), 'of 3, it is';

$c->agree;
$c->stop;
done_testing;
