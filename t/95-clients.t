# Clients that two generators make of openapi.json compile with strict options,
# and serve a portal of a few lines (t/tools/portal-*.ts): it makes a link, and
# reads by its type why a second one is refused. What the lines do wrong on
# purpose, the compiler finds.

use v5.36;

use Cwd qw(abs_path);
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Browser ();
use Ctt;
use Test::More;
use Util qw(output slurp spew);

my $TOOLS = abs_path("$FindBin::Bin/tools");
my $API = abs_path("$FindBin::Bin/../openapi.json");

plan skip_all => 'node is not installed'
    if !grep { -x "$_/node" } split /:/, $ENV{PATH};
plan skip_all => 'no npm registry: CTT_OFFLINE is set'
    if grep { !Browser::tool($_) } qw(openapi-typescript openapi-fetch
    @hey-api/openapi-ts typescript);

my $dir = File::Temp->newdir('ctt-95.XXXXXX', TMPDIR => 1);
my $LIMIT = 'timeout -k 10 300 node';
my $PATHS = 'node_modules/openapi-typescript/bin/cli.js';
my $SDK = 'node_modules/@hey-api/openapi-ts/bin/index.cjs';

# A program of node in $dir: what it says, if it failed; else ''.
sub fault (@words) {
	my ($said, $status) = output("cd '$dir' && $LIMIT @words");
	return $status ? $said || "status $status" : '';
}

symlink "$TOOLS/node_modules", "$dir/node_modules" or die "symlink: $!\n";
spew("$dir/$_", slurp("$TOOLS/$_"))
    for qw(tsconfig.json portal-fetch.ts portal-sdk.ts);

is fault($PATHS, $API, '-o api.ts'), '', 'openapi-typescript';
is fault($SDK, "-i '$API' -o sdk --silent",
    '-p @hey-api/typescript @hey-api/sdk @hey-api/client-fetch'), '',
    '@hey-api/openapi-ts';
unlike slurp("$dir/api.ts"), qr/Omit</, 'no member is lost on the way';
is fault('node_modules/typescript/bin/tsc'), '', 'tsc: strict';

my $c = Ctt->start(pool => 1);

for my $portal (qw(portal-fetch portal-sdk)) {
	my ($ctt, $ntt) = $c->given_ctts(1);
	my ($said, $status) = output("cd '$dir' && $LIMIT out/$portal.js "
	    . join ' ', $c->env('CTT_HTTP_URL'), $c->token, $ctt, $ntt);
	my $told = eval { $c->json($said) };

	is $status, 0, "$portal runs";
	is_deeply [ @{ $told // {} }{qw(linkedTo count refused state)} ],
	    [ "N-$ntt", 1, "urn:cttd:problem:CTT_ALREADY_LINKED $ntt",
		'SUCCEEDED' ], 'it links, and knows why it may not once more'
	    or diag $said;
	is $told->{steps}[0], 'load_ctt', 'and reads the trace';
	is $c->row(ctt => $ctt)->{ntt_id}, $ntt, 'the link is made';
}
$c->stop;
done_testing;
