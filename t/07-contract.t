# doc/contract.md is the contract: what the code says of it is there, and it is
# the same as the original, where that is.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Util qw(slurp);

chdir "$FindBin::Bin/.." or die;

my $contract = slurp('doc/contract.md');
my %is = map { $_ => 1 } $contract =~ /^## (\d+)\. /mg;
my ($promises) = $contract =~ /^## 10\. .*?\n(.*?)^## /ms;

$is{"10.$_"} = 1 for $promises =~ /^(\d+)\. /mg;
ok $is{12}, 'the contract has its sections';
ok $is{'10.1'}, 'and its promises';

# "contract section 9", "contract sections 5 and 10.5", also over two lines.
my (%wrong, $n);
for my $file (split /\n/, qx(find src t man doc HACKING README -type f)) {
	next unless $file =~ m{(?:\.(?:[cht8]|pm|sql|txt)|HACKING|README)$};
	my $text = slurp($file) =~ s{\n\s*(?:\*|\#|--)?\s*}{ }gr;
	while ($text =~ /contract,? sections? ((?:[\d.]+(?:,? and |, | to )?)+)/gi) {
		for ($1 =~ /\d+(?:\.\d+)?/g) {
			$n++;
			$wrong{"$file: $_"} = 1 unless $is{$_};
		}
	}
}
cmp_ok $n, '>', 30, "$n references";
is_deeply [ sort keys %wrong ], [], 'each is to something that is there';

SKIP: {
	my $original = '../shared/spec/contract.md';

	skip 'the original is not here', 1 unless -e $original;
	is $contract, slurp($original), 'it is as the original is';
}
done_testing;
