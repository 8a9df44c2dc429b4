package Drill;

# Drills: a part is broken, the alert of doc/alerts.yml fires, the runbook is
# followed, and in the end nothing is lost:
#
#	my $drill = Drill->new($c, $tmp);
#	is_deeply [ $drill->firing($before, $drill->metrics) ], [], 'none';
#	$drill->run([ $name, [ALERTS], $status, $break, $seen, $mend, $well ]);
#
# promtool runs the rules on what GET /metrics says, before and after.

use v5.36;

use File::Basename qw(dirname);
use Test::More;
use Time::HiRes qw(time);
use YAML::XS ();

use lib dirname(__FILE__);
use Util qw(output spew);

my $RULES = dirname(dirname(dirname(__FILE__))) . '/doc/alerts.yml';

# $tmp: a folder for promtool's tests.
sub new ($class, $c, $tmp) { return bless { c => $c, tmp => $tmp }, $class }

sub can_run () { return grep { -x "$_/promtool" } split /:/, $ENV{PATH} }

sub metrics ($self) {
	my $text = $self->{c}->get('/metrics', Authorization => undef)->{raw};
	return { at => time, of => { $text =~ /^(cttd_\S+?(?:\{.*\})?) ([\d.]+)$/mg } };
}

sub metric ($self, $name) { return $self->metrics->{of}{"cttd_$name"} // -1 }

# What a rule reads if what happened between the two goes on: a counter rises as
# much each minute; so does an age that rose, as time does; a clock goes on; the
# rest stays.
sub series ($before, $after) {
	my $minute = 60 / ($after->{at} - $before->{at});

	return map {
		my ($name, $new) = ($_, $after->{of}{$_});
		# promtool's time begins with 0
		$new -= $after->{at} if /_timestamp_seconds/;
		my $more = $new - ($before->{of}{$name} // 0);
		my $rises = /_total\b|_bucket\b|_count\b|_sum\b/ ? $more
		    : /clock_timestamp/ ? 60
		    : /_(?:seen|age)_seconds/ && $more > 5 ? $more * $minute : 0;
		my $labels = s/\}$/,instance="a"}/r;
		{ series => $labels =~ /\}$/ ? $labels : "$_\{instance=\"a\"}",
		    values => sprintf '%s+%sx90', $new, $rises };
	} sort keys %{ $after->{of} };
}

# The alerts that fire an hour later.
sub firing ($self, $before, $after) {
	my @names = map { $_->{alert} } @{
		YAML::XS::LoadFile($RULES)->{groups}[0]{rules} };
	my $tests = "$self->{tmp}/tests.yml";

	spew($tests, YAML::XS::Dump({ evaluation_interval => '1m',
		rule_files => [$RULES], tests => [ { interval => '1m',
		input_series => [ series($before, $after) ],
		alert_rule_test => [ map { { eval_time => '60m',
			alertname => $_, exp_alerts => [] } } @names ] } ] }));
	my ($said) = output("promtool test rules $tests");
	my %fires = map { $_ => 1 } $said =~ /alertname: ?(\w+)/g;
	return sort keys %fires;
}

# Each drill is [ name, [alerts], what cttctl status says or undef, break, look,
# mend as the runbook says, is it well again ].
sub run ($self, @drills) {
	my $c = $self->{c};

	for (@drills) {
		my ($name, $alerts, $says, $break, $seen, $mend, $well) = @$_;
		my $before = $self->metrics;

		ok $break->(), $name;
		my %fires = map { $_ => 1 }
		    $self->firing($before, $self->metrics);
		is_deeply [ grep { !$fires{$_} } @$alerts ], [],
		    @$alerts ? "@$alerts: fires" : 'no alert is due'
		    or diag join ' ', sort keys %fires;
		like $c->cttctl('status')->{out}, $says,
		    'cttctl status says so' if $says;
		$seen->();
		ok $mend->(), 'what the runbook says is done';
		ok $well->(), "$name: all is well again";
		ok $c->settle(60), 'what was begun is settled';
	}
}

1;
