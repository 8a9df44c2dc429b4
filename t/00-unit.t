#!/usr/bin/perl
# The unit tests in C: one program each, which prints TAP itself.
use v5.36;
use Test::More;

my @programs = glob 't/unit/*.test';
plan skip_all => 'no unit tests were built (libcmocka-dev)' unless @programs;

for my $program (@programs) {
	my $tap = qx{./$program 2>&1};

	ok $? == 0 && $tap =~ /^ok /m && $tap !~ /^not ok /m, $program
		or diag $tap;
}
done_testing;
