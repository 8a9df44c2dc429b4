package Oidc;

# A real OpenID provider (npm's oidc-provider) for one test file:
#
#	my $idp = Oidc->start;
#	my $c = Ctt->start(idp => $idp->issuer, set => { $idp->settings });
#	$idp->console($c);		# it is for this stack's console
#	$idp->set(ttl => 5);		# see t/tools/oidc-provider.js
#	$idp->token;			# by client credentials
#	$idp->rotate;			# another key signs from now on
#	$idp->stop; $idp->again;	# away, and there again
#
# A test file that needs it is skipped where npm's registry is not to be had,
# if CTT_OFFLINE says so.

use v5.36;

use Cpanel::JSON::XS ();
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use HTTP::Tiny ();
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__);
use Browser ();
use Util qw(slurp_if);

use constant START => 120;    # seconds, on a busy machine

my $TOP = dirname(dirname(dirname(abs_path(__FILE__))));
my $JSON = Cpanel::JSON::XS->new->utf8->canonical;
my %up;

END {
	my $status = $?;
	$_->stop for grep { $_->{owner} == $$ } values %up;
	$? = $status;
}

sub import ($class) {
	plan(skip_all => 'no npm registry: CTT_OFFLINE is set')
	    if !Browser::tool('oidc-provider/package.json');
}

# alg: RS256, PS256, ES256 or EdDSA; host: localhost makes it another site than 127.0.0.1.
sub start ($class, %opt) {
	my $self = bless { alg => 'RS256', host => '127.0.0.1', owner => $$,
		dir => File::Temp::tempdir('oidc.XXXXXX', TMPDIR => 1,
			CLEANUP => 1), %opt }, $class;

	$self->launch(0);
	return $self;
}

sub launch ($self, $port) {
	my $log = "$self->{dir}/log";

	unlink $log;    # an earlier start was ready, too
	my $pid = Browser::beside($log, {}, 'node',
		"$TOP/t/tools/oidc-provider.js", '--port', $port,
		'--host', $self->{host}, '--alg', $self->{alg},
		'--key-file', "$self->{dir}/key.pem");

	@$self{qw(pid issuer)} = ($pid, undef);
	$up{$pid} = $self;
	Browser::wait_until(START, sub {
		die 'the provider ended: ' . slurp_if($log)
		    if waitpid($pid, POSIX::WNOHANG) == $pid;
		($self->{issuer}) = slurp_if($log) =~ /^ready (\S+)$/m;
		return $self->{issuer};
	}) or die 'the provider does not start: ' . slurp_if($log);
}

sub issuer ($self) { return $self->{issuer} }

# What cttd has to be told, so that it takes the tokens.
sub settings ($self) {
	return (CTT_JWT_ALG => $self->{alg},
		CTT_JWT_KEY_FILE => "$self->{dir}/key.pem",
		CTT_JWT_ISSUER => $self->issuer, CTT_JWT_AUDIENCE => 'cttd');
}

# The same, if it has to find the keys out.
sub found_settings ($self) {
	my %settings = $self->settings;

	delete $settings{CTT_JWT_KEY_FILE};
	return (%settings,
		CTT_JWT_JWKS_URL => $self->configuration->{jwks_uri});
}

# The answer to a GET, or with %$content (see HTTP::Tiny) to a POST.
sub ask ($self, $path, $content = undef) {
	my $url = "http://127.0.0.1:@{[$self->port]}$path";
	my $http = HTTP::Tiny->new(timeout => 60, proxy => undef,
		http_proxy => undef);
	my $r = $content ? $http->post($url, $content) : $http->get($url);

	die "the provider: $r->{status} $r->{content}\n" if !$r->{success};
	return $JSON->decode($r->{content});
}

sub control ($self, $change = undef) {
	return $self->ask('/control',
	    $change && { content => $JSON->encode($change) });
}

sub configuration ($self) {
	return $self->ask('/.well-known/openid-configuration');
}

# An access token of the client cttd-service, by its secret.
sub token ($self) {
	my ($path) = $self->configuration->{token_endpoint} =~ m{//[^/]+(/.*)};

	return $self->ask($path, {
		headers => { 'Content-Type' => 'application/x-www-form-urlencoded',
			Authorization => 'Basic ' . encode_base64(
			    'cttd-service:only+for+tests', '') },
		content => 'grant_type=client_credentials&scope=ctt',
	})->{access_token};
}

# The kid of the new key; drop: the old ones are in the JWK set no more.
sub rotate ($self, %how) {
	return $self->ask('/rotate', { content => $JSON->encode(\%how) })->{kid};
}

sub port ($self) { return $self->{issuer} =~ /:(\d+)$/ ? $1 : die }

sub set ($self, %change) {
	$self->{set} = { %{ $self->{set} // {} }, %change };
	return $self->control($self->{set});
}

sub console ($self, $c) {
	return $self->set(console => $c->env('CTT_HTTP_URL'));
}

# How often it was asked: $idp->count('POST /token').
sub count ($self, $what) { return $self->control->{counts}{$what} // 0 }

sub stop ($self) {
	my $pid = delete $self->{pid} or return;

	delete $up{$pid};
	kill 'TERM', $pid;
	waitpid $pid, 0;
}

# On the same port, with the same key and settings.
sub again ($self) {
	$self->launch($self->port);
	$self->set;
}

1;
