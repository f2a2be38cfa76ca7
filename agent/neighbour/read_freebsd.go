package neighbour

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/route"
)

// read is the kernel's neighbour table, IPv4 and IPv6. Anyone may read it. It has no ages: the kernel itself drops what
// nobody has confirmed for 20 minutes (net.link.ether.inet.max_age).
func read() ([]entry, error) {
	var table []entry
	for _, family := range []int{syscall.AF_INET, syscall.AF_INET6} {
		// NET_RT_FLAGS with RTF_LLINFO is what arp(8) and ndp(8) ask for.
		rib, err := route.FetchRIB(family, route.RIBType(syscall.NET_RT_FLAGS), syscall.RTF_LLINFO)
		if err != nil {
			return nil, fmt.Errorf("asking for the neighbour table: %w", err)
		}
		messages, err := route.ParseRIB(route.RIBType(syscall.NET_RT_FLAGS), rib)
		if err != nil {
			return nil, fmt.Errorf("reading the neighbour table: %w", err)
		}
		for _, m := range messages {
			if r, ok := m.(*route.RouteMessage); ok && len(r.Addrs) > syscall.RTAX_GATEWAY {
				if addr, mac, ok := neighbourOf(r.Addrs); ok {
					table = append(table, entry{addr: addr, mac: mac})
				}
			}
		}
	}
	return table, nil
}

func neighbourOf(addrs []route.Addr) (addr netip.Addr, mac string, ok bool) {
	switch a := addrs[syscall.RTAX_DST].(type) {
	case *route.Inet4Addr:
		addr = netip.AddrFrom4(a.IP)
	case *route.Inet6Addr:
		addr = netip.AddrFrom16(a.IP)
	}
	link, is := addrs[syscall.RTAX_GATEWAY].(*route.LinkAddr)
	if !is || !addr.IsValid() || len(link.Addr) != 6 {
		return addr, "", false
	}
	return addr, net.HardwareAddr(link.Addr).String(), true
}
