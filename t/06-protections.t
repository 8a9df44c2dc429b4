# The protections that scripts/unprotect takes out are all in the code, their
# tests are there, and HACKING lists them as it does. (That the tests fail
# without them takes half an hour to see: scripts/unprotect itself.)

use v5.36;

use File::Basename qw(dirname);
use Test::More;

chdir dirname(dirname(__FILE__)) or die;
my $list = qx(scripts/unprotect --list 2>&1);
is $?, 0, 'each text is in the code, once' or diag $list;
my @tests = $list =~ /^\t\S.* (\d\d-[a-z-]+)$/mg;
cmp_ok @tests, '>=', 30, @tests . ' protections';
is_deeply [ grep { !-e "t/$_.t" } @tests ], [], 'each has a test';

open my $fh, '<', 'HACKING' or die "HACKING: $!\n";
my $hacking = join '', <$fh>;
ok index($hacking, $list) >= 0, 'HACKING has what --list prints';
done_testing;
