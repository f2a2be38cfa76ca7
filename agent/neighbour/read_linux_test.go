package neighbour

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

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
		for addr, want := range map[string]string{"10.77.0.9": client.MAC("eth0"), "fd77::9": client.MAC("eth0"), "10.77.0.200": "", "127.0.0.1": ""} {
			if got := n.MAC(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s is %q, want %q", addr, got, want)
			}
		}
	})
}

func neighbourMessage(state uint16, attributes ...[]byte) []byte {
	b := make([]byte, ndmsgLength)
	binary.NativeEndian.PutUint16(b[8:], state)
	for _, a := range attributes {
		b = append(b, a...)
	}
	return b
}

func attribute(kind uint16, value []byte) []byte {
	b := make([]byte, 4, 4+len(value)+3)
	binary.NativeEndian.PutUint16(b, uint16(4+len(value)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func TestParseNeighbour(t *testing.T) {
	ip, mac := attribute(ndaDst, net.IPv4(10, 0, 0, 9).To4()), attribute(ndaLLAddr, []byte{0x52, 0x54, 0, 0, 0, 1})
	for name, tc := range map[string]struct {
		message []byte
		want    string
	}{
		"reachable":             {neighbourMessage(0x02, ip, mac), "10.0.0.9 52:54:00:00:00:01"},
		"in another order":      {neighbourMessage(0x04, mac, attribute(99, []byte{1}), ip), "10.0.0.9 52:54:00:00:00:01"},
		"no answer":             {neighbourMessage(0x01, ip), ""},
		"failed":                {neighbourMessage(0x20, ip, mac), ""},
		"needs none":            {neighbourMessage(0x40, ip, mac), ""},
		"no address":            {neighbourMessage(0x02, mac), ""},
		"InfiniBand":            {neighbourMessage(0x02, ip, attribute(ndaLLAddr, make([]byte, 20))), ""},
		"all zero":              {neighbourMessage(0x02, ip, attribute(ndaLLAddr, make([]byte, 6))), ""},
		"too short":             {make([]byte, ndmsgLength-1), ""},
		"an attribute too long": {append(neighbourMessage(0x02, ip), 200, 0, 2, 0), ""},
	} {
		addr, mac, ok := parseNeighbour(tc.message)
		got := ""
		if ok {
			got = addr.String() + " " + mac
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func FuzzParseNeighbour(f *testing.F) {
	f.Add(neighbourMessage(0x02, attribute(ndaDst, net.IPv4(10, 0, 0, 9).To4()), attribute(ndaLLAddr, []byte{0x52, 0x54, 0, 0, 0, 1})))
	f.Fuzz(func(t *testing.T, b []byte) {
		if addr, mac, ok := parseNeighbour(b); ok && (!addr.IsValid() || len(mac) != 17) {
			t.Errorf("%v %q", addr, mac)
		}
	})
}
