package Tmf;

# Holds what was PATCHed to TMF against the TMF621 documents (t/tmf/): version
# 4's TroubleTicket_Update, version 5's TroubleTicket_MVO. Each is closed, so
# that a member which cannot be patched (id, href, creationDate, ...) or which
# nobody defined is a fault.

use v5.36;

use Cpanel::JSON::XS ();
use File::Basename qw(dirname);
use JSON::Validator::Schema::Draft4 ();
use YAML::XS ();

use lib dirname(__FILE__);
use Util qw(slurp);

my $TMF = dirname(__FILE__) . '/../tmf';
my $SCHEMA = 'http://json-schema.org/draft-04/schema#';

sub version_4 () {
	my $definitions = Cpanel::JSON::XS::decode_json(
	    slurp("$TMF/TMF621-TroubleTicket-v4.0.0.swagger.json"))->{definitions};

	return { definitions => $definitions,
		%{ $definitions->{TroubleTicket_Update} } };
}

# What a schema and all those it is made of (allOf) say of members: in one
# object, for only one can be closed.
sub flat ($schemas, $schema) {
	my ($name) = ($schema->{'$ref'} // '') =~ m{([^/]+)$};
	return flat($schemas, $schemas->{$name}) if defined $name;
	my %all = (properties => { %{ $schema->{properties} // {} } },
		required => [ @{ $schema->{required} // [] } ]);

	for my $part (map { flat($schemas, $_) } @{ $schema->{allOf} // [] }) {
		%{ $all{properties} } =
		    (%{ $part->{properties} }, %{ $all{properties} });
		push @{ $all{required} }, @{ $part->{required} };
	}
	return \%all;
}

sub version_5 () {
	my $components =
	    YAML::XS::Load(slurp("$TMF/TMF621-Trouble_Ticket-v5.0.1.oas.yaml"))
	    ->{components};
	my $schemas = $components->{schemas};
	my $mvo = $schemas->{TroubleTicket_MVO};
	my $all = flat($schemas, $mvo);

	# As every entity it has these, but they cannot be patched.
	delete @{ $all->{properties} }{qw(id href)};
	$all->{properties}{'@type'} = { type => 'string',
		enum => [ sort keys %{ $mvo->{discriminator}{mapping} } ] };
	return { type => 'object', components => $components, %$all };
}

sub validator ($version) {
	state %validator;

	return $validator{$version} //= JSON::Validator::Schema::Draft4->new({
		%{ $version == 5 ? version_5() : version_4() },
		'$schema' => $SCHEMA,
		additionalProperties => Cpanel::JSON::XS::false });
}

# What is wrong with the body of a PATCH: lines, or nothing.
sub faults ($body, %opt) {
	return map { "$_" } validator($opt{version} // 4)->validate($body);
}

1;
