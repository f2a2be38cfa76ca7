package tftp

import (
	"bytes"
	"os"
	"testing"

	"pxeagent/deploy/lab"
)

// Behind a router with a smaller MTU the first transfer ends, in fragments, and the next are granted what fits.
func TestRouterWithASmallerMTU(t *testing.T) {
	for mode, words := range map[string]string{"port each": "0.0.0.0:69", "single port": "0.0.0.0:69 single"} {
		for _, window := range []string{"", " windowsize=4"} {
			t.Run(mode+window, func(t *testing.T) {
				server, router, machine := lab.NewHost(t, "server"), lab.NewHost(t, "router"), lab.NewHost(t, "client")
				for _, link := range []struct {
					from, to             *lab.Host
					dev, mtu, addr, peer string
				}{
					{router, server, "eth1", "1500", "10.88.0.254/24", "10.88.0.1/24"},
					{router, machine, "eth2", "1280", "10.77.0.254/24", "10.77.0.9/24"},
				} {
					link.from.IP("link", "add", link.dev, "mtu", link.mtu, "type", "veth",
						"peer", "name", "eth1", "mtu", link.mtu, "netns", link.to.Netns())
					link.from.IP("addr", "add", link.addr, "dev", link.dev)
					link.from.IP("link", "set", link.dev, "up")
					link.to.IP("addr", "add", link.peer, "dev", "eth1")
					link.to.IP("link", "set", "eth1", "up")
				}
				// A window leaves in packets, as by a card, and not in one piece that only namespaces can pass on.
				server.IP("link", "set", "eth1", "gso_max_segs", "1")
				server.IP("route", "add", "default", "via", "10.88.0.254")
				machine.IP("route", "add", "default", "via", "10.77.0.254")
				var err error
				router.Do(func() { err = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) })
				if err != nil {
					t.Skipf("forwarding in a namespace: %v", err)
				}
				p := servingIn(server, words)
				c := dialingIn(t, machine, "10.77.0.9", "10.88.0.1:69")
				size := 4
				if window == "" {
					size = 1
				}
				for _, blksize := range []int{1468, 1280 - 20 - 8 - 4} {
					if got := c.windows("nbp", window, blksize, size); !bytes.Equal(got, pattern(93955)) {
						t.Errorf("blksize %d: got %d bytes", blksize, len(got))
					}
					p.WaitOutput(limit, `ended ok file=nbp`)
				}
			})
		}
	}
}
