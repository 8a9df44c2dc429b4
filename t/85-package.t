# The Debian package: what can be seen without building it. With CTT_TEST_FULL=1
# scripts/package builds it, lintian looks at it, and scripts/package-try
# installs it on a bare machine.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Util qw(output slurp);

chdir "$FindBin::Bin/.." or die;
my ($version) = slurp('configure.ac') =~ /^AC_INIT\(\[cttd\], \[(.*)\]\)/m;

is +(slurp('debian/changelog') =~ /^cttd \((\S+)\)/)[0], $version,
    'the version of the package';
for my $script (glob('debian/cttd.*{inst,rm}'), glob('scripts/package*'),
	'systemd/cttd-generator.in') {
	is_deeply [ output("sh -n '$script'") ], [ '', 0 ], "$script is a script";
}
for my $script (glob 'debian/cttd.*{inst,rm}') {
	like slurp($script), qr/^set -e$/m, "$script stops at an error";
	like slurp($script), qr/^#DEBHELPER#$/m, 'and has room for debhelper';
}
is_deeply [ grep { !-e } split /\n/, slurp('debian/cttd.docs') ], [],
    'all documents are there';
ok -e 'debian/cttd.default', 'the default is there';

# What it needs to be built is installed for the tests, too.
my ($needs) = slurp('debian/control') =~ /^Build-Depends: (.*?)^\w/ms;
my $deps = slurp('scripts/install-deps');
is_deeply [ grep { $deps !~ /(^|\s)\Q$_\E(\s|$)/ }
	map { /^\s*([a-z0-9-]+)/ ? $1 : () }
	grep { !/debhelper|dh-sequence/ } split /,/, $needs ], [],
    'scripts/install-deps installs what the build needs';

# What setup begins with is a good file, but for what it asks for.
SKIP: {
	my $cttctl = ($ENV{CTT_BIN} // '.') . '/cttctl';
	skip 'the programs are not built', 3 if !-x $cttctl;
	my ($text, $status) = output("CTT_ENV_FILE=/etc/cttd/ctt.env $cttctl"
	    . ' settings --first');

	is $status, 0, 'cttctl settings --first';
	is_deeply [ $text =~ m{^CTT_\w+=/etc/cttd/(\S+)$}mg ],
	    [qw(secrets/db-password db-owner-password secrets/jwt-key
		secrets/audit-key)], 'the keys are beside the file';
	is_deeply [ grep { !/^(# .+|#?CTT_[A-Z_]+=.*|)$/ } split /\n/, $text ],
	    [], 'each line is one of a settings file';
}

SKIP: {
	skip 'CTT_TEST_FULL=1 builds and installs it', 2
	    if !$ENV{CTT_TEST_FULL};
	my $out = qx(mktemp -d);
	chomp $out;
	my ($said, $status) = output("scripts/package --repo '$out/repo' '$out'");
	is $status, 0, 'scripts/package' or diag $said;
	($said, $status) = output("scripts/package-try '$out'/*.deb");
	is $status, 0, 'scripts/package-try' or diag $said;
	system 'rm', '-rf', $out;
}
done_testing;
