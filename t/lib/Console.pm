package Console;

# The console of a stack, in a browser, as somebody who is signed in:
#
#	my $b = Console->open($c, path => '/ctt/1', roles => ['ctt-cpe']);
#	$b->visit('/ntt/2');
#	$b->quiet('the NTT');
#	$b->stop;
#
# It is a Browser. The token is pasted in, and gone with the page: so visit
# moves within the page, as a link does, and reopen loads it again.

use v5.36;

use parent 'Browser';

use Cpanel::JSON::XS ();
use Test::More;
use Util ();

my $JSON = Cpanel::JSON::XS->new->utf8->canonical;

# path, roles and sub, and what Browser has.
sub open ($class, $c, %opt) {
	my ($path, $sub, $roles) = delete @opt{qw(path sub roles)};
	my $self = $class->start(%opt);

	$self->{stack} = $c;
	$self->{who} = { sub => $sub // 'olga',
		roles => $roles // ['ctt-operator'] };
	$self->reopen($path // '/');
	return $self;
}

# The administrator's settings.
sub configure ($class, $c, %settings) {
	Util::replace($c->dir . '/etc/console.json', $JSON->encode(\%settings));
}

sub address ($self, $path) {
	return $self->{stack}->env('CTT_HTTP_URL') . "/console$path";
}

# Loads the page; roles: as somebody else from now on.
sub reopen ($self, $path, %who) {
	$self->{who} = { %{ $self->{who} }, %who };
	$self->go($self->address($path));
	$self->paste_token($self->{stack}->token(%{ $self->{who} }));
	$self->find('header.top');
}

sub paste_token ($self, $token) {
	# Typed, it would take long.
	my $field = $self->find([ label => 'Token' ]);
	$self->script('arguments[0].focus(); arguments[0].select()', $field);
	$self->cdp('Input.insertText', { text => $token });
	$self->click([ role => 'button', name => 'Use this token' ]);
}

sub visit ($self, $path) {
	$self->script('history.pushState(null, "", arguments[0]);'
	    . ' dispatchEvent(new PopStateEvent("popstate"))', "/console$path");
}

# That the browser complains of nothing but answers of the API that are no
# success: these it always tells.
sub quiet ($self, $name, @expected) {
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return $self->no_errors($name, @expected,
	    qr{^network: http://[^/]+/ticket/\S* - Failed to load resource});
}

1;
