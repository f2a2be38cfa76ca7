package pihole

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/dnsmasq"
	"pxeagent/dnsmasq/pihole/piholetest"
)

// Whatever else stands among the lines is there afterwards, byte for byte and in its order.
func TestOthersLinesAreUntouched(t *testing.T) {
	some := []string{
		"# a comment", "", "dhcp-option=option:ntp-server,10.77.0.9", "address=/x/10.0.0.1", "dhcp-host=52:54:00:00:00:01,ws",
		"# pxeagent eth1: begin", "dhcp-boot=tag:eth1,tag:pxeagent-eth1-bios,x,,10.78.0.7", "# pxeagent eth1: end",
		"server=/lan/10.0.0.2  # end", "dhcp-match=set:x,93,7", "log-queries", "\tdhcp-authoritative ", "cname=a,b",
	}
	s := newSite(t, piholetest.Options{})
	server := s.open()
	rounds := 500
	if testing.Short() {
		rounds = 50
	}
	for n := range rounds {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		var lines []string
		for range r.IntN(12) {
			lines = append(lines, some[r.IntN(len(some))])
		}
		if r.IntN(3) == 0 {
			own := server.lines(dhcptest.BIOSBoot("10.77.0.20"), dnsmasq.ModeServer, nil)
			lines = slices.Insert(lines, r.IntN(len(lines)+1), own...)
		}
		s.Save(func(c *piholetest.Config) { c.Lines = slices.Clone(lines) })
		p, err := server.Plan(t.Context(), dhcptest.FullBoot(fmt.Sprintf("10.77.0.%d", 1+n%200)))
		if err != nil {
			t.Fatal(err)
		}
		if q, refused := p.Refused(); refused {
			t.Fatalf("%q: %+v", lines, q)
		}
		_, before := s.own()
		if err := server.Apply(t.Context(), p); err != nil {
			t.Fatalf("%q: %v", lines, err)
		}
		if _, others := s.own(); !slices.Equal(others, before) {
			t.Fatalf("%q: others are %q", lines, others)
		}
		if err := server.Revert(t.Context(), p); err != nil {
			t.Fatalf("%q: %v", lines, err)
		}
		if got := s.Config().Lines; !slices.Equal(got, lines) {
			t.Fatalf("%q came back as %q", lines, got)
		}
	}
}

// Addresses come in the forms of several versions.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		a    address
		want string
	}{
		{address{Address: "10.77.0.1", Prefix: 24}, "10.77.0.1/24"},
		{address{Address: "10.77.0.1", Netmask: "255.255.240.0"}, "10.77.0.1/20"},
		{address{Address: "fe80::1", Prefix: 64}, ""}, {address{Address: "10.77.0.1"}, ""},
		{address{Address: "10.77.0.1", Prefix: 99}, ""}, {address{Address: "x", Prefix: 8}, ""},
	} {
		p, ok := c.a.prefix()
		if want, err := netip.ParsePrefix(c.want); ok != (err == nil) || ok && p != want {
			t.Errorf("%+v: %v, %v", c.a, p, ok)
		}
	}
}

func FuzzBlock(f *testing.F) {
	f.Add("# pxeagent eth0: begin\nx\n# pxeagent eth0: end\ny")
	f.Add("# pxeagent eth0: end\ndhcp-boot=tag:eth0,tag:pxeagent-eth0-bios,a,,1.2.3.4\n# pxeagent eth0: begin")
	f.Fuzz(func(t *testing.T, text string) {
		s := &Server{cfg: Config{Interface: "eth0"}}
		lines := strings.Split(text, "\n")
		b := s.find(lines)
		if b.from < 0 || b.to < b.from || b.to > len(lines) {
			t.Fatalf("%q: %+v", lines, b)
		}
		state, _, err := s.state(lines)
		if err != nil {
			t.Fatal(err)
		}
		own, err := decode(state.Raw)
		if err != nil || !slices.Equal(own, lines[b.from:b.to]) && utf8.ValidString(text) {
			t.Errorf("%q: the record is %q, %v", lines, own, err)
		}
		own = s.lines(dhcptest.BIOSBoot("10.77.0.7"), dnsmasq.ModeServer, nil)
		next := slices.Concat(lines[:b.from], own, lines[b.to:])
		if again := s.find(next); again.from > again.to || again.to > len(next) {
			t.Errorf("%q: %+v", next, again)
		}
	})
}
