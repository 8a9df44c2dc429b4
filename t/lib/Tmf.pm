package Tmf;

# Holds what was PATCHed to TMF against the TMF621 document (t/tmf/): its
# definition of TroubleTicket_Update, closed, so that a member which cannot be
# patched (id, href, creationDate, ...) or which nobody defined is a fault.

use v5.36;

use Cpanel::JSON::XS ();
use File::Basename qw(dirname);
use JSON::Validator::Schema::Draft4 ();

my $FILE = dirname(__FILE__) . '/../tmf/TMF621-TroubleTicket-v4.0.0.swagger.json';

sub document () {
	open my $fh, '<:raw', $FILE or die "$FILE: $!\n";
	local $/;
	return Cpanel::JSON::XS::decode_json(<$fh>);
}

sub validator () {
	state $validator = do {
		my $definitions = document()->{definitions};
		my $update = $definitions->{TroubleTicket_Update};

		$update->{additionalProperties} = Cpanel::JSON::XS::false;
		JSON::Validator::Schema::Draft4->new({ %$update,
			'$schema' => 'http://json-schema.org/draft-04/schema#',
			definitions => $definitions });
	};
	return $validator;
}

# What is wrong with the body of a PATCH: lines, or nothing.
sub faults ($body) {
	return map { "$_" } validator()->validate($body);
}

1;
