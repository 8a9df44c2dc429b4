# The check of what is sent to TMF, itself checked: it must be able to fail.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tmf;

sub linked (%with) {
	return { troubleTicketRelationship =>
		[ { id => 'N-1', relationshipType => 'isChild', %with } ] };
}

is_deeply [ Tmf::faults($_->[1]) ], [], $_->[0] for (
	[ 'a link', linked() ],
	[ 'no relationship', { troubleTicketRelationship => [] } ],
	[ 'somebody else\'s member', linked('@schemaLocation' => 'http://x/y') ],
	[ 'a resolve', { status => 'resolved', statusChangeReason => 'r',
		resolutionDate => '2026-01-02T03:04:05.678Z',
		note => [ { text => 't' } ] } ],
);

like join('', Tmf::faults($_->[1])), $_->[2], $_->[0] for (
	[ 'an id that is a number', linked(id => 1), qr/id: Expected string/ ],
	[ 'no array', { troubleTicketRelationship => {} }, qr/Expected array/ ],
	[ 'what cannot be patched', { id => 'C-1' }, qr/not allowed: id/ ],
	[ 'what nobody defined', { link => 'N-1' }, qr/not allowed: link/ ],
	[ 'another status', { status => 'Resolved' }, qr/Not in enum list/ ],
	[ 'no date', { resolutionDate => 'today' }, qr/date-time/ ],
	[ 'no object', [], qr/Expected object/ ],
);

done_testing;
