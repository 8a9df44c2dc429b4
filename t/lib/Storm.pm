package Storm;

# Clients that do all that can be done to fifty CTTs and five NTTs, at random:
#
#	my $storm = Storm->new($c);
#	my $seen = $storm->client($end);	# in a child, until then
#	is_deeply [ Storm::untrue($c, $seen) ], [];	# once it has settled
#
# $seen->{n} counts the answers, by status and code; $seen->{told} has what was
# told of each operation.

use v5.36;

use List::Util qw(shuffle);
use Time::HiRes qw(time);

use constant { NTTS => 5, CTTS => 50 };

# A CTT to which anything can be done.
sub given_ctt ($c, $no, %columns) {
	my $ctt = $c->given(ctt => { ticket_no => $no,
		segment_group => 'Managed Services', %columns });

	$c->given_activity($ctt);
	$c->given_element($ctt);
	return $ctt;
}

sub latest ($c, $ctt) {
	return $c->get("/ticket/ctt/$ctt")->{json}{activity}{id};
}

sub new ($class, $c) {
	my @ntts = $c->given((ntt => {}) x NTTS);
	my @ctts = map { given_ctt($c, ($_ % 2 ? 'TaaS-' : 'X-') . $_,
		source => $_ % 3 ? 'TMF' : 'TAAS',
		$_ % 2 ? (linked => $ntts[ $_ % NTTS ]) : ()) } 1 .. CTTS;

	$c->token(roles => ['ctt-cpe']);
	return bless { c => $c, ntts => \@ntts, ctts => \@ctts }, $class;
}

sub any (@of) { return $of[ rand @of ] }

# Some CTTs, some CTT, some NTT.
sub some ($self, $most = 6) {
	return (shuffle @{ $self->{ctts} })[ 0 .. rand $most ];
}
sub ctt ($self) { return any(@{ $self->{ctts} }) }
sub ntt ($self) { return any(@{ $self->{ntts} }) }

sub items ($self) {
	my $ntt = $self->ntt;

	return { items => [ map { { cttId => $_, nttId => $ntt } }
		$self->some ] };
}

my @DO = (
	sub ($self, $c) { $c->link($self->ctt, $self->ntt) },
	sub ($self, $c) { $c->post('/ticket/ctt/link/bulk', $self->items) },
	sub ($self, $c) { $c->unlink_from($self->ntt, [ $self->some(2) ]) },
	sub ($self, $c) { $c->post('/ticket/ctt/unlink/bulk', $self->items) },
	sub ($self, $c) { my $ctt = $self->ctt;
		my $ntt = $c->get("/ticket/ctt/$ctt")->{json}{ctt}{nttId};
		$c->unlink_from($ntt // $self->ntt, [$ctt], remark => 'x') },
	sub ($self, $c) { $c->move_to($self->ntt, [ $self->some ]) },
	sub ($self, $c) { $c->move_to($self->ntt, [ $self->some(2) ],
			remark => 'x') },
	sub ($self, $c) { my $ctt = $self->ctt;
		$c->resolve(latest($c, $ctt), $ctt, remark => 'x') },
	sub ($self, $c) {
		$c->post('/ticket/ctt/bulk-resolve-by-ticket-id',
		    { ticketIds => [ $self->some ], $c->codes }) },
	sub ($self, $c) { $c->update_cpe($self->ctt, {
			manufacturer => any(qw(a b c)),
			model => any(qw(a b c)),
			ipAddress => '10.1.1.' . (1 + int rand 250),
			bandwidthMbps => 1 + int rand 1000,
			port => any(qw(1 2 3)) }) },
);

my %DONE = map { $_ => 1 } qw(linked unlinked moved resolved);

# What an answer tells of its operations: [id, "done" or "failed"]. Of what has
# to be looked up it tells nothing.
sub told ($r) {
	my $json = $r->{json} // {};
	my @results = @{ $json->{results} // [] };

	@results = { %$json, outcome => $r->{status} == 200 ? 'linked'
		: 'failed', error => $json } if !@results;
	return map {
		my $code = $_->{error}{code} // '';
		!$_->{operationId} ? ()
		    : $DONE{ $_->{outcome} } ? [ $_->{operationId}, 'done' ]
		    : $_->{outcome} eq 'failed' && $code =~ /^EXTERNAL/
		    ? [ $_->{operationId}, 'failed' ] : ();
	} @results;
}

# Where the end of an operation is not what the caller was told.
sub untrue ($c, @seen) {
	my %state = map { @$_{qw(id state)} }
	    $c->rows('SELECT id, state FROM operation');

	return map {
		my ($id, $told) = @$_;
		my $state = $state{$id} // 'not there';
		($told eq 'done') ne ($state eq 'SUCCEEDED')
		    ? "$id: told $told, is $state" : ();
	} map { @{ $_->{told} } } @seen;
}

sub client ($self, $end) {
	my (%n, @told);

	while (time < $end) {
		my $r = any(@DO)->($self, $self->{c});
		$n{ join ' ', $r->{status}, $r->{json}{code} // () }++;
		push @told, told($r);
	}
	return { n => \%n, told => \@told };
}

1;
