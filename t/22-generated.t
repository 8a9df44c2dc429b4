# Generated input: requests made out of openapi.json, nearly all of them wrong
# (t/lib/Generate.pm), sent as they are. Whatever is sent: the answer is one of
# the document's, never a 5xx; what is wrong is refused and named; what is
# refused changes nothing; no process ends; and afterwards all goes on.
#
# CTT_TEST_SEED repeats a run, CTT_TEST_CASES says how many; by default some
# 4,200, and with CTT_TEST_FULL=1 30,000.

use v5.36;

use Cpanel::JSON::XS ();
use FindBin;
use lib "$FindBin::Bin/lib";
use Changes;
use Ctt;
use Generate;
use IO::Select ();
use IO::Socket::INET ();
use List::Util qw(any uniq);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(time);

my $SEED = $ENV{CTT_TEST_SEED} // time ^ $$;
my $CASES = $ENV{CTT_TEST_CASES} // ($ENV{CTT_TEST_FULL} ? 30_000 : 4_200);
my $CLIENTS = 3;

diag "CTT_TEST_SEED=$SEED CTT_TEST_CASES=$CASES";
my @recipes = Generate::recipes($SEED, $CASES);
my @operations = Generate::operations();

# As many processes may wait for one partner as there are clients: half of the
# pool. And no block ends while memcached is looked at.
my $c = Ctt->start(pool => 2 * $CLIENTS,
	set => { CTT_UNLINK_BLOCK_TTL => 3600 });
my $token = 'Bearer ' . $c->token(roles => ['ctt-admin']);
my %before = map { $_ => [ $c->pids($_) ] } qw(pool worker);

# ---- the example of an operation, of tickets that exist ----

my @NUMBERS = ('C-', 'TaaS-', "a/../b?x#%\x{fc}", q(';"\\--), 'x%00 &+',
	"\x{1f600}");
my $next = 0;
my @rows;    # that the bases need, all made at once

sub ticket ($partner, $linked) {
	my $id = $next++;
	my %row = (id => $id, source => $partner,
		segment_group => 'Managed Services',
		ticket_no => ($linked ? 'C-' : $NUMBERS[ $id % @NUMBERS ])
		    . $id, $linked ? (linked => $linked) : ());

	push @rows, ctt => \%row,
	    ctt_activity => { id => $id, ctt_id => $id, type => 'Created',
		status => 'Open', created_by => 'x' },
	    network_element => { id => $id, ctt_id => $id, name => "ONT-$id",
		access_type => 'FTTH', manufacturer => 'Huawei',
		model => 'HG8245', ip_address => '10.0.0.1',
		bandwidth_mbps => 300, port => '1/1/1' };
	return \%row;
}

sub ntt () {
	my $id = $next++;
	my %row = (id => $id, ticket_no => "N-$id");

	push @rows, ntt => \%row;
	return \%row;
}

# As the example names it: by its id, or by its number.
sub named ($row, $example) {
	return Generate::json($example) =~ /^"/ ? $row->{ticket_no} : $row->{id};
}

# The tickets of an example in it; $of->(example's name) is a CTT.
sub filled ($value, $field, $of, $ntt, $owner) {
	if (ref $value eq 'HASH') {
		$owner = $of->($value->{cttId}) if $value->{cttId};
		return { map { $_ => filled($value->{$_}, $_, $of, $ntt,
			$owner) } keys %$value };
	}
	return [ map { filled($_, $field, $of, $ntt, $owner) } @$value ]
	    if ref $value eq 'ARRAY';
	return named($of->($value), $value)
	    if $field =~ /^(cttId|cttIds|ticketIds)$/;
	return named($ntt, $value) if $field =~ /^(nttId|ticketNo)$/;
	return $owner->{id} if $field =~ /^(activityId|networkElementId)$/;
	return $value;
}

my (%known, $operation);    # to be read: tickets, and an operation

# A good request: {path, query, body}.
sub base ($o) {
	my ($body, %ctt) = ($o->{example});
	my $id = $o->{path} =~ m{/ntt/} ? $known{ntt} : $known{ctt};

	if ($body) {
		my $ntt = ntt();
		my $linked = $o->{path} =~ m{/unlink-} ? ntt()
		    : $o->{path} =~ m{/unlink} ? $ntt : undef;
		my $of = sub ($name) {
			$ctt{ $name =~ s/^\D+0*//r } //= ticket(
			    keys %ctt ? 'TAAS' : 'TMF', $linked && $linked->{id});
		};
		my $owner = any { defined $body->{$_} }
		    qw(items cttIds ticketIds);
		$owner = $owner ? undef : $of->($body->{cttId} // 'the only');
		$body = filled($body, '', $of, $ntt, $owner);
		$id = $owner->{id} if $owner;
	}
	return { body => $body, path => $o->{path} =~ s/\{id\}/$id/r
		    =~ s/\{operation\}/$operation/r,
		query => $o->{path} =~ m{/operation$} ? 'requestId=x' : '' };
}

# A base for each. Their ids are far from those that cttd gives activities.
sub bases (@operations) {
	$next += 1_000_000;
	my @bases = map { base($_) } @operations;

	$c->given(splice @rows);
	return @bases;
}

# ---- a client ----

sub opened () {
	my $socket = IO::Socket::INET->new(PeerAddr =>
	    $c->env('CTT_HTTP_URL') =~ s{^http://}{}r) or die "nginx: $!\n";
	setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
	return $socket;
}

# More of what comes; false at its end.
sub more ($socket, $in) {
	die "no answer in 60 s\n" if !IO::Select->new($socket)->can_read(60);
	return sysread $socket, $$in, 1 << 16, length $$in;
}

# The bytes of one answer; '' if there is none.
sub received ($socket, $method) {
	my ($in, $head) = '';

	until (($head) = $in =~ /^(.*?\r\n\r\n)/s) {
		more($socket, \$in) or return $in;
		$in =~ s{^HTTP/\S+ 100 .*?\r\n\r\n}{}s;
	}
	my ($length) = $head =~ /^Content-Length: (\d+)/mi;

	return $head if $method eq 'HEAD';
	while (!defined $length || length($in) < length($head) + $length) {
		more($socket, \$in) or last;
	}
	return $in;
}

# One request and its answer, over the connection that is kept in $$kept.
sub exchanged ($r, $kept) {
	my $socket = $$kept // opened();
	my $bytes = Generate::bytes($r, $token);

	for (my $at = 0; $at < length $bytes;) {
		$at += syswrite $socket, $bytes, 1 << 16, $at or last;
	}
	shutdown $socket, 1 if $r->{want} && !@{ $r->{want} };
	my $in = received($socket, $r->{method});
	$$kept = $r->{kind} eq 'wire' || $in !~ /\r\n\r\n/
	    || $in =~ /^Connection: close/mi ? undef : $socket;
	return $in eq '' ? undef : $c->parse($in);
}

# ---- what is wrong with an answer ----

sub faults ($r, $answer) {
	my $want = $r->{want};

	return $want && !@$want ? () : 'no answer' if !$answer;
	my ($status, $json) = @$answer{qw(status json)};
	my @named = map { $_->{field} }
	    ref $json eq 'HASH' ? @{ $json->{errors} // [] } : ();
	my @faults;

	push @faults, "$status, and not " . join ' or ', @$want
	    if $want && @$want && !grep { $_ == $status } @$want;
	push @faults, $status if !$want && $status >= 500;
	for my $name (@{ $r->{fields} // [] }) {
		push @faults, "does not name '$name', but "
		    . join ' ', uniq @named
		    if !grep { $_ eq $name || /^\Q$name\E[.\[]/ } @named;
	}
	my $path = join '?', $r->{path}, grep { length } $r->{query};
	push @faults, eval { Api::faults({ method => $r->{method},
		path => $path, body => length $r->{body} ? $r->{body} : undef },
		$answer) };
	return @faults, $@ || ();
}

# Sends what the recipes make of these bases. With `refused` only what must be
# refused; the others are left. Returns {faults, left, sent, refused}.
sub send_all ($indices, $base_of, %opt) {
	my %all = (faults => [], left => [], sent => [], refused => []);

	for my $part ($c->parallel($CLIENTS, sub ($i) {
		my (%part, $kept);
		local $SIG{PIPE} = 'IGNORE';

		for my $at (grep { $_ % $CLIENTS == $i } 0 .. $#$indices) {
			my $index = $indices->[$at];
			my $recipe = $recipes[$index];
			my $r = Generate::request($recipe, $base_of->($at));

			if (!$r->{want} && $opt{refused}) {
				push @{ $part{left} }, $index;
				next;
			}
			my $answer = eval { exchanged($r, \$kept) };
			my @faults = $@ || faults($r, $answer);

			$kept = undef if !$answer;
			push @{ $part{faults} }, map { "$index $r->{name}: "
				. "$_" . ($answer ? ' ' . substr($answer->{raw},
					0, 300) : '') } @faults;
			push @{ $part{sent} },
			    [ $index, $answer && $answer->{status} ];
			push @{ $part{refused} },
			    $answer->{headers}{'x-request-id'}
			    if $answer && $answer->{status} =~ /^4/;
		}
		return \%part;
	})) {
		push @{ $all{$_} }, @{ $part->{$_} // [] } for keys %all;
	}
	return \%all;
}

sub no_faults ($sent, $name) {
	my @faults = @{ $sent->{faults} };
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	ok !@faults, $name or diag @faults . " faults\n",
	    map { s/[^ -~]/?/gr . "\n" }
	    @faults > 30 ? @faults[ 0 .. 29 ] : @faults;
}

# It can fail: an answer that is right, and those that are not.
{
	my $problem = $c->post('/ticket/ctt/link', '{"nttId":1}');
	my %r = (method => 'POST', path => '/ticket/ctt/link', query => '',
		body => '{"nttId":1}');

	is_deeply [ faults({ %r, want => [422], fields => ['cttId'] },
		$problem) ], [], 'a right answer';
	like join("\n", faults(@$_[ 1, 2 ])), $_->[3], "found: $_->[0]" for (
		[ 'another status', { %r, want => [400] }, $problem,
			qr/^422, and not 400$/ ],
		[ 'another field', { %r, want => [422], fields => ['nttId'] },
			$problem, qr/^does not name 'nttId', but cttId$/ ],
		[ 'a 5xx', \%r, { %$problem, status => 500 }, qr/^500$/m ],
		[ 'silence', { %r, want => [422] }, undef, qr/^no answer$/ ]);
}

# ---- it goes ----

sub good_requests ($name) {
	my @good = bases(@operations);

	for my $o (@operations) {
		my $base = shift @good;
		my $path = join '?', $base->{path}, grep { length }
		    $base->{query};
		my $r = $c->request($o->{method}, $path, $base->{body},
		    Authorization => $token);
		is $r->{status}, 200, "$name: $o->{name}" or diag $r->{raw};
		$operation = $r->{json}{operationId}
		    // $r->{json}{results}[0]{operationId} // $operation
		    if $base->{body};
	}
}

@known{qw(ctt ntt)} = $c->given(ctt => {}, ntt => {});
$operation = $c->link(@known{qw(ctt ntt)})->{json}{operationId};
good_requests('before');

my $began = time;
my %base;
@base{ map { $_->{name} } @operations } = bases(@operations);
$c->quiet;
my $world = Changes::world($c);
my $wrong = send_all([ 0 .. $#recipes ], sub ($at) {
	$base{ $recipes[$at]{operation}{name} } }, refused => 1);

no_faults($wrong, @{ $wrong->{sent} } . ' wrong requests are refused');
is_deeply Changes::world($c), $world, 'nothing is written of them';

my @left = sort { $a <=> $b } @{ $wrong->{left} };
my @fresh = bases(map { $recipes[$_]{operation} } @left);
my $right = send_all(\@left, sub ($at) { $fresh[$at] });

no_faults($right, @left . ' that may be right are answered');
my $seconds = time - $began;

# What was refused among these has REFUSED operations, and nothing else.
{
	my (%n, %apart, $refused);

	$n{$_}++ for @{ $right->{refused} };
	my %jobs = map { $_ => 1 } $c->column("SELECT DISTINCT"
	    . " SUBSTRING_INDEX(dedupe_key, ':', 1) FROM job");
	for my $o ($c->rows("SELECT o.id, o.request_id, o.state, a.id audit"
		. ' FROM operation o LEFT JOIN audit_log a'
		. ' ON a.operation_id = o.id')) {
		next if ($n{ $o->{request_id} } // 0) != 1;
		$refused++;
		$apart{"$o->{id} of request $o->{request_id}: $o->{state}"} = 1
		    if $o->{state} ne 'REFUSED' || $o->{audit}
		    || $jobs{ $o->{id} };
	}
	cmp_ok $refused, '>', @left / 20, "rules refused $refused operations";
	is_deeply [ sort keys %apart ], [],
	    'those that are refused by a rule write only that';
	cmp_ok scalar(grep { ($_->[1] // 400) < 300 } @{ $right->{sent} }), '>',
	    @left / 10, 'and not all are refused';
}

{
	my (%sent, %status);

	for (@{ $wrong->{sent} }, @{ $right->{sent} }) {
		$sent{ $recipes[ $_->[0] ]{kind} }++;
		$status{ $_->[1] // 'none' }++;
	}
	is scalar(@{ $wrong->{sent} }) + @{ $right->{sent} }, @recipes,
	    'each was sent';
	diag sprintf '%d requests in %.0f s', scalar @recipes, $seconds;
	diag join ', ', map { "$_: $status{$_}" } sort keys %status;
	diag join ', ', map { "$_: $sent{$_}" } sort keys %sent;
}

good_requests('after');
is_deeply { map { $_ => [ $c->pids($_) ] } keys %before }, \%before,
    'no process has ended';
ok $c->quiet, 'all jobs are delivered';
$c->agree;
$c->stop;
done_testing;
