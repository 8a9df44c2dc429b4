#!/usr/bin/perl
#
# What a link costs in MariaDB, by the form of its statements:
#
#	make bench/statements && perl bench/statements.pl [ROUNDS]
#
# in a build with fault points. It starts a stack of its own, without a worker, and
# runs bench/statements in all modes for 1, 4, 16, 64 and 500 items, one after the
# other in each round. It prints the medians: microseconds of CPU, of the server
# and of ours, and of time, for a link. doc/performance.txt has what was found.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/../t/lib";
use Ctt;
use Util qw(median slurp);

my $TOP = "$FindBin::Bin/..";
my $rounds = shift // 3;
my @ITEMS = (1, 4, 16, 64, 500);
my $LINKS = 500;         # in each measurement, and a batch to warm up
my $c = Ctt->start(pool => 1, workers => 0);
my $dba = $c->connect_db('CTT_DB_MIGRATE');

# ---- routines: the same statements, as procedures ----

my @files = map { "$TOP/$_" }
    slurp("$TOP/Makefile.am") =~ m{(src/store/sql/\w+\.sql)}g;
my %text = map { /^(\w+)\t(.*)$/ }
    qx('$TOP/scripts/embed-statements' text @files);
my $calls = $c->dir . '/tmp/calls';

open my $fh, '>', $calls or die "$calls: $!\n";
for my $name (qw(LOAD SAVE CLOSE)) {
	my (%seen, @params);
	my $body = $text{$name} =~ s/^BEGIN NOT ATOMIC |END$//gr;

	$body =~ s/('(?:[^']|'')*')|:([a-z][\w.]*)/
	    if (defined $1) { $1 } else {
		push @params, $2 unless $seen{$2}++;
		'p_' . $2 =~ s,\.,_,gr }/gex;
	$dba->do("CREATE PROCEDURE cttd_\L$name\E_1(" . join(', ', map { 'p_'
		. s/\./_/gr . ' LONGTEXT CHARACTER SET utf8mb4' } @params)
		. ") BEGIN $body END");
	say $fh "$name\tCALL cttd_\L$name\E_1(" . join(', ', map { ":$_" } @params)
	    . ')';
}
close $fh;
$dba->do("GRANT EXECUTE ON ctt.* TO 'ctt'\@'localhost'");

# ---- the measurements ----

my @MODES = (
	[ 'plain statements'  => 'plain' ],
	[ 'arrays'            => 'array' ],
	[ 'routines, cells'   => 'block', CTT_SQL_FILE => $calls ],
	[ 'routines, JSON'    => 'json', CTT_SQL_FILE => $calls ],
	[ 'blocks, cells'     => 'block' ],
	[ 'blocks, JSON'      => 'json' ],
);

my $each = 2 * $LINKS + 500;
$c->cttctl('seed', '--ctts', $rounds * @MODES * @ITEMS * $each, '--ntts', 20);
my $first = 1;
my $pid = $c->pid('db');
my %got;
$| = 1;

for (1 .. $rounds) {
	for my $items (@ITEMS) {
		for (@MODES) {
			my ($name, $mode, %env) = @$_;
			my $batches = $LINKS / $items < 2 ? 2
			    : int($LINKS / $items);

			# only one item has cells
			next if $items > 1 && $name =~ /cells/;
			my $r = run({ %env }, $mode, $items, $batches, $first,
			    $pid);
			push @{ $got{$name}{$items}{$_} }, $r->{$_} for keys %$r;
			$first += $each;
		}
	}
}

sub run ($env, @args) {
	local @ENV{keys %$env} = values %$env;
	local %ENV = (%ENV, %{ $c->{env} });
	my $out = qx('$TOP/bench/statements' @args);

	die "bench/statements @args failed\n" if $?;
	return { $out =~ /(\w+)=(\d+)/g };
}

for my $what (qw(server own time)) {
	printf "%-18s" . ' %7d' x @ITEMS . "\n", "$what, us a link", @ITEMS;
	for (@MODES) {
		my $of = $got{ $_->[0] };

		printf "%-18s" . ' %7s' x @ITEMS . "\n", $_->[0], map { $of->{$_}
			? median(@{ $of->{$_}{$what} }) : '-' } @ITEMS;
	}
}
