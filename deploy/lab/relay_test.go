package lab

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestRelaySpoils(t *testing.T) {
	server, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	_ = server.SetReadBuffer(1 << 20)
	r := NewRelay(
		t,
		server.LocalAddr().(*net.UDPAddr).AddrPort(),
		Spoil{Drop: 0.2, Duplicate: 0.2, Reorder: 0.2, Delay: time.Millisecond},
		Spoil{},
		7,
	)
	client, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(r.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const sent = 500
	got := make(chan byte, 2*sent)
	go func() {
		defer close(got)
		b := make([]byte, 10)
		for {
			n, _, err := server.ReadFromUDPAddrPort(b)
			if err != nil || b[0] == 3 && n == 1 {
				return
			}
			got <- b[1]
		}
	}()
	for i := range sent {
		if _, err := client.Write([]byte{4, byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	var arrived, backwards int
	last := byte(0)
	for wait := time.After(10 * time.Second); ; {
		if passed := r.Passed.Load(); passed > 0 && passed+r.Dropped.Load()-r.Doubled.Load() == sent &&
			int64(arrived) == passed {
			break
		}
		select {
		case b := <-got:
			arrived++
			if int8(b-last) < 0 {
				backwards++
			}
			last = b
		case <-wait:
			t.Fatalf(
				"%d arrived; passed %d, dropped %d, doubled %d",
				arrived,
				r.Passed.Load(),
				r.Dropped.Load(),
				r.Doubled.Load(),
			)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if d := r.Dropped.Load(); d < sent/10 || d > sent*3/10 {
		t.Errorf("%d dropped", d)
	}
	if d := r.Doubled.Load(); d < sent/20 || d > sent*3/10 {
		t.Errorf("%d doubled", d)
	}
	if backwards == 0 {
		t.Error("none out of order")
	}
}

// The server answers from a new port, and there the client's next packet goes.
func TestRelayFollowsTheServersPort(t *testing.T) {
	listen := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		return c
	}
	server, other, client := listen(), listen(), listen()
	r := NewRelay(t, server.LocalAddr().(*net.UDPAddr).AddrPort(), Spoil{}, Spoil{}, 1)
	b := make([]byte, 10)
	exchange := func(request []byte, by *net.UDPConn) {
		t.Helper()
		if _, err := client.WriteToUDPAddrPort(request, r.Addr()); err != nil {
			t.Fatal(err)
		}
		n, from, err := by.ReadFromUDPAddrPort(b)
		if err != nil || n != len(request) {
			t.Fatal(n, err)
		}
		if _, err := other.WriteToUDPAddrPort([]byte{0, 3, 0, 1}, from); err != nil {
			t.Fatal(err)
		}
		if _, from, err = client.ReadFromUDPAddrPort(b); err != nil || from != r.Addr() {
			t.Fatal(from, err)
		}
	}
	exchange([]byte{0, 1, 'f', 0}, server)
	exchange([]byte{0, 4, 0, 1}, other)
	exchange([]byte{0, 1, 'g', 0}, server)
}
