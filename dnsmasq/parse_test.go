package dnsmasq

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

func TestEditedDropIns(t *testing.T) {
	server := string(goldens[0].in.render("eth1"))
	for name, c := range map[string]struct {
		edit func(string) string
		want string // in what is said of it
		odd  int
		boot func(*dhcp.Boot)
	}{
		"comment": {func(s string) string { return "# mine\n" + s }, "lines or comments", 0, nil},
		"empty": {func(string) string {
			return ""
		}, "lines or comments", 0, func(b *dhcp.Boot) { *b = dhcp.Boot{} }},
		"other file": {func(s string) string {
			return strings.ReplaceAll(s, "undionly.kpxe", "x.0")
		}, "", 0, func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = "x.0" }},
		"another option": {func(s string) string {
			return s + "dhcp-authoritative\n"
		}, "a line that pxeagent does not write (line 27: dhcp-authoritative)", 1, nil},
		"two servers": {func(s string) string {
			return strings.Replace(s, ",,10.77.0.7\n", ",,10.77.0.8\n", 1)
		}, "7 lines", 7, func(b *dhcp.Boot) { b.NextServer = netip.MustParseAddr("10.77.0.8") }},
		"a line removed": {func(s string) string {
			return strings.Replace(s, "\ndhcp-boot=", "\n#dhcp-boot=", 1)
		}, "lines or comments", 0, func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = "" }},
		"no server": {func(s string) string {
			return s + "dhcp-boot=tag:eth1,tag:pxeagent-eth1-bios,undionly.kpxe\n"
		}, "a line", 1, nil},
		"open quote": {func(s string) string { return s + "dhcp-boot=\"x\n" }, "a line", 1, nil},
		"other interface": {func(s string) string {
			return s + "dhcp-boot=tag:pxeagent-eth2-bios,x,,10.77.0.7\n"
		}, "a line", 1, nil},
	} {
		raw := c.edit(server)
		p := parseDropIn([]byte(raw), "eth1")
		want := full()
		if c.boot != nil {
			c.boot(&want)
		}
		if p.boot != want {
			t.Errorf("%s: read as %+v", name, dhcp.Diff(want, p.boot))
		}
		if why := p.edited([]byte(raw), "eth1"); !strings.Contains(why, c.want) || (c.want == "" && why != "") {
			t.Errorf("%s: said to have %q, want %q", name, why, c.want)
		}
		if len(p.odd) != c.odd {
			t.Errorf("%s: odd lines %q, want %d", name, p.odd, c.odd)
		}
	}
}

func FuzzDropIn(f *testing.F) {
	for _, g := range goldens {
		f.Add(g.in.render("eth1"))
	}
	f.Add([]byte("dhcp-boot=tag:pxeagent-eth1-http-,a,,1.2.3.4\npxe-service=7,x,y,1.2.3.4\ndhcp-range=::1,proxy\n\"\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := parseDropIn(raw, "eth1")
		if len(checkBoot(p.boot, p.mode)) > 0 || p.boot == (dhcp.Boot{}) {
			return
		}
		again := parseDropIn(p.render("eth1"), "eth1")
		if again.boot != p.boot || again.mode != p.mode || !slices.Equal(again.nets, p.nets) {
			t.Errorf("%+v written and read is %+v", p.dropIn, again.dropIn)
		}
		if len(again.odd) > 0 {
			t.Errorf("own lines not understood: %q", again.odd)
		}
	})
}
