package dnsbl

import (
	"net/netip"
	"strings"
)

// publicResolvers are resolvers that anybody may ask, by the addresses that their
// operators publish. Lists that count questions by resolver refuse them, some in
// silence. As of 2026-11.
var publicResolvers = []struct{ operator, prefixes string }{
	{"Google Public DNS", "8.8.8.8/32 8.8.4.4/32 2001:4860:4860::8888/128 2001:4860:4860::8844/128"},
	{"Cloudflare 1.1.1.1", "1.1.1.0/29 1.0.0.0/29 2606:4700:4700::/48"},
	{"Quad9", "9.9.9.0/24 149.112.112.0/24 2620:fe::/48"},
	{"Cisco OpenDNS", "208.67.222.0/24 208.67.220.0/24 2620:119:35::/48 2620:119:53::/48"},
	{"AdGuard DNS", "94.140.14.0/24 94.140.15.0/24 2a10:50c0::/32"},
	{"Level 3", "4.2.2.0/29"},
	{"Vercara UltraDNS", "64.6.64.6/32 64.6.65.6/32"},
	{"ControlD", "76.76.2.0/24 76.76.10.0/24"},
	{"DNS.WATCH", "84.200.69.80/32 84.200.70.40/32"},
}

// publicResolver returns who runs the public resolver at an address such as
// "8.8.8.8:53", or "".
func publicResolver(server string) string {
	at, err := netip.ParseAddrPort(server)
	if err != nil {
		return ""
	}
	for _, r := range publicResolvers {
		for text := range strings.FieldsSeq(r.prefixes) {
			if netip.MustParsePrefix(text).Contains(at.Addr().Unmap()) {
				return r.operator
			}
		}
	}
	return ""
}
