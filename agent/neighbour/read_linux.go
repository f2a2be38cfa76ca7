package neighbour

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Of the kernel's struct ndmsg and its attributes (linux/neighbour.h).
const (
	ndmsgLength = 12
	ndaDst      = 1
	ndaLLAddr   = 2
	nudKnown    = 0x02 | 0x04 | 0x08 | 0x10 | 0x80 // reachable, stale, delay, probe, permanent
)

// readNeighbours is the kernel's table of neighbours, IPv4 and IPv6. Anyone may read it.
func readNeighbours() (map[netip.Addr]string, error) {
	rib, err := syscall.NetlinkRIB(syscall.RTM_GETNEIGH, syscall.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("asking for the neighbour table: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, fmt.Errorf("reading the neighbour table: %w", err)
	}
	table := map[netip.Addr]string{}
	for _, m := range messages {
		if m.Header.Type == syscall.RTM_NEWNEIGH {
			if addr, mac, ok := parseNeighbour(m.Data); ok {
				table[addr] = mac
			}
		}
	}
	return table, nil
}

// parseNeighbour takes one entry; ok is false where it says of no Ethernet address.
func parseNeighbour(b []byte) (addr netip.Addr, mac string, ok bool) {
	if len(b) < ndmsgLength || binary.NativeEndian.Uint16(b[8:])&nudKnown == 0 {
		return addr, "", false
	}
	for b = b[ndmsgLength:]; len(b) >= 4; {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			break
		}
		switch value := b[4:n]; binary.NativeEndian.Uint16(b[2:]) {
		case ndaDst:
			addr, _ = netip.AddrFromSlice(value)
		case ndaLLAddr:
			if len(value) == 6 {
				mac = net.HardwareAddr(value).String()
			}
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return addr.Unmap(), mac, addr.IsValid() && mac != "" && mac != "00:00:00:00:00:00"
}
