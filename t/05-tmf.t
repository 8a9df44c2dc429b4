# The check of what is sent to TMF, itself checked: it must be able to fail.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tmf;

# Bodies as each version has them: version 5 wants an @type everywhere.
my %TYPE = (4 => sub ($type) { () }, 5 => sub ($type) { ('@type' => $type) });

sub ticket ($version, %members) {
	return { $TYPE{$version}->('TroubleTicket'), %members };
}

sub linked ($version, %with) {
	return ticket($version, troubleTicketRelationship => [
		{ $TYPE{$version}->('TroubleTicketRelationship'), id => 'N-1',
			relationshipType => 'isChild', %with } ]);
}

sub resolved ($version, %with) {
	return ticket($version, status => 'resolved', statusChangeReason => 'r',
	    resolutionDate => '2026-01-02T03:04:05.678Z',
	    note => [ { $TYPE{$version}->('Note'), id => 'n', author => 'a',
		date => '2026-01-02T03:04:05Z', text => 't', %with } ]);
}

for my $v (4, 5) {
	is_deeply [ Tmf::faults($_->[1], version => $v) ], [], "v$v: $_->[0]"
	for (
		[ 'a link', linked($v) ],
		[ 'no relationship',
			ticket($v, troubleTicketRelationship => []) ],
		[ 'somebody else\'s member',
			linked($v, '@schemaLocation' => 'http://x/y') ],
		[ 'a resolve', resolved($v) ],
	);

	like join('', Tmf::faults($_->[1], version => $v)), $_->[2],
	    "v$v: $_->[0]"
	for (
		[ 'an id that is a number', linked($v, id => 1),
			qr/id: .*Expected string/ ],
		[ 'no array', ticket($v, troubleTicketRelationship => {}),
			qr/Expected array/ ],
		[ 'a note that is a number', resolved($v, text => 1),
			qr/text: .*Expected string/ ],
		[ 'what cannot be patched', ticket($v, id => 'C-1'),
			qr/not allowed: id/ ],
		[ 'when it was made', ticket($v,
			creationDate => '2026-01-02T03:04:05Z'),
			qr/not allowed: creationDate/ ],
		[ 'what nobody defined', ticket($v, link => 'N-1'),
			qr/not allowed: link/ ],
		[ 'another status', ticket($v, status => 'Resolved'),
			qr/Not in enum list/ ],
		[ 'no date', ticket($v, resolutionDate => 'today'),
			qr/date-time/ ],
		[ 'no object', [], qr/Expected object/ ],
	);
}

like join('', Tmf::faults($_->[1], version => 5)), $_->[2],
    "v5: $_->[0] without a type"
for (
	[ 'a ticket', linked(4), qr{/\@type: Missing property} ],
	[ 'a relationship', ticket(5,
		troubleTicketRelationship => [ { id => 'N-1' } ]),
		qr{/0/\@type: .*Missing property} ],
	[ 'a note', ticket(5, note => [ { text => 't' } ]),
		qr{/0/\@type: .*Missing property} ],
);
like join('', Tmf::faults({ '@type' => 'Ticket' }, version => 5)),
    qr/\@type: Not in enum list/, 'v5: a ticket of another type';

done_testing;
