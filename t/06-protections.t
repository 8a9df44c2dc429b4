# Each text that scripts/unprotect removes is in the code, each test that it names
# exists, and doc/protections.txt has the list that it prints. (Whether the tests
# fail takes half an hour to see: scripts/unprotect itself.)

use v5.36;

use File::Basename qw(dirname);
use Test::More;

chdir dirname(dirname(__FILE__)) or die;
my $list = qx(scripts/unprotect --list 2>&1);
is $?, 0, 'each text is in the code, once' or diag $list;
my @tests = $list =~ /^\t\S.* (\d\d-[a-z-]+)$/mg;
cmp_ok @tests, '>=', 30, @tests . ' protections';
is_deeply [ grep { !-e "t/$_.t" } @tests ], [], 'each has a test';

open my $fh, '<', 'doc/protections.txt' or die "doc/protections.txt: $!\n";
my $page = join '', <$fh>;
ok index($page, $list) >= 0, 'doc/protections.txt has what --list prints';
done_testing;
