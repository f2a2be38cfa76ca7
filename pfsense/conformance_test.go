package pfsense_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
	"pxeagent/pfsense"
	"pxeagent/pfsense/pfsensetest"
)

func TestConformance(t *testing.T) {
	lab.NoShort(t)
	t.Parallel()
	for _, engine := range []string{"isc", "kea"} {
		for _, transport := range []string{"rest", "xmlrpc"} {
			t.Run(transport+" "+engine, func(t *testing.T) {
				t.Parallel()
				dhcptest.Run(t, func(t *testing.T) dhcptest.Backend { return newSite(t, engine, transport).backend() })
			})
		}
	}
	for _, transport := range []string{"rest", "xmlrpc"} {
		t.Run(transport+" kea with a class for iPXE", func(t *testing.T) {
			t.Parallel()
			dhcptest.Run(t, func(t *testing.T) dhcptest.Backend { return newTellingSite(t, transport).backend() })
		})
	}
}

// site is a stand-in firewall with its DHCP server on loopback.
type site struct {
	*pfsensetest.Firewall
	t      *testing.T
	engine string
	reach  pfsense.Reach
	dhcp   netip.AddrPort
}

func newSite(t *testing.T, engine, transport string) *site {
	c := pfsensetest.Default()
	c.Set("dhcpbackend", engine)
	f, err := pfsensetest.New(pfsensetest.Options{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	at, err := f.ListenDHCP("opt1", netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	return &site{Firewall: f, t: t, engine: engine, dhcp: at,
		reach: pfsense.Reach{URL: f.URL().String(), Transport: transport, User: "admin", Password: "pfsense",
			SHA256: f.Fingerprint()}}
}

// siteKea is what a site has of its own in Kea's configuration.
const siteKea = `{
  "user-context": {"by": "the site", "edit": 0},
  "client-classes": [
    {"name": "phones", "test": "option[60].exists", "option-data": [{"name": "log-servers", "data": "10.99.0.4"}]}
  ]
}
`

// newTellingSite is one with Kea that is to tell iPXE apart, beside what the site itself has there.
func newTellingSite(t *testing.T, transport string) *site {
	s := newSite(t, "kea", transport)
	s.reach.TellIPXE = true
	s.setKea(siteKea)
	s.Apply()
	return s
}

func (s *site) setKea(text string) {
	s.Edit("Kea settings", func(c pfsensetest.Tree) {
		c.Set("kea/custom_kea_config", base64.StdEncoding.EncodeToString([]byte(text)))
	})
}

// kea is that configuration on the firewall.
func (s *site) kea() string {
	s.t.Helper()
	field, _ := s.Saved().Text("kea/custom_kea_config")
	text, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// siteKeaAlone is it without pxeagent's class, which is on a line of its own before the site's.
func (s *site) siteKeaAlone() string {
	return regexp.MustCompile(`\{"name":"pxeagent_ipxe_[^\n]*\}\]\},`).ReplaceAllString(s.kea(), "")
}

func (s *site) open() *pfsense.Server {
	s.t.Helper()
	server, err := s.reach.Open()
	if err != nil {
		s.t.Fatal(err)
	}
	return server
}

// boot is what the engine can say in full: Kea has no UEFI HTTP boot.
func (s *site) boot(next string) dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr(next)}
	b.NBP = [firmware.NumArch]string{"undionly.kpxe", "ipxe32.efi", "ipxe.efi", "arm32.efi", "snp-arm64.efi"}
	if s.engine == "isc" {
		for _, a := range firmware.Arches()[1:] {
			b.URL[a] = "http://" + next + "/ipxe.efi"
		}
	}
	if s.reach.TellIPXE {
		b.Script = "http://" + next + "/ipxe/bootstrap.ipxe"
	}
	return b
}

// probe asks the stand-in's DHCP server on the wire, as a relay.
func (s *site) probe(ctx context.Context, clients []firmware.Client) ([]firmware.Offer, error) {
	return dhcptest.Relayed(s.dhcp)(ctx, clients)
}

// wire is a run's probe.
func (s *site) wire(ctx context.Context, clients []firmware.Client, _ dhcp.Enough) ([]firmware.Offer, error) {
	return s.probe(ctx, clients)
}

// own is pxeagent's record on the firewall.
func (s *site) own() []byte {
	s.t.Helper()
	field, _ := s.Saved().Text("kea/custom_kea_config")
	raw, err := pfsense.Record(s.Keys("opt1"), "opt1", field)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// others is everything else on it.
func (s *site) others() []byte {
	s.t.Helper()
	c := s.Saved()
	for name := range s.Keys("opt1") {
		c.Remove("dhcpd/opt1/" + name)
	}
	if s.reach.TellIPXE {
		c.Set("kea/custom_kea_config", s.siteKeaAlone())
	}
	raw, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func (s *site) backend() dhcptest.Backend {
	reach, err := json.Marshal(s.reach)
	if err != nil {
		s.t.Fatal(err)
	}
	third := s.boot("10.99.0.7")
	third.URL = [firmware.NumArch]string{}
	edits := 0
	return dhcptest.Backend{
		Open:  func(testing.TB) dhcp.Server { return s.open() },
		Args:  []string{"https", string(reach)},
		Wants: []dhcp.Boot{s.boot("10.99.0.5"), s.boot("10.99.0.6"), third},
		EditOwn: func(_ testing.TB, edit int) {
			s.Edit("DHCP Server - Settings changed for interface ADMIN", func(c pfsensetest.Tree) {
				c.Set("dhcpd/opt1/netboot", "")
				c.Set("dhcpd/opt1/nextserver", fmt.Sprintf("10.99.0.%d", 20+edit))
				c.Set("dhcpd/opt1/filename", "pxelinux.0")
				c.Set("dhcpd/opt1/filename64", "")
				c.Remove("dhcpd/opt1/filename32")
			})
			s.Apply()
		},
		EditOthers: func(testing.TB) {
			edits++
			s.Edit("System: General settings", func(c pfsensetest.Tree) {
				c.Set("dhcpd/opt1/ntpserver", fmt.Sprintf("10.99.0.%d", edits))
			})
			if s.reach.TellIPXE {
				s.setKea(regexp.MustCompile(`"edit": \d+`).ReplaceAllString(s.kea(), fmt.Sprintf(`"edit": %d`, edits)))
			}
		},
		Own:     func(testing.TB) []byte { return s.own() },
		Others:  func(testing.TB) []byte { return s.others() },
		Written: func(testing.TB) string { return fmt.Sprint(s.Writes()) },
		Loaded:  func(testing.TB) string { return fmt.Sprint(s.Loads()) },
		Probe:   s.probe,
	}
}
