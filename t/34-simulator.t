#!/usr/bin/perl
# The simulator by itself: each way in which a partner can behave otherwise, and
# what it does without it.

use v5.36;

use Cpanel::JSON::XS ();
use Compress::Zlib ();
use File::Temp ();
use FindBin;
use HTTP::Tiny ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $JSON = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my ($TRUE, $FALSE) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $HTTP = HTTP::Tiny->new(timeout => 10, keep_alive => 0, max_redirect => 0);

# ---- the simulator, and how to talk to it ----

my $dir = File::Temp::tempdir(CLEANUP => 1);
my $pid = fork // die "fork: $!\n";
if (!$pid) {
	exec "$FindBin::Bin/../scripts/simulator", '--port-file', "$dir/port";
	die "simulator: $!\n";
}
END {
	my $status = $?;
	if ($pid) { kill 'TERM', $pid; waitpid $pid, 0 }
	$? = $status;
}

my $url;
for (1 .. 500) {
	if (open my $fh, '<', "$dir/port") {
		chomp(my $port = <$fh>);
		$url = "http://127.0.0.1:$port";
		last;
	}
	sleep 0.02;
}
defined $url or BAIL_OUT('the simulator did not come up');

# $body: a structure, or text. A status of 599 is no answer.
sub call ($method, $path, $body = undef, %headers) {
	my $text = ref $body ? $JSON->encode($body) : $body;
	my $r = $HTTP->request($method, "$url$path", { headers => \%headers,
		defined $text ? (content => $text) : () });

	$r->{json} = eval { $JSON->decode($r->{content}) };
	return $r;
}

sub sim ($method, $path, $body = undef) {
	my $r = call($method, "/_sim$path", $body);
	die "$method $path: $r->{status} $r->{content}\n"
	    if $r->{status} != 200;
	return $r->{json};
}

sub rule (%rule) { return sim(POST => '/rules', \%rule)->{id} }
sub calls (@) { return @{ sim(GET => '/calls') } }
sub effects (@) { return sim(GET => '/state')->{effects} }

sub tmf ($no) { return sim(GET => '/state')->{tmf}{$no} }
sub have ($no, %members) { return sim(PUT => "/ticket/tmf/$no", \%members) }

sub rel ($id, %more) {
	return { id => $id, relationshipType => 'isChild', %more };
}

# A link and an unlink at TaaS, a ticket's GET and PATCH at TMF.
sub relate ($what, $no, $ntt, @key) {
	return call(POST => "/taas/tickets/$no/$what", { nttTicketNo => $ntt },
	    @key ? ('Idempotency-Key' => @key) : ());
}

sub get ($no, $query = '', %headers) {
	return call(GET => "/tmf/troubleTicket/$no$query", undef, %headers);
}

sub patch ($no, $body, %headers) {
	return call(PATCH => "/tmf/troubleTicket/$no", $body, %headers);
}

sub rels (@ids) {
	return { troubleTicketRelationship => [ map { rel($_) } @ids ] };
}

sub ids_of ($ticket) {
	return join ' ', map { $_->{id} }
	    @{ $ticket->{troubleTicketRelationship} };
}

sub cpe ($new) {
	return call(PUT => '/nig/cpe/C-1/ONT', { current => {}, new => $new });
}

# ---- what a partner can be told: without it, and with it ----

# name, partner, what is set, what is done and returns a list, the list without
# it, and with it.
my @BEHAVIOURS = (
	[ 'a partner without memory of keys', 'taas', { keys => $FALSE },
		sub () {
			relate(link => 'C-1', 'N-1', 'k');
			relate(unlink => 'C-1', 'N-1');
			(relate(link => 'C-1', 'N-1', 'k')->{status},
			    sim(GET => '/state')->{taas}{'C-1'}{ntt},
			    effects->{k});
		}, [ 200, undef, 1 ], [ 200, 'N-1', 2 ] ],
	[ 'a strict TaaS', 'taas', { strict => $TRUE },
		sub () {
			sim(PUT => '/ticket/taas/C-2', {});
			(map { relate(link => $_, 'N-1')->{status},
			    call(GET => "/taas/tickets/$_")->{status} }
			    qw(C-1 C-2));
		}, [ (200) x 4 ], [ 404, 404, 200, 200 ] ],
	[ 'a strict TMF', 'tmf', { strict => $TRUE },
		sub () {
			have('C-2');
			(map { get($_)->{status}, patch($_, {})->{status} }
			    qw(C-1 C-2));
		}, [ (200) x 4 ], [ 404, 404, 200, 200 ] ],
	[ 'a strict NIG', 'nig', { strict => $TRUE },
		sub () {
			my $first = cpe({ model => 'a' })->{status};
			sim(PUT => '/cpe/C-1/ONT', { model => 'b' });
			($first, cpe({ model => 'a' })->{status});
		}, [ 200, 200 ], [ 404, 200 ] ],
	[ 'a lenient TaaS', 'taas', { lenient => $TRUE },
		sub () {
			relate(link => 'C-1', 'N-1');
			my $r = relate(unlink => 'C-1', 'N-2', 'k');
			($r->{status}, $r->{json}{nttTicketNo}, effects->{k});
		}, [ 409, undef, undef ], [ 200, 'N-1', undef ] ],
	[ 'a NIG that takes no null', 'nig', { nulls => $FALSE },
		sub () {
			(cpe({ model => undef })->{status},
			    cpe({ model => 'a' })->{status});
		}, [ 200, 200 ], [ 422, 200 ] ],
	[ 'ids of its own', 'tmf', { ownIds => $TRUE },
		sub () {
			my $id = have('C-1')->{id} // 'none';
			my $ntt = have('N-1')->{id} // 'N-1';
			(get('C-1')->{status}, patch('C-1', {})->{status},
			    get($id)->{json}{id} eq $id,
			    (have('C-1')->{id} // '') eq $id,
			    patch($id, rels('N-1'))->{status},
			    patch($id, rels($ntt))->{status},
			    !!get($id)->{json}{href});
		}, [ 200, 200, !!1, '', 200, 200, '' ],
		[ 404, 404, !!1, !!1, 400, 200, !!1 ] ],
	[ 'an ETag', 'tmf', { etag => $TRUE },
		sub () {
			my $old = get('C-1')->{headers}{etag} // '"none"';
			my $r = patch('C-1', { status => 'a' },
			    'If-Match' => $old);
			my $new = $r->{headers}{etag} // '"none"';
			($new ne $old, $r->{status}, map {
				patch('C-1', { status => 'b' },
				    'If-Match' => $_)->{status} }
			    $old, "W/$new", "\"x\", $new", '*');
		}, [ '', (200) x 5 ], [ !!1, 200, 412, 412, 200, 200 ] ],
	[ 'a weak ETag', 'tmf', { etag => 'weak' },
		sub () {
			my $etag = get('C-1')->{headers}{etag} // 'none';
			($etag =~ s/".*//r, map {
				patch('C-1', {}, @$_)->{status} }
			    [ 'If-Match' => $etag ], []);
		}, [ 'none', 200, 200 ], [ 'W/', 412, 200 ] ],
	[ 'an ETag that is required', 'tmf', { etag => 'required' },
		sub () {
			my @key = ('Idempotency-Key' => 'k');
			(patch('C-1', {}, @key)->{status},
			    patch('C-1', { status => 'a' }, @key, 'If-Match' =>
				get('C-1')->{headers}{etag} // '')->{status});
		}, [ 200, 200 ], [ 428, 200 ] ],
	[ 'a writer in between', 'tmf', { writer => { times => 1 } },
		sub () {
			have('C-1', rels('A')->%*);
			my $seen = ids_of(get('C-1')->{json});
			my $now = ids_of(get('C-1')->{json});
			($seen, $now =~ s/-\d+//r,
			    ids_of(get('C-1')->{json}) eq $now);
		}, [ 'A', 'A', !!1 ], [ 'A', 'A SOMEBODY', !!1 ] ],
	[ 'a writer of notes, with an ETag', 'tmf', { etag => $TRUE, writer =>
		{ ticket => 'C-2', member => 'note', element => { x => 1 } } },
		sub () {
			(map { my $etag = get($_)->{headers}{etag} // '';
				patch($_, { status => 'a' }, 'If-Match' =>
				    $etag)->{status},
				scalar @{ tmf($_)->{note} } } qw(C-1 C-2));
		}, [ 200, 0, 200, 0 ], [ 200, 0, 412, 1 ] ],
	[ 'merging', 'tmf', { merge => $TRUE },
		sub () {
			have('C-1', rels('A', 'B')->%*, note => [ { x => 1 } ]);
			patch('C-1', { troubleTicketRelationship =>
				[ rel('B', name => 'b'), rel('C') ],
				note => [ { x => 1 }, { x => 2 } ] });
			patch('C-1', { note => [] });
			my $t = tmf('C-1');
			(ids_of($t), scalar @{ $t->{note} },
			    scalar grep { $_->{name} }
			    @{ $t->{troubleTicketRelationship} });
		}, [ 'B C', 0, 1 ], [ 'A B C', 2, 1 ] ],
	[ 'forgetting', 'tmf',
		{ forget => ['troubleTicketRelationship'] },
		sub () {
			my $r = patch('C-1', { rels('A')->%*, status => 'a' });
			my $all = patch('C-1', rels('A'));
			($r->{status}, ids_of($r->{json}), $r->{json}{status},
			    (calls)[-1]{applied} ? 1 : 0);
		}, [ 200, 'A', 'a', 1 ], [ 200, '', 'a', 0 ] ],
	(map { my ($how, @want) = @$_;
		[ "the answer $how", 'tmf', { answers => $how }, sub () {
			my $r = patch('C-1', { rels('A')->%*, status => 'a' });
			($r->{status}, ref $r->{json}
			    ? join ' ', sort keys %{ $r->{json} }
			    : $r->{content} ? 'text' : '',
			    ids_of(tmf('C-1')));
		}, [ 200, 'id note status troubleTicketRelationship', 'A' ],
		[ @want, 'A' ] ] }
	    [ 204 => 204, '' ], [ 202 => 202, '' ], [ empty => 200, '' ],
	    [ html => 200, 'text' ], [ sparse => 200, 'href id' ],
	    [ 'no-array' => 200, 'href id status' ],
	    [ stale => 200, 'id note troubleTicketRelationship' ]),
	[ 'the answer 204 of others', 'taas', { answers => '204' },
		sub () { relate(link => 'C-1', 'N-1')->{status} },
		[200], [204] ],
	[ 'fields that are not heeded', 'tmf', { fields => $FALSE },
		sub () { join ' ', sort keys
		    get('C-1', '?fields=note')->{json}->%* },
		[ 'id note' ], [ 'id note troubleTicketRelationship' ] ],
	[ 'gzip', 'tmf', { gzip => $TRUE },
		sub () {
			have('C-1', note => [ { text => 'x' x 9999 } ]);
			map {
				my $zip = $_->{headers}{'content-encoding'}
				    // 'none';
				my $text = $_->{content};
				$text = Compress::Zlib::memGunzip($text)
				    if $zip eq 'gzip';
				($zip, length $text > 9999,
				    length $_->{content} > 9999);
			} get('C-1'), get('C-1', '',
			    'Accept-Encoding' => 'deflate, gzip');
		}, [ ('none', !!1, !!1) x 2 ],
		[ 'none', !!1, !!1, 'gzip', !!1, '' ] ],
	[ 'version 5', 'tmf', { version => 5 },
		sub () {
			have('C-1', rels('A')->%*, note => [ {} ]);
			my $r = get('C-1')->{json};
			((map { $_->{'@type'} } $r,
				$r->{troubleTicketRelationship}[0],
				$r->{note}[0]), !!$r->{href}, map {
				patch('C-1', $_)->{status} }
			    {}, { '@type' => 'TroubleTicket' },
			    { '@type' => 'TroubleTicket', rels('A')->%* },
			    { '@type' => 'TroubleTicket', note => [ {} ] },
			    { '@type' => 'TroubleTicket', note =>
				[ { '@type' => 'Note' } ] });
		}, [ undef, undef, undef, '', (200) x 5 ],
		[ 'TroubleTicket', 'TroubleTicketRelationship', 'Note', !!1,
			400, 200, 400, 400, 200 ] ],
);

for (@BEHAVIOURS) {
	my ($name, $partner, $set, $sub, @want) = @$_;

	for my $with (0, 1) {
		sim(POST => '/reset');
		sim(PUT => "/behave/$partner", $set) if $with;
		my @got = map { ref eq 'JSON::PP::Boolean' ? !!$_ : $_ }
		    $sub->();
		is_deeply \@got, $want[$with],
		    ($with ? '' : 'without ') . $name
		    or diag explain \@got;
	}
}

# ---- what a rule can do ----

my $link = [ POST => '/taas/tickets/C-1/link', { nttTicketNo => 'N-1' },
	'Idempotency-Key' => 'k' ];

# name, the rule, the status and the kind of the answer, whether the call was
# applied when it came, and 0.2 s later.
my @RULES = (
	[ 'none', undef, 200, 'json', 1, 1 ],
	[ 'a page', { do => 'html' }, 200, 'html', 0, 0 ],
	[ 'a page after the fact', { do => 'html', applied => $TRUE },
		200, 'html', 1, 1 ],
	[ 'a page with a status', { do => 'html', status => 413 },
		413, 'html', 0, 0 ],
	[ 'its own answer as 206', { do => 'status', status => 206,
		own => $TRUE }, 206, 'json', 1, 1 ],
	[ 'late after a cut', { do => 'cut', late => 100 }, 599, 'plain', 0, 1 ],
	[ 'late after a 504', { do => 'html', status => 504, late => 100 },
		504, 'html', 0, 1 ],
	[ 'a cut', { do => 'cut' }, 599, 'plain', 0, 0 ],
	(map { [ "a gateway: $_->[0]", { do => 'gateway', percent => 100, ms => 1,
		late => 100, kinds => [ $_->[0] ], statuses => [401] },
		@$_[ 1 .. 4 ] ] }
	    [ cut => 599, 'plain', 0, 0 ], [ html => 200, 'html', 0, 0 ],
	    [ 'cut-applied' => 599, 'plain', 1, 1 ],
	    [ delay => 200, 'json', 1, 1 ], [ late => 599, 'plain', 0, 1 ]),
	[ 'a gateway that is not mad', { do => 'gateway', percent => 0 },
		200, 'json', 1, 1 ],
);

for (@RULES) {
	my ($name, $rule, @want) = @$_;

	sim(POST => '/reset');
	rule(%$rule) if $rule;
	my $r = call(@$link);
	my $type = $r->{headers}{'content-type'} =~ s{.*/}{}r;
	my @got = ($r->{status}, $type, (calls)[0]{applied} ? 1 : 0);
	sleep 0.2 if $want[2] != $want[3];
	my $effects = effects->{k} // 0;
	is_deeply [ @got, (calls)[0]{applied} ? 1 : 0, $effects ],
	    [ @want, $want[3] ], "a rule: $name";
}

{
	sim(POST => '/reset');
	rule(do => 'status', status => 403, partner => 'taas', lasts => 2000);
	is call(@$link)->{status}, 403, 'a gateway for a while';
	is relate(link => 'C-1', 'N-1', 'k')->{status}, 403, 'says so again';
	is get('C-1')->{status}, 200, 'of this partner only';
	sleep 2;
	is call(@$link)->{status}, 200, 'and then it is gone, nothing remembered';
}

# Two are held, each by a rule of its own; each goes on when its own is deleted,
# and nobody sooner.
{
	sim(POST => '/reset');
	my @rules = map { sim(POST => '/rules', { do => 'hold', times => 1,
		ticket => "C-$_" })->{id} } 1, 2;
	my @in = map {
		my $n = $_;
		open my $in, '-|' // die "fork: $!\n" or do {
			print relate(link => "C-$n", 'N-1', "k$n")->{status};
			POSIX::_exit(0) if close STDOUT;
		};
		$in;
	} 1, 2;
	my $applied = sub () { join ' ', map { $_->{applied} ? 1 : 0 }
		sort { $a->{ticket} cmp $b->{ticket} } calls() };
	my $until = time + 20;

	sleep 0.02 while calls() < 2 && time < $until;
	is $applied->(), '0 0', 'both are held';
	is relate(link => 'C-1', 'N-1', 'k3')->{status}, 200,
	    'another goes its way';
	sim(DELETE => "/rules/$rules[1]");
	is readline $in[1], 200, 'the second goes on';
	is_deeply effects, { k2 => 1, k3 => 1 }, 'and not the first';
	rule(do => 'cut', ticket => 'C-9');
	sim(DELETE => '/rules');
	is get('C-9')->{status}, 200, 'no rule is left';
	is readline $in[0], 200, 'which goes on then';
}

# The same seed, the same storm.
{
	my @storms = map {
		sim(POST => '/reset');
		rule(do => 'gateway', seed => $_, percent => 50,
		    statuses => [ 401, 404, 503 ], kinds =>
			[ qw(status cut cut-applied html) ]);
		join ' ', map {
			my $r = relate(link => 'C-1', 'N-1', "k$_");
			my $type = $r->{headers}{'content-type'};
			$r->{status} . ($type =~ /html/ ? 'h' : '');
		} 1 .. 60;
	} 7, 7, 8;
	is $storms[1], $storms[0], 'the same seed, the same storm';
	isnt $storms[2], $storms[0], 'another, another';
	like $storms[0], qr/(?=.*\b401)(?=.*\b404)(?=.*\b503)(?=.*599)(?=.*200h)/,
	    'in which everything happens';
	my $well = () = $storms[0] =~ /\b200\b/g;
	cmp_ok $well, '>', 15, 'and not to everybody';
	cmp_ok $well, '<', 45, 'nor to nobody';
	cmp_ok +(scalar grep { $_->{applied} } calls), '>', $well - 1,
	    'some of it after the fact';
}

# ---- bytes ----

{
	my $odd = '{ "id":"X" ,"relationshipType":"r","n":12345678901234567890123,'
	    . '"f":1.10,"e":1E400,"a":1,"a":[ {"\u00e9\"]":"é}' . "\xef\xbf\xbe\"} ,2] }";
	my $raw = "{\"note\": [ {}, $odd ],\n \"x\":1, \"x\":2 }";

	sim(POST => '/reset');
	is sim(PUT => '/raw/tmf/C-1', $raw)->{id}, 'C-1', 'a raw ticket';
	is get('C-1')->{content}, $raw, 'is answered as it came';
	is get('C-1', '?fields=id')->{content}, $raw, 'whatever is asked for';
	is tmf('C-1')->{x}, 2, 'and its members are there';
	my $body = "{\"troubleTicketRelationship\" :[ $odd ] }";
	my $r = patch('C-1', $body);
	is $r->{content}, '{"id":"C-1","note":[ {}, ' . $odd
	    . ' ],"troubleTicketRelationship":[ ' . $odd . ' ],"x":2}',
	    'what a PATCH left alone, and what it brought, stay as they came';
	is get('C-1')->{content}, $r->{content}, 'then the text is gone';
	my $heard = (calls)[-2];
	utf8::encode(my $text = $heard->{raw});
	is $text, $body, 'a call has its body as it came';
	sim(PUT => '/behave/tmf', { merge => $TRUE, writer => { times => 1 } });
	get('C-1');
	patch('C-1', { note => [ { id => 'Y' } ] });
	my $now = get('C-1')->{content};
	is scalar(() = $now =~ /\Q$odd\E/g), 2, 'merged and written to, too';
	sim(PUT => '/raw/tmf/C-1', '<html>');
	is get('C-1')->{content}, '<html>', 'a raw text need not be JSON';
}

for my $kib (65, 4100) {
	my @notes = ({ text => 'x' x ($kib << 10) });

	sim(POST => '/reset');
	have('C-1', note => \@notes);
	is_deeply get('C-1')->{json}{note}, \@notes, "a ticket of $kib KiB";
	is patch('C-1', { note => [ @notes, {} ] })->{status}, 200,
	    'can be changed';
}

# ---- reading, ghosts ----

{
	sim(POST => '/reset');
	relate(link => 'C-1', 'N-1');
	is_deeply call(GET => '/taas/tickets/C-1')->{json}, { ticketNo => 'C-1',
		nttTicketNo => 'N-1', status => undef }, 'TaaS is read';
	is_deeply call(GET => '/taas/tickets/C-2')->{json}, { ticketNo => 'C-2',
		nttTicketNo => undef, status => undef }, 'a ticket not linked';
	is call(GET => '/nig/cpe/C-1/ONT')->{status}, 404, 'NIG knows nothing';
	cpe({ model => 'm', port => undef, other => 1 });
	is_deeply call(GET => '/nig/cpe/C-1/ONT')->{json}, { model => 'm',
		map { $_ => undef } qw(manufacturer ipAddress bandwidthMbps
		port) }, 'then five values';
	have('C-1');
	sim(DELETE => "/ticket/$_/C-1") for qw(taas tmf nig);
	is_deeply [ map { $_->{status} } relate(unlink => 'C-1', 'N-1'),
		call(GET => '/taas/tickets/C-1'), get('C-1'), patch('C-1', {}),
		cpe({ model => 'm' }), call(GET => '/nig/cpe/C-1/ONT') ],
	    [ (404) x 6 ], 'ghosts';
	is_deeply [ sort keys get('C-1')->{json}->%* ],
	    [ qw(code message reason) ], "and TMF's kind of error";
	is get('C-2')->{status}, 200, 'no other is one';
	have('C-1');
	is get('C-1')->{status}, 200, 'until they are made again';
}

{
	sim(POST => '/reset');
	get('C-1', '', 'If-Match' => '"x"', 'User-Agent' => 'me');
	is_deeply [ @{ (calls)[0]{headers} }{qw(if-match user-agent)} ],
	    [ '"x"', 'me' ], 'a call has its headers';
	sim(PUT => '/behave/tmf', { gzip => $TRUE, version => 5 });
	sim(PUT => '/behave/tmf', { etag => 'weak', version => undef });
	is_deeply sim(GET => '/behave'), { taas => {}, nig => {}, queue => {},
		tmf => { gzip => $TRUE, etag => 'weak' } },
	    'what is set is merged';
	sim(POST => '/reset');
	is_deeply sim(GET => '/behave')->{tmf}, {}, 'and forgotten by a reset';
	is call(@$_)->{status}, 400, "refused: $_->[1] "
	    . $JSON->encode($_->[2]) for
	    [ PUT => '/_sim/behave/taas', { etag => $TRUE } ],
	    [ PUT => '/_sim/behave/taas', { answers => 'sparse' } ],
	    [ PUT => '/_sim/behave/tmf', [] ],
	    [ POST => '/_sim/rules', { do => 'gateway', kinds => ['x'] } ];
}

done_testing;
