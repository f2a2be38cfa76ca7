package tftp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"pxeagent/agent/boot"
)

func TestPortTaken(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Listen(l.Addrs()...)
	if !errors.Is(err, ErrPortTaken) || !errors.Is(err, syscall.EADDRINUSE) ||
		!strings.Contains(err.Error(), l.Addrs()[0].String()) {
		t.Errorf("got %v", err)
	}
	if _, err := Listen(); err == nil {
		t.Error("no error without an address")
	}
	// All or none: the first must be free again.
	free, _ := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	addr := free.Addrs()[0]
	free.Close()
	if _, err := Listen(addr, l.Addrs()[0]); err == nil {
		t.Error("no error for a second address that is in use")
	}
	again, err := Listen(addr)
	if err != nil {
		t.Errorf("the first address was kept: %v", err)
	}
	again.Close()
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		listen []string
		ask    []string // hosts
	}{
		{[]string{"127.0.0.1:0"}, []string{"127.0.0.1"}},
		{[]string{"[::1]:0"}, []string{"::1"}},
		{[]string{"0.0.0.0:0"}, []string{"127.0.0.1", "127.0.0.77"}},
		{[]string{"[::]:0"}, []string{"127.0.0.1", "127.0.0.77", "::1"}},
	} {
		for _, single := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.listen, single), func(t *testing.T) {
				var addrs []netip.AddrPort
				for _, a := range tt.listen {
					addrs = append(addrs, netip.MustParseAddrPort(a))
				}
				l, err := Listen(addrs...)
				if err != nil {
					t.Fatal(err)
				}
				s := servingOn(t, Config{Opener: shelf{"f": file(pattern(2000))}, SinglePort: single}, l)
				for _, host := range tt.ask {
					server := netip.AddrPortFrom(netip.MustParseAddr(host), s.addr.Port())
					c := dialing(t, server)
					c.ask("f", "windowsize=2 tsize=0")
					c.oack("windowsize=2 tsize=2000")
					if c.tid.Addr() != server.Addr() {
						t.Errorf("asked %v, %v answered", server, c.tid)
					}
					c.ack(0)
					c.data(1)
					c.data(2)
					if c.tid.Addr() != server.Addr() {
						t.Errorf("asked %v, %v sent data", server, c.tid)
					}
					c.ack(2)
					c.data(3)
					c.data(4)
					c.ack(4)
					if tr := s.record.wait(t, boot.OK); tr.Local != server {
						t.Errorf("asked %v, Ask says %v", server, tr.Local)
					}
					// An ERROR comes from there as well.
					c.sendTo(server, []byte("\x00\x02f\x00octet\x00"))
					c.errorCode(codeIllegal)
					if c.tid != server {
						t.Errorf("asked %v, %v refused", server, c.tid)
					}
					s.record.wait(t, boot.Refused)
				}
			})
		}
	}
	l, err := Listen(netip.MustParseAddrPort("0.0.0.0:0"), netip.MustParseAddrPort("[::]:0"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(l.Addrs()); n != 2 {
		t.Errorf("%d sockets for both wildcards", n)
	}
	l.Close()
}
