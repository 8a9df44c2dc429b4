# Each patch of t/protections matches the code once, the test that it names
# exists, and doc/protections.txt has the list. (scripts/unprotect shows that
# the tests fail, which takes long.)

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Util qw(output slurp);

chdir "$FindBin::Bin/.." or die;
my ($list, $status) = output('scripts/unprotect --list');
is $status, 0, 'each patch matches the code once' or diag $list;
my @tests = $list =~ /^\S+ +(\d\d-[a-z-]+) /mg;
cmp_ok @tests, '>=', 30, @tests . ' protections';
my @patches = glob 't/protections/*.patch';
is @tests, @patches, 'one for each patch';
is_deeply [ grep { !-e "t/$_.t" } @tests ], [], 'each has a test';
ok index(slurp('doc/protections.txt'), $list) >= 0,
    'doc/protections.txt has what --list prints';
done_testing;
