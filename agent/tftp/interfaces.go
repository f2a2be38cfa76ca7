package tftp

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// interfaces remembers what requests need to know of this machine's interfaces, as asking the kernel for each
// request would cost more than a small file's transfer.
type interfaces struct {
	mu    sync.Mutex
	known map[int]nic
}

// nic is an interface.
type nic struct {
	mtu       int
	broadcast []netip.Addr // the directed broadcast addresses of its IPv4 networks
	until     time.Time
}

const remembered = 10 * time.Second

// at returns the interface with that index. Where there is none its mtu is 0.
func (f *interfaces) at(index int, now time.Time) nic {
	if index == 0 {
		return nic{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, ok := f.known[index]; ok && now.Before(n.until) {
		return n
	}
	n := nic{until: now.Add(remembered)}
	if ifi, err := net.InterfaceByIndex(index); err == nil {
		n.mtu = ifi.MTU
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			if ipn, ok := a.(*net.IPNet); ok {
				n.broadcast = append(n.broadcast, broadcast(ipn)...)
			}
		}
	}
	if f.known == nil || len(f.known) > 256 { // indexes are never used again: virtual machines come and go
		f.known = make(map[int]nic)
	}
	f.known[index] = n
	return n
}

// broadcast is the all-ones address of an IPv4 network that has one.
func broadcast(n *net.IPNet) []netip.Addr {
	ip, mask := n.IP.To4(), n.Mask
	ones, bits := mask.Size()
	if ip == nil || bits != 32 || ones > 30 {
		return nil
	}
	var b [4]byte
	for i := range b {
		b[i] = ip[i] | ^mask[i]
	}
	return []netip.Addr{netip.AddrFrom4(b)}
}

// largestBlock is the block size whose packets fit one frame of the interface: what is left of the MTU after the
// headers of IP, UDP and TFTP. Without an MTU it is what the RFC allows.
func largestBlock(mtu int, client netip.Addr) int {
	headers := 20 + 8 + headerLen
	if client.Is6() {
		headers = 40 + 8 + headerLen
	}
	if mtu < headers+minBlksize {
		return maxBlksize
	}
	return min(mtu-headers, maxBlksize)
}
