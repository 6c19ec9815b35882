//go:build !windows

package resolve

import (
	"net"

	"github.com/miekg/dns"
)

const resolvConf = "/etc/resolv.conf"

// systemServers reads resolv.conf(5).
func systemServers() ([]string, error) {
	config, err := dns.ClientConfigFromFile(resolvConf)
	if err != nil {
		return nil, err
	}
	var servers []string
	for _, s := range config.Servers {
		servers = append(servers, net.JoinHostPort(s, config.Port))
	}
	if len(servers) == 0 {
		// resolv.conf(5): without a nameserver line, the one on this machine.
		servers = []string{"127.0.0.1:53"}
	}
	return servers, nil
}
