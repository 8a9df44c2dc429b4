# The console's files: what others wrote is as it came, ours puts no data in as
# HTML, and all that is there is installed.

use v5.36;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use File::Find ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Util qw(slurp);

my $TOP = dirname(dirname(abs_path($0)));

chdir $TOP or die "$TOP: $!\n";

my @files;
File::Find::find({ no_chdir => 1, wanted => sub {
	push @files, $File::Find::name =~ s{^\Q$TOP\E/}{}r if -f;
} }, "$TOP/console");
@files = sort @files;
my @ours = grep { m{^console/(?:js/|index\.html)} } @files;

# ---- what others wrote ----

my $readme = slurp('console/vendor/README');
my %sum = map { /^([0-9a-f]{64})  (\S+)$/ ? ($2, $1) : () }
    split /\n/, $readme;
my %version = map { /^(\S+)\t+(\d+\.\d+\.\d+)\t+(\S+)\t+npm \S/
    ? ($1, [ $2, $3 ]) : () } split /\n/, $readme;

for my $file (grep { m{^console/vendor/} && !m{/(?:README|LICENSE\.\w+)$} }
    @files) {
	my $name = $file =~ s{.*/}{}r;

	is sha256_hex(slurp($file)), $sum{$name}, "$name is as it came";
	ok $version{$name}, 'its version, licence and origin are told';
}
is_deeply [ grep { !-e "$TOP/console/vendor/$_" } sort keys %version ], [],
    'all that is told of is there';

# What was changed in it is told, and nothing else was.
{
	my ($was) = $readme =~ /^([0-9a-f]{64})  hooks\.mjs, as it came$/m;
	my $text = slurp('console/vendor/hooks.mjs');

	is $text =~ s{"\./preact\.mjs"}{"preact"}g, 1, 'one path was changed';
	is sha256_hex($text), $was, 'and that alone';
}

# ---- ours ----

my %FORBIDDEN = (
	'HTML from text' => qr/\b(?:innerHTML|outerHTML|insertAdjacentHTML
	    |dangerouslySetInnerHTML|DOMParser|createContextualFragment
	    |setHTMLUnsafe|srcdoc)\b|\bdocument\.write/x,
	'code from text' => qr/\beval\s*\(|\bnew\s+Function\b
	    |\bset(?:Timeout|Interval)\(\s*['"`]|\bjavascript:/x,
	'something to keep tokens in' => qr/\blocalStorage\b
	    |\bdocument\.cookie\b/x,
	'another place to load from' => qr{\bimport\s*\(?\s*['"`]https?:
	    |\bfrom\s+['"](?!\.)}x,
	'an alert' => qr/\b(?:alert|confirm|prompt)\s*\(/,
	'a word for the browser\'s console' => qr/\bconsole\.(?:log|debug)\b/,
);

for my $file (@ours) {
	my $text = slurp($file) =~ s{^\s*//.*}{}gmr;

	is_deeply [ grep { $text =~ $FORBIDDEN{$_} } sort keys %FORBIDDEN ], [],
	    "$file has nothing that it may not have";
}
# What is to be gone on with is kept in one place, which knows of no token.
is_deeply [ grep { slurp($_) =~ /\bindexedDB\b/ } @ours ],
    ['console/js/runs.js'], 'one file keeps something';
unlike slurp('console/js/runs.js') =~ s{^//.*}{}gmr, qr/\btoken|\bauth\b/i, 'and no token';
{
	my $page = slurp('console/index.html');
	my @scripts = $page =~ /<script\b([^>]*)>(.*?)<\/script>/gs;

	is_deeply [ map { $_->[1] } [@scripts] ], [''], 'one script, not inline';
	unlike $page, qr/\bon\w+\s*=|\bstyle\s*=|<style/, 'no inline style';
	is_deeply [ grep { !-e "$TOP$_" } $page =~ m{(?:href|src)="(/[^"]+)"}g ],
	    [], 'what it asks for is there';
}

# All that is there is installed; t/ and the list say the same.
{
	my ($list) = slurp('Makefile.am')
	    =~ /^nobase_dist_conf_DATA = ((?:.*\\\n)*.*)/m;

	is_deeply [ sort grep { /\S/ } split /[\s\\]+/, $list ], \@files,
	    'Makefile.am names each file';
}

# ---- texts ----

{
	my $texts = slurp('console/js/texts.js');
	my %used;

	for my $file (grep { /\.js$/ && !/texts\.js$/ } @ours) {
		$used{$_} //= $file
		    for slurp($file) =~ /\bt\(\s*'(\w+\.\w+)'/g;
	}
	my %section;
	for my $block ($texts =~ /^(const \w+ = \{.*?^?\};)/gms) {
		my ($name, $body) = $block =~ /^const (\w+) = \{(.*)\}/s;
		$section{$name}{$_} = 1
		    for $body =~ /(?:^\s|, )'?([\w-]+)'?:/gm;
	}
	is_deeply [ map { "$_ in $used{$_}" } grep {
		my ($section, $name) = split /\./;
		!$section{$section}{$name} } sort keys %used ], [],
	    'each text that is asked for is there';
	cmp_ok scalar(keys %used), '>', 50, 'there are some';
}

done_testing;
