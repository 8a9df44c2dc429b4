#!/usr/bin/perl
# The fuzz targets (fuzz/) over the inputs that were kept: none crashes, hangs
# or breaks what the target asserts. What fuzzing found once is among them.
use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Util qw(output);

my $TOP = "$FindBin::Bin/..";

for my $target (map { m{fuzz/(\w+)\.dict$} } glob "$TOP/fuzz/*.dict") {
	my @inputs = glob "$TOP/fuzz/corpus/$target/*";
	my ($out, $status) = output("./fuzz/$target.fuzz @inputs");

	cmp_ok @inputs, '>', 20, "$target has a corpus";
	is $status, 0, 'and takes all of it'
	    or diag join "\n", (split /\n/, $out)[ -20 .. -1 ];
	isnt +(output("./fuzz/$target.fuzz $TOP/fuzz/no-such-input"))[1], 0,
	    'an input that is not there is noticed';
}
done_testing;
