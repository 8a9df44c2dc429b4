# The programs are built so that a mistake in them is hard to use: position
# independent, nothing writable that is executable, addresses resolved and
# sealed before main, canaries, checked calls of the C library.

use v5.36;

use File::Temp ();
use FindBin;
use Test::More;

my $bin = $ENV{CTT_BIN} // "$FindBin::Bin/..";

sub readelf ($options, $file) {
	my $out = qx(LC_ALL=C readelf -W $options '$file');
	die "readelf $file failed\n" if $?;
	return $out;
}

# What a program lacks, in words.
sub lacking ($file) {
	my $segments = readelf('-l', $file);
	my $dynamic = readelf('-d', $file);
	my $symbols = readelf('--dyn-syms', $file);
	my %has = (
		'a position of no meaning' => readelf('-h', $file)
		    =~ /Type:\s+DYN/ && $dynamic =~ /FLAGS_1.*\bPIE\b/,
		'a stack without code' => !!($segments =~ /GNU_STACK.* RW /),
		'no segment to write and run'
		    => !($segments =~ /^\s+LOAD.* RWE /m),
		'a sealed table' => !!($segments =~ /GNU_RELRO/),
		'all addresses at once' => !!($dynamic =~ /FLAGS_1.*\bNOW\b/),
		'canaries' => !!($symbols =~ /\b__stack_chk_fail\b/),
		# the sanitizers check calls themselves
		'checked calls' => !!($symbols
		    =~ /\b__asan_init\b|\b__(memcpy|v?snprintf|read)_chk\b/),
		'no path of the builder'
		    => !($dynamic =~ /\b(RPATH|RUNPATH)\b/),
	);
	return grep { !$has{$_} } sort keys %has;
}

for my $program (qw(ctt.fcgi ctt-worker cttctl)) {
	is_deeply [ lacking("$bin/$program") ], [], "$program lacks nothing";
}

# One that was built with none of it.
{
	my $dir = File::Temp::tempdir(CLEANUP => 1);
	my $soft = "$dir/soft";

	open my $fh, '>', "$soft.c" or die "$soft.c: $!";
	print $fh <<'END';
#include <stdio.h>
/* a section of its own, to write and run */
int x __attribute__((section(".x,\"awx\",@progbits#"))) = 1;
int main(int n, char **v)
{
	char s[9];

	sprintf(s, "%d%s", n, v[0]);
	return puts(s);
}
END
	close $fh or die;
	system("cc -O0 -U_FORTIFY_SOURCE -no-pie -fno-pie -fno-stack-protector"
	    . " -z norelro -z lazy -z execstack -Wl,--rpath=$dir"
	    . " -o $soft $soft.c 2>/dev/null") == 0 or die "cc failed\n";
	is_deeply [ lacking($soft) ], [ 'a position of no meaning',
		'a sealed table', 'a stack without code',
		'all addresses at once', 'canaries', 'checked calls',
		'no path of the builder', 'no segment to write and run' ],
	    'the lack of each is seen';
}
done_testing;
