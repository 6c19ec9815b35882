package resolve

import (
	"fmt"
)

// maxSystemServers is the number of servers that resolvers commonly use
// (resolv.conf(5), MAXNS).
const maxSystemServers = 3

// System returns a client of the servers that the machine itself is set up to
// use. It reads the machine's configuration once and asks nothing.
func System() (*Client, error) {
	servers, err := systemServers()
	if err != nil {
		return nil, fmt.Errorf("resolve: the machine's DNS servers are not known: %w", err)
	}
	if len(servers) > maxSystemServers {
		servers = servers[:maxSystemServers]
	}
	return NewClient(servers...)
}
