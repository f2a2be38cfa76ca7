package machine

import (
	"bufio"
	"net"
	"net/netip"
	"os"
	"strings"
)

// neighbour is the MAC that this machine's own network has for an IPv4 address; "" where it is not in the same network, or not known. Whoever has just
// asked by TCP is known.
func neighbour(a netip.Addr) string {
	a = a.Unmap()
	if !a.Is4() {
		return ""
	}
	f, err := os.Open("/proc/net/arp")
	if err != nil {
		return ""
	}
	defer f.Close()
	return findNeighbour(bufio.NewScanner(f), a.String())
}

// findNeighbour looks through lines of: IP address, HW type, flags, HW address, mask, device. Only complete entries count.
func findNeighbour(lines *bufio.Scanner, addr string) string {
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || f[0] != addr || f[1] != "0x1" || f[2] == "0x0" {
			continue
		}
		if mac, err := net.ParseMAC(f[3]); err == nil && mac.String() != "00:00:00:00:00:00" {
			return mac.String()
		}
	}
	return ""
}
