package Changes;

# Every POST and PUT of `cttctl routes`, each with a request that succeeds on
# tickets of its own:
#
#	for my $route (Changes::routes($c)) {
#		my $ch = Changes::given($c, $route, 3);
#		is Changes::ask($c, $ch)->{status}, 200, $route;
#	}
#
# A route that this file does not know ends the test: add it to %ROUTE.

use v5.36;

use IO::Socket::INET ();
use Test::More;

my %CODES = (causeCode => 'FIBER_CUT', disposition => 'REPAIRED',
	resolutionCode => 'FIXED');
my %CPE = (manufacturer => 'ZTE', model => 'F660', ipAddress => '10.9.9.9',
	bandwidthMbps => 1000, port => 'ge-0/0:1');

sub pairs ($ntt, @t) {
	return { items => [ map { { cttId => $_->{id}, nttId => $ntt } } @t ] };
}

# Are the CTTs linked before; how the body is made of the NTT and the CTTs, the
# other NTT in front of them; the kinds of operations that a CTT then has; how
# many a request can take.
my %ROUTE = (
	'POST /ticket/ctt/link' => [ 0, sub ($ntt, $, $t) {
			{ cttId => $t->{id}, nttId => $ntt } }, ['LINK'], 1 ],
	'POST /ticket/ctt/link/bulk' => [ 0, sub ($ntt, $, @t) {
			pairs($ntt, @t) }, ['LINK'] ],
	'POST /ticket/ctt/unlink' => [ 1, sub ($ntt, $, @t) {
			{ nttId => $ntt, cttIds => [ map { $_->{id} } @t ] } },
		['UNLINK'] ],
	'POST /ticket/ctt/unlink/bulk' => [ 1, sub ($ntt, $, @t) {
			pairs($ntt, @t) }, ['UNLINK'] ],
	'POST /ticket/ctt/unlink-then-link' => [ 1, sub ($, $to, @t) {
			{ ticketNo => $to, cttIds => [ map { $_->{id} } @t ] } },
		[ 'UNLINK', 'LINK' ] ],
	'PUT /ticket/ctt/activity-status/update/:id' => [ 0, sub ($, $, $t) {
			{ cttId => $t->{id}, status => 'Resolved',
				remark => 'well', %CODES } }, ['RESOLVE'], 1 ],
	'POST /ticket/ctt/bulk-update-ctt-activity-status' => [ 0,
		sub ($, $, @t) { { items => [ map { { cttId => $_->{id},
			activityId => $_->{activity}, status => 'resolved',
			%CODES } } @t ] } }, ['RESOLVE'] ],
	'POST /ticket/ctt/bulk-resolve-by-ticket-id' => [ 0, sub ($, $, @t) {
			{ ticketIds => [ map { $_->{id} } @t ], %CODES } },
		['RESOLVE'] ],
	'POST /ticket/ctt/cpe/update/:id' => [ 0, sub ($, $, $) {
			{ new => {%CPE} } }, ['CPE_UPDATE'], 1 ],
);

sub routes ($c) {
	my @routes = grep { /^(POST|PUT) / } map { s/ \S+$//r }
	    split /\n/, $c->cttctl('routes')->{out};

	$ROUTE{$_} or BAIL_OUT("$_ is not in t/lib/Changes.pm") for @routes;
	return @routes;
}

# The name of a route's flow, and the sizes of a batch to try it with.
sub flow ($route) {
	my (undef, undef, $kinds, $most) = @{ $ROUTE{$route} };

	return (@$kinds > 1 ? 'move' : lc $kinds->[0],
		$most ? 1 : $route =~ /bulk/ ? 5 : (1, 5));
}

# A CTT on which every flow can work.
sub ticket ($c, %ctt) {
	my $id = $c->given(ctt => { segment_group => 'Managed Services', %ctt });

	return { id => $id, activity => $c->given_activity($id),
		element => $c->given_element($id) };
}

# A change of n CTTs, of both partners or all of TaaS, or of one CTT where the
# route takes no more: what to send, and its tickets.
sub given ($c, $route, $n = 1, $all_taas = 0) {
	state $no = 0;
	my ($linked, $body, $kinds, $most) = @{ $ROUTE{$route} };
	my ($method, $path) = split / /, $route;
	my ($ntt, $to) = $c->given(ntt => {}, ntt => {});
	my @tickets = map { ticket($c, source => $_ % 2 || $all_taas ? 'TAAS'
		: 'TMF', $all_taas ? (ticket_no => 'TaaS-' . ++$no) : (),
		$linked ? (linked => $ntt) : ()) } 1 .. $most // $n;
	my $id = $path =~ /cpe/ ? $tickets[0]{id} : $tickets[0]{activity};

	return { route => $route, method => $method, kinds => $kinds,
		path => $path =~ s/:id/$id/r, ntt => $ntt, to => $to,
		tickets => \@tickets, body => $body->($ntt, $to, @tickets) };
}

sub ask ($c, $change, $query = '', %headers) {
	return $c->request(@$change{qw(method)}, $change->{path} . $query,
	    $change->{body},
	    Authorization => 'Bearer ' . $c->token(roles => ['ctt-admin']),
	    %headers);
}

# The same once more, with a body that says something else.
sub other ($change) {
	return { %$change, body => { %{ $change->{body} }, remark => 'other' } };
}

# The same value, written in another way.
sub rewritten ($change) {
	my $json = Cpanel::JSON::XS->new->utf8->allow_nonref;
	my $write;

	$write = sub ($v) {
		return ref $v eq 'HASH' ? '{ ' . join(' , ', map { my $name = $_
			=~ s/^(.)/sprintf '\\u%04x', ord $1/er;
			qq("$name" : ) . $write->($v->{$_}) }
			reverse sort keys %$v) . "}\n"
		    : ref $v eq 'ARRAY' ? '[ ' . join(",\t", map { $write->($_) }
			@$v) . ' ]' : $json->encode($v);
	};
	return { %$change, body => $write->($json->decode(
		$json->encode($change->{body}))) };
}

# How often each kind of operation was begun on its CTTs, and not refused:
# "1 UNLINK 1 LINK", once for all CTTs if it is the same for all.
sub done ($c, $change) {
	my %all;

	for my $ticket (@{ $change->{tickets} }) {
		my %n;
		$n{ $_->{kind} }++ for $c->rows("SELECT kind FROM operation"
		    . " WHERE ctt_id = ? AND state <> 'REFUSED'"
		    . " AND actor <> 'x'", $ticket->{id});
		$all{ join ' ', map { "$n{$_} $_" } sort keys %n } = 1;
	}
	return join ' or ', sort keys %all;
}

sub once ($change) {
	return join ' ', map { "1 $_" } sort @{ $change->{kinds} };
}

# An answer without what differs from one request to the next, or is not there
# yet in a dry run: names of what was made, and times.
sub alike ($c, $json) {
	my $text = Cpanel::JSON::XS->new->canonical->encode($json);
	my $made = qr/(?:operation|unlinkOperation|openOperation|history|activity
		|request)Id/x;

	$text =~ s/("$made":)(?:null|"[^"]*"|\d+)/${1}0/g;
	$text =~ s/\d{4}-\d\d-\d\dT[\d:.]+Z/TIME/g;
	$text =~ s/"retryAfter":\d+/"retryAfter":0/g;
	$text =~ s/for \d+ more seconds/for some seconds/g;
	my $data = $c->json($text);
	delete $data->{dryRun};
	$_ and delete $_->{id} for @$data{qw(note activity)};
	return $data;
}

# The sum of a table's rows. (CHECKSUM TABLE takes a column that is computed as
# whatever was in its buffer.)
sub sum_of ($c, $table) {
	state %row;
	my $row = $row{$table} //= join ',',
	    map { "COALESCE(CAST($_ AS BINARY),'NULL')" } $c->column(
	    'SELECT column_name FROM information_schema.columns'
	    . ' WHERE table_schema = DATABASE() AND table_name = ?', $table);

	return $c->one("SELECT SUM(CRC32(CONCAT_WS('|', $row))) FROM $table");
}

# Everything that is in the database, in numbers; what was sent, and what
# memcached was told. (The worker marks later that it has noted what was done.)
sub world ($c) {
	my @tables = grep { !/^(audit_mark|installation|lease|worker)$/ } $c->column('SHOW TABLES');
	my $socket = IO::Socket::INET->new(PeerAddr => $c->env('CTT_MEMCACHED'));
	my %world = map { ($_ => sum_of($c, $_)) } @tables;

	$world{"$_ rows"} = $c->one("SELECT COUNT(*) FROM $_") for @tables;
	$world{calls} = map { $c->heard($_) } qw(taas tmf nig);
	if ($socket) {
		print $socket "stats\r\n";
		while (my $line = <$socket>) {
			last if $line =~ /^END/;
			$world{"memcached $1"} = $2
			    if $line =~ /^STAT (cmd_set|curr_items) (\d+)/;
		}
	}
	return \%world;
}

1;
