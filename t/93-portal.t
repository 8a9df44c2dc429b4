# The guide for portals: each request of doc/portal.md is sent, in its order, and
# its answer is the one that the page shows.
#
#	CTT_PORTAL=write	writes the answers into the page

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Ctt;
use Test::More;
use Util qw(slurp spew);

use constant LINE => 76;

my $PAGE = "$FindBin::Bin/../doc/portal.md";
my $c = Ctt->start(pool => 1);
my @CTTS = map { { id => $_, ticket_no => "TaaS-C$_",
	segment_group => 'Managed Services' } } 1 .. 6;

$c->given((map { (ctt => $_) } @CTTS),
    (map { (ntt => { id => 10 + $_, ticket_no => "N$_" }) } 1, 2),
    work_order => { ntt_id => 12, order_no => 'W1' });
$c->given_activity($_, id => 100 + $_) for 1 .. 6;
$c->given_element(6, name => 'ONT');

# What a comment of the page asks for.
my %DO = (
	'TaaS refuses TaaS-C2' => sub {
		$c->rule(partner => 'taas', ticket => 'TaaS-C2', times => 1,
		    do => 'status', status => 409,
		    body => { error => 'the ticket is locked' });
	},
);
my %ROLE = (OPERATOR => 'ctt-operator', CPE => 'ctt-cpe', ADMIN => 'ctt-admin');

# ---- the text of an answer ----

# JSON in lines of its own, its members in their order.
sub lines ($json) {
	my ($in, $out, $depth) = (0, '', 0);

	for ($json =~ /"(?:[^"\\]|\\.)*"|[][{},:]|[^][{},:"]+/g) {
		my $empty = $out =~ /[[{]\n\s*\z/ && /^[]}]$/;

		$depth++ if /^[[{]$/;
		$depth-- if /^[]}]$/;
		my $break = "\n" . '  ' x $depth;
		$out =~ s/\s+\z// if $empty;
		$out .= /^[]}]$/ ? ($empty ? $_ : "$break$_")
		    : /^[[{,]$/ ? "$_$break" : $_ eq ':' ? ': ' : $_;
	}
	# what is flat and short, in one line
	$out =~ s{([[{])\n\s*([^][{}]*?)\n\s*([]}])}{
		my ($all, $from, $in, $to) = ($&, $1, $2, $3);
		$in =~ s/\n\s*/ /g;
		length $in < LINE ? "$from$in$to" : $all }ge;
	return $out =~ s/\s+\z//r;
}

# What differs from run to run has one name.
my (%op, @ops);

sub stable ($text) {
	$text =~ s{\b(01[0-9A-HJKMNP-TV-Z]{24})\b}
	    { $op{$1} //= do { push @ops, $1; 'OPERATION-' . @ops } }ge;
	$text =~ s/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/2026-12-01T09:30:00.000Z/g;
	$text =~ s/\b[0-9a-f]{32}\b/REQUEST-ID/g;
	$text =~ s/("ms": )\d+/${1}12/g;
	$text =~ s/(Retry-After: |"retryAfter": |blocked for )\d\d\b/${1}60/g;
	return $text;
}

my @SHOWN = qw(Content-Type Location Retry-After Idempotency-Replayed
	WWW-Authenticate);

sub shown ($r) {
	return stable(join "\n", $r->{status}, (map {
		my $value = $r->{headers}{ lc $_ };
		defined $value ? "$_: $value" : ()
	} @SHOWN), '', lines($r->{raw}));
}

# ---- the page ----

sub send_it ($text) {
	my ($head, $body) = split /\n\n/, $text, 2;
	my ($first, @headers) = split /\n/, $head;
	my ($method, $path) = split / /, $first;
	my %header = map { split /: /, $_, 2 } @headers;

	$header{Authorization} =~ s/(\w+)$/$c->token(roles => [ $ROLE{$1} ])/e
	    if $header{Authorization};
	$header{Authorization} //= undef;
	$c->quiet if $path =~ /OPERATION/;    # its jobs are DONE
	$path =~ s/OPERATION-(\d+)/$ops[ $1 - 1 ]/;
	return $c->request($method, $path, $body || undef, %header);
}

my $page = slurp($PAGE);
my ($written, $asked, $n) = ('', undef, 0);

for my $part (split /(^```http\n.*?^```\n|^<!-- .*? -->\n)/ms, $page) {
	if ($part =~ /^<!-- (.*) -->/) {
		$DO{$1} ? $DO{$1}->() : fail("nobody knows how: $1");
	} elsif (my ($request) = $part =~ /^```http\n((?:GET|POST|PUT) .*)^```/ms) {
		$asked = send_it($request =~ s/\n\z//r);
		my ($first) = $request =~ /^(.*)/;
		cmp_ok $asked->{status}, '<', 503, "$first: $asked->{status}";
		$n++;
	} elsif ($part =~ /^```http\n(\d+)?/) {
		my $now = "```http\n" . shown($asked) . "\n```\n";
		is $part, $now, 'its answer' if !$ENV{CTT_PORTAL};
		$part = $now;
	}
	$written .= $part;
}
if (($ENV{CTT_PORTAL} // '') eq 'write') {
	spew($PAGE, $written);
	pass 'the page is written';
}

# ---- nothing is left out ----

{
	my $paths = $c->get('/openapi.json')->{json}{paths};
	my @missing = grep {
		my ($method, $path) = split / /;
		my $like = $path =~ s/\{\w+\}/[\\w-]+/gr;
		$page !~ /^\U$method\E $like(\?\S*)?$/m;
	} map { my $p = $_; map { "$_ $p" } grep { /^(get|post|put)$/ }
		keys %{ $paths->{$p} } } keys %$paths;

	is_deeply [ sort @missing ], [], "$n requests: each endpoint is there";
}

ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
