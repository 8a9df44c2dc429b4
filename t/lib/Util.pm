package Util;

# What tests and scripts do with files, processes, ports and numbers. It needs
# nothing but Perl's own modules.

use v5.36;

use Exporter qw(import);
use Fcntl qw(O_CREAT O_EXCL O_WRONLY);
use IO::Socket::IP ();
use POSIX ();

our @EXPORT_OK = qw(cpu_s free_port median memory_kb output replace slurp
    slurp_if spew);

# All that a file has, as bytes.
sub slurp ($file) {
	open my $fh, '<:raw', $file or die "$file: $!\n";
	local $/;
	return readline($fh) // '';
}

# The same, or '' if the file cannot be read.
sub slurp_if ($file) {
	return eval { slurp($file) } // '';
}

# Writes a file anew, in its place; returns its name.
sub spew ($file, $text, $mode = undef) {
	open my $fh, '>', $file or die "$file: $!\n";
	print $fh $text;
	close $fh or die "$file: $!\n";
	chmod $mode, $file or die "$file: $!\n" if defined $mode;
	return $file;
}

# Writes a new file and puts it in place of the old one, so that nobody reads
# half of it. It has its mode before it has its text.
sub replace ($file, $text, $mode = 0644) {
	my $new = "$file.new.$$";

	unlink $new;
	sysopen my $fh, $new, O_WRONLY | O_CREAT | O_EXCL, $mode
	    or die "$new: $!\n";
	print $fh $text;
	close $fh or die "$new: $!\n";
	rename $new, $file or die "$file: $!\n";
	return $file;
}

# Runs a command of the shell: what it prints (errors too), and its exit status.
sub output ($command) {
	my $text = qx{( $command ) 2>&1};

	return ($text, $? >> 8 || $? & 127);
}

# A TCP port of this host that is free now.
sub free_port ($host = '127.0.0.1') {
	my $socket = IO::Socket::IP->new(LocalHost => $host, Listen => 1)
	    or die "$host: no port: $!\n";

	return $socket->sockport;
}

# The seconds of CPU that a process has used, by all its threads.
sub cpu_s ($pid) {
	my @field = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\)//sr;

	return ($field[11] + $field[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

# The memory of a process, in kB: VmRSS is what it has, VmHWM the most that it
# ever had.
sub memory_kb ($pid, $what) {
	return slurp("/proc/$pid/status") =~ /^$what:\s+(\d+)/m ? $1
	    : die "$pid: no $what\n";
}

# The middle value, or the mean of the two in the middle; 0 of none.
sub median (@values) {
	my @sorted = sort { $a <=> $b } @values;
	my $half = @sorted / 2;

	return 0 if !@sorted;
	return @sorted % 2 ? $sorted[$half]
	    : ($sorted[ $half - 1 ] + $sorted[$half]) / 2;
}

1;
