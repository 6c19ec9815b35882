# Checks SPF with Mail::SPF against the DNS server at 127.0.0.1, port $ARGV[0].
use strict; use warnings;
use JSON::PP; use Net::DNS::Resolver; use Mail::SPF;
my $dns = Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $ARGV[0], searchlist => [], dnsrch => 0, defnames => 0, udp_timeout => 2, retry => 1, retrans => 1);
my $server = Mail::SPF::Server->new(dns_resolver => $dns, hostname => 'mx.recipient.example');
$| = 1;
while (my $line = <STDIN>) {
    my $q = JSON::PP->new->utf8->decode($line);
    my $result = eval {
        $server->process(Mail::SPF::Request->new(versions => [1], scope => 'mfrom', identity => $q->{from}, ip_address => $q->{ip}, helo_identity => $q->{helo}))->code;
    } // 'exception';
    print "$result\n";
}
