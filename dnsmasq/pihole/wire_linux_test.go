package pihole

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/dnsmasqtest"
	"pxeagent/dnsmasq/pihole/piholetest"
)

// newWire is a site whose Dnsmasq is a real one on a network of its own, and how a machine there probes.
func newWire(t *testing.T) (*site, dhcp.Probe) {
	t.Helper()
	segment := lab.NewSegment(t)
	server := segment.Host("pihole", "eth0", "10.77.0.1/24")
	client := segment.Host("client", "eth0", "10.77.0.5/24")
	s := newSite(t, piholetest.Options{Load: server.Reloader()})
	return s, dhcptest.OnTheWire(client.Do, "eth0")
}

// What is configured is what a real Dnsmasq sends, and it is gone again after a revert.
func TestOnTheWire(t *testing.T) {
	lab.NoShort(t)
	s, ask := newWire(t)
	j, err := dhcp.OpenJournal(t.TempDir(), "pihole")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	lines := s.Config().Lines
	want := dhcptest.FullBoot("10.77.0.5")
	r, err := dhcp.Configure{Server: s.open(), Want: want, Journal: j, Probe: ask}.Run(t.Context())
	if err != nil || !r.Wrote {
		t.Fatalf("configure: %v, %+v", err, r)
	}
	if _, err := (dhcp.Revert{Server: s.open(), Journal: j, Probe: ask}).Run(t.Context()); err != nil {
		t.Fatalf("revert: %v", err)
	}
	if got := s.Config().Lines; !slices.Equal(got, lines) {
		t.Errorf("lines are %q, were %q", got, lines)
	}
	// Somebody's lines that make Dnsmasq send something else have the change refused or put back.
	s.Edit(func(c *piholetest.Config) { c.Lines = append(c.Lines, "dhcp-option-force=67,other.0") })
	_, err = dhcp.Configure{Server: s.open(), Want: want, Journal: j, Probe: ask}.Run(t.Context())
	if !errors.Is(err, dhcp.ErrRefused) {
		t.Errorf("a second boot file: %v", err)
	}
}

// The Dnsmasq of the stand-ins answers as a real one.
func TestStandInsDnsmasq(t *testing.T) {
	lab.NoShort(t)
	segment := lab.NewSegment(t)
	server := segment.Host("dnsmasq", "eth0", "10.77.0.1/24")
	client := segment.Host("client", "eth0", "10.77.0.5/24")
	load := server.Reloader()
	fake, err := dnsmasqtest.Start("eth0", netip.MustParseAddr("10.77.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	const lease = "dhcp-range=10.77.0.100,10.77.0.199,255.255.255.0\n"
	own := &Server{cfg: Config{Interface: "eth0"}}
	for name, conf := range map[string]string{
		"nothing":    lease,
		"pxeagent's": lease + strings.Join(own.lines(dhcptest.FullBoot("10.77.0.5"), "server", nil), "\n") + "\n",
		"untagged":   lease + "dhcp-boot=a.0\ndhcp-match=set:x,93,7\ndhcp-boot=tag:x,b.efi,10.77.0.9,10.77.0.9\n",
		"the last one": lease +
			"dhcp-match=set:x,93,7\ndhcp-boot=tag:x,tag:eth0,a.efi\ndhcp-boot=tag:eth0,b.0,,10.77.0.9\n",
		"a tag of the range":    "dhcp-range=set:lan,10.77.0.100,10.77.0.199\ndhcp-boot=tag:lan,tag:!x,a.0,s,10.77.0.9\n",
		"presence of 175":       lease + "dhcp-match=set:i,175\ndhcp-boot=tag:!i,a.0\ndhcp-boot=tag:i,http://x/y\n",
		"a second boot file":    lease + "dhcp-boot=a.0,10.77.0.9,10.77.0.9\ndhcp-option=67,other.0\n",
		"another device's":      "dhcp-range=tag:eth1,10.77.0.100,10.77.0.199\n",
		"machines not answered": lease + "dhcp-match=set:x,93,7\ndhcp-ignore=tag:x\ndhcp-boot=a.0\n",
	} {
		if err := errors.Join(load(conf), fake.Load(conf)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		clients := firmware.Clients()
		var real, stand probe.Report
		client.Do(func() {
			real, err = probe.Run(t.Context(), probe.Config{Device: "eth0", MAC: dhcptest.ProbeMAC, Clients: clients,
				Quiet: 300 * time.Millisecond, Limit: time.Second})
		})
		if err != nil {
			t.Fatal(err)
		}
		stand, err = probe.Run(t.Context(), probe.Config{Server: fake.Addr(), RelayPort: probe.AnyPort,
			MAC: dhcptest.ProbeMAC, Clients: clients, Quiet: 20 * time.Millisecond, Limit: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := said(stand.Offers), said(real.Offers); !slices.Equal(got, want) {
			t.Errorf("%s: the stand-in says\n%s\nand dnsmasq\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for _, broken := range []string{"dhcp-boot=\"x\n", "no such thing\n"} {
		if load(lease+broken) == nil || fake.Load(lease+broken) == nil || fake.Running() {
			t.Errorf("%q starts", broken)
		}
	}
}

// said is what offers say about network boot, each once.
func said(offers []firmware.Offer) []string {
	var all []string
	for _, o := range offers {
		name, where := o.BootFile()
		all = append(all, fmt.Sprintf("%v %q in %q, next-server %v, option 66 %q, option 60 %q", o.Client, name, where,
			o.NextServer, o.Option66, o.Vendor))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
