package Tls;

# Certificates made on the spot, and an nginx of a test's own that uses them:
#
#	my $tls = Tls->new($folder);
#	$tls->ca('ours');
#	$tls->cert('server', ca => 'ours', name => 'localhost');
#	$tls->nginx("server { listen $port ssl; ... }");
#
# A certificate NAME is $tls->file('NAME.crt'), its key $tls->file('NAME.key').

use v5.36;

use File::Basename qw(dirname);
use POSIX ();
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__);
use Util ();

sub new ($class, $dir) {
	mkdir $dir or die "$dir: $!\n";
	return bless { dir => $dir, owner => $$ }, $class;
}

sub file ($self, $name) { return "$self->{dir}/$name" }

sub spew ($self, $name, $text) {
	return Util::spew($self->file($name), $text);
}

sub openssl ($self, @words) {
	system("cd '$self->{dir}' && openssl @words >>openssl.log 2>&1") == 0
	    or die "openssl @words failed: see $self->{dir}/openssl.log\n";
}

sub ca ($self, $name, %opt) {
	$self->openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256",
	    '-nodes -days ' . ($opt{days} // 2),
	    "-subj '/CN=CA $name' -keyout $name.key",
	    "-out $name.crt");
}

# `name` is what the certificate is for, as a server's; `days` may be 0.
sub cert ($self, $file, %opt) {
	$self->spew("$file.ext", "subjectAltName=DNS:$opt{name}\n");
	$self->openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256",
	    "-nodes -subj '/CN=$opt{name}' -keyout $file.key -out $file.csr");
	$self->openssl("x509 -req -in $file.csr -CA $opt{ca}.crt",
	    "-CAkey $opt{ca}.key -CAcreateserial -days " . ($opt{days} // 2),
	    "-extfile $file.ext -out $file.crt");
}

# nginx 1.25.1 and later want "http2 on;" in the place of "listen ... http2;".
sub as_nginx_likes ($text) {
	my ($major, $minor, $patch) = `nginx -v 2>&1` =~ /(\d+)\.(\d+)\.(\d+)/;

	return $text if $major * 1e6 + $minor * 1e3 + $patch < 1_025_001;
	return join '', map { s/ ssl http2;/ ssl;/g
			? s/ ssl;/ ssl; http2 on;/r : $_ }
	    split /(?=^\s*server\s*\{)/m, $text;
}

# Writes its configuration around what is to stand in http { }; its path.
sub nginx_conf ($self, $http) {
	my $dir = $self->{dir};
	my $user = $> == 0 ? 'user root;' : '';

	$http = as_nginx_likes($http);
	return $self->spew('nginx.conf', <<"END");
$user
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx.log warn;
events { }
http {
	access_log off;
	client_body_temp_path $dir/body;
	fastcgi_temp_path $dir/fastcgi;
	proxy_temp_path $dir/proxy;
	scgi_temp_path $dir/scgi;
	uwsgi_temp_path $dir/uwsgi;
$http
}
END
}

sub nginx ($self, $http) {
	my $conf = $self->nginx_conf($http);
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		open STDIN, '<', '/dev/null';
		exec qw(nginx -e), $self->file('nginx.log'), '-c', $conf
		    or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	my $end = time + 20;
	until (-s $self->file('nginx.pid')) {
		die "nginx did not start: see $self->{dir}/nginx.log\n"
		    if time > $end || waitpid $pid, POSIX::WNOHANG;
		sleep 0.02;
	}
}

sub log ($self) {
	return Util::slurp_if($self->file('nginx.log'));
}

sub stop ($self) {
	my $pid = delete $self->{pid} // return;

	local $?;
	kill 'TERM', $pid;
	waitpid $pid, 0;
	unlink $self->file('nginx.pid');
}

sub DESTROY ($self) { $self->stop if $self->{owner} == $$ }

$ENV{PATH} .= ':/usr/sbin';    # which not every user's path has
1;
