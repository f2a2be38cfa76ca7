package openwrt

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/dnsmasqtest"
	"pxeagent/dnsmasq/openwrt/openwrttest"
)

const testPassword = "correct horse, battery staple"

func TestMain(m *testing.M) {
	os.Exit(dhcptest.Main(m, func(args []string, step func()) (dhcp.Server, error) {
		u, pin, _, err := dhcptest.ParseRemote(args)
		if err != nil {
			return nil, err
		}
		s, err := New(config(u, *pin))
		if err != nil {
			return nil, err
		}
		s.settle, s.pause = 0, time.Millisecond
		return stepping{s, step}, nil
	}))
}

// stepping may be killed after each thing that it did.
type stepping struct {
	*Server
	step func()
}

func (s stepping) Apply(ctx context.Context, p dhcp.Plan) error {
	defer s.step()
	s.client.BeforeEach(func(string) { s.step() })
	return s.Server.Apply(ctx, p)
}

func (s stepping) Revert(ctx context.Context, p dhcp.Plan) error {
	defer s.step()
	s.client.BeforeEach(func(string) { s.step() })
	return s.Server.Revert(ctx, p)
}

func config(u *url.URL, pin [32]byte) Config {
	return Config{
		Config:    remote.Config{URL: u, TLSSHA256: &pin},
		Interface: "lan", User: "pxeagent", Password: func() (string, error) { return testPassword, nil },
	}
}

// site is a stand-in router whose Dnsmasq answers on loopback.
type site struct {
	*openwrttest.Router
	t      *testing.T
	daemon *dnsmasqtest.Daemon
}

func newSite(t *testing.T, o openwrttest.Options) *site {
	t.Helper()
	s := &site{t: t}
	var err error
	if s.daemon, err = dnsmasqtest.Start("br-lan", netip.MustParseAddr("10.77.0.1")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.daemon.Close)
	if o.Users == nil {
		o.Users = []openwrttest.User{{Name: "pxeagent", Password: testPassword}}
	}
	if o.Load == nil {
		o.Load = s.daemon.Load
	}
	if s.Router, err = openwrttest.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Router.Close)
	return s
}

func (s *site) open(change ...func(*Config)) *Server {
	s.t.Helper()
	c := config(s.URL(), s.Fingerprint())
	for _, f := range change {
		f(&c)
	}
	server, err := New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	server.settle, server.pause, server.limit = 0, time.Millisecond, 2*time.Second
	return server
}

func boot(next string) dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr(next), Script: "http://" + next + "/ipxe/bootstrap.ipxe"}
	b.NBP = [firmware.NumArch]string{"undionly.kpxe", "ipxe32.efi", "ipxe.efi", "arm32.efi", "snp-arm64.efi"}
	b.URL[firmware.EFI64] = "http://" + next + "/ipxe.efi"
	return b
}

func onlyBIOS(next string) dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr(next)}
	b.NBP[firmware.BIOS] = "pxelinux.0"
	return b
}

// probeMAC is always the same.
var probeMAC = net.HardwareAddr{0x02, 0x70, 0x78, 0x65, 0x00, 0x01}

func (s *site) probe(ctx context.Context, clients []firmware.Client) ([]firmware.Offer, error) {
	report, err := probe.Run(ctx, probe.Config{Server: s.daemon.Addr(), RelayPort: probe.AnyPort, MAC: probeMAC,
		Clients: clients, Quiet: 20 * time.Millisecond, Limit: 2 * time.Second})
	return report.Offers, err
}

// own is the record of our sections, others all else.
func (s *site) own() (own []byte, others []openwrttest.Section) {
	s.t.Helper()
	server := s.open()
	var mine []section
	for _, sec := range s.Sections() {
		if server.owns(sec.Name) {
			mine = append(mine, section{Name: sec.Name, Type: sec.Type, Options: sec.Options})
		} else {
			others = append(others, sec)
		}
	}
	own, err := encode(mine)
	if err != nil {
		s.t.Fatal(err)
	}
	return own, others
}

// put is what a person would write in the place of our sections.
func (s *site) put(b dhcp.Boot, note string) func([]openwrttest.Section) []openwrttest.Section {
	server := s.open()
	return func(all []openwrttest.Section) []openwrttest.Section {
		all = slices.DeleteFunc(all, func(x openwrttest.Section) bool { return server.owns(x.Name) })
		for _, sec := range server.own(b) {
			sec.Options["note"] = note
			all = append(all, openwrttest.Section{Name: sec.Name, Type: sec.Type, Options: sec.Options})
		}
		return all
	}
}

func TestConformance(t *testing.T) {
	lab.NoShort(t)
	dhcptest.Run(t, func(t *testing.T) dhcptest.Backend {
		s := newSite(t, openwrttest.Options{})
		edits := 0
		return dhcptest.Backend{
			Open:  func(testing.TB) dhcp.Server { return s.open() },
			Args:  dhcptest.RemoteArgs(s.URL(), s.Fingerprint()),
			Wants: []dhcp.Boot{boot("10.77.0.5"), boot("10.77.0.6"), onlyBIOS("10.77.0.7")},
			EditOwn: func(_ testing.TB, edit int) {
				if s.Pending() {
					s.Steal()
				}
				s.Edit(true, s.put(onlyBIOS(fmt.Sprintf("10.77.0.%d", 20+edit)), fmt.Sprint(edit)))
			},
			EditOthers: func(testing.TB) {
				edits++
				s.Edit(false, func(all []openwrttest.Section) []openwrttest.Section {
					return append(all, openwrttest.Section{Name: fmt.Sprintf("host%d", edits), Type: "host",
						Options: map[string]any{"mac": "52:54:00:00:00:01"}})
				})
			},
			Own: func(testing.TB) []byte { own, _ := s.own(); return own },
			Others: func(t testing.TB) []byte {
				_, others := s.own()
				text, err := json.Marshal(others)
				if err != nil {
					t.Fatal(err)
				}
				return text
			},
			Written: func(testing.TB) string { return fmt.Sprint(s.Writes()) },
			Loaded:  func(testing.TB) string { return fmt.Sprint(s.Loads()) },
			Probe:   s.probe,
		}
	})
}

// A password appears nowhere but in the login, and each session is ended.
func TestNoSecretAndNoSession(t *testing.T) {
	s := newSite(t, openwrttest.Options{})
	server := s.open()
	p, err := server.Plan(t.Context(), boot("10.77.0.5"))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if !s.Pending() {
		t.Error("nothing waits to be kept")
	}
	if err := server.Keep(t.Context(), p); err != nil || s.Pending() {
		t.Fatal(err, s.Pending())
	}
	if err := server.Revert(t.Context(), p); err != nil || s.Pending() {
		t.Fatal(err, s.Pending())
	}
	if n := s.Sessions(); n != 0 {
		t.Errorf("%d sessions are open", n)
	}
	if text := fmt.Sprintf("%v %+v %#v", server, server.client, p); strings.Contains(text, testPassword) {
		t.Error(text)
	}
}
