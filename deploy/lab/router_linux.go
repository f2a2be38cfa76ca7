package lab

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// advertisement is a Router Advertisement of a router that leads nowhere and has no address to give (RFC 4861 section
// 4.2): type 134, hop limit 64, a lifetime of no seconds. The kernel fills in the checksum.
var advertisement = []byte{134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

// advertise answers for an IPv6 router on s until the end of the test: iPXE of 2019 waits 13 s for one in each DHCP.
func (s *Segment) advertise() {
	s.t.Helper()
	if s.advertised {
		return
	}
	s.advertised = true
	var conn net.PacketConn
	var ifindex int
	var err error
	(&Host{s.t, s.netns}).Do(func() {
		var br *net.Interface
		if br, err = net.InterfaceByName("br0"); err != nil {
			return
		}
		ifindex = br.Index
		config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			var set error
			err := c.Control(func(fd uintptr) {
				set = errors.Join(
					unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255),
					unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, ifindex))
			})
			return errors.Join(err, set)
		}}
		conn, err = config.ListenPacket(context.Background(), "ip6:ipv6-icmp", "::")
	})
	if err != nil {
		s.t.Fatalf("advertising a router: %v", err)
	}
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		to := &net.IPAddr{IP: net.IPv6linklocalallnodes, Zone: "br0"}
		for {
			// Until br0 has a link-local address there is nothing to send from.
			_, _ = conn.WriteTo(advertisement, to)
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	s.t.Cleanup(func() { close(stop); done.Wait(); conn.Close() })
}
