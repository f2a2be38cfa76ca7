package neighbour

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"

	"pxeagent/deploy/lab"
)

// The kernel's own table, of machines that have just spoken by IPv4 and IPv6.
func TestNeighbours(t *testing.T) {
	lab.Need(t, "ip")
	s := lab.NewSegment(t)
	server := s.Host("server", "eth0", "10.77.0.7/24")
	client := s.Host("client", "eth0", "10.77.0.9/24")
	for h, addr := range map[*lab.Host]string{server: "fd77::7/64", client: "fd77::9/64"} {
		h.Do(func() {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("0"), 0); err != nil {
				t.Fatal(err)
			}
		})
		h.IP("addr", "add", addr, "dev", "eth0", "nodad")
	}
	client.Do(func() {
		for _, a := range []string{"10.77.0.7:9", "[fd77::7]:9"} {
			if _, err := net.DialTimeout("tcp", a, 10*time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("nothing came back from %s: %v", a, err)
			}
		}
	})
	server.Do(func() {
		n := New(slog.New(slog.DiscardHandler))
		for addr, want := range map[string]string{"10.77.0.9": client.MAC("eth0"), "fd77::9": client.MAC("eth0"),
			"10.77.0.200": "", "127.0.0.1": ""} {
			if got := n.MAC(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s is %q, want %q", addr, got, want)
			}
		}
		if mac, addresses := n.Holder(lab.Addr("10.77.0.9")); mac != client.MAC("eth0") || addresses != 1 {
			t.Errorf("%q has %d addresses, want 1", mac, addresses)
		}
	})
	client.IP("addr", "add", "10.77.0.10/24", "dev", "eth0")
	client.Do(func() {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 77, 0, 10)}, Timeout: 10 * time.Second}
		if _, err := from.Dial("tcp", "10.77.0.7:9"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("nothing came back: %v", err)
		}
	})
	server.Do(func() {
		if mac, addresses := New(slog.New(slog.DiscardHandler)).Holder(lab.Addr("10.77.0.10")); mac != client.MAC("eth0") ||
			addresses != 2 {
			t.Errorf("%q has %d addresses, want 2", mac, addresses)
		}
	})
}

func TestEntryOf(t *testing.T) {
	ip, mac := net.IPv4(10, 0, 0, 9).To4(), net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}
	attributes := &rtnetlink.NeighAttributes{Address: ip, LLAddress: mac}
	aged := func(confirmed, updated uint32) *rtnetlink.NeighAttributes {
		ages := &rtnetlink.NeighCacheInfo{Confirmed: confirmed, Updated: updated}
		return &rtnetlink.NeighAttributes{Address: ip, LLAddress: mac, CacheInfo: ages}
	}
	for name, tc := range map[string]struct {
		message rtnetlink.NeighMessage
		want    string
	}{
		"reachable": {rtnetlink.NeighMessage{State: 0x02, Attributes: attributes}, "10.0.0.9 52:54:00:00:00:01 0s"},
		"confirmed": {rtnetlink.NeighMessage{State: 0x02, Attributes: aged(150, 9000)},
			"10.0.0.9 52:54:00:00:00:01 1.5s"},
		"updated": {rtnetlink.NeighMessage{State: 0x04, Attributes: aged(6000, 20)},
			"10.0.0.9 52:54:00:00:00:01 200ms"},
		"no answer":          {rtnetlink.NeighMessage{State: 0x01, Attributes: attributes}, ""},
		"failed":             {rtnetlink.NeighMessage{State: 0x20, Attributes: attributes}, ""},
		"needs none":         {rtnetlink.NeighMessage{State: 0x40, Attributes: attributes}, ""},
		"without attributes": {rtnetlink.NeighMessage{State: 0x02}, ""},
		"no address": {rtnetlink.NeighMessage{State: 0x02, Attributes: &rtnetlink.NeighAttributes{LLAddress: mac}},
			""},
		"InfiniBand": {rtnetlink.NeighMessage{State: 0x02, Attributes: &rtnetlink.NeighAttributes{Address: ip,
			LLAddress: make([]byte, 20)}}, ""},
		"all zero": {rtnetlink.NeighMessage{State: 0x02, Attributes: &rtnetlink.NeighAttributes{Address: ip,
			LLAddress: make([]byte, 6)}}, ""},
		"a tunnel over IPv6": {rtnetlink.NeighMessage{State: 0x02, Attributes: &rtnetlink.NeighAttributes{Address: ip,
			LLAddress: make([]byte, 16)}}, ""},
		"address of 3 octets": {rtnetlink.NeighMessage{State: 0x02, Attributes: &rtnetlink.NeighAttributes{Address: ip[:3],
			LLAddress: mac}}, ""},
	} {
		got := ""
		if e, ok := entryOf(tc.message); ok {
			got = e.addr.String() + " " + e.mac + " " + e.age.String()
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
