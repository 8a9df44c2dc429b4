#!/usr/bin/perl
# The fuzz targets (fuzz/) over the inputs that were kept: none crashes, hangs
# or breaks what the target asserts. What fuzzing found once is among them.
use v5.36;

use FindBin;
use Test::More;

my $TOP = "$FindBin::Bin/..";

# The status of a target on these files, and what it said.
sub run ($target, @files) {
	my $out = qx{./fuzz/$target.fuzz @files 2>&1};

	return ($?, $out);
}

for my $target (map { m{fuzz/(\w+)\.dict$} } glob "$TOP/fuzz/*.dict") {
	my @inputs = glob "$TOP/fuzz/corpus/$target/*";
	my ($status, $out) = run($target, @inputs);

	cmp_ok @inputs, '>', 20, "$target has a corpus";
	is $status, 0, 'and takes all of it'
	    or diag join "\n", (split /\n/, $out)[ -20 .. -1 ];
	isnt +(run($target, "$TOP/fuzz/corpus/$target/no-such-input"))[0], 0,
	    'an input that is not there is noticed';
}
done_testing;
