# ctt.fcgi --check tries every statement, and each within a block: MariaDB looks
# at a block's body only when it runs. Faults are planted in the texts (a build
# with fault points takes them from CTT_SQL_FILE), and each has to be refused.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use File::Temp ();
use Test::More;
use Util qw(output slurp spew);

my $TOP = "$FindBin::Bin/..";
my $embed = "$TOP/scripts/embed-statements";
my @files = map { "$TOP/$_" }
    slurp("$TOP/Makefile.am") =~ m{(src/store/sql/\w+\.sql)}g;
my %text = map { /^(\w+)\t(.*)$/ } qx('$embed' text @files);
cmp_ok scalar keys %text, '>', 60, keys(%text) . ' statements';

# ---- what is wrong for itself is not even built ----

sub embed ($sql) {
	my $file = File::Temp->new(SUFFIX => '.sql');

	print $file $sql;
	close $file;
	return (output("'$embed' text $file"))[0];
}

for (
	[ "\@statement X(:a)\nSELECT :b\n" => qr/X has no parameter :b/ ],
	[ "\@statement X\nSELECT \$no\n" => qr/there is no \$no/ ],
	[ "\@statement X\nSELECT <x> a + b FROM t\n"
		=> qr/<x>: a column without a name: a \+ b/ ],
	[ "\@statement X\nSELECT <x> a, b FROM t;\nSELECT <x> b, a FROM t;\n"
		=> qr/<x> has other columns here: b, a; before: a, b/ ],
	[ "\@macro m(a)\n\$a\n\n\@statement X\nSELECT \$m(1; 2)\n"
		=> qr/\$m\(1; 2\): not 1 arguments/ ],
	[ "\@statment X\nSELECT 1\n" => qr/no such paragraph: \@statment X/ ],
) {
	my ($sql, $says) = @$_;
	my $said = embed($sql);

	like $said, $says, 'refused: ' . $sql =~ s/\n/ | /gr;
	like $said, qr/\.sql:\d+: /, 'with its place';
}
is embed("\@row r\na, b\n\n\@statement X\nSELECT <u.one> \$r, c FROM t\n"
	. "UNION ALL SELECT <u.two> d FROM t\n"),
    "X\tSELECT 'one', a, b, c FROM t UNION ALL SELECT 'two', d, NULL, NULL"
    . " FROM t\n", 'the parts of a UNION are made equally long';

# ---- the program ----

my $c = Ctt->start(pool => 1);
my $file = $c->dir . '/tmp/statements';

plan skip_all => 'this build has no fault points' unless $c->faults;

# What --check says of these texts instead of the built-in ones.
sub check (%planted) {
	spew($file, join '', map { "$_\t$planted{$_}\n" } sort keys %planted);
	return $c->run('ctt.fcgi', { CTT_SQL_FILE => $file }, '--check');
}

is_deeply [ @{ check(%text) }{qw(status err)} ], [ 0, '' ],
    'what is right is taken';

# The statements within a block, by the words that begin them: [from, to].
sub parts ($text) {
	my @parts;

	while ($text =~ /\b(?:SELECT|UPDATE|INSERT|DELETE)\b
	    (?:[^';]|'(?:[^']|'')*')*/gx) {
		push @parts, [ $-[0], $+[0] ];
	}
	return @parts;
}

# One column in each of them is misspelt: [text, how many].
sub misspelt ($text) {
	my $n = 0;

	for (reverse parts($text)) {
		my ($from, $to) = @$_;
		my $part = substr $text, $from, $to - $from;
		my $bare = $part =~ s/'((?:[^']|'')*)'/"'" . '-' x length($1)
		    . "'"/ger;

		next unless $bare =~ /^(?:SELECT|UPDATE)\b.*?\b[a-z]\.(\w+)/
		    || $part =~ /^INSERT (?:IGNORE )?INTO \w+\((\w+)/
		    || $part =~ /^DELETE FROM \w+ WHERE (\w+)/;
		substr $part, $-[1], $+[1] - $-[1], "nonsense";
		substr $text, $from, $to - $from, $part;
		$n++;
	}
	return ($text, $n);
}

{
	my (%planted, %n);

	for (sort keys %text) {
		my ($text, $n) = misspelt($text{$_});

		($planted{$_}, $n{$_}) = ($text, $n) if $n;
	}
	$n{ODD_TABLES}++;    # it is also run for what it finds
	my $r = check(%planted);
	my %said;
	$said{$1}++ while $r->{err}
	    =~ /event=db_error kind=refused error="(\w+)[ :].*?\b1054 /g;
	is $r->{status}, 1, 'misspelt columns stop it';
	is_deeply \%said, \%n, "$_ columns in all, each is named with its"
	    . ' statement' for eval { join '+', values %n };
	cmp_ok scalar(grep { $text{$_} =~ /^BEGIN/ && $n{$_} } keys %text), '>',
	    30, 'most of them are blocks';
	cmp_ok $n{CLOSE_ALL}, '>=', 18, "$n{CLOSE_ALL} in CLOSE_ALL";
}

# Parts of a UNION that are not equally long.
for my $name (grep { $text{$_} =~ /\bUNION\b/ } sort keys %text) {
	my $r = check($name => $text{$name}
	    =~ s/\bUNION(?: ALL)? \(?SELECT \K/1, /r);

	is $r->{status}, 1, "$name: a UNION of unequal parts stops it";
	like $r->{err}, qr/error="$name\b.*\b1222 /, 'and is named';
}

# A parameter that there is not.
for my $name (qw(LOAD SAVE CLOSE KEY_CLOSE REMOVE_JOBS)) {
	my $text = $text{$name} =~ s/:([a-z][a-z_.]*)/:nobodys.$1/r;
	my $r = check($name => $text);

	is $r->{status}, 1, "$name: a parameter that nobody gives stops it";
	like $r->{err}, qr/error="$name: there is no parameter :nobodys\.$1"/,
	    'and is named';
}

# A table, a function, and a condition.
for (
	[ CLOSE => 'INSERT INTO job(', 'INSERT INTO jobs(' ],
	[ LOAD => 'IS_FREE_LOCK(', 'IS_FREE_LOK(' ],
	[ CLOSE => '@held <>', 'nonsense <>' ],
	[ CLOSE => q{NULLIF(x.`payload`, 'null'), }, '' ],
	[ CLOSE => ':job2.payload, ', '' ],
	[ CLOSE_ALL => 'UPDATE ctt_id = x.', 'UPDATE ctt_ids = x.' ],
	[ REMOVE_JOBS => 'UPDATE removed_before', 'UPDATE remove_before' ],
	[ SEED => 'MAX(id), 0) FROM ntt', 'MAX(i), 0) FROM ntt' ],
	[ AUDIT_NEWS => 'MAX(x.id) INTO', 'MAX(x.i) INTO' ],
) {
	my ($name, $old, $new) = @$_;
	my $r = check($name => $text{$name} =~ s/\Q$old/$new/r);

	is $r->{status}, 1, "$name: $new";
	like $r->{err}, qr/error="$name\b/, 'is named';
}

# What can be prepared, and fails only when it runs.
for my $text ('SELECT COUNT(*) FROM ctt WHERE status = (SELECT label FROM lov)',
    'BEGIN NOT ATOMIC SELECT (SELECT 1 UNION SELECT 2); END') {
	my $r = check(DEAD_JOBS => $text);

	is $r->{status}, 1, "$text stops it";
	like $r->{err}, qr/error="DEAD_JOBS\b.*\b1242 /, 'and is named';
}

# ---- a LOAD that the server refuses ----

{
	my ($ctt, $other, $ntt) = $c->given(ctt => {}, ctt => {}, ntt => {});
	my $linked = $c->given(ctt => { linked => $ntt });

	$c->do('ALTER TABLE work_order RENAME COLUMN order_no TO no');
	my $r = $c->link($ctt, $ntt);
	is_deeply [ $r->{status}, $r->{json}{code} ], [ 500, 'INTERNAL_ERROR' ],
	    'is no failure to save';
	like $r->{json}{detail}, qr/refused to read/, 'and says so';
	my $op = $c->row(operation => $r->{json}{operationId});
	is_deeply [ @$op{qw(state error_code)} ], [ 'REFUSED', 'INTERNAL_ERROR' ],
	    'so does its record';
	my $bulk = $c->bulk([ $ctt, $ntt ], [ $other, $ntt ]);
	is_deeply [ $bulk->{status}, map { $_->{error}{code} }
		@{ $bulk->{json}{results} } ],
	    [ 422, ('INTERNAL_ERROR') x 2 ], 'of many each';
	my $unlink = $c->unlink_from($ntt, [$linked]);
	is_deeply [ $unlink->{status}, $unlink->{json}{code} ],
	    [ 500, 'INTERNAL_ERROR' ], 'of an unlink the whole';
	is $c->run('ctt.fcgi', '--check')->{status}, 1, '--check sees it too';
	$c->do('ALTER TABLE work_order RENAME COLUMN no TO order_no');
	is $c->link($ctt, $ntt)->{status}, 200, 'once it is mended, it works';
	$c->expect(qr/db_error kind=refused error="LOAD/);
}

ok $c->quiet, 'all jobs are delivered';
$c->stop;
done_testing;
