package resolve

import (
	"errors"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// systemServers reads the DNS servers of the network adapters that are up.
func systemServers() ([]string, error) {
	size := uint32(16 << 10)
	for range 4 {
		buf := make([]byte, size)
		first := (*windows.IpAdapterAddresses)(unsafe.Pointer(&buf[0]))
		err := windows.GetAdaptersAddresses(windows.AF_UNSPEC, windows.GAA_FLAG_INCLUDE_PREFIX, 0, first, &size)
		if errors.Is(err, windows.ERROR_BUFFER_OVERFLOW) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("getadaptersaddresses", err)
		}
		return adapterServers(first), nil
	}
	return nil, errors.New("the list of network adapters keeps growing")
}

func adapterServers(first *windows.IpAdapterAddresses) []string {
	var servers []string
	for adapter := first; adapter != nil; adapter = adapter.Next {
		if adapter.OperStatus != windows.IfOperStatusUp || adapter.FirstGatewayAddress == nil {
			continue
		}
		for s := adapter.FirstDnsServerAddress; s != nil; s = s.Next {
			if addr, ok := netip.AddrFromSlice(s.Address.IP()); ok && !isSiteLocal(addr) {
				servers = append(servers, addr.Unmap().String())
			}
		}
	}
	return servers
}

// isSiteLocal: fec0::/10 are placeholders that Windows fills in (RFC 3879
// deprecates them).
func isSiteLocal(addr netip.Addr) bool {
	b := addr.As16()
	return !addr.Is4() && b[0] == 0xfe && b[1]&0xc0 == 0xc0
}
