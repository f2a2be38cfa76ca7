package tftp

import (
	"net"
	"net/netip"
	"testing"
)

// What comes while nobody reads fills the socket's buffer, and what finds no room is counted.
func TestPacketsThatTheSystemDrops(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.sockets[0].conn.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	const packets = 1000
	to := net.UDPAddrFromAddrPort(l.Addrs()[0])
	conn, err := net.DialUDP("udp4", nil, to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fill := func() {
		for range packets {
			if _, err := conn.Write(make([]byte, 40)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var u unread
	fill()
	u.watch(l.sockets)
	if n := u.count(); n != 0 {
		t.Errorf("%d were dropped since just now", n)
	}
	for round := range uint64(2) {
		fill()
		if n := u.count(); n != (round+1)*packets {
			t.Errorf("%d were dropped, want %d", n, (round+1)*packets)
		}
	}
	l.Close()
	if n := u.count(); n != 2*packets {
		t.Errorf("%d after the socket was closed, want %d", n, 2*packets)
	}
}
